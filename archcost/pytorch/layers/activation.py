"""Activations in torch."""

from __future__ import annotations

from torch import nn

from archcost.pytorch.layers.base import Factory, plain

FACTORIES: dict[str, Factory] = {
    "relu": plain(nn.ReLU),
    "relu6": plain(nn.ReLU6),
    "leaky_relu": plain(nn.LeakyReLU),
    "elu": plain(nn.ELU),
    "gelu": plain(nn.GELU),
    "silu": plain(nn.SiLU),
    "hardswish": plain(nn.Hardswish),
    "hardsigmoid": plain(nn.Hardsigmoid),
    "sigmoid": plain(nn.Sigmoid),
    "tanh": plain(nn.Tanh),
    "softplus": plain(nn.Softplus),
    "mish": plain(nn.Mish),
    "selu": plain(nn.SELU),
    "hardtanh": plain(nn.Hardtanh),
    "logsigmoid": plain(nn.LogSigmoid),
    "prelu": plain(nn.PReLU),
    "glu": plain(nn.GLU),
    "threshold": plain(nn.Threshold),
    "celu": plain(nn.CELU),
    "hardshrink": plain(nn.Hardshrink),
    "softshrink": plain(nn.Softshrink),
    "softsign": plain(nn.Softsign),
    "tanhshrink": plain(nn.Tanhshrink),
    "softmax": plain(nn.Softmax),
    "log_softmax": plain(nn.LogSoftmax),
}
