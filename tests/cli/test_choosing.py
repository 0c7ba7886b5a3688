"""Which networks and devices a table has, in which order, and in which format it is written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from archcost.cli import main

Capture = pytest.CaptureFixture[str]


def names(capsys: Capture, *argv: str) -> list[str]:
    """Of the rows of a table as JSON."""
    main([*argv, "--format", "json"])
    told = json.loads(capsys.readouterr().out)
    rows = told.get("networks") or told["devices"]
    return [row.get("network") or row.get("hardware") or row["name"] for row in rows]


def test_networks_by_words_and_size(capsys: Capture) -> None:
    assert names(capsys, "list", "resnet", "ResNet-18:") == ["resnet18"]
    assert names(capsys, "list", "vgg", "--max-parameters", "132.87M") == ["vgg_a", "vgg_a_bn", "vgg_a_lrn"]
    assert names(capsys, "list", "LeNet", "--sort", "parameters")[0] != "lenet5"  # 61,706 are few


def test_devices_by_words_vendor_kind_and_memory(capsys: Capture) -> None:
    assert names(capsys, "hardware", "list", "titan", "Kepler") == ["nvidia-gtx-titan-black"]
    microcontrollers = names(capsys, "hardware", "list", "--kind", "microcontroller", "--vendor", "st")
    assert microcontrollers
    assert all(name.startswith("st-stm32") for name in microcontrollers)
    by_memory = names(capsys, "hardware", "list", "v100", "--min-memory", "16GiB", "--sort", "memory")
    assert [name[-4:] for name in by_memory] == ["32gb", "32gb", "16gb", "16gb"]
    assert names(capsys, "hardware", "list", "v100", "--min-memory", "17GiB") == sorted(by_memory[:2])


def test_layers_by_a_word(capsys: Capture) -> None:
    main(["layers", "Attention", "--format", "json"])
    types = [each["type"] for each in json.loads(capsys.readouterr().out)["layers"]]
    assert "scaled_dot_product_attention" in types
    assert "conv2d" not in types


ON = ("fit", "lenet5", "--hardware", "nvidia-t4", "--hardware", "nvidia-a100-sxm4-80gb", "--hardware", "st-stm32f746")


def test_fit_in_another_order(capsys: Capture) -> None:
    assert names(capsys, *ON) == ["nvidia-t4", "nvidia-a100-sxm4-80gb", "st-stm32f746"]  # as given
    assert names(capsys, *ON, "--sort", "spare")[0] == "nvidia-a100-sxm4-80gb"
    assert names(capsys, *ON, "--sort", "batch")[-1] == "st-stm32f746"
    prices = ("--price", "nvidia-t4=0.1", "--price", "nvidia-a100-sxm4-80gb=100")
    assert names(capsys, *ON, "--sort", "price", *prices)[0] == "nvidia-t4"
    assert names(capsys, *ON, "--sort", "time", "--min-memory", "15GiB", "--mode", "infer") == [
        "nvidia-a100-sxm4-80gb",
        "nvidia-t4",
    ]


def test_a_price_of_a_million_samples(capsys: Capture) -> None:
    main(["fit", "lenet5", "--hardware", "nvidia-t4", "--batch", "64", "--price", "0.36", "--format", "json"])
    device = json.loads(capsys.readouterr().out)["devices"][0]
    seconds = device["time"]["step_seconds"] / 64 * 1_000_000
    assert device["million_samples"]["usd"] == pytest.approx(seconds * 0.0001)  # 0.36 USD in 3,600 s
    assert "usd_per_hour" in device


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("list", "nothing_such"), "no network that ships has 'nothing_such' in its name, title or citation"),
        (("list", "--min-parameters", "many"), "a number of parameters is no number"),
        (("list", "lenet5", "--min-parameters", "1G"), "no network has so many parameters"),
        (("hardware", "list", "nothing"), "no device has 'nothing' in its name"),
        (("fit", "lenet5", "--vendor", "nvida"), "no vendor 'nvida'"),
        (("fit", "lenet5", "--kind", "toaster"), "no kind 'toaster'"),
        (("fit", "lenet5", "--kind", "tpu", "--vendor", "AMD"), "no such device is a tpu"),
        (("fit", "lenet5", "--min-memory", "24"), "the least memory is no amount of bytes"),
        (("fit", "lenet5", "--hardware", "nvidia-t4", "--sort", "price"), "no price is known to sort by"),
        (("fit", "lenet5", "--hardware", "nvidia-t4", "--price", "h100=2"), "price of a device that is not asked for"),
    ],
)
def test_what_is_refused(capsys: Capture, argv: tuple[str, ...], message: str) -> None:
    assert main(argv) == 2
    assert capsys.readouterr().err.startswith(f"archcost: {message}\n")


@pytest.mark.parametrize(
    ("ending", "begins"),
    [("md", "## mlp, "), ("JSON", "{\n"), ("csv", "layer,type,"), ("tex", "\\noindent"), ("x", "mlp")],
)
def test_the_format_is_told_by_the_ending(tmp_path: Path, ending: str, begins: str) -> None:
    file = tmp_path / f"mlp.{ending}"
    assert main(["summary", "mlp", "-o", str(file)]) == 0
    assert file.read_text(encoding="utf-8").startswith(begins)


def test_an_ending_that_a_command_does_not_write(capsys: Capture, tmp_path: Path) -> None:
    file = tmp_path / "mlp.csv"
    assert main(["explain", "mlp", "-o", str(file)]) == 2
    assert "this command writes no csv\n  expected: .txt, .md, .markdown, .tex, .json\n" in capsys.readouterr().err
    assert main(["explain", "mlp", "-o", str(file), "--format", "text"]) == 0  # --format wins
