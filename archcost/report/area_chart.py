"""A timeline as an image: memory over the step, stacked by role."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from itertools import groupby

from archcost.costs.program import ROLES, Role
from archcost.costs.timeline import Moment, Timeline
from archcost.units import size

WIDTH, HEIGHT = 720, 260
LEFT, TOP, BOTTOM = 70, 16, 40

COLOURS: dict[Role, str] = {
    "weights": "#3b5b92",
    "gradients": "#7a9cc6",
    "optimizer_state": "#22314f",
    "buffers": "#9aa5b1",
    "inputs": "#d9a441",
    "activations": "#e8c987",
    "temporaries": "#b5523b",
}
MOST_STEPS = 1_000


def area_chart(line: Timeline) -> str:
    """SVG of its own size. Every moment is a step as wide as any other, as high as its peak."""
    moments = _thinned(line.moments)
    roles: list[Role] = [role for role in COLOURS if any(moment.roles[ROLES.index(role)] for moment in moments)]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
            f'viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="11" role="img">',
            f"<title>{html.escape(f'{line.graph.name}: {size(line.peak)} at {line.highest}')}</title>",
            *_bands(moments, roles, line.peak),
            *_axis(moments, line.peak),
            *_legend(roles),
            "</svg>",
        ]
    )


def _thinned(moments: Sequence[Moment]) -> list[Moment]:
    """The highest of every few, where there are too many to be seen."""
    few = -(-len(moments) // MOST_STEPS)
    return [max(moments[at : at + few], key=lambda moment: moment.peak) for at in range(0, len(moments), few)]


def _x(index: int, count: int) -> float:
    return LEFT + (WIDTH - LEFT) * index / count


def _y(nbytes: int, peak: int) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * nbytes / max(peak, 1)


def _bands(moments: Sequence[Moment], roles: Sequence[Role], peak: int) -> Iterator[str]:
    """The outermost first: each covers all but its own band of the one before."""
    for last in range(len(roles), 0, -1):
        columns = [ROLES.index(role) for role in roles[:last]]
        corners = [f"{LEFT:.1f},{_y(0, peak):.1f}"]
        for index, moment in enumerate(moments):
            y = _y(sum(moment.roles[column] for column in columns), peak)
            corners += [f"{_x(at, len(moments)):.1f},{y:.1f}" for at in (index, index + 1)]
        corners.append(f"{WIDTH:.1f},{_y(0, peak):.1f}")
        yield f'<polygon fill="{COLOURS[roles[last - 1]]}" points="{" ".join(corners)}"/>'


def _axis(moments: Sequence[Moment], peak: int) -> Iterator[str]:
    for part in (0, 0.5, 1):
        y = _y(round(peak * part), peak)
        yield f'<line x1="{LEFT}" x2="{WIDTH}" y1="{y:.1f}" y2="{y:.1f}" stroke="#0003"/>'
        yield f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{size(round(peak * part))}</text>'
    at = 0
    for phase, group in groupby("backward" if each.phase == "recompute" else each.phase for each in moments):
        length = len([*group])
        if length * 20 > len(moments):  # narrower ones have no room for a word
            middle = _x(at, len(moments)) / 2 + _x(at + length, len(moments)) / 2
            yield f'<text x="{middle:.1f}" y="{HEIGHT - BOTTOM + 14}" text-anchor="middle">{phase}</text>'
        at += length


def _legend(roles: Sequence[Role]) -> Iterator[str]:
    x = LEFT
    for role in roles:
        yield f'<rect x="{x}" y="{HEIGHT - 16}" width="10" height="10" fill="{COLOURS[role]}"/>'
        yield f'<text x="{x + 14}" y="{HEIGHT - 7}">{role.replace("_", " ")}</text>'
        x += 28 + 6 * len(role)
