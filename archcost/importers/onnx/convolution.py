"""Convolutions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod

from archcost.importers.onnx.activation import fused_activation
from archcost.importers.onnx_call import Call, Rule, one
from archcost.importers.onnx_values import UnsupportedError, Value

MOST_AXES = 3


def kernel_of(call: Call, weight: Value) -> list[int]:
    ndim = weight.rank - 2
    if not 1 <= ndim <= MOST_AXES or call[0].rank != weight.rank:
        raise UnsupportedError(f"a kernel of {ndim} axes for {call[0].tensor}")
    return call.sizes("kernel_shape", ndim) or list(weight.shape[2:])


def spacing(call: Call, ndim: int) -> tuple[list[int], list[int]]:
    """Strides and dilations."""
    strides, dilations = (call.sizes(name, ndim) or [1] * ndim for name in ("strides", "dilations"))
    if min(*strides, *dilations) < 1:
        raise UnsupportedError("strides and dilations below 1")
    return strides, dilations


def pads_of(
    call: Call, kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int]
) -> list[tuple[int, int]]:
    """Before and after each spatial axis."""
    count = len(kernel)
    auto = call.word("auto_pad", "NOTSET")
    if auto == "VALID":
        return [(0, 0)] * count
    if auto in ("SAME_UPPER", "SAME_LOWER"):
        pads: list[tuple[int, int]] = []
        for size, k, s, d in zip(call[0].shape[2:], kernel, strides, dilations, strict=True):
            total = max(0, (-(-size // s) - 1) * s + d * (k - 1) + 1 - size)
            pads.append((total // 2, total - total // 2) if auto == "SAME_UPPER" else (total - total // 2, total // 2))
        return pads
    given = call.sizes("pads", 2 * count) or [0] * (2 * count)
    return list(zip(given[:count], given[count:], strict=True))


def evenly_padded(call: Call, pads: Sequence[tuple[int, int]], value: float | None = None) -> tuple[Value, list[int]]:
    """The input, and the padding that a layer of torch can say; what it cannot, it pads before."""
    if all(before == after and before >= 0 for before, after in pads):
        return call[0], [before for before, _ in pads]
    flat = [number for pair in reversed(pads) for number in pair]
    return call.layer("pad", call[0], pad=flat, value=value), [0] * len(pads)


def weights_of(call: Call) -> dict[str, Value]:
    bias = call.get(2)
    return {"weight": call[1], **({} if bias is None or not bias.is_own else {"bias": bias})}


def conv(call: Call) -> Value:
    weights = weights_of(call)
    return convolved(call, "conv", weights, bias="bias" in weights)


def convolved(call: Call, type_: str, weights: dict[str, Value], **fields: object) -> Value:
    """A convolution of as many axes as its kernel has, of the type that begins so."""
    weight = weights["weight"]
    kernel = kernel_of(call, weight)
    strides, dilations = spacing(call, len(kernel))
    tensor, padding = evenly_padded(call, pads_of(call, kernel, strides, dilations))
    (result,) = call.weighted(
        f"{type_}{len(kernel)}d",
        tensor,
        weights,
        out_channels=weight.shape[0],
        kernel_size=one(kernel),
        stride=one(strides),
        padding=one(padding),
        dilation=one(dilations),
        groups=call.integer("group", 1),
        **fields,
    )
    return result


def conv_transpose(call: Call) -> Value:
    """Uneven padding is cut off afterwards."""
    weight = call[1]
    kernel = kernel_of(call, weight)
    groups = call.integer("group", 1)
    strides, dilations = spacing(call, len(kernel))
    extra = call.sizes("output_padding", len(kernel)) or [0] * len(kernel)
    wanted = call.sizes("output_shape")
    if not wanted and call.word("auto_pad", "NOTSET") in ("SAME_UPPER", "SAME_LOWER"):
        wanted = [size * step for size, step in zip(call[0].shape[2:], strides, strict=True)]
    columns = list(zip(call[0].shape[2:], kernel, strides, dilations, extra, strict=True))
    whole = [(n - 1) * s + d * (k - 1) + 1 + more for n, k, s, d, more in columns]
    if wanted:
        upper = call.word("auto_pad") == "SAME_UPPER"
        totals = [size - want for size, want in zip(whole, wanted[-len(kernel) :], strict=False)]
        pads = [(t // 2, t - t // 2) if upper else (t - t // 2, t // 2) for t in totals]
    else:
        pads = pads_of(call, kernel, strides, dilations)
    weights = weights_of(call)
    even = all(before == after and before >= 0 for before, after in pads)
    (result,) = call.weighted(
        f"conv_transpose{len(kernel)}d",
        call[0],
        weights,
        out_channels=weight.shape[1] * groups,
        kernel_size=one(kernel),
        stride=one(strides),
        padding=one([before for before, _ in pads]) if even else 0,
        output_padding=one(extra),
        dilation=one(dilations),
        groups=groups,
        bias="bias" in weights,
    )
    return result if even else call.layer("pad", result, pad=[-number for pair in reversed(pads) for number in pair])


def deform_conv(call: Call) -> Value:
    """The bias stands between offsets and mask."""
    weight, bias, mask = call[1], call.get(3), call.get(4)
    kernel = kernel_of(call, weight)
    strides, dilations = spacing(call, len(kernel))
    pads = pads_of(call, kernel, strides, dilations)
    if len(kernel) != 2 or any(before != after for before, after in pads):
        raise UnsupportedError("a deformable kernel of other than two axes, or padded unevenly")
    weights = {"weight": weight, **({} if bias is None else {"bias": bias})}
    (result,) = call.weighted(
        "deform_conv2d",
        call[0],
        weights,
        call[2],
        *([] if mask is None else [mask]),
        out_channels=weight.shape[0],
        kernel_size=one(kernel),
        stride=one(strides),
        padding=one([before for before, _ in pads]),
        dilation=one(dilations),
        groups=call.integer("group", 1),
        bias="bias" in weights,
    )
    return result


def fused_conv(call: Call) -> Value:
    """A convolution, what is added to it, and an activation."""
    return _finished(call, conv(call))


def _finished(call: Call, result: Value) -> Value:
    added = call.get(3)
    return fused_activation(call, result if added is None else call.layer("add", result, added))


def channels_last(rule: Rule) -> Rule:
    """With the channels behind: the kernel too has them there."""

    def turned(call: Call) -> Value:
        source, weight = to_channels_first(call, call[0]), call[1]
        if weight.ref is not None or weight.rank < 3:
            raise UnsupportedError("a kernel that is computed, with its channels last")
        out, *kernel, channels = weight.shape
        seen = replace(weight, tensor=weight.tensor._replace(shape=(out, channels, *kernel)), numbers=None)
        given = [None if value is None else to_channels_first(call, value) for value in call.inputs[3:]]
        result = rule(call.reading(source, seen, call.get(2), *given))
        assert isinstance(result, Value)
        return to_channels_last(call, result)

    return turned


def to_channels_first(call: Call, value: Value) -> Value:
    return call.layer("permute", value, dims=[0, value.rank - 1, *range(1, value.rank - 1)])


def to_channels_last(call: Call, value: Value) -> Value:
    return call.layer("permute", value, dims=[0, *range(2, value.rank), 1])


def blocked_conv(call: Call) -> Value:
    """Channels in blocks. Those that only fill one up are left out: the network has none of their weights."""
    source, weight, bias = call[0], call[1], call.get(2)
    filters, depth, *kernel = weight.shape
    groups, channels = call.integer("group", 1), source.shape[1]
    if groups == 1:
        shape = (filters - weight.filled, min(depth, channels), *kernel)
    else:  # groups fill up a block, too
        shape = (filters // groups * min(groups, channels), depth, *kernel)
    weight = _first_of(call, 1, weight, shape)
    bias = None if bias is None else _first_of(call, 2, bias, shape[:1])
    if groups == filters and prod(weight.shape[1:]) == 1:
        return _finished(call, _scaled_and_shifted(call, source, weight, bias))
    return fused_conv(call.reading(source, weight, bias, *call.inputs[3:], group=min(groups, channels)))


def _first_of(call: Call, index: int, weight: Value, shape: tuple[int, ...]) -> Value:
    """A part of a weight; where nobody else reads it, there is no more of it."""
    if weight.shape == shape:
        return weight
    if weight.held is not None and call.reader_of(call.node.inputs[index]) is not None:
        call.net.held[weight.held] = weight.tensor._replace(shape=shape)
    return replace(weight, tensor=weight.tensor._replace(shape=shape), numbers=None)


def _scaled_and_shifted(call: Call, source: Value, scale: Value, shift: Value | None) -> Value:
    """One value a channel: as onnxruntime writes a norm by statistics that stand, where no convolution takes it in."""
    each = (scale.shape[0], *(1,) * (source.rank - 2))
    result = call.layer("mul", source, call.reshape(scale, each))
    return result if shift is None else call.layer("add", result, call.reshape(shift, each))


def reordered(call: Call) -> Value:
    """Channels into blocks: the same values in another order."""
    return to_channels_first(call, call[0]) if call.flag("channels_last") else call[0]


def reordered_back(call: Call) -> Value:
    """Channels out of their blocks, without those that filled them up."""
    value, channels = call[0], call.integer("channels", 0)
    if channels and channels != value.shape[1]:
        value = call.layer("slice", value, stop=channels, dim=1)
    return to_channels_last(call, value) if call.flag("channels_last") else value


RULES: dict[str, Rule] = {
    "Conv": conv,
    "ConvTranspose": conv_transpose,
    "DeformConv": deform_conv,
    "com.microsoft::FusedConv": fused_conv,
    "com.microsoft::NhwcConv": channels_last(conv),
    "com.microsoft::NhwcFusedConv": channels_last(fused_conv),
    "com.microsoft.nchwc::Conv": blocked_conv,
    "com.microsoft.nchwc::ReorderInput": reordered,
    "com.microsoft.nchwc::ReorderOutput": reordered_back,
}
