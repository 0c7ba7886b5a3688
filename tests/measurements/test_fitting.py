"""The fit finds constants that made-up runs were made with, and leaves whole families out."""

from __future__ import annotations

import numpy as np
import pytest

from tests.measurements.fitting import BACK, Fit, Part, Seen, Usual, band_of, errors, family

RATE, BANDWIDTH, LAUNCH = 100e12, 1e12, 3e-6
SHARES = {"convolution": Usual(0.6, 0.5), "elementwise": Usual(1.0, 0.7), f"convolution{BACK}": Usual(0.4, 0.5)}


def made_up(families: int, noise: float = 0.0) -> list[Seen]:
    """Networks of three classes in different proportions, with the seconds that the shares say."""
    drawn = np.random.default_rng(1)
    found: list[Seen] = []
    for index in range(families * 5):
        amounts = drawn.uniform(0.1, 1, 4) * [4e12, 2e10, 3e10, 8e12]
        parts = {
            Part("convolution", amounts[0], 1e9, 1): 10,
            Part("elementwise", 0.0, amounts[1], 1): 20,
            Part(f"convolution{BACK}", amounts[3], amounts[2], 2): 5,
        }
        seconds = 0.0
        for part, times in parts.items():
            share = SHARES[part.kind]
            longest = max(part.flops / share.rate / RATE, part.nbytes / share.bandwidth / BANDWIDTH)
            seconds += times * (longest + part.launches * LAUNCH)
        found.append(Seen(f"family{index % families}", parts, seconds * np.exp(noise * drawn.normal())))
    return found


def test_constants_come_back() -> None:
    runs = made_up(12)
    fit = Fit(RATE, BANDWIDTH, power=24.0, ridge=Usual(1e-4, 1e-4))
    found = fit.fitted(runs).shares
    assert found["convolution"].rate == pytest.approx(0.6, rel=0.02)
    assert found["elementwise"].bandwidth == pytest.approx(0.7, rel=0.02)
    assert found[f"convolution{BACK}"].rate == pytest.approx(0.4, rel=0.05)
    assert fit.predicted(runs, fit.fitted(runs)) == pytest.approx([run.seconds for run in runs], rel=0.02)


def test_errors_and_band_are_those_of_families_left_out() -> None:
    """Noise of 5 % is about what is told, and 90 % of it lies within 1.64 deviations."""
    runs = made_up(12, noise=0.05)
    fit = Fit(RATE, BANDWIDTH, power=24.0)
    left_out = fit.left_out(runs, folds=6)
    low, high = band_of(left_out, runs)
    found = errors(left_out, runs, (low, high))
    assert found.median == pytest.approx(0.67 * 0.05, abs=0.015)
    assert (low, high) == (pytest.approx(np.exp(-0.082), abs=0.04), pytest.approx(np.exp(0.082), abs=0.04))
    assert found.inside_band == pytest.approx(0.9, abs=0.04)
    assert found.beyond_factor_two == 0


def test_a_class_that_no_run_tells_of_stays_as_usual() -> None:
    runs = [run._replace(parts={**run.parts, Part("sort", 0.0, 1.0, 0): 1}) for run in made_up(6)]
    assert Fit(RATE, BANDWIDTH).fitted(runs).shares["sort"] == pytest.approx(Usual(), rel=1e-3)


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        ("resnet50", "resnet"),
        ("tv_resnet34", "resnet"),
        ("resnetv2_50", "resnetv2"),
        ("tf_efficientnetv2_s", "efficientnetv2"),
        ("vit_base_patch16_224", "vit"),
        ("mobilenetv3_small_050", "mobilenetv3"),
        ("xcit_tiny_12_p8_224", "xcit"),
    ],
)
def test_families(network: str, expected: str) -> None:
    assert family(network) == expected
