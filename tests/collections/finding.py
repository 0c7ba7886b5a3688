"""What was found of one model. Reading it needs neither torch nor the collection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

BATCH = 2
"""Of all counts and peaks."""

PRECISIONS = ("fp32", "bf16", "amp-bf16")
"""In which a step is run; collections that name fewer are run in those."""

MOST = 0.005
"""What a peak may be off by."""


@dataclass(frozen=True)
class Finding:
    """`status` is equal, differs, unknown (`opaque` operators without a rule), failed, or not made (by its library).

    `parts` is a count by quantity, ours and torch's; `peaks` the bytes of tensors at the worst moment of a step, by
    precision. Of a precision without a peak, `not_run` says what torch said of it, and `refused` what we did.
    `published` is what the library says of its trained weights (parameters, and 10⁹ MACs to 3 decimals), ours and
    theirs; `source` the state of archcost's code.
    """

    name: str
    status: str
    why: str = ""
    layers: int = 0
    seconds: float = 0.0
    parts: Mapping[str, Sequence[int]] = field(default_factory=dict[str, Sequence[int]])
    opaque: Sequence[str] = ()
    peaks: Mapping[str, Sequence[int]] = field(default_factory=dict[str, Sequence[int]])
    not_run: Mapping[str, str] = field(default_factory=dict[str, str])
    refused: Mapping[str, str] = field(default_factory=dict[str, str])
    published: Mapping[str, Sequence[float]] = field(default_factory=dict[str, Sequence[float]])
    source: str = ""

    def error(self, precision: str) -> float:
        """Of the peak, as a part of torch's."""
        ours, theirs = self.peaks[precision]
        return ours / theirs - 1
