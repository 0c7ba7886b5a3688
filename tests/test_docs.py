"""Every command in README.md and docs/ is run, and every number in their prose comes out of such a run."""

from __future__ import annotations

from pathlib import Path

import pytest

import archcost
from tests.documents import (
    BLOCK,
    PAGES,
    console_blocks,
    numbers_in_prose,
    python_blocks,
    refresh,
    run_doctest,
    yaml_blocks,
)

# Pages that are made whole by a program; its own test compares them.
GENERATED = {
    "add_a_layer.md",
    "add_your_own_layer.md",
    "api.md",
    "benchmarks.md",
    "caches.md",
    "command_line.md",
    "calibrations.md",
    "coverage.md",
    "families.md",
    "json.md",
    "measurements.md",
    "onnx_node_tests.md",
    "onnx_packages.md",
    "liger_rows.md",
    "peft_rows.md",
    "quantised_weights.md",
    "optimizer_rows.md",
    "onnx_quantised.md",
    "adapters.md",
    "other_families.md",
    "runs.md",
    "time_on_a_cpu.md",
    "what_is_kept.md",
}

# Numbers that are somebody's words, not a result: years, page numbers, sizes of a data set.
CITED = {
    "lecture.md": {"2012", "2014", "2015", "1998", "640", "1,280", "2,560", "27,520", "133,000"},
    "architecture.md": set[str](),
    "conventions.md": {"2005", "4,096", "138"},
    "add_a_layer.md": set[str](),
    "add_a_device.md": set[str](),
    "devices.md": set[str](),
    "memory.md": {"2.14", "256", "1,024", "4,096"},
    "README.md": {"3.11"},
    "fit.md": {"2014", "250"},
    "plots.md": {"120"},  # in the words for who cannot see a picture
    "sweep.md": set[str](),
    "time.md": {"4090"},
    "spec.md": {"138"},
    "worksheet.md": {"138"},  # what a student may write
}

ids = {"ids": lambda page: page.name}


@pytest.mark.parametrize("page", PAGES, **ids)
def test_commands_print_what_the_page_shows(page: Path) -> None:
    text = page.read_text()
    for block, now in zip(console_blocks(text), console_blocks(refresh(text)), strict=True):
        assert now == block, "make docs brings the pages up to date"


@pytest.mark.parametrize("page", PAGES, **ids)
def test_python_blocks_run(page: Path) -> None:
    """The blocks of a page are one session: a later one may use what an earlier one defined."""
    assert run_doctest("\n".join(python_blocks(page.read_text())), page.name) == ""


@pytest.mark.parametrize("page", PAGES, **ids)
def test_whole_specs_build(page: Path) -> None:
    for block in yaml_blocks(page.read_text()):
        spec = archcost.loads(block, page.name)
        assert archcost.cost(archcost.build(spec)).parameters > 0


@pytest.mark.parametrize("page", [page for page in PAGES if page.name not in GENERATED], **ids)
def test_numbers_in_prose_come_from_a_run(page: Path) -> None:
    text = page.read_text()
    printed = "\n".join(match.group(2) for match in BLOCK.finditer(text))
    for number in numbers_in_prose(text):
        known = number in CITED.get(page.name, ()) or number in printed or number.replace(",", "") in printed
        assert known, f"{number} stands in prose, but no block of {page.name} prints it"
