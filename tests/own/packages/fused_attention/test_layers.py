"""The layer beside numbers worked out by hand, and beside torch: what the library itself would test."""

from __future__ import annotations

import pytest

from archcost.testing import Case, Row, checks
from fused_attention.layers import Attend

ROWS = [
    Row(
        Attend(causal=causal),
        inputs=((2, 3, 5, 7), (2, 3, 5, 7), (2, 3, 5, 7)),
        outputs=((2, 3, 5, 7), (2, 3, 5)),
        macs=2100,  # 2*3*5*5 * 7 * 2
        macs_backward_input=5250,  # 2*3*5*5 * 7 * 5
        forward=600,  # 2*3*5*5 * 4
        backward_input=1170,  # 2*3*5*5 * 5 + 2*3*5*7 * 2
        dtypes=("float32", "float32"),
    )
    for causal in (False, True)
]


@pytest.mark.parametrize("case", checks(ROWS), ids=str)
def test_attend(case: Case) -> None:
    case()
