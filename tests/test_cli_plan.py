"""`archcost plan` on the command line."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from archcost.cli import main
from archcost.cli.options import TABLE_FORMATS

Capture = pytest.CaptureFixture[str]

T4, PI = ("--hardware", "nvidia-t4"), ("--hardware", "raspberry-pi-5")
LENET = ("lenet5", "--dataset-size", "60000", "--epochs", "20", "--batch", "64")


def run(capsys: Capture, *argv: str) -> tuple[int, str, str]:
    code = main(("plan", *argv))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_json(capsys: Capture) -> None:
    """60,000 / 64 = 937.5 steps an epoch."""
    prices = ("--price", "0.35", "--price", "raspberry-pi-5=0", "--power", "70W", "--carbon", "400")
    code, out, err = run(capsys, *LENET, *T4, *PI, *prices, "--format", "json")
    told = json.loads(out)
    assert (code, err) == (0, "")
    assert (told["schema"], told["network"], told["batch"], told["steps"]) == ("archcost.plan/1", "lenet5", 64, 18_760)
    rows = {row["hardware"]: row for row in told["devices"]}
    assert {name: row["cost"]["usd_per_device_hour"] for name, row in rows.items()} == {
        "nvidia-t4": 0.35,
        "raspberry-pi-5": 0.0,
    }
    low, high = rows["nvidia-t4"]["time"]["band"]
    assert rows["nvidia-t4"]["energy"]["band"] == [pytest.approx(low * 0.07), pytest.approx(high * 0.07)]
    assert rows["nvidia-t4"]["carbon"]["band"][1] == pytest.approx(high * 0.07 * 0.4)


def test_a_remedy_is_told(capsys: Capture) -> None:
    code, out, _ = run(capsys, "vgg_d", *T4, "--batch", "256", "--dataset-size", "1.2M", "--epochs", "74")
    assert code == 0
    assert "1,200,000 samples, 74 times: 346,912 steps of 256 samples, " in out
    assert "2 batches of 128 samples a step" in out
    assert "not known    price (--price), carbon intensity (--carbon)" in out


def test_no_device_is_large_enough(capsys: Capture) -> None:
    micro = ("--hardware", "st-stm32f746")
    code, out, _ = run(capsys, "vgg_a", *micro, "--dataset-size", "1", "--epochs", "1")
    assert code == 1
    assert "No change makes it fit on st-stm32f746." in out


def test_csv_has_a_row_a_device(capsys: Capture) -> None:
    code, out, _ = run(capsys, *LENET, "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    by_name = {row["hardware"]: row for row in rows}
    assert code == 0
    assert float(by_name["nvidia-t4"]["time.low"]) < float(by_name["nvidia-t4"]["time.high"])
    assert by_name["nvidia-t4"]["cost.usd"] == ""
    assert by_name["google-tpu-v4"]["time.hours"] == ""


def test_strict_refuses_an_unknown_price(capsys: Capture) -> None:
    code, _, err = run(capsys, *LENET, *T4, "--strict")
    assert code == 1
    assert "nvidia-t4.cost.usd" in err


@pytest.mark.parametrize("format", TABLE_FORMATS)
def test_formats(capsys: Capture, tmp_path: Path, format: str) -> None:
    file = tmp_path / "out"
    code, out, err = run(capsys, *LENET, *T4, "--count", "2", "--format", format, "-o", str(file))
    assert (code, out, err) == (0, "", "")
    assert "nvidia-t4" in file.read_text()


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        ((*LENET, "--price", "-1"), "archcost: a negative price\n  expected: 0 USD/h or more\n  found: '-1'\n"),
        ((*LENET, *T4, "--power", "250 TFLOP/s"), "archcost: power in a wrong unit\n"),
        ((*LENET, *T4, "--carbon", "400 USD"), "archcost: carbon intensity in a wrong unit\n"),
        (("lenet5", "--dataset-size", "0", "--epochs", "1"), "archcost: dataset size of a run\n"),
        (("lenet5", "--dataset-size", "9", "--epochs", "-1"), "archcost: epochs of a run\n"),
        (("lenet5", "--tokens", "1M"), "archcost: lenet5: tokens of a network that reads none\n"),
        (("gpt2", "--tokens", "1M", "--epochs", "1"), "archcost: how long the run is, is not clear\n"),
        ((*LENET, "--count", "3"), "archcost: lenet5: a batch that is not shared out evenly\n"),
        ((*LENET, "--count", "0"), "archcost: argument --count: the number of devices is an integer from 1 to "),
        ((*LENET, "--keep", "0"), "archcost: argument --keep: the number of checkpoints is an integer from 1 to "),
        ((*LENET, "--hardware", "nvidia-t5"), "archcost: unknown hardware 'nvidia-t5'\n"),
        ((*LENET, "--order", "size"), "archcost: what to order by is not known\n"),
    ],
)
def test_wrong_input(capsys: Capture, argv: tuple[str, ...], told: str) -> None:
    code, out, err = run(capsys, *argv)
    assert (code, out) == (2, "")
    assert err.startswith(told)
