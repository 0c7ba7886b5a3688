"""Operators of an ONNX graph without a layer of their own: `opaque` where shapes are known, else refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from archcost.errors import ArchcostError, ShapeError, shorten
from archcost.importers.onnx_call import Call
from archcost.importers.onnx_model import Node
from archcost.importers.onnx_values import UnsupportedError, Value, from_batch, samples_in
from archcost.tensors import TensorType

OWN_DOMAIN = "archcost::"

PRODUCTS = frozenset(
    ["Gemm", "Einsum", "MatMul", "Conv", "ConvInteger", "MatMulInteger", "QLinearConv", "QLinearMatMul"]
)
"""Operators that are never without MACs: of integers too they are not known where no layer says how many."""


def unruled(
    call: Call, reads: Sequence[Value], tensors: Sequence[TensorType], is_unknown: bool = False
) -> Sequence[Value]:
    """Add an `opaque` layer; or `integers` where no input or result is floating, unless its work `is_unknown`."""
    axes = [from_batch(tensor.shape) for tensor in tensors]
    if any(len(each) > 1 for each in axes):
        raise UnsupportedError("a result with the batch in two axes")
    if any(0 in tensor.shape for tensor in tensors):
        raise UnsupportedError("a result without values")
    grows = any(axes)
    read = list({id(value): value for value in reads if not value.is_constant}.values())
    floating = any(tensor.is_floating for tensor in (*tensors, *(value.tensor for value in read)))
    return (call.sized if grows else call.layers)(
        "opaque" if floating or is_unknown or call.node.kind in PRODUCTS else "integers",
        *read,
        op=call.node.kind.removeprefix(OWN_DOMAIN)[:200],
        shapes=[[samples_in(size) or size for size in tensor.shape] for tensor in tensors],
        dtypes=[tensor.dtype for tensor in tensors],
        batch_dims=[each[0] if each else None for each in axes],
        **_told_by_author(call.node),
    )


def refusal(call: Call, error: UnsupportedError | ShapeError) -> ArchcostError:
    why = error.problem if isinstance(error, ShapeError) else str(error)
    expected, found = (error.expected, error.found) if isinstance(error, ShapeError) else (None, None)
    return ArchcostError(
        f"{shorten(call.node.kind)} cannot be told as a layer: {why}",
        expected=expected or "an operator with a layer of its own, or one whose shapes are known",
        found=found or ", ".join(str(value.tensor) for value in call.given[:4]) or "no input",
    ).at(layer=shorten(str(call.node)))


def _told_by_author(node: Node) -> Mapping[str, Any]:
    """Of an operator that our own export wrote as unknown: what its author's formulas said."""
    if not node.kind.startswith(OWN_DOMAIN):
        return {}
    return {name: node.attributes[name] for name in ("flops", "backward_flops") if name in node.attributes}
