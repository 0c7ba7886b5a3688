"""Patches of images in torch."""

from __future__ import annotations

from torch import nn

from archcost.pytorch.layers.base import Factory, plain

FACTORIES: dict[str, Factory] = {"unfold": plain(nn.Unfold), "fold": plain(nn.Fold)}
