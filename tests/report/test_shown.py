"""Every result is shown by its type, and no type is named that is none."""

from __future__ import annotations

import pkgutil
from importlib import import_module
from typing import Any

import pytest

import archcost
from archcost import report
from archcost.errors import ArchcostError
from archcost.files.result import Result


def below(kind: type) -> set[type]:
    return {kind}.union(*map(below, kind.__subclasses__()))


def test_every_result_is_shown() -> None:
    for module in pkgutil.walk_packages(archcost.__path__, "archcost."):
        if not module.name.endswith(("__main__", "pytest_plugin")):
            import_module(module.name)
    named = {kind.__name__ for kind in below(Result) - {Result} if kind.__module__.startswith("archcost.")}
    shown = {*report._DOCUMENTS, *report._OTHERS}  # pyright: ignore[reportPrivateUsage]
    assert named | {"ModelGraph", "ModelSpec"} == shown  # no results, but a notebook shows them


def test_what_is_of_no_such_type_is_refused() -> None:
    class Weather(Result):
        def to_dict(self) -> dict[str, Any]:
            return {"rain": 3}

    with pytest.raises(ArchcostError, match="cannot be shown") as told:
        report.render(Weather())
    assert "found: Weather" in str(told.value)
    assert report.render(Weather(), "json") == '{\n  "rain": 3\n}\n'
