"""A weight as its direction times a length (Salimans and Kingma, 2016, arXiv 1602.07868)."""

from __future__ import annotations

from typing import ClassVar, Literal

from archcost.errors import ShapeError
from archcost.layers.base import Arity, Layer
from archcost.layers.card import Card
from archcost.layers.checks import normalize_axis, require_floating
from archcost.layers.dtypes import AS_GIVEN
from archcost.layers.fields import Axis
from archcost.layers.rules import Autograd, Call, Placement, Quirk, own_storage
from archcost.tensors import DTYPE_BYTES, Tensors, TensorType
from archcost.terms.autograd import Input, Own
from archcost.terms.memory_format import is_row_major
from archcost.work import Elementwise, Reduction, Shared, Work


class WeightNorm(Layer):
    """v·g/‖v‖, a length g for each position along `dim`, the first axis or the last, for which torch has one kernel
    (torch._weight_norm, as of torch.nn.utils.weight_norm). Inputs are v and g.
    """

    type: Literal["weight_norm"] = "weight_norm"
    prefix: ClassVar[str] = "weight_norm"
    arity: ClassVar[Arity] = Arity(2, 2)
    card: ClassVar[Card] = Card(
        torch=None,
        calls=("_weight_norm",),
        onnx=None,
        autocast=AS_GIVEN,
        promotion="promoted",
        fvcore="nothing",
        time="reduction",
        blas=False,
    )
    quirks: ClassVar[frozenset[Quirk]] = frozenset(["copies pieces"])
    dim: Axis = 0

    def output_types(self, inputs: Tensors) -> Tensors:
        directions, lengths = inputs
        require_floating(inputs)
        axis = normalize_axis(self.dim, directions.rank)
        if axis not in (0, directions.rank - 1):
            raise ShapeError(
                "dim is neither the first axis nor the last",
                expected=f"0 or {directions.rank - 1}",
                found=str(self.dim),
                hint="norm, div and mul, as torch composes it",
            )
        expected = TensorType(
            tuple([size if each == axis else 1 for each, size in enumerate(directions.shape)]), directions.dtype
        )
        if lengths != expected:
            raise ShapeError("lengths do not go with the directions", expected=str(expected), found=str(lengths))
        return (directions,)

    def autograd(self, call: Call) -> Autograd:
        """Both inputs are kept, copied where they do not lie in rows, and the norms, whichever gradient is wanted: one
        kernel makes both (native/WeightNorm.cpp).
        """
        lengths = call.inputs[1]
        dtype = "float32" if DTYPE_BYTES[lengths.dtype] == 2 else lengths.dtype
        copies = ("copy of the directions", "copy of the lengths")
        rows = [
            Input(index) if is_row_major(tensor.shape, call.setting.layout(index)) else Own(copies[index], tensor)
            for index, tensor in enumerate(call.inputs)
        ]
        unwanted = [tensor for index, tensor in enumerate(call.inputs) if not call.needs(index)]
        backward = tuple([Own("a gradient that nobody wants", tensor) for tensor in unwanted])
        saved = (*rows, Own("norms", TensorType(lengths.shape, dtype)))
        return Autograd(saved, call.inputs, backward=backward, saves_for_nobody=True)

    def placement(self, call: Call) -> Placement:
        return own_storage(call)

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        """Squares and their sum, the product with g/‖v‖; backward Σ dw·v for both, and (g/‖v‖)·(dw − v·(…)) for v."""
        numel = inputs[0].numel
        return (
            Reduction(numel, 2, {}, "squares"),
            Elementwise(numel, 1, {0: 3}, "scaled"),
            Shared(Reduction(numel, 2, {}), (0, 1), "products with the directions, summed"),
        )

    def windows(self, inputs: Tensors, outputs: Tensors) -> None:
        """A weight has no positions."""
        return
