"""What a remedy costs, so that two of them can be compared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from archcost.planning.changes import Option, Price


class Cost(NamedTuple):
    """Compared from the left: the first place in which two costs differ decides."""

    task: int
    adaptation: int
    training: int
    """Place of the optimizer in its list, behind batch norms that see fewer samples."""
    transfers: int
    arithmetic: int
    flops: float
    """Done twice, as a share of forward and backward."""
    passes: int
    changes: int

    @property
    def price(self) -> Price:
        """The dearest of its parts."""
        for price in ("task", "adaptation", "training", "transfers", "arithmetic"):
            if getattr(self, price):
                return price
        return "FLOPs" if self.flops else "free"


FREE = Cost(0, 0, 0, 0, 0, 0.0, 1, 0)

PLACED: tuple[Price, ...] = ("adaptation", "training", "transfers", "arithmetic")
"""Prices that are compared by the places of their options."""


def placed(options: Sequence[Option]) -> Cost:
    """The part of a cost that lies in the places of options; FLOPs are left open."""
    places = {price: sum([each.place for each in options if each.change.price == price]) for price in PLACED}
    places["training"] += places["training"] > 0  # batch norms that see fewer samples stand before all optimizers
    return FREE._replace(**places, changes=len(options))
