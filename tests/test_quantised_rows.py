"""What the programs on quantised weights found, and published runs of inference beside our own Llama 2."""

from __future__ import annotations

from statistics import mean, median

import pytest

from tests.large_programs import litgpt_rows, quantised_page
from tests.large_programs.quantised_page import INFERENCE, Inference


def test_small_networks_are_those_of_bitsandbytes_and_peft() -> None:
    rows = quantised_page.small()
    assert len(rows) == 48
    assert all(row.is_counted for row in rows)
    errors = [row.error for row in rows]
    assert mean(errors) < 0.001
    assert max(errors) < 0.005


def test_runs_of_lora_are_near() -> None:
    assert len(litgpt_rows.results()) == len(litgpt_rows.runs())
    assert median(litgpt_rows.errors(litgpt_rows.TABLE, quantised=False)) < 0.05
    quantised = [*litgpt_rows.errors(litgpt_rows.TABLE, quantised=True), *map(error_of, INFERENCE[1:3])]
    assert median(quantised) < 0.05


def error_of(row: Inference) -> float:
    return abs(quantised_page.loaded(row) / 1e9 / row.gigabytes - 1)


@pytest.mark.parametrize("row", [row for row in INFERENCE if row.network != "llama2_70b"], ids=str)
def test_runs_of_inference_are_near(row: Inference) -> None:
    assert error_of(row) < 0.01


def test_the_page_is_what_the_results_say() -> None:
    assert quantised_page.PAGE.read_text() == quantised_page.page()
