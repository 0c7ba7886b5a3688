"""docs/coverage.md is what its logs say."""

from __future__ import annotations

from collections import Counter

import pytest

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
