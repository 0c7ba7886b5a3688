"""Rows in groups, each group times a matrix of its own: the experts of a mixture."""

from __future__ import annotations

from typing import ClassVar, Literal

from archcost.errors import ShapeError
from archcost.layers.base import Arity, Layer
from archcost.layers.card import Card
from archcost.layers.checks import require_rank
from archcost.layers.dtypes import AS_GIVEN
from archcost.layers.matmul.product import require_products
from archcost.layers.rules import Autograd, Call, Placement, Timing, own_storage
from archcost.tensors import Tensors, TensorType
from archcost.terms.autograd import Input, Own
from archcost.terms.expressions import Step
from archcost.terms.time_classes import is_unaligned
from archcost.work import Contraction, Work


class GroupedMM(Layer):
    """(S, k) rows in E groups, one after the other, each times its own of (E, k, n) matrices → (S, n)
    (torch.nn.functional.grouped_mm).

    Where each group ends, values decide: a third input says it, (E,) int32, or the layer makes one. Products, results
    and what is kept are the same for any groups, empty ones too, so S need not be a multiple of E. Kept are both
    inputs, and the ends.
    """

    type: Literal["grouped_mm"] = "grouped_mm"
    prefix: ClassVar[str] = "grouped"
    arity: ClassVar[Arity] = Arity(2, 3)
    card: ClassVar[Card] = Card(
        torch=None,
        calls=(),
        onnx=None,
        autocast=AS_GIVEN,
        promotion="first",
        fvcore="nothing",
        time="batched product",
        blas=True,
    )
    assumption: ClassVar[str] = "every expert is chosen equally often, whatever the values"

    def output_types(self, inputs: Tensors) -> Tensors:
        rows, matrices = inputs[:2]
        require_rank(rows, 2, "(rows, values)")
        require_rank(matrices, 3, "(groups, values, columns)")
        require_products((rows, matrices))
        ends = TensorType((matrices.shape[0],), "int32")
        if len(inputs) > 2 and inputs[2] != ends:
            raise ShapeError(
                "the third input must say where each group ends",
                expected=f"{ends} int32",
                found=f"{inputs[2]} {inputs[2].dtype}",
            )
        return (TensorType((rows.shape[0], matrices.shape[2]), rows.dtype),)

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        return (Contraction(outputs[0].numel * inputs[0].shape[1], (0, 1)),)

    def autograd(self, call: Call) -> Autograd:
        """Each is kept for the other's gradient, and where groups end for both."""
        kept = tuple([Input(1 - operand) for operand in (1, 0) if call.needs(operand)])
        matrices = call.inputs[1]
        ends = Input(2) if len(call.inputs) > 2 else Own("ends", TensorType(matrices.shape[:1], "int32"))
        return Autograd((*kept, ends), (*call.inputs[:2], *[None for _ in call.inputs[2:]]))

    def placement(self, call: Call) -> Placement:
        return own_storage(call)

    def timing(self, inputs: Tensors, outputs: Tensors) -> Timing:
        """A matrix's share of the rows, columns and depth."""
        (rows, columns), depth = outputs[0].shape, inputs[0].shape[1]
        unaligned = is_unaligned(inputs[0].dtype, columns, depth)
        extents = (-(-rows // inputs[1].shape[0]), columns, depth)
        return Timing("unaligned batched product" if unaligned else self.card.time, extents)

    def windows(self, inputs: Tensors, outputs: Tensors) -> None:
        """Tokens have lost their places."""
        return

    def working(self, inputs: Tensors, outputs: Tensors) -> tuple[Step, ...]:
        (rows, columns), depth = outputs[0].shape, inputs[0].shape[1]
        values = {"rows": rows, "k": depth, "n": columns}
        width = Step("output axis 1", "n", {"n": columns}, "columns of each matrix")
        return (
            width,
            Step("MACs", "rows*k*n", values, "each row meets one of the matrices"),
        )
