"""The kernels of a step at every batch: their FLOPs and bytes are a constant and so much a sample."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
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
    op: int
    back: bool = False


class KernelLines:
    """The kernels of a step as lines in the batch, whichever layers are computed again. From steps at two, three and
    FAR samples; or at one batch, of which nothing grows.
    """

    def __init__(self, lines: Sequence[Timeline], fuses: Sequence[Fuses], makes: bool = True) -> None:
        """`makes` has the blocks that it makes among them."""
        self.runs: list[tuple[_Run, GrowingKernel | Amount]] = []
        self.even = True
        """Whether everything in it is a line."""
        known: dict[tuple[int, ...], GrowingKernel | Amount | None] = {}
        several = [list(_runs(line, fuses, makes)) for line in lines]
        if len({len(each) for each in several}) > 1:
            self.even = False
            return
        for alike in zip(*several, strict=True):
            key = (*[id(each.what) for each in alike], alike[0].back)  # equal layers share their kernels
            found = known[key] if key in known else known.setdefault(key, _grown(alike))
            if found is None:
                self.even = False
                return
            self.runs.append((alike[0], found))

    def step(self, recomputed: Collection[int]) -> GrowingStep | None:
        """The step that computes those operations once more in backward, by number; None where it is no lines."""
        if not self.even:
            return None
        twice = frozenset(recomputed)
        found: dict[Part, Counter[GrowingKernel]] = {part: Counter() for part in PARTS}
        made: dict[Part, Counter[Amount]] = {part: Counter() for part in PARTS}
        base = slope = 0.0
        for run, grown in self.runs:
            parts: tuple[Part, ...] = (
                ("forward", "backward") if run.part == "forward" and run.op in twice else (run.part,)
            )
            for part in parts:
                if isinstance(grown, Amount):
                    made[part][grown] += run.times
                else:
                    found[part][grown] += run.times
            if isinstance(grown, GrowingKernel) and grown.second.kind in CONTRACTIONS and run.part != "optimizer":
                base += run.times * grown.flops.base
                slope += run.times * grown.flops.slope
        phases = tuple([Phase(tuple(found[part].items()), tuple(made[part].items())) for part in PARTS])
        return GrowingStep(phases, Amount(base, slope))


def growing(lines: Sequence[Timeline], fuses: Sequence[Fuses]) -> GrowingStep | None:
    """The kernels of a step as lines in the batch, from two, three and FAR samples; None where one is no line."""
    return KernelLines(lines, fuses).step(lines[0].recomputed)


def _runs(line: Timeline, fuses: Sequence[Fuses], makes: bool) -> Iterator[_Run]:
    """All kernels of a step, and all blocks that it makes, in the same order at every batch."""
    step = kernels(line, fuses)
    times = step.accumulation
    for index, (layer, op) in enumerate(zip(step.layers, line.program.ops, strict=True)):
        runs = layer.forward or layer.backward_input or layer.backward_weight
        forward, backward = blocks(op, line) if runs and makes else ([], [])
        for each in (*layer.forward, *forward):
            yield _Run("forward", each, times, index)
        for each in (*layer.backward_input, *layer.backward_weight, *backward):
            yield _Run("backward", each, times, index, back=True)
    for each in step.optimizer:
        yield _Run("optimizer", each, 1, -1)


def _grown(alike: Sequence[_Run]) -> GrowingKernel | Amount | None:
    first = alike[0].what
    if isinstance(first, int):
        return _line([each.what for each in alike if isinstance(each.what, int)])
    same = [each.what for each in alike if isinstance(each.what, Kernel)]
    if len({_words(each) for each in same}) > 1:
        return None
    flops, computed, moved, reread = map(_line, zip(*map(_amounts, same), strict=True))
    if flops is None or computed is None or moved is None or reread is None:
        return None
    return GrowingKernel(first, flops, computed, moved, reread, alike[0].back)


def _words(kernel: Kernel) -> tuple[str, str, int]:
    return kernel.kind, kernel.dtype, kernel.launches


def _amounts(kernel: Kernel) -> tuple[float, float, float, float]:
    by_flops, by_bytes = stretches(kernel)
    return kernel.flops, kernel.flops * by_flops, kernel.nbytes * by_bytes, kernel.reread


def _line(amounts: Sequence[float]) -> Amount | None:
    """Through amounts at two, three and FAR samples, or of one amount alone a constant."""
    if len(amounts) == 1:
        return Amount(amounts[0], 0)
    second, third, far = amounts
    slope = third - second
    base = second - 2 * slope
    return Amount(base, slope) if abs(base + slope * FAR - far) <= EXACT * far else None
