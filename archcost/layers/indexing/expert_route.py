"""Mixtures of experts: who reads what is decided by values, of which a cost model knows none."""

from __future__ import annotations

from typing import ClassVar, Literal

from archcost.errors import ShapeError
from archcost.layers.base import Layer
from archcost.layers.card import Card
from archcost.layers.fields import Size
from archcost.layers.indexing.gather import placing
from archcost.layers.rules import Autograd, Call
from archcost.tensors import Tensors, TensorType
from archcost.terms.autograd import Own
from archcost.terms.expressions import Step
from archcost.work import Gather, Work


class ExpertRoute(Layer):
    """Choices of experts (B, …, k), int64 → the tokens that each expert reads (E, n), and where its answers go.

    Each of the E experts, of which `num_experts` says how many there are, reads n = B·…·k/E tokens: it is chosen as
    often as any other. The second output (B, …, k) says of each choice where its answer stands among the E·n. Both are
    indices: the choices sorted by expert, and the inverse of that order.
    """

    type: Literal["expert_route"] = "expert_route"
    prefix: ClassVar[str] = "route"
    card: ClassVar[Card] = placing(None)
    assumption: ClassVar[str] = "every expert is chosen equally often, whatever the values"
    num_experts: Size

    def output_types(self, inputs: Tensors) -> Tensors:
        choices = inputs[0]
        if choices.dtype != "int64" or choices.rank < 2:
            raise ShapeError(
                "needs choices of experts", expected="(batch, …, choices) int64", found=f"{choices} {choices.dtype}"
            )
        if choices.numel % self.num_experts:
            raise ShapeError(
                "num_experts does not divide the choices, of which each expert gets an equal share",
                expected=f"a divisor of {choices.numel:,}",
                found=str(self.num_experts),
            )
        shared = (self.num_experts, choices.numel // self.num_experts)
        return (TensorType(shared, "int64"), choices)

    def autograd(self, call: Call) -> Autograd:
        """The order, and beside it what is sorted the second time."""
        choices = call.outputs[1]
        return Autograd((), call.inputs, forward=(Own("order", choices), Own("sorted", choices)))

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        """Sorting indices is free, as moving values is."""
        return (Gather(inputs[0].numel, 0, {}, "choices sorted"),)

    def windows(self, inputs: Tensors, outputs: Tensors) -> None:
        """Tokens lose their places."""
        return

    def working(self, inputs: Tensors, outputs: Tensors) -> tuple[Step, ...]:
        values = {"choices": inputs[0].numel, "E": self.num_experts}
        return (Step("output axis 0", "E", values), Step("output axis 1", "choices//E", values, "an equal share"))
