"""Pictures as SVG, for light and dark pages alike: each returns its elements and its height."""

import html
import math

WIDTH, LEFT, TOP, PLOT = 800, 200, 50, 520
STYLE = """<style>
text{fill:#222}.back{fill:#fff}.grid{stroke:#ddd;fill:none}.target{stroke:#222;stroke-width:2;fill:none}
.good{fill:#2a9d6a}.bad{fill:#d2691e}.line{fill:none;stroke-width:2}
.s0{--c:#4269d0}.s1{--c:#e0a100}.s2{--c:#d1495b}.s3{--c:#3ca951}.s4{--c:#9c6bdb}.s5{--c:#2aa7b8}.s6{--c:#b0703c}.s7{--c:#7a8594}
.s8{--c:#c05a9b}.fill{fill:var(--c)}.line{stroke:var(--c)}
@media (prefers-color-scheme:dark){text{fill:#e6e6e6}.back{fill:#161b22}.grid{stroke:#3a414b}.target{stroke:#fff}
.s0{--c:#7b9cff}.s1{--c:#f2c14e}.s2{--c:#ff7d8d}.s3{--c:#5fd07a}.s4{--c:#bd95f5}.s5{--c:#56cfe0}.s6{--c:#d99a66}.s7{--c:#a3adbb}
.s8{--c:#e58cc6}}
</style>"""


def page(title, elements, height):
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="12">',
                      STYLE, '<rect class="back" width="100%" height="100%"/>',
                      f'<text x="10" y="24" font-weight="bold">{html.escape(title)}</text>', *elements, "</svg>"]) + "\n"


def text(x, y, what, anchor="start"):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{html.escape(str(what))}</text>'


def grid(x, y1, y2, label):
    return [f'<path class="grid" d="M{x:.1f} {y1}V{y2}"/>', text(x, y2 + 18, label, "middle")]


def bars(rows, note):
    """On a logarithmic scale; rows: name, value, and the value that it should not exceed."""
    decades = max(1, math.ceil(math.log10(max(max(value, target) for _, value, target in rows)) * 2) / 2)
    step, bar = 26, 16
    bottom = TOP + step * len(rows)

    def x(value):
        return LEFT + PLOT * math.log10(max(value, 1)) / decades

    out = [text(WIDTH - 10, 24, note, "end")]
    for tick in (base * 10**power for power in range(4) for base in (1, 2, 5)):
        if tick <= 10**decades:
            out += grid(x(tick), TOP - 6, bottom, tick)
    for i, (name, value, target) in enumerate(rows):
        y = TOP + step * i
        out += [text(LEFT - 8, y + 12, name, "end"),
                f'<rect class="{"good" if value <= target else "bad"}" x="{LEFT}" y="{y}" '
                f'width="{max(x(value) - LEFT, 1):.1f}" height="{bar}"/>',
                text(max(x(value), x(target)) + 6, y + 12, f"{value:.2f}"),
                f'<path class="target" d="M{x(target):.1f} {y - 3}v{bar + 6}"/>']
    return out, bottom + 30


def percentiles(curves, unit):
    """curves: by name, points of percent and value. Both scales are logarithmic: each step right is a nine more."""
    left, bottom, height = 80, 350, 290
    nines = max(2 - math.log10(100 - points[-1][0]) for points in curves.values())
    least = math.floor(math.log10(min(points[0][1] for points in curves.values())))
    most = math.ceil(math.log10(max(points[-1][1] for points in curves.values())))

    def x(percent):
        return left + 600 * (2 - math.log10(100 - percent)) / nines

    def y(value):
        return bottom - height * (math.log10(max(value, 10**least)) - least) / (most - least)

    out = []
    for power in range(least, most + 1):
        for base in (1, 2, 5) if power < most else (1,):
            value = base * 10**power
            out += [f'<path class="grid" d="M{left} {y(value):.1f}h600"/>', text(left - 6, y(value) + 4, f"{value:,} {unit}", "end")]
    for label in ("0", "90", "99", "99.9", "99.99"):
        if x(float(label)) <= left + 600:
            out += grid(x(float(label)), bottom - height, bottom, f"{label} %")
    for i, (name, points) in enumerate(curves.items()):
        path = "L".join(f"{x(percent):.1f} {y(value):.1f}" for percent, value in points)
        out += [f'<path class="line s{i}" d="M{path}"/>', f'<rect class="fill s{i}" x="{left + 20}" y="{TOP + 22 + 20 * i}" width="14" height="4"/>',
                text(left + 40, TOP + 28 + 20 * i, name)]
    return out, bottom + 30


def stacks(rows, unit):
    """rows: name, and (part, value) of each piece, the same parts in each. All rows have a scale of their own, for some
    are many times the others; what they sum up to is written beside them."""
    step, bar = 34, 20
    bottom = TOP + step * len(rows)
    out = []
    for i, (name, pieces) in enumerate(rows):
        y, x, whole = TOP + step * i, float(LEFT), sum(max(value, 0) for _, value in pieces)
        out.append(text(LEFT - 8, y + 15, name, "end"))
        for k, (_, value) in enumerate(pieces):
            width = PLOT * max(value, 0) / whole
            out.append(f'<rect class="fill s{k}" x="{x:.1f}" y="{y}" width="{width:.1f}" height="{bar}"/>')
            x += width
        out.append(text(LEFT + PLOT + 6, y + 15, f"{whole:,.0f}"))
    for k, (part, _) in enumerate(rows[0][1]):
        y = bottom + 10 + 20 * k
        out += [f'<rect class="fill s{k}" x="{LEFT}" y="{y}" width="12" height="12"/>', text(LEFT + 20, y + 11, part)]
    return [text(WIDTH - 10, 24, unit, "end")] + out, bottom + 20 * len(rows[0][1]) + 20
