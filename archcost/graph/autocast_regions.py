"""Regions of a module's own autocast, by the layers in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from archcost.graph.layer_ranges import layer_ranges
from archcost.spec.model import ModelSpec, Region


def regions_of(spec: ModelSpec, names: Sequence[str]) -> Mapping[str, Region]:
    """By layer the region that it is in; of several, the one that the spec names last. Raises SpecError."""
    ranges = layer_ranges(spec, names, "autocast", "a region of autocast")
    return {names[index]: region for region, inside in zip(spec.autocast, ranges, strict=True) for index in inside}
