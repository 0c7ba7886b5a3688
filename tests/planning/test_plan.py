"""`plan`: steps, hours, money and energy by hand, of steps whose time is made up; and the order of devices."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

import archcost
from archcost import Plan, hardware
from archcost.errors import ArchcostError
from archcost.planning.intervals import UNKNOWN, Span
from archcost.planning.plan import Charges, DeviceRun
from archcost.planning.stepping import Step, all_reduce, overlapped
from archcost.planning.workload import workload
from archcost.report.plan import duration
from tests.planning.devices import CPU, GPU, device
from tests.planning.runs import A100, T4, calibrated, reading, small

# Steps


def test_each_epoch_ends_with_a_smaller_step() -> None:
    """1,281,167 = 5,004 * 256 + 143: 5,005 steps an epoch."""
    work = workload(small(), 256, 1_281_167, 90)
    assert (work.steps, work.samples, work.tokens, work.sequence) == (90 * 5_005, 90 * 1_281_167, None, None)


def test_tokens_are_one_stream() -> None:
    """10,000 tokens are 10 sequences of 1,024, of which six make a step: 10,000 / 6,144 = 1.6 steps."""
    work = workload(reading(tokens=1024), 6, tokens=10_000)
    assert (work.steps, work.samples, work.tokens, work.sequence, work.epochs) == (2, 10, 10_000, 1024, None)


def test_tokens_of_a_data_set_of_sequences() -> None:
    work = workload(reading(tokens=16, segments=16), 4, "1k", "2")
    assert (work.steps, work.samples, work.tokens) == (2 * 250, 2_000, 32_000)


# Time, energy, money


def made_up(**fields: Any) -> DeviceRun:
    """7,200 steps of 0.5 s (0.4 to 0.6) on two devices that draw 300 W."""
    [found] = archcost.plan(small(), 4, hardware=[T4], dataset_size=14_400, epochs=2, count=2).devices
    charges = Charges(usd_per_hour=2.5, watts=300.0, is_bound=False, grams_per_kilowatt_hour=400.0)
    step = Step(Span(0.5, 0.4, 0.6), 0.3, "calibrated", "made up")
    changed = replace(found, **{"charges": charges, "step": step, **fields})
    vars(changed)["reducing"] = fields.get("reducing", 0.0)
    return changed


def near(span: Span) -> list[Any]:
    return [None if value is None else pytest.approx(value) for value in span]


def test_by_hand() -> None:
    """7,200 * 0.5 s = 1 h on two devices: 2 h * 0.3 kW = 0.6 kWh, 2 h * 2.5 USD, 0.6 kWh * 0.4 kg."""
    run = made_up()
    assert run.workload.steps == 7_200
    assert list(run.hours) == near(Span(1.0, 0.8, 1.2))
    assert list(run.device_hours) == near(Span(2.0, 1.6, 2.4))
    assert list(run.energy) == near(Span(0.6, 0.48, 0.72))
    assert list(run.cost) == near(Span(5.0, 4.0, 6.0))
    assert list(run.carbon) == near(Span(0.24, 0.192, 0.288))


def test_a_bound_has_no_likely_value() -> None:
    run = made_up(step=Step(Span(None, 0.25, 1.0), None, "bound", "data sheet"))
    assert list(run.hours) == near(Span(None, 0.5, 2.0))
    assert list(run.cost) == near(Span(None, 2.5, 10.0))
    told = run.to_dict()
    assert told["time"]["hours"] is None
    assert told["time"]["band"] == [0.5, 2.0]


def test_a_power_that_is_a_bound_bounds_energy_and_carbon_from_above() -> None:
    run = made_up()
    bound = replace(run, charges=replace(run.charges, is_bound=True))
    vars(bound)["reducing"] = 0.0
    assert list(bound.energy) == near(Span(None, None, 0.72))
    assert list(bound.carbon) == near(Span(None, None, 0.288))
    assert bound.to_dict()["energy"]["watts_are"] == "an upper bound"


def test_what_is_not_known_is_not_zero() -> None:
    run = made_up(charges=Charges(None, None, False, None))
    assert run.energy == run.cost == run.carbon == UNKNOWN
    told = run.to_dict()
    assert told["cost"] == {"usd": None, "band": None, "usd_per_device_hour": None}
    assert told["energy"] == {"kilowatt_hours": None, "band": None, "watts": None, "watts_are": None}
    free = made_up(charges=Charges(0.0, None, False, None))
    assert list(free.cost) == [0.0, 0.0, 0.0]


def test_without_a_time_hours_are_unknown_and_memory_is_not() -> None:
    """A TPU has no rate for float32."""
    plan = archcost.plan(small(), hardware=["google-tpu-v4"], dataset_size=1, epochs=1, price=1.0, power=1, carbon=1)
    [run] = plan.devices
    assert (run.fits, run.verdict, run.hours, run.checkpoint > 0) == (True, "fits", UNKNOWN, True)
    assert "google-tpu-v4.time.hours" in plan.unknown
    assert "google-tpu-v4.cost.usd" in plan.unknown


def test_a_layer_that_nobody_knows_leaves_a_lower_end() -> None:
    layers = [
        {"type": "linear", "out_features": 3},
        {
            "type": "opaque",
            "op": "mystery",
            "shapes": [[1, 3]],
            "dtypes": ["float32"],
            "batch_dims": [0],
            "inputs": ["fc1"],
        },
    ]
    plan = archcost.plan(small(layers=layers), hardware=[T4], dataset_size=1, epochs=1, price=1)
    [run] = plan.devices
    assert (run.hours.likely, run.hours.high, run.cost.high) == (None, None, None)
    assert run.hours.low is not None
    assert plan.unknown[-1] == "opaque1"
    assert f"{T4}.time.band" in plan.unknown
    assert "at least " in str(plan)


def test_unknown_names_every_null() -> None:
    plan = archcost.plan(small(), hardware=[T4], dataset_size=1, epochs=1)
    told = json.loads(plan.to_json())
    [row] = told["devices"]
    sections = ("time", "energy", "cost", "carbon", "checkpoints")
    null = {f"{T4}.{name}.{key}" for name in sections for key, value in row[name].items() if value is None}
    assert null <= set(told["unknown"])
    assert {f"{T4}.cost.usd", f"{T4}.cost.usd_per_device_hour", f"{T4}.carbon.kilograms"} <= null
    assert row["energy"]["watts"] == 70  # the TDP of a T4
    assert row["energy"]["watts_are"] == "an upper bound"


@pytest.mark.parametrize(
    ("hours", "text"),
    [
        (Span(130.0, 120.0, 144.0), "5.42 days (5.00 to 6.00)"),
        (Span(None, 7.0, 47.9), "7.00 to 47.9 h"),
        (Span(None, None, 0.5), "at most 30.0 min"),
        (Span(None, 0.01, None), "at least 36.0 s"),
        (Span(None, None, None), "?"),
        (Span(0.0, 0.0, 0.0), "0 s (0 to 0)"),
        (Span(None, 2.4e6, 2.4e20), "100,000 to 1e+19 days"),
    ],
)
def test_hours_in_words(hours: Span, text: str) -> None:
    assert duration(hours) == text


# Several devices


def test_gradients_in_a_ring() -> None:
    """2 * 3/4 of 300 GB over 300 GB/s; a T4 has its link to the host alone."""
    assert all_reduce(300 * 10**9, 4, hardware.load(A100)) == pytest.approx(1.5)
    assert all_reduce(300 * 10**9, 1, hardware.load(A100)) == 0.0
    host = hardware.load(T4).links.host
    assert host is not None
    assert all_reduce(60, 2, hardware.load(T4)) == pytest.approx(60 / host.amount)
    assert all_reduce(60, 2, hardware.load("raspberry-pi-5")) is None


def test_adding_up_is_hidden_at_best() -> None:
    step = Step(Span(1.0, 0.8, 1.2), 0.6, "public", "torch")
    assert list(overlapped(step, 0.5)) == near(Span(1.0, 0.8, 1.7))  # all of it behind backward's 0.6 s
    assert list(overlapped(step, 0.9)) == near(Span(1.3, 0.8, 2.1))
    assert overlapped(step, None) == Span(None, 0.8, None)


def test_each_device_has_its_part() -> None:
    """15 weights of 4 B and two moments; the optimizer's count of steps stays with the host."""
    plan = archcost.plan(small(), 12, hardware=[A100], dataset_size=24, epochs=5, count=3, keep=2)
    [run] = plan.devices
    assert run.estimate is not None
    assert (run.estimate.batch, plan.workload.steps) == (4, 10)
    assert run.checkpoint == 3 * 60
    assert run.to_dict()["checkpoints"] == {"bytes": 180, "kept": 2, "kept_bytes": 360}
    assert run.reducing == pytest.approx(2 * 2 / 3 * 60 / 300e9)
    # 15 MACs a sample forward, and as many for the gradient of the weight; the input needs none
    assert plan.flops == 24 * 5 * 2 * 2 * 15


def test_accumulation_makes_fewer_steps_of_more_samples() -> None:
    plan = archcost.plan(small(), 4, hardware=[T4], dataset_size=100, epochs=1, accumulation=5)
    assert plan.workload.steps == 5
    assert plan.devices[0].to_dict()["micro_batch"] == 4


@pytest.mark.parametrize("epochs", [1, 2, 7])
def test_hours_grow_with_epochs(epochs: int) -> None:
    def hours(times: int) -> Span:
        return archcost.plan(small(), 4, hardware=[T4], dataset_size=100, epochs=times).devices[0].hours

    assert list(hours(epochs)) == near(hours(1).times(epochs))


# Order


def test_by_time_and_by_cost() -> None:
    """An A100 is faster; at a hundredth of its price a T4 is cheaper; a device without a price comes last."""
    settings: dict[str, Any] = {"dataset_size": 1000, "epochs": 1, "price": {A100: 100, T4: 1}}
    names = [T4, "nvidia-l4", A100]
    spec = archcost.load("vgg_a")
    by_time = archcost.plan(spec, 64, hardware=names, **settings)
    assert [run.hardware.name for run in by_time.devices] == [A100, "nvidia-l4", T4]
    by_cost = archcost.plan(spec, 64, hardware=names, order="cost", **settings)
    assert [run.hardware.name for run in by_cost.devices] == [T4, A100, "nvidia-l4"]


def test_common_devices_have_a_row_each_and_what_does_not_fit_is_last() -> None:
    plan = archcost.plan(archcost.load("lenet5"), 64, dataset_size="60k", epochs=1)
    assert {run.hardware.name for run in plan.devices} == set(hardware.common())
    small = [run.runs for run in plan.devices if run.hardware.kind == "microcontroller"]
    assert [run.hardware.kind for run in plan.devices[-len(small) :]] == ["microcontroller"] * len(small)
    assert not any(small)
    assert "A change is only looked for on devices named by --hardware." in str(plan)


def test_a_price_by_a_short_name() -> None:
    settings: dict[str, Any] = {"dataset_size": 1000, "epochs": 1}
    spec = archcost.load("lenet5")
    [short] = archcost.plan(spec, 64, hardware="t4", price={"t4": 1}, **settings).devices
    [whole] = archcost.plan(spec, 64, hardware=T4, price={T4: 1}, **settings).devices
    assert short.cost == whole.cost
    with pytest.raises(ArchcostError, match="two prices of one device"):
        archcost.plan(spec, 64, hardware=T4, price={T4: 1, "t4": 2}, **settings)


# Calibrations


def test_a_calibration_is_for_the_device_that_it_names() -> None:
    settings: dict[str, Any] = {"dataset_size": 36, "epochs": 100, "mode": "infer", "power": 100, "price": 2}
    plan = archcost.plan(small(), hardware=[T4, "amd-mi300x"], calibration=calibrated(T4), **settings)
    by_name = {run.hardware.name: run for run in plan.devices}
    # one launch of 0.5 s a step, which is longer than moving 15 + 5 + 3 values: 3,600 of them
    assert list(by_name[T4].hours) == near(Span(0.5, 0.25, 1.0))
    assert list(by_name[T4].cost) == near(Span(1.0, 0.5, 2.0))
    assert list(by_name[T4].energy) == near(Span(0.05, 0.025, 0.1))
    assert by_name["amd-mi300x"].hours.likely is None
    assert plan.differs == ()
    told = str(plan)
    assert "30.0 min (15.0 to 60.0)" in told
    assert "public, torch 2.13 eager" in told


def test_a_calibration_of_another_device_is_told_and_widens() -> None:
    """On one device a calibration is taken as it is given; its band is wider than a quarter of an hour to an hour."""
    settings: dict[str, Any] = {"dataset_size": 36, "epochs": 100, "mode": "infer"}
    plan = archcost.plan(small(), hardware=[T4], calibration=calibrated(A100), **settings)
    [run] = plan.devices
    likely, low, high = run.hours
    assert low is not None
    assert high is not None
    assert (likely, low < 0.25, high > 1.0) == (pytest.approx(0.5), True, True)
    assert plan.differs == (f"of {A100}, and not of {T4}",)
    assert f"note       {T4}: the calibration is of {A100}, and not of {T4}: " in str(plan)


def test_a_remedy_of_another_precision_has_no_calibration() -> None:
    """4,000 * 4,000 weights and gradients: 128 MB in 32 bits, 64 MB in 16, of which the calibration says nothing."""
    spec = small(input=[4000], layers=[{"type": "linear", "out_features": 4000, "bias": False}])
    settings: dict[str, Any] = {"dataset_size": 2, "epochs": 1, "optimizer": "sgd", "calibration": calibrated(GPU)}
    [run] = archcost.plan(spec, hardware=[device(GPU, 110 * 2**20)], **settings).devices
    assert run.remedy is not None
    assert run.remedy.case.run.precision == "bf16"
    assert run.step is not None
    assert run.step.status == "bound"


# What does not fit


def test_the_cheapest_remedy_is_what_runs() -> None:
    """Half of the samples at a time: as many steps, each of two passes."""
    profile = device(GPU, 6 * 2**30)
    plan = archcost.plan(archcost.load("vgg_a"), 128, hardware=[profile], dataset_size=1280, epochs=3, price=1)
    [run] = plan.devices
    assert run.remedy is not None
    assert run.estimate is not None
    assert (run.fits, run.runs, run.verdict, plan.workload.steps) == (False, True, "does not fit", 30)
    assert run.estimate.demand.is_safe
    assert run.estimate.batch * run.estimate.run.accumulation == 128
    assert run.to_dict()["remedy"]["changes"] == [change.what for change in run.remedy.changes]
    assert [run.hours.low, run.cost.low] == [run.cost.low, run.hours.low] != [None, None]
    assert "Where it does not fit, the cheapest change with which it does:" in str(plan)


def test_nothing_makes_it_fit() -> None:
    plan = archcost.plan(small(), hardware=[device(CPU, 40)], dataset_size=1, epochs=1)
    [run] = plan.devices
    assert (run.fits, run.runs, run.remedy, run.hours, plan.runs) == (False, False, None, UNKNOWN, False)
    assert run.verdict == "does not fit"
    assert run.to_dict()["time"] is None
    assert f"No change makes it fit on {CPU}." in str(plan)


def test_no_checkpoints_suffice() -> None:
    """15 weights and as many gradients are more than 100 bytes, whatever is computed again."""
    plan = archcost.plan(small(), hardware=[device(CPU, 100)], dataset_size=1, epochs=1, recompute="auto")
    assert plan.devices[0].problem is not None
    assert plan.devices[0].verdict is None
    assert plan.unknown == (CPU,)


def test_inference_saves_nothing() -> None:
    plan = archcost.plan(small(), 2, hardware=[T4], dataset_size=10, epochs=1, mode="infer")
    [run] = plan.devices
    assert run.to_dict()["checkpoints"] == {"bytes": 0, "kept": 1, "kept_bytes": 0}
    assert plan.flops == 10 * 2 * 15


def test_it_shows_itself() -> None:
    plan = archcost.plan(small(), hardware=[T4], dataset_size=1, epochs=1)
    assert isinstance(plan, Plan)
    assert plan._repr_html_().count("<table") == 1  # pyright: ignore[reportPrivateUsage]
    assert "1 sample, 1 time: 1 step of 1 sample, 60 FLOPs of contractions." in plan.to_markdown()
