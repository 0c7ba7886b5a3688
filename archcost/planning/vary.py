"""`--vary`: the largest batch, image side, width or sequence that a device holds.

Of a batch the answer is solved (`largest_batch`). A side, a width or a sequence is searched: the network at the answer
was re-estimated and fits, the next larger one was re-estimated and does not. That memory grows with them is taken for
granted.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, get_args

from archcost.errors import ArchcostError, nearest, shorten
from archcost.estimates.batches import MOST as MOST_BATCH
from archcost.estimates.batches import Growth, largest_batch
from archcost.estimates.verdict import limits
from archcost.hardware.profile import HardwareProfile
from archcost.passes.run import Run
from archcost.planning.images import side, sided
from archcost.planning.search import largest
from archcost.planning.sequences import AtLength, Range, lengths
from archcost.planning.trials import Lines
from archcost.planning.widths import widened
from archcost.spec import ModelSpec

Word = Literal["batch", "input", "width", "sequence"]

Varying = Literal["input", "width", "sequence"]

MOST = 2**20
"""Of a side in pixels, or a width in percent: beyond what any device holds."""


class Largest(NamedTuple):
    """What was varied, and its largest value that fits: samples, pixels, percent, tokens. 0: none fits.

    `beyond` is the next larger network, which does not fit; None when there is none. `refused` is what the network's
    shapes say to the values between the two, or, without `beyond`, to larger ones.
    """

    word: Word
    value: int
    allocated: int | None
    beyond: int | None
    allocated_beyond: int | None
    refused: str | None

    def to_dict(self) -> dict[str, Any]:
        return {
            "vary": self.word,
            "largest": self.value,
            "allocated_bytes": self.allocated,
            "next": self.beyond,
            "next_allocated_bytes": self.allocated_beyond,
            "refused": self.refused,
        }


def word(text: str) -> Word:
    """Raises ArchcostError for one that is not known."""
    words: tuple[Word, ...] = get_args(Word)
    for known in words:
        if text == known:
            return known
    raise ArchcostError(
        "what to vary is not known", expected=", ".join(words), found=shorten(text), hint=nearest(text, words)
    )


def _range_of(spec: ModelSpec, batch: int, what: Varying, at: AtLength | None) -> Range:
    match what:
        case "input":
            return Range(side(spec), MOST, sided(spec, batch))
        case "width":
            return Range(100, MOST, widened(spec, batch))
        case "sequence":
            return lengths(spec, batch, at)


class Varied:
    """The largest side, width or sequence on one device after another. Raises ArchcostError for a network without.

    `at` makes the network at a length, where no parameter of the spec does.
    """

    def __init__(self, spec: ModelSpec, batch: int, run: Run, what: Varying, at: AtLength | None = None) -> None:
        self.what: Varying = what
        self.range = _range_of(spec, batch, what, at)
        self.lines = Lines(self.range.make, run)

    def on(self, profile: HardwareProfile) -> Largest:
        start, most, _ = self.range
        found = largest(start, most, limits(profile).safe, lambda value: self.lines.on(value, profile))
        return Largest(
            self.what,
            found.value,
            found.trial and found.trial.demand.allocated,
            found.beyond,
            found.trial_beyond and found.trial_beyond.demand.allocated,
            found.refused,
        )


def batches(grown: Growth, profile: HardwareProfile, estimated: bool) -> Largest:
    """`estimated` adds what the largest batch and the next one take."""
    value = largest_batch(grown, profile)
    is_last = value == MOST_BATCH or (value > 0 and not grown.spec.has_batch)
    beyond = None if is_last else value + 1
    allocated = grown.demand(value, profile).allocated if value and estimated else None
    allocated_beyond = grown.demand(beyond, profile).allocated if beyond and estimated else None
    return Largest("batch", value, allocated, beyond, allocated_beyond, None)
