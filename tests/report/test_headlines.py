"""What a result is in a line, as Python shows it."""

from __future__ import annotations

import inspect
from importlib import import_module
from pkgutil import walk_packages
from typing import Any

import pytest

import archcost
from archcost.files.result import Result


def every_result() -> list[type[Result]]:
    """All results, wherever in the package."""
    for found in walk_packages(archcost.__path__, "archcost."):
        if not found.name.startswith(("archcost.pytorch", "archcost.importers", "archcost.__main__")):
            import_module(found.name)
    return Result.__subclasses__()


@pytest.mark.parametrize("kind", every_result(), ids=lambda kind: kind.__name__)
def test_each_result_shows_its_headline(kind: type[Result]) -> None:
    assert kind.__repr__ is Result.__repr__
    assert inspect.getattr_static(kind, "headline") is not inspect.getattr_static(Result, "headline")


SPEC = archcost.load("lenet5")
GRAPH = archcost.build(SPEC, 3)


@pytest.mark.parametrize(
    ("result", "shown"),
    [
        (SPEC, "<ModelSpec: lenet5, 12 entries>"),
        (GRAPH, "<ModelGraph: lenet5, batch 3, 12 layers>"),
        # 3 · 416,520 products
        (archcost.cost(GRAPH), "<ModelCost: lenet5, batch 3: 61,706 parameters, 1,249,560 MACs>"),
        (
            archcost.timeline(GRAPH),
            "<Timeline: lenet5, batch 3, on cpu, fp32: peak of 1,383,836 bytes at optimizer fc5.weight>",
        ),
        (
            archcost.estimate(SPEC, hardware="nvidia-t4"),
            "<Estimate: lenet5, batch 1, on nvidia-t4, fp32: fits, peak of 1,238,268 bytes>",
        ),
        (archcost.fit(SPEC, hardware="nvidia-t4"), "<Fit: lenet5, batch 1, fits on 1 of 1 devices>"),
        (
            archcost.plan(SPEC, hardware="nvidia-t4", dataset_size=9, epochs=1),
            "<Plan: lenet5, batch 1, runs on 1 of 1 devices>",
        ),
        (archcost.sweep(SPEC, range(1, 4), hardware="nvidia-t4"), "<Sweep: lenet5: 3 configurations>"),
        (archcost.hardware.load("nvidia-t4"), "<HardwareProfile: nvidia-t4: Tesla T4>"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_headlines(result: Any, shown: str) -> None:
    assert repr(result) == shown


def test_a_name_or_a_spec_is_a_network_at_batch_1() -> None:
    assert archcost.cost("lenet5").macs == archcost.cost(SPEC).macs == 416_520
    assert archcost.timeline("lenet5").peak == archcost.timeline(archcost.build(SPEC)).peak
    assert archcost.estimate("lenet5", hardware="nvidia-t4").peak == 1_238_268
    assert archcost.fit("lenet5", hardware="nvidia-t4").devices[0].hardware.name == "nvidia-t4"
