"""The memory of one step: its moments as bars, its roles, and what is alive at the peak."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from archcost.costs.events import Phase
from archcost.costs.phases import by_phase
from archcost.costs.program import ROLES, Role
from archcost.costs.timeline import Alive, Moment, Timeline
from archcost.errors import listing
from archcost.files.result import Result
from archcost.graph import ModelGraph
from archcost.report import off_card
from archcost.report.area_chart import area_chart
from archcost.report.document import Cell, Column, Document, Drawing, Table, about, one_line
from archcost.report.settings import settings
from archcost.report.summary import assumption_notes, shapes
from archcost.units import binary_unit, count, lower_bound, size

MOST_ROWS = 40
"""Moments are folded until there are no more, where nobody asks for a depth."""

MOST_TENSORS = 12
BAR = 32

STACKED: tuple[tuple[str, str, tuple[Role, ...]], ...] = (
    ("█", "weights, gradients, optimizer state, buffers", ("weights", "gradients", "optimizer_state", "buffers")),
    ("▒", "inputs and activations", ("inputs", "activations")),
    ("░", "temporaries", ("temporaries",)),
)
"""Characters of a bar, what they mean, and the roles that they stand for."""

_KEY = "; ".join(f"{character} {meaning}" for character, meaning, _ in STACKED) + "."


@dataclass(frozen=True, slots=True, repr=False)
class FoldedTimeline(Result):
    """A timeline whose moments go no deeper than `depth` names; None shows every one, or as many as a screen takes."""

    line: Timeline
    depth: int | None

    @property
    def headline(self) -> str:
        return self.line.headline

    @property
    def moments(self) -> tuple[Moment, ...]:
        return self.line.moments if self.depth is None else folded(self.line.moments, self.depth)

    def to_dict(self) -> dict[str, Any]:
        return {**self.line.to_dict(), "moments": [moment.to_dict() for moment in self.moments]}


def folded(moments: Sequence[Moment], depth: int) -> tuple[Moment, ...]:
    """Neighbours under one name as the highest of them; copies in another dtype with their layer.

    What is computed again goes with the backward that needs it.
    """

    def under(moment: Moment) -> tuple[Phase, str]:
        phase = "backward" if moment.phase == "recompute" else moment.phase
        return phase, ".".join(moment.name.partition(" (")[0].split(".")[:depth])

    return tuple(_highest(list(group), *key) for key, group in groupby(moments, under))


def _highest(moments: Sequence[Moment], phase: Phase, name: str) -> Moment:
    same = len({moment.phase for moment in moments}) == 1
    highest = max(moments, key=lambda moment: moment.peak)
    return highest._replace(phase=highest.phase if same else phase, name=name)


def document(result: Timeline | FoldedTimeline) -> Document:
    shown = result if isinstance(result, FoldedTimeline) else FoldedTimeline(result, None)
    line = shown.line
    least = "at least " if line.graph.unknown else ""
    peak = f"The peak is {least}{size(line.peak)} ({count(line.peak)} B), at {line.highest}."
    parts = (
        peak,
        *bound_notes(line.graph),
        Drawing(area_chart(line), (_bars(_for_a_screen(shown), line.peak), _KEY)),
        roles_by_phase(line),
        "Alive at the peak, the largest first:",
        alive_table(line.alive, MOST_TENSORS),
        *_recomputed(line),
        *(off_card.parts(line.offloaded) if line.offloaded is not None else ()),
    )
    where = f"on {line.device}, torch {line.run.torch}"
    title = f"{line.graph.name}, batch {count(line.graph.batch)}, {where}: {settings(line)}"
    return Document(one_line(title), parts, about(_data(shown.moments), network=line.graph.name))


def bound_notes(graph: ModelGraph) -> tuple[str, ...]:
    """That the bytes are a lower bound, and what they rest on, where there is such a thing."""
    unknown = graph.unknown
    lower = (f"A lower bound: what is made and dropped in {listing(unknown, 3)} meanwhile is not known.",)
    return (*(lower if unknown else ()), *assumption_notes(graph))


def _for_a_screen(shown: FoldedTimeline) -> tuple[Moment, ...]:
    moments = shown.moments
    if shown.depth is not None:
        return moments
    deepest = max(moment.name.count(".") for moment in moments)
    for depth in range(deepest + 1, 0, -1):
        moments = folded(shown.line.moments, depth)
        if len(moments) <= MOST_ROWS:
            break
    return moments


def _bars(moments: Sequence[Moment], peak: int) -> Table:
    unit = binary_unit(peak)
    first = next(index for index, moment in enumerate(moments) if moment.peak == peak)
    rows = tuple(
        (moment.phase, moment.name, size(moment.peak, unit), _bar(moment, peak) + (" peak" if index == first else ""))
        for index, moment in enumerate(moments)
    )
    return Table((Column("phase"), Column("at"), Column("at most", "right"), Column("")), rows)


def _bar(moment: Moment, peak: int) -> str:
    """A bar as long as the bytes of a moment, in parts by role."""
    roles = moment.by_role
    bar, live = "", 0
    for character, _, members in STACKED:
        live += sum(roles[role] for role in members)
        bar += character * (round(BAR * live / max(peak, 1)) - len(bar))
    return bar


def roles_by_phase(line: Timeline) -> Table:
    """The bytes by role at the peak of each phase."""
    phases = by_phase(line)
    columns = [
        Column(f"{phase.name}, the peak" if phase.peak == line.peak else phase.name, "right") for phase in phases
    ]
    held: list[Role] = [role for role in ROLES if any(phase.roles[role] for phase in phases)]
    rows = tuple((role.replace("_", " "), *(phase.roles[role] for phase in phases)) for role in held)
    return Table((Column("bytes at the peak of"), *columns), rows, ("together", *(phase.peak for phase in phases)))


def alive_table(alive: Sequence[Alive], most: int) -> Table:
    """The largest one by one, the others summed by role."""
    columns = (Column("bytes", "right"), Column("tensor"), Column("shape"), Column("why it is there"))
    total = (sum(each.held.nbytes for each in alive), f"all {count(len(alive))}", None, None)
    return Table(columns, (*map(alive_row, alive[:most]), *_others(alive[most:])), total)


def alive_row(alive: Alive) -> tuple[Cell, ...]:
    held = alive.held
    shape = shapes((held.tensor.shape,)) if held.tensor.shape else "scalar"
    dtype = "" if held.tensor.dtype == "float32" else f" {held.tensor.dtype}"
    return held.nbytes, f"{held.owner} {held.what}", f"{shape}{dtype}", alive.why


def _others(alive: Iterable[Alive]) -> list[tuple[Cell, ...]]:
    nbytes: Counter[Role] = Counter()
    number: Counter[Role] = Counter()
    for each in alive:
        nbytes[each.held.role] += each.held.nbytes
        number[each.held.role] += 1
    return [
        (nbytes[role], f"and {count(number[role])} more: {role.replace('_', ' ')}", size(nbytes[role]), None)
        for role in sorted(number, key=lambda role: -nbytes[role])
    ]


def _recomputed(line: Timeline) -> tuple[str, ...]:
    if not line.segments:
        return ()
    return (f"Computed a second time in backward: {recomputed_flops(line)} FLOPs.",)


def recomputed_flops(line: Timeline) -> str:
    """A lower bound where the operations of some layer are not known."""
    return (lower_bound if line.graph.unknown else count)(line.recomputed_flops)


def _data(moments: Sequence[Moment]) -> Table:
    rows = tuple((moment.phase, moment.name, moment.peak, *moment.roles) for moment in moments)
    return Table(tuple(map(Column, ("phase", "name", "peak_bytes", *ROLES))), rows)
