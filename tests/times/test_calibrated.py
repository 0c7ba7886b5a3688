"""A step by a calibration that was measured: layers that were timed, blocks that are new, and what it was made on."""

from __future__ import annotations

import pytest

import archcost
from archcost import ArchcostError, Run
from archcost.costs.timeline import Timeline, timeline
from archcost.estimates.estimate import Estimate
from archcost.hardware.calibration import Calibration, Errors, Measured, Pace
from archcost.times.choose import OTHER_DEVICE, OTHER_RELEASE
from archcost.times.operators import operators

CPU = "generic-desktop-cpu"
CLASS = Pace(rate=1e9, bandwidth=1e9, floor=1e-6)
MADE = Calibration(
    device=CPU,
    engine="eager",
    version="torch 2.13.0",
    precision="fp32",
    modes=("infer", "train"),
    status="calibrated",
    source="made up",
    runs=1,
    families=1,
    threads=2,
    dispatch=0.0,
    overlaps=False,
    classes={"product": CLASS, "elementwise": CLASS},
    band=(0.8, 1.3),
    operators_band=(0.9, 1.1),
)
SPEC = archcost.ModelSpec.model_validate(
    {
        "name": "n",
        "input": [3],
        "layers": [{"type": "linear", "name": "fc", "out_features": 5, "bias": False}, {"type": "relu"}],
    }
)
INFER = Run(mode="infer", torch="2.13")


def estimate(calibration: Calibration, hardware: str = CPU, threads: int | None = None, run: Run = INFER) -> Estimate:
    return archcost.estimate(SPEC, 2, hardware=hardware, run=run, calibration=calibration, threads=threads)


def seconds(calibration: Calibration) -> float:
    time = estimate(calibration).time
    assert time is not None
    assert time.step is not None
    return time.step


def test_computing_and_moving_add_up() -> None:
    """2·2·3·5 = 60 FLOPs, 24 + 60 + 40 = 124 B; the activation has 10 values, reads and writes 40 B."""
    assert seconds(MADE) == pytest.approx((60 + 124 + 10 + 80) / 1e9 + 2e-6)
    overlapping = MADE.model_copy(update={"overlaps": True})
    assert seconds(overlapping) == pytest.approx((124 + 80) / 1e9 + 2e-6)


def test_inference_has_its_own_pace_where_it_was_timed() -> None:
    twice = CLASS.model_copy(update={"rate": 2e9, "bandwidth": 2e9, "floor": 5e-7})
    faster = MADE.model_copy(update={"inference": {"product": twice, "elementwise": twice}})
    assert seconds(faster) == pytest.approx(seconds(MADE) / 2)
    run = Run(optimizer="none", torch="2.13")
    trained, other = (estimate(each, run=run).time for each in (MADE, faster))
    assert trained is not None
    assert other is not None
    assert trained.typical == other.typical


def test_a_layer_that_was_timed_takes_what_it_took() -> None:
    (key,) = [each.key for name, each in operators(line()).items() if name == "fc"]
    timed = MADE.model_copy(update={"operators": {key: Measured(5e-3, 0.0, 0.0)}})
    assert seconds(timed) == pytest.approx(5e-3 + 90 / 1e9 + 1e-6)


def line() -> Timeline:
    return timeline(archcost.build(SPEC, 2), INFER, "cpu")


def test_the_band_is_that_of_what_was_timed() -> None:
    """All of it: the layers' own band. None of it: that of the classes."""
    every = {each.key: Measured(1e-3, 0.0, 0.0) for each in operators(line()).values()}
    time = estimate(MADE.model_copy(update={"operators": every})).time
    assert time is not None
    assert time.band == pytest.approx((0.9 * 2e-3, 1.1 * 2e-3))
    assert (found := estimate(MADE).time) is not None
    assert found.band == pytest.approx((0.8 * seconds(MADE), 1.3 * seconds(MADE)))


def test_backward_is_shared_as_by_the_classes() -> None:
    """Of the weight alone: the network's input needs no gradient."""
    run = Run(optimizer="none", torch="2.13")
    found = operators(timeline(archcost.build(SPEC, 2), run, "cpu"))["fc"]
    timed = MADE.model_copy(update={"operators": {found.key: Measured(2e-3, 3e-3, 0.0)}})
    time = estimate(timed, run=run).time
    assert time is not None
    (layer,) = [each for each in time.layers if each.name == "fc"]
    assert (layer.forward, layer.backward_input, layer.backward_weight) == pytest.approx((2e-3, 0.0, 3e-3))


def test_blocks_that_are_fetched_anew_cost_what_it_takes_to_touch_them() -> None:
    """2^21 rows of 5 values are 40 MiB: at 1 GB/s 41,943,040 ns, of the product's result and of the activation's."""
    touched = MADE.model_copy(update={"first_touch": 1e9})
    plain, longer = (
        archcost.estimate(SPEC, 2**21, hardware=CPU, run=INFER, calibration=each).time for each in (MADE, touched)
    )
    assert plain is not None
    assert longer is not None
    assert longer.typical - plain.typical == pytest.approx(2 * 41_943_040e-9)


@pytest.mark.parametrize(
    ("hardware", "threads", "run", "wider", "told"),
    [
        (CPU, 2, INFER, 1.0, None),
        (CPU, 1, INFER, 2.0, "made with 2 threads, and not with 1"),
        ("amd-epyc-7763", None, INFER, OTHER_DEVICE, "of generic-desktop-cpu, and not of amd-epyc-7763"),
        (CPU, None, Run(mode="infer", torch="2.14"), OTHER_RELEASE, "made with torch 2.13, and not with 2.14"),
        ("amd-epyc-7763", 1, Run(mode="infer", torch="2.14"), 2 * OTHER_DEVICE * OTHER_RELEASE, "torch 2.13"),
    ],
)
def test_a_calibration_of_something_else_has_a_wider_band(
    hardware: str, threads: int | None, run: Run, wider: float, told: str | None
) -> None:
    found = estimate(MADE, hardware, threads, run)
    assert found.time is not None
    assert found.time.band == pytest.approx((0.8 / wider * seconds(MADE), 1.3 * wider * seconds(MADE)))
    assert bool(found.chosen.differs) == (told is not None)
    if told:
        assert any(told in note for note in found.time.notes)


@pytest.mark.parametrize("run", [Run(mode="infer", precision="amp-bf16"), Run(precision="bf16")])
def test_another_precision_is_refused(run: Run) -> None:
    with pytest.raises(ArchcostError, match="of another kind of run"):
        estimate(MADE, run=run)


def test_keys_tell_what_takes_another_time_and_nothing_else() -> None:
    """Names and wiring are no part of a key; sizes, fields, gradients and the mode are."""
    first = operators(line())["fc"].key
    assert first == "linear bias=false out_features=5 2×3 infer"
    other = SPEC.model_copy(update={"name": "m"})
    assert operators(timeline(archcost.build(other, 2), INFER, "cpu"))["fc"].key == first
    assert operators(timeline(archcost.build(SPEC, 3), INFER, "cpu"))["fc"].key != first
    trained = operators(timeline(archcost.build(SPEC, 2), Run(torch="2.13"), "cpu"))["fc"].key
    assert trained == "linear bias=false out_features=5 2×3 gradients of weight train"


def test_the_text_says_what_was_timed() -> None:
    errors = Errors(median=0.125, p90=0.5, beyond_factor_two=0.0, inside_band=1.0)
    told = MADE.model_copy(update={"processor": "Made Up", "runs": 7, "families": 3, "errors": errors})
    text = " ".join(str(estimate(told)).split())
    assert (
        "7 layers of 3 classes timed on Made Up with 2 threads; of single layers left out, half were within 12.5%"
        in text
    )
    assert "1 layer of 1 class timed on generic-desktop-cpu with 2 threads." in " ".join(str(estimate(MADE)).split())
