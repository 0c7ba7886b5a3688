"""Which of torch's rules hold on a device: whose kernels run there, and whether an allocator caches."""

from __future__ import annotations

from archcost.hardware.profile import HardwareProfile
from archcost.terms.autograd import Device

CACHING = frozenset(["NVIDIA", "AMD"])
"""Vendors whose GPUs torch allocates on by its caching allocator."""


def torch_device(profile: HardwareProfile) -> Device:
    """The torch device whose kernels a device runs: `cuda` for every accelerator, else `cpu`."""
    return "cpu" if profile.kind in ("cpu", "microcontroller") else "cuda"


def caches(profile: HardwareProfile) -> bool:
    return torch_device(profile) == "cuda" and profile.kind != "tpu" and profile.vendor in CACHING
