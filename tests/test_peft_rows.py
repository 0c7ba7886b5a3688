"""What the program on PEFT's published runs found, and the same adapters beside our own Llama."""

from __future__ import annotations

from statistics import median

import pytest

import archcost
from tests.large_programs import peft_rows


def test_every_answer_counts_exactly_and_is_near() -> None:
    rows = peft_rows.compared()
    assert [row.run for row in rows] == peft_rows.runs()
    known = [row for row in rows if row.error is not None]
    assert len(known) >= 32
    assert all(row.is_counted for row in known)
    errors = [abs(row.error) for row in known if row.error is not None]
    assert median(errors) < 0.01
    assert max(errors) < 0.05


def test_the_page_is_what_the_results_say() -> None:
    assert peft_rows.PAGE.read_text() == peft_rows.page()


ADAPTERS = {
    "lora rank64-rslora": "rslora:r=64,alpha=64,targets=q_proj,v_proj",
}
"""The words of a command line for what PEFT's fields say in these runs."""


@pytest.mark.parametrize("experiment", ADAPTERS)
def test_our_llama_with_the_same_adapter_has_as_many_parameters(experiment: str) -> None:
    [run] = [run for run in peft_rows.runs() if run.experiment == experiment]
    cost = archcost.cost(archcost.build(archcost.adapt("llama3_2_3b", adapt=ADAPTERS[experiment])))
    assert (cost.trainable_parameters, cost.parameters) == (run.trainable, run.total)
