"""docs/conventions.md is what the layers say."""

from __future__ import annotations

import re
from typing import get_args

from archcost.costs.optimizers import operations
from archcost.passes.run import Optimizer
from archcost.tensors import TensorType
from tests.conventions import PAGE, renew, table


def test_the_page_is_up_to_date() -> None:
    text = PAGE.read_text()
    assert renew(text) == text, "make docs brings the page up to date"


def test_the_table_shows_both_columns_and_both_ways() -> None:
    """Three lines by hand: a contraction with its bias, a pool over a 2 by 2 window, an activation."""
    lines = [[cell.strip() for cell in line.split("|")[3:8]] for line in table().splitlines()]
    assert ["products summed", "MAC", "2", "2", "2"] in lines
    assert ["bias added", "output value", "1", "0", "1"] in lines
    assert ["maximum of a window", "output value", "4", "1", "0"] in lines
    assert ["sigmoid", "output value", "4", "3", "0"] in lines


def test_the_optimizers_are_on_the_page() -> None:
    """Operations a weight, of a matrix that is large enough for 8 bits."""
    written = re.findall(r"^\| `([a-z0-9-]+)` \| (\d+) \| ", PAGE.read_text(), re.MULTILINE)
    matrix = TensorType((128, 64))
    counted = {optimizer: operations(optimizer, matrix) for optimizer in get_args(Optimizer) if optimizer != "none"}
    assert {optimizer: int(each) * matrix.numel for optimizer, each in written} == counted
