"""The closed set of layers: `LAYERS` maps each `type` to its class. The table of contents of the library.

`COMPOSITES` are the types that stand for several layers.
"""

from __future__ import annotations

from typing import Annotated, Any, get_args

from pydantic import Field

from archcost.layers.activation import (
    ELU,
    GELU,
    GLU,
    SELU,
    Hardsigmoid,
    Hardswish,
    Hardtanh,
    LeakyReLU,
    LogSigmoid,
    LogSoftmax,
    Mish,
    PReLU,
    ReLU,
    ReLU6,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Tanh,
)
from archcost.layers.attention import ScaledDotProductAttention
from archcost.layers.base import Composite, Declared, Layer, Weight, WeightedLayer
from archcost.layers.combining import Add, Concat, Mul
from archcost.layers.composites import MultiHeadAttention
from archcost.layers.convolution import Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from archcost.layers.copies import Cast, Clone, Contiguous
from archcost.layers.einsum import Einsum
from archcost.layers.elementwise import (
    Abs,
    Clamp,
    Cos,
    Erf,
    Exp,
    Log,
    Neg,
    Pow,
    Reciprocal,
    Rsqrt,
    Rsub,
    Scale,
    Sin,
    Sqrt,
)
from archcost.layers.embedding import Embedding
from archcost.layers.indexing import Gather, GridSample, Index, IndexSelect, TopK
from archcost.layers.linear import Linear
from archcost.layers.local_response_norm import LocalResponseNorm
from archcost.layers.losses import MSE, CrossEntropy, L1Penalty
from archcost.layers.normalization import (
    BatchNorm1d,
    BatchNorm2d,
    BatchNorm3d,
    GroupNorm,
    InstanceNorm2d,
    LayerNorm,
    RMSNorm,
)
from archcost.layers.opaque import Opaque
from archcost.layers.padding import Pad
from archcost.layers.pairwise import (
    Div,
    Eq,
    Ge,
    Gt,
    Le,
    LogicalAnd,
    LogicalNot,
    LogicalOr,
    Lt,
    MaskedFill,
    Maximum,
    Minimum,
    Ne,
    Sub,
    Where,
)
from archcost.layers.parameter import Buffer, Constant, ExpandBatch, Parameter
from archcost.layers.patches import Fold, Unfold
from archcost.layers.pieces import Chunk, Split, Unbind
from archcost.layers.pooling import (
    AdaptiveAvgPool1d,
    AdaptiveAvgPool2d,
    AdaptiveAvgPool3d,
    AdaptiveMaxPool2d,
    AvgPool1d,
    AvgPool2d,
    AvgPool3d,
    MaxPool1d,
    MaxPool2d,
    MaxPool3d,
)
from archcost.layers.products import Bmm, MatMul
from archcost.layers.rearranging import Flip, PixelShuffle, PixelUnshuffle, RepeatInterleave, Roll, Stack, Tile
from archcost.layers.recurrent import GRU, LSTM, RNN
from archcost.layers.reductions import AMax, AMin, ArgMax, ArgMin, Cumsum, Max, Mean, Min, Norm, Std, Sum, Var
from archcost.layers.regularization import Dropout
from archcost.layers.reshaping import Flatten, Identity, Permute, Reshape, Unflatten, View
from archcost.layers.routing import ExpertRoute
from archcost.layers.unpooling import MaxUnpool1d, MaxUnpool2d, MaxUnpool3d
from archcost.layers.upsampling import Upsample
from archcost.layers.views import Detach, Expand, Select, Slice, Squeeze, Transpose, Unsqueeze

Convolutional = Conv1d | Conv2d | Conv3d | ConvTranspose1d | ConvTranspose2d | ConvTranspose3d
Pooling = MaxPool1d | MaxPool2d | MaxPool3d | AvgPool1d | AvgPool2d | AvgPool3d
AdaptivePooling = AdaptiveAvgPool1d | AdaptiveAvgPool2d | AdaptiveAvgPool3d | AdaptiveMaxPool2d
Unpooling = MaxUnpool1d | MaxUnpool2d | MaxUnpool3d
Normalizing = (
    BatchNorm1d | BatchNorm2d | BatchNorm3d | LayerNorm | GroupNorm | InstanceNorm2d | RMSNorm | LocalResponseNorm
)
Activating = (
    ReLU
    | ReLU6
    | LeakyReLU
    | ELU
    | GELU
    | SiLU
    | Hardswish
    | Hardsigmoid
    | Sigmoid
    | Tanh
    | Softplus
    | Softmax
    | LogSoftmax
    | Mish
    | SELU
    | Hardtanh
    | LogSigmoid
    | PReLU
    | GLU
)
Given = Parameter | Buffer | Constant | ExpandBatch
Rearranging = Identity | Flatten | Unflatten | Reshape | View | Permute | Pad | Split | Chunk | Unbind
Copying = Clone | Contiguous | Cast
Combining = Add | Mul | Concat
Viewed = Detach | Transpose | Squeeze | Unsqueeze | Slice | Select | Expand
Moving = Stack | Roll | Flip | RepeatInterleave | Tile | PixelShuffle | PixelUnshuffle
Calculating = Exp | Log | Sqrt | Rsqrt | Reciprocal | Erf | Abs | Sin | Cos | Pow | Clamp | Neg | Scale | Rsub
Pairing = (
    Sub
    | Div
    | Maximum
    | Minimum
    | Eq
    | Ne
    | Lt
    | Le
    | Gt
    | Ge
    | Where
    | MaskedFill
    | LogicalAnd
    | LogicalOr
    | LogicalNot
)
Reducing = Mean | Sum | AMax | AMin | Max | Min | ArgMax | ArgMin | Var | Std | Norm | Cumsum
Picking = TopK | Gather | IndexSelect | Index | GridSample | ExpertRoute
Cutting = Unfold | Fold
Multiplying = MatMul | Bmm | Einsum | ScaledDotProductAttention
Loss = CrossEntropy | MSE | L1Penalty

AnyLayer = Annotated[
    Convolutional
    | Linear
    | Embedding
    | Given
    | RNN
    | GRU
    | LSTM
    | Pooling
    | AdaptivePooling
    | Unpooling
    | Upsample
    | Normalizing
    | Activating
    | Dropout
    | Rearranging
    | Copying
    | Combining
    | Viewed
    | Moving
    | Calculating
    | Pairing
    | Reducing
    | Picking
    | Cutting
    | Multiplying
    | Loss
    | Opaque,
    Field(discriminator="type"),
]

LAYERS: dict[str, type[Layer]] = {}
for _class in get_args(get_args(AnyLayer)[0]):
    _field: Any = _class.model_fields["type"]
    LAYERS[_field.default] = _class

COMPOSITES: dict[str, type[Composite]] = {"multi_head_attention": MultiHeadAttention}

TYPES: dict[str, type[Declared]] = {**LAYERS, **COMPOSITES}
"""All that a spec can name."""

__all__ = [
    "COMPOSITES",
    "ELU",
    "GELU",
    "GLU",
    "GRU",
    "LAYERS",
    "LSTM",
    "MSE",
    "RNN",
    "SELU",
    "TYPES",
    "AMax",
    "AMin",
    "Abs",
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
    "AdaptiveAvgPool3d",
    "AdaptiveMaxPool2d",
    "Add",
    "AnyLayer",
    "ArgMax",
    "ArgMin",
    "AvgPool1d",
    "AvgPool2d",
    "AvgPool3d",
    "BatchNorm1d",
    "BatchNorm2d",
    "BatchNorm3d",
    "Bmm",
    "Buffer",
    "Cast",
    "Chunk",
    "Clamp",
    "Clone",
    "Composite",
    "Concat",
    "Constant",
    "Contiguous",
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "ConvTranspose3d",
    "Cos",
    "CrossEntropy",
    "Cumsum",
    "Declared",
    "Detach",
    "Div",
    "Dropout",
    "Einsum",
    "Embedding",
    "Eq",
    "Erf",
    "Exp",
    "Expand",
    "ExpandBatch",
    "ExpertRoute",
    "Flatten",
    "Flip",
    "Fold",
    "Gather",
    "Ge",
    "GridSample",
    "GroupNorm",
    "Gt",
    "Hardsigmoid",
    "Hardswish",
    "Hardtanh",
    "Identity",
    "Index",
    "IndexSelect",
    "InstanceNorm2d",
    "L1Penalty",
    "Layer",
    "LayerNorm",
    "Le",
    "LeakyReLU",
    "Linear",
    "LocalResponseNorm",
    "Log",
    "LogSigmoid",
    "LogSoftmax",
    "LogicalAnd",
    "LogicalNot",
    "LogicalOr",
    "Lt",
    "MaskedFill",
    "MatMul",
    "Max",
    "MaxPool1d",
    "MaxPool2d",
    "MaxPool3d",
    "MaxUnpool1d",
    "MaxUnpool2d",
    "MaxUnpool3d",
    "Maximum",
    "Mean",
    "Min",
    "Minimum",
    "Mish",
    "Mul",
    "MultiHeadAttention",
    "Ne",
    "Neg",
    "Norm",
    "Opaque",
    "PReLU",
    "Pad",
    "Parameter",
    "Permute",
    "PixelShuffle",
    "PixelUnshuffle",
    "Pow",
    "RMSNorm",
    "ReLU",
    "ReLU6",
    "Reciprocal",
    "RepeatInterleave",
    "Reshape",
    "Roll",
    "Rsqrt",
    "Rsub",
    "Scale",
    "ScaledDotProductAttention",
    "Select",
    "SiLU",
    "Sigmoid",
    "Sin",
    "Slice",
    "Softmax",
    "Softplus",
    "Split",
    "Sqrt",
    "Squeeze",
    "Stack",
    "Std",
    "Sub",
    "Sum",
    "Tanh",
    "Tile",
    "TopK",
    "Transpose",
    "Unbind",
    "Unflatten",
    "Unfold",
    "Unsqueeze",
    "Upsample",
    "Var",
    "View",
    "Weight",
    "WeightedLayer",
    "Where",
]
