"""archcost: what does this neural network cost?

    spec = archcost.load("vgg_d")
    graph = archcost.build(spec, batch=32)
    print(archcost.cost(graph))

`archcost.pytorch` (the witness) is imported when first used and needs torch; everything else works without.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archcost.costs import ModelCost, cost
from archcost.errors import ArchcostError
from archcost.graph import ModelGraph, build
from archcost.spec import ModelSpec, load, loads

if TYPE_CHECKING:
    from archcost import pytorch

__version__ = "0.1.0"

__all__ = [
    "ArchcostError",
    "ModelCost",
    "ModelGraph",
    "ModelSpec",
    "__version__",
    "build",
    "cost",
    "load",
    "loads",
    "pytorch",
]


def __getattr__(name: str) -> Any:
    if name == "pytorch":
        import importlib

        return importlib.import_module("archcost.pytorch")
    raise AttributeError(f"module 'archcost' has no attribute {name!r}")
