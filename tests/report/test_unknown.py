"""A layer whose operations nobody knows: no number is made up, and sums are lower bounds wherever they are told."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import pytest

import archcost
from archcost.comparison.compare import side_by_side
from archcost.comparison.locks import changes, parse, section, write
from archcost.comparison.recipe import Recipe
from archcost.comparison.totals import Listing, NetworkTotals
from archcost.costs.timeline import timeline
from archcost.report import render
from archcost.report.explain import explain
from archcost.report.grouping import Folded
from tests.report.networks import ODD, cost_of, tiny

COST = cost_of(ODD)
KNOWN = cost_of("""
name: known
input: [3, 8, 8]
layers:
  - {type: conv2d, name: x, out_channels: 4, kernel_size: 3}
  - {type: conv2d, name: odd.spectrum, out_channels: 4, kernel_size: 1}
  - {type: relu, name: odd.relu}
""")


def test_it_is_named_and_has_no_numbers() -> None:
    told = json.loads(render(COST, "json"))
    assert told["unknown"] == ["odd.spectrum"]
    assert told["totals"]["macs"] == 3888  # 4*6*6 * 27, those of x
    _, spectrum, relu = told["layers"]
    nothing = {"contraction": None, "elementwise": None}
    assert (spectrum["parameters"], spectrum["macs"]) == (0, None)
    assert spectrum["flops"] == {"forward": nothing, "backward_input": nothing, "backward_weight": nothing}
    assert relu["flops"]["forward"] == {"contraction": 0, "elementwise": 96}  # 4*6*4


def test_sums_are_lower_bounds_in_every_table() -> None:
    text = render(COST)
    assert "odd.spectrum  opaque  1×4×6×4, ()            0         ?              ?               ?\n" in text
    assert "total                                      112  >= 3,888       >= 7,776        >= 7,776\n" in text
    assert "Lower bounds: the operations of odd.spectrum are not known.\n" in text
    assert "MACs             >= 3,888\n" in text
    # 2*7,776; forward 144 biases and 96 of relu, backward the same
    assert "one step of training          >= 15,552       >= 480\n" in text
    assert "| >= 3,888 |" in render(COST, "markdown")
    assert "&gt;= 3,888" in render(COST, "html")
    assert r"$\ge$ 3,888" in render(COST, "latex")


def test_a_folded_part_is_a_lower_bound() -> None:
    folded = Folded(COST, 1)
    assert "odd    2 layers  1×4×6×4                0      >= 0           >= 0            >= 0\n" in render(folded)
    assert list(csv.DictReader(io.StringIO(render(folded, "csv"))))[1]["flops_forward_elementwise"] == ">= 96"
    assert list(csv.DictReader(io.StringIO(render(COST, "csv"))))[1]["macs"] == ""


def test_side_by_side() -> None:
    text = render(side_by_side([COST, KNOWN]))
    assert "MACs                      >= 3,888   4,464\n" in text  # 3,888 + 4*6*6 * 4
    assert "odd.spectrum  MACs                    ?      576\n" in text
    listed = Listing((NetworkTotals.of(COST), NetworkTotals.of(tiny())))
    assert "odd          112  >= 3,888\n" in render(listed)
    assert listed.to_dict()["networks"][0]["unknown"] == ("odd.spectrum",)


@pytest.mark.parametrize(
    ("form", "layer", "total"),
    [
        ("text", "  MACs: ?  (no rule says what opaque does)\n", "  MACs: x 3,888 + odd.spectrum ? >= 3,888\n"),
        ("markdown", "- MACs: `?` (no rule says what opaque does)\n", "- MACs: x 3,888 + odd.spectrum ? >= 3,888\n"),
        (
            "latex",
            r"&= ? && \text{no rule says what opaque does}",
            r"\text{MACs} &= 3{,}888 + ? \\" + "\n  &\\ge 3{,}888",
        ),
    ],
)
def test_explained(form: str, layer: str, total: str) -> None:
    text = render(explain(COST), form)
    assert layer in text
    assert total in text


def test_locked() -> None:
    locked = section(Recipe("odd", 1), COST)
    (read,) = parse(write([locked]), "a.lock")
    assert read.layers == locked.layers
    name, facts = read.layers[1]
    known = replace(read, layers=(read.layers[0], (name, facts._replace(macs=5)), read.layers[2]))
    assert changes(known, locked) == ("odd.spectrum: MACs 5 → ?", "total: MACs 3,893 → >= 3,888")


def test_what_is_recomputed_is_a_lower_bound() -> None:
    line = timeline(archcost.build(archcost.loads(ODD)), archcost.Run(recompute="every:2"))
    assert "Computed a second time in backward: >= " in render(line)


def test_an_estimate_names_it() -> None:
    found = archcost.estimate(archcost.loads(ODD), hardware="nvidia-t4")
    assert "odd.spectrum" in found.unknown
    assert "what is made and dropped in odd.spectrum meanwhile is not known" in render(found)
