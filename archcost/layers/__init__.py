"""The closed set of layers: `LAYERS` maps each `type` to its class. The table of contents of the library."""

from __future__ import annotations

from typing import Annotated, Any, get_args

from pydantic import Field

from archcost.layers.activation import (
    ELU,
    GELU,
    Hardsigmoid,
    Hardswish,
    LeakyReLU,
    LogSoftmax,
    ReLU,
    ReLU6,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Tanh,
)
from archcost.layers.attention import ScaledDotProductAttention
from archcost.layers.base import Layer, Weight, WeightedLayer
from archcost.layers.combining import Add, Concat, Mean, Mul
from archcost.layers.convolution import Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from archcost.layers.einsum import Einsum
from archcost.layers.embedding import Embedding
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
from archcost.layers.parameter import ExpandBatch, Parameter
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
from archcost.layers.recurrent import GRU, LSTM, RNN
from archcost.layers.regularization import Dropout
from archcost.layers.reshaping import Flatten, Identity, Pad, Permute, Reshape, Split, Unflatten
from archcost.layers.unpooling import MaxUnpool1d, MaxUnpool2d, MaxUnpool3d
from archcost.layers.upsampling import Upsample

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
)
Rearranging = Identity | Flatten | Unflatten | Reshape | Permute | Pad | Split
Combining = Add | Mul | Concat | Mean
Multiplying = MatMul | Bmm | Einsum | ScaledDotProductAttention
Loss = CrossEntropy | MSE | L1Penalty

AnyLayer = Annotated[
    Convolutional
    | Linear
    | Embedding
    | Parameter
    | ExpandBatch
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
    | Combining
    | Multiplying
    | Loss,
    Field(discriminator="type"),
]

LAYERS: dict[str, type[Layer]] = {}
for _class in get_args(get_args(AnyLayer)[0]):
    _field: Any = _class.model_fields["type"]
    LAYERS[_field.default] = _class

__all__ = [
    "ELU",
    "GELU",
    "GRU",
    "LAYERS",
    "LSTM",
    "MSE",
    "RNN",
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
    "AdaptiveAvgPool3d",
    "AdaptiveMaxPool2d",
    "Add",
    "AnyLayer",
    "AvgPool1d",
    "AvgPool2d",
    "AvgPool3d",
    "BatchNorm1d",
    "BatchNorm2d",
    "BatchNorm3d",
    "Bmm",
    "Concat",
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "ConvTranspose3d",
    "CrossEntropy",
    "Dropout",
    "Einsum",
    "Embedding",
    "ExpandBatch",
    "Flatten",
    "GroupNorm",
    "Hardsigmoid",
    "Hardswish",
    "Identity",
    "InstanceNorm2d",
    "L1Penalty",
    "Layer",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "LocalResponseNorm",
    "LogSoftmax",
    "MatMul",
    "MaxPool1d",
    "MaxPool2d",
    "MaxPool3d",
    "MaxUnpool1d",
    "MaxUnpool2d",
    "MaxUnpool3d",
    "Mean",
    "Mul",
    "Pad",
    "Parameter",
    "Permute",
    "RMSNorm",
    "ReLU",
    "ReLU6",
    "Reshape",
    "ScaledDotProductAttention",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Split",
    "Tanh",
    "Unflatten",
    "Upsample",
    "Weight",
    "WeightedLayer",
]
