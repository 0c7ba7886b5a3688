"""The regions of a network that its module runs under an autocast of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from archcost.graph.adaptation.rewritten import Span
from archcost.graph.layer_ranges import layer_ranges
from archcost.spec.model import ModelSpec, Region


def regions_of(spec: ModelSpec, names: Sequence[str], spans: Mapping[str, Span]) -> Mapping[str, Region]:
    """The region that each layer is in, by its name; of several the last in the spec. Raises SpecError."""
    ranges = layer_ranges(spec, names, spans, "autocast", "a region of autocast")
    return {names[index]: region for region, inside in zip(spec.autocast, ranges, strict=True) for index in inside}
