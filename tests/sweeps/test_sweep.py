"""Every row of a sweep is what `estimate` says of that configuration alone."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import archcost
from archcost import ArchcostError, Run, hardware
from archcost.hardware import calibration as calibration_files
from archcost.hardware.calibration import Calibration, Pace
from archcost.hardware.profile import HardwareProfile
from archcost.spec import ModelSpec
from archcost.sweeps import Sweep
from tests.graph.networks import specs
from tests.planning.devices import CPU, GPU, devices, runs

MADE_UP = Calibration(
    device=CPU,
    engine="eager",
    version="torch 0",
    precision="fp32",
    modes=("infer", "train"),
    status="public",
    source="made up for this test: no device",
    runs=1,
    families=1,
    dispatch=2e-6,
    classes={
        "product": Pace(rate=3e9, bandwidth=7e9, floor=1e-6),
        "convolution": Pace(rate=5e9, bandwidth=2e9),
        "convolution 3x3": Pace(rate=4e9, bandwidth=1e9),
        "elementwise": Pace(bandwidth=6e9),
        "optimizer": Pace(rate=1e9, bandwidth=6e9, floor=3e-6),
    },
    backward={"product": Pace(rate=2e9, bandwidth=5e9)},
    band=(0.8, 1.3),
)


def told(spec: ModelSpec, row: dict[str, Any], **settings: Any) -> dict[str, Any]:
    """The columns of a row, by `estimate`."""
    found = archcost.estimate(spec, row["batch"], **settings)
    time = found.time
    return {
        "peak_bytes": found.peak,
        "allocated_bytes": found.demand.allocated,
        "needed_bytes": found.demand.needed,
        "verdict": found.verdict,
        "step_seconds": time and time.step,
        "band_low_seconds": time and time.band[0],
        "band_high_seconds": time and time.band[1],
        "samples_per_second": time and time.samples_per_second,
        "mfu": time and time.mfu,
    }


def require_equal(row: dict[str, Any], expected: dict[str, Any]) -> None:
    """Integers are equal, times but for the order in which floats were added."""
    for name, value in expected.items():
        if name not in row:
            assert name == "allocated_bytes"
        elif isinstance(value, float):
            assert row[name] == pytest.approx(value, rel=1e-9), name
        else:
            assert row[name] == value, name


def every(sweep: Sweep) -> Iterator[dict[str, Any]]:
    return map(sweep.row, range(len(sweep)))


@given(specs(), devices(), runs(), st.booleans(), st.sets(st.integers(1, 40), min_size=1, max_size=4))
@settings(max_examples=30, deadline=None)
def test_random_networks(
    spec: ModelSpec, profile: HardwareProfile, run: Run, calibrated: bool, batches: set[int]
) -> None:
    of_the_run = {"device": profile.name, "precision": run.precision}
    calibration = MADE_UP.model_copy(update=of_the_run) if calibrated else None
    asked = {name: getattr(run, name) for name in Run.__dataclass_fields__}
    try:
        found = archcost.sweep(spec, batches, hardware=profile, calibration=calibration, allocator=True, **asked)
    except ArchcostError as error:
        assume("overwrites what" not in error.problem)
        raise
    assert sorted(found["batch"]) == sorted(batches)
    for row in every(found):
        require_equal(row, told(spec, row, hardware=profile, run=run, calibration=calibration))


@pytest.mark.parametrize("network", ["resnet18", "vgg_a_bn", "gpt2", "mobilenet_v2", "resnet18_lstm"])
def test_shipped_networks(network: str) -> None:
    """On cards with and without a rate, a CPU, one whose allocator does not cache, and a microcontroller."""
    spec = archcost.load(network)
    names = [GPU, "nvidia-t4", CPU, "google-tpu-v4", "st-stm32f746"]
    found = archcost.sweep(
        spec, [1, 2, 7, 300], hardware=names, precision=["fp32", "amp-bf16"], mode=["infer", "train"]
    )
    assert len(found) == 4 * 5 * 2 * 2
    for row in list(every(found))[::9]:
        settings = {name: row[name] for name in ("precision", "mode", "hardware")}
        require_equal(row, told(spec, row, **settings))


@pytest.mark.parametrize(("name", "overlaps"), [(GPU, True), (CPU, True), (CPU, False)])
@pytest.mark.parametrize("network", ["resnet18", "gpt2", "mobilenet_v2"])
def test_calibrated(network: str, name: str, overlaps: bool) -> None:
    """Of batch 1 the layers' blocks are too small to be fetched anew, of batch 300 they are not."""
    spec = archcost.load(network)
    own = {"device": name, "overlaps": overlaps, "first_touch": 3e9, "status": "calibrated"}
    calibration = MADE_UP.model_copy(update=own)
    asked = {"calibration": calibration, "optimizer": "sgd", "recompute": "every:2"}
    found = archcost.sweep(spec, [1, 2, 7, 300], hardware=name, mode=["infer", "train"], **asked)
    for row in every(found):
        require_equal(row, told(spec, row, mode=row["mode"], hardware=name, **asked))


ENGINES = {each.label: each for each in calibration_files.shipped() if each.device in hardware.names()}


@pytest.mark.parametrize("label", sorted(ENGINES))
def test_every_engine_that_ships(label: str) -> None:
    own = ENGINES[label]
    spec = archcost.load("mobilenet_v2")
    asked = {"hardware": own.device, "engine": label, "precision": own.precision, "mode": own.modes[0]}
    for row in every(archcost.sweep(spec, [1, 3, 70], **asked)):
        require_equal(row, told(spec, row, **asked))


def test_lines_through_routed_experts() -> None:
    """Rows of an expert's product grow with the batch, and so does what short axes stretch it by."""
    spec = archcost.load("mixtral_8x7b", settings=["depth=1"])
    calibration = MADE_UP.model_copy(update={"device": GPU})
    found = archcost.sweep(spec, [2, 5, 900], hardware=GPU, mode="infer", calibration=calibration)
    for row in every(found):
        require_equal(row, told(spec, row, hardware=GPU, mode="infer", calibration=calibration))


def small(*layers: dict[str, Any], **fields: Any) -> ModelSpec:
    given = {} if "inputs" in fields else {"input": [5]}
    return ModelSpec.model_validate({"name": "small", **given, "layers": layers, **fields})


LINEAR = {"type": "linear", "out_features": 3, "bias": False}


def test_by_hand() -> None:
    """Inference on a CPU: 15 weights, 5 values in and 3 out a sample: 60 + 32·N bytes.

    At 3 and 7 GB/s and GFLOP/s: 2·15·N FLOPs take 10·N ns, 60 + 32·N bytes (60 + 32·N)/7 ns, which is less from N = 2
    on (17.7 to 20). A launch is 1 us, and the host adds 2 us.
    """
    found = archcost.sweep(small(LINEAR), range(1, 4), hardware=CPU, mode="infer", calibration=MADE_UP)
    assert found["peak_bytes"].tolist() == [92, 124, 156]
    assert found["allocated_bytes"].tolist() == [92, 124, 156]
    expected = [(60 + 32) / 7e9 + 3e-6, 20e-9 + 3e-6, 30e-9 + 3e-6]
    assert found["step_seconds"] == pytest.approx(expected)
    assert found["band_low_seconds"] == pytest.approx([0.8 * each for each in expected])
    assert found["samples_per_second"] == pytest.approx([1 / expected[0], 2 / expected[1], 3 / expected[2]])
    assert set(found["engine"]) == {"torch 0 eager"}
    assert set(found["status"]) == {"public"}


@pytest.mark.parametrize("name", [GPU, "raspberry-pi-5", "google-tpu-v4"])
def test_the_last_batch_that_fits_is_the_largest(name: str) -> None:
    spec = archcost.load("resnet18")
    found = archcost.sweep(spec, range(1, 5_000), hardware=name, precision="bf16")
    alone = archcost.estimate(spec, 2, hardware=name, precision="bf16")
    batches, verdicts = found["batch"], found["verdict"]
    assert max(batches[verdicts == "fits"]) == alone.max_batch
    assert max(batches[verdicts != "does not fit"]) == alone.max_batch_tight
    assert found.fits


def test_products_of_an_optimizer_are_none_of_the_network() -> None:
    """Muon multiplies matrices itself, which is no part of what MFU is of."""
    row = archcost.sweep("lenet5", [3], hardware=GPU, optimizer="muon").row(0)
    require_equal(row, told(archcost.load("lenet5"), row, hardware=GPU, optimizer="muon"))


def test_the_order_of_rows() -> None:
    """As they were asked for, the batch fastest; a batch may come twice."""
    found = archcost.sweep(
        small(LINEAR), [4, 1, 4], hardware=[GPU, CPU], optimizer=("sgd", "adam"), accumulation=[1, 2]
    )
    assert [row["batch"] for row in every(found)] == [4, 1, 4] * 8
    assert [row["hardware"] for row in every(found)] == [GPU] * 12 + [CPU] * 12
    assert [row["optimizer"] for row in every(found)][:12] == ["sgd"] * 6 + ["adam"] * 6
    assert [row["accumulation"] for row in every(found)][:6] == ["1"] * 3 + ["2"] * 3
    alone = archcost.sweep(small(LINEAR), 1, hardware=CPU, optimizer="adam", accumulation=2)
    assert {**found.row(22), "allocated_bytes": 0} == {**alone.row(0), "allocated_bytes": 0, "accumulation": "2"}


def test_one_sample_and_no_batch() -> None:
    fixed = small(LINEAR, inputs={"x": {"shape": [7, 5], "batched": False}})
    found = archcost.sweep(fixed, hardware=CPU, mode="infer")
    assert found["peak_bytes"].tolist() == [60 + 7 * 32]
    with pytest.raises(ArchcostError, match="batch"):
        archcost.sweep(fixed, [1, 2], hardware=CPU)


def test_a_device_without_a_rate_answers_memory() -> None:
    """A GTX 580 multiplies in float32 alone."""
    found = archcost.sweep(small(LINEAR), [1, 2, 3], hardware="nvidia-gtx-580-3gb", precision=["fp32", "bf16"])
    assert (found["peak_bytes"] > 0).all()
    times = found["band_low_seconds"]
    assert [math.isnan(time) for time in times] == [False] * 3 + [True] * 3


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        ({"batch": []}, "nothing to sweep batch over"),
        ({"batch": range(5, 1)}, "nothing to sweep batch over"),
        ({"batch": [1, 0]}, "batch is the number of samples"),
        ({"batch": range(-1, 3)}, "batch is the number of samples"),
        ({"batch": 2.0}, "batch is the number of samples"),
        ({"batch": "8"}, "batch is the number of samples"),
        ({"batch": True}, "batch is the number of samples"),
        ({"batch": 2**31}, "batch is the number of samples"),
        ({"batch": range(1, 2**28)}, "too many configurations"),
        ({"batch": range(1, 2**26), "precision": ["fp32", "bf16", "fp16"]}, "too many configurations"),
        ({"hardware": []}, "nothing to sweep hardware over"),
        ({"hardware": "nvidia-rtx-4091"}, "unknown hardware"),
        ({"hardware": [GPU, CPU, GPU]}, "a device is named twice"),
        ({"hardware": [4090]}, "no device"),
        ({"precision": ["fp32", "fp33"]}, "precision is not one of those known"),
        ({"precision": ["fp32", "fp32"]}, "precision has a value twice"),
        ({"optimizer": []}, "nothing to sweep optimizer over"),
        ({"optimiser": "adam"}, "no such setting of a run"),
        ({"recompute": ["none", "auto"]}, "recompute: auto is a search"),
        ({"precision": ["fp32", "bf16"], "master_weights": True}, "master weights"),
        ({"engine": ["eager", "steam"]}, "no calibration of engine 'steam'"),
        ({"engine": 3}, "an engine is a word"),
    ],
)
def test_wrong_questions(asked: dict[str, Any], problem: str) -> None:
    with pytest.raises(ArchcostError, match=problem):
        archcost.sweep(small(LINEAR), **{"hardware": CPU, **asked})


def test_a_batch_without_shapes_is_refused() -> None:
    with pytest.raises(ArchcostError):
        archcost.sweep(small({"type": "linear", "out_features": 2**30}), [1, 2**31 - 1], hardware=CPU)


def test_estimates_need_no_numpy() -> None:
    script = """
import sys
sys.modules["numpy"] = None  # an import of it now fails
import archcost
print(archcost.estimate(archcost.load("lenet5"), 2, hardware="nvidia-t4").fits)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "True"), done.stderr


def test_what_a_million_samples_cost() -> None:
    """One sample takes 3 us and (60 + 32)/7 ns: a million of them 3.0131 s, at 3600 USD/h 3.0131 USD."""
    found = archcost.sweep(
        small(LINEAR), 1, hardware=[CPU, "amd-epyc-7763"], mode="infer", calibration=MADE_UP, price={CPU: "3600 USD/h"}
    )
    assert found["cost"][0] == pytest.approx(3.0131, rel=1e-4)
    assert math.isnan(found["cost"][1])
    with pytest.raises(ArchcostError, match="a negative price"):
        archcost.sweep(small(LINEAR), 1, hardware=CPU, price=-1)
    with pytest.raises(ArchcostError, match="not asked for"):
        archcost.sweep(small(LINEAR), 1, hardware=CPU, price={GPU: 1})


def test_samples_of_all_batches_of_a_step() -> None:
    """Four batches of five whose gradients add up to one step are twenty samples."""
    found = archcost.sweep(small(LINEAR), 5, hardware=CPU, accumulation=4, calibration=MADE_UP).row(0)
    assert found["samples_per_second"] == pytest.approx(20 / found["step_seconds"])
    alone = archcost.estimate(small(LINEAR), 5, hardware=CPU, accumulation=4, calibration=MADE_UP).time
    assert alone is not None
    assert alone.samples_per_second == pytest.approx(found["samples_per_second"])
