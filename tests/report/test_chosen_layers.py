"""`archcost summary` with columns, an order and a number of rows. Golden text: see networks.py for the arithmetic."""

from __future__ import annotations

import csv
import io
import json

import pytest

from archcost.cli import main
from archcost.errors import ArchcostError
from archcost.report import render
from archcost.report.chosen_layers import ChosenLayers, choice
from archcost.report.grouping import Folded
from tests.report.networks import tiny

Capture = pytest.CaptureFixture[str]

TOP = """\
layer             type      output shape  parameters  MACs  MACs %  FLOPs forward  FLOPs backward
----------------  --------  ------------  ----------  ----  ------  -------------  --------------
features_1.conv1  conv2d    1×2×4×4               20   288   92.3%            576             576
fc1               linear    1×3                   27    24    7.7%             48              96
and 3 more        3 layers                         0     0    0.0%              0               0
----------------  --------  ------------  ----------  ----  ------  -------------  --------------
total                                             47   312  100.0%            624             672
"""


def chosen(columns: str | None = None, order: str | None = None, top: int | None = None) -> ChosenLayers:
    return ChosenLayers(Folded(tiny(), None), choice(columns, order, top), None)


def test_the_largest_rows_and_one_for_all_others() -> None:
    assert TOP in render(chosen(order="macs", top=2))


def test_csv_has_the_columns_that_were_asked_for() -> None:
    rows = list(csv.DictReader(io.StringIO(render(chosen("name,macs,macs%,backward", "macs", 2), "csv"))))
    assert [(row["layer"], row["macs"], row["flops_backward_contraction"]) for row in rows] == [
        ("features_1.conv1", "288", "576"),
        ("fc1", "24", "96"),
    ]
    assert float(rows[0]["macs_share"]) == pytest.approx(288 / 312)


def test_a_word_that_is_no_column() -> None:
    with pytest.raises(ArchcostError, match="no column 'parametres'") as refused:
        choice("name,parametres", None, None)
    assert refused.value.hint == "'parameters' or 'parameters%'"
    with pytest.raises(ArchcostError, match="no order 'mac'"):
        choice(None, "mac", None)
    with pytest.raises(ArchcostError, match="a column stands twice"):
        choice("name,macs,name", None, None)


def summary(capsys: Capture, *argv: str) -> dict[str, object]:
    assert main(["summary", "lenet5", *argv, "--format", "json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_memory_adds_up_to_the_peak_of_the_timeline(capsys: Capture) -> None:
    found = summary(capsys, "--columns", "name,memory", "--batch", "8", "--precision", "amp-bf16")
    memory, layers = found["memory"], found["layers"]
    assert isinstance(memory, dict)
    assert isinstance(layers, list)
    main(["timeline", "lenet5", "--batch", "8", "--precision", "amp-bf16", "--format", "json"])
    assert memory["peak_bytes"] == json.loads(capsys.readouterr().out)["peak_bytes"]
    assert sum(layer["memory_bytes"] for layer in layers) + memory["beside_layers_bytes"] == memory["peak_bytes"]
    assert len(layers) == 12


def test_time_adds_up_to_that_of_the_step(capsys: Capture) -> None:
    on = ("--hardware", "nvidia-t4", "--sort", "time")
    found = summary(capsys, *on, "--top", "1")
    layers = found["layers"]
    assert isinstance(layers, list)
    assert (len(layers), found["layers_left_out"]) == (1, 11)
    main(["summary", "lenet5", *on, "--top", "1"])
    out = capsys.readouterr().out
    assert out.count("\n(beside the layers)") == out.count("\nand 11 more") == 1
    assert " time % " in out


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("--sort", "time"), "no device to estimate for"),
        (("--top", "0"), "argument --top: the number of rows is an integer from 1 to 2,147,483,647, not '0'"),
        (("--sort", "macs", "--precision", "bf16"), "no step is timed"),
        (("--sort", "memory", "--engine", "eager"), "no step is timed"),
        (("--columns", ""), "no column ''"),
    ],
)
def test_what_is_refused(capsys: Capture, argv: tuple[str, ...], message: str) -> None:
    assert main(["summary", "lenet5", *argv]) == 2
    assert capsys.readouterr().err.startswith(f"archcost: {message}\n")
