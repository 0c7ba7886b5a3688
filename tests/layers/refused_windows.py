"""Inputs that layers with windows refuse: rows of test_shape_errors.py."""

from __future__ import annotations

from archcost.layers import (
    AdaptiveAvgPool1d,
    AdaptiveAvgPool2d,
    AvgPool2d,
    Conv1d,
    Conv2d,
    Conv3d,
    ConvTranspose2d,
    Layer,
    Linear,
    MaxPool1d,
    MaxPool2d,
    MaxUnpool2d,
    Upsample,
)
from archcost.tensors import TensorType

IMAGE = (2, 3, 7, 11)
IMAGE_LIST = "(batch, channels, height, width)"
LESS = "a smaller kernel_size, stride or dilation, or more padding"
UNPOOL_HINT = "return_indices: true on the pool, and inputs: [this, pool:1]"

Inputs = tuple[tuple[int, ...] | TensorType, ...]
Refusal = tuple[Layer, Inputs, str, str, str, str | None]


def ints(*shape: int) -> TensorType:
    return TensorType(shape, "int64")


# Layer, inputs; problem, expected, found, hint.
CONVOLUTION: list[Refusal] = [
    (Conv2d(out_channels=5, kernel_size=3), ((2, 3, 7),), "needs 4 axes", IMAGE_LIST, "2×3×7", None),
    (Conv1d(out_channels=5, kernel_size=3), ((2, 3),), "needs 3 axes", "(batch, channels, length)", "2×3", None),
    (
        Conv3d(out_channels=5, kernel_size=3),
        (IMAGE,),
        "needs 5 axes",
        "(batch, channels, depth, height, width)",
        "2×3×7×11",
        None,
    ),
    (
        Conv2d(out_channels=5, kernel_size=3),
        (ints(2, 3, 7, 11),),
        "needs floating-point input",
        "float32 or another float",
        "int64",
        None,
    ),
    *(
        (
            Conv2d(**{"out_channels": 5, "kernel_size": 3, field: (3, 3, 3)}),
            (IMAGE,),
            f"{field} has the wrong length",
            "an integer or 2 integers",
            "[3, 3, 3]",
            None,
        )
        for field in ("kernel_size", "stride", "padding", "dilation")
    ),
    (
        ConvTranspose2d(out_channels=5, kernel_size=3, stride=2, output_padding=(1,)),
        (IMAGE,),
        "output_padding has the wrong length",
        "an integer or 2 integers",
        "[1]",
        None,
    ),
    (
        Conv2d(out_channels=4, kernel_size=3, groups=2),
        (IMAGE,),
        "input channels cannot be cut into 2 groups",
        "a multiple of 2",
        "3",
        None,
    ),
    (
        ConvTranspose2d(out_channels=5, kernel_size=3, groups=3),
        (IMAGE,),
        "out_channels cannot be cut into 3 groups",
        "a multiple of 3",
        "5",
        None,
    ),
    (
        Conv2d(out_channels=5, kernel_size=3, stride=2, padding="same"),
        (IMAGE,),
        "padding: same needs stride 1",
        "stride: 1",
        "stride: 2",
        None,
    ),
    (
        Conv2d(out_channels=5, kernel_size=(3, 13)),
        (IMAGE,),
        "output size would be zero or negative",
        "every size at least 1",
        "5×-1 from input 2×3×7×11",
        LESS,
    ),
    (
        Conv2d(out_channels=5, kernel_size=(8, 1)),
        (IMAGE,),
        "output size would be zero or negative",
        "every size at least 1",
        "0×11 from input 2×3×7×11",
        LESS,
    ),
    (
        Conv2d(out_channels=5, kernel_size=3, padding=7, padding_mode="reflect"),
        (IMAGE,),
        "padding_mode: reflect cannot pad so far",
        "padding of at most 6 for an axis of 7",
        "7",
        None,
    ),
    (
        Conv2d(out_channels=5, kernel_size=3, padding=8, padding_mode="circular"),
        (IMAGE,),
        "padding_mode: circular cannot pad so far",
        "padding of at most 7 for an axis of 7",
        "8",
        None,
    ),
    (
        ConvTranspose2d(out_channels=5, kernel_size=3, stride=2, dilation=3, output_padding=3),
        (IMAGE,),
        "output_padding is too large",
        "less than stride or dilation, so at most 2",
        "3",
        None,
    ),
    (
        ConvTranspose2d(out_channels=5, kernel_size=1, padding=4),
        (IMAGE,),
        "output size would be zero or negative",
        "every size at least 1",
        "-1×3 from input 2×3×7×11",
        "less padding, or a larger kernel_size or stride",
    ),
    (Linear(out_features=5), ((2,),), "needs features", "(batch, …, features)", "2", None),
]

POOLING: list[Refusal] = [
    (MaxPool1d(kernel_size=2), (IMAGE,), "needs 3 axes", "(batch, channels, length)", "2×3×7×11", None),
    (
        MaxPool2d(kernel_size=3, padding=2),
        (IMAGE,),
        "padding is more than half of the kernel",
        "at most 1 for a kernel that reaches over 3",
        "2",
        None,
    ),
    (
        MaxPool2d(kernel_size=3, dilation=2, padding=3),
        (IMAGE,),
        "padding is more than half of the kernel",
        "at most 2 for a kernel that reaches over 5",
        "3",
        None,
    ),
    (
        AvgPool2d(kernel_size=8),
        (IMAGE,),
        "output size would be zero or negative",
        "every size at least 1",
        "0×1 from input 2×3×7×11",
        "a smaller kernel_size or ceil_mode: true",
    ),
    (
        AdaptiveAvgPool2d(output_size=(1, 1, 1)),
        (IMAGE,),
        "output_size has the wrong length",
        "an integer or 2 entries",
        "[1, 1, 1]",
        None,
    ),
    (AdaptiveAvgPool1d(output_size=1), (IMAGE,), "needs 3 axes", "(batch, channels, length)", "2×3×7×11", None),
    (
        MaxUnpool2d(kernel_size=2),
        (IMAGE, IMAGE),
        "the second input must be the indices of the pool",
        "2×3×7×11 int64",
        "2×3×7×11",
        UNPOOL_HINT,
    ),
    (
        MaxUnpool2d(kernel_size=2),
        (IMAGE, ints(2, 3, 7, 5)),
        "the second input must be the indices of the pool",
        "2×3×7×11 int64",
        "2×3×7×5 int64",
        UNPOOL_HINT,
    ),
    (
        MaxUnpool2d(kernel_size=2, output_size=(14, 24)),
        (IMAGE, ints(*IMAGE)),
        "output_size is out of reach",
        "more than 20 and less than 24",
        "24",
        None,
    ),
    (
        MaxUnpool2d(kernel_size=2, output_size=(12, 22)),
        (IMAGE, ints(*IMAGE)),
        "output_size is out of reach",
        "more than 12 and less than 16",
        "12",
        None,
    ),
    (
        MaxUnpool2d(kernel_size=1, padding=4),
        (IMAGE, ints(*IMAGE)),
        "output size would be zero or negative",
        "every size at least 1",
        "-1×3 from input 2×3×7×11",
        "less padding",
    ),
    (
        Upsample(scale_factor=2, mode="bilinear"),
        ((2, 3, 5),),
        "mode bilinear does not suit this input",
        "(batch, channels, …) with 2 spatial axes",
        "2×3×5",
        None,
    ),
    (
        Upsample(scale_factor=2),
        ((2, 3),),
        "mode nearest does not suit this input",
        "(batch, channels, …) with 1 or 2 or 3 spatial axes",
        "2×3",
        None,
    ),
    (
        Upsample(scale_factor=(2, 2, 2)),
        (IMAGE,),
        "scale_factor has the wrong length",
        "a number or 2 numbers",
        "[2.0, 2.0, 2.0]",
        None,
    ),
    (Upsample(size=(5,)), (IMAGE,), "size has the wrong length", "an integer or 2 integers", "[5]", None),
    (
        Upsample(scale_factor=0.1),
        (IMAGE,),
        "output size would be zero or negative",
        "every size at least 1",
        "0×1 from input 2×3×7×11",
        "a larger scale_factor",
    ),
]
