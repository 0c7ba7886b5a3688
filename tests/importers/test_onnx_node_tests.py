"""Some of the node tests of the installed onnx are read again, and the page is what the last whole run has found."""

from __future__ import annotations

import pytest

from tests.onnx_programs.node_page import PAGE, page, results
from tests.onnx_programs.node_tests import FAILED, READ, WRONG, Finding, findings

OPERATORS = ("Attention", "CausalConvWithState", "Einsum", "GroupNormalization", "LpPool", "Resize", "RotaryEmbedding")


@pytest.fixture(scope="module")
def found() -> list[Finding]:
    return list(findings(OPERATORS))


def test_are_read(found: list[Finding]) -> None:
    assert len(found) > 250
    assert [each.test for each in found if each.with_weights != READ] == ["test_lppool_2d_dilations"]


def test_are_what_the_page_says(found: list[Finding]) -> None:
    assert {each.test: each for each in results() if each.operator in OPERATORS} == {each.test: each for each in found}


def test_nothing_is_wrong_in_silence() -> None:
    states = {state for each in results() for state in (each.as_is, each.with_weights)}
    assert not states & {FAILED, WRONG}


def test_page() -> None:
    assert PAGE.read_text() == page()
