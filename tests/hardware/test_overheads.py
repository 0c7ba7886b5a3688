"""What is held beside tensors, by hand."""

from __future__ import annotations

import pytest

from archcost import hardware
from archcost.hardware.overheads import convolution_workspace, room


def test_the_context_is_not_left_for_tensors():
    # 24 GiB, nothing known to be unusable, less 300 MB
    assert room(hardware.load("nvidia-a10")) == 24 * 2**30 - 300_000_000


def test_a_profile_that_states_no_context():
    assert room(hardware.load("raspberry-pi-5")) == 8 * 2**30


def test_the_unfolded_input():
    # 2 images x 5 x 7 positions x 3 channels x 5 x 5 taps = 5250 elements
    assert convolution_workspace((2, 3, 10, 14), (2, 11, 5, 7), (5, 5), (2, 2), (1, 1), 1, 4) == 5250 * 4


def test_the_unfolded_input_in_one_dimension():
    # 2 x 8 positions x 3 channels x 4 taps = 192
    assert convolution_workspace((2, 3, 11), (2, 5, 8), (4,), (1,), (1,), 1, 2) == 192 * 2


def test_groups_unfold_the_same_channels():
    # 1 x 6 x 6 positions x 4 channels x 25 taps = 3600, whatever the groups
    assert convolution_workspace((1, 4, 10, 10), (1, 4, 6, 6), (5, 5), (1, 1), (1, 1), 4, 4) == 3600 * 4


def test_winograd_where_there_are_many_more_outputs_than_inputs():
    # 3 -> 64 channels on 8 x 8: 2 x 2 tiles of 4 x 4 an image.
    # 36 x (2 images x 4 tiles x (3 + 64) + 3 x 64) = 36 x 728 = 26,208 elements; unfolded: 2 x 64 x 3 x 9 = 3,456
    assert convolution_workspace((2, 3, 8, 8), (2, 64, 8, 8), (3, 3), (1, 1), (1, 1), 1, 4) == 26_208 * 4


def test_a_part_of_a_tile_is_a_tile():
    # 9 x 5 positions: 3 x 2 tiles. 36 x (6 x (1 + 7) + 7) = 36 x 55 = 1,980; unfolded: 45 x 9 = 405
    assert convolution_workspace((1, 1, 11, 7), (1, 7, 9, 5), (3, 3), (1, 1), (1, 1), 1, 4) == 1_980 * 4


def test_winograd_of_groups_in_half_precision():
    # 2 -> 6 channels in 2 groups on 4 x 4: 36 x (1 x (2 + 6) + 2 x 3) = 504 elements; unfolded: 16 x 2 x 9 = 288
    assert convolution_workspace((1, 2, 4, 4), (1, 6, 4, 4), (3, 3), (1, 1), (1, 1), 2, 2) == 504 * 2


def test_the_unfolded_input_where_it_is_larger_than_winograd_s():
    # 2 -> 2 on 4 x 4 of 50 images: 50 x 16 x 2 x 9 = 14,400; 36 x (50 x (2 + 2) + 4) = 7,344
    assert convolution_workspace((50, 2, 4, 4), (50, 2, 4, 4), (3, 3), (1, 1), (1, 1), 1, 4) == 14_400 * 4


def test_winograd_is_for_stride_one_without_dilation():
    # 2 x 2 positions x 1 channel x 9 taps
    assert convolution_workspace((1, 1, 5, 5), (1, 64, 2, 2), (3, 3), (2, 2), (1, 1), 1, 4) == 36 * 4
    assert convolution_workspace((1, 1, 6, 6), (1, 64, 2, 2), (3, 3), (1, 1), (2, 2), 1, 4) == 36 * 4


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
