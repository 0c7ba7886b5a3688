"""A step with another optimizer: its passes are the same, event by event, and are not simulated again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from archcost.costs.events import Tape
from archcost.costs.optimizer_storages import bursts, kept_state
from archcost.costs.timeline import Timeline, learned
from archcost.errors import ArchcostError
from archcost.passes.run import Run


def with_optimizer(line: Timeline, run: Run) -> Timeline:
    """`line` under a run that differs from its own in the optimizer alone. It trains, and searches for no checkpoints.

    Storages are numbered as they come: those of the optimizer's state stand behind all that is there before the step,
    and its temporaries behind those of the passes. Raises ArchcostError where the optimizer has no such form, and where
    it steps in backward or something is offloaded, which is another step altogether.
    """
    if not (run.has_passes_apart and line.run.has_passes_apart):
        raise ArchcostError("an optimizer in the midst of its passes is played with them", expected="archcost.timeline")
    trained = learned(line.program)
    begin = line.marks[1].event
    step = next(index for index, mark in enumerate(line.marks) if mark.phase in ("optimizer", "after"))
    after = next(index for index, mark in enumerate(line.marks) if mark.phase == "after")
    first = len(line.program.storages) + sum(map(len, line.program.state.values()))
    first += len(trained) if line.run.keep_gradients else 0
    past = first + sum([line.storages[event].role == "optimizer_state" for event in line.events[:begin]])
    steps = line.events[line.marks[step].event : line.marks[after].event]
    end = min([event for event in steps if event >= 0], default=len(line.storages))

    state = list(kept_state(trained, run, line.device))
    shift = first + len(state) - past
    tape = Tape([*line.storages[:first], *state, *line.storages[past:end]], [])
    tape.refs = [0] * len(tape.storages)
    tape.events += [*line.events[: begin - (past - first)], *range(first, first + len(state))]
    tape.marks += [line.marks[0], *(mark._replace(event=mark.event + shift) for mark in line.marks[1:step])]
    tape.events += _moved(line.events[begin : line.marks[step].event], past, shift)
    for name, held in bursts(trained, run, line.device):
        tape.mark("optimizer", name)
        tape.brief(held)
    tape.mark("after", "")
    tape.events += _moved(line.events[line.marks[after].event :], past, shift)
    return replace(
        line,
        run=run,
        storages=tuple(tape.storages),
        events=tuple(tape.events),
        marks=tuple(tape.marks),
        kernels={number + shift: kernel for number, kernel in line.kernels.items()},
        copies={_number(copy, past, shift): of for copy, of in line.copies.items()},
    )


def _moved(events: Sequence[int], past: int, shift: int) -> list[int]:
    """Events whose storages from the number `past` on have numbers that are larger by `shift`."""
    gone = ~past
    return [event + shift if event >= past else event - shift if event <= gone else event for event in events]


def _number(storage: int, past: int, shift: int) -> int:
    return storage + shift if storage >= past else storage
