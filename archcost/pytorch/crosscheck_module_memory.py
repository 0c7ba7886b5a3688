"""`verify --measure` of a module: two steps of the module itself under the tracker, beside the timeline of its spec."""

from __future__ import annotations

import gc
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from archcost.costs.events import by_mark
from archcost.costs.phases import PhasePeak, by_phase
from archcost.costs.program import Role
from archcost.costs.timeline import Timeline, timeline
from archcost.errors import ArchcostError, listing
from archcost.graph import ModelGraph
from archcost.hardware.calibration import Calibration
from archcost.importers.naming import clean
from archcost.passes.run import Run
from archcost.pytorch.checks import TORCH, TOTAL, Check
from archcost.pytorch.crosscheck_memory import (
    HEADROOM,
    TENSORS,
    check_within,
    free_memory,
    require_no_offload,
    role_checks,
)
from archcost.pytorch.crosscheck_time import check_time
from archcost.pytorch.machine import kernels_of
from archcost.pytorch.measure import Phase, before_it_is_steady, follow
from archcost.pytorch.module_counts import folded_by
from archcost.pytorch.running_module import Whereabouts
from archcost.pytorch.tracker import Seen, Tracker
from archcost.pytorch.training import Training, optimizer_of, step, torch_dtype, trained
from archcost.pytorch.user_module import Path, Subject, inputs_like, lent, modules_of, refusals_told, tensors_of
from archcost.tensors import TensorType

AT_MOST = 5
"""Tensors that are named of those that only one side has."""


def check_module_memory(graph: ModelGraph, run: Run, subject: Subject, device: str) -> Iterator[Check]:
    """One step of the module, measured in the asked precision, and that of the spec, played as a dispatch mode sees it.

    Raises ArchcostError for settings that no step of a module can have, and for what the module refuses.
    """
    _require_possible(graph, run)
    require_no_offload(run)
    kind = kernels_of(device)
    line = timeline(graph, run, kind, out_of_place=True)
    by = f"tracker of {TORCH} on {device}"
    needed, room = int(HEADROOM * line.peak) + _size(subject), free_memory(device)
    if needed > room:
        said = f"{needed:,} bytes are needed to measure it, and {room:,} are free"
        yield Check("peak_bytes", TOTAL, line.peak, None, by, None, said)
        return
    measured = measure_module(graph, run, subject.with_values(), device)
    yield from (_bounded(check, graph.unknown) for check in _checks(line, measured, by))


def check_module_time(
    graph: ModelGraph, run: Run, subject: Subject, device: str, calibration: Calibration
) -> tuple[Check, ...]:
    """Steps of the module itself beside the calibration's estimate of its spec."""
    dtype = torch_dtype(run.weight_dtype) or torch.float32
    line = timeline(graph, run, kernels_of(device))
    subject = subject.with_values()
    told = refusals_told(subject, f"in {run.precision} on {device}", lambda: None, _hints(run))
    with lent(subject.module, device, dtype), told:
        if not run.trains:
            subject.module.eval()
        return tuple(check_time(line, _training(graph, run, subject, device, dtype), calibration, device))


def _require_possible(graph: ModelGraph, run: Run) -> None:
    """The module itself decides what it recomputes, and what it does in place."""
    refused = {
        "--recompute": (run.recompute, run.recompute != "none", "none: a module recomputes what it asks for itself"),
        "--in-place": (run.in_place, run.in_place is not None, "neither: a module overwrites what it says itself"),
        "--loss": (graph.spec.loss, graph.spec.loss not in ("sum", "none"), "sum or none"),
    }
    for option, (found, is_refused, expected) in refused.items():
        if is_refused:
            raise ArchcostError(
                f"{option} is for a spec, and the module itself is run", expected=expected, found=str(found)
            )


def _size(subject: Subject) -> int:
    return sum(tensor.nbytes for tensor in (*subject.module.parameters(), *subject.module.buffers()))


@dataclass(frozen=True)
class MeasuredModule:
    """One step, as the tracker saw it: the worst of each phase; all that is alive once forward has returned (with the
    loss, where there is one) and when the step is over; and which of these are weights, buffers, inputs and the
    optimizer's state.
    """

    phases: tuple[Phase, ...]
    after_forward: tuple[Seen, ...]
    after_step: tuple[Seen, ...]
    resident: frozenset[int]
    ran: tuple[Path, ...]

    @property
    def worst(self) -> Phase:
        return max(self.phases, key=lambda phase: phase.peak)


def measure_module(graph: ModelGraph, run: Run, subject: Subject, device: str) -> MeasuredModule:
    """Two steps of the module on copies of its weights in the run's precision; the second is measured.

    A training step runs the module in the mode that it is in, as it was imported. Both steps are followed: what the
    first leaves behind is there in the second.
    """
    module, dtype = subject.module, torch_dtype(run.weight_dtype) or torch.float32
    where, tracker = Whereabouts(modules_of(module)), Tracker()
    tracker.where = where.path
    told = refusals_told(subject, f"in {run.precision} on {device}", lambda: where.failed, _hints(run))
    with lent(module, device, dtype), told, where.followed():
        if not run.trains:
            module.eval()
        for path, tensor in (*module.named_parameters(), *module.named_buffers()):
            tracker.see(tensor, None, path)
        training = _training(graph, run, subject, device, dtype)
        with tracker.watching():
            for _ in range(before_it_is_steady(run) - 1):
                step(training, _ignore_phase)
        gc.collect()
        after: list[int] = []

        def results(out: Any) -> Sequence[Tensor]:
            after.append(tracker.tick)
            return tensors_of(out)

        phases = follow(replace(training, results=results), (), tracker)
        gc.collect()
        stays = [*module.parameters(), *module.buffers(), *training.inputs.values(), *training.optimizer_state]
        resident = frozenset(tracker.see(tensor, None).key for tensor in stays)
        left = tuple(tracker.alive_at(tracker.tick))
    backward = next((tick for moment, tick in tracker.moments if moment == "backward"), after[0])
    return MeasuredModule(phases, tuple(tracker.alive_at(backward)), left, resident, tuple(where.ran))


def _hints(run: Run) -> Mapping[str, str]:
    """What to try, by a word of what torch says."""
    hints = {"more than 1 value per channel": "--batch 2, since batch norm does not train on a single value"}
    return hints if run.weight_dtype is None else hints | {"dtype": f"--precision amp-{run.precision}"}


def _ignore_phase(phase: str) -> None:
    """Nobody listens."""


def _training(graph: ModelGraph, run: Run, subject: Subject, device: str, dtype: torch.dtype) -> Training:
    inputs = inputs_like(subject.tensors, list(graph.inputs.values()), device, dtype)
    module = subject.module

    def forward(**inputs: Tensor) -> Any:
        given, named = subject.call_with(list(inputs.values()))
        return module(*given, **named)

    loss = graph.spec.loss if run.trains else "none"
    learns = trained(module) if loss != "none" else []
    masters = tuple(nn.Parameter(weight.detach().float()) for weight in learns) if run.master_weights else ()
    named = dict(zip(graph.inputs, inputs, strict=True))
    return Training(
        run, loss, module, forward, named, None, optimizer_of(run, masters or learns), masters, results=tensors_of
    )


class Body(NamedTuple):
    """A tensor that is alive: its storage's bytes, its dtype and shape, the module that made it, and who it is."""

    nbytes: int
    kind: TensorType
    path: Path
    who: str

    def __str__(self) -> str:
        return f"{self.kind} of {self.who} ({self.nbytes:,} bytes)"


def _checks(line: Timeline, measured: MeasuredModule, by: str) -> Iterator[Check]:
    fold = folded_by(measured.ran, clean)
    yield from _held_checks(line, measured, fold, by)
    ours: dict[str, PhasePeak] = {phase.name: phase for phase in by_phase(line)}
    worst = max(ours.values(), key=lambda phase: phase.peak)
    total = check_within("peak_bytes", TOTAL, worst.peak, measured.worst.peak, by, TENSORS)
    yield total
    for phase in measured.phases:
        mine = ours[phase.name].peak if phase.name in ours else 0
        yield check_within("peak_bytes", phase.name, mine, phase.peak, by, TENSORS)
    for phase in measured.phases:
        events = _highest(line, phase.name)
        if events:
            yield _tensors(line, events, phase, fold, by)
    yield from role_checks(worst, measured.worst, total, by)


def _highest(line: Timeline, phase: str) -> list[int]:
    """The events at which most is alive in that phase, what it begins with included: several, where equals are."""
    names = {"recompute": "backward", "after": "optimizer"}
    live, most, found = 0, -1, list[int]()
    for mark, events in by_mark(line.marks, line.events):
        counts = names.get(mark.phase, mark.phase) == phase
        for event in range(mark.event - 1, mark.event + len(events)):
            if event >= mark.event:
                number = line.events[event]
                live += line.sizes[number] if number >= 0 else -line.sizes[~number]
            if counts and event >= 0 and live >= most:
                found = [event] if live > most else [*found, event]
                most = live
    return found[:MOST_TIES]


MOST_TIES = 50
"""Moments of equal peaks that are looked at for the one that torch had."""


def _bodies(line: Timeline, event: int, fold: Callable[[str], Path], without: Sequence[Role] = ()) -> list[Body]:
    return [
        Body(alive.held.nbytes, alive.held.tensor, fold(alive.held.owner), f"{alive.held.owner} {alive.held.what}")
        for alive in line.alive_at(event)
        if alive.held.nbytes and alive.held.role not in without
    ]


def _measured_bodies(seen: Iterable[Seen]) -> list[Body]:
    return [_body(each) for each in seen if each.nbytes]


def _body(seen: Seen) -> Body:
    if seen.operator is None:  # a weight by its path, or what the caller holds
        return Body(seen.nbytes, seen.tensor, seen.where.rpartition(".")[0], seen.where or "an input or a state")
    operator = seen.operator.removeprefix("aten.").partition(".")[0]
    return Body(seen.nbytes, seen.tensor, seen.where, f"{operator} in {seen.where or 'the outermost module'}")


def _held_checks(line: Timeline, measured: MeasuredModule, fold: Callable[[str], Path], by: str) -> Iterator[Check]:
    """What is kept: all that is alive beside weights, buffers, inputs and the optimizer's state, once forward has
    returned and after the step.
    """
    backward = [mark.event for mark in line.marks if mark.phase in ("recompute", "backward")]
    after = [mark.event for mark in line.marks if mark.phase == "after"]
    moments = (
        ("kept_bytes", (backward or after)[0] - 1, measured.after_forward),
        ("left_bytes", len(line.events) - 1, measured.after_step),
    )
    for quantity, event, alive in moments:
        ours = _bodies(line, event, fold, without=RESIDENT)
        theirs = _measured_bodies(seen for seen in alive if seen.key not in measured.resident)
        check = check_within(quantity, TOTAL, _nbytes(ours), _nbytes(theirs), by, TENSORS)
        yield _of_the_same_dtypes(_with_differences(check, ours, theirs), ours, theirs)


RESIDENT: tuple[Role, ...] = ("weights", "buffers", "inputs", "optimizer_state")


def _tensors(line: Timeline, events: Sequence[int], phase: Phase, fold: Callable[[str], Path], by: str) -> Check:
    """The tensors at the worst moment of a phase, one by one."""
    theirs = _measured_bodies(phase.alive)
    nearest = min((_bodies(line, event, fold) for event in events), key=lambda ours: _bytes_unmatched(ours, theirs))
    check = check_within("peak_tensors", phase.name, _nbytes(nearest), phase.peak, by, TENSORS)
    return _with_differences(check, nearest, theirs)


def _with_differences(check: Check, ours: Sequence[Body], theirs: Sequence[Body]) -> Check:
    """The check, and which tensors only one side has.

    As many bytes may be other pieces: what a kernel makes for itself is one amount in a layer's rule.
    """
    mine, torchs = unmatched(ours, theirs)
    if not mine and not torchs:
        return check
    said = f"archcost alone has {_bodies_text(mine)}; torch alone {_bodies_text(torchs)}"
    reason = f"{check.reason}; {said}" if check.reason else f"as many bytes in other pieces: {said}"
    return replace(check, reason=reason)


def _of_the_same_dtypes(check: Check, ours: Sequence[Body], theirs: Sequence[Body]) -> Check:
    """The check, failed where bytes of a dtype differ, kernels' own memory aside."""
    excess = [_nbytes(ours, dtype) - _nbytes(theirs, dtype) for dtype in {body.kind.dtype for body in (*ours, *theirs)}]
    apart = max(sum(each for each in excess if each > 0), -sum(each for each in excess if each < 0))
    return replace(check, agrees=check.agrees and apart <= TENSORS * _nbytes(theirs))


def _nbytes(bodies: Sequence[Body], dtype: str | None = None) -> int:
    return sum(body.nbytes for body in bodies if dtype in (None, body.kind.dtype))


def _bodies_text(bodies: Sequence[Body]) -> str:
    largest = sorted(bodies, key=lambda body: -body.nbytes)
    more = f", and {len(bodies) - AT_MOST:,} smaller" if len(bodies) > AT_MOST else ""
    return (", ".join([str(body) for body in largest[:AT_MOST]]) or "none") + more


def _bytes_unmatched(ours: Sequence[Body], theirs: Sequence[Body]) -> int:
    mine, torchs = unmatched(ours, theirs)
    return sum(body.nbytes for body in (*mine, *torchs))


def unmatched(ours: Sequence[Body], theirs: Sequence[Body]) -> tuple[list[Body], list[Body]]:
    """What has no counterpart of the same size and dtype; those of the same module are matched first."""
    mine, torchs = _by_kind(ours), _by_kind(theirs)
    only: tuple[list[Body], list[Body]] = ([], [])
    for key in mine.keys() | torchs.keys():
        left, right = mine.get(key, []), torchs.get(key, [])
        if len(left) == len(right):
            continue
        more, fewer, which = (left, right, 0) if len(left) > len(right) else (right, left, 1)
        paths = [body.path for body in fewer]
        alone: list[Body] = []
        paired: list[Body] = []
        for body in more:
            if body.path in paths:
                paths.remove(body.path)
                paired.append(body)
            else:
                alone.append(body)
        only[which].extend([*alone, *paired][: len(more) - len(fewer)])
    return only


def _by_kind(bodies: Iterable[Body]) -> Mapping[tuple[str, int], list[Body]]:
    kinds: dict[tuple[str, int], list[Body]] = defaultdict(list)
    for body in bodies:
        kinds[body.kind.dtype, body.nbytes].append(body)
    return kinds


def _bounded(check: Check, unknown: Sequence[str]) -> Check:
    """The check, undecided where a layer is unknown, so that our bytes are a lower bound."""
    if check.agrees is not False or not unknown or check.excess > 0:
        return check
    said = f"as what {listing(unknown, 3)} keeps is not known, archcost's is a lower bound"
    return replace(check, agrees=None, reason=f"{said}; {check.reason}")
