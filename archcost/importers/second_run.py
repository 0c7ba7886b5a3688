"""The second run of a module: lifetimes and dtypes of tensors, what it keeps, and whether its calls are the same."""

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
from archcost.files.garbage import without_collections
from archcost.importers import detection, own_calls, unintercepted_calls
from archcost.importers.autocast_regions import RegionTracker
from archcost.importers.function_mode import CASTS
from archcost.importers.lifetimes import DivergedError, LifetimeMode
from archcost.importers.recorded import AutocastRegion, Entry, Observations, Ref
from archcost.importers.trace import Step, Trace
from archcost.layers import LAYERS
from archcost.layers.shape.copy import LIKE, WEIGHTS

SEEDS_HIGH = {"torch": 155, "random": 153, "numpy": 319}
"""Seeds whose first random number is above 0.99, so that a module that drops layers at random keeps them."""

SEEDS_LOW = {"torch": 3, "random": 139, "numpy": 106}
"""Seeds whose first random number is below 0.01, so that such a module drops them, which shows."""


class RunnableModule(NamedTuple):
    """A module that can be run: stand-ins by the identity of its weights, and a function that calls it. After a run
    `owned` returns the tensors that are in place of its parameters and buffers.
    """

    originals: Mapping[int, Tensor]
    call: Callable[[], Any]
    owned: Callable[[], Collection[Tensor]]


OTHER_CALLS = "forward makes other calls in bfloat16 than in float32, of which the numbers are"
UNDER_AUTOCAST = "forward makes other calls where it finds autocast on; the numbers are of those without"
KEEPS_MORE = "the module keeps tensors of every step; the numbers are of one that keeps those of the step before"

Run = Callable[[torch.dtype], contextlib.AbstractContextManager[RunnableModule]]
"""A way to run the module in a dtype."""


@dataclass(frozen=True, slots=True)
class SecondRun:
    """A second run. `state`: tensors that are alive when its outputs are released. `regions`: the module's own autocast
    by the number of the call, where the module asked whether autocast is on.
    """

    watch: LifetimeMode
    state: Mapping[Ref, int | None]
    """The call of a third run during which it is released; None where it outlives that, too."""
    regions: Mapping[int, AutocastRegion | None] | None = None


@dataclass(frozen=True, slots=True)
class Findings:
    """What the second run showed. `seen` is None where it failed; `assumptions` say what may differ from run to run."""

    seen: SecondRun | None
    in_bfloat16: bool = True
    assumptions: tuple[str, ...] = ()
    went_another_way_in_bfloat16: bool = False


BOTH = (torch.bfloat16, torch.float32)


def run_again(run: Run, trace: Trace, asks_for_autocast: bool, dtypes: Sequence[torch.dtype] = BOTH) -> Findings:
    """In bfloat16 where the module runs in it, else in float32, which shows lifetimes and no dtypes.

    In float32 at once where the first run had nothing to do with dtypes.
    """
    if not trace.has_to_do_with_dtypes and not asks_for_autocast:
        dtypes = (torch.float32,)
    problems: dict[tuple[torch.dtype, bool], BaseException] = {}
    for dtype in dtypes:
        for answer in (True, False) if asks_for_autocast else (False,):
            try:
                seen = _watch_run(run, trace, dtype, answer)
            except (Exception, DivergedError) as problem:
                problems[dtype, answer] = problem
                continue
            other = isinstance(problems.get((torch.bfloat16, False)), DivergedError)
            under_autocast = isinstance(problems.get((dtype, True)), DivergedError)
            said = [text for text, holds in ((OTHER_CALLS, other), (UNDER_AUTOCAST, under_autocast)) if holds]
            return Findings(seen, dtype == torch.bfloat16, tuple(said), other)
    return Findings(None, False, (_why_it_differs(problems[dtypes[-1], False]),))


def only_casts_more(one: Trace, other: Trace) -> bool:
    """Whether the other run makes the same calls, and some casts more."""
    calls = [[step.name for step in trace.steps if step.name not in CASTS] for trace in (one, other)]
    return calls[0] == calls[1] and len(other.steps) > len(one.steps)


def _why_it_differs(problem: BaseException) -> str:
    if isinstance(problem, DivergedError):
        return "forward went another way when it was run again; the numbers are those of its first run"
    place = line_of(problem) if isinstance(problem, Exception) else None
    at = f" at {place}" if place else ""
    found = f"{type(problem).__name__}: {first_line(problem)}{at}"
    return f"forward fails when it is run again ({found}); the numbers are those of its first run"


def _watch_run(run: Run, trace: Trace, dtype: torch.dtype, answer: bool) -> SecondRun:
    regions = RegionTracker(answer)
    with run(dtype) as running, seeded(SEEDS_LOW), printing_nothing():
        watch = LifetimeMode(trace, running.originals, regions)
        with _intercepting(watch, regions):
            result = running.call()
        if not watch.finished():
            raise DivergedError
        del result
        if watch.living:
            gc.collect()
        left = watch.remaining(running.owned())
        state = _when_replaced(running, trace, left) if left else {}
    return SecondRun(watch, state, watch.regions if answer else None)


def _when_replaced(running: RunnableModule, trace: Trace, left: Mapping[Ref, Any]) -> dict[Ref, int | None]:
    """During which call of a third run each tensor that is left is released."""
    regions = RegionTracker()
    watch = LifetimeMode(trace, running.originals, regions)
    watch.await_release(left)
    with _intercepting(watch, regions):
        running.call()
    return {ref: watch.replaced.get(ref) for ref in left}


@contextmanager
def _intercepting(watch: LifetimeMode, regions: RegionTracker) -> Generator[None]:
    """Intercept every call of the module, as in the first run."""
    with (
        regions.intercepted(),
        unintercepted_calls.intercepted(),
        detection.intercepted(),
        own_calls.intercepted(),
        own_calls.functions_intercepted(),
        watch,
        without_collections(),
    ):
        yield


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


def observations(
    entries: list[Entry], findings: Findings, steps: Sequence[Step], returned: Collection[Ref]
) -> Observations:
    """What a spec says of the second run. Sets dtypes and autocast regions of the entries by it."""
    set_dtypes(entries, findings, steps)
    seen = findings.seen
    if seen is None:
        return Observations(assumptions=findings.assumptions)
    for number, region in (seen.regions or {}).items():
        for index in range(steps[number].first, steps[number].end):
            entries[index] = replace(entries[index], region=region)
    state = {ref: len(entries) - 1 if step is None else steps[step].end - 1 for ref, step in seen.state.items()}
    grows = any(step is None for step in seen.state.values())
    assumptions = (*findings.assumptions, KEEPS_MORE) if grows else findings.assumptions
    return Observations(holds(entries, seen, steps, returned), state, assumptions)


def holds(
    entries: Sequence[Entry], seen: SecondRun, steps: Sequence[Step], returned: Collection[Ref]
) -> dict[int, list[Ref]]:
    """By the number of an entry, the tensors that are alive until it is done, and that no later entry reads."""
    last: dict[Ref, int] = {}
    for index, entry in enumerate(entries):
        asked = entry.layer.asked
        for place, ref in enumerate(entry.reads):
            if place not in asked:
                last[ref] = index
        last.update(dict.fromkeys(entry.weights.values(), index))
    held: dict[int, list[Ref]] = {}
    stays = {*returned, *seen.state}
    released = [(ref, steps[step].end - 1) for ref, step in seen.watch.releases]
    for ref, until in (*released, *(each for step in steps for each in step.locals)):
        if ref not in stays and isinstance(ref.key, int) and until > max(last.get(ref, -1), ref.key):
            held.setdefault(until, []).append(ref)
    return held


def set_dtypes(entries: list[Entry], findings: Findings, steps: Sequence[Step]) -> None:
    """Set the dtypes of casts and constants by what the second run showed: a dtype by name, or that of a tensor."""
    watch = findings.seen.watch if findings.seen is not None and findings.in_bfloat16 else None
    for number, step in enumerate(steps):
        if step.cast is None:
            continue
        entry = entries[step.cast.entry]
        wide = getattr(entry.layer, "dtype", None) == "float32"
        dtype = watch.dtypes.get(number) if watch else None
        follows = dtype == torch.bfloat16 if dtype is not None else not step.cast.is_named
        if wide and follows:
            asked = watch.dtype_sources.get(number) if watch and not step.cast.is_sure else None
            like = asked or step.cast.like
            entries[step.cast.entry] = _cast_like(entry, like)
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


def _cast_like(entry: Entry, like: Ref | None) -> Entry:
    """The cast as one to the dtype of another tensor; of a weight, to that of the weights."""
    if like is None or like.kind == "weight":
        return replace(entry, layer=entry.layer.model_copy(update={"dtype": WEIGHTS}))
    return replace(entry, layer=LAYERS["cast_like"](type="cast_like"), reads=(*entry.reads, like))
