"""Triangles, diagonals, classes, bins and sliding views in torch."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from archcost.pytorch.layers.base import Factory, function

FACTORIES: dict[str, Factory] = {
    "tril": function(torch.tril),
    "triu": function(torch.triu),
    "diagonal": function(torch.diagonal),
    "tensor_unfold": function(Tensor.unfold),
    "one_hot": function(functional.one_hot),
    "bucketize": function(torch.bucketize),
}
