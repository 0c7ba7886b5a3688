"""Recurrent modules: cells step by step, and torch's own sequences."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.importers.held import Holder, held

CELLS = (nn.RNNCell, nn.GRUCell, nn.LSTMCell)


def once(m: Any, x: Tensor, h: Tensor) -> Any:
    return m.cell(x, (h, 2 * h) if isinstance(m.cell, nn.LSTMCell) else h)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("cell", CELLS)
def test_a_cell(cell: type[nn.RNNCellBase], bias: bool) -> None:
    """Its gates are no views to autograd, which torch writes into (unsafe_chunk)."""
    module = Holder(once, cell=cell(5, 7, bias=bias))
    spec = held(module, torch.zeros(1, 5), torch.zeros(1, 7))
    pieces = [layer for layer in spec.layers if layer.type == "split"]
    assert all(layer.model_dump()["unsafe"] for layer in pieces)
    assert bool(pieces) == (cell is not nn.RNNCell)
