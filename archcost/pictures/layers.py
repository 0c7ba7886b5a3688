"""What each layer costs, as bars beside each other: parameters, MACs, memory at the peak, time."""

# matplotlib does not say what its keywords are.
# pyright: reportUnknownMemberType=false
from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from archcost.costs import ModelCost
from archcost.costs.program import Role
from archcost.costs.timeline import Timeline
from archcost.pictures.picture import Picture, no_data
from archcost.report.grouping import NO_LAYER, Folded
from archcost.report.settings import settings
from archcost.units import UNITS, count, duration, lower_bound, size

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from archcost.estimates import Estimate

MOST_ROWS = 32
"""More are folded by their dotted names, and of what is left the largest stay."""

KINDS_OF_MEMORY: Mapping[str, tuple[Role, ...]] = {
    "weights, gradients, state, buffers": ("weights", "gradients", "optimizer_state", "buffers"),
    "activations, inputs": ("activations", "inputs", "kv_cache"),
    "temporaries": ("temporaries",),
}

LEAST = 0.005
"""The share below which a bar is no wider than its edge: such layers are drawn together."""


@dataclass(frozen=True, slots=True)
class Row:
    """A layer or several under one name. Seconds are None where nothing is timed."""

    name: str
    parameters: int
    macs: int | None
    memory: tuple[int, ...]
    """Bytes alive at the peak, in the order of KINDS_OF_MEMORY."""
    forward: float | None = None
    backward: float | None = None

    @property
    def amounts(self) -> tuple[float, ...]:
        return (self.parameters, self.macs or 0, sum(self.memory), (self.forward or 0.0) + (self.backward or 0.0))


class Layers(NamedTuple):
    """The rows that are drawn, and what they come to with those that are not."""

    rows: tuple[Row, ...]
    left_out: int
    """Layers that cost nothing of all this."""
    parameters: int
    macs: str
    peak: int
    seconds: str | None


def picture(cost: ModelCost, line: Timeline, estimate: Estimate | None, depth: int | None) -> Picture:
    """Raises ArchcostError where nothing costs anything."""
    drawn = layers(cost, line, estimate, depth)
    if not drawn.rows:
        raise no_data("layers", cost.network, "a layer that costs something", "parameters, MACs or memory")
    title = f"{cost.network}, batch {cost.batch:,}: where the cost is"
    sums = [f"{count(drawn.parameters)} parameters", f"{drawn.macs} MACs", f"a peak of {size(drawn.peak)}"]
    if drawn.seconds is not None and estimate is not None:
        sums.append(f"{drawn.seconds} a step on {estimate.hardware.name}")
    largest = [
        f"{max(drawn.rows, key=lambda row: row.amounts[index]).name} has the most {what}"
        for index, what in enumerate(("parameters", "MACs", "memory", "time")[: len(sums)])
        if any(row.amounts[index] for row in drawn.rows)
    ]
    description = f"{', '.join(sums)}, by layer. {'; '.join(largest)}. Memory and time are those of {settings(line)}."
    return Picture("layers", cost.network, title, description, partial(_draw, drawn, cost, line, estimate, title))


def layers(cost: ModelCost, line: Timeline, estimate: Estimate | None, depth: int | None) -> Layers:
    """Without a depth the deepest at which the rows can be read."""
    found = _at_depth(cost, line, estimate, depth)
    if depth is None:
        deepest = max(layer.name.count(".") for layer in cost.layers) + 1
        for shallower in range(deepest, 0, -1):
            if sum(share >= LEAST for share in _shares(found)) <= MOST_ROWS:
                break
            found = _at_depth(cost, line, estimate, shallower)
    rows = [row for row in found if any(row.amounts) or row.macs is None]
    macs = lower_bound(cost.macs) if cost.unknown else count(cost.macs)
    seconds = duration(estimate.time.typical) if estimate is not None and estimate.time is not None else None
    return Layers(_largest(rows), len(found) - len(rows), cost.parameters, macs, line.peak, seconds)


def _at_depth(cost: ModelCost, line: Timeline, estimate: Estimate | None, depth: int | None) -> list[Row]:
    folded = Folded(cost, depth, estimate)
    groups = folded.groups
    place = {layer.name: group.name for group in groups for layer in group.layers}
    memory = _memory(line, place)
    seconds = folded.seconds
    rows: list[Row] = []
    for group in groups:
        time = seconds.get(group.name)
        macs = None if group.has_unknown and not group.is_folded else group.macs
        spent = (time.forward, time.backward) if time is not None else ()
        rows.append(Row(group.name, group.parameters, macs, memory.pop(group.name, NOTHING), *spent))
    for name, held in memory.items():  # inputs, the loss, what the optimizer makes and drops
        rows.append(Row(name, 0, 0, held))
    if NO_LAYER in seconds:
        beside = seconds[NO_LAYER]
        rows.append(Row("(beside the layers)", 0, 0, NOTHING, beside.forward, beside.backward))
    return rows


NOTHING = (0,) * len(KINDS_OF_MEMORY)


def _memory(line: Timeline, place: Mapping[str, str]) -> dict[str, tuple[int, ...]]:
    """Bytes alive at the peak, by the row of their owner. What a copy in another dtype owns is its layer's."""
    column = {role: index for index, roles in enumerate(KINDS_OF_MEMORY.values()) for role in roles}
    held: dict[str, list[int]] = defaultdict(lambda: [0] * len(KINDS_OF_MEMORY))
    for alive in line.alive:
        owner = alive.held.owner
        layer = owner if owner in place else owner.partition(" (")[0]
        held[place.get(layer, f"({owner.strip('()')})")][column[alive.held.role]] += alive.held.nbytes
    return {name: tuple(each) for name, each in held.items()}


def _shares(rows: Sequence[Row]) -> list[float]:
    """The largest share that each row has of anything; all of what is not known."""
    wholes = [sum(column) or 1 for column in zip(*(row.amounts for row in rows), strict=True)]
    return [
        1.0 if row.macs is None else max(amount / whole for amount, whole in zip(row.amounts, wholes, strict=True))
        for row in rows
    ]


def _largest(rows: Sequence[Row]) -> tuple[Row, ...]:
    """Those that can be seen, and as many as can be read, with the sum of the others."""
    shares = _shares(rows)
    ranked = sorted(range(len(rows)), key=lambda index: -shares[index])
    kept = {index for index in ranked[:MOST_ROWS] if shares[index] >= LEAST}
    others = [row for index, row in enumerate(rows) if index not in kept]
    if len(others) < 2:
        return tuple(rows)
    forward = [row.forward for row in others if row.forward is not None]
    backward = [row.backward for row in others if row.backward is not None]
    rest = Row(
        f"(all others, {len(others):,})",
        sum(row.parameters for row in others),
        sum(row.macs or 0 for row in others),
        tuple(map(sum, zip(*(row.memory for row in others), strict=True))),
        sum(forward) if forward else None,
        sum(backward) if backward else None,
    )
    return (*(rows[index] for index in sorted(kept)), rest)


def _draw(drawn: Layers, cost: ModelCost, line: Timeline, estimate: Estimate | None, title: str) -> Figure:
    from archcost.pictures.style import BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILLION, canvas, shortened, told

    rows = drawn.rows
    panels = 3 if drawn.seconds is None else 4
    figure = canvas(2.4 + 2.6 * panels, 1.2 + 0.22 * max(len(rows), 5))
    figure.suptitle(told(title), x=0.01, ha="left", fontsize=10)
    all_axes: Sequence[Axes] = figure.subplots(1, panels, sharey=True)
    positions = [-index for index in range(len(rows))]
    unit = next(unit for unit in ("GiB", "MiB", "KiB", "B") if max(sum(row.memory) for row in rows) >= UNITS["B"][unit])
    scale = float(UNITS["B"][unit])
    _bars(
        all_axes[0],
        positions,
        [[float(row.parameters) for row in rows]],
        [BLUE],
        f"parameters\n{count(drawn.parameters)}",
    )
    _bars(all_axes[1], positions, [[float(row.macs or 0) for row in rows]], [GREEN], f"MACs\n{drawn.macs}")
    for position, row in zip(positions, rows, strict=True):
        if row.macs is None:
            all_axes[1].text(0, position, " ?", va="center", fontsize=7.5)
    memory = [[row.memory[kind] / scale for row in rows] for kind in range(len(KINDS_OF_MEMORY))]
    named = f"memory at the peak, {unit}\n{size(line.peak)}"
    _bars(all_axes[2], positions, memory, [BLUE, ORANGE, VERMILLION], named, tuple(KINDS_OF_MEMORY))
    if drawn.seconds is not None and estimate is not None:
        halves = [[(row.forward or 0.0) * 1e3 for row in rows], [(row.backward or 0.0) * 1e3 for row in rows]]
        where = f"time on {told(estimate.hardware.name)}, ms\n{drawn.seconds}"
        _bars(all_axes[3], positions, halves, [SKY, PURPLE], where, ("forward", "backward"))
    all_axes[0].set_yticks(positions, [told(shortened(row.name, 34)) for row in rows], fontsize=7.5)
    all_axes[0].set_ylim(positions[-1] - 0.7, 0.7)
    notes = [f"memory{' and time' if panels == 4 else ''}: {settings(line)}"]
    if estimate is not None and estimate.time is None:
        notes.append(f"no time: {'; '.join(estimate.time_notes)}")
    if drawn.left_out:
        notes.append(f"{drawn.left_out:,} that cost nothing of this are left out")
    figure.supxlabel(told("; ".join(notes)), fontsize=7.5, x=0.01, ha="left")
    return figure


PATTERNS = ("", "////", "xxxx")


def _bars(
    axes: Axes,
    positions: Sequence[int],
    columns: Sequence[Sequence[float]],
    colours: Sequence[str],
    title: str,
    names: Sequence[str] = (),
) -> None:
    """Bars in parts, and behind each its share of all that are drawn."""
    from archcost.pictures.style import prefixed

    axes.set_title(title, fontsize=8.5)
    left = [0.0] * len(positions)
    for index, (column, colour) in enumerate(zip(columns, colours, strict=True)):
        if not any(column):
            continue
        axes.barh(
            positions, column, left=left, height=0.74, color=colour, edgecolor="black", linewidth=0.3,
            hatch=PATTERNS[index], label=names[index] if names else None,
        )  # fmt: skip
        left = [before + now for before, now in zip(left, column, strict=True)]
    whole = sum(left)
    for position, length in zip(positions, left, strict=True):
        if whole and length / whole >= 0.005:
            axes.text(length, position, f" {length / whole:.0%}", va="center", fontsize=7, color="#333333")
    axes.set_xlim(0, max([*left, 0]) * 1.16 or 1)
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", labelsize=7)
    axes.locator_params(axis="x", nbins=4)
    axes.xaxis.set_major_formatter(lambda amount, _: prefixed(amount))
    if names and any(map(any, columns)):
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.5 / max(len(positions), 5) * 2), fontsize=7, ncols=1)
