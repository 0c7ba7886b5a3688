"""The optimizers of docs/conventions.md."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

from archcost.costs.optimizer_operations import operations
from archcost.passes.optimizer import Optimizer
from archcost.tensors import TensorType

PAGE = Path(__file__).parents[1] / "docs" / "conventions.md"


def test_the_optimizers_are_on_the_page() -> None:
    """Operations a weight, of a matrix that is large enough for 8 bits."""
    written = re.findall(r"^\| `([a-z0-9-]+)` \| (\d+) \| ", PAGE.read_text(), re.MULTILINE)
    matrix = TensorType((128, 64))
    counted = {
        optimizer: operations(optimizer, matrix)
        for optimizer in get_args(Optimizer)
        if optimizer not in ("none", "muon")
    }
    assert {optimizer: int(each) * matrix.numel for optimizer, each in written} == counted
