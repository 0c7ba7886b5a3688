"""Results as tables of pandas and as HTML, and the questions that have short names in `archcost`."""

from __future__ import annotations

import csv
import sys
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

import archcost
from archcost.spec.shown import show

HOSTILE = "<script>alert(1)</script>"
SPEC = archcost.loads(f"""
name: net
title: "{HOSTILE}"
citation: "{HOSTILE}"
input: [3, 8, 8]
assumptions: ["{HOSTILE}"]
layers:
  - {{type: conv2d, out_channels: 5, kernel_size: 3}}
  - {{type: relu}}
  - {{type: flatten}}
  - {{type: linear, out_features: 7, trainable: false}}
""")
GRAPH = archcost.build(SPEC, batch=2)
RESULTS = [
    archcost.cost(GRAPH),
    archcost.timeline(GRAPH),
    archcost.estimate(SPEC, hardware="t4"),
    archcost.fit(SPEC, hardware=["t4"]),
    archcost.compare(SPEC, "lenet5"),
    archcost.explain(GRAPH),
    archcost.sweep(SPEC, batch=[1, 2], hardware=["t4"]),
    archcost.plan(SPEC, hardware=["t4"], dataset_size=100, epochs=1),
    show(SPEC),
    archcost.hardware.load("t4"),
]


@pytest.mark.parametrize("result", [SPEC, GRAPH, *RESULTS], ids=lambda result: type(result).__name__)
def test_html_shows_hostile_words_as_they_are(result: Any):
    html = result._repr_html_()
    assert "<script" not in html
    assert html.startswith("<h3>")


@pytest.mark.parametrize("result", RESULTS, ids=lambda result: type(result).__name__)
def test_a_frame_has_the_rows_of_csv(result: Any):
    frame = result.to_frame()
    if not isinstance(result, (archcost.ModelCost, archcost.Fit, archcost.Plan)):
        assert len(frame)
        return
    header, *rows = csv.reader(StringIO(result.render("csv")))
    assert (list(frame.columns), len(frame)) == (header, len(rows))


def test_numbers_of_a_frame_are_exact():
    frame = GRAPH.to_frame()
    # 5·(3·3·3 + 1) weights, and (5·6·6 + 1)·7
    assert [*frame.parameters] == [140, 0, 0, 1267]
    assert [*frame.trainable] == [True, True, True, False]
    compared = archcost.compare("vgg_a", "vgg_b").to_frame().set_index("quantity")
    assert compared.loc["parameters", "vgg_a"] == 132_863_336
    assert isinstance(compared.loc["parameters", "vgg_a"], int)


def test_a_frame_needs_pandas(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(archcost.ArchcostError, match="pandas, which is not installed"):
        RESULTS[0].to_frame()


def test_a_network_is_explained_by_its_name():
    assert archcost.explain("lenet5", "conv1").layers == archcost.explain(archcost.cost("lenet5"), "conv1").layers
    with pytest.raises(archcost.ArchcostError, match="no layer 'conv9'"):
        archcost.explain("lenet5", "conv9")


def test_networks_are_compared_however_they_are_given():
    compared = archcost.compare("lenet5", archcost.load("lenet5"), archcost.build("lenet5"), batch=1)
    assert [network.parameters for network in compared.networks] == [61_706] * 3
    assert not compared.differing
    with pytest.raises(archcost.ArchcostError, match="nothing to compare"):
        archcost.compare()
    with pytest.raises(archcost.ArchcostError, match="no network"):
        archcost.compare(3)  # pyright: ignore[reportArgumentType]


def test_a_lock_is_written_and_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    spec = "name: mine\ninput: [4]\nlayers: [{type: linear, out_features: 3}]\n"
    Path("mine.yaml").write_text(spec)
    archcost.lock("mine.yaml", "lenet5", file="nets.lock")
    assert archcost.check("nets.lock").ok
    Path("mine.yaml").write_text(spec.replace("3}", "5}"))
    assert not archcost.check(["nets.lock"]).ok
    with pytest.raises(archcost.ArchcostError, match="no network"):
        archcost.lock(SPEC, file="nets.lock")


def test_a_spec_is_printed_as_yaml():
    assert archcost.loads(str(SPEC)) == SPEC
