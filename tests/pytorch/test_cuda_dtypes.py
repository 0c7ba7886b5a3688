"""Shapes and dtypes that come out on CUDA, of fake tensors: any build of torch tells them, under `no_grad`.

Under autocast they are test_autocast_rows.py's; what is kept for backward is asked of a CUDA build (test_cuda_column).
"""

from __future__ import annotations

from typing import Literal

import pytest
import torch

from archcost.errors import ShapeError
from archcost.layers.shape.copy import WEIGHTS, Cast
from tests.layers.cuda_witness import reason_to_read
from tests.pytorch.cuda_column import ROWS, made, ruled_outputs
from tests.pytorch.test_autocast_rows import ASK_FOR_A_DRIVER, FAKES_TAKE, HAS_CUDA

ASKS_FOR_VALUES = frozenset(["linear_cross_entropy"])
"""Types that ask how many labels count, which fake tensors do not know."""


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_what_comes_out(precision: Literal["fp32", "bf16"]) -> None:
    compared = 0
    for row in ROWS:
        follows = isinstance(row.layer, Cast) and row.layer.dtype == WEIGHTS  # of which a layer alone has none
        if follows or reason_to_read(row) or (row.layer.type in ASK_FOR_A_DRIVER and not HAS_CUDA):
            continue
        if row.layer.type in ASKS_FOR_VALUES:
            continue
        if (
            row.layer.type == "dequantize" and precision == "bf16"
        ):  # what it makes is named; a network's, retyped with it
            continue
        try:
            ruled = ruled_outputs(row, precision)
        except ShapeError:
            if row.layer.type not in FAKES_TAKE:
                with pytest.raises(RuntimeError):
                    made(row, precision, training=True)
            continue
        wanted = [(tensor.shape, getattr(torch, tensor.dtype)) for tensor in ruled]
        assert made(row, precision, training=True) == wanted, str(row)
        compared += 1
    assert compared > 500
