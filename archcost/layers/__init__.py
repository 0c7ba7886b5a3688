"""The closed set of layers: `LAYERS` maps each `type` to its class. The table of contents of the library.

`COMPOSITES` are the types that stand for several layers.
"""

from __future__ import annotations

from typing import Annotated, Any, get_args

from pydantic import Field

from archcost.layers.activation.activations import (
    ELU,
    GELU,
    GLU,
    SELU,
    Hardsigmoid,
    Hardswish,
    Hardtanh,
    LeakyReLU,
    LogSigmoid,
    Mish,
    PReLU,
    ReLU,
    ReLU6,
    Sigmoid,
    SiLU,
    Softplus,
    Tanh,
)
from archcost.layers.activation.softmax import LogSoftmax, Softmax
from archcost.layers.attention.multi_head import MultiHeadAttention
from archcost.layers.attention.scaled_dot_product import ScaledDotProductAttention
from archcost.layers.base import Composite, Declared, Layer, Weight, WeightedLayer
from archcost.layers.binary.arithmetic import Add, Concat, Mul
from archcost.layers.binary.pairs import ClampTensor, Div, FMod, Maximum, Minimum, Remainder, Sub
from archcost.layers.comparison import (
    BitwiseAnd,
    BitwiseNot,
    BitwiseOr,
    BitwiseXor,
    Eq,
    Ge,
    Gt,
    IsFinite,
    IsInf,
    IsNan,
    Le,
    LogicalAnd,
    LogicalNot,
    LogicalOr,
    LogicalXor,
    Lt,
    MaskedFill,
    Ne,
    Where,
)
from archcost.layers.convolution.conv import Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from archcost.layers.convolution.fold import Fold, Unfold
from archcost.layers.dropout import AlphaDropout, Dropout, Dropout1d, Dropout2d, Dropout3d
from archcost.layers.indexing.embedding import Embedding
from archcost.layers.indexing.expert_route import ExpertRoute
from archcost.layers.indexing.gather import Gather, GridSample, Index, IndexSelect, TopK
from archcost.layers.indexing.scatter import IndexAdd, MaskedScatter, Scatter, ScatterAdd
from archcost.layers.indexing.write import Write
from archcost.layers.linear import Linear
from archcost.layers.loss import MSE, CrossEntropy, L1Penalty
from archcost.layers.matmul.added import AddMM, BAddBMM
from archcost.layers.matmul.einsum import Einsum
from archcost.layers.matmul.product import Bmm, MatMul
from archcost.layers.normalization.instance_norm import InstanceNorm1d, InstanceNorm2d, InstanceNorm3d
from archcost.layers.normalization.local_response_norm import LocalResponseNorm
from archcost.layers.normalization.norms import BatchNorm1d, BatchNorm2d, BatchNorm3d, GroupNorm, LayerNorm, RMSNorm
from archcost.layers.normalization.weight_norm import WeightNorm
from archcost.layers.opaque.function import OwnBackward
from archcost.layers.opaque.operation import Integers, Opaque
from archcost.layers.parameter import Buffer, Constant, ExpandBatch, Parameter
from archcost.layers.pooling.pool import (
    AdaptiveAvgPool1d,
    AdaptiveAvgPool2d,
    AdaptiveAvgPool3d,
    AdaptiveMaxPool1d,
    AdaptiveMaxPool2d,
    AdaptiveMaxPool3d,
    AvgPool1d,
    AvgPool2d,
    AvgPool3d,
    MaxPool1d,
    MaxPool2d,
    MaxPool3d,
)
from archcost.layers.pooling.unpool import MaxUnpool1d, MaxUnpool2d, MaxUnpool3d
from archcost.layers.recurrent.gru import GRU
from archcost.layers.recurrent.lstm import LSTM
from archcost.layers.recurrent.rnn import RNN
from archcost.layers.reduction.reduce import (
    All,
    AMax,
    AMin,
    AnyTrue,
    ArgMax,
    ArgMin,
    LogSumExp,
    Max,
    Mean,
    Min,
    Norm,
    Prod,
    Sum,
)
from archcost.layers.reduction.variance import Std, Var
from archcost.layers.scan import ArgSort, Cumsum, Sort
from archcost.layers.shape.copy import Cast, CastLike, Clone, Contiguous
from archcost.layers.shape.diagonal import AsStrided, Bucketize, Diagonal, OneHot, TensorUnfold, Tril, Triu
from archcost.layers.shape.move import Flip, PixelShuffle, PixelUnshuffle, RepeatInterleave, Roll, Stack, Tile
from archcost.layers.shape.pad import Pad
from archcost.layers.shape.reshape import Flatten, Identity, Permute, Reshape, Unflatten, View
from archcost.layers.shape.split import Chunk, Split, Unbind
from archcost.layers.shape.views import Detach, Expand, Select, Slice, Squeeze, Transpose, Unsqueeze
from archcost.layers.unary.common import (
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
from archcost.layers.unary.special import (
    CELU,
    Acos,
    Asin,
    Asinh,
    Atan,
    Atanh,
    Ceil,
    Cosh,
    Erfc,
    Expm1,
    Floor,
    Hardshrink,
    Log1p,
    Log2,
    Log10,
    Logit,
    NanToNum,
    Round,
    RPow,
    Sign,
    Sinh,
    Softshrink,
    Softsign,
    Tan,
    Tanhshrink,
    Threshold,
    Trunc,
)
from archcost.layers.upsampling import Upsample

Convolutional = Conv1d | Conv2d | Conv3d | ConvTranspose1d | ConvTranspose2d | ConvTranspose3d
Pooling = MaxPool1d | MaxPool2d | MaxPool3d | AvgPool1d | AvgPool2d | AvgPool3d
AdaptivePooling = (
    AdaptiveAvgPool1d
    | AdaptiveAvgPool2d
    | AdaptiveAvgPool3d
    | AdaptiveMaxPool1d
    | AdaptiveMaxPool2d
    | AdaptiveMaxPool3d
)
Unpooling = MaxUnpool1d | MaxUnpool2d | MaxUnpool3d
Normalizing = (
    BatchNorm1d
    | BatchNorm2d
    | BatchNorm3d
    | LayerNorm
    | GroupNorm
    | InstanceNorm1d
    | InstanceNorm2d
    | InstanceNorm3d
    | RMSNorm
    | LocalResponseNorm
    | WeightNorm
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
Dropping = Dropout | Dropout1d | Dropout2d | Dropout3d | AlphaDropout
Given = Parameter | Buffer | Constant | ExpandBatch
Rearranging = Identity | Flatten | Unflatten | Reshape | View | Permute | Pad | Split | Chunk | Unbind
Copying = Clone | Contiguous | Cast | CastLike
Combining = Add | Mul | Concat
Viewed = Detach | Transpose | Squeeze | Unsqueeze | Slice | Select | Expand
Moving = Stack | Roll | Flip | RepeatInterleave | Tile | PixelShuffle | PixelUnshuffle
Calculating = Exp | Log | Sqrt | Rsqrt | Reciprocal | Erf | Abs | Sin | Cos | Pow | Clamp | Neg | Scale | Rsub
Functions = (
    RPow
    | Log1p
    | Expm1
    | Log2
    | Log10
    | Tan
    | Sinh
    | Cosh
    | Asin
    | Acos
    | Atan
    | Asinh
    | Atanh
    | Erfc
    | Sign
    | Floor
    | Ceil
    | Round
    | Trunc
    | Threshold
    | CELU
    | Hardshrink
    | Softshrink
    | Logit
    | Softsign
    | Tanhshrink
    | NanToNum
)
Pairing = Sub | Div | Remainder | FMod | Maximum | Minimum | ClampTensor
Judging = (
    Eq
    | Ne
    | Lt
    | Le
    | Gt
    | Ge
    | LogicalAnd
    | LogicalOr
    | LogicalXor
    | LogicalNot
    | IsNan
    | IsInf
    | IsFinite
    | BitwiseAnd
    | BitwiseOr
    | BitwiseXor
    | BitwiseNot
    | Where
    | MaskedFill
)
Reducing = Mean | Sum | AMax | AMin | Max | Min | ArgMax | ArgMin | Var | Std | Norm | AnyTrue | All | Prod | LogSumExp
Scanning = Cumsum | Sort | ArgSort
Picking = TopK | Gather | IndexSelect | Index | Write | GridSample | ExpertRoute
Forming = AsStrided | Tril | Triu | Diagonal | TensorUnfold | OneHot | Bucketize
Scattering = Scatter | ScatterAdd | IndexAdd | MaskedScatter
Cutting = Unfold | Fold
Multiplying = MatMul | Bmm | AddMM | BAddBMM | Einsum | ScaledDotProductAttention
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
    | Dropping
    | Rearranging
    | Copying
    | Combining
    | Viewed
    | Moving
    | Calculating
    | Functions
    | Pairing
    | Judging
    | Reducing
    | Scanning
    | Picking
    | Forming
    | Scattering
    | Cutting
    | Multiplying
    | Loss
    | Opaque
    | Integers
    | OwnBackward,
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
    "CELU",
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
    "Acos",
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
    "AdaptiveAvgPool3d",
    "AdaptiveMaxPool1d",
    "AdaptiveMaxPool2d",
    "AdaptiveMaxPool3d",
    "Add",
    "AddMM",
    "All",
    "AlphaDropout",
    "AnyLayer",
    "AnyTrue",
    "ArgMax",
    "ArgMin",
    "ArgSort",
    "AsStrided",
    "Asin",
    "Asinh",
    "Atan",
    "Atanh",
    "AvgPool1d",
    "AvgPool2d",
    "AvgPool3d",
    "BAddBMM",
    "BatchNorm1d",
    "BatchNorm2d",
    "BatchNorm3d",
    "BitwiseAnd",
    "BitwiseNot",
    "BitwiseOr",
    "BitwiseXor",
    "Bmm",
    "Bucketize",
    "Buffer",
    "Cast",
    "CastLike",
    "Ceil",
    "Chunk",
    "Clamp",
    "ClampTensor",
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
    "Cosh",
    "CrossEntropy",
    "Cumsum",
    "Declared",
    "Detach",
    "Diagonal",
    "Div",
    "Dropout",
    "Dropout1d",
    "Dropout2d",
    "Dropout3d",
    "Einsum",
    "Embedding",
    "Eq",
    "Erf",
    "Erfc",
    "Exp",
    "Expand",
    "ExpandBatch",
    "ExpertRoute",
    "Expm1",
    "FMod",
    "Flatten",
    "Flip",
    "Floor",
    "Fold",
    "Gather",
    "Ge",
    "GridSample",
    "GroupNorm",
    "Gt",
    "Hardshrink",
    "Hardsigmoid",
    "Hardswish",
    "Hardtanh",
    "Identity",
    "Index",
    "IndexAdd",
    "IndexSelect",
    "InstanceNorm1d",
    "InstanceNorm2d",
    "InstanceNorm3d",
    "Integers",
    "IsFinite",
    "IsInf",
    "IsNan",
    "L1Penalty",
    "Layer",
    "LayerNorm",
    "Le",
    "LeakyReLU",
    "Linear",
    "LocalResponseNorm",
    "Log",
    "Log1p",
    "Log2",
    "Log10",
    "LogSigmoid",
    "LogSoftmax",
    "LogSumExp",
    "LogicalAnd",
    "LogicalNot",
    "LogicalOr",
    "LogicalXor",
    "Logit",
    "Lt",
    "MaskedFill",
    "MaskedScatter",
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
    "NanToNum",
    "Ne",
    "Neg",
    "Norm",
    "OneHot",
    "Opaque",
    "OwnBackward",
    "PReLU",
    "Pad",
    "Parameter",
    "Permute",
    "PixelShuffle",
    "PixelUnshuffle",
    "Pow",
    "Prod",
    "RMSNorm",
    "RPow",
    "ReLU",
    "ReLU6",
    "Reciprocal",
    "Remainder",
    "RepeatInterleave",
    "Reshape",
    "Roll",
    "Round",
    "Rsqrt",
    "Rsub",
    "Scale",
    "ScaledDotProductAttention",
    "Scatter",
    "ScatterAdd",
    "Select",
    "SiLU",
    "Sigmoid",
    "Sign",
    "Sin",
    "Sinh",
    "Slice",
    "Softmax",
    "Softplus",
    "Softshrink",
    "Softsign",
    "Sort",
    "Split",
    "Sqrt",
    "Squeeze",
    "Stack",
    "Std",
    "Sub",
    "Sum",
    "Tan",
    "Tanh",
    "Tanhshrink",
    "TensorUnfold",
    "Threshold",
    "Tile",
    "TopK",
    "Transpose",
    "Tril",
    "Triu",
    "Trunc",
    "Unbind",
    "Unflatten",
    "Unfold",
    "Unsqueeze",
    "Upsample",
    "Var",
    "View",
    "Weight",
    "WeightNorm",
    "WeightedLayer",
    "Where",
    "Write",
]
