"""Why a storage is alive at a moment, in a few words."""

from __future__ import annotations

from archcost.costs.play import Mark
from archcost.costs.program import Held, Program

MOST_NAMED = 2

STAYS = {
    "weights": "a weight",
    "buffers": "a buffer",
    "inputs": "held by the caller",
    "gradients": "kept for the optimizer",
    "optimizer_state": "kept from step to step",
}


def why(program: Program, held: Held, storage: int, mark: Mark) -> str:
    """Of the storage of that number (of the first, where it was computed again)."""
    if held.role in STAYS:
        return STAYS[held.role]
    if held.role == "temporaries":
        return _passing(held, mark)
    now = len(program.ops) if mark.op is None else mark.op
    keepers = [op.name for index, op in enumerate(program.ops) if index <= now and storage in op.saved]
    if keepers and mark.phase in ("forward", "recompute", "backward"):
        return f"saved by {_some(keepers)} for {'its' if len(keepers) == 1 else 'their'} backward"
    readers = [op.name for index, op in enumerate(program.ops) if index > now and storage in op.reads]
    if readers and mark.phase == "forward":
        return f"read by {_some(readers)}"
    if storage in program.cached:
        return "in autocast's cache until forward ends"
    if storage in program.returned:
        return "returned, and held by the caller"
    return f"in use by {mark.name}"


def _passing(held: Held, mark: Mark) -> str:
    if held.what == "gradient":
        return f"gradient of {held.owner}'s output"
    return f"in use by {mark.name or 'the optimizer'}"


def _some(names: list[str]) -> str:
    """`a, b and 3 more`."""
    if len(names) <= MOST_NAMED:
        return " and ".join(names)
    return f"{', '.join(names[:MOST_NAMED])} and {len(names) - MOST_NAMED} more"
