"""What torch runs on here: what a measurement holds for, and for nothing else."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import NamedTuple

import torch

from archcost.hardware.without_sheet import cpu_name, profile_name
from archcost.terms.autograd import Device


class Machine(NamedTuple):
    """`threads` are those of torch's CPU kernels; None on a GPU."""

    device: str
    processor: str
    torch: str
    threads: int | None
    precision: str

    @property
    def name(self) -> str:
        """The name that a hardware profile of it would have."""
        return profile_name(self.processor)


def kernels_of(device: str) -> Device:
    """The vendor of the kernels that run on a torch device."""
    return "cuda" if torch.device(device).type == "cuda" else "cpu"


def here(device: str, precision: str) -> Machine:
    """This machine, with the number of threads that torch uses at the moment."""
    kernels = kernels_of(device)
    on_cuda = kernels == "cuda"
    return Machine(
        kernels,
        torch.cuda.get_device_name(device) if on_cuda else cpu_name(),
        torch.__version__.partition("+")[0],
        None if on_cuda else torch.get_num_threads(),
        precision,
    )


@contextmanager
def threads(count: int | None) -> Generator[None]:
    """Inside, torch's CPU kernels have so many threads; None leaves them as they are."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
