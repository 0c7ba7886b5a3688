"""The harness that holds archcost's own layers against torch, for layers of one's own.

    from archcost.testing import Row, checks

    ROWS = (
        Row(
            Attend(causal=True),
            inputs=((2, 3, 5, 7),) * 3,
            outputs=((2, 3, 5, 7), (2, 3, 5)),
            macs=2100,  # 2 * 2*3*5*5 * 7
            forward=600,  # 2*3*5*5 * 4
            backward_input=600,
            dtypes=("float32", "float32"),
        ),
    )

    @pytest.mark.parametrize("case", checks(ROWS), ids=str)
    def test_attend(case):
        case()

Each row is one layer on given inputs with numbers that were worked out by hand; `check(Attend, ROWS)` makes all
comparisons at once. Without torch only those with the hand are made.
"""

from archcost.testing.checks import Case, check, checks
from archcost.testing.rows import Row

__all__ = ["Case", "Row", "check", "checks"]
