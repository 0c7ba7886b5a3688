"""Dropout in torch, but for what cards name."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from archcost.layers import AlphaDropout
from archcost.pytorch.layers.base import Inputs, mirrors, settings


class AlphaDropping(nn.AlphaDropout):
    """Torch's own module forgets `inplace`."""

    def forward(self, input: Tensor) -> Tensor:
        return functional.alpha_dropout(input, self.p, self.training, self.inplace)


@mirrors(AlphaDropout)
def alpha_dropout(layer: AlphaDropout, inputs: Inputs) -> nn.Module:
    return AlphaDropping(**settings(layer))
