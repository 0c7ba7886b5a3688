"""`archcost fit` on the command line."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from archcost import hardware
from archcost.cli import main
from archcost.cli.options import TABLE_FORMATS

Capture = pytest.CaptureFixture[str]


def run(capsys: Capture, *argv: str) -> tuple[int, str, str]:
    code = main(argv)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


T4, PI = ("--hardware", "nvidia-t4"), ("--hardware", "raspberry-pi-5")


def test_it_fits(capsys: Capture) -> None:
    code, out, err = run(capsys, "fit", "lenet5", *T4, "--batch", "64")
    assert (code, err) == (0, "")
    assert "\nFits, with " in out
    assert "The largest batch that fits is " in out
    assert "What helps" not in out


def test_it_does_not_fit(capsys: Capture) -> None:
    code, out, err = run(capsys, "fit", "vgg_d", *T4, "--batch", "256")
    assert (code, err) == (1, "")
    assert "\nDoes not fit: " in out
    assert "\nWhat helps, one change at a time, the cheapest first:\n" in out
    assert "2 batches of 128 samples a step" in out
    assert "The cheapest change that fits: 2 batches of 128 samples a step (free; " in out


def test_weights_alone_are_too_many(capsys: Capture) -> None:
    code, out, _ = run(capsys, "fit", "vgg_e", "--hardware", "st-stm32f746", "--mode", "infer")
    assert code == 1
    assert "Does not fit: the weights alone, 548.05 MiB, are more than the 1.00 MiB of flash." in out
    assert "No combination fits: the least that was reached is " in out


def test_the_table_of_all_devices(capsys: Capture) -> None:
    code, out, _ = run(capsys, "fit", "lenet5", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert code == 0
    assert [row["hardware"] for row in rows] == list(hardware.common())
    by_name = {row["hardware"]: row for row in rows}
    tpu = by_name["google-tpu-v4"]  # without a rate for float32, memory is answered all the same
    assert (tpu["fits"], tpu["band_low_seconds"], tpu["problem"]) == ("True", "", "")
    assert int(tpu["max_batch"]) > int(by_name["nvidia-t4"]["max_batch"])
    assert float(by_name["nvidia-t4"]["band_low_seconds"]) < float(by_name["nvidia-t4"]["band_high_seconds"])
    assert int(by_name["nvidia-t4"]["max_batch"]) > int(by_name["raspberry-pi-5"]["max_batch"]) > 10_000
    assert {row["batch"] for row in rows} == {"1"}  # as asked for
    assert by_name["st-stm32f746"]["fits"] == "False"  # 61,706 weights, gradients and moments of 4 B: 987,296 B


def test_all_that_ship(capsys: Capture) -> None:
    code, out, _ = run(capsys, "fit", "lenet5", "--mode", "infer", "--hardware", "all", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert code == 0
    assert [row["hardware"] for row in rows] == list(hardware.names())
    told = run(capsys, "fit", "lenet5", "--mode", "infer")[1]
    assert f"{len(hardware.names()) - len(hardware.common())} more ship: --hardware all" in told


def test_what_is_known_of_no_device_is_strict(capsys: Capture) -> None:
    code, _, err = run(capsys, "fit", "lenet5", "--strict")
    assert code == 1
    assert "google-tpu-v4.time" in err
    assert run(capsys, "fit", "lenet5", "--strict", *T4)[0] == 0


def test_a_device_without_a_rate(capsys: Capture) -> None:
    """A Raspberry Pi 5 has none for bfloat16: memory is answered, time is not."""
    code, out, _ = run(capsys, "fit", "lenet5", *PI, "--precision", "bf16")
    assert code == 0
    assert "Fits, with " in out
    assert "Time of a step: not known. raspberry-pi-5 has no rate for bfloat16." in out
    code, out, _ = run(capsys, "fit", "lenet5", *PI, "--precision", "bf16", "--format", "json")
    data = json.loads(out)
    assert (data["unknown"], data["devices"][0]["time"]) == (["raspberry-pi-5.time"], None)
    code, _, err = run(capsys, "fit", "lenet5", *PI, "--precision", "bf16", "--strict")
    assert code == 1
    assert "raspberry-pi-5.time" in err


def test_the_time_on_each_device(capsys: Capture) -> None:
    """Bounds of data sheets: an RTX 4090 has more than twice the rate and the bandwidth of a T4. In 16 bits without
    autocast no runs are known of either, nor of relatives.
    """
    both = (*T4, "--hardware", "nvidia-rtx-4090", "--batch", "8", "--precision", "fp16")
    code, out, _ = run(capsys, "fit", "vgg_a", *both, "--format", "json")
    t4, rtx = (device["time"] for device in json.loads(out)["devices"])
    assert code == 0
    assert (t4["status"], t4["engine"], "step_seconds" in t4) == ("bound", "data sheet", False)
    assert rtx["band"][0] < t4["band"][0]
    assert rtx["band"][1] < t4["band"][1]
    _, out, _ = run(capsys, "fit", "vgg_a", *both)
    assert "time of a step" in out
    assert "uncalibrated; a single one" in out


def test_one_of_several_is_enough(capsys: Capture) -> None:
    """vgg_d at 128: 14.56 GiB are enough, 8 are not."""
    code, out, _ = run(capsys, "fit", "vgg_d", *T4, *PI, "--batch", "128")
    assert code == 0
    assert "Batch 128 fits on 1 of 2 devices. The smallest of them is nvidia-t4, with 14.56 GiB." in out
    assert run(capsys, "fit", "vgg_d", *PI, "--hardware", "raspberry-pi-4", "--batch", "128")[0] == 1


@pytest.mark.parametrize(("vary", "unit"), [("input", " × "), ("width", " %")])
def test_the_largest_of_something_else(capsys: Capture, vary: str, unit: str) -> None:
    code, out, _ = run(capsys, "fit", "resnet18", *PI, "--vary", vary)
    assert code == 0
    [line] = [
        line for line in out.splitlines() if line.startswith("The largest " + ("image" if unit == " × " else vary))
    ]
    assert unit in line
    code, out, _ = run(capsys, "fit", "resnet18", *PI, "--vary", vary, "--format", "json")
    told = json.loads(out)["devices"][0]["vary"]
    assert told["next"] == told["largest"] + 1
    assert told["allocated_bytes"] <= 8 * 2**30 < told["next_allocated_bytes"]


def test_json(capsys: Capture) -> None:
    code, out, _ = run(capsys, "fit", "resnet18", *PI, "--batch", "512", "--optimizer", "sgd", "--format", "json")
    data = json.loads(out)
    assert code == 1
    assert (data["schema"], data["network"], data["batch"], data["fits"]) == ("archcost.fit/1", "resnet18", 512, False)
    [device] = data["devices"]
    assert device["headroom_bytes"] == device["capacity_bytes"] - device["allocated_bytes"] < 0
    remedies = device["remedies"]
    assert remedies["cheapest"]["fits"]
    assert remedies["cheapest"]["changes"] == ["recompute auto"]
    assert (remedies["single"][0]["changes"], remedies["single"][0]["fits"]) == (["optimizer in backward"], False)
    [searched] = [each for each in remedies["single"] if each["changes"] == ["recompute auto"]]
    assert searched["checkpoints"] != []
    assert len(device["binding"]) == 8


@pytest.mark.parametrize("format", TABLE_FORMATS)
def test_formats(capsys: Capture, tmp_path: Path, format: str) -> None:
    file = tmp_path / "out"
    argv = ("--batch", "512", "--optimizer", "sgd", "--in-place", "--format", format, "-o", str(file))
    code, out, err = run(capsys, "fit", "resnet18", *PI, *argv)
    assert (code, out, err) == (1, "", "")
    assert "raspberry-pi-5" in file.read_text()


@pytest.mark.parametrize(
    "argv",
    [
        ("--vary", "depth"),
        (*T4, *T4),
        ("--hardware", "nvidia-t5"),
        ("--batch", "0"),
        ("--batch", "-1"),
        ("--batch", "2.0"),
        ("--batch", str(10**18)),
        ("--precision", "fp8"),
        ("--optimizer", "adamm"),
        (*T4, "--recompute", "stage9"),
        ("--recompute", "auto"),
        ("--engine", "eagr"),
        ("--calibration", "no-such-file.yaml"),
    ],
)
def test_wrong_input(capsys: Capture, argv: tuple[str, ...]) -> None:
    code, out, err = run(capsys, "fit", "lenet5", *argv)
    assert (code, out) == (2, "")
    assert err.startswith("archcost: ")


def test_the_device_of_auto(capsys: Capture) -> None:
    argv = ("resnet18", "--batch", "512", "--optimizer", "sgd", "--recompute", "auto")
    code, out, _ = run(capsys, "timeline", *argv, *PI)
    assert code == 0
    assert "Computed a second time in backward" in out
    code, _, err = run(capsys, "timeline", *argv)
    assert code == 2
    assert "a budget in bytes" in err
    code, out, _ = run(capsys, "estimate", *argv, *PI)
    assert code == 0
    assert "each batch is a search of its own" in out


def test_devices_in_a_row(capsys: Capture) -> None:
    """The network may stand before them or behind: no network has the name of a device."""
    once_each = run(capsys, "fit", "lenet5", *T4, *PI, "--format", "csv")
    assert once_each[0] == 0
    assert run(capsys, "fit", "lenet5", *T4, "raspberry-pi-5", "--format", "csv") == once_each
    assert run(capsys, "fit", *T4, "raspberry-pi-5", "lenet5", "--format", "csv") == once_each


def test_csv_says_what_was_asked_and_of_which_network(capsys: Capture) -> None:
    argv = ("fit", "lenet5", *T4, "--batch", "16", "--precision", "amp-fp16", "--optimizer", "sgd")
    (row,) = csv.DictReader(io.StringIO(run(capsys, *argv, "--input", "1x40x40", "--format", "csv")[1]))
    settings = ("network", "batch", "mode", "precision", "optimizer")
    assert [row[name] for name in settings] == ["lenet5 (1x40x40)", "16", "train", "amp-fp16", "sgd"]
    assert int(row["max_batch"]) > 100_000
