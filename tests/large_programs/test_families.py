"""Declared language models beside what transformers 5.24 was found to have, without it."""

from __future__ import annotations

import pytest

import archcost
from tests.large_programs import families_page
from tests.large_programs.families import (
    RESULTS,
    SMALL_RESULTS,
    Peaks,
    Released,
    declared,
    shortened,
)
from tests.large_programs.family_rows import RELEASED, SMALL, Small
from tests.large_programs.kept import read_rows
from tests.specs.variants import costed

RELEASED_ROWS: list[Released] = read_rows(RESULTS, Released)
SMALL_ROWS: list[Peaks] = read_rows(SMALL_RESULTS, Peaks)


def test_all_were_compared() -> None:
    assert [row.network for row in RELEASED_ROWS] == list(RELEASED)
    assert [row.name for row in SMALL_ROWS] == [small.name for small in SMALL]


@pytest.mark.parametrize("row", RELEASED_ROWS, ids=lambda row: row.network)
def test_in_full_size(row: Released) -> None:
    """Parameters and FLOPs of the module, whose layers all had the declared shapes."""
    assert (row.transformers, row.transformers_flops, row.differing) == (row.parameters, row.flops, "")
    assert costed(row.network).parameters == row.transformers
    shorter = archcost.cost(archcost.build(shortened(archcost.load(row.network))))
    assert shorter.flops.forward.contraction == row.transformers_flops


LOWER = {"DistilBERT": 2e-4, "T5": 1.2e-3, "Flan-T5": 1.1e-3, "Falcon": 9e-3}
"""Under autocast: their modules hold on to what they hand to others. Falcon's one head of keys is repeated here for all
queries before it is multiplied, and there while it is.
"""


@pytest.mark.parametrize(("small", "row"), list(zip(SMALL, SMALL_ROWS, strict=True)), ids=lambda each: each.name)
def test_small_ones(small: Small, row: Peaks) -> None:
    """To the byte, with the exceptions above, and Falcon in 16 bits."""
    *ours, bf16, amp = declared(small)
    *theirs, theirs_bf16, theirs_amp = row[2::2]
    assert ours == theirs
    assert bf16 == pytest.approx(theirs_bf16, rel=0.014 if row.name == "Falcon" else 0)
    assert amp == pytest.approx(theirs_amp, rel=LOWER.get(row.name, 0))


def test_the_page_is_up_to_date() -> None:
    assert families_page.PAGE.read_text(encoding="utf-8") == families_page.page(), "make docs brings it up to date"
