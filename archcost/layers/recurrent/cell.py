"""What recurrent layers have in common: their cells, and their cards."""

from __future__ import annotations

from typing import NamedTuple

from archcost.layers.card import Card, onnx
from archcost.layers.dtypes import IN_16_BITS, Autocast, Outcome
from archcost.work import Operand


class Cell(NamedTuple):
    """One layer in one direction."""

    suffix: str
    features: int
    """Of its input at a step."""
    below: tuple[Operand, ...]
    """What its input's gradient is needed for."""


def recurrent(operator: str, *calls: str, autocast: Autocast = IN_16_BITS, promotion: Outcome = "first") -> Card:
    """The card of a recurrent layer."""
    return Card(
        torch=None,
        calls=calls,
        onnx=onnx(operator),
        autocast=autocast,
        promotion=promotion,
        fvcore="nothing",
        time="recurrent",
        blas=False,
    )
