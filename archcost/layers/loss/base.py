"""What all losses have in common: a card, and how their values are put together."""

from __future__ import annotations

from typing import ClassVar, Literal

from archcost.layers.base import Layer
from archcost.layers.card import Card
from archcost.layers.dtypes import Autocast, Outcome
from archcost.tensors import Tensors
from archcost.terms.time_classes import TimeClass

Folding = Literal["mean", "sum", "none"]
"""One number for all values, or what there is a value or a sample (torch's `reduction`)."""


def losing(
    torch: str | None,
    autocast: Autocast,
    time: TimeClass = "reduction",
    promotion: Outcome = "first",
    calls: tuple[str, ...] = (),
) -> Card:
    """The card of a loss. Without `calls` torch composes it of others, which are heard one by one."""
    return Card(
        torch=torch,
        calls=calls,
        onnx=None,
        autocast=autocast,
        promotion=promotion,
        fvcore="nothing",
        time=time,
        blas=False,
    )


class Loss(Layer):
    """Several axes in, a scalar out, or with `reduction: none` values of their own."""

    prefix: ClassVar[str] = "loss"

    def windows(self, inputs: Tensors, outputs: Tensors) -> None:
        return None


class FoldedLoss(Loss):
    """One with torch's `reduction`."""

    reduction: Folding = "mean"
