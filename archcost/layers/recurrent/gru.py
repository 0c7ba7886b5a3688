"""Gated recurrent units: step by step, as torch composes them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import ClassVar, Literal

from archcost.layers.card import Card
from archcost.layers.dtypes import Autocast
from archcost.layers.recurrent.cell import Cell, recurrent
from archcost.layers.recurrent.inference import Made
from archcost.layers.recurrent.rnn import Recurrent
from archcost.tensors import TensorType
from archcost.terms.autograd import Own, Saved
from archcost.work import Operand


class GRU(Recurrent):
    """r, z = σ(·), n = tanh(W·x + b + r·(U·h + c)), h = n + z·(h − n) (torch.nn.GRU).

    On a CPU torch composes it: products are in 16 bits under autocast, and the state keeps its dtype.
    """

    prefix: ClassVar[str] = "gru"
    type: Literal["gru"] = "gru"
    card: ClassVar[Card] = recurrent("GRU", "gru", autocast=Autocast("as given", "16 bits"), promotion="last")
    gates: ClassVar[int] = 3
    cell: ClassVar[tuple[int, int]] = (13, 15)

    def _step(self, batch: int) -> Made:
        """Three products with the state, n and the new state."""
        state = batch * self.hidden_size
        return Made(5 * state, state)

    def _kept_of_steps(
        self, positions: int, state: TensorType, cell: Cell, needs: Collection[Operand]
    ) -> Iterator[Saved]:
        suffix = cell.suffix
        products = TensorType((state.shape[0], 3 * state.shape[1]), state.dtype)
        for step in range(1, positions + 1):
            yield from (Own(f"{suffix}, gate {gate} of step {step}", state) for gate in "rzn")
            yield Own(f"{suffix}, products of step {step}", products)
        if self.names(suffix)[1] in needs:
            yield from (Own(f"{suffix}, state {step}", state) for step in range(1, positions))
