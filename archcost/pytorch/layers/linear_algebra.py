"""Factors of matrices in torch."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from archcost.layers import Inverse, Solve, SolveTriangular
from archcost.pytorch.layers.base import Called, Inputs, mirrors

LINALG: Any = torch.linalg
"""It comes without types."""


@mirrors(Inverse)
def inverse(layer: Inverse, inputs: Inputs) -> nn.Module:
    return Called(LINALG.inv, {})


@mirrors(Solve)
def solve(layer: Solve, inputs: Inputs) -> nn.Module:
    return Called(LINALG.solve, {})


@mirrors(SolveTriangular)
def solve_triangular(layer: SolveTriangular, inputs: Inputs) -> nn.Module:
    return Called(LINALG.solve_triangular, {"upper": layer.upper})
