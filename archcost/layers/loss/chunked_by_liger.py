"""What Liger-Kernel's fused linear cross entropy holds while it runs (`fused_linear_cross_entropy_forward` in
liger_kernel/ops/fused_linear_cross_entropy.py of 0.8), on a GPU of compute capability 8.0 and later.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from archcost.layers.rules import Call
from archcost.tensors import TensorType
from archcost.terms.autograd import Moment

if TYPE_CHECKING:
    from archcost.layers.loss.linear import LinearCrossEntropy


def rows_at_once(rows: int, features: int, classes: int) -> int:
    """As many as have scores of about the size of all features: a power of two."""
    target = -(-rows // -(-classes // features))
    return min(1 << (target - 1).bit_length(), rows)


def liger_moments(layer: LinearCrossEntropy, call: Call) -> Iterator[Moment]:
    """All that lives at a moment beside the operands. Of chunks the first is the largest, and all are alike."""
    source, needs = call.source, call.setting.needs
    (rows, features), classes, dtype = source.shape, layer.out_features, source.dtype
    kept = call.setting.weights or dtype
    """The dtype of the weights and of their gradients."""
    products = layer.product_dtype or dtype
    chunk = rows_at_once(rows, features, classes)
    in_place = dtype == kept == products
    """Whether products are written where they belong: autocast would not cast for those that are."""
    of_weight = "weight" in needs

    def one(shape: tuple[int, ...], kind: str, when: bool = True) -> Moment:
        return (TensorType(shape, kind),) if when else ()

    lasting = [
        *one((rows, features), dtype),
        *one((classes, features), kept, of_weight),
        *one((classes,), kept, "bias" in needs),
        *one((rows,), "float32"),
        *one((rows,), "bool"),
    ]
    yield (*lasting, *one((), "int64"))
    kept_to_the_end = tuple(lasting)
    scores = one((chunk, classes), products)
    if in_place:
        lasting += scores
        yield tuple(lasting)
    else:
        cast_rows = one((chunk, features), products, dtype != products)
        cast_weight = one((classes, features), products, kept != products)
        # autocast remembers the copy of a weight that is trained, but not of one that is seen transposed
        remembered = cast_weight if of_weight else ()
        yield (*lasting, *scores, *cast_rows, *cast_weight, *(remembered if rows > chunk else ()))
        biased = "float32" if layer.bias and "float32" in (kept, products) else products
        if layer.bias:
            yield (*lasting, *scores, *one((chunk, classes), biased), *(remembered if rows > chunk else ()))
        lasting += one((chunk, classes), biased)
        narrowed = one((chunk, classes), products, biased != products)  # what autocast makes of promoted scores
        yield (*lasting, *narrowed, *cast_weight, *one((chunk, features), products))
        lasting += remembered
        if of_weight and narrowed:
            product = one((classes, features), products)
            yield (*lasting, *narrowed, *cast_rows, *product)
            yield (*lasting, *product, *one((classes, features), "float32"))
    if of_weight:
        if products == "float32":
            yield (*lasting, *one((classes, features), "float32"))
        else:
            yield (*lasting, *one((chunk, features), products, dtype != products))
    if "bias" in needs:
        yield (*lasting, *one((classes,), products))
    yield (*kept_to_the_end, *one((), "float32"))
