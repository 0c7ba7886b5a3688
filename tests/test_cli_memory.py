"""`archcost estimate` and `archcost timeline` on the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import archcost
from archcost.cli import main
from archcost.cli.options import TABLE_FORMATS
from archcost.errors import ArchcostError

Capture = pytest.CaptureFixture[str]


def run(capsys: Capture, *argv: str) -> tuple[int, str, str]:
    code = main(argv)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


T4 = ("--hardware", "nvidia-t4")
CPU = ("--hardware", "amd-epyc-9654")


def test_what_fits_and_what_does_not(capsys: Capture) -> None:
    code, out, err = run(capsys, "estimate", "vgg_d", *T4, "--batch", "8")
    assert (code, err) == (0, "")
    assert "\nFits, with " in out
    # 138,357,544 weights of 4 B, their gradients, two moments: 2,213,720,704 B before any activation, of 16 GiB.
    code, out, err = run(capsys, "estimate", "vgg_d", *T4, "--batch", "256")
    assert (code, err) == (1, "")
    assert "\nDoes not fit: " in out


def test_tight_is_no_failure(capsys: Capture) -> None:
    found = archcost.estimate(archcost.load("alexnet"), hardware="nvidia-t4", optimizer="sgd")
    assert found.max_batch is not None
    assert found.max_batch_tight is not None
    told = {found.max_batch: 0, found.max_batch + 1: 0, found.max_batch_tight + 1: 1}
    words = ["Fits, with ", "Tight: ", "Does not fit: "]
    for (batch, expected), word in zip(told.items(), words, strict=True):
        code, out, _ = run(capsys, "estimate", "alexnet", *T4, "--optimizer", "sgd", "--batch", str(batch))
        assert (code, f"\n{word}" in out) == (expected, True)
        code, out, _ = run(capsys, "fit", "alexnet", *T4, *CPU, "--optimizer", "sgd", "--batch", str(batch))
        assert code == 0  # on a server's CPU it fits
        assert ("is tight on 1" in out) == (word == "Tight: ")


def test_json_of_an_estimate_is_the_contract_s(capsys: Capture) -> None:
    argv = ("estimate", "lenet5", *T4, "--batch", "2", "--precision", "amp-fp16", "--recompute", "conv1,tanh1")
    code, out, _ = run(capsys, *argv, "--format", "json")
    data = json.loads(out)
    assert code == 0
    assert (data["schema"], data["network"], data["batch"], data["mode"]) == (
        "archcost.estimate/1",
        "lenet5",
        2,
        "train",
    )
    assert (data["precision"], data["optimizer"], data["recompute"]) == ("amp-fp16", "adam", "conv1,tanh1")
    assert data["hardware"] == "nvidia-t4"
    assert data["memory"]["fits"] is True
    assert data["memory"]["by_role"]["weights"] == 61_706 * 4


def test_every_setting_reaches_the_run(capsys: Capture) -> None:
    argv = (
        *("timeline", "vgg_a", "--batch", "2", "--mode", "train", "--precision", "bf16", "--optimizer", "adamw"),
        *("--optimizer-impl", "loop", "--accumulation", "3", "--recompute", "blocks", "--no-in-place"),
        *("--master-weights", "--loss", "sum", "--torch", "2.14", "--device", "cpu", "--format", "json"),
        *("--keep-gradients", "--clip-norm"),
    )
    code, out, _ = run(capsys, *argv)
    data = json.loads(out)
    assert code == 0
    assert {key: data[key] for key in data if key not in ("moments", "alive", "by_role", "peak_bytes", "peak_at")} == {
        "schema": "archcost.timeline/1",
        "network": "vgg_a",
        "title": "VGG-11, configuration A: 8 convolutions of 3x3 and 3 fully connected layers",
        "batch": 2,
        "device": "cpu",
        "mode": "train",
        "precision": "bf16",
        "optimizer": "adamw",
        "optimizer_impl": "loop",
        "accumulation": 3,
        "recompute": "blocks",
        "torch": "2.14",
        "in_place": False,
        "master_weights": True,
        "keep_gradients": True,
        "clip_norm": True,
        "optimizer_in_backward": False,
        "cache": False,
        "loss": "sum",
        "unknown": [],
        "assumptions": [],
        "recomputed_flops": data["recomputed_flops"],
    }
    assert data["recomputed_flops"] > 0


def test_what_is_offloaded_is_told(capsys: Capture) -> None:
    argv = ("estimate", "lenet5", "--hardware", "nvidia-t4", "--batch", "64", "--offload", "activations")
    data = json.loads(run(capsys, *argv, "--format", "json")[1])
    away = data["offload"]
    # tanh1 keeps its output, which pool2 keeps, too, and so on: each keeping is a copy, the labels' own left out
    assert away["host_bytes"] == away["host_by_role"]["activations"] == sum(away["moved_by_role"]["to_host"].values())
    assert away["link"] == {
        "bytes_per_second": 16e9,
        "seconds": [away["host_bytes"] / 16e9, 2 * away["host_bytes"] / 16e9],
    }
    assert data["time"]["status"] == "bound"
    text = run(capsys, *argv)[1]
    assert "off the card  on the host  to the host  to the card" in text
    assert run(capsys, "timeline", "lenet5", "--offload", "activations")[0] == 0
    assert "offload" not in json.loads(run(capsys, "timeline", "lenet5", "--format", "json")[1])


def test_a_fit_tells_what_is_offloaded(capsys: Capture) -> None:
    argv = ("lenet5", "--hardware", "nvidia-t4", "--batch", "64", "--offload", "activations")
    [device] = json.loads(run(capsys, "fit", *argv, "--format", "json")[1])["devices"]
    assert device["offload"] == json.loads(run(capsys, "estimate", *argv, "--format", "json")[1])["offload"]
    assert "off the card  on the host  to the host  to the card" in run(capsys, "fit", *argv)[1]


def test_what_nobody_knows_of_what_is_offloaded_is_null(capsys: Capture) -> None:
    """A TPU's link is in no profile; a host's step takes a time that nobody knows."""
    argv = ("estimate", "lenet5", "--offload", "activations", "--format", "json")
    data = json.loads(run(capsys, *argv, "--hardware", "google-tpu-v4")[1])
    assert data["offload"]["link"] == {"bytes_per_second": None, "seconds": None}
    assert {"offload.link.bytes_per_second", "offload.link.seconds", "time.band"} <= set(data["unknown"])
    assert data["time"]["notes"] == ["google-tpu-v4 has no figure for its link to the host"]
    argv = ("estimate", "lenet5", "--offload", "optimizer:nvme", "--format", "json", "--hardware", "nvidia-t4")
    data = json.loads(run(capsys, *argv)[1])
    assert data["time"]["band"] is None
    assert data["time"]["notes"][0] == "the optimizer's step is the host's, whose speed is not known"
    # two parameters of 48,000 and 10,080 values, 8 bytes each, and two counters
    assert data["time"]["notes"][1].startswith("453.76 KiB are read from the host's disk and 453.76 KiB written")


@pytest.mark.parametrize(
    "argv",
    [
        ("timeline", "lenet5", "--device", "cpu", "--offload", "activations"),
        ("estimate", "lenet5", "--hardware", "raspberry-pi-4", "--offload", "activations"),
        ("estimate", "lenet5", "--hardware", "apple-m2-max", "--offload", "activations"),
        ("fit", "lenet5", "--hardware", "raspberry-pi-4", "--offload", "activations"),
        ("sweep", "lenet5", "--hardware", "raspberry-pi-4", "--offload", "activations"),
        ("estimate", "lenet5", "--hardware", "nvidia-t4", "--offload", "activation"),
        ("estimate", "lenet5", "--hardware", "nvidia-t4", "--offload", "optimizer", "--mode", "infer"),
        ("estimate", "lenet5", "--hardware", "nvidia-t4", "--optimizer", "sgd:paged"),
        ("verify", "mlp", "--measure", "--offload", "activations"),
    ],
)
def test_what_cannot_be_offloaded(capsys: Capture, argv: tuple[str, ...]) -> None:
    code, out, err = run(capsys, *argv)
    assert (code, out) == (2, "")
    assert err.startswith("archcost: ")
    assert err.count("archcost: ") == 1


def test_a_sweep_has_what_an_estimate_says() -> None:
    """Of offloaded steps batch by batch."""
    found = archcost.sweep(
        "lenet5", batch=[1, 2, 7], hardware="nvidia-t4", offload=["none", "activations", "optimizer"]
    )
    for number in range(len(found)):
        row = found.row(number)
        one = archcost.estimate("lenet5", int(row["batch"]), hardware="nvidia-t4", offload=row["offload"])
        assert row["peak_bytes"] == one.peak
        assert row["needed_bytes"] == one.demand.needed
        assert (one.time is None) == (row["band_low_seconds"] is None)


def test_a_checkpoint_of_a_run_has_the_state_wherever_it_lies(capsys: Capture) -> None:
    argv = ("plan", "lenet5", "--hardware", "nvidia-t4", "--dataset-size", "1000", "--epochs", "1", "--format", "json")
    ways = ("none", "optimizer", "optimizer:nvme", "optimizer,weights")
    plans = [json.loads(run(capsys, *argv, "--offload", way)[1]) for way in ways]
    sizes = [plan["devices"][0]["checkpoints"]["bytes"] for plan in plans]
    assert sizes[0] == 3 * 61_706 * 4
    # on the host Adam's counters are tensors: of the two large parameters, or of all ten
    assert sizes[1:] == [sizes[0] + 2 * 4, sizes[0] + 2 * 4, sizes[0] + 10 * 4]


def test_the_device_of_a_timeline(capsys: Capture) -> None:
    """CUDA's kernels where nothing is said, since steps are planned for GPUs; else those of the hardware."""
    first = run(capsys, "timeline", "lenet5", "--torch", "2.13")[1].splitlines()[0]
    assert first == "lenet5, batch 1, on cuda, torch 2.13: a training step, fp32, adam (foreach)"
    for argv in (("--device", "cpu"), ("--hardware", "raspberry-pi-4")):
        first = run(capsys, "timeline", "lenet5", "--torch", "2.14", *argv)[1].splitlines()[0]
        assert first == "lenet5, batch 1, on cpu, torch 2.14: a training step, fp32, adam (loop)"


def test_depth_folds_the_moments(capsys: Capture) -> None:
    code, out, _ = run(capsys, "timeline", "vgg_d", "--depth", "1", "--format", "csv")
    names = [line.split(",")[1] for line in out.splitlines()[1:]]
    assert code == 0
    assert names[1:4] == ["stage1", "stage2", "stage3"]


@pytest.mark.parametrize("format", TABLE_FORMATS)
@pytest.mark.parametrize("command", [("timeline", "lenet5"), ("estimate", "lenet5", *T4)])
def test_every_format(capsys: Capture, command: tuple[str, ...], format: str, tmp_path: Path) -> None:
    file = tmp_path / "out"
    assert run(capsys, *command, "--format", format) == (0, file_text(capsys, file, *command, "--format", format), "")


def file_text(capsys: Capture, file: Path, *argv: str) -> str:
    assert run(capsys, *argv, "-o", str(file)) == (0, "", "")
    return file.read_text(encoding="utf-8")


def test_strict_fails_on_what_is_not_known(capsys: Capture) -> None:
    code, out, err = run(capsys, "estimate", "lenet5", "--hardware", "raspberry-pi-4", "--strict")
    assert (code, out) == (1, "")
    assert err.startswith("archcost: lenet5 on raspberry-pi-4: not all is known\n  found: memory.reserved_bytes, ")
    assert run(capsys, "timeline", "lenet5", "--strict")[0] == 0


BATCH = "argument --batch: the number of samples is an integer from 1 to 2,147,483,647, not "
WRONG = [
    (
        "estimate lenet5",
        "no device to estimate for\n  expected: --hardware with a name or a file\n  try: archcost hardware list",
    ),
    ("estimate lenet5 --hardware nvidia-t4 --batch 0", f"{BATCH}'0'"),
    ("estimate lenet5 --hardware nvidia-t4 --batch -1", f"{BATCH}'-1'"),
    ("estimate lenet5 --hardware nvidia-t4 --batch 1000000000000000000", f"{BATCH}'1000000000000000000'"),
    ("timeline lenet5 --batch 1.5", f"{BATCH}'1.5'"),
    (
        "estimate lenet5 --hardware nvidia-t5",
        "unknown hardware 'nvidia-t5'\n  expected: the name of a device, a memory (24GB), cpu, or a path to "
        ".yaml, .yml or .json\n"
        "  found: 'nvidia-t5'\n  try: 'nvidia-t4' or ",
    ),
    (
        "estimate lenet5 --hardware nvidia-t4 --precision bf61",
        "precision is not one of those known\n  expected: fp32, tf32, bf16, fp16, amp-bf16, amp-fp16\n"
        "  found: 'bf61'\n  try: 'bf16'",
    ),
    ("timeline lenet5 --optimizer adm", "optimizer is not one of those known\n  expected: none, sgd, "),
    ("timeline lenet5 --optimizer-impl fusd", "optimizer_impl is not one of those known\n  expected: loop, "),
    (
        "timeline lenet5 --optimizer adafactor --optimizer-impl fused",
        "adafactor has no such implementation on cuda\n  expected: loop, foreach\n  found: fused",
    ),
    ("timeline lenet5 --mode infr", "mode is not one of those known\n  expected: train, infer, infer-autograd\n"),
    ("timeline lenet5 --loss mes", "unknown loss\n  expected: cross_entropy, mse, l1, sum, none\n  found: 'mes'\n"),
    ("timeline lenet5 --accumulation 0", "argument --accumulation: the number of batches before a step is an int"),
    ("timeline lenet5 --recompute fc8", "no layer or block 'fc8' to recompute\n  expected: none, blocks, every:K, "),
    (
        "timeline lenet5 --recompute blcks",
        "no layer or block 'blcks' to recompute\n  expected: none, blocks, every:K, auto, or names of layers or "
        "blocks with commas between\n  found: 'blcks'\n  try: 'blocks'",
    ),
    ("timeline lenet5 --recompute every:0", "every:K recomputes K layers at a time\n  expected: K of 1 or more\n"),
    ("timeline lenet5 --recompute fc5,fc5", "a layer can be recomputed once only\n  found: fc5"),
    ("timeline lenet5 --master-weights", "master weights are float32 copies of 16-bit weights\n"),
    (
        "estimate lenet5 --hardware nvidia-t4 --engine eagr",
        "no calibration of engine 'eagr'\n  expected: ",
    ),
    (
        "estimate lenet5 --hardware nvidia-t4 --hardware nvidia-l4",
        "argument --hardware: given twice, and it takes one value",
    ),
    ("estimate lenet5 --hardware nvidia-t4 --batch 2 --batch 3", "argument --batch: given twice"),
    ("timeline lenet5 --device gpu", "argument --device: invalid choice: 'gpu'\n  expected: one of cuda, cpu\n"),
    ("timeline lenet5 --device cpu --hardware nvidia-t4", "argument --hardware: not allowed with argument --device"),
    ("timeline lenet5 --depth 0", "argument --depth: the number of names to fold at is an integer from 1 to "),
]


@pytest.mark.parametrize(("command", "message"), WRONG, ids=[command for command, _ in WRONG])
def test_wrong_input_is_one_message_and_exit_code_2(capsys: Capture, command: str, message: str) -> None:
    code, out, err = run(capsys, *command.split())
    assert (code, out) == (2, "")
    assert err.startswith(f"archcost: {message}")
    assert "Traceback" not in err


def test_a_loss_that_does_not_suit(capsys: Capture) -> None:
    code, _, err = run(capsys, "timeline", "autoencoder_sparse", "--loss", "mse")
    assert code == 2
    assert "autoencoder_sparse: loss mse does not suit the outputs\n" in err


def test_weights_that_are_more_than_the_device_are_an_honest_no(capsys: Capture) -> None:
    code, out, err = run(capsys, "estimate", "vgg_d", "--hardware", "st-stm32f746")
    assert (code, err) == (1, "")
    assert "Does not fit: the weights alone, 527.79 MiB, are more than its 320.00 KiB, so no batch fits.\n" in out


def test_an_altered_network_is_told_as_such(capsys: Capture) -> None:
    argv = ("estimate", "vgg_d", "--set", "depth3=4", "--hardware", "nvidia-t4", "--mode", "infer")
    assert run(capsys, *argv)[1].startswith("vgg_d (depth3=4), batch 1, on nvidia-t4: ")
    assert json.loads(run(capsys, *argv, "--format", "json")[1])["network"] == "vgg_d (depth3=4)"
    assert run(capsys, "estimate", "vgg_d", *argv[4:])[1].startswith("vgg_d, batch 1, ")


def test_what_python_is_given_wrongly() -> None:
    spec: Any = archcost.load("lenet5")
    wrong: Any = {"name": "lenet5"}
    wrong_device: Any = 3
    with pytest.raises(
        ArchcostError, match=r"no network\n  expected: a graph, a spec, a name or a path\n  found: a dict"
    ):
        archcost.cost(wrong)
    graph: Any = archcost.build(spec, 4)
    with pytest.raises(ArchcostError, match=r"found: a ModelGraph\n  try: graph.spec, and batch=4"):
        archcost.estimate(graph, hardware="nvidia-t4")
    with pytest.raises(ArchcostError, match=r"only a spec is read here\n.*\n.*\n  try: archcost.load\(network\) first"):
        archcost.fit("net.onnx")
    with pytest.raises(ArchcostError, match=r"no device\n  expected: its name, a path or a profile\n  found: int 3"):
        archcost.fit(spec, hardware=wrong_device)
    device: Any = "mps"
    with pytest.raises(ArchcostError, match=r"kernels of that device are not known"):
        archcost.timeline(archcost.build(spec), device=device)
