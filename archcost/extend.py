"""All that a layer of one's own is written with: the classes and words that its card and its rules are made of.

Names that this module has keep their meaning. `archcost.register_layer` registers a class, `archcost.testing` tests it.
`Proposal`, which is made of tensors, imports torch; nothing else does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archcost.errors import ShapeError
from archcost.layers.base import Arity, Layer, Weight, WeightedLayer
from archcost.layers.card import Card, Onnx, onnx
from archcost.layers.dtypes import (
    AS_GIVEN,
    FLOAT32_OUT_ON_CUDA,
    IN_16_BITS,
    IN_FLOAT32,
    IN_FLOAT32_ON_CPU,
    IN_FLOAT32_ON_CUDA,
    Autocast,
)
from archcost.layers.fields import Axis, Count, Flag, Number, Size
from archcost.layers.memory_order import of_images, value_by_value
from archcost.layers.own import register_layer
from archcost.layers.rules import Autograd, Call, Placement, Precision, Timing, own_storage
from archcost.tensors import Tensors, TensorType
from archcost.terms.autograd import PASSED_ON, VIEWED, Handed, Input, Output, Own, Setting, Stored
from archcost.terms.expressions import Step
from archcost.work import Contraction, Copy, Elementwise, Gather, Reduction, Shared, Work

if TYPE_CHECKING:
    pass

__all__ = [
    "AS_GIVEN",
    "FLOAT32_OUT_ON_CUDA",
    "IN_16_BITS",
    "IN_FLOAT32",
    "IN_FLOAT32_ON_CPU",
    "IN_FLOAT32_ON_CUDA",
    "PASSED_ON",
    "VIEWED",
    "Arity",
    "Autocast",
    "Autograd",
    "Axis",
    "Call",
    "Card",
    "Contraction",
    "Copy",
    "Count",
    "Elementwise",
    "Flag",
    "Gather",
    "Handed",
    "Input",
    "Layer",
    "Number",
    "Onnx",
    "Output",
    "Own",
    "Placement",
    "Precision",
    "Reduction",
    "Setting",
    "ShapeError",
    "Shared",
    "Size",
    "Step",
    "Stored",
    "TensorType",
    "Tensors",
    "Timing",
    "Weight",
    "WeightedLayer",
    "Work",
    "of_images",
    "onnx",
    "own_storage",
    "register_layer",
    "value_by_value",
]


def __getattr__(name: str) -> Any:
    if name == "Proposal":
        from archcost.importers.torch.proposal import Proposal

        return Proposal
    raise AttributeError(f"module 'archcost.extend' has no attribute {name!r}")
