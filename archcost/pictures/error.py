"""Published errors beside what networks cost: top-1 and top-5 over parameters and MACs."""

# matplotlib does not say what its keywords are.
# pyright: reportUnknownMemberType=false
from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from archcost.comparison.totals import NetworkTotals, shipped
from archcost.costs import ModelCost
from archcost.errors import ArchcostError
from archcost.files.stage import tell_stage
from archcost.graph import ModelGraph, build
from archcost.pictures.picture import Picture, no_data
from archcost.spec import zoo

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIZES = ("parameters", "MACs")
ERRORS = ("top-1 error, %", "top-5 error, %")


class Errors(NamedTuple):
    """The networks that were asked for, and those that ship and answer in as many classes."""

    asked: tuple[NetworkTotals, ...]
    others: tuple[NetworkTotals, ...]
    classes: int

    @property
    def all(self) -> tuple[NetworkTotals, ...]:
        return (*self.others, *self.asked)


def picture(costs: Sequence[ModelCost]) -> Picture:
    """Raises ArchcostError for a network without a published error, and for networks of several tasks."""
    found = errors(costs)
    names = ", ".join(network.network for network in found.asked)
    title = f"{names}: published errors and costs, of networks of {found.classes:,} classes"
    each = "; ".join(
        f"{network.network}: {_percent(network)}, {network.parameters:,} parameters, {network.macs:,} MACs"
        for network in found.asked
    )
    description = f"{each}. Beside {'them' if len(found.asked) > 1 else 'it'} {len(found.others):,} networks that ship."
    return Picture("error", names, title, description, partial(_draw, found, title))


def _percent(network: NetworkTotals) -> str:
    known = (("top-1", network.top1_error), ("top-5", network.top5_error))
    return ", ".join(f"{name} error {value:g} %" for name, value in known if value is not None)


def errors(costs: Sequence[ModelCost]) -> Errors:
    asked = tuple(NetworkTotals.of(cost) for cost in costs)
    for network in asked:
        if network.top1_error is None and network.top5_error is None:
            raise no_data(
                "error",
                network.network,
                "a published error",
                "top1_error or top5_error under `published` of the spec",
                "archcost list, which has those that ship",
            )
        if network.unknown:
            raise no_data("error", network.network, "a known number of MACs", "layers that are all known")
    classes = {_classes(cost.graph): cost.network for cost in costs}
    if len(classes) > 1:
        raise ArchcostError(
            "errors of different tasks are not compared",
            expected="networks of as many classes each",
            found=", ".join(f"{name} of {number:,}" for number, name in classes.items()),
        )
    (number,) = classes
    names = {network.network for network in asked}
    return Errors(asked, tuple(_of_classes(number, names)), number)


def _classes(graph: ModelGraph) -> int:
    """How many an answer has: the last axis of what the network returns."""
    shape = graph.returned[0].shape
    return shape[-1] if len(shape) > 1 else 1


def _of_classes(number: int, without: Iterable[str]) -> Iterable[NetworkTotals]:
    for network in shipped().networks:
        if network.network in without or (network.top1_error is None and network.top5_error is None):
            continue
        tell_stage(network.network)
        if _classes(build(zoo.folder() / f"{network.network}.yaml")) == number:
            yield network


def family(name: str) -> str:
    """`vgg` of `vgg_d`, `vgg with batch norm` of `vgg_d_bn`: those that a line connects."""
    first = re.match("[a-z]+", name)
    word = first.group() if first else name
    return f"{word} with batch norm" if name.endswith("_bn") else word


def _draw(found: Errors, title: str) -> Figure:
    from archcost.pictures.style import BLACK, BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILLION, canvas, prefixed, told

    looks = [
        (colour, marker, line)
        for line in ("-", "--")
        for colour, marker in zip((BLUE, ORANGE, GREEN, VERMILLION, PURPLE, SKY, BLACK), "os^DvPX", strict=True)
    ]
    members: dict[str, list[NetworkTotals]] = {}
    for network in sorted(found.all, key=lambda network: (network.parameters, network.macs)):
        members.setdefault(family(network.network), []).append(network)
    families = {name: each for name, each in members.items() if len(each) > 1}
    single = [each[0] for each in members.values() if len(each) == 1]
    rows = [index for index in (0, 1) if any(_errors(network)[index] is not None for network in found.all)]
    figure = canvas(10.4, 0.9 + 3.5 * len(rows))
    figure.suptitle(told(title), x=0.01, ha="left", fontsize=10)
    grid = figure.subplots(len(rows), 2, squeeze=False, sharex="col", sharey="row")
    for row, error in enumerate(rows):
        for column, size in enumerate(SIZES):
            axes: Axes = grid[row][column]
            axes.set_xscale("log")
            for (name, each), (colour, marker, line) in zip(sorted(families.items()), looks, strict=False):
                _series(axes, each, column, error, colour, marker, line, name if row == column == 0 else None)
            label = "others, by name" if row == column == 0 and single else None
            _series(axes, single, column, error, "#767676", "*", "none", label)
            axes.grid(True, color="#E5E5E5", linewidth=0.6)
            axes.margins(0.1)
            axes.xaxis.set_major_formatter(lambda size, _: prefixed(size))
            axes.xaxis.set_minor_formatter("")
            if row == len(rows) - 1:
                axes.set_xlabel(size if column == 0 else f"{size} of one sample")
            if column == 0:
                axes.set_ylabel(ERRORS[error])
    for row, error in enumerate(rows):  # once all marks are there, and with them the ends of the axes
        for column in range(len(SIZES)):
            axes = grid[row][column]
            axes.viewLim.frozen()  # which works them out
            taken: list[Area] = []
            for network in (*found.asked, *(network for network in single if network not in found.asked)):
                _named(axes, network, column, error, network in found.asked, taken)
    figure.legend(loc="outside right upper", alignment="left", title="families, by size")
    note = "Errors are as published, each by its own protocol of crops and scales, and are data: no cost makes them."
    figure.supxlabel(note, fontsize=7.2, x=0.01, ha="left")
    return figure


def _errors(network: NetworkTotals) -> tuple[float | None, float | None]:
    return network.top1_error, network.top5_error


def _at(network: NetworkTotals, column: int) -> int:
    return (network.parameters, network.macs)[column]


def _series(
    axes: Axes,
    networks: Sequence[NetworkTotals],
    column: int,
    error: int,
    colour: str,
    marker: str,
    line: str,
    label: str | None,
) -> None:
    pairs = [(_at(network, column), value) for network in networks if (value := _errors(network)[error]) is not None]
    if pairs:
        pairs.sort()
        axes.plot(
            [size for size, _ in pairs], [value for _, value in pairs], color=colour, label=label, marker=marker,
            linestyle=line, linewidth=1.0, markersize=5.5, markeredgecolor="black", markeredgewidth=0.4,
            gid=f"{family(networks[0].network) if line != 'none' else 'others'}-{column}-{error}",
        )  # fmt: skip


Area = tuple[float, float, float, float]
"""Left, lower, right and upper edge, in shares of the axes."""

BESIDE = (("left", 5, "bottom", 4), ("left", 5, "top", -4), ("right", -5, "bottom", 4), ("right", -5, "top", -4))


def _named(axes: Axes, network: NetworkTotals, column: int, error: int, is_asked: bool, taken: list[Area]) -> None:
    """The name where there is room beside the mark; without any, only that of one that was asked for."""
    from archcost.pictures.style import told

    value = _errors(network)[error]
    if value is None:
        return
    if is_asked:
        axes.plot(
            [_at(network, column)], [value], marker="o", markersize=11, markerfacecolor="none", markeredgecolor="black",
            markeredgewidth=1.3, linestyle="none", gid=f"asked-{network.network}-{column}-{error}",
        )  # fmt: skip
    x, y = axes.transAxes.inverted().transform(axes.transData.transform((_at(network, column), value)))
    width, height = (0.019 if is_asked else 0.0135) * len(network.network), 0.04
    for place in BESIDE:
        across, _, along, _ = place
        left = x + 0.01 if across == "left" else x - 0.01 - width
        low = y + 0.01 if along == "bottom" else y - 0.01 - height
        area = (left, low, left + width, low + height)
        if not any(area[0] < b[2] and b[0] < area[2] and area[1] < b[3] and b[1] < area[3] for b in taken):
            break
    else:
        if not is_asked:
            return
        place = BESIDE[0]
        area = (x, y, x + width, y + height)
    taken.append(area)
    across, right, along, up = place
    axes.annotate(
        told(network.network), (_at(network, column), value), xytext=(right, up), textcoords="offset points", ha=across,
        va=along, fontsize=8 if is_asked else 6.2, fontweight="bold" if is_asked else "normal", zorder=6,
        color="black" if is_asked else "#444444", gid=f"name-{network.network}-{column}-{error}",
    )  # fmt: skip
