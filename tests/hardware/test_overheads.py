"""What is held beside tensors, by hand."""

from __future__ import annotations

import pytest

from archcost import hardware
from archcost.hardware.overheads import room


def test_the_context_is_not_left_for_tensors():
    # 24 GiB, nothing known to be unusable, less 300 MB
    assert room(hardware.load("nvidia-a10")) == 24 * 2**30 - 300_000_000


def test_a_profile_that_states_no_context():
    assert room(hardware.load("raspberry-pi-5")) == 8 * 2**30


@pytest.mark.parametrize(
    ("device", "in_use", "allocated", "reserved"),
    [
        ("nvidia-rtx-4090", 22.69, 21.72, 520.54),
        ("nvidia-rtx-5090", 31.34, 30.74, 19.41),
        ("nvidia-a100-sxm4-40gb", 14.25, 12.87, 912.01),
        ("nvidia-a100-pcie-40gb", 14.25, 12.87, 912.01),
        ("nvidia-a100-sxm4-80gb", 9.25, 8.27, 500.38),
        ("nvidia-a100-pcie-80gb", 9.25, 8.27, 500.38),
        ("nvidia-l40s", 11.13, 10.25, 394.5),
        ("nvidia-t4", 4.11, 3.72, 264.21),
    ],
)
def test_the_context_is_what_torch_s_message_leaves(
    device: str, in_use: float, allocated: float, reserved: float
) -> None:
    """Of a message that memory ran out: GiB in use, GiB allocated, MiB reserved beside; the rest is none."""
    context = hardware.load(device).context
    assert context is not None
    assert abs(context.amount - (in_use * 2**30 - allocated * 2**30 - reserved * 2**20)) < 2**20
