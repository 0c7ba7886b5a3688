"""Devices of any memory, and runs of any settings."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from archcost import Run, hardware
from archcost.hardware.profile import HardwareProfile

GPU, CPU = "nvidia-rtx-4090", "amd-epyc-9654"


def device(name: str, room: int) -> HardwareProfile:
    """A shipped device with that much memory beside its context."""
    profile = hardware.load(name)
    context = 0 if profile.context is None else int(profile.context.amount)
    nominal = profile.memory.nominal.model_copy(update={"amount": room + context})  # a file has whole KiB
    memory = profile.memory.model_copy(update={"nominal": nominal, "usable": None})
    return profile.model_copy(update={"memory": memory})


@st.composite
def runs(draw: st.DrawFn) -> Run:
    settings: dict[str, Any] = {
        "mode": draw(st.sampled_from(["train", "train", "train", "infer", "infer-autograd"])),
        "precision": draw(st.sampled_from(["fp32", "amp-bf16", "bf16"])),
        "optimizer": draw(st.sampled_from(["none", "sgd", "sgd-momentum", "adam", "adafactor"])),
        "accumulation": draw(st.sampled_from([1, 1, 3])),
        "recompute": draw(st.sampled_from(["none", "none", "every:2"])),
        "in_place": draw(st.sampled_from([None, False])),
    }
    return Run(**settings)


@st.composite
def devices(draw: st.DrawFn) -> HardwareProfile:
    """A GPU's allocator takes 2 MiB at the least, and a product of matrices two workspaces."""
    name = draw(st.sampled_from([GPU, CPU]))
    room = draw(st.integers(20 * 2**20, 300 * 2**20)) if name == GPU else draw(st.integers(2**14, 2**24))
    return device(name, room)
