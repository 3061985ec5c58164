"""Parts of doc/benchmarks.md that a program writes: what stands between two marks is replaced, the rest is written by
hand."""

import os

PAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "doc", "benchmarks.md")


def as_table(rows):
    lines = ["| " + " | ".join(rows[0]) + " |", "|---" + "|--:" * (len(rows[0]) - 1) + "|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows[1:]])


def write_part(name, paragraphs, rows):
    part = "\n\n".join([*paragraphs, as_table(rows)])
    print(part)
    with open(PAGE, encoding="utf-8") as f:
        text = f.read()
    head, _, rest = text.partition(f"<!-- {name} -->\n")
    _, _, tail = rest.partition(f"<!-- /{name} -->\n")
    with open(PAGE, "w", encoding="utf-8") as f:
        f.write(f"{head}<!-- {name} -->\n\n{part}\n\n<!-- /{name} -->\n{tail}")
