"""Configurations of a sweep in two of its columns, and those that no other beats."""

# matplotlib does not say what its keywords are.
# pyright: reportUnknownMemberType=false
from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from archcost.errors import ArchcostError, nearest
from archcost.pictures.picture import Picture, no_data
from archcost.sweeps.table import MORE_IS_BETTER, Sweep
from archcost.units import size

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BATCHES = tuple(2**power for power in range(11))
"""Where none is asked for."""

MOST_NAMED = 14
MOST_OF_A_SERIES = 300
"""More points are one line for the eye: every few are drawn."""

MOST_SERIES = 14

TITLES = {
    "needed_bytes": "memory that a step needs",
    "peak_bytes": "peak of tensors",
    "allocated_bytes": "memory allocated",
    "samples_per_second": "samples a second",
    "step_seconds": "seconds a step",
    "cost": "USD for a million samples",
    "batch": "samples at once",
    "mfu": "MFU",
}


class Point(NamedTuple):
    """A configuration: its series (device and settings), its batch, and where it is."""

    series: str
    batch: int
    x: float
    y: float
    is_best: bool


class Points(NamedTuple):
    columns: tuple[str, str]
    points: tuple[Point, ...]
    left_out: tuple[str, ...]
    """What is not drawn, and why, in words."""


def picture(sweep: Sweep, columns: Sequence[str] | None) -> Picture:
    """Of the rows that fit. Raises ArchcostError where none does, and where nobody knows their numbers."""
    drawn = points(sweep, _columns(sweep, columns))
    x, y = (TITLES.get(name, name.replace("_", " ")) for name in drawn.columns)
    title = f"{sweep.network}: {y} and {x}"
    first, second = drawn.columns
    best = [point for point in drawn.points if point.is_best]
    told = "; ".join(
        f"{point.series}, batch {point.batch:,}: {_shown(first, point.x)}, {_shown(second, point.y)}"
        for point in best[:MOST_NAMED]
    )
    left_out = f" {' '.join(drawn.left_out)}" if drawn.left_out else ""
    description = f"{len(drawn.points):,} configurations, of which {len(best):,} are beaten by none: {told}.{left_out}"
    return Picture("pareto", sweep.network, title, description, partial(_draw, drawn, title))


def _columns(sweep: Sweep, columns: Sequence[str] | None) -> tuple[str, str]:
    if columns is None:
        priced = "cost" in sweep.columns and not sweep.is_unknown("cost")
        return ("samples_per_second", "cost") if priced else ("needed_bytes", "samples_per_second")
    if len(columns) != 2 or len(set(columns)) != 2:
        raise ArchcostError(
            "a plane has two axes", expected="two columns, as in needed_bytes,step_seconds", found=", ".join(columns)
        )
    known = [name for name, column in sweep.columns.items() if not column.words]
    for name in columns:
        if name not in known:
            raise ArchcostError(
                "no such column of numbers",
                expected=f"of {', '.join(known)}",
                found=name,
                hint=nearest(name, known) or ("--price" if name == "cost" else None),
            )
    return columns[0], columns[1]


def points(sweep: Sweep, columns: tuple[str, str]) -> Points:
    fits = sweep["verdict"] != "does not fit"
    if not bool(fits.any()):
        raise no_data(
            "pareto", sweep.network, "a configuration that fits", "a smaller batch, or a larger device", "archcost fit"
        )
    both = [np.asarray(sweep[name], dtype=float) for name in columns]
    is_known = ~(np.isnan(both[0]) | np.isnan(both[1]))
    if not bool((fits & is_known).any()):
        unknown = [name for name, values in zip(columns, both, strict=True) if bool(np.isnan(values[fits]).all())]
        raise no_data(
            "pareto",
            sweep.network,
            f"numbers that are known: {' and '.join(unknown or columns)}",
            "a precision that the devices have a rate for, or other columns",
        )
    shown = sweep.where(fits & is_known)
    best = _rows(shown.pareto(*columns))
    marked = {(row["series"], row["batch"]) for row in best}
    found = tuple(
        Point(row["series"], row["batch"], row[columns[0]], row[columns[1]], (row["series"], row["batch"]) in marked)
        for row in _rows(shown)
    )
    left_out: list[str] = []
    if not bool(fits.all()):
        left_out.append(f"{int((~fits).sum()):,} that do not fit are left out.")
    if not bool(is_known[fits].all()):
        whose = ", ".join(dict.fromkeys(row["series"] for row in _rows(sweep.where(fits & ~is_known))))
        left_out.append(f"Of {whose} not all numbers are known: {int((~is_known & fits).sum()):,} are left out.")
    longest = max(Counter(point.series for point in found).values())
    if longest > MOST_OF_A_SERIES:
        left_out.append(f"Of {longest:,} in a row, {MOST_OF_A_SERIES:,} are drawn.")
    return Points(columns, found, tuple(left_out))


def _rows(sweep: Sweep) -> list[dict[str, Any]]:
    """As dictionaries, with the words that differ somewhere as the series."""
    words = [
        name for name, column in sweep.columns.items() if len(column.words) > 1 and name not in ("verdict", "status")
    ]
    words = [name for name in words if name != "engine" or "hardware" not in words] or ["hardware"]
    named = list(sweep.columns)
    rows = [dict(zip(named, row, strict=True)) for row in sweep.rows()]
    return [row | {"series": ", ".join(str(row[name]) for name in words)} for row in rows]


def _shown(column: str, value: float) -> str:
    if column.endswith("_bytes"):
        return size(round(value))
    return f"{value:,.4g} {TITLES.get(column, column)}"


def _draw(drawn: Points, title: str) -> Figure:
    from archcost.pictures.style import (
        BLACK,
        BLUE,
        GREEN,
        GREY,
        ORANGE,
        PURPLE,
        SKY,
        VERMILLION,
        canvas,
        prefixed,
        told,
    )

    figure = canvas(9.2, 5.2)
    axes = figure.add_subplot()
    axes.set_title(told(title))
    markers, colours = "os^Dv<>P", (BLUE, ORANGE, GREEN, VERMILLION, SKY, PURPLE, BLACK)
    names = list(dict.fromkeys(point.series for point in drawn.points))
    x_unit, y_unit = (2**30 if name.endswith("_bytes") else 1 for name in drawn.columns)
    for index, name in enumerate(names):
        of_it = _few([point for point in drawn.points if point.series == name])
        is_shown = index < MOST_SERIES
        axes.plot(
            [point.x / x_unit for point in of_it],
            [point.y / y_unit for point in of_it],
            linewidth=0.7,
            marker=markers[index % len(markers)] if is_shown else ".",
            markersize=5,
            color=colours[index % len(colours)] if is_shown else GREY,
            label=told(name) if is_shown else None,
            gid=f"series-{name}",
        )
    best = _few(sorted((point for point in drawn.points if point.is_best), key=lambda point: point.x))
    axes.plot(
        [point.x / x_unit for point in best], [point.y / y_unit for point in best], linestyle="none", marker="o",
        markersize=11, markerfacecolor="none", markeredgecolor="black", markeredgewidth=1.1, label="beaten by none",
        gid="best",
    )  # fmt: skip
    if len(best) > 1:
        axes.plot(*_steps(drawn, best, x_unit, y_unit), color="black", linewidth=0.8, linestyle=":", gid="frontier")
    _name(axes, best, x_unit, y_unit)
    for axis, name, values in (
        (axes.xaxis, drawn.columns[0], [point.x for point in drawn.points]),
        (axes.yaxis, drawn.columns[1], [point.y for point in drawn.points]),
    ):
        if min(values) > 0 and max(values) > 8 * min(values):
            (axes.set_xscale if axis is axes.xaxis else axes.set_yscale)("log")
        axis.set_major_formatter(lambda value, _: prefixed(value))
        better = "more is better" if name in MORE_IS_BETTER else "less is better"
        unit = ", GiB" if name.endswith("_bytes") else ""
        axis.set_label_text(f"{TITLES.get(name, name.replace('_', ' '))}{unit} ({better})")
    axes.grid(True, color="#E5E5E5", linewidth=0.6)
    axes.margins(0.08)
    more = f"and {len(names) - MOST_SERIES:,} more, in grey" if len(names) > MOST_SERIES else None
    figure.legend(loc="outside right upper", alignment="left", title=more)
    if drawn.left_out:
        figure.supxlabel(told(" ".join(drawn.left_out)), fontsize=7.2, x=0.01, ha="left")
    return figure


def _few(points: Sequence[Point]) -> list[Point]:
    """Every few, with the first and the last."""
    each = -(-len(points) // MOST_OF_A_SERIES) or 1
    return [point for index, point in enumerate(points) if index % each == 0 or index == len(points) - 1]


def _steps(drawn: Points, best: Sequence[Point], x_unit: float, y_unit: float) -> tuple[list[float], list[float]]:
    """What is between two of the best is beaten by one of them: the corner lies on the worse side of both."""
    first_is_more = drawn.columns[0] in MORE_IS_BETTER
    xs, ys = [best[0].x / x_unit], [best[0].y / y_unit]
    for before, now in pairwise(best):
        corner = (before.x, now.y) if first_is_more else (now.x, before.y)
        xs += [corner[0] / x_unit, now.x / x_unit]
        ys += [corner[1] / y_unit, now.y / y_unit]
    return xs, ys


def _name(axes: Axes, best: Sequence[Point], x_unit: float, y_unit: float) -> None:
    each = max(1, -(-len(best) // MOST_NAMED))
    for point in best[::each]:
        axes.annotate(
            f"{point.batch:,}", (point.x / x_unit, point.y / y_unit), xytext=(7, -10), textcoords="offset points",
            fontsize=7.5, gid="batch",
        )  # fmt: skip
    axes.annotate(
        "numbers are batches", (1, 0), xycoords="axes fraction", xytext=(-4, 5), textcoords="offset points", ha="right",
        fontsize=7.5, color="#333333",
    )  # fmt: skip
