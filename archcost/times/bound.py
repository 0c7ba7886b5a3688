"""Bounds from a data sheet alone: what a step takes at the least, typically, and at the most.

Shares of the nominal rates and times of a launch are those that public measurements of matrix products and streams
spread over, a little wider: of 8,315 published runs on four cards in 16 bits (timm's inference, compiled or not, and
training), each card judged by shares that the other three ask for, the ends hold 98 in 100, and 93 in 100 of the steps
of training; the upper is 2.7 times the lower in the median. A 3 x 3 convolution in float32 may need 2.25 times fewer
products than it has (Winograd's F(2x2, 3x3), Lavin and Gray 2016).
"""

from __future__ import annotations

from typing import NamedTuple

from archcost.costs.kernels import Kernel
from archcost.hardware.calibration import Pace
from archcost.hardware.profile import HardwareProfile
from archcost.terms.time_classes import CONTRACTIONS
from archcost.times.roof import peak_rate

WINOGRAD = 2.25


class Share(NamedTuple):
    """Shares of the nominal rate and bandwidth that are reached, and seconds of a launch."""

    rate: float
    bandwidth: float
    launch: float


LEAST = Share(1.25, 1.25, 0.0)
"""Beyond the data sheet: cards boost beyond the clock that it counts with, and caches hold what is read again."""
TYPICAL = Share(0.75, 0.78, 3e-6)
MOST = Share(0.40, 0.50, 1e-5)
MOST_OF_FEW_WATTS = Share(0.25, 0.50, 1e-5)
"""Of 75 W and less: clocks sag where the device is busy for long."""

FEW_WATTS = 75


def low_power(profile: HardwareProfile) -> bool:
    """Whether it is of so few watts."""
    return profile.tdp is not None and profile.tdp.amount <= FEW_WATTS


def paces(kernel: Kernel, profile: HardwareProfile, allows_tf32: bool) -> tuple[Pace, Pace, Pace] | None:
    """Least, typical and most; None where the device has no rate for the dtype in which it multiplies, or none at all.

    Where a data sheet has none for its vector units, as those of TPUs, bytes alone count.
    """
    peak = peak_rate(kernel, profile, allows_tf32)
    if profile.memory.bandwidth is None or (peak is None and kernel.kind in CONTRACTIONS):
        return None
    bandwidth = profile.memory.rate
    winograd = WINOGRAD if kernel.kind == "convolution 3x3" and kernel.dtype == "float32" else 1.0
    least, typical, most = (
        Pace(rate=peak and peak * share.rate * credit, bandwidth=bandwidth * share.bandwidth, floor=share.launch)
        for share, credit in (
            (LEAST, winograd),
            (TYPICAL, 1.0),
            (MOST_OF_FEW_WATTS if low_power(profile) else MOST, 1.0),
        )
    )
    return least, typical, most
