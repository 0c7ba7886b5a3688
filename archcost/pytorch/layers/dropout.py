"""Dropout in torch."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from archcost.pytorch.layers.base import Factory, plain


class AlphaDropout(nn.AlphaDropout):
    """Torch's own module forgets `inplace`."""

    def forward(self, input: Tensor) -> Tensor:
        return functional.alpha_dropout(input, self.p, self.training, self.inplace)


FACTORIES: dict[str, Factory] = {
    "dropout": plain(nn.Dropout),
    "dropout1d": plain(nn.Dropout1d),
    "dropout2d": plain(nn.Dropout2d),
    "dropout3d": plain(nn.Dropout3d),
    "alpha_dropout": plain(AlphaDropout),
}
