"""Which of torch's rules hold on a device: whose kernels run there, and whether an allocator caches."""

from __future__ import annotations

from archcost.errors import ArchcostError
from archcost.hardware.profile import HardwareProfile
from archcost.passes.run import Run
from archcost.terms.autograd import Device

CACHING = frozenset(["NVIDIA", "AMD", "any"])
"""Vendors whose GPUs torch allocates on by its caching allocator; a GPU of which only the memory is known is taken for
one of theirs."""


def torch_device(profile: HardwareProfile) -> Device:
    """The torch device whose kernels a device runs: `cuda` for every accelerator, else `cpu`."""
    return "cpu" if profile.kind in ("cpu", "microcontroller") else "cuda"


def require_host(run: Run, profile: HardwareProfile) -> None:
    """Raises ArchcostError where something is offloaded from a device whose memory is the host's."""
    if run.offloaded and not has_host(profile):
        raise ArchcostError(
            f"{profile.name} has the host's memory, and none of its own to offload from",
            expected="a card with memory of its own",
            found=f"offload {run.offload}",
        )


def offloading(run: Run, device: Device) -> Run:
    """The run itself. Raises ArchcostError where it offloads something from a CPU."""
    if run.offloaded and device == "cpu":
        found = f"offload {run.offload}"
        raise ArchcostError("nothing can be offloaded from a CPU", expected="the device cuda", found=found)
    return run


def has_host(profile: HardwareProfile) -> bool:
    """Whether it has a memory of its own beside the host's."""
    kind = profile.memory.type
    shares = kind is not None and kind.value.startswith("LPDDR")
    return profile.kind in ("gpu", "tpu") and not shares


def caches(profile: HardwareProfile) -> bool:
    return torch_device(profile) == "cuda" and profile.kind != "tpu" and profile.vendor in CACHING
