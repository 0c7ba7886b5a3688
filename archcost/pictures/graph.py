"""The graph of a network, as a drawing and as text for other programs."""

# matplotlib does not say what its keywords are.
# pyright: reportUnknownMemberType=false
from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from archcost.costs import ModelCost
from archcost.pictures.boxes import FOLDED, INPUT, Arrow, Box, Boxes, boxes
from archcost.pictures.graph_layout import Layout, Point, layout
from archcost.pictures.picture import Picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_BOXES = 52
MOST_IN_MERMAID = 250
"""Mermaid refuses a text of more than 50,000 characters, and more than 500 arrows (its defaults)."""

MOST_READERS = 6
"""What more boxes read, a mask or a table of positions, says so and has one arrow: all of them would hide the rest."""

WIDTH, HEIGHT = 1.72, 0.8
"""Inches of a box with the space around it."""

INSIDE, TALL = 1.5, 0.56
"""Inches of the box."""

TOP = 0.72
"""Inches from the upper edge to the middle of the first rank."""


def picture(cost: ModelCost, depth: int | None) -> Picture:
    drawn = boxes(cost, depth, MOST_BOXES)
    name = cost.network
    folded = f"{len(drawn.boxes):,} boxes for {drawn.layers:,} layers"
    title = f"{name}, batch {cost.batch:,}: the graph, {folded}"
    description = f"{folded} and inputs, {len(drawn.arrows):,} arrows, from {_ends(drawn, cost)}."

    def mark() -> str:
        return Picture("graph", name, title, description, lambda: _draw(drawn, title)).mark

    whole = partial(boxes, cost, depth)
    texts = {
        "dot": lambda: _text("dot", whole(None), mark(), name),
        "gv": lambda: _text("dot", whole(None), mark(), name),
        "mmd": lambda: _text("mermaid", whole(MOST_IN_MERMAID), mark(), name),
        "md": lambda: _text("fenced", whole(MOST_IN_MERMAID), mark(), name),
    }
    return Picture("graph", name, title, description, partial(_draw, drawn, title), texts)


def _text(form: str, drawn: Boxes, mark: str, name: str) -> str:
    from archcost.pictures import graph_text

    return {"dot": graph_text.dot, "mermaid": graph_text.mermaid, "fenced": graph_text.fenced}[form](drawn, mark, name)


def _ends(drawn: Boxes, cost: ModelCost) -> str:
    outputs = [box.name for box in drawn.boxes if box.is_output]
    return f"{', '.join(cost.graph.inputs)} to {', '.join(outputs) or 'its outputs'}"


def few_arrows(drawn: Boxes) -> Boxes:
    """Without the arrows from what many boxes read, but for the first. It says so itself."""
    readers = Counter(arrow.source for arrow in drawn.arrows)
    first = {arrow.source: arrow for arrow in reversed(drawn.arrows)}
    arrows = [each for each in drawn.arrows if readers[each.source] <= MOST_READERS or first[each.source] == each]
    named = [
        replace(box, lines=(*box.lines[:2], f"read by {readers[number]:,} of these"))
        if readers[number] > MOST_READERS
        else box
        for number, box in enumerate(drawn.boxes)
    ]
    return Boxes(tuple(named), tuple(arrows), drawn.layers)


def _draw(whole: Boxes, title: str) -> Figure:
    from archcost.pictures.style import canvas, told

    drawn = few_arrows(whole)
    placed = layout(len(drawn.boxes), [(arrow.source, arrow.target) for arrow in drawn.arrows])
    width, height = max(placed.width * WIDTH + 0.1, 0.072 * len(title) + 0.2), placed.height * HEIGHT + TOP - TALL / 2
    figure = canvas(width, height)
    figure.set_layout_engine("none")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    axes.text(0.08, 0.1, told(title), fontsize=9, va="top", ha="left")
    left = (width - placed.width * WIDTH) / 2

    def inches(point: Point) -> Point:
        return point[0] * WIDTH + left, point[1] * HEIGHT + TOP

    for box, centre in zip(drawn.boxes, placed.centres, strict=True):
        _box(axes, box, inches(centre))
    for arrow, route in zip(drawn.arrows, placed.routes, strict=True):
        points = list(map(inches, route))
        if placed.columns[arrow.source] == placed.columns[arrow.target]:
            _arrow(axes, arrow, _down(points), [])
            continue
        gutters = [gutter * WIDTH + left for gutter in placed.gutters]
        _arrow(axes, arrow, *_across(points, arrow, placed, gutters))
    return figure


def _box(axes: Axes, box: Box, centre: Point) -> None:
    from matplotlib.patches import FancyBboxPatch

    from archcost.pictures.graph_text import FILLS, WHITE
    from archcost.pictures.style import shortened, told

    x, y = centre
    rounding = 0.2 if box.family == INPUT else 0.03
    patch = FancyBboxPatch(
        (x - INSIDE / 2, y - TALL / 2), INSIDE, TALL, boxstyle=f"round,pad=0,rounding_size={rounding}",
        facecolor=FILLS.get(box.family, WHITE), edgecolor="black", linewidth=1.8 if box.is_output else 0.6,
        linestyle="--" if box.family == FOLDED else "-", zorder=3, gid=f"box-{box.name}",
    )  # fmt: skip
    axes.add_patch(patch)
    lines = [shortened(box.name, 26), *(shortened(line, 32) for line in box.lines)]
    step = 0.118
    for index, line in enumerate(lines):
        axes.text(
            x, y + (index - (len(lines) - 1) / 2) * step, told(line), ha="center", va="center", zorder=4,
            fontsize=6 if index else 6.8, weight="normal" if index else "bold",
        )  # fmt: skip


def _down(points: Sequence[Point]) -> list[Point]:
    """From the edge of a box to that of a later one in its column."""
    first, *middle, last = points
    sign = 1 if points[1][1] > first[1] else -1
    return [(first[0], first[1] + sign * TALL / 2), *middle, (last[0], last[1] - sign * TALL / 2)]


def _across(
    points: Sequence[Point], arrow: Arrow, placed: Layout, gutters: Sequence[float]
) -> tuple[list[Point], list[Point]]:
    """To another column: between the ranks and in the gutters there is no box. What is returned are corners, or the
    two ends of a curve between neighbours.
    """
    (x, y), (to_x, to_y) = points
    source, target = placed.columns[arrow.source], placed.columns[arrow.target]
    ahead = target > source
    side = 1 if ahead else -1
    free, reached = placed.ends[arrow.source][ahead], placed.ends[arrow.target][not ahead]
    leaving, arriving = gutters[source + ahead], gutters[target + (not ahead)]
    start, end = (x + side * INSIDE / 2, y), (to_x - side * INSIDE / 2, to_y)
    if free and reached and abs(target - source) == 1:
        return [start, end], [((start[0] + end[0]) / 2, y), ((start[0] + end[0]) / 2, to_y)]
    lane = HEIGHT / 2
    way = [start, (leaving, y)] if free else [(x, y + TALL / 2), (x, y + lane), (leaving, y + lane)]
    if leaving != arriving:
        over = to_y - lane
        way += [(leaving, over), (arriving, over)]
    if reached:
        return [*way, (arriving, to_y), end], []
    return [*way, (arriving, to_y - lane), (to_x, to_y - lane), (to_x, to_y - TALL / 2)], []


def _arrow(axes: Axes, arrow: Arrow, way: Sequence[Point], bends: Sequence[Point]) -> None:
    from matplotlib.patches import FancyArrowPatch
    from matplotlib.path import Path

    if bends:
        path = Path([way[0], *bends, way[-1]], [Path.MOVETO, Path.CURVE4, Path.CURVE4, Path.CURVE4])
    else:
        path = Path(list(way), [Path.MOVETO, *[Path.LINETO] * (len(way) - 1)])
    axes.add_patch(
        FancyArrowPatch(
            path=path,
            arrowstyle="-|>,head_width=0.16,head_length=0.3",
            mutation_scale=10,
            color="#444444",
            linewidth=0.8,
            linestyle="--" if arrow.is_weight else "-",
            zorder=2,
            shrinkA=0,
            shrinkB=0,
            gid=f"arrow-{arrow.source}-{arrow.target}",
        )
    )
