"""Products of tensors in ONNX, but for those whose cards name an operator."""

from __future__ import annotations

from archcost.exporters.emit import Part, draws
from archcost.layers import MV, AddBMM, AddMM, AddMV, AddR, BAddBMM, Bmm, CDist, Dot, GroupedMM


@draws(Bmm)
def bmm(part: Part) -> str:
    return part.draw("MatMul", *part.inputs)


@draws(AddMM)
def addmm(part: Part) -> str:
    added, left, right = part.inputs
    return part.draw("Gemm", left, right, added, alpha=float(part.layer.alpha), beta=float(part.layer.beta))


def _added(part: Part, product: str) -> str:
    """The first input and the product, each with its factor."""
    added = part.inputs[0]
    if part.layer.alpha != 1:
        product = part.draw("Mul", product, part.number(part.layer.alpha))
    if part.layer.beta != 1:
        added = part.draw("Mul", added, part.number(part.layer.beta))
    return part.draw("Add", added, product)


@draws(BAddBMM, AddMV)
def baddbmm(part: Part) -> str:
    return _added(part, part.draw("MatMul", *part.inputs[1:]))


@draws(AddBMM)
def addbmm(part: Part) -> str:
    products = part.draw("MatMul", *part.inputs[1:])
    return _added(part, part.draw("ReduceSum", products, part.integers(0), keepdims=0))


@draws(AddR)
def addr(part: Part) -> str:
    """Onnx's inference takes a product of an unsqueezed list for one of sizes, and refuses it."""
    return _added(part, part.draw("Einsum", *part.inputs[1:], equation="i,j->ij"))


@draws(MV, Dot)
def product(part: Part) -> str:
    return part.draw("MatMul", *part.inputs)


@draws(CDist)
def cdist(part: Part) -> str:
    """Each row less each other, and the norm of that; or the root of a product with two columns more."""
    if part.layer.by_products(part.node.input_types):
        return _by_products(part)
    left = part.draw("Unsqueeze", part.inputs[0], part.integers(-2))
    right = part.draw("Unsqueeze", part.inputs[1], part.integers(-3))
    apart, p = part.draw("Sub", left, right), part.layer.p
    if p in (1, 2):
        return part.draw(f"ReduceL{int(p)}", apart, part.integers(-1), keepdims=0)
    sizes = part.draw("Abs", apart)
    if p == "inf":
        return part.draw("ReduceMax", sizes, part.integers(-1), keepdims=0)
    if p == 0:
        sizes = part.draw("Sign", sizes)
        return part.draw("ReduceSum", sizes, part.integers(-1), keepdims=0)
    sums = part.draw("ReduceSum", part.draw("Pow", sizes, part.number(p)), part.integers(-1), keepdims=0)
    return part.draw("Pow", sums, part.number(1 / p))


def _by_products(part: Part) -> str:
    """(−2a, |a|², 1)·(b, 1, |b|²)."""
    columns: list[str] = []
    for index, rows in enumerate(part.inputs):
        squares = part.draw("ReduceSumSquare", rows, part.integers(-1), keepdims=1)
        ones = part.draw("Add", part.draw("Mul", squares, part.number(0.0)), part.number(1.0))
        pieces = (rows, ones, squares) if index else (part.draw("Mul", rows, part.number(-2.0)), squares, ones)
        columns.append(part.draw("Concat", *pieces, axis=-1))
    rank = part.node.input_types[1].rank
    turned = part.draw("Transpose", columns[1], perm=(*range(rank - 2), rank - 1, rank - 2))
    squared = part.draw("MatMul", columns[0], turned)
    return part.draw("Sqrt", part.draw("Max", squared, part.number(0.0)))


@draws(GroupedMM)
def grouped_mm(part: Part) -> str:
    """A product of stacks where groups may be of one size; else there is no operator for it."""
    (rows, depth), (groups, _, columns) = (tensor.shape for tensor in part.node.input_types[:2])
    if rows % groups:
        return part.draw_itself()[0]
    stacked = part.reshape(part.inputs[0], (rows, depth), (groups, rows // groups, depth))
    products = part.draw("MatMul", stacked, part.inputs[1])
    return part.reshape(products, (groups, rows // groups, columns), (rows, columns))
