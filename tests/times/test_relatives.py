"""A device without runs: constants by hand, and devices that were left out."""

from __future__ import annotations

from math import log, sqrt
from typing import Any

import pytest

from archcost import hardware
from archcost.hardware import HardwareProfile, calibration
from archcost.hardware.calibration import Calibration
from archcost.passes.run import Run
from archcost.times.choose import choose
from archcost.times.relatives import from_relatives
from tests.measurements.boards import tables
from tests.measurements.boards.networks import predicted

INFER = Run(mode="infer")


def device(name: str, gflops: int, gbs: int, **more: Any) -> HardwareProfile:
    sources = {"made_up": {"text": "made up", "date": "2026", "verified": "C"}}
    fields = {
        "name": name,
        "title": name,
        "vendor": "V",
        "kind": "cpu",
        "year": 2020,
        "verified": "C",
        "sources": sources,
        "processors": {"value": "4 cores", "source": "made_up"},
        "rates": {"float32": {"value": f"{gflops} GFLOP/s", "accumulate": "float32", "source": "made_up"}},
        "memory": {
            "type": {"value": "DDR4", "source": "made_up"},
            "nominal": {"value": "8 GiB", "source": "made_up"},
            "bandwidth": {"value": f"{gbs} GB/s", "source": "made_up"},
        },
    }
    return HardwareProfile.model_validate(fields | more)


def fitted(name: str, gflops: int, gbs: int, dispatch: str, **more: Any) -> Calibration:
    fields = {
        "device": name,
        "engine": "ncnn",
        "version": "1",
        "precision": "fp32",
        "modes": ["infer"],
        "status": "public",
        "source": "made up",
        "runs": 1,
        "families": 1,
        "fuses": ["attention", "weights"],
        "dispatch": dispatch,
        "classes": {
            "product": {"rate": f"{gflops} GFLOP/s", "bandwidth": f"{gbs} GB/s"},
            "copy": {"bandwidth": f"{gbs} GB/s"},
        },
        "band": [0.8, 1.25],
    }
    return Calibration.model_validate(fields | more)


DEVICES = {
    profile.name: profile
    for profile in (
        device("one", 100, 10, architecture="A"),
        device("two", 50, 20, architecture="A"),
        device("far", 50, 20, architecture="B"),
        device("other", 50, 20, architecture="C", vendor="W"),
    )
}


def test_constants_are_shares_of_the_data_sheets():
    """One reaches 0.5 and 0.4 of its rates, two 0.32 and 0.9: together √0.16 = 0.4 and √0.36 = 0.6."""
    known = [
        fitted("one", 50, 4, "10 us"),
        fitted("two", 16, 18, "20 us", band=[0.7, 1.2]),
        fitted("far", 1, 1, "1 s"),
    ]
    found = from_relatives(device("new", 200, 30, architecture="A"), INFER, known, DEVICES.__getitem__)
    assert found is not None
    made, note = found
    assert made.classes["product"].rate == pytest.approx(0.4 * 200e9)
    assert made.classes["product"].bandwidth == pytest.approx(0.6 * 30e9)
    assert made.classes["copy"].rate is None
    assert made.classes["copy"].bandwidth == pytest.approx(0.6 * 30e9)
    assert made.dispatch == pytest.approx(15e-6)
    assert made.device == "new"
    assert made.band[0] < 0.7
    assert made.band[1] > 1.25
    assert "one, two" in note
    assert "no runs of new" in note


def test_one_thread_is_scaled_by_the_core():
    """Two has cores of 12.5 GFLOP/s; the new device eight of 25: twice as fast in all."""
    known = [fitted("two", 5, 2, "20 us", threads=1)]
    eight = {"value": "8 cores", "source": "made_up"}
    found = from_relatives(device("new", 200, 20, processors=eight), INFER, known, DEVICES.__getitem__)
    assert found is not None
    assert found[0].classes["product"].rate == pytest.approx(10e9)
    assert found[0].classes["copy"].bandwidth == pytest.approx(4e9)


def test_nearer_ones_are_asked_first():
    known = [fitted(name, 5, 2, "20 us") for name in DEVICES]
    asked = {
        architecture: from_relatives(
            device("new", 100, 10, architecture=architecture, vendor=vendor), INFER, known, DEVICES.__getitem__
        )
        for architecture, vendor in (("B", "X"), ("D", "W"), ("D", "X"))
    }
    sources = {architecture: found and found[0].source for architecture, found in asked.items()}
    assert sources["B"] == "constants of far, scaled by data sheets"
    assert (
        sources["D"] == "constants of far, one, other, two, scaled by data sheets"
    )  # nobody's vendor: all of the kind
    assert from_relatives(device("new", 100, 10, kind="gpu"), INFER, known, DEVICES.__getitem__) is None


def test_the_geometric_mean_of_two():
    known = [fitted("one", 50, 4, "0 s"), fitted("two", 50, 4, "0 s")]
    found = from_relatives(device("new", 100, 10, architecture="A"), INFER, known, DEVICES.__getitem__)
    assert found is not None
    assert found[0].classes["product"].rate == pytest.approx(100e9 * sqrt(0.5 * 1.0))


@pytest.mark.parametrize(("name", "most"), [("raspberry-pi-4", 0.3), ("raspberry-pi-5", 0.3), ("st-stm32h7a3", 0.4)])
def test_a_device_left_out(name: str, most: float):
    """Its published runs, as its relatives predict them: near in the middle, and in the band nine times in ten."""
    rows = [row for row in tables.every() if row.hardware == name and row.engine in ("ncnn", "tiny-int8")]
    rows = [row for row in rows if row.threads > 1 or row.engine == "tiny-int8"]
    engine = rows[0].engine
    known = [each for each in calibration.of_engine(engine, "fp32") if each.device != name]
    found = from_relatives(hardware.load(name), INFER, known)
    assert found is not None
    off = sorted([abs(log(row.seconds / predicted(row.network, found[0]))) for row in rows])
    assert off[len(off) // 2] <= most
    low, high = found[0].band
    inside = [low <= row.seconds / predicted(row.network, found[0]) <= high for row in rows]
    assert sum(inside) >= 0.85 * len(inside)


def test_nothing_is_borrowed_in_a_precision_without_a_rate():
    """A card without a rate for float16 would be scaled by its float32, and come out twice as fast as it is."""
    half = Run(mode="infer", precision="amp-fp16")
    assert choose(hardware.load("nvidia-k80"), half, None).calibration is None
    assert choose(hardware.load("nvidia-k80"), INFER, None).calibration is not None
    with_units = choose(hardware.load("nvidia-gtx-1080"), half, None).calibration
    assert with_units is not None
    pascal, ampere = (hardware.load(name) for name in ("nvidia-gtx-1080", "nvidia-rtx-3090"))
    reached = with_units.classes["product"].rate
    assert reached is not None
    assert reached < pascal.rate("float16") < ampere.rate("float16") / 4


def test_choose_says_of_whom_the_constants_are():
    chosen = choose(hardware.load("generic-desktop-cpu"), INFER, "ncnn")
    assert chosen.calibration is not None
    assert chosen.calibration.device == "generic-desktop-cpu"
    assert chosen.notes[0].startswith("no runs of generic-desktop-cpu are known: constants of ")
    train = choose(hardware.load("raspberry-pi-4"), Run(), "ncnn")
    assert train.calibration is None
    assert "infer in fp32 only" in train.notes[0]
