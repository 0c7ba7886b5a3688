"""Recurrent layers in torch, their outputs side by side: all states, and the last ones."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from archcost.layers import GRU, LSTM, RNN
from archcost.pytorch.layers.base import Factory, Inputs, settings


class TanhStates(nn.RNN):
    def forward(self, sequence: Tensor) -> tuple[Tensor, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        return super().forward(sequence)


class GatedStates(nn.GRU):
    def forward(self, sequence: Tensor) -> tuple[Tensor, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        return super().forward(sequence)


class LongStates(nn.LSTM):
    """The last states are two: hidden and cell."""

    def forward(self, sequence: Tensor) -> tuple[Tensor, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        hidden, last = super().forward(sequence)
        return (hidden, *last)


def recurrent(module: Callable[..., nn.Module]) -> Factory:
    def factory(layer: RNN | GRU | LSTM, inputs: Inputs) -> nn.Module:
        return module(inputs[0].shape[-1], **settings(layer))

    return factory


FACTORIES: dict[str, Factory] = {
    "rnn": recurrent(TanhStates),
    "gru": recurrent(GatedStates),
    "lstm": recurrent(LongStates),
}
