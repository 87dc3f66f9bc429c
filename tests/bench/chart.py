"""A picture of lines over time, as SVG that reads in light and in dark. No more than that."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

Points = Sequence[tuple[float, float]]

_WIDTH, _LEFT, _RIGHT = 900, 64, 150
_HEIGHT, _TOP, _GAP = 170, 26, 34
_STYLE = """
svg { background: #fff; color: #1f2328; font: 12px system-ui, sans-serif; }
text { fill: currentColor; } .grid { stroke: currentColor; opacity: .15; }
.line { fill: none; stroke-width: 1.5; } .title { font-weight: 600; }
.fit { stroke-dasharray: 6 4; }
.c0 { stroke: #0969da; } .c1 { stroke: #cf222e; } .c2 { stroke: #1a7f37; } .c3 { stroke: #8250df; }
@media (prefers-color-scheme: dark) {
  svg { background: #0d1117; color: #e6edf3; }
  .c0 { stroke: #58a6ff; } .c1 { stroke: #ff7b72; } .c2 { stroke: #3fb950; }
  .c3 { stroke: #bc8cff; }
}
"""


@dataclass(frozen=True)
class Line:
    """A line and its name; x in minutes. A `fit` is dashed."""

    name: str
    points: Points
    fit: bool = False


@dataclass(frozen=True)
class Panel:
    """Lines over one y axis that begins at 0."""

    title: str
    lines: Sequence[Line]


def draw(panels: Sequence[Panel]) -> str:
    """Panels below one another over the same minutes."""
    xs = [x for panel in panels for line in panel.lines for x, _ in line.points]
    last = max(xs, default=1.0) or 1.0
    height = len(panels) * (_HEIGHT + _TOP + _GAP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img">',
        f"<title>{escape(', '.join(panel.title for panel in panels))}</title>",
        f"<style>{_STYLE}</style>",
    ]
    for number, panel in enumerate(panels):
        parts += _panel(panel, number * (_HEIGHT + _TOP + _GAP) + _TOP, last)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _panel(panel: Panel, top: float, last: float) -> list[str]:
    highest = max((y for line in panel.lines for _, y in line.points), default=1.0) or 1.0
    step = _step(highest / 4)
    ceiling = math.ceil(highest / step) * step
    right, bottom = _WIDTH - _RIGHT, top + _HEIGHT

    def x_of(minute: float) -> float:
        return _LEFT + (right - _LEFT) * minute / last

    def y_of(value: float) -> float:
        return bottom - _HEIGHT * value / ceiling

    parts = [f'<text class="title" x="{_LEFT}" y="{top - 9}">{escape(panel.title)}</text>']
    for number in range(round(ceiling / step) + 1):
        y = y_of(number * step)
        parts += [
            f'<path class="grid" d="M{_LEFT} {y:.1f}H{right}"/>',
            f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{number * step:,g}</text>',
        ]
    every = _step(last / 8)
    for number in range(int(last / every) + 1):
        label = f"{number * every:g}" + (" min" if number == 0 else "")
        x = x_of(number * every)
        parts.append(f'<text x="{x:.1f}" y="{bottom + 17}" text-anchor="middle">{label}</text>')
    for number, line in enumerate(panel.lines):
        kind = f"line c{number % 4}" + (" fit" if line.fit else "")
        path = "L".join(f"{x_of(x):.1f} {y_of(y):.1f}" for x, y in line.points)
        y = top + 8 + 18 * number
        parts += [
            f'<path class="{kind}" d="M{path}"/>' if path else "",
            f'<path class="{kind}" d="M{right + 12} {y}h18"/>',
            f'<text x="{right + 36}" y="{y + 4}">{escape(line.name)}</text>',
        ]
    return parts


def _step(about: float) -> float:
    """The next of 1, 2, 5, 10, 20, … at or above."""
    power = 10.0 ** math.floor(math.log10(about))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= about * 0.999)
