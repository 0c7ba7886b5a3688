"""Fourier transforms: of ONNX, whose complex numbers have their parts in a last axis; and archcost's own operators."""

from __future__ import annotations

from archcost.importers.onnx.shape import cut
from archcost.importers.onnx_call import Call, Rule, own_operators
from archcost.importers.onnx_values import UnsupportedError, Value
from archcost.layers.checks import normalize_axis


def dft(call: Call) -> Value:
    """Along one axis of (…, n, 1), real numbers, or (…, n, 2), complex ones; what is one-sided and inverse is real."""
    axis = call.setting("axis", 2) if "axis" in call.node.attributes or call.opset >= 20 else [1]
    where = normalize_axis((axis or [-2])[0], call[0].rank, "axis")
    inverse, onesided = call.flag("inverse"), call.flag("onesided")
    length = call.integers(1, 1)
    size = length[0] if length else None
    if where == call[0].rank - 1 or call[0].shape[-1] not in (1, 2):
        raise UnsupportedError(f"a transform of {call[0].tensor} along axis {where}")
    if inverse and onesided:
        return _real_again(call, where, size)
    value = call[0] if size is None else _of_length(call, call[0], where, size)
    if value.shape[-1] == 1:
        real = call.layer("squeeze", value, dim=value.rank - 1)
        return call.layer("view_as_real", call.layer("rfft", real, dim=[where], onesided=onesided))
    if onesided:
        raise UnsupportedError("half of a transform of complex numbers")
    return call.layer("view_as_real", call.layer("fft", call.layer("view_as_complex", value), dim=[where]))


def _real_again(call: Call, axis: int, size: int | None) -> Value:
    """n real numbers of the n//2 + 1 that stand for all."""
    value = call[0]
    if value.shape[-1] != 2:
        raise UnsupportedError("a one-sided inverse of real numbers")
    if size is not None:
        value = _of_length(call, value, axis, size // 2 + 1)
    whole = call.layer("irfft", call.layer("view_as_complex", value), dim=[axis], n=size)
    return call.layer("unsqueeze", whole, dim=-1)


def _of_length(call: Call, value: Value, axis: int, size: int) -> Value:
    """Cut, or filled up with zeros behind."""
    missing = size - value.shape[axis]
    if missing <= 0:
        return cut(call, value, 0, size, axis, 1)
    return call.layer("pad", value, pad=[0, 0] * (value.rank - 1 - axis) + [0, missing])


def stft(call: Call) -> Value:
    """Of frames of (batch, values, 1 or 2), each times a window."""
    source, window = call[0], call.get(2)
    step, length = call.integers(1, 1), call.integers(3, 1)
    if source.rank != 3 or source.shape[2] not in (1, 2) or not step:
        raise UnsupportedError(f"frames of {source.tensor}")
    size = length[0] if length else source.shape[1] if window is None else window.shape[0]
    is_real = source.shape[2] == 1
    signal = call.layer("squeeze", source, dim=2) if is_real else call.layer("view_as_complex", source)
    frames = call.layer("tensor_unfold", signal, dimension=1, size=size, step=step[0])
    if window is not None:
        frames = call.layer("mul", frames, window)
    if is_real:
        result = call.layer("rfft", frames, onesided=call.flag("onesided", default=True))
    else:
        result = call.layer("fft", frames)
    return call.layer("view_as_real", result)


def transformed(call: Call) -> Value:
    """onnxruntime's, of real numbers along the last axes."""
    count = call.integer("signal_ndim", 1)
    return call.layer("view_as_real", call.layer("rfft", call[0], dim=list(range(-count, 0))))


def transformed_back(call: Call) -> Value:
    count = call.integer("signal_ndim", 1)
    return call.layer("irfft", call.layer("view_as_complex", call[0]), dim=list(range(-count, 0)))


RULES: dict[str, Rule] = {
    **own_operators("fourier"),
    "DFT": dft,
    "STFT": stft,
    "com.microsoft::Rfft": transformed,
    "com.microsoft::Irfft": transformed_back,
}
