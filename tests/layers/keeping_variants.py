"""Options that change no count, and so have no row of their own, but change what is kept for backward."""

from __future__ import annotations

from archcost.layers import (
    ELU,
    SELU,
    Abs,
    AdaptiveAvgPool1d,
    AdaptiveAvgPool2d,
    AdaptiveAvgPool3d,
    BatchNorm2d,
    Clamp,
    Concat,
    Conv1d,
    Conv2d,
    Conv3d,
    Cos,
    Dropout,
    Erf,
    Exp,
    Expand,
    GroupNorm,
    Hardsigmoid,
    Hardswish,
    Hardtanh,
    InstanceNorm2d,
    Layer,
    LeakyReLU,
    Linear,
    LocalResponseNorm,
    Log,
    Mish,
    Neg,
    Pad,
    Pow,
    PReLU,
    Reciprocal,
    ReLU6,
    RepeatInterleave,
    Roll,
    Rsqrt,
    Scale,
    SiLU,
    Sin,
    Sqrt,
    Sum,
    Transpose,
)
from archcost.tensors import TensorType
from tests.layers.rows import Row, Shape

SHAPE = (2, 3, 5, 7)


def variant(layer: Layer, *inputs: Shape | TensorType) -> Row:
    return Row(layer, inputs or (SHAPE,), ())


IN_PLACE = (
    *(ReLU6, LeakyReLU, ELU, SiLU, Hardsigmoid, Hardswish, SELU, Hardtanh, Mish),
    *(Exp, Log, Sqrt, Rsqrt, Reciprocal, Erf, Abs, Sin, Cos, Neg, Scale),
)

VARIANTS = (
    *(variant(layer(inplace=True)) for layer in IN_PLACE),
    variant(Pow(exponent=-0.5, inplace=True)),
    variant(Clamp(max=0.5, inplace=True)),
    variant(Clamp(min=0.1, max=0.5, inplace=True)),
    variant(Scale(shift=2.0, inplace=True)),
    variant(Scale(factor=3.0, shift=2.0, inplace=True)),
    variant(PReLU(num_parameters=3), (2, 3)),
    variant(Dropout(p=0.0)),
    variant(Dropout(p=1.0)),
    variant(Dropout(p=0.0, inplace=True)),
    variant(Dropout(p=1.0, inplace=True)),
    variant(BatchNorm2d(affine=False, track_running_stats=False)),
    variant(InstanceNorm2d(affine=True)),
    variant(InstanceNorm2d(track_running_stats=True)),
    variant(GroupNorm(num_groups=1), (2, 3, 5, 7, 2)),
    variant(LocalResponseNorm(size=3, beta=1.0, k=0.0), (2, 3, 2, 5, 7)),
    variant(AdaptiveAvgPool1d(output_size=1), (2, 3, 5)),
    variant(AdaptiveAvgPool2d(output_size=(1, None)), (2, 3, 5, 1)),
    variant(AdaptiveAvgPool2d(output_size=(1, None))),
    variant(AdaptiveAvgPool3d(output_size=1), (2, 3, 5, 2, 3)),
    variant(Conv1d(out_channels=5, kernel_size=3, padding=1, padding_mode="circular"), (2, 3, 5)),
    variant(Conv2d(out_channels=5, kernel_size=3, padding_mode="reflect")),  # nothing to pad, and a copy all the same
    variant(Conv2d(out_channels=5, kernel_size=1, padding="valid", padding_mode="replicate")),
    variant(Conv2d(out_channels=5, kernel_size=(2, 3), padding="same", padding_mode="reflect")),
    variant(Conv3d(out_channels=5, kernel_size=3, padding=(0, 1, 2), padding_mode="replicate"), (2, 3, 5, 2, 3)),
    variant(Pad(pad=(0, 0))),
    variant(Pad(pad=(1, 2, 0, 1), mode="replicate")),
    variant(Pad(pad=(1, 2, 0, 1, 1, 0), mode="reflect"), (2, 3, 5, 2, 3)),
    variant(Pad(pad=(1, 2, 0, 1, 1, 0)), (2, 3, 5, 2, 3)),
    variant(Linear(out_features=5, bias=True)),
    variant(Concat(), SHAPE, SHAPE),
    variant(Sum(dim=2, keepdim=True), (2, 3, 1)),
    variant(Sum(dim=2), (2, 3, 1)),
    variant(Expand(size=(1, -1, -1)), (2, 3)),
    variant(RepeatInterleave(repeats=1, dim=1)),
    variant(Transpose(dim0=1, dim1=1)),
    variant(Roll(shifts=(1, 1), dims=(0, 2)), (2, 3, 5)),
)
