"""Values as indices: classes as ones and zeros, and the bins of numbers. There is no gradient."""

from __future__ import annotations

from typing import ClassVar, Literal

from archcost.errors import ShapeError
from archcost.layers.base import Arity, Layer
from archcost.layers.card import Card, onnx
from archcost.layers.fields import Flag, Size
from archcost.layers.indexing.gather import placing, require_indices
from archcost.layers.rules import Autograd, Call
from archcost.tensors import Tensors, TensorType
from archcost.terms.expressions import Step
from archcost.work import Copy, Elementwise, Work


class OneHot(Layer):
    """For each class among `num_classes` a 1, the others 0, in a last axis of int64 (torch.nn.functional.one_hot)."""

    type: Literal["one_hot"] = "one_hot"
    prefix: ClassVar[str] = "one_hot"
    card: ClassVar[Card] = placing(
        "functional.one_hot", "one_hot", operator=onnx("OneHot"), promotion="named", time="copy"
    )
    num_classes: Size

    def output_types(self, inputs: Tensors) -> Tensors:
        require_indices(inputs[0], "the input")
        return (TensorType((*inputs[0].shape, self.num_classes), "int64"),)

    def autograd(self, call: Call) -> Autograd:
        return Autograd((), call.inputs)

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        """Writing zeros and ones is free."""
        return (Copy(outputs[0].numel, 0, {}, "values written"),)

    def working(self, inputs: Tensors, outputs: Tensors) -> tuple[Step, ...]:
        return (Step(f"output axis {inputs[0].rank}", "C", {"C": self.num_classes}, "as num_classes says"),)

    def windows(self, inputs: Tensors, outputs: Tensors) -> None:
        """A new axis, so no receptive field is followed."""
        return


class Bucketize(Layer):
    """The bin of each value between the rising boundaries of the second input, in int64 (torch.bucketize).

    Halving n boundaries takes ⌈log2(n + 1)⌉ comparisons a value. There is no gradient.
    """

    type: Literal["bucketize"] = "bucketize"
    prefix: ClassVar[str] = "bucketize"
    card: ClassVar[Card] = placing("torch.bucketize", "bucketize", promotion="named", time="copy")
    arity: ClassVar[Arity] = Arity(2, 2)
    right: Flag = False

    def output_types(self, inputs: Tensors) -> Tensors:
        if inputs[1].rank != 1:
            raise ShapeError("boundaries must be a list", expected="one axis", found=str(inputs[1]))
        return (TensorType(inputs[0].shape, "int64"),)

    def autograd(self, call: Call) -> Autograd:
        return Autograd((), call.inputs)

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        return (Elementwise(outputs[0].numel, inputs[1].numel.bit_length(), {}, "compared"),)


class SearchSorted(Layer):
    """Where each value of the second input belongs in the rising values of the first, in int64 (torch.searchsorted).

    The first is one list for all, or has one for each row of the second. Halving n values takes ⌈log2(n + 1)⌉
    comparisons. There is no gradient.
    """

    type: Literal["searchsorted"] = "searchsorted"
    prefix: ClassVar[str] = "searchsorted"
    card: ClassVar[Card] = placing("torch.searchsorted", promotion="named", time="copy")
    arity: ClassVar[Arity] = Arity(2, 2)
    right: Flag = False

    def output_types(self, inputs: Tensors) -> Tensors:
        rising, values = inputs
        if rising.rank != 1 and rising.shape[:-1] != values.shape[:-1]:
            raise ShapeError(
                "rows do not go together", expected=f"one list, or one for each row of {values}", found=str(rising)
            )
        return (TensorType(values.shape, "int64"),)

    def autograd(self, call: Call) -> Autograd:
        return Autograd((), call.inputs)

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        return (Elementwise(outputs[0].numel, inputs[0].shape[-1].bit_length(), {}, "compared"),)

    def working(self, inputs: Tensors, outputs: Tensors) -> tuple[Step, ...]:
        values = inputs[1].shape
        return tuple(
            [Step(f"output axis {axis}", "n", {"n": size}, "as the values") for axis, size in enumerate(values)]
        )
