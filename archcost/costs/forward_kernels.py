"""What forward runs on a device: the layer's own kernel, and the copies that torch makes so that it can run.

On a GPU the order of values decides as much as their number. cuDNN's 16-bit convolutions want channels last and turn
images that arrive otherwise, there and back; a product copies matrices of which there is no view; kernels over values
that lie in different orders read across rows.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from archcost.costs.kernel import Kernel, Kernels, dtype_of, stretch
from archcost.costs.program import Op
from archcost.costs.timeline import Timeline
from archcost.layers.rules import Call
from archcost.layers.shape.copy import Contiguous, Recast
from archcost.layers.shape.reshape import Viewing
from archcost.tensors import TensorType
from archcost.terms.autograd import FORWARD, Own, Setting
from archcost.terms.memory_format import Layout, is_channels_last, is_dense, is_permuted, numel_stored, strides_of
from archcost.terms.time_classes import ALIGNED, CONTRACTIONS, CONVOLUTIONS, TimeClass, is_unaligned
from archcost.work import Flops, Shared, Work

if TYPE_CHECKING:  # a family is imported where there is a layer of it
    from archcost.layers.convolution.conv import Convolution

IN_16_BITS = ("float16", "bfloat16")
DEPTHWISE: frozenset[TimeClass] = frozenset(["depthwise", "depthwise strided", "depthwise wide"])
BATCHED_PRODUCTS: frozenset[TimeClass] = frozenset(["batched product", "unaligned batched product"])
VALUE_BY_VALUE: frozenset[TimeClass] = frozenset(["elementwise", "transcendental"])
WIDE = 7
"""From which on torch has no depthwise kernel made for the size (DepthwiseConv2d.cu knows 1, 3 and 5)."""

BY_SAMPLE: frozenset[TimeClass] = frozenset(
    [
        "convolution 1x1",
        "convolution 3x3",
        "convolution",
        "unaligned convolution",
        "stem",
        "depthwise",
        "depthwise strided",
        "depthwise wide",
        "grouped convolution",
        "wide grouped convolution",
        "many-grouped convolution",
        "transposed convolution",
        "batch norm",
    ]
)
"""Classes that go through their weights once for each sample."""


def own_kernel(op: Op, line: Timeline) -> Kernel:
    """The layer's kernel of forward, of class `free` where it runs none."""
    node, layer = op.node, op.node.layer
    timing = layer.timing(node.input_types, node.output_types)
    kind = _kind(op, timing.time_class, line)
    contracts = kind in CONTRACTIONS
    read = sum(
        [_stored(tensor, op, index) for index, tensor in enumerate(node.input_types) if index not in layer.asked]
    )
    weights = sum([_weight(weight.shape, weight.cast or weight.dtype or dtype_of(op)) for weight in node.weights])
    made = timing.unpacked[0]
    if made is not None:  # by another kernel
        weights = made.nbytes
    written = sum([tensor.nbytes for tensor in node.output_types])
    if kind == "gather":
        weights = min(weights, 1) * written  # of a table the rows that are picked
    kept = sum([line.storages[each].nbytes for each in op.own])
    scratch = op.scratch.forward if made is None else ()
    dropped = sum([own.tensor.nbytes for own in scratch if not own.tensor.is_floating])
    spread = contracts or kind == "layer norm" or (line.run.trains and kind == "batch norm")
    extents = timing.extents if spread and line.device == "cuda" else ()
    flops = _amount(_forward(node.facts.work), contracts)
    nbytes = read + weights + written + kept + dropped
    reread = node.input_types[0].shape[0] * weights if kind in BY_SAMPLE else 0
    return Kernel(kind, flops, nbytes, dtype_of(op), 1, stretch(kind, extents), reread)


def forward_kernels(op: Op, own: Kernel, line: Timeline, narrow_attention: bool = False) -> Kernels:
    """All that forward runs, the layer's own kernel first; nothing where the result is a view. Attention for which
    there is no kernel is composed in float32, or as torch did before 2.5 in the dtype that arrives.
    """
    layer = op.node.layer
    if (making := unpacking(op, 0)) is not None:
        return (own, making)
    if own.kind == "free" or not (op.makes or layer.overwrites(FORWARD) or own.kind == "unknown"):
        return ()
    if line.device == "cpu":
        return (own,)
    if own.kind == "attention" and not _runs_fused(op, line):
        return _composed_attention(op, op.node.input_types[0].dtype if narrow_attention else "float32")
    return (own, *_copies(op, own), *_turned(op, own))


def unpacking(op: Op, half: int) -> Kernel | None:
    """What makes a weight of fewer bits for forward (0) or backward (1), where that is a kernel of its own: codes and
    scales are read, the weight is written.
    """
    node = op.node
    made = node.layer.timing(node.input_types, node.output_types).unpacked[half]
    if made is None:
        return None
    return Kernel("elementwise", made.numel, codes(op) + made.nbytes, made.dtype)


def codes(op: Op) -> int:
    """Bytes of the weight as it is kept, with its scales."""
    kept = [weight for weight in op.node.weights if weight.name == "weight" or weight.is_scale]
    return sum([_weight(weight.shape, weight.dtype or dtype_of(op)) for weight in kept])


def _kind(op: Op, kind: TimeClass, line: Timeline) -> TimeClass:
    """The class that the layer says, or a narrower one where dtypes and the order of values make it that."""
    node = op.node
    if line.device == "cpu":
        return kind
    if kind in CONTRACTIONS and dtype_of(op) == "float32" and line.run.matmul_dtype in IN_16_BITS:
        return "float32 product"
    if kind in DEPTHWISE and (convolution := _convolution(op)):
        return _depthwise(op, convolution)
    if kind in BATCHED_PRODUCTS and _is_matrix_product(op):
        return "unaligned batched product" if _is_unaligned(op) else "batched product"
    if isinstance(node.layer, Recast):
        return "elementwise"
    writes_in_rows = isinstance(node.layer, Viewing | Contiguous)
    if writes_in_rows and kind == "copy" and is_permuted(node.input_types[0].shape, _layout(op)):
        return "strided"
    return _value_by_value(op, kind) if kind in VALUE_BY_VALUE else kind


def _convolution(op: Op) -> Convolution | None:
    """The layer, where it is one and not transposed."""
    from archcost.layers.convolution.conv import Convolution

    return op.node.layer if isinstance(op.node.layer, Convolution) else None


def _is_matrix_product(op: Op) -> bool:
    from archcost.layers.matmul.product import Product

    return isinstance(op.node.layer, Product)


def _depthwise(op: Op, layer: Convolution) -> TimeClass:
    source = op.node.input_types[0]
    if source.rank == 4 and is_channels_last(source.shape, _layout(op)):
        return "depthwise channels-last"
    if max(layer.kernels()) >= WIDE:
        return "depthwise wide"
    return "depthwise" if set(layer.strides()) == {1} else "depthwise strided"


def _value_by_value(op: Op, kind: TimeClass) -> TimeClass:
    """The class of a pointwise kernel: another where operands differ in memory format, or one is broadcast."""
    output = op.node.output_types[0]
    columns = [(tensor, _layout(op, index)) for index, tensor in enumerate(op.node.input_types)]
    whole = [(tensor, layout) for tensor, layout in columns if tensor.numel == output.numel]
    if len({layout if is_permuted(tensor.shape, layout) else None for tensor, layout in whole}) > 1:
        return "strided"
    return "broadcast" if len(whole) < len(op.node.input_types) else kind


def _is_unaligned(op: Op) -> bool:
    """Whether rows of a matrix, as they lie when they are multiplied, do not start where matrix units read."""
    if dtype_of(op) not in IN_16_BITS:
        return False
    leading = [op.node.output_types[0].shape[-1]]
    copied = {own.what for own in op.scratch.forward}
    for index, tensor in enumerate(op.node.input_types):
        made_anew = f"matrices of input {index + 1}" in copied
        leading.append(_leading(tensor, None if made_anew else _layout(op, index)))
    return any(each % ALIGNED for each in leading)


def _leading(tensor: TensorType, layout: Layout) -> int:
    """The distance from one row, or column, to the next, in elements."""
    *_, outer, inner = strides_of(tensor.shape, layout)
    if inner == 1 or tensor.shape[-1] == 1:
        return outer
    return inner if outer == 1 or tensor.shape[-2] == 1 else tensor.shape[-1]


def _copies(op: Op, own: Kernel) -> Kernels:
    """Temporaries as large as an operand are copies of one; a layer norm copies what does not lie in rows, and a
    convolution what has gaps, as a slice of channels has.
    """
    sources = [tensor.numel for tensor in op.node.input_types if tensor.is_floating]
    made = [each.tensor for each in op.scratch.forward if _is_copy(each, sources)]
    if not made and _is_copied(op, own):
        made.append(op.node.input_types[0])
    return tuple([Kernel("strided", 0, 2 * tensor.nbytes, tensor.dtype) for tensor in made])


def _is_copied(op: Op, own: Kernel) -> bool:
    if own.kind == "layer norm":
        return is_permuted(op.node.input_types[0].shape, _layout(op))
    if own.kind not in CONVOLUTIONS and not own.kind.startswith("depthwise"):
        return False
    shape, layout = op.node.input_types[0].shape, _layout(op)
    return not is_dense(shape, layout) or (is_permuted(shape, layout) and not is_channels_last(shape, layout))


def _is_copy(own: Own, sources: list[int]) -> bool:
    return own.tensor.is_floating and own.tensor.numel >= min(sources, default=0)


def _turned(op: Op, own: Kernel) -> Kernels:
    """Channels moved last before a convolution and back after it: both images are read and written once more.

    A single position in rows of whole vectors is a product as it lies. Rows of an odd number of 16-bit values begin
    between words, and are moved value by value.
    """
    layer = _convolution(op) if own.kind in CONVOLUTIONS and own.dtype in IN_16_BITS else None
    if layer is None:
        return ()
    source, output = op.node.input_types[0], op.node.output_types[0]
    positions = prod(output.shape[2:])
    is_single = source.numel == source.shape[0] * source.shape[1]
    if source.rank != 4 or is_single or is_channels_last(source.shape, _layout(op)):
        return ()
    if set(layer.kernels()) == set(layer.strides()) == {1} and positions % ALIGNED == 0:
        return ()
    longer = 2.0 if positions % 2 else 1.0
    return (Kernel("transposition", 0, 2 * (source.nbytes + output.nbytes), own.dtype, 2, longer),)


def _runs_fused(op: Op, line: Timeline) -> bool:
    from archcost.layers.attention.scaled_dot_product import ScaledDotProductAttention

    layer, node = op.node.layer, op.node
    call = Call(node.input_types, node.output_types, _setting(op, line))
    return not isinstance(layer, ScaledDotProductAttention) or layer.runs_fused(call)


def _composed_attention(op: Op, dtype: str) -> Kernels:
    """Query and key scaled, their product, a mask added, the softmax, the product with the values
    (`_scaled_dot_product_attention_math` in native/transformers/attention.cpp).
    """
    from archcost.layers.attention.composition import KEY, MASK, QUERY, VALUE

    query, key, value = (TensorType(tensor.shape, dtype) for tensor in op.node.input_types[:3])
    output = TensorType(op.node.output_types[0].shape, dtype)
    scores = TensorType((*query.shape[:-1], key.shape[-2]), dtype)
    unaligned = is_unaligned(dtype, scores.shape[-1], query.shape[-1])
    kind: TimeClass = "unaligned batched product" if unaligned else "batched product"
    kind = "float32 product" if dtype == "float32" else kind
    longer = stretch(kind, op.node.layer.timing(op.node.input_types, op.node.output_types).extents)
    first, second = 2 * scores.numel * query.shape[-1], 2 * scores.numel * value.shape[-1]
    made = [
        Kernel(kind, first, query.nbytes + key.nbytes + scores.nbytes, dtype, 1, longer),
        Kernel(kind, second, scores.nbytes + value.nbytes + output.nbytes, dtype, 1, longer),
        Kernel("softmax", 0, 2 * scores.nbytes, dtype),
        Kernel("elementwise", query.numel + key.numel, 2 * (query.nbytes + key.nbytes), dtype, 2),
    ]
    if op.node.output_types[0].dtype != dtype:
        given = (*op.node.input_types[:3], *op.node.output_types)
        cast = sum([tensor.nbytes + TensorType(tensor.shape, dtype).nbytes for tensor in given])
        made.append(Kernel("elementwise", 0, cast, dtype, len(given)))
    if len(op.node.input_types) > MASK:
        made.append(Kernel("elementwise", scores.numel, 2 * scores.nbytes + op.node.input_types[MASK].nbytes, dtype))
    for index, tensor in ((QUERY, query), (KEY, key), (VALUE, value)):
        if is_permuted(tensor.shape, _layout(op, index)):
            made.append(Kernel("strided", 0, 2 * tensor.nbytes, dtype))
    return tuple(made)


def _setting(op: Op, line: Timeline) -> Setting:
    return Setting(frozenset(op.operands), line.run.trains, line.device, op.layouts, torch=line.run.torch)


def _layout(op: Op, index: int = 0) -> Layout:
    """What is made before the pass, as a constant is, lies in rows."""
    return op.layouts[index] if index < len(op.layouts) else None


def _stored(tensor: TensorType, op: Op, index: int) -> int:
    """Bytes read of an input, in which values may be repeated."""
    layout = _layout(op, index)
    if layout is None:
        return tensor.nbytes
    return numel_stored(tensor.shape, layout) * (tensor.nbytes // max(1, tensor.numel))


def _weight(shape: tuple[int, ...], dtype: str) -> int:
    return TensorType(shape, dtype).nbytes


def _forward(work: tuple[Work, ...]) -> Flops:
    return sum([part.forward for part in work if not isinstance(part, Shared)], Flops())


def _amount(flops: Flops, contracts: bool) -> int:
    return flops.contraction if contracts else flops.contraction + flops.elementwise
