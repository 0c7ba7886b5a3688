"""A network with a sequence of another length."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from archcost.errors import ArchcostError
from archcost.graph import ModelGraph, build
from archcost.graph.sequence import longest
from archcost.spec import ModelSpec
from archcost.spec.overrides import with_sequence

MOST = 2**26
"""Of a sequence in tokens: beyond what any device holds."""

MOST_IMPORTED = 2**20
"""Of one whose network is imported at each length, from an example with as many values."""

AtLength = Callable[[int], ModelSpec]
"""A network with a sequence of a length."""


class Range(NamedTuple):
    """The value to begin with, the largest that may be tried, and value → the network."""

    start: int
    most: int
    make: Callable[[int], ModelGraph]


def lengths(spec: ModelSpec, batch: int, at: AtLength | None) -> Range:
    """The lengths that the network's sequence can have. `at` imports one that was imported at a length.

    Raises ArchcostError for a network without a sequence.
    """
    if spec.sequence_parameter is None and at is not None:
        return Range(_imported_length(spec), MOST_IMPORTED, _making(at, batch))
    start = spec.values.get(spec.sequence_parameter or "")
    with_sequence(spec, 1)  # refuses a network that has no parameter for its length
    most = min(longest(spec) or MOST, MOST)
    start = min(start, most) if isinstance(start, int) else 1
    return Range(start, most, _making(lambda length: with_sequence(spec, length), batch))


def _making(at: AtLength, batch: int) -> Callable[[int], ModelGraph]:
    return lambda length: build(at(length), batch)


def _imported_length(spec: ModelSpec) -> int:
    for given in spec.inputs.values():
        if given.dtype in ("int64", "int32") and given.sizes:
            return given.sizes[-1]
    raise ArchcostError(
        f"{spec.name} has no sequence whose length could vary",
        expected="an input of integers",
        found=", ".join(f"{name} {given.dtype}" for name, given in [*spec.inputs.items()][:4]),
    )
