"""Which torch's rules hold: those of the installed one, found without importing it, unless a run says another."""

from __future__ import annotations

import subprocess
import sys

import pytest

import archcost
from archcost.errors import ArchcostError
from archcost.layers import GroupNorm
from archcost.layers.rules import Call
from archcost.pytorch.crosscheck_memory import check_memory
from archcost.tensors import TensorType
from archcost.terms.autograd import Input, Own, Setting
from archcost.terms.torch_releases import RELEASES, installed, rules_of


@pytest.mark.parametrize(
    ("version", "rules"),
    [
        ("2.13.0+cpu", "2.13"),
        ("2.14.1+cu130", "2.14"),
        ("2.14.0a0+git1234", "2.14"),
        ("2.9.1", "2.13"),  # older than any that is known
        ("2.6.0", "2.13"),
        ("2.15.0", "2.14"),  # newer
        ("3.0", "2.14"),
        ("unknown", "2.14"),
    ],
)
def test_rules_of_a_version(version: str, rules: str) -> None:
    assert rules_of(version) == rules


ABSENT = """
import importlib.metadata, sys
real = importlib.metadata.version
def version(name):
    if name == "torch":
        raise importlib.metadata.PackageNotFoundError(name)
    return real(name)
importlib.metadata.version = version
import archcost
print(archcost.Run().torch, "torch" in sys.modules)
"""


def test_without_torch_the_newest() -> None:
    done = subprocess.run([sys.executable, "-c", ABSENT], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [RELEASES[-1], "False"]


def test_a_run_chooses() -> None:
    """A permuted group norm keeps a copy of its input in one release and the input itself in the next."""
    text = """
name: turned
inputs: {x: {shape: [7, 6]}}
layers:
  - {type: linear, out_features: 6}
  - {type: transpose, dim0: 1, dim1: 2}
  - {type: group_norm, num_groups: 3}
"""
    graph = archcost.build(archcost.loads(text), 2)
    old, new = (archcost.timeline(graph, archcost.Run(torch=torch), "cpu") for torch in ("2.13", "2.14"))
    assert "row-major input" in {held.what for held in old.storages}
    assert "row-major input" not in {held.what for held in new.storages}
    assert old.program.storages != new.program.storages
    assert (old.to_dict()["torch"], new.to_dict()["torch"]) == ("2.13", "2.14")
    assert archcost.Run().torch == installed()


def test_a_setting_asks_for_a_release_or_a_later_one() -> None:
    assert [Setting(frozenset(), torch=release).since("2.14") for release in RELEASES] == [False, True]
    source = TensorType((2, 6, 7), "float32")
    turned = ((42, 1, 6),)
    kept = [
        GroupNorm(num_groups=3)
        .autograd(Call((source,), (source,), Setting(frozenset({0}), layouts=turned, torch=release)))
        .saved
        for release in RELEASES
    ]
    assert kept[0][0] == Own("row-major input", source)
    assert kept[1][0] == Input(0)


def test_another_release_is_refused() -> None:
    with pytest.raises(
        ArchcostError, match=r"torch is not one of those known\n  expected: 2\.13, 2\.14\n  found: '2\.12'"
    ):
        archcost.Run(torch="2.12")  # pyright: ignore


def test_only_the_installed_release_can_be_measured() -> None:
    other = next(release for release in RELEASES if release != installed())
    with pytest.raises(ArchcostError, match="a step can be measured by the torch that is installed"):
        check_memory(archcost.load("mlp"), archcost.Run(torch=other))
