"""Products of integers: with a matrix of weights, or of two tensors."""

from __future__ import annotations

from typing import ClassVar, Literal

from archcost.errors import ShapeError
from archcost.layers.base import Arity, Layer, Weight
from archcost.layers.card import Card
from archcost.layers.fields import Flag, Size
from archcost.layers.matmul.product import Product, stretched_axes
from archcost.layers.quantization.scaling import CodeDtype
from archcost.layers.quantization.weights import PerChannel, product_card, require_integers, scaled
from archcost.layers.rules import Autograd, Call
from archcost.tensors import Tensors, TensorType
from archcost.terms.expressions import Step
from archcost.terms.windows import Rules, whole_last
from archcost.work import Contraction, Elementwise, Work


class IntegerLinear(PerChannel, Layer):
    """(…, in) → (…, out) of integers: sums in int32, or scaled to 8 or 16 bits again (MatMulInteger, QLinearMatMul).

    The weight (out, in) is of `weight_dtype`, the bias of int32; `scale` and `zero_point` say that there is one of each
    for every output feature. MACs rows·in·out. Nothing has a gradient.
    """

    type: Literal["integer_linear"] = "integer_linear"
    prefix: ClassVar[str] = "fc"
    card: ClassVar[Card] = product_card("product")
    untouched: ClassVar[frozenset[int]] = frozenset({0})
    out_features: Size
    bias: Flag = False
    dtype: CodeDtype = "int32"

    def output_types(self, inputs: Tensors) -> Tensors:
        require_integers(inputs)
        if inputs[0].rank < 2:
            raise ShapeError("needs features", expected="(batch, …, features)", found=str(inputs[0]))
        return (TensorType((*inputs[0].shape[:-1], self.out_features), self.dtype),)

    def weights(self, inputs: Tensors) -> tuple[Weight, ...]:
        return self.own_weights((self.out_features, inputs[0].shape[-1]), self.out_features, self.bias)

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        product = Contraction(outputs[0].numel * inputs[0].shape[-1], (), inputs[0].dtype)
        added = (Elementwise(outputs[0].numel, 1, {}, "bias added"),) if self.bias else ()
        return (product, *added, *scaled(outputs[0]))

    def autograd(self, call: Call) -> Autograd:
        """Integers have no gradient."""
        return Autograd((), (None,))

    def windows(self, inputs: Tensors, outputs: Tensors) -> Rules:
        return whole_last(outputs[0].rank)

    def working(self, inputs: Tensors, outputs: Tensors) -> tuple[Step, ...]:
        features = inputs[0].shape[-1]
        values = {"rows": inputs[0].numel // features, "n_in": features, "n_out": self.out_features}
        each = self.bias + self.per_channel
        formula = f"(n_in + {each})*n_out" if each else "n_in*n_out"
        macs = Step("MACs", "rows*n_in*n_out", values, "every output value is one sum of n_in products")
        axis = Step(f"output axis {inputs[0].rank - 1}", "n_out", values, "as out_features says")
        return (axis, Step("parameters", formula, values), macs)


class IntegerMatMul(Product):
    """(…, m, k) · (…, k, n) → (…, m, n) of integers; leading axes stretch as in a sum (torch.matmul of int8, _int_mm).

    Sums come out in `dtype`; in fewer bits they keep their lowest, or where they are `rescaled` are brought into its
    range, as by `quantize`. Nothing has a gradient.
    """

    type: Literal["integer_matmul"] = "integer_matmul"
    prefix: ClassVar[str] = "matmul"
    card: ClassVar[Card] = product_card("batched product")
    arity: ClassVar[Arity] = Arity(2, 2)
    untouched: ClassVar[frozenset[int]] = frozenset({0, 1})
    dtype: CodeDtype = "int32"
    rescaled: Flag = False

    def output_types(self, inputs: Tensors) -> Tensors:
        left, right = inputs
        require_integers(inputs)
        if min(left.rank, right.rank) < 2:
            found = f"{left} and {right}"
            raise ShapeError("needs matrices", expected="(…, rows, columns)", found=found)
        if left.shape[-1] != right.shape[-2]:
            expected = f"(…, {left.shape[-1]}, n) after {left}"
            raise ShapeError("matrices do not go together", expected=expected, found=str(right))
        return (TensorType((*stretched_axes(inputs), left.shape[-2], right.shape[-1]), self.dtype),)

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        product = Contraction(outputs[0].numel * inputs[0].shape[-1], (), inputs[0].dtype)
        return (product, *scaled(outputs[0])) if self.rescaled else (product,)

    def autograd(self, call: Call) -> Autograd:
        """Integers have no gradient."""
        return Autograd((), (None, None))
