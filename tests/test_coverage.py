"""docs/coverage.md is what its logs say."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.collections.explained import UNKNOWN, explained
from tests.collections.finding import MOST, PRECISIONS
from tests.collections.log import read
from tests.collections.page import PAGE, TITLES, renew


def test_the_page_is_made_from_the_logs() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert renew(text) == text, "make docs writes it again"


@pytest.mark.parametrize("name", TITLES)
def test_what_is_called_equal_is_equal(name: str) -> None:
    for finding in read(name).findings:
        assert finding.status != "equal" or all(ours == theirs for ours, theirs in finding.parts.values())
        assert finding.status == "equal" or finding.why or finding.opaque or finding.parts


@pytest.mark.parametrize("name", TITLES)
def test_each_model_is_run_once(name: str) -> None:
    counts = Counter(finding.name for finding in read(name).findings)
    assert set(counts.values()) == {1}


def test_what_is_published_is_ours() -> None:
    figures = [pair for finding in read("torchvision").findings for pair in finding.published.values()]
    assert len(figures) > 200
    assert all(ours == theirs for ours, theirs in figures)


@pytest.mark.parametrize("name", TITLES)
def test_what_is_furthest_off_is_explained(name: str) -> None:
    worst = [(each, key) for each in read(name).findings for key in each.peaks if abs(each.error(key)) > 10 * MOST]
    assert [f"{each.name} {key}" for each, key in worst if explained(name, each.name, key) == UNKNOWN] == []


@pytest.mark.parametrize("name", ["transformers", "far"])
def test_libraries_that_nobody_wrote_for_us(name: str) -> None:
    findings = read(name).findings
    known = [each for each in findings if each.status in ("equal", "differs")]
    assert sum(each.status == "equal" for each in known) >= 0.98 * len(known)
    for precision in PRECISIONS:
        errors = [abs(each.error(precision)) for each in findings if precision in each.peaks]
        assert len(errors) > 0.9 * len(known)
        assert sum(error <= MOST for error in errors) >= 0.92 * len(errors)
