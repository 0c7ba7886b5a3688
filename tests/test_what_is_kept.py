"""docs/what_is_kept.md is what the rules say."""

from __future__ import annotations

from tests import passing, releases
from tests.keeping import PAGE, table


def test_the_page_is_up_to_date() -> None:
    text = PAGE.read_text()
    assert releases.renew(text) == text, "make docs brings the page up to date"


def cells(type_: str, example: str, table: str) -> list[str]:
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()]
    return next(line[3:] for line in lines if line[:2] == [f"`{type_}`", example])


def test_lines_by_hand() -> None:
    """The result, what is kept, and where that differs: in evaluation, frozen, weights alone, on CUDA, permuted."""
    kept, same = table(), [""] * 5
    assert cells("relu", "", kept) == ["new", "output", *same]
    assert cells("silu", "`inplace: true`", kept) == ["the input's", "**copy of the input** (2×3×5×7 = 210)", *same]
    assert cells("flatten", "", kept) == ["the input's; if permuted new", "nothing", *same]
    assert cells("linear", "`out_features: 5`", kept) == ["new", "weight, input", "", "weight", "input", "", ""]
    assert cells("dropout", "", kept) == [
        "new; in evaluation the input's",
        "**mask** (2×7 = 14)",
        "nothing",
        "",
        "",
        "**mask** (2×7 = 14 bool)",
        "",
    ]
    assert cells("max_pool2d", "`kernel_size: 2`", kept) == ["new", "input, **indices** (2×3×3×5 = 90 int64)", *same]


def test_what_is_made_and_dropped_by_hand() -> None:
    """What backward hands on; made and dropped in forward, in forward where nobody needs a gradient, in backward."""
    made = passing.table()
    assert cells("add", "", made) == ["to all itself", "", "", ""]
    assert cells("flatten", "", made) == ["a view", "", "", ""]
    assert cells("max_pool2d", "`kernel_size: 2`", made) == ["", "", "indices (2×3×3×5 = 90 int64)", ""]
    assert cells("l1_penalty", "`weight: 0.001`", made) == ["", *["absolute values (2×7 = 14)"] * 2, "signs (2×7 = 14)"]
    assert "`relu`" not in made
