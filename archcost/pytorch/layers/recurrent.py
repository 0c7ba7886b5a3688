"""Recurrent layers in torch, their outputs side by side: all states, and the last ones."""

from __future__ import annotations

import warnings

from torch import Tensor, nn

from archcost.layers import GRU, LSTM, RNN
from archcost.pytorch.layers.base import Inputs, mirrors, settings


class TanhStates(nn.RNN):
    def forward(self, sequence: Tensor, first: Tensor | None = None) -> tuple[Tensor, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        return super().forward(sequence, first)


class GatedStates(nn.GRU):
    def forward(self, sequence: Tensor, first: Tensor | None = None) -> tuple[Tensor, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        return super().forward(sequence, first)


class LongStates(nn.LSTM):
    """First and last states are two each: hidden and cell."""

    def forward(self, sequence: Tensor, *first: Tensor) -> tuple[Tensor, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        hidden, last = super().forward(sequence, (first[0], first[1]) if first else None)
        return (hidden, *last)


STATES = {RNN: TanhStates, GRU: GatedStates, LSTM: LongStates}


@mirrors(*STATES)
def recurrent(layer: RNN | GRU | LSTM, inputs: Inputs) -> nn.Module:
    with warnings.catch_warnings():  # torch warns of a dropout where there is one layer, which it then leaves out
        warnings.simplefilter("ignore")
        return STATES[type(layer)](inputs[0].shape[-1], **settings(layer))
