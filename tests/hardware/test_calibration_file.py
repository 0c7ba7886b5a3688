"""A calibration as text is read as the same."""

from __future__ import annotations

import pytest

from archcost.errors import SpecError
from archcost.hardware.calibration import Calibration, Errors, Measured, Pace, loads
from archcost.hardware.calibration_file import WRITTEN, as_text

PACE = Pace(rate=123.456e9, bandwidth=12.5e9, floor=3.25e-6, reread=7e6)
FULL = Calibration(
    device="amd-epyc",
    engine="eager",
    version="torch 2.13.0",
    precision="amp-bf16",
    modes=("infer", "train"),
    status="calibrated",
    source='measured, "here": today',
    processor="AMD EPYC",
    runs=7,
    families=3,
    threads=2,
    dispatch=1.5e-6,
    overlaps=False,
    first_touch=2.5e9,
    classes={"convolution 1x1": PACE, "elementwise": Pace(bandwidth=2e9)},
    backward={"convolution 1x1": PACE},
    inference={"batch norm": PACE},
    optimizers={"adam": Pace(bandwidth=3e9, floor=0.0)},
    points={"relu 2×3 train": Measured(1.25e-5, 0.0, 0.125)},
    operators={'upsample mode="nearest" 1×2×3 infer': Measured(2.5, 3e-9, 0.5)},
    band=(0.75, 1.5),
    operators_band=(0.875, 1.125),
    errors=Errors(median=0.125, p90=0.25, beyond_factor_two=0.0, inside_band=0.875),
)


def test_all_of_it_comes_back() -> None:
    text = as_text(FULL)
    assert text.startswith(WRITTEN + "\n")
    assert loads(text, "mine.yaml") == FULL


def test_the_least_of_it_comes_back() -> None:
    given = {
        "processor",
        "threads",
        "first_touch",
        "backward",
        "inference",
        "optimizers",
        "points",
        "operators",
        "errors",
    }
    least = Calibration(**{name: value for name, value in FULL if name not in given})
    assert loads(as_text(least), "mine.yaml") == least


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("first_touch: 2.50000 GB/s", "first_touch: 2.5 GFLOP/s", "wrong quantity"),
        ("threads: 2", "threads: 0", "threads"),
        ("band: [0.75, 1.5]", "band: [1.75, 1.5]", "band"),
        ("[12.5000 us, ", "[-12.5 us, ", "wrong quantity"),
    ],
)
def test_a_mistake_is_told_with_its_place(before: str, after: str, told: str) -> None:
    text = as_text(FULL)
    assert before in text
    with pytest.raises(SpecError, match=told) as caught:
        loads(text.replace(before, after), "mine.yaml")
    assert "mine.yaml:" in str(caught.value)
