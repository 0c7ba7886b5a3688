"""What has become of the layers of a changed network."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from archcost.graph.expand import Alias, PlacedLayer

Step = PlacedLayer | Alias


class Span(NamedTuple):
    """The layers that stand in the place of one."""

    first: str
    last: str


NO_SPANS: Mapping[str, Span] = {}
NO_OWNERS: Mapping[str, str] = {}


class Rewritten(NamedTuple):
    """Steps, and where what is no more in them is now."""

    steps: Sequence[Step]
    spans: Mapping[str, Span] = NO_SPANS
    """By layer that an adapter is on, the layers in its place."""
    owners: Mapping[str, str] = NO_OWNERS
    """By layer where its weights are now."""
    thawed: tuple[str, ...] = ()
    """Layers with quantised weights that nothing else freezes."""
    lent: Collection[str] = ()
    """Layers that are a weight, and that others read as theirs."""
