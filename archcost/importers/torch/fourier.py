"""Fourier transforms: the operators that torch.fft's functions call, and istft as torch composes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from archcost.importers.torch.proposal import Proposal, composite, rule_for

FOURIER: Any = torch.fft
"""It comes without types."""


@rule_for("_fft_c2c")
def fft(result: Tensor, x: Tensor, dim: Sequence[int], normalization: int, forward: bool) -> Proposal:
    """In which direction and scaled by what, no cost depends on."""
    return Proposal("fft", (x,), {"dim": list(dim)})


@rule_for("_fft_r2c")
def rfft(result: Tensor, x: Tensor, dim: Sequence[int], normalization: int, onesided: bool) -> Proposal:
    return Proposal("rfft", (x,), {"dim": list(dim), "onesided": onesided})


@rule_for("_fft_c2r")
def irfft(result: Tensor, x: Tensor, dim: Sequence[int], normalization: int, last_dim_size: int) -> Proposal:
    usual = 2 * (x.shape[dim[-1]] - 1) == last_dim_size
    return Proposal("irfft", (x,), {"dim": list(dim)} if usual else {"dim": list(dim), "n": last_dim_size})


@rule_for("unfold_backward")
def overlap_add(
    result: Tensor, x: Tensor, input_sizes: Sequence[int], dim: int, size: int, step: int
) -> Proposal | None:
    if x.dim() != 3 or dim != 1:
        return None
    return Proposal("overlap_add", (x,), {"length": input_sizes[1], "step": step})


@composite("stft")
def stft(
    x: Tensor,
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: Tensor | None = None,
    center: bool = True,
    pad_mode: str = "reflect",
    normalized: bool = False,
    onesided: bool | None = None,
    return_complex: bool | None = None,
    align_to_window: bool | None = None,
) -> Tensor:
    """As torch/functional.py and `stft` in aten/src/ATen/native/SpectralOps.cpp: frames of the padded signal, times the
    window, transformed.
    """
    hop = n_fft // 4 if hop_length is None else hop_length
    signal = x if x.dim() == 2 else x.unsqueeze(0)
    if center:
        signal = functional.pad(signal.unsqueeze(1), [n_fft // 2, n_fft // 2], pad_mode).squeeze(1)
    count = 1 + (signal.shape[1] - n_fft) // hop
    size, stride = (signal.shape[0], count, n_fft), signal.stride()
    frames = signal.as_strided(size, (stride[0], hop * stride[1], stride[1]))
    if window is not None or win_length not in (None, n_fft):
        frames = frames * _whole_window(window, n_fft, win_length, x)
    made: Tensor = FOURIER.fft(frames) if x.is_complex() or onesided is False else FOURIER.rfft(frames)
    made = made.transpose(1, 2)
    made = made if x.dim() == 2 else made.squeeze(0)
    return made if return_complex else torch.view_as_real(made)


def _whole_window(window: Tensor | None, n_fft: int, win_length: int | None, like: Tensor) -> Tensor:
    """The window with zeros around it, ones where none is given."""
    width = n_fft if win_length is None else win_length
    if window is None:
        window = torch.ones(width, dtype=like.real.dtype, device=like.device)
    left = (n_fft - width) // 2
    return functional.pad(window, [left, n_fft - width - left]) if width != n_fft else window


@composite("istft")
def istft(
    x: Tensor,
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: Tensor | None = None,
    center: bool = True,
    normalized: bool = False,
    onesided: bool | None = None,
    length: int | None = None,
    return_complex: bool = False,
) -> Tensor:
    """As `istft` in aten/src/ATen/native/SpectralOps.cpp, but for its look at whether the windows leave no gap, which
    needs values.
    """
    hop = n_fft // 4 if hop_length is None else hop_length
    window = _whole_window(window, n_fft, win_length, x)
    is_single = x.dim() == 2
    values = (x.unsqueeze(0) if is_single else x).transpose(1, 2)
    frames: Tensor
    if return_complex:
        frames = FOURIER.ifft(values)
    else:
        is_half = onesided if onesided is not None else n_fft != values.shape[2]
        frames = FOURIER.irfft(values if is_half else values[..., : n_fft // 2 + 1], n=n_fft)
    count = frames.shape[1]
    expected = n_fft + hop * (count - 1)
    signal = _added(frames * window.view(1, 1, n_fft), expected, hop)
    envelope = _added(window.pow(2).expand(1, count, n_fft), expected, hop)
    start = n_fft // 2 if center else 0
    end = start + length if length is not None else expected - n_fft // 2 if center else expected
    signal = signal[:, start:end] / envelope[:, start:end]
    signal = signal.squeeze(0) if is_single else signal
    return functional.pad(signal, [0, end - expected]) if end > expected else signal


def _added(frames: Tensor, length: int, step: int) -> Tensor:
    """Frames laid over a signal."""
    batch, _, size = frames.shape
    return torch.ops.aten.unfold_backward(frames, [batch, length], 1, size, step)
