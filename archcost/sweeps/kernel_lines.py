"""The kernels of a step at every batch: their FLOPs and bytes are a constant and so much a sample."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from archcost.costs.kernels import Kernel, blocks, kernels
from archcost.costs.timeline import Timeline
from archcost.estimates.batches import FAR
from archcost.terms.time_classes import CONTRACTIONS, Fuses
from archcost.times.roof import stretches

EXACT = 1e-9
"""Of floats that are equal but for rounding."""

Part = Literal["forward", "backward", "optimizer"]
PARTS: tuple[Part, ...] = ("forward", "backward", "optimizer")


class Amount(NamedTuple):
    """base + slope·N."""

    base: float
    slope: float


class GrowingKernel(NamedTuple):
    """A kernel at two samples, how it grows, and whether it is one of backward.

    `computed` and `moved` are FLOPs and bytes, as many times as short axes stretch them; `flops` are not stretched.
    """

    second: Kernel
    flops: Amount
    computed: Amount
    moved: Amount
    reread: Amount
    back: bool


class Phase(NamedTuple):
    """Kernels and how often each runs, those that are equal at every batch together; and bytes of the blocks made."""

    kernels: tuple[tuple[GrowingKernel, int], ...]
    blocks: tuple[tuple[Amount, int], ...]

    @property
    def launches(self) -> int:
        return sum([grown.second.launches * times for grown, times in self.kernels])


@dataclass(frozen=True, slots=True)
class GrowingStep:
    """`flops` are the contractions of forward and backward, without what runs a second time for the latter."""

    phases: tuple[Phase, ...]
    flops: Amount


class _Run(NamedTuple):
    part: Part
    what: Kernel | int
    """Or the bytes of a block that is made."""
    times: int
    back: bool = False
    again: bool = False


def growing(lines: Sequence[Timeline], fuses: Sequence[Fuses]) -> GrowingStep | None:
    """The kernels of a step as lines in the batch, from two, three and FAR samples; None where one is no line."""
    twos, threes, fars = (list(_runs(line, fuses)) for line in lines)
    if not len(twos) == len(threes) == len(fars):
        return None
    found: dict[Part, Counter[GrowingKernel]] = {part: Counter() for part in PARTS}
    made: dict[Part, Counter[Amount]] = {part: Counter() for part in PARTS}
    base = slope = 0.0
    for two, three, far in zip(twos, threes, fars, strict=True):
        grown = _grown(two, three, far)
        if grown is None:
            return None
        if isinstance(grown, Amount):
            made[two.part][grown] += two.times
            continue
        found[two.part][grown] += two.times
        if grown.second.kind in CONTRACTIONS and not two.again:
            base += two.times * grown.flops.base
            slope += two.times * grown.flops.slope
    phases = tuple([Phase(tuple(found[part].items()), tuple(made[part].items())) for part in PARTS])
    return GrowingStep(phases, Amount(base, slope))


def standing(line: Timeline, fuses: Sequence[Fuses]) -> GrowingStep:
    """The kernels of a step at its own batch alone: nothing in them grows."""
    found: dict[Part, Counter[GrowingKernel]] = {part: Counter() for part in PARTS}
    made: dict[Part, Counter[Amount]] = {part: Counter() for part in PARTS}
    whole = 0.0
    for each in _runs(line, fuses):
        if isinstance(each.what, int):
            made[each.part][Amount(each.what, 0)] += each.times
            continue
        flops, computed, moved, reread = (Amount(amount, 0) for amount in _amounts(each.what))
        found[each.part][GrowingKernel(each.what, flops, computed, moved, reread, each.back)] += each.times
        if each.what.kind in CONTRACTIONS and not each.again:
            whole += each.times * each.what.flops
    phases = tuple([Phase(tuple(found[part].items()), tuple(made[part].items())) for part in PARTS])
    return GrowingStep(phases, Amount(whole, 0))


def _runs(line: Timeline, fuses: Sequence[Fuses]) -> Iterator[_Run]:
    """All kernels of a step, and all blocks that it makes, in the same order at every batch."""
    step = kernels(line, fuses)
    times, again = step.accumulation, frozenset(step.again)
    for index, (layer, op) in enumerate(zip(step.layers, line.program.ops, strict=True)):
        runs = layer.forward or layer.backward_input or layer.backward_weight
        forward, backward = blocks(op, line) if runs else ([], [])
        for each in (*layer.forward, *forward):
            yield _Run("forward", each, times)
            if index in again:
                yield _Run("backward", each, times, again=True)
        for each in (*layer.backward_input, *layer.backward_weight, *backward):
            yield _Run("backward", each, times, back=True)
    for each in step.optimizer:
        yield _Run("optimizer", each, 1)


def _grown(second: _Run, third: _Run, far: _Run) -> GrowingKernel | Amount | None:
    two, three, last = second.what, third.what, far.what
    if isinstance(two, int) and isinstance(three, int) and isinstance(last, int):
        return _line(two, three, last)
    assert isinstance(two, Kernel)
    assert isinstance(three, Kernel)
    assert isinstance(last, Kernel)
    if not _words(two) == _words(three) == _words(last):
        return None
    flops, computed, moved, reread = map(_line, _amounts(two), _amounts(three), _amounts(last))
    if flops is None or computed is None or moved is None or reread is None:
        return None
    return GrowingKernel(two, flops, computed, moved, reread, second.back)


def _words(kernel: Kernel) -> tuple[str, str, int]:
    return kernel.kind, kernel.dtype, kernel.launches


def _amounts(kernel: Kernel) -> tuple[float, float, float, float]:
    by_flops, by_bytes = stretches(kernel)
    return kernel.flops, kernel.flops * by_flops, kernel.nbytes * by_bytes, kernel.reread


def _line(second: float, third: float, far: float) -> Amount | None:
    slope = third - second
    base = second - 2 * slope
    return Amount(base, slope) if abs(base + slope * FAR - far) <= EXACT * far else None
