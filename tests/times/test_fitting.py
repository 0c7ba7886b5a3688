"""Constants come back from points that were made with them, and from points that somebody disturbed."""

from __future__ import annotations

from itertools import product

import pytest

from archcost.costs.kernel import Kernel
from archcost.hardware.calibration import Pace
from archcost.times.fitting import Case, fit

FLOOR, RATE, BANDWIDTH, REREAD = 2e-5, 80e9, 12e9, 3e9


def took(kernel: Kernel) -> float:
    """floor + FLOPs / rate + bytes / bandwidth + weights of all samples / reread."""
    return FLOOR + kernel.flops / RATE + kernel.nbytes / BANDWIDTH + kernel.reread / REREAD


def convolutions() -> list[Kernel]:
    amounts = product((10**6, 10**7, 10**9), (10**5, 10**7), (10**4, 10**6))
    return [Kernel("convolution", flops, nbytes, "float32", reread=reread) for flops, nbytes, reread in amounts]


def case(kernel: Kernel, seconds: float | None = None) -> Case:
    return Case(kernel.kind, (kernel,), took(kernel) if seconds is None else seconds)


def require_near(pace: Pace, share: float) -> None:
    assert pace.floor == pytest.approx(FLOOR, rel=share)
    assert pace.rate == pytest.approx(RATE, rel=share)
    assert pace.bandwidth == pytest.approx(BANDWIDTH, rel=share)
    assert pace.reread == pytest.approx(REREAD, rel=share)


def test_known_constants_come_back() -> None:
    found = fit([case(each) for each in convolutions()], [])
    require_near(found.classes["convolution"], 0.05)
    assert found.errors is not None
    assert found.errors.median < 0.02


def test_one_disturbed_point_decides_little() -> None:
    cases = [case(each) for each in convolutions()]
    cases[5] = cases[5]._replace(seconds=20 * cases[5].seconds)
    require_near(fit(cases, []).classes["convolution"], 0.3)


def test_what_stands_beside_is_priced_by_its_own_class() -> None:
    """Backward of a product with its bias's sum, which moves 5 GB/s and has no floor."""
    sums = [Kernel("reduction", 0, nbytes, "float32") for nbytes in (10**5, 10**6, 10**7, 10**8)]
    forward = [case(each) for each in convolutions()]
    forward += [case(each, each.nbytes / 5e9) for each in sums]
    backward = [
        Case("convolution", (kernel, sums[1]), took(kernel) + sums[1].nbytes / 5e9) for kernel in convolutions()
    ]
    pace = fit(forward, backward).backward["convolution"]
    require_near(pace.model_copy(update={"floor": FLOOR}), 0.1)
    assert pace.floor < 2 * FLOOR


def test_what_the_points_do_not_tell_stays_where_it_began() -> None:
    """Without weights, nothing says how fast these are gone through."""
    found = fit([case(each._replace(reread=0)) for each in convolutions()], [])
    assert found.classes["convolution"].reread == pytest.approx(50e9)


def test_what_is_shorter_than_the_clock_sees_is_left_out() -> None:
    cases = [case(each) for each in convolutions()]
    assert fit([*cases, case(convolutions()[0], 1e-7)], []).classes == fit(cases, []).classes


def test_inference_has_constants_of_its_own() -> None:
    forward = [case(each) for each in convolutions()]
    found = fit(forward, [], [each._replace(seconds=each.seconds / 2) for each in forward])
    require_near(found.classes["convolution"], 0.05)
    assert found.inference["convolution"].rate == pytest.approx(2 * RATE, rel=0.05)
