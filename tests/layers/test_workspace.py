"""What oneDNN keeps of an LSTM, beside the tensor in which torch hands it out."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from archcost.layers.recurrent.lstm import onednn_workspace


class Workspace(TorchDispatchMode):
    nbytes = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        results = func(*args, **(kwargs or {}))
        if "mkldnn_rnn_layer" in str(func):
            self.nbytes = results[-1].nbytes
        return results


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize(
    ("positions", "batch", "features", "hidden"),
    [(9, 5, 8, 4), (14, 30, 8, 8), (9, 5, 3, 17), (3, 64, 40, 24), (3, 64, 100, 48), (9, 5, 16, 64), (1, 1, 1, 1)],
)
def test_workspace(positions: int, batch: int, features: int, hidden: int, dtype: torch.dtype) -> None:
    module = nn.LSTM(features, hidden, dtype=dtype)
    with Workspace() as seen:
        module(torch.zeros(positions, batch, features, dtype=dtype))
    assert seen.nbytes == onednn_workspace(positions, batch, features, hidden, dtype.itemsize)
