"""Regions of a module's own autocast, by the layers in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from archcost.errors import SpecError, nearest
from archcost.spec.model import ModelSpec, Region


def regions_of(spec: ModelSpec, names: Sequence[str]) -> Mapping[str, Region]:
    """By layer the region that it is in; of several, the one that the spec names last. Raises SpecError."""
    order = {name: index for index, name in enumerate(names)} if spec.autocast else {}
    found: dict[str, Region] = {}
    for index, region in enumerate(spec.autocast):
        for field, name in (("first", region.first), ("last", region.last)):
            if name not in order:
                place = spec.source.place(("autocast", index, field))
                hint = nearest(name, order)
                raise SpecError("no such layer", expected="the name of a layer", found=name, hint=hint).at(
                    "autocast", place
                )
        if order[region.last] < order[region.first]:
            raise SpecError(
                "a region of autocast ends before it begins",
                expected="first before last, or the same",
                found=f"{region.first} to {region.last}",
            ).at("autocast", spec.source.place(("autocast", index)))
        found |= dict.fromkeys(names[order[region.first] : order[region.last] + 1], region)
    return found
