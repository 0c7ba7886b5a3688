"""Linear layers of floats, whose weight is scaled back from few bits as it is multiplied."""

from __future__ import annotations

from typing import ClassVar, Literal

from archcost.errors import ShapeError
from archcost.layers.base import Layer, Weight
from archcost.layers.card import Card
from archcost.layers.checks import require_floating
from archcost.layers.fields import Flag, Size
from archcost.layers.quantization.scaling import Dequantize
from archcost.layers.quantization.weights import QuantizedWeights, product_card
from archcost.layers.rules import Autograd, Call
from archcost.tensors import PACKED_BITS, Tensors, TensorType
from archcost.terms.expressions import Step
from archcost.terms.windows import Rules, whole_last
from archcost.work import Contraction, Elementwise, Work


class QuantizedLinear(QuantizedWeights, Layer):
    """(…, in) → (…, out) of floats by a weight of few bits, scaled back (MatMulNBits, torch's _weight_int8pack_mm).

    The weight (out, in) is of `weight_dtype`, with a scale for `block_size` values of a row, or without it for a row.
    Zero points are as many, each row in whole bytes; what fills the last block of a row is a buffer. MACs rows·in·out,
    of floats: the weight is scaled back in registers, by two operations a value. Nothing has a gradient.
    """

    type: Literal["quantized_linear"] = "quantized_linear"
    prefix: ClassVar[str] = "fc"
    card: ClassVar[Card] = product_card("product", promotion="first")
    untouched: ClassVar[frozenset[int]] = frozenset({0})
    out_features: Size
    block_size: Size | None = None
    zero_point: Flag = False
    bias: Flag = False

    def output_types(self, inputs: Tensors) -> Tensors:
        require_floating(inputs)
        if inputs[0].rank < 2:
            raise ShapeError("needs features", expected="(batch, …, features)", found=str(inputs[0]))
        return (TensorType((*inputs[0].shape[:-1], self.out_features), inputs[0].dtype),)

    def blocks(self, inputs: Tensors) -> int:
        """Of each row."""
        return -(-inputs[0].shape[-1] // self.block_size) if self.block_size else 1

    def zeros(self, inputs: Tensors) -> int:
        """Zero points of a row, with those that fill its last byte."""
        each = 8 // PACKED_BITS.get(self.weight_dtype, 8)
        return -(-self.blocks(inputs) // each) * each

    def padding(self, inputs: Tensors) -> int:
        """What fills the last block of a row."""
        return self.blocks(inputs) * self.block_size - inputs[0].shape[-1] if self.block_size else 0

    def weights(self, inputs: Tensors) -> tuple[Weight, ...]:
        out, features, padding = self.out_features, inputs[0].shape[-1], self.padding(inputs)
        return (
            Weight("weight", (out, features), dtype=self.weight_dtype),
            *((Weight("bias", (out,)),) if self.bias else ()),
            Weight("scale", (out, self.blocks(inputs))),
            *((Weight("zero_point", (out, self.zeros(inputs)), dtype=self.weight_dtype),) if self.zero_point else ()),
            *((Weight("padding", (out, padding), is_buffer=True, dtype=self.weight_dtype),) if padding else ()),
        )

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        features = inputs[0].shape[-1]
        return (
            Contraction(outputs[0].numel * features, ()),
            Elementwise(self.out_features * features, Dequantize.operations, {}, "weights scaled back"),
            *((Elementwise(outputs[0].numel, 1, {}, "bias added"),) if self.bias else ()),
        )

    def autograd(self, call: Call) -> Autograd:
        """No kernel of these has a backward."""
        return Autograd((), (None,))

    def windows(self, inputs: Tensors, outputs: Tensors) -> Rules:
        return whole_last(outputs[0].rank)

    def working(self, inputs: Tensors, outputs: Tensors) -> tuple[Step, ...]:
        features = inputs[0].shape[-1]
        beside = self.blocks(inputs) + (self.zeros(inputs) if self.zero_point else 0) + self.bias
        values = {
            "rows": inputs[0].numel // features,
            "n_in": features,
            "n_out": self.out_features,
            "beside": beside,
        }
        macs = Step("MACs", "rows*n_in*n_out", values, "every output value is one sum of n_in products")
        axis = Step(f"output axis {inputs[0].rank - 1}", "n_out", values, "as out_features says")
        note = "beside each row its scales, zero points and bias"
        return (axis, Step("parameters", "(n_in + beside)*n_out", values, note), macs)
