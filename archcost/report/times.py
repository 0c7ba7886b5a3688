"""How long a step takes, in words: one number with its band where runs are known, bounds where they are not."""

from __future__ import annotations

from collections.abc import Iterator

from archcost.times import StepTime
from archcost.units import duration

SLOWEST = 3


def facts(time: StepTime) -> Iterator[tuple[str, str]]:
    """The step, what it rests on, and the slowest layers."""
    low, high = map(duration, time.band)
    if time.step is None:
        yield "time of a step", f"{low} to {high}, typically {duration(time.typical)}: uncalibrated, {time.engine}"
    else:
        yield "time of a step", f"{duration(time.step)}, nine in ten from {low} to {high}: {time.status}, {time.engine}"
        yield "samples a second", f"{time.samples_per_second:,.4g}"
    if time.mfu is not None:
        yield "MFU", f"{time.mfu:.1%}"
    slow = [f"{layer.name} {duration(layer.seconds)} ({layer.roof})" for layer in time.slowest(SLOWEST)]
    if slow:
        yield "slowest", ", ".join(slow)
    yield from (("note", text) for text in time.notes)
