"""Bars on a logarithmic scale, as SVG."""

import html
import math

WIDTH, LEFT, BAR, STEP, TOP = 520, 190, 16, 26, 50


def bars(title, rows):
    """rows: name, value, and the value that it should not exceed."""
    most = max(max(value, target) for _, value, target in rows)
    decades = max(1, math.ceil(math.log10(most)))
    bottom = TOP + STEP * len(rows)

    def x(value):
        return LEFT + WIDTH * math.log10(max(value, 1)) / decades

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + WIDTH + 60} {bottom + 40}" '
           'font-family="sans-serif" font-size="12">', '<rect width="100%" height="100%" fill="#fff"/>',
           f'<text x="10" y="24" font-weight="bold">{html.escape(title)}</text>']
    for tick in (base * 10**power for power in range(decades + 1) for base in (1, 2, 5)):
        if tick <= 10**decades:
            out += [f'<path stroke="#ddd" d="M{x(tick):.1f} {TOP - 6}V{bottom}"/>',
                    f'<text x="{x(tick):.1f}" y="{bottom + 18}" text-anchor="middle">{tick}</text>']
    for i, (name, value, target) in enumerate(rows):
        y = TOP + STEP * i
        color = "#2a7" if value <= target else "#c63"
        out += [f'<text x="{LEFT - 8}" y="{y + 12}" text-anchor="end">{html.escape(name)}</text>',
                f'<rect x="{LEFT}" y="{y}" width="{max(x(value) - LEFT, 1):.1f}" height="{BAR}" fill="{color}"/>',
                f'<text x="{x(value) + 5:.1f}" y="{y + 12}">{value:.2f}</text>',
                f'<path stroke="#000" stroke-width="2" d="M{x(target):.1f} {y - 3}v{BAR + 6}"/>']
    return "\n".join(out + ["</svg>"]) + "\n"
