"""`fit`: the largest batch is held against estimates, which know nothing of how it was found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import assume, given, settings

import archcost
from archcost import ArchcostError, Fit, Run, hardware
from archcost.hardware.profile import HardwareProfile
from archcost.layers.recurrent.lstm import onednn_workspace
from archcost.spec import ModelSpec
from tests.graph.networks import specs
from tests.planning.devices import CPU, GPU, device, devices, runs


def small(**fields: Any) -> ModelSpec:
    """5 features → 3, without a bias: 15 weights."""
    layers = [{"type": "linear", "out_features": 3, "bias": False}]
    return ModelSpec.model_validate({"name": "small", "input": [5], "layers": layers, **fields})


def fit(spec: ModelSpec, batch: int, hardware: Sequence[HardwareProfile], run: Run) -> Fit:
    """Passes over an example that torch refuses: a layer overwrites what another, or a checkpoint, holds."""
    try:
        return archcost.fit(spec, batch, hardware=hardware, run=run)
    except ArchcostError as error:
        assume("overwrites what" not in error.problem)
        raise


@given(specs(), devices(), runs())
@settings(max_examples=60, deadline=None)
def test_the_largest_batch_fits_and_one_more_does_not(spec: ModelSpec, profile: HardwareProfile, run: Run) -> None:
    found = fit(spec, 1, [profile, hardware.load("nvidia-b200-sxm")], run).devices[0]
    safe, tight = found.max_batch, found.max_batch_tight
    assert safe is not None
    assert tight is not None
    if profile.kind != "cpu":  # whose kernels may need more for a single sample
        assert (found.verdict, found.fits) == ("fits" if safe else "tight" if tight else "does not fit", tight >= 1)

    def verdict(batch: int) -> str:
        return archcost.estimate(spec, batch, hardware=profile, run=run).verdict

    assert safe < 1 or verdict(safe) == "fits"
    assert verdict(safe + 1) == ("tight" if safe < tight else "does not fit")
    assert tight < 1 or verdict(tight) != "does not fit"
    assert verdict(tight + 1) == "does not fit"


@given(specs(), devices(), runs())
@settings(max_examples=25, deadline=None)
def test_the_asked_batch_is_that_of_an_estimate(spec: ModelSpec, profile: HardwareProfile, run: Run) -> None:
    [found] = fit(spec, 3, [profile], run).devices
    estimate = archcost.estimate(spec, 3, hardware=profile, run=run)
    assert found.demand == estimate.demand
    assert (found.verdict, found.fits) == (estimate.verdict, estimate.fits)
    assert (found.remedies is None) == (found.verdict == "fits")
    binding = found.binding
    assert binding is not None
    assert sum(tensor.nbytes for tensor in binding.tensors) == binding.peak


@pytest.mark.parametrize("name", [CPU, GPU])
@pytest.mark.parametrize("recompute", ["none", "every:1"])
def test_what_comes_in_whole_pages(name: str, recompute: str) -> None:
    """oneDNN's workspace is as many pages for two samples of a narrow LSTM as for three, and more for a hundred."""
    layers = [{"type": "lstm", "hidden_size": 4}, {"type": "linear", "out_features": 2}]
    spec = ModelSpec.model_validate({"name": "narrow", "input": [3, 5], "loss": "mse", "layers": layers})
    workspaces = [onednn_workspace(3, batch, 5, 4) for batch in (2, 3, 100)]
    assert workspaces[0] == workspaces[1] < workspaces[2]
    run = Run(optimizer="sgd", recompute=recompute)
    for room in (2**19, 2**19 + 3000, 2**22) if name == CPU else (300 * 2**20,):
        profile = device(name, room)
        most = archcost.fit(spec, 9, hardware=[profile], run=run).devices[0].max_batch
        assert most is not None
        assert most > 9
        assert archcost.estimate(spec, most, hardware=profile, run=run).verdict == "fits"
        assert archcost.estimate(spec, most + 1, hardware=profile, run=run).verdict != "fits"


def test_by_hand() -> None:
    """Inference on a CPU: 15 weights, 5 values in and 3 out a sample: 60 + 32·N bytes."""
    profile = device(CPU, 60 + 32 * 7 + 31)
    [found] = archcost.fit(small(), 7, hardware=[profile], mode="infer").devices
    assert (found.fits, found.max_batch, found.headroom) == (True, 7, 31)
    assert [(tensor.owner, tensor.nbytes) for tensor in found.binding.tensors] == [  # type: ignore[union-attr]
        ("input", 7 * 5 * 4),
        ("fc1", 7 * 3 * 4),
        ("fc1", 60),  # its weight
    ]
    [worse] = archcost.fit(small(), 9, hardware=[profile], mode="infer").devices
    assert (worse.fits, worse.max_batch, worse.headroom, worse.bound_batch) == (False, 7, 31 - 2 * 32, 9)


def test_all_devices_have_a_row_each() -> None:
    common = archcost.fit(archcost.load("lenet5"), 64)
    assert tuple(row.hardware.name for row in common.devices) == hardware.common()
    found = archcost.fit(archcost.load("lenet5"), 64, hardware="all")
    assert tuple(row.hardware.name for row in found.devices) == hardware.names()
    # TPUs and Gaudis multiply in bfloat16 alone: their memory is known.
    without = [p.name for p in hardware.shipped().profiles if p.rates.float32 is None]
    assert found.unknown == tuple(f"{name}.time" for name in without)
    assert {name.split("-")[1] for name in without} == {"tpu", "gaudi"}
    assert all(row.demand is not None for row in found.devices)
    assert all(row.remedies is None and row.estimate is None for row in found.devices)
    assert found.fits


def test_alike_devices_agree_with_each_alone() -> None:
    names = ["nvidia-rtx-4090", "nvidia-rtx-3090", "raspberry-pi-5", "st-stm32f746"]
    together = archcost.fit(archcost.load("lenet5"), 3, hardware=names, mode="infer")
    for row in together.devices:
        [alone] = archcost.fit(archcost.load("lenet5"), 3, hardware=[row.hardware.name], mode="infer").devices
        assert (row.demand, row.max_batch, row.headroom) == (alone.demand, alone.max_batch, alone.headroom)
        assert row.time is not None
        assert alone.time is not None
        assert row.time.to_dict() == alone.time.to_dict()


def test_flash_that_is_too_small_is_what_is_missing() -> None:
    """mlp has 784·300 + 300 + 300·100 + 100 + 100·10 + 10 = 266,610 weights."""
    [found] = archcost.fit(archcost.load("mlp"), hardware=["st-stm32f746"], mode="infer").devices
    assert (found.fits, found.headroom) == (False, 2**20 - 4 * 266_610)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"vary": "depth"}, "what to vary is not known"),
        ({"hardware": [GPU, CPU, GPU]}, "a device is named twice"),
        ({"hardware": ["nvidia-rtx-4091"]}, "unknown hardware"),
        ({"batch": 0}, "wrong batch"),
        ({"batch": 10**18}, "wrong batch"),
        ({"batch": 2.0}, "wrong batch"),
        ({"optimizer": "adamm"}, "optimizer is not one of those known"),
        ({"hardware": [GPU], "recompute": "stage9"}, "no layer or block 'stage9'"),
        ({"vary": "input"}, "has no image"),
        ({"vary": "width"}, "has no width"),
    ],
)
def test_wrong_input(arguments: dict[str, Any], told: str) -> None:
    with pytest.raises(ArchcostError, match=told) as refused:
        archcost.fit(small(), **arguments)
    assert refused.value.exit_code == 2


def test_recompute_auto_takes_its_budget_from_the_device() -> None:
    """resnet18 at 256 samples needs more than 5 GiB as it is; a device of 1 GiB is too small for any checkpoints."""
    spec, profile = archcost.load("resnet18"), device(GPU, 5 * 2**30)
    assert archcost.estimate(spec, 256, hardware=profile).verdict == "does not fit"
    estimate = archcost.estimate(spec, 256, hardware=profile, recompute="auto")
    assert estimate.verdict == "fits"
    assert estimate.line.recomputed_flops > 0
    assert "memory.max_batch" in estimate.unknown
    [found] = archcost.fit(spec, 256, hardware=[profile], recompute="auto").devices
    assert (found.fits, found.max_batch, found.demand) == (True, None, estimate.demand)

    tiny = device(CPU, 2**30)
    with pytest.raises(ArchcostError, match="no checkpoints bring the step within") as refused:
        archcost.fit(spec, 256, hardware=[tiny], recompute="auto")
    assert refused.value.exit_code == 1
    both = archcost.fit(spec, 256, hardware=[tiny, profile], recompute="auto").devices
    assert [row.fits for row in both] == [False, True]
    assert "at the least" in str(both[0].problem)


def test_recompute_auto_on_all_devices_is_refused() -> None:
    with pytest.raises(ArchcostError, match="one device after another"):
        archcost.fit(small(), recompute="auto")
