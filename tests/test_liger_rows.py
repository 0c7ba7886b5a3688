"""What the program on Liger-Kernel's benchmark found, and some of its rows again."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tests.large_programs import liger


def test_every_row_is_near() -> None:
    errors = [abs(each.error) for each in liger.compared()]
    assert len(errors) == 187
    assert sum(error < 0.02 for error in errors) == 186  # the other is of 4,096 bytes in all
    assert sum(error < 1e-5 for error in errors) >= 100


def test_the_page_is_what_the_results_say() -> None:
    assert liger.PAGE.read_text() == liger.page()


def some() -> list[liger.Row]:
    """The last of each operator and mode: the largest."""
    return list({(row.kernel, row.mode, row.gpu): row for row in liger.rows()}.values())


@pytest.mark.parametrize("row", some(), ids=lambda row: f"{row.kernel}-{row.mode}-{row.gpu}")
def test_rows(row: liger.Row) -> None:
    assert liger.peak(row) == pytest.approx(row.archcost, abs=1e-5)


def test_between_tables_the_rows_of_embeddings_differ_as_ours_do() -> None:
    """What lies there beside is the same from 16,384 words on."""
    large = [row for row in liger.rows() if row.kernel == liger.LEFT_OUT and row.x >= 16_384]
    for first, second in pairwise(large):
        if first.settings == second.settings:
            assert second.mebibytes - first.mebibytes == pytest.approx(second.archcost - first.archcost)
