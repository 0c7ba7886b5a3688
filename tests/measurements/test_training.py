"""Published steps of training beside what the calibrations of that card say, for networks that ship."""

from __future__ import annotations

from functools import cache

import numpy as np

import archcost
from archcost import ModelSpec
from archcost.costs.kernels import kernels
from archcost.costs.timeline import timeline
from archcost.hardware import calibration, library
from archcost.spec.overrides import override
from archcost.times import step_time
from tests.measurements import compiled, training
from tests.measurements.training import DEVICE, ENGINES, Row, rows, run

NAMES = {
    "resnet18": "resnet18",
    "resnet34": "resnet34",
    "resnet50": "resnet50",
    "resnet101": "resnet101",
    "resnext50_32x4d": "resnext50_32x4d",
    "wide_resnet50_2": "wide_resnet50_2",
    "densenet121": "densenet121",
    "vgg11": "vgg_a",
    "vgg13_bn": "vgg_b_bn",
    "vgg16": "vgg_d",
    "vgg16_bn": "vgg_d_bn",
    "vgg19_bn": "vgg_e_bn",
    "mobilenetv2_100": "mobilenet_v2",
    "efficientnet_b0": "efficientnet_b0",
    "efficientnet_b2": "efficientnet_b2",
}
"""By timm's name, as what it ships."""


@cache
def spec_at(name: str, size: int) -> ModelSpec:
    spec = archcost.load(name)
    return override(spec, inputs=[f"3x{size}x{size}"])


def told(row: Row) -> tuple[float, tuple[float, float]]:
    spec = spec_at(NAMES[row.network], row.size)
    found = archcost.estimate(
        spec,
        row.batch,
        hardware=DEVICE,
        mode="train",
        precision="amp-fp16",
        optimizer="sgd-momentum",
        engine=ENGINES[row.layout],
    ).time
    assert found is not None
    assert found.step is not None
    assert (found.status, found.engine) == ("public", f"torch 1.12 {ENGINES[row.layout]}")
    return found.step, found.band


def test_published_steps_of_shipped_networks_are_in_the_band() -> None:
    found = [(row, *told(row)) for row in rows() if row.network in NAMES]
    assert len(found) >= 20
    inside = [low <= row.seconds <= high for row, _, (low, high) in found]
    assert sum(inside) >= 0.85 * len(inside)
    off = [abs(step / row.seconds - 1) for row, step, _ in found]
    assert float(np.median(off)) < 0.07


def test_without_a_calibration_bounds_of_the_data_sheet_hold_them() -> None:
    """Nine in ten at least, between ends that are less than four times apart."""
    profile = library.load(DEVICE)
    found = [row for row in rows() if row.network in NAMES and row.layout == "nchw"]
    inside: list[bool] = []
    for row in found:
        line = timeline(archcost.build(spec_at(NAMES[row.network], row.size), batch=row.batch), run(row.layout), "cuda")
        time = step_time(kernels(line), line.run, profile, row.batch)
        assert time is not None
        assert (time.status, time.step) == ("bound", None)
        low, high = time.band
        assert high < 4 * low
        inside.append(low <= row.seconds <= high)
    assert sum(inside) >= 0.9 * len(inside)


def test_the_pages_have_the_errors_of_the_calibrations() -> None:
    for module, devices in (
        (training, {training.DEVICE}),
        (compiled, {device for device, *_ in compiled.RUNS.values()}),
    ):
        page = module.PAGE.read_text(encoding="utf-8")
        mode = "train" if module is training else "infer"
        engines = training.ENGINES.values() if module is training else ["compiled"]
        shipped = [each for device in devices for engine in engines for each in calibration.of(device, engine)]
        found = [each for each in shipped if each.engine in engines and mode in each.modes]
        assert len(found) == page.count("|\n", 0, page.index("Bounds")) - 2
        for each in found:
            assert each.errors is not None
            assert each.errors.inside_band >= 0.9
            told = f"| {each.device}, {each.label}, {each.precision} | {each.runs} | {each.errors.median:.1%} |"
            assert f"{told} {each.errors.p90:.1%} |" in page
