"""What an estimate says of a device. The small network's bytes are those of tests/report/test_timeline.py.

On the RTX 4090: 18 tensors live at once when fc1's or pool's backward hands on, 512 B each; two workspaces of
8,519,680 B. Two segments: 2 MiB for the small ones, 20 MiB for both workspaces.
"""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest

import archcost
from archcost import hardware
from archcost.estimates import Estimate
from archcost.report import render
from tests.report.networks import TINY

TEXT = """\
tiny, batch 1, on nvidia-rtx-4090: a training step, fp32, sgd-momentum (foreach)

Fits, with {spare} GiB to spare. The largest batch that fits is {most}. Up to {tight} it is tight.

memory                    bytes              which is
---------------  --------------  ----------  --------------------------------------
tensors                   1,032    1.01 KiB  at backward features_1.relu1
+ workspaces         17,039,360   16.25 MiB  the library of matrix products
+ rounding                8,184    7.99 KiB  to 512 B, and large blocks kept whole
= allocated          17,048,576   16.26 MiB  torch.cuda.max_memory_allocated()
+ fragmentation       6,020,096    5.74 MiB  free parts of the allocator's segments
= reserved           23,068,672   22.00 MiB  torch.cuda.max_memory_reserved()
+ context           495,976,448  473.00 MiB  the driver's own, by the profile
= in all            519,045,120  495.00 MiB  what the driver shows
+ free           24,864,211,599   23.16 GiB  headroom
= capacity       25,383,256,719   23.64 GiB  usable memory

tensors at the peak  bytes
-------------------  -----  --------
weights                188     188 B
gradients              108     108 B
optimizer state        188     188 B
inputs                 144     144 B
activations            144     144 B
temporaries            260     260 B
-------------------  -----  --------
together             1,032  1.01 KiB

The 3 largest tensors there:

 size  tensor                     shape    why it is there
-----  -------------------------  -------  ------------------------------------------
144 B  input input                1×1×6×6  held by the caller
128 B  features_1.relu1 output    1×2×4×4  saved by features_1.relu1 for its backward
128 B  features_1.relu1 gradient  1×2×4×4  gradient of features_1.relu1's output

limits                   {safe} GiB of tensors and workspaces are safe, {may} GiB may do, by what real cards ran and
                         refused
exact under assumptions  the second step or a later one (optimizer state exists), gradients None before forward, eager
                         PyTorch 2.13, outputs and loss held until the end of the step
band                     {band}
"""


def estimated(device: str = "nvidia-rtx-4090", text: str = TINY, batch: int = 1, **settings: Any) -> Estimate:
    chosen: dict[str, Any] = {"optimizer": "sgd-momentum"} | settings
    return archcost.estimate(archcost.loads(text), batch, hardware=device, **chosen)


def shipped(name: str, device: str, batch: int = 1, **settings: Any) -> Estimate:
    return archcost.estimate(archcost.load(name), batch, hardware=device, **settings)


def test_text() -> None:
    estimate = estimated()
    (safe, may), (low, high) = estimate.limits, estimate.band or (0, 0)
    memory, _, time = render(estimate).partition("\n\nTime of a step")
    assert "public runs of its nearest relatives" in " ".join(time.split())  # none of an RTX 4090 in float32 are known
    assert f"{memory}\n" == TEXT.format(
        most=f"{estimate.max_batch:,}",
        tight=f"{estimate.max_batch_tight:,}",
        spare=f"{(safe - 1_032 - 2 * 8_519_680) / 2**30:.2f}",
        safe=f"{safe / 2**30:.2f}",
        may=f"{may / 2**30:.2f}",
        band=f"{low / 2**20:.2f} MiB to {high / 2**20:.2f} MiB allocated, by nine in ten runs of others on real cards",
    )


def test_what_is_too_much_leaves_out_the_gaps() -> None:
    """An allocator that is short of memory gives unused segments back, so they are not what is missing."""
    estimate = shipped("vgg_d", "nvidia-gtx-580-3gb", 64, optimizer="sgd")
    text = render(estimate)
    missing = estimate.demand.allocated + 200_000_000 - 3 * 2**30
    assert re.search(rf"^− too much +{missing:,} ", text, re.MULTILINE)
    assert "+ fragmentation" not in text
    assert re.search(r"^reserved +[\d.]+ GiB, if memory had no end$", text, re.MULTILINE)


def test_what_is_tight() -> None:
    """One sample more than the largest that is safe: there is memory for all tensors, but maybe not for what is beside
    them."""
    most = shipped("vgg_e", "nvidia-gtx-titan-black", optimizer="sgd-momentum").max_batch
    assert most is not None
    estimate = shipped("vgg_e", "nvidia-gtx-titan-black", most + 1, optimizer="sgd-momentum")
    assert (estimate.verdict, estimate.fits) == ("tight", True)
    safe, may = estimate.limits
    assert safe < estimate.demand.needed <= may < estimate.capacity - 200_000_000
    said = verdict(estimate)
    assert re.fullmatch(
        r"Tight: [\d.]+ MiB above what is safe, [\d.]+ MiB below what does not fit; fragmentation of memory and "
        rf"cuDNN's workspaces may make it fail\. The largest batch that fits is {most}\. Up to \d+ it is tight\.",
        said,
    )
    text = " ".join(render(estimate).split())
    assert "+ free " in text
    assert "of tensors and workspaces are safe, " in text


@pytest.mark.parametrize("mode", ["train", "infer"])
@pytest.mark.parametrize("device", ["nvidia-t4", "amd-mi300x", "apple-m2-max", "raspberry-pi-4", "st-stm32f746"])
def test_the_ladder_adds_up(device: str, mode: str) -> None:
    """A line with = is the sum of the signed ones since the line with = before it, and the last is the capacity."""
    text = render(shipped("lenet5", device, 64, mode=mode))
    rungs = re.findall(r"^(tensors|[−+=] [a-z ]+?) +([\d,]+)  ", text.split("tensors at the peak")[0], re.MULTILINE)
    live = 0
    for name, number in rungs:
        nbytes = int(number.replace(",", ""))
        if name[0] == "=":
            assert live == nbytes, name
        else:
            live += -nbytes if name[0] == "−" else nbytes
    assert rungs[-1][0] == "= capacity"
    assert live == hardware.load(device).memory.capacity
    names = [name for name, _ in rungs]
    assert ("= reserved" in names) == (device in ("nvidia-t4", "amd-mi300x"))
    assert ("− weights" in names) == (device == "st-stm32f746" and mode == "infer")


def verdict(estimate: Estimate) -> str:
    return " ".join(render(estimate).split("\n\n")[1].split())


def test_too_large_a_batch() -> None:
    estimate = shipped("vgg_d", "nvidia-gtx-580-3gb", 64, optimizer="sgd")
    said = verdict(estimate)
    largest = f"The largest batch that fits is {estimate.max_batch}. Up to {estimate.max_batch_tight} it is tight."
    assert re.fullmatch(rf"Does not fit: [\d.]+ GiB too much at the least\. {largest}", said)
    assert estimate.max_batch is not None
    assert estimate.max_batch_tight is not None
    assert 0 < estimate.max_batch < estimate.max_batch_tight < 64


def test_not_one_sample_fits() -> None:
    wider = archcost.loads("name: wider\ninput: [8192]\nlayers: [{type: linear, out_features: 20480}]\n")
    # 8,193 · 20,480 = 167,792,640 weights of 20 B in the step of foreach Adam (weight, gradient, two moments, a root):
    # 3.36 GB, more than 3 GiB = 3.22 GB. The weights alone are 0.67 GB.
    said = verdict(archcost.estimate(wider, hardware="nvidia-gtx-580-3gb"))
    assert said.startswith("Does not fit: ")
    assert said.endswith("too much at the least. Not even one sample fits.")


def test_weights_that_are_larger_than_the_device() -> None:
    assert verdict(shipped("vgg_d", "st-stm32f746")) == (
        "Does not fit: the weights alone, 527.79 MiB, are more than its 320.00 KiB, so no batch fits."
    )
    many = verdict(shipped("lenet5", "st-stm32f746", 99, mode="infer"))
    assert re.fullmatch(r"Does not fit: [\d.]+ MiB too much\. The largest batch that fits is 7\.", many)
    assert verdict(shipped("vgg_d", "st-stm32f746", mode="infer")) == (
        "Does not fit: the weights alone, 527.79 MiB, are more than the 1.00 MiB of flash."
    )


def test_what_is_not_known_is_named() -> None:
    text = " ".join(render(estimated("raspberry-pi-4")).split())
    assert "not known reserved (torch caches blocks on NVIDIA's and AMD's GPUs only), context (not in the prof" in text
    assert "allocated, by the steps that were measured on a CPU" in text
    assert "band not yet measured on such a device" in " ".join(
        render(shipped("lenet5", "st-stm32f746", mode="infer")).split()
    )


def test_inference_assumes_no_step_before() -> None:
    text = render(estimated(mode="infer"))
    assert "exact under assumptions  evaluation mode, eager PyTorch 2.13, outputs" in text
    assert "optimizer" not in text


def test_recomputed_work_is_its_price() -> None:
    # conv1 576 + 32, relu1 32, pool 32 comparisons
    assert "recomputed               672 FLOPs of forward, done again in backward\n" in render(
        estimated(recompute="features_1")
    )


def test_other_formats() -> None:
    estimate = estimated()
    rows = dict(csv.reader(io.StringIO(render(estimate, "csv"))))
    assert rows["peak_bytes"] == "1032"
    assert (rows["network"], rows["batch"], rows["hardware"]) == ("tiny", "1", "nvidia-rtx-4090")
    assert (rows["reserved_bytes"], rows["by_role.temporaries"], rows["verdict"]) == ("23068672", "260", "fits")
    assert estimate.band is not None
    assert (rows["band.low"], rows["band.high"]) == tuple(map(str, estimate.band))
    data = json.loads(render(estimate, "json"))
    assert data["schema"] == "archcost.estimate/1"
    assert set(data["memory"]) >= {
        "peak_bytes", "peak_at", "by_role", "allocated_bytes", "reserved_bytes", "context_bytes", "capacity_bytes",
        "fits", "verdict", "max_batch", "max_batch_tight", "status", "band",
    }  # fmt: skip
    assert "| = allocated | 17,048,576 | 16.26 MiB |" in re.sub(" +", " ", render(estimate, "markdown"))
    assert r"torch.cuda.max\_memory\_allocated()" in render(estimate, "latex")
    assert "<td>torch.cuda.max_memory_reserved()" in estimate._repr_html_()  # pyright: ignore[reportPrivateUsage]


@pytest.mark.parametrize(("device", "kind"), [("raspberry-pi-5", "cpu"), ("nvidia-t4", "cuda")])
def test_the_band_is_that_of_the_measured_steps(device: str, kind: str) -> None:
    """An error is predicted / measured − 1, so what was predicted 10 % too low was measured at 1 / 0.9 of that."""
    estimate = shipped("lenet5", device)
    assert estimate.band is not None
    assert "memory.band" not in estimate.unknown
    low, high = estimate.band
    file = Path(archcost.__file__).parent / "costs" / "error_bands.json"
    worst_low, worst_high = json.loads(file.read_text())[kind]["allocated_bytes"]
    assert abs(estimate.demand.allocated - low * (1 + worst_high)) < 1
    assert abs(estimate.demand.allocated - high * (1 + worst_low)) < 1


@pytest.mark.parametrize("device", ["st-stm32f746", "google-tpu-v4", "apple-m2-max"])
def test_where_nothing_was_measured_there_is_no_band(device: str) -> None:
    estimate = shipped("lenet5", device, mode="infer", precision="bf16" if "tpu" in device else "fp32")
    assert estimate.band is None
    assert "memory.band" in estimate.unknown
