"""The mirror of archcost.layers: for each layer type, what makes its torch module."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pkgutil import walk_packages

from archcost.layers import ByType
from archcost.pytorch.layers.base import Factory, Inputs, factory_of

for _found in walk_packages(__path__, f"{__name__}."):
    import_module(_found.name)

FACTORIES: Mapping[str, Factory] = ByType(factory_of)

__all__ = ["FACTORIES", "Factory", "Inputs"]
