"""Every row against the formulas; every layer type has rows, words and a line in the docs."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from archcost.costs.layer_types import layer_type
from archcost.layers import LAYERS, index
from archcost.layers.binary.pair_function import Joining
from archcost.layers.comparison import Predicate
from archcost.layers.matmul.added import AddedProduct
from archcost.layers.matmul.product import Product
from archcost.layers.reduction.folding import Folding
from archcost.layers.symbols import AXES
from archcost.testing import by_hand
from tests.layers import every_row
from tests.layers.rows import Row

ROWS = every_row()
HERE = Path(__file__).parent

each_row = pytest.mark.parametrize("row", ROWS, ids=str)


@each_row
def test_output_shapes(row: Row) -> None:
    by_hand.shapes(row)


@each_row
def test_output_dtypes(row: Row) -> None:
    """A layer keeps its input's dtype, or the row says otherwise; a pool's second output are indices."""
    if row.dtypes or not ({"embedding", "parameter"} & {row.layer.type} or "pool" in row.layer.type):
        by_hand.dtypes(row)
        return
    first, *others = row.output_types
    assert first.dtype == ("float32" if row.layer.type in ("embedding", "parameter") else row.input_types[0].dtype)
    assert {tensor.dtype for tensor in others} <= {"int64" if "pool" in row.layer.type else first.dtype}


@each_row
def test_weights(row: Row) -> None:
    by_hand.weights(row)


@each_row
def test_forward(row: Row) -> None:
    by_hand.forward(row)


@each_row
def test_backward(row: Row) -> None:
    """A contraction costs 2 FLOPs a MAC again for each operand."""
    by_hand.back(row)


@each_row
def test_no_gradient_of_what_is_not_there(row: Row) -> None:
    """Work lists only operands that the layer has, so no gradient is paid under a misspelt name."""
    by_hand.operands(row)


@each_row
def test_working(row: Row) -> None:
    """What `explain` shows comes to the number it explains, and no number with a formula goes unexplained."""
    steps = {step.quantity: step.result for step in row.layer.working(row.input_types, row.output_types)}
    sizes = dict(zip(AXES.get(len(row.outputs[0]) - 2, ()), row.outputs[0][2:], strict=False))
    known = {f"output {axis}": size for axis, size in sizes.items()}
    known |= {f"output axis {axis}": size for axis, size in enumerate(row.outputs[0])}
    known |= {"parameters": row.parameters, "MACs": row.macs}
    assert steps == {quantity: known[quantity] for quantity in steps}
    assert {quantity for quantity in ("parameters", "MACs") if known[quantity]} <= steps.keys()


# Their output is the input's values in another order, or fewer axes of them: there is nothing to work out.
NOTHING_TO_WORK_OUT = {
    *("permute", "reshape", "unflatten", "split", "linear", "bilinear", "integer_matmul"),
    *("transpose", "squeeze", "unsqueeze", "select", "expand", "stack", "view", "chunk", "unbind"),
    *("gather", "index_select", "index", "grid_sample", "function", "masked_fill", "where"),
    *("view_as_complex", "view_as_real", "complex", "solve", "solve_triangular"),
}
"""Types whose fields, or whose inputs, are the sizes of what comes out."""
OF_THEIR_INPUTS = (Joining, Folding, Predicate, Product, AddedProduct)
"""Families whose results have the sizes of their inputs: stretched, without folded axes, rows by columns."""
LOSSES = {type_ for type_, place in index().items() if place.module.startswith("loss.")}


@each_row
def test_a_new_size_has_its_working(row: Row) -> None:
    known = [(), *(tensor.shape for tensor in row.input_types[:1])]
    if row.layer.type in NOTHING_TO_WORK_OUT | LOSSES or isinstance(row.layer, OF_THEIR_INPUTS):
        return
    if row.outputs[0] in known:
        return
    assert any(step.quantity.startswith("output") for step in row.layer.working(row.input_types, row.output_types))


def test_working_uses_only_letters_it_gives() -> None:
    from archcost.terms.expressions import names

    for row in ROWS:
        for step in row.layer.working(row.input_types, row.output_types):
            assert names(step.formula) <= step.values.keys(), row


ARITHMETIC = re.compile(r"\b(?:parameters|buffers|macs|forward|backward_\w+)=(\d+),(?:  # ([\d*+\-/() ]+))?")


@pytest.mark.parametrize("file", sorted(HERE.glob("*_cases.py")), ids=lambda file: file.stem)
def test_comments_come_to_their_number(file: Path) -> None:
    """The hand arithmetic beside each number is right, and is there."""
    for number, (value, comment) in enumerate(ARITHMETIC.findall(file.read_text())):
        assert comment.strip(), f"number {number} of {file.name}, {value}, has no arithmetic"
        assert eval(comment) == int(value), f"{comment} is not {value}"


def test_rows_are_different() -> None:
    names = [str(row) for row in ROWS]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("type_", sorted(LAYERS))
def test_every_type_is_complete(type_: str) -> None:
    layer = LAYERS[type_]
    assert any(row.layer.type == type_ for row in ROWS), "has no row"
    assert layer.prefix, "has no prefix for automatic names"
    family = next((base for base in layer.__mro__ if base.__dict__.get("__doc__")), None)
    assert family is not None
    assert family.__module__ != "archcost.layers.base", "has no docstring, and its family neither"
    assert inspect.getdoc(layer)
    assert layer_type(type_).examples, "has no example: make docs"
