"""What the program on PEFT's published runs found."""

from __future__ import annotations

from statistics import median

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
