"""What a second run of a module tells of the first: lifetimes, dtypes, what stays, and whether it is the same."""

from __future__ import annotations

import contextlib
import gc
import io
import random
import sys
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor

from archcost.errors import first_line, line_of
from archcost.importers import unintercepted_calls
from archcost.importers.autocast_regions import Regions
from archcost.importers.function_mode import CASTS
from archcost.importers.lifetimes import DivergedError, Watch
from archcost.importers.recorded import Entered, Entry, Observed, Ref
from archcost.importers.trace import Step, Trace
from archcost.layers import LAYERS
from archcost.layers.shape.copy import LIKE, WEIGHTS

HIGH = {"torch": 155, "random": 153, "numpy": 319}
"""Seeds whose first number between 0 and 1 is above 0.99. A layer dropped at random is kept then, as a rule."""

LOW = {"torch": 3, "random": 139, "numpy": 106}
"""Seeds whose first number is below 0.01, so that whoever drops layers at random goes another way."""


class Running(NamedTuple):
    """A module that can be run: its weights with what stands for them, and what calls it. `owned` are afterwards the
    tensors that stand where a parameter or buffer stood.
    """

    originals: Mapping[int, Tensor]
    call: Callable[[], Any]
    owned: Callable[[], Collection[Tensor]]


OTHER_CALLS = "forward makes other calls in bfloat16 than in float32, of which the numbers are"
UNDER_AUTOCAST = "forward makes other calls where it finds autocast on; the numbers are of those without"
KEEPS_MORE = "the module keeps tensors of every step; the numbers are of one that keeps those of the step before"

Run = Callable[[torch.dtype], contextlib.AbstractContextManager[Running]]
"""A way to run the module in a dtype."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A run that was watched; what is still there when what it returned has gone; by step the region of the module's
    own autocast, where the module asked whether there is one outside.
    """

    watch: Watch
    state: Mapping[Ref, int | None]
    """Until which step of the next run; None where it is there even then."""
    regions: Mapping[int, Entered | None] | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """`seen` is None where nothing could be seen; `assumptions` say why numbers may differ from run to run."""

    seen: Seen | None
    in_bfloat16: bool = True
    assumptions: tuple[str, ...] = ()
    went_another_way_in_bfloat16: bool = False


BOTH = (torch.bfloat16, torch.float32)


def watched(run: Run, trace: Trace, asks_for_autocast: bool, dtypes: Sequence[torch.dtype] = BOTH) -> Told:
    """In bfloat16 where the module takes it, else in float32, which tells lifetimes and no dtypes.

    Where the first run had to do with no dtype, there is none to tell.
    """
    if not trace.has_to_do_with_dtypes and not asks_for_autocast:
        dtypes = (torch.float32,)
    problems: dict[tuple[torch.dtype, bool], BaseException] = {}
    for dtype in dtypes:
        for answer in (True, False) if asks_for_autocast else (False,):
            try:
                seen = _seen(run, trace, dtype, answer)
            except (Exception, DivergedError) as problem:
                problems[dtype, answer] = problem
                continue
            other = isinstance(problems.get((torch.bfloat16, False)), DivergedError)
            under_autocast = isinstance(problems.get((dtype, True)), DivergedError)
            said = [text for text, holds in ((OTHER_CALLS, other), (UNDER_AUTOCAST, under_autocast)) if holds]
            return Told(seen, dtype == torch.bfloat16, tuple(said), other)
    return Told(None, False, (_differs(problems[dtypes[-1], False]),))


def only_casts_more(one: Trace, other: Trace) -> bool:
    """Whether the other run makes the same calls, and more casts beside them."""
    calls = [[step.name for step in trace.steps if step.name not in CASTS] for trace in (one, other)]
    return calls[0] == calls[1] and len(other.steps) > len(one.steps)


def _differs(problem: BaseException) -> str:
    if isinstance(problem, DivergedError):
        return "forward went another way when it was run again; the numbers are those of its first run"
    place = line_of(problem) if isinstance(problem, Exception) else None
    at = f" at {place}" if place else ""
    found = f"{type(problem).__name__}: {first_line(problem)}{at}"
    return f"forward fails when it is run again ({found}); the numbers are those of its first run"


def _seen(run: Run, trace: Trace, dtype: torch.dtype, answer: bool) -> Seen:
    regions = Regions(answer)
    with run(dtype) as running, seeded(LOW), printing_nothing():
        watch = Watch(trace, running.originals, regions)
        with _watching(watch, regions):
            result = running.call()
        if not watch.finished():
            raise DivergedError
        del result
        if watch.living:
            gc.collect()
        left = watch.left(running.owned())
        state = _replaced(running, trace, left) if left else {}
    return Seen(watch, state, watch.regions if answer else None)


def _replaced(running: Running, trace: Trace, left: Mapping[Ref, Any]) -> dict[Ref, int | None]:
    """When what is left goes, while the module runs once more as it is now."""
    regions = Regions()
    watch = Watch(trace, running.originals, regions)
    watch.wait_for(left)
    with _watching(watch, regions):
        running.call()
    return {ref: watch.replaced.get(ref) for ref in left}


@contextmanager
def _watching(watch: Watch, regions: Regions) -> Generator[None]:
    """Every call of the module comes by, as in the first run."""
    with regions.heard(), unintercepted_calls.heard(), watch, without_collections():
        yield


@contextmanager
def without_collections() -> Generator[None]:
    """Without Python's garbage collector, so that a tensor goes at the moment when its last reference goes."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def printing_nothing() -> contextlib.AbstractContextManager[object]:
    """For runs after the first: what forward prints is shown once."""
    return contextlib.redirect_stdout(io.StringIO())


@contextmanager
def seeded(seeds: Mapping[str, int]) -> Generator[None]:
    """Random numbers of the host from these seeds on; afterwards every generator goes on where it was."""
    numpy: Any = sys.modules.get("numpy")
    before = torch.get_rng_state(), random.getstate(), numpy.random.get_state() if numpy else None
    try:
        torch.manual_seed(seeds["torch"])  # pyright: ignore[reportUnknownMemberType]
        random.seed(seeds["random"])
        if numpy:
            numpy.random.seed(seeds["numpy"])
        yield
    finally:
        torch.set_rng_state(before[0])
        random.setstate(before[1])
        if numpy:
            numpy.random.set_state(before[2])


def observations(entries: list[Entry], told: Told, steps: Sequence[Step], returned: Collection[Ref]) -> Observed:
    """What the second run told, of entries that are settled by it."""
    settle(entries, told, steps)
    seen = told.seen
    if seen is None:
        return Observed(assumptions=told.assumptions)
    for number, region in (seen.regions or {}).items():
        for index in range(steps[number].first, steps[number].end):
            entries[index] = replace(entries[index], region=region)
    state = {ref: len(entries) - 1 if step is None else steps[step].end - 1 for ref, step in seen.state.items()}
    grows = any(step is None for step in seen.state.values())
    assumptions = (*told.assumptions, KEEPS_MORE) if grows else told.assumptions
    return Observed(holds(entries, seen, steps, returned), state, assumptions)


def holds(
    entries: Sequence[Entry], seen: Seen, steps: Sequence[Step], returned: Collection[Ref]
) -> dict[int, list[Ref]]:
    """By entry what it does not read, and what something names until it is done."""
    last: dict[Ref, int] = {}
    for index, entry in enumerate(entries):
        asked = entry.layer.asked
        for place, ref in enumerate(entry.reads):
            if place not in asked:
                last[ref] = index
        last.update(dict.fromkeys(entry.weights.values(), index))
    held: dict[int, list[Ref]] = {}
    stays = {*returned, *seen.state}
    for ref, step in seen.watch.gone:
        until = steps[step].end - 1
        if ref not in stays and isinstance(ref.key, int) and until > max(last.get(ref, -1), ref.key):
            held.setdefault(until, []).append(ref)
    return held


def settle(entries: list[Entry], told: Told, steps: Sequence[Step]) -> None:
    """Casts and constants get the dtype that they were seen to have: one by name, or that of another tensor."""
    watch = told.seen.watch if told.seen is not None and told.in_bfloat16 else None
    for number, step in enumerate(steps):
        if step.cast is None:
            continue
        entry = entries[step.cast.entry]
        wide = getattr(entry.layer, "dtype", None) == "float32"
        dtype = watch.dtypes.get(number) if watch else None
        follows = dtype == torch.bfloat16 if dtype is not None else not step.cast.is_named
        if wide and follows:
            asked = watch.asked.get(number) if watch and not step.cast.is_sure else None
            like = asked or step.cast.like
            entries[step.cast.entry] = _following(entry, like)
    for _, index, like in [each for step in steps for each in step.constants]:
        layer = entries[index].layer
        follows = watch.constants.get(index) == torch.bfloat16 if watch else like is not None
        if not follows or getattr(layer, "dtype", None) != "float32":
            continue
        if like is None or like.kind == "weight" or (isinstance(like.key, int) and like.key >= index):
            entries[index] = replace(entries[index], layer=layer.model_copy(update={"dtype": WEIGHTS}))
        else:
            told_like = layer.model_copy(update={"dtype": LIKE})
            entries[index] = replace(entries[index], layer=told_like, reads=(*entries[index].reads, like))


def _following(entry: Entry, like: Ref | None) -> Entry:
    """A cast to the dtype of another tensor; where that is a weight, to that of the weights."""
    if like is None or like.kind == "weight":
        return replace(entry, layer=entry.layer.model_copy(update={"dtype": WEIGHTS}))
    return replace(entry, layer=LAYERS["cast_like"](type="cast_like"), reads=(*entry.reads, like))
