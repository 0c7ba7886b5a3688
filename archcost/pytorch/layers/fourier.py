"""Fourier transforms in torch, by the functions that autocast has on its list."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from archcost.layers import FFT, IRFFT, RFFT, OverlapAdd
from archcost.pytorch.layers.base import Called, Inputs, mirrors

FOURIER: Any = torch.fft
"""It comes without types."""


@mirrors(FFT)
def fft(layer: FFT, inputs: Inputs) -> nn.Module:
    return Called(FOURIER.fftn, {"dim": layer.dim})


@mirrors(RFFT)
def rfft(layer: RFFT, inputs: Inputs) -> nn.Module:
    if layer.onesided:
        return Called(FOURIER.rfftn, {"dim": layer.dim})
    return Called(FOURIER.fft, {"dim": layer.dim[0]})


@mirrors(IRFFT)
def irfft(layer: IRFFT, inputs: Inputs) -> nn.Module:
    if layer.n is None:
        return Called(FOURIER.irfftn, {"dim": layer.dim})

    def back(values: Tensor) -> Tensor:
        sizes = [values.shape[axis] for axis in layer.dim[:-1]]
        return FOURIER.irfftn(values, s=[*sizes, layer.n], dim=layer.dim)

    return Called(back, {})


@mirrors(OverlapAdd)
def overlap_add(layer: OverlapAdd, inputs: Inputs) -> nn.Module:
    def added(frames: Tensor) -> Tensor:
        sizes = (frames.shape[0], layer.length)
        return torch.ops.aten.unfold_backward(frames, sizes, 1, frames.shape[2], layer.step)

    return Called(added, {})
