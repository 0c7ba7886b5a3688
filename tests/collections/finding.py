"""What was found of one model. Reading it needs neither torch nor the collection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

BATCH = 2
"""Of all counts and peaks."""


@dataclass(frozen=True)
class Finding:
    """`status` is equal, differs, unknown (`opaque` operators without a rule), failed, or not made (by its library).

    `parts` is a count by quantity, ours and torch's; `peak` the bytes of tensors at the worst moment of a step, if run;
    `published` what the library says of its trained weights (parameters, and 10⁹ MACs to 3 decimals), ours and theirs.
    """

    name: str
    status: str
    why: str = ""
    layers: int = 0
    seconds: float = 0.0
    parts: Mapping[str, Sequence[int]] = field(default_factory=dict[str, Sequence[int]])
    opaque: Sequence[str] = ()
    peak: Sequence[int] = ()
    published: Mapping[str, Sequence[float]] = field(default_factory=dict[str, Sequence[float]])
