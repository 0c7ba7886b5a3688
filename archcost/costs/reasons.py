"""Why a storage is alive at a moment, in a few words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from archcost.costs.checkpoint_segments import Segment
from archcost.costs.events import Mark
from archcost.costs.program import Held, Program

MOST_NAMED = 2

STAYS = {
    "weights": "a weight",
    "buffers": "a buffer",
    "inputs": "held by the caller",
    "kv_cache": "kept for the next token",
    "gradients": "kept for the optimizer",
    "optimizer_state": "kept from step to step",
}


class Uses(NamedTuple):
    """The users of each storage: operations, by number, that save it, read it, or hold it for recomputation."""

    keepers: dict[int, list[int]]
    keepers_again: dict[int, list[int]]
    """Those that are computed again, and keep what is made then."""
    readers: dict[int, list[int]]
    checkpoints: dict[int, list[int]]
    """The first operation of each."""
    named: dict[int, int]
    """The operation until which something names it."""

    @classmethod
    def of(cls, program: Program, segments: Sequence[Segment]) -> Uses:
        uses = cls({}, {}, {}, {}, {})
        inside = {index for segment in segments for index in range(segment.first, segment.end)}
        for index, op in enumerate(program.ops):
            keepers = uses.keepers_again if index in inside else uses.keepers
            for storage in dict.fromkeys(op.saved):
                keepers.setdefault(storage, []).append(index)
            for storage in dict.fromkeys(op.reads):
                uses.readers.setdefault(storage, []).append(index)
            uses.named.update(dict.fromkeys(op.ends, index))
        for segment in segments:
            for storage in segment.takes:
                uses.checkpoints.setdefault(storage, []).append(segment.first)
        return uses


def why(program: Program, uses: Uses, held: Held, storage: int, again: bool, mark: Mark) -> str:
    """Why a storage is alive at a mark; of a storage that was recomputed, `again` is the first one."""
    if held.role in STAYS:
        return STAYS[held.role]
    if held.role == "temporaries":
        return _passing(held, mark)
    now = len(program.ops) if mark.op is None else mark.op
    under_way = mark.phase in ("forward", "recompute", "backward") or mark.op is not None
    keepers = _until(now, (uses.keepers_again if again else uses.keepers).get(storage, ()))
    if keepers and under_way:
        return f"saved by {_some(program, keepers)} for {'its' if len(keepers) == 1 else 'their'} backward"
    checkpoints = _until(now, uses.checkpoints.get(storage, ()))
    if checkpoints and under_way and not again:
        return f"held by the checkpoint that begins at {_some(program, checkpoints)}"
    readers = [index for index in uses.readers.get(storage, ()) if index > now]
    if readers and mark.phase == "forward":
        return f"read by {_some(program, readers)}"
    if storage in program.cached:
        return "in autocast's cache until forward ends"
    if storage in program.returned:
        return "returned, and held by the caller"
    if any(storage in storages for storages in program.state.values()):
        return "kept by the module from step to step"
    if mark.phase == "forward" and uses.named.get(storage, -1) > now:
        return f"named in forward until {program.ops[uses.named[storage]].name}"
    return f"in use by {mark.name}"


def _until(now: int, numbers: Iterable[int]) -> list[int]:
    return [index for index in numbers if index <= now]


def _passing(held: Held, mark: Mark) -> str:
    if held.what == "gradient":
        return f"gradient of {held.owner}'s output"
    return f"in use by {mark.name or 'the optimizer'}"


def _some(program: Program, numbers: Sequence[int]) -> str:
    """`a, b and 3 more`."""
    names = [program.ops[index].name for index in numbers[:MOST_NAMED]]
    if len(numbers) <= MOST_NAMED:
        return " and ".join(names)
    return f"{', '.join(names)} and {len(numbers) - MOST_NAMED} more"
