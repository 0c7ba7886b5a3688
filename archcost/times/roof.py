"""The roofline of one kernel: its seconds, and the resource that limits it."""

from __future__ import annotations

from typing import Literal, NamedTuple

from archcost.costs.kernels import Kernel
from archcost.hardware.calibration import Pace
from archcost.hardware.profile import HardwareProfile
from archcost.terms.time_classes import CONTRACTIONS

Roof = Literal["matrix", "vector", "bandwidth", "dispatch"]


class Spent(NamedTuple):
    """Seconds of a kernel, and what it waits for."""

    seconds: float
    roof: Roof


NOTHING = Spent(0.0, "dispatch")

BYTES = ("int8", "uint8")
"""Integers that matrix units multiply."""
INTEGERS = (*BYTES, "int16", "uint16", "int32", "int64")


def spend(kernel: Kernel, pace: Pace, overlaps: bool = True) -> Spent:
    """max(FLOPs / rate, bytes / bandwidth) and the floor of each launch (the roofline of Williams et al. 2009); the
    sum of both where nothing overlaps. Weights that are gone through for each sample come on top.
    """
    by_flops, by_bytes = stretches(kernel)
    computing = kernel.flops * by_flops / pace.rate if pace.rate else 0.0
    moving = kernel.nbytes * by_bytes / pace.bandwidth if pace.bandwidth else 0.0
    rereading = kernel.reread / pace.reread if pace.reread else 0.0
    floor = kernel.launches * pace.floor
    whole = floor + rereading + (max(computing, moving) if overlaps else computing + moving)
    longest = max(computing, moving, rereading)
    if floor > longest:
        return Spent(whole, "dispatch")
    if computing == longest and computing > moving:
        return Spent(whole, "matrix" if kernel.kind in CONTRACTIONS else "vector")
    return Spent(whole, "bandwidth")


def stretches(kernel: Kernel) -> tuple[float, float]:
    """By how much short axes stretch the time for FLOPs and for bytes, as they leave units idle."""
    return (kernel.stretch, 1.0) if kernel.kind in CONTRACTIONS else (1.0, kernel.stretch)


def peak_rate(kernel: Kernel, profile: HardwareProfile, allows_tf32: bool) -> float | None:
    """FLOP/s of the data sheet for the units that a kernel uses; None where the device has none for its dtype.

    A float32 convolution of cuDNN is computed in TF32 where the device has it, a product only if it is allowed
    (torch.backends: cudnn.allow_tf32 is on, cuda.matmul.allow_tf32 off). Integers for which it has no units are
    multiplied at the rate of float32.
    """
    known = profile.rates.known()
    dtype = kernel.dtype if kernel.kind in CONTRACTIONS else "float32"
    if dtype in INTEGERS:
        dtype = "int8" if dtype in BYTES and "int8" in known else "float32"
    if dtype == "float32" and kernel.kind in CONTRACTIONS and "tf32" in known:
        convolves = kernel.kind not in ("product", "batched product", "attention", "recurrent")
        dtype = "tf32" if allows_tf32 or convolves else dtype
    found = known.get(dtype)
    return None if found is None else float(found.amount)
