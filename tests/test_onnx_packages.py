"""What the program on the ONNX files of packages found: nothing is wrong without saying so."""

from __future__ import annotations

from tests.onnx_programs import packages


def test_no_file_is_wrong_without_saying_so() -> None:
    verdicts = {result.file: result.verdict for result in packages.read_results()}
    assert len(verdicts) == sum(map(len, packages.PACKAGES.values()))
    assert "WRONG" not in verdicts.values()


def test_the_page_is_what_the_results_say() -> None:
    assert packages.PAGE.read_text() == packages.page(packages.read_results())
