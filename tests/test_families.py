"""One division into families: the same names wherever layers are spoken of."""

from __future__ import annotations

from pathlib import Path

import pytest

import archcost
from archcost.layers import index

PACKAGE = Path(archcost.__file__).parent
FAMILIES = {place.module.partition(".")[0] for place in index().values()}
BESIDE = {
    "pytorch/layers": {"base"},
    "importers/torch": {"proposal"},
    "importers/onnx": set[str](),
    "exporters": {"emit", "onnx_file"},
}
"""By folder, what is no family there: what all of them share."""


@pytest.mark.parametrize("folder", BESIDE)
def test_files_are_families(folder: str) -> None:
    found = {path.stem for path in (PACKAGE / folder).iterdir() if not path.stem.startswith("__")}
    assert found - BESIDE[folder] <= FAMILIES


def test_cases_are_of_families() -> None:
    for path in Path(__file__).with_name("layers").glob("*_cases.py"):
        assert any(path.stem.startswith(f"{family}_") for family in FAMILIES), path.name


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_every_family_has_cases(family: str) -> None:
    assert list(Path(__file__).with_name("layers").glob(f"{family}_*cases.py"))
