"""Attention on a torch before 2.0, which has no kernel for it: two products, the softmax between them, and casts."""

from __future__ import annotations

from archcost.costs.kernel import Kernel, Kernels, stretch
from archcost.costs.program import Op
from archcost.layers.attention.composition import KEY, MASK, QUERY, VALUE
from archcost.tensors import TensorType
from archcost.terms.time_classes import TimeClass, is_unaligned


def composed_attention(op: Op, is_autocast: bool, stretches: bool) -> tuple[Kernels, Kernels]:
    """Forward and backward of softmax(q·kᵀ·scale + mask)·v, as networks wrote it out. Autocast works the softmax out in
    float32, of a copy, and copies it back.
    """
    query, key, value = op.node.input_types[:3]
    output = op.node.output_types[0]
    dtype = query.dtype
    scores = TensorType((*query.shape[:-1], key.shape[-2]), dtype)
    wide = TensorType(scores.shape, "float32" if is_autocast else dtype)
    unaligned = is_unaligned(dtype, scores.shape[-1], query.shape[-1])
    kind: TimeClass = "unaligned batched product" if unaligned else "batched product"
    product = Kernel(
        kind,
        2 * scores.numel * query.shape[-1],
        query.nbytes + key.nbytes + scores.nbytes,
        dtype,
        1,
        stretch(kind, op.node.layer.timing(op.node.input_types, op.node.output_types).extents) if stretches else 1.0,
    )
    mean = product._replace(
        flops=2 * scores.numel * value.shape[-1], nbytes=scores.nbytes + value.nbytes + output.nbytes
    )
    scaled = Kernel("elementwise", query.numel, 2 * query.nbytes, dtype)
    softmax = Kernel("softmax", 0, 2 * wide.nbytes, wide.dtype)
    casts = (Kernel("copy", 0, 2 * (scores.nbytes + wide.nbytes), dtype, 2),) if is_autocast else ()
    mask = op.node.input_types[MASK].nbytes if len(op.node.input_types) > MASK else 0
    masked = (Kernel("elementwise", scores.numel, 2 * scores.nbytes + mask, dtype),) if mask else ()
    forward = (scaled, product, *masked, *casts, softmax, mean)
    needed = [each for each in (QUERY, KEY, VALUE) if each in op.operands]
    if not needed:
        return forward, ()
    back = [mean._replace(flops=2 * mean.flops, nbytes=2 * mean.nbytes, launches=2), *casts]
    back.append(softmax._replace(nbytes=3 * wide.nbytes))
    back += [product._replace(flops=2 * product.flops, nbytes=2 * product.nbytes, launches=2), scaled]
    return forward, tuple(back)
