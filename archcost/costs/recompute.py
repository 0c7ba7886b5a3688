"""Layers that are computed again in backward as operations of a program: the segments that torch would run."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from archcost.costs.checkpoint_segments import Segment
from archcost.costs.program import Op, Program
from archcost.errors import ArchcostError
from archcost.graph.checkpoints import ModuleCheckpoint
from archcost.passes.contract import Names
from archcost.passes.recompute import instead, overwrites


def layer_of(op: Op) -> str:
    """The layer that an operation belongs to: its own, or the one that autocast's copy is made for."""
    return op.node.name.partition(" (")[0]


def own_checkpoints(program: Program, checkpoints: Sequence[ModuleCheckpoint]) -> tuple[Segment, ...]:
    """The module's own checkpoints as segments. Raises ArchcostError where layers of one do not follow one another."""
    pairs = [(located(program, (each.names,), chosen=False), each.reentrant) for each in checkpoints]
    return tuple([segment._replace(reentrant=reentrant) for found, reentrant in pairs for segment in found])


def located(program: Program, runs: Sequence[Names], chosen: bool = True) -> tuple[Segment, ...]:
    """Names → operations; a cast that does nothing in this precision is none.

    Raises ArchcostError when layers do not follow one another; of those that are `chosen` here, and not by the module,
    also when they overwrite what is held.
    """
    if not runs:
        return ()
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    for index, op in enumerate(program.ops):
        first.setdefault(layer_of(op), index)
        last[layer_of(op)] = index
    made = {storage: index for index, op in enumerate(program.ops) for storage in op.makes}
    segments: list[Segment] = []
    for wanted in runs:
        names = tuple([name for name in wanted if name in first])
        if not names:
            continue
        start, end = first[names[0]], last[names[-1]] + 1
        inside = {layer_of(op) for op in program.ops[start:end]}
        if inside != set(names):
            raise ArchcostError(
                "layers recomputed together follow one another",
                expected=f"only layers of {names[0]} to {names[-1]}",
                found=", ".join(sorted(inside - set(names))[:3]),
            )
        reads = dict.fromkeys(s for op in program.ops[start:end] for s in op.reads if made.get(s, -1) < start)
        for op in program.ops[start:end] if chosen else ():
            if overwrites(op.node) and op.outputs[0] in reads:
                maker = program.storages[op.outputs[0]].owner
                raise ArchcostError(
                    f"{op.name} overwrites what its checkpoint would hold",
                    expected=f"the layer that makes its input recomputed with it ({maker})",
                    found=f"a segment that begins at {names[0]}",
                )
        if chosen and any(op.saved for op in program.ops[start:end]):
            _refuse_spoiled(program, end, reads)
        segments.append(Segment(start, end, tuple(reads)))
    return tuple(segments)


def _refuse_spoiled(program: Program, end: int, reads: Collection[int]) -> None:
    """Torch refuses to compute a checkpoint again when a layer behind it has overwritten what it holds."""
    for op in program.ops[end:]:
        if overwrites(op.node) and op.outputs[0] in reads:
            raise ArchcostError(
                f"{op.name} overwrites what a checkpoint before it holds",
                expected="a checkpoint that holds only what stays as it is",
                found=f"one that holds what {program.storages[op.outputs[0]].owner} makes",
                hint=instead(op.node),
            )
