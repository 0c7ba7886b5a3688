"""`archcost sweep` on the command line."""

from __future__ import annotations

import csv
import io
import json

import pytest

import archcost
from archcost.cli import main
from archcost.cli.options import TABLE_FORMATS

Capture = pytest.CaptureFixture[str]


def run(capsys: Capture, *argv: str) -> tuple[int, str, str]:
    code = main(argv)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


LENET = ("sweep", "lenet5", "--hardware", "nvidia-t4")


def test_csv_has_a_row_a_configuration(capsys: Capture) -> None:
    ranges = ("--batch", "1-5:2", "--batch", "64")
    code, out, err = run(
        capsys, *LENET, *ranges, "--optimizer", "sgd", "--optimizer", "adam", "--mode", "train", "--format", "csv"
    )
    assert (code, err) == (0, "")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [(row["optimizer"], row["batch"]) for row in rows] == [
        (optimizer, batch) for optimizer in ("sgd", "adam") for batch in ("1", "3", "5", "64")
    ]
    alone = archcost.estimate(archcost.load("lenet5"), 64, hardware="nvidia-t4", optimizer="adam")
    assert int(rows[-1]["peak_bytes"]) == alone.peak


def test_without_settings_it_is_the_default_run(capsys: Capture) -> None:
    code, out, _ = run(capsys, *LENET, "--format", "json")
    told = json.loads(out)
    assert (code, told["schema"], told["network"], told["rows"]) == (0, "archcost.sweep/1", "lenet5", 1)
    alone = archcost.estimate(archcost.load("lenet5"), hardware="nvidia-t4")
    assert told["columns"]["peak_bytes"] == [alone.peak]
    assert told["columns"]["optimizer"] == ["adam"]


def test_the_allocator_is_played_on_demand(capsys: Capture) -> None:
    _, without, _ = run(capsys, *LENET, "--format", "json")
    _, played, _ = run(capsys, *LENET, "--allocator", "--format", "json")
    assert "allocated_bytes" not in json.loads(without)["columns"]
    alone = archcost.estimate(archcost.load("lenet5"), hardware="nvidia-t4")
    assert json.loads(played)["columns"]["allocated_bytes"] == [alone.demand.allocated]


def test_pareto(capsys: Capture) -> None:
    """The smallest batch takes least of both."""
    _, out, _ = run(capsys, *LENET, "--batch", "1-9", "--pareto", "band_high_seconds,peak_bytes", "--format", "csv")
    assert [row["batch"] for row in csv.DictReader(io.StringIO(out))] == ["1"]


def test_what_does_not_fit(capsys: Capture) -> None:
    """mlp has 266,610 weights of 4 bytes, and a microcontroller of 1 MiB of flash none for them."""
    mlp = ("sweep", "mlp", "--hardware", "st-stm32f746", "--mode", "infer", "--batch", "1-3", "--format", "csv")
    code, out, _ = run(capsys, *mlp)
    assert code == 1
    assert [row["verdict"] for row in csv.DictReader(io.StringIO(out))] == ["does not fit"] * 3
    code, out, _ = run(capsys, *mlp, "--fitting")
    assert (code, len(out.splitlines())) == (1, 1)


@pytest.mark.parametrize("format", TABLE_FORMATS)
def test_every_format(capsys: Capture, format: str) -> None:
    code, out, err = run(capsys, *LENET, "--batch", "1-100", "--precision", "fp32", "--format", format)
    assert (code, err) == (0, "")
    assert "lenet5" in out or format == "csv"


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (("sweep", "lenet5"), "no device to sweep over"),
        ((*LENET, "--batch", "5-2"), "'5-2' ends before it begins"),
        ((*LENET, "--batch", "1-9:0"), "the step is an integer from 1"),
        ((*LENET, "--batch", "1..9"), "the number of samples is an integer"),
        ((*LENET, "--pareto", "speed"), "no such column"),
        ((*LENET, "--precision", "fp33"), "precision is not one of those known"),
    ],
)
def test_wrong_input(capsys: Capture, argv: tuple[str, ...], told: str) -> None:
    code, out, err = run(capsys, *argv)
    assert (code, out) == (2, "")
    assert told in err
