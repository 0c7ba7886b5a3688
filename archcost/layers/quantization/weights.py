"""What products of integers, and layers with quantised weights, have in common."""

from __future__ import annotations

from typing import Literal

from archcost.errors import ShapeError
from archcost.layers.base import Weight, WeightedLayer
from archcost.layers.card import Card
from archcost.layers.dtypes import AS_GIVEN, Outcome
from archcost.layers.fields import Flag
from archcost.layers.quantization.scaling import INTEGERS, CodeDtype, Quantize
from archcost.tensors import Tensors, TensorType
from archcost.terms.time_classes import TimeClass
from archcost.work import Elementwise, Work

SUMS = ("int32", "int64")
"""In which sums of products come out as they are; in what is narrower they are scaled."""


def product_card(time: TimeClass, calls: tuple[str, ...] = (), promotion: Outcome = "named") -> Card:
    return Card(
        torch=None,
        calls=calls,
        onnx=None,
        autocast=AS_GIVEN,
        promotion=promotion,
        fvcore="nothing",
        time=time,
        blas=False,
    )


def require_integers(inputs: Tensors) -> None:
    for tensor in inputs:
        if tensor.dtype not in INTEGERS and tensor.dtype != "uint16":
            raise ShapeError("needs integers", expected="int8, uint8 or another integer", found=str(tensor))


def scaled(result: TensorType) -> tuple[Work, ...]:
    """Sums brought into fewer bits, as `quantize` does."""
    if result.dtype in SUMS:
        return ()
    return (Elementwise(result.numel, Quantize.operations, {}, f"sums scaled to {result.dtype}"),)


class QuantizedWeights(WeightedLayer):
    """The weight is of `weight_dtype`, and nothing of it is trained."""

    trainable: Literal[False] = False  # pyright: ignore[reportIncompatibleVariableOverride]
    weight_dtype: CodeDtype = "int8"


class PerChannel(QuantizedWeights):
    """`scale` and `zero_point` say that there is one for every output channel: single numbers are no weights."""

    scale: Flag = False
    zero_point: Flag = False

    def own_weights(self, weight: tuple[int, ...], channels: int, bias: bool) -> tuple[Weight, ...]:
        return (
            Weight("weight", weight, dtype=self.weight_dtype),
            *((Weight("bias", (channels,), dtype="int32"),) if bias else ()),
            *((Weight("scale", (channels,), dtype="float32"),) if self.scale else ()),
            *((Weight("zero_point", (channels,), dtype=self.weight_dtype),) if self.zero_point else ()),
        )

    @property
    def per_channel(self) -> int:
        """Scales and zero points of one channel."""
        return self.scale + self.zero_point
