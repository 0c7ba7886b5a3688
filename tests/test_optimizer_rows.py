"""What the program on published runs of large models found, and the rows of our own Llama."""

from __future__ import annotations

from statistics import median

import pytest

from tests.large_programs import optimizer_rows
from tests.large_programs.optimizer_rows import OptimizerRun


def test_complete_rows_are_near() -> None:
    whole = [row for row in optimizer_rows.compared() if row.run.complete]
    assert len(whole) >= 10
    assert median(optimizer_rows.errors(whole)) < 0.01
    assert max(optimizer_rows.errors(whole)) < 0.05


def test_the_others_say_what_is_missing() -> None:
    assert all(row.run.note for row in optimizer_rows.compared() if not row.run.complete)
    assert median(optimizer_rows.errors(optimizer_rows.compared())) < 0.05


def test_the_page_is_what_the_results_say() -> None:
    assert optimizer_rows.PAGE.read_text() == optimizer_rows.page()


@pytest.mark.parametrize(
    "run", [run for run in optimizer_rows.runs() if run.network == "llama3_2_3b"], ids=lambda run: run.row
)
def test_our_llama_is_what_the_results_say(run: OptimizerRun) -> None:
    assert optimizer_rows.said(run, optimizer_rows.llama()) == optimizer_rows.results()[run.network, run.row]
