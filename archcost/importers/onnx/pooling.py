"""Pools and their reverse."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from itertools import product
from math import prod

from archcost.importers.onnx.convolution import evenly_padded, pads_of, spacing, to_channels_first, to_channels_last
from archcost.importers.onnx.shape import cut
from archcost.importers.onnx_call import Call, Rule, one
from archcost.importers.onnx_values import UnsupportedError, Value

SMALLEST = -3.4028234663852886e38
"""What stands for minus infinity around a maximum."""


def window(call: Call) -> tuple[int, list[int], list[int], list[int]]:
    """Axes, kernel, strides, dilations."""
    ndim = call[0].rank - 2
    if not 1 <= ndim <= 3:
        raise UnsupportedError(f"a window of {ndim} axes")
    kernel = call.sizes("kernel_shape", ndim)
    if kernel is None:
        raise UnsupportedError("kernel_shape is missing")
    return ndim, kernel, *spacing(call, ndim)


def _padded(
    call: Call, kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int], value: float | None = None
) -> tuple[Value, list[int]]:
    """Torch pads by half a window at most; what is more, or uneven, is padded before."""
    pads = pads_of(call, kernel, strides, dilations)
    if all(max(pair) <= size // 2 for pair, size in zip(pads, kernel, strict=True)):
        return evenly_padded(call, pads, value)
    flat = [number for pair in reversed(pads) for number in pair]
    return call.layer("pad", call[0], pad=flat, value=value), [0] * len(pads)


def max_pool(call: Call) -> tuple[Value, ...]:
    ndim, kernel, strides, dilations = window(call)
    tensor, padding = _padded(call, kernel, strides, dilations, SMALLEST)
    return call.layers(
        f"max_pool{ndim}d",
        tensor,
        kernel_size=one(kernel),
        stride=one(strides),
        padding=one(padding),
        dilation=one(dilations),
        ceil_mode=call.flag("ceil_mode"),
        return_indices=len([name for name in call.node.outputs if name]) > 1,
    )


def avg_pool(call: Call) -> Value:
    ndim, kernel, strides, dilations = window(call)
    if set(dilations) != {1}:
        return _mean_apart(call, kernel, strides, dilations)
    tensor, padding = _padded(call, kernel, strides, dilations)
    return call.layer(
        f"avg_pool{ndim}d",
        tensor,
        kernel_size=one(kernel),
        stride=one(strides),
        padding=one(padding),
        ceil_mode=call.flag("ceil_mode"),
        count_include_pad=call.flag("count_include_pad"),
    )


MOST_PLACES = 128
"""Of a window that is taken apart."""


def _mean_apart(call: Call, kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int]) -> Value:
    """Of values that lie apart, for which torch has no operator: a sum of slices, divided."""
    pads = pads_of(call, kernel, strides, dilations)
    sizes: list[int] = []
    ends: list[int] = []
    for size, k, s, d, (before, behind) in zip(call[0].shape[2:], kernel, strides, dilations, pads, strict=True):
        room = size + before + behind - d * (k - 1) - 1
        count = (-(-room // s) if call.flag("ceil_mode") else room // s) + 1
        if count > 1 and (count - 1) * s >= size + before:  # a window that begins behind the values
            count -= 1
        sizes.append(count)
        ends.append(max(behind, (count - 1) * s + d * (k - 1) + 1 - size - before))
    if prod(kernel) > MOST_PLACES or min(sizes) < 1:
        raise UnsupportedError("a mean of many values that lie apart")
    flat = [number for (before, _), end in zip(pads[::-1], ends[::-1], strict=True) for number in (before, end)]
    source = call.layer("pad", call[0], pad=flat) if any(flat) else call[0]
    parts: list[Value] = []
    for place in product(*map(range, kernel)):
        part = source
        for axis, (at, s, d, count) in enumerate(zip(place, strides, dilations, sizes, strict=True), 2):
            part = cut(call, part, at * d, at * d + (count - 1) * s + 1, axis, s)
        parts.append(part)
    total = reduce(lambda so_far, part: call.layer("add", so_far, part), parts)
    return call.layer("scale", total, factor=1 / len(parts))


def lp_pool(call: Call) -> Value:
    """The root of a sum of powers: torch takes the mean of a window times how many values it has."""
    ndim, kernel, strides, dilations = window(call)
    if set(dilations) != {1}:
        raise UnsupportedError("powers of values that lie apart")
    order = call.real("p", 2.0)
    tensor, padding = _padded(call.reading(_power(call, order)), kernel, strides, dilations)
    fields = {"kernel_size": one(kernel), "stride": one(strides), "padding": one(padding)}
    means = call.layer(f"avg_pool{ndim}d", tensor, **fields, ceil_mode=call.flag("ceil_mode"))
    return _root(call, call.layer("scale", means, factor=float(prod(kernel))), order)


def global_lp_pool(call: Call) -> Value:
    order = call.real("p", 2.0)
    over = {"dim": list(range(2, call[0].rank)), "keepdim": True}
    return _root(call, call.layer("sum", _power(call, order), **over), order)


def _power(call: Call, order: float) -> Value:
    source = call[0] if order % 2 == 0 else call.layer("abs", call[0])
    return source if order == 1 else call.layer("pow", source, exponent=order)


def _root(call: Call, value: Value, order: float) -> Value:
    return value if order == 1 else call.layer("pow", value, exponent=1 / order)


def global_avg_pool(call: Call) -> Value:
    ndim = call[0].rank - 2
    if not 1 <= ndim <= 3:
        raise UnsupportedError(f"a global mean over {ndim} axes")
    return call.layer(f"adaptive_avg_pool{ndim}d", call[0], output_size=1)


def global_max_pool(call: Call) -> Value:
    ndim = call[0].rank - 2
    if not 1 <= ndim <= 3:
        raise UnsupportedError(f"a global maximum over {ndim} axes")
    return call.layer(f"adaptive_max_pool{ndim}d", call[0], output_size=1)


def max_unpool(call: Call) -> Value:
    ndim, kernel, strides, dilations = window(call)
    pads = pads_of(call, kernel, strides, dilations)
    if any(before != after for before, after in pads):
        raise UnsupportedError("an unpool padded unevenly")
    wanted = call.integers(2, call[0].rank)
    return call.layer(
        f"max_unpool{ndim}d",
        call[0],
        call[1],
        kernel_size=one(kernel),
        stride=one(strides),
        padding=one([before for before, _ in pads]),
        output_size=None if wanted is None else one(wanted[2:]),
    )


def channels_last_pool(call: Call) -> Value:
    first, *_ = max_pool(call.reading(to_channels_first(call, call[0])))
    return to_channels_last(call, first)


RULES: dict[str, Rule] = {
    "MaxPool": max_pool,
    "AveragePool": avg_pool,
    "GlobalAveragePool": global_avg_pool,
    "GlobalMaxPool": global_max_pool,
    "LpPool": lp_pool,
    "GlobalLpPool": global_lp_pool,
    "MaxUnpool": max_unpool,
    "com.microsoft::NhwcMaxPool": channels_last_pool,
    "com.microsoft.nchwc::MaxPool": max_pool,
    "com.microsoft.nchwc::AveragePool": avg_pool,
    "com.microsoft.nchwc::GlobalAveragePool": global_avg_pool,
    "com.microsoft.nchwc::GlobalMaxPool": global_max_pool,
}
