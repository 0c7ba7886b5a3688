"""docs/runs.md: published runs beside ours, and what may be said of them."""

from __future__ import annotations

import pytest

from archcost.errors import ArchcostError
from tests.measurements import runs


def test_the_page_is_up_to_date() -> None:
    assert runs.block() in runs.PAGE.read_text(), "make docs brings the page up to date"


def test_no_run_was_faster_than_can_be() -> None:
    """Published hours lie above the lower end, and no device does more than its data sheet says."""
    for each in runs.compared():
        assert each.beyond >= 1 or each.status != "bound", each.row["name"]
        assert each.mfu[1] < 1, each.row["name"]


def test_those_of_todays_kernels_are_inside() -> None:
    """One library on one kind of card: GPT-3's sizes in a node of A100, and Llama 2."""
    for each in runs.compared():
        todays = each.row["name"].startswith(("GPT-3", "TinyLlama", "Llama 2"))
        if todays and each.status == "bound":
            assert each.beyond == 1, each.row["name"]


def test_none_is_off_by_more_than_its_own_kind_explains() -> None:
    """Hours of reading data and of waiting for each other are in the published ones."""
    assert max(max(each.beyond, 1 / each.beyond) for each in runs.compared()) < 2.5


def test_the_tables_are_in_order() -> None:
    """AlexNet's hours and FLOPs, by hand."""
    [alexnet] = [each for each in runs.compared() if each.row["name"] == "AlexNet"]
    # five and six days of two cards
    assert alexnet.published == (2 * 5 * 24, 2 * 6 * 24)
    # 0.75 GMAC as OpenAI has it: 1.2 M * 90 * 0.75 G * 6 = 4.86e17; the first layer has no gradient of its input
    assert alexnet.flops == pytest.approx(4.86e17, rel=0.1)


def test_a_row_without_a_length_is_refused() -> None:
    row = {**runs.rows("whole_runs")[0], "epochs": ""}
    with pytest.raises(ArchcostError, match="how long the run is"):
        runs._settings(row)  # pyright: ignore[reportPrivateUsage]
