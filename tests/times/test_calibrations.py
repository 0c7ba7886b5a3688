"""Calibrations that are given: what they may answer, by how much wider their band becomes, and files that are wrong."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from archcost import hardware
from archcost.cli import main
from archcost.errors import ArchcostError, SpecError
from archcost.hardware.calibration import FOLDER, Calibration, of, of_engine, read
from archcost.passes.run import Run
from archcost.times.choose import OTHER_DEVICE, OTHER_RELEASE, Chosen, choose
from tests.times.made_up import CPU, GPU, calibration

FILE = """\
device: amd-epyc-9654
engine: eager
version: torch 2.13
precision: fp32
modes: [infer, train]
status: calibrated
source: made up for tests
runs: 30
families: 3
threads: 96
dispatch: 1 us
classes:
  product: {rate: 1 GFLOP/s, bandwidth: 4 GB/s}
  elementwise: {bandwidth: 1 GB/s}
  reduction: {bandwidth: 2 GB/s}
  optimizer: {bandwidth: 1 GB/s}
band: [0.8, 1.25]
"""

WRONG = [
    ("", ":1:1: not a calibration"),
    ("[]", ":1:1: not a calibration"),
    (FILE.replace("1 us", "1 parsec"), r":11:\d+: dispatch: wrong quantity\n  expected: a number and a unit: "),
    (FILE.replace("1 us", "1"), r":11:\d+: dispatch: wrong quantity"),
    (FILE.replace("1 GFLOP/s", "1 GB/s"), r":13:\d+: classes.product.rate: wrong quantity\n  expected: .*FLOP/s"),
    (FILE.replace("1 GFLOP/s", "-1 GFLOP/s"), r":13:\d+: classes.product.rate: wrong quantity"),
    (FILE.replace("1 GFLOP/s", "0 GFLOP/s"), r":13:\d+: classes.product.rate: "),
    (FILE.replace("4 GB/s", "4 GFLOP/s"), r":13:\d+: classes.product.bandwidth: wrong quantity"),
    (FILE.replace("  product:", "  produce:"), r":13:\d+: classes.produce: "),
    (FILE.replace("runs: 30", "runs: 0"), r":8:\d+: runs: "),
    (FILE.replace("band: [0.8, 1.25]", "band: [1.25, 0.8]"), r":17:\d+: band.0: "),
    (FILE.replace("modes: [infer, train]", "modes: [sleep]"), r":5:\d+: modes.0: "),
    (FILE.replace("status: calibrated", "status: guessed"), r":6:\d+: status: "),
    (FILE.replace("device: amd-epyc-9654\n", ""), r":\d+:\d+: device: "),
    (FILE.replace("band: [0.8, 1.25]\n", ""), r":\d+:\d+: band: "),
    (FILE + "speed: 3\n", r":18:\d+: speed: "),
]


@pytest.mark.parametrize(("text", "told"), WRONG)
def test_wrong_files_are_told_with_their_place(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(text)
    with pytest.raises(SpecError) as error:
        read(file)
    assert re.match(re.escape(str(file)) + told, str(error.value)), str(error.value)


def test_a_file_by_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(FILE)
    ask = ("lenet5", "--hardware", CPU, "--calibration", str(file), "--optimizer", "sgd")
    assert main(["estimate", *ask]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "Calibrated: torch 2.13 eager, 30 layers of 3 classes timed on amd-epyc-9654" in out
    assert main(["summary", "--time", *ask]) == 0
    assert main(["fit", *ask]) == 0
    assert main(["estimate", "lenet5", "--hardware", CPU, "--calibration", str(tmp_path / "none.yaml")]) == 2


def test_under_strict_it_has_to_be_of_the_device(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(FILE.replace("amd-epyc-9654", "amd-epyc-7763"))
    ask = ("lenet5", "--time", "--hardware", CPU, "--calibration", str(file), "--optimizer", "sgd")
    assert main(["summary", *ask]) == 0
    assert "the band is 10 times as wide to both sides" in " ".join(capsys.readouterr().out.split())
    assert main(["summary", *ask, "--strict"]) == 2
    assert "archcost: " in capsys.readouterr().err


@pytest.mark.parametrize("command", ["fit", "sweep"])
def test_tables_of_devices_ask_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str) -> None:
    file = tmp_path / "own.yaml"
    ask = (command, "lenet5", "--hardware", CPU, "--calibration", str(file), "--optimizer", "sgd")
    file.write_text(FILE)
    assert main([*ask, "--torch", "2.13", "--strict"]) == 0
    file.write_text(FILE.replace("amd-epyc-9654", "amd-epyc-7763"))
    assert main(ask) == 0
    capsys.readouterr()
    assert main([*ask, "--strict"]) == 2
    told = capsys.readouterr().err
    assert "the calibration is of something else" in told
    assert "amd-epyc-7763, and not of amd-epyc-9654" in told


def given(device: str, found: Calibration, **settings: Any) -> Chosen:
    return choose(hardware.load(device), Run(**settings), settings.pop("engine", None), found)


@pytest.mark.parametrize(
    ("changed", "factor"),
    [
        ({}, 1.0),
        ({"device": "amd-epyc-7763"}, OTHER_DEVICE),
        ({"status": "calibrated", "version": "torch 2.9"}, OTHER_RELEASE),
    ],
)
def test_what_differs_widens_the_band(changed: dict[str, Any], factor: float) -> None:
    found = given(CPU, calibration(CPU, **changed), torch="2.13")
    assert found.calibration is not None
    assert found.calibration.band == (pytest.approx(0.8 / factor), pytest.approx(1.25 * factor))
    assert bool(found.differs) == bool(found.notes) == (factor > 1)


def test_other_threads_widen_the_band_by_their_ratio() -> None:
    found = choose(hardware.load(CPU), Run(), None, calibration(CPU, threads=4), threads=8)
    assert found.calibration is not None
    assert found.calibration.band == (pytest.approx(0.4), pytest.approx(2.5))


@pytest.mark.parametrize(
    ("device", "changed", "settings", "told"),
    [
        (CPU, {"device": GPU}, {}, "another kind of device"),
        (GPU, {"device": "my-laptop", "threads": 2}, {}, "another kind of device"),
        (CPU, {}, {"precision": "bf16"}, "another kind of run"),
        (CPU, {"modes": ("infer",)}, {}, "another kind of run"),
    ],
)
def test_what_no_band_makes_good_is_refused(
    device: str, changed: dict[str, Any], settings: dict[str, Any], told: str
) -> None:
    found = calibration(device, **changed)
    with pytest.raises(ArchcostError, match=told):
        given(device, found, **settings)


def test_another_engine_is_refused() -> None:
    with pytest.raises(ArchcostError, match="another engine"):
        choose(hardware.load(CPU), Run(), "compiled", calibration(CPU))


def test_a_file_that_ships_is_found_by_what_is_in_it() -> None:
    """Files are looked for by device, engine and precision, and no other is read."""
    for path in sorted(FOLDER.glob("*.yaml")):
        found = read(path)
        assert path.name.startswith(f"{found.device}--{found.engine}--")
        assert found in of(found.device, found.engine)
        assert found in of_engine(found.engine, found.precision)
