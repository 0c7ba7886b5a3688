"""`plan`: what is refused, with what it says; numbers and their units."""

from __future__ import annotations

from typing import Any

import pytest

import archcost
from archcost import ArchcostError
from archcost.planning.plan import Charges
from archcost.planning.workload import workload
from tests.planning.runs import A100, T4, calibrated, reading, small


@pytest.mark.parametrize(
    ("text", "number"), [("1.2M", 1_200_000), ("300 B", 300 * 10**9), ("2T", 2 * 10**12), ("7", 7)]
)
def test_numbers_have_prefixes(text: str, number: int) -> None:
    assert workload(reading(tokens=1), 1, tokens=text).steps == number


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        (
            {"dataset_size": 0},
            "dataset size of a run\n"
            "  expected: an integer from 1 to 1,000,000,000,000,000,000, or with a prefix: 1.2M, 300B, 2T\n"
            "  found: 0",
        ),
        (
            {"epochs": "0"},
            "epochs of a run\n"
            "  expected: an integer from 1 to 1,000,000,000,000,000,000, or with a prefix: 1.2M, 300B, 2T\n"
            "  found: '0'",
        ),
        (
            {"epochs": 1.5},
            "epochs of a run\n"
            "  expected: an integer from 1 to 1,000,000,000,000,000,000, or with a prefix: 1.2M, 300B, 2T\n"
            "  found: 1.5",
        ),
        (
            {"epochs": None},
            "how long the run is, is not clear\n"
            "  expected: a dataset size and epochs, or tokens\n"
            "  found: dataset size\n"
            "  try: --dataset-size N --epochs E, or --tokens T",
        ),
        (
            {"dataset_size": None, "epochs": None, "tokens": 5},
            "small: tokens of a network that reads none\n"
            "  expected: an input of integers, one row a sample\n"
            "  found: input [5] float32\n"
            "  try: --dataset-size N --epochs E",
        ),
        ({"price": -1}, "a negative price\n  expected: 0 USD/h or more\n  found: -1"),
        ({"price": {T4: "-0.5 USD/h"}}, "a negative price\n  expected: 0 USD/h or more\n  found: '-0.5 USD/h'"),
        (
            {"price": {"nvidia-t5": 1}},
            "price of a device that is not asked for\n"
            "  expected: one of nvidia-t4\n"
            "  found: nvidia-t5\n"
            "  try: 'nvidia-t4'",
        ),
        (
            {"price": "2 W"},
            "price in a wrong unit\n  expected: a number, or one with a unit: USD/h\n  found: '2 W'",
        ),
        (
            {"power": "300 GW"},
            "power in a wrong unit\n  expected: a number, or one with a unit: mW, W, kW\n  found: '300 GW'\n  try: 'W'",
        ),
        (
            {"price": 1e300},
            "price is too large to be true\n  expected: at most 1,000,000,000 USD/h\n  found: 1e+300",
        ),
        (
            {"carbon": "nan"},
            "carbon intensity is no number\n"
            "  expected: a number of g/kWh, or one with a unit: g/kWh, kg/kWh\n"
            "  found: 'nan'",
        ),
        (
            {"count": 3},
            "small: a batch that is not shared out evenly\n"
            "  expected: a multiple of the 3 devices\n"
            "  found: 128\n"
            "  try: --batch 129",
        ),
        (
            {"order": "tim"},
            "what to order by is not known\n  expected: time, cost\n  found: 'tim'\n  try: 'time'",
        ),
        ({"hardware": [T4, T4]}, "a device is named twice\n  expected: each device once\n  found: nvidia-t4"),
    ],
)
def test_wrong_input(changed: dict[str, Any], told: str) -> None:
    asked = {"batch": 128, "hardware": [T4], "dataset_size": 10, "epochs": 1, **changed}
    with pytest.raises(ArchcostError) as refused:
        archcost.plan(small(), **asked)
    assert str(refused.value) == told
    assert refused.value.exit_code == 2


@pytest.mark.parametrize("batch", [0, -2, 2.0, 10**18])
def test_wrong_batch(batch: Any) -> None:
    with pytest.raises(ArchcostError, match="wrong batch"):
        archcost.plan(small(), batch, hardware=[T4], dataset_size=10, epochs=1, count=2)


def test_two_lengths_are_no_length() -> None:
    with pytest.raises(ArchcostError, match="reading: tokens of which input") as refused:
        archcost.plan(reading(a=3, b=5), hardware=[T4], tokens=100)
    assert refused.value.found == "a of 3, b of 5"


def test_units() -> None:
    plan = archcost.plan(
        small(), hardware=[T4], dataset_size=1, epochs=1, price="3 USD/h", power="0.05 kW", carbon="0.4 kg/kWh"
    )
    assert plan.devices[0].charges == Charges(3.0, 50.0, False, 400.0)


def test_a_calibration_of_no_device_that_is_asked_for() -> None:
    with pytest.raises(ArchcostError) as refused:
        archcost.plan(small(), hardware=[T4, "nvidia-l4"], dataset_size=1, epochs=1, calibration=calibrated(A100))
    assert str(refused.value) == (
        "the calibration is of a device that is not asked for\n"
        "  expected: one of nvidia-t4, nvidia-l4\n"
        "  found: nvidia-a100-sxm4-80gb"
    )
