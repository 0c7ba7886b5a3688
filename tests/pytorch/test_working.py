"""What the rules say lives while a layer runs and what its backward hands on, beside a tracker of torch's tensors."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import pytest

from archcost.keeping import Handed, Own, Setting
from archcost.layouts import laid
from archcost.tensors import TensorType
from archcost.work import Operand
from tests.layers.rows import Row
from tests.pytorch.test_saved import ORDERS, ROWS, given, module_of, needed, refused
from tests.pytorch.working import Given, Worked, work


def check(row: Row, needs: frozenset[Operand], training: bool, order: str) -> None:
    """Every byte of forward and backward, and every gradient, of one pass."""
    types = row.input_types
    outputs = row.layer.output_types(types)
    inputs = [given(tensor, order, index in needs) for index, tensor in enumerate(types)]
    layouts = tuple(laid(tuple(tensor.shape), tensor.stride()) for tensor in inputs)
    setting = Setting(needs, training, "cpu", layouts)
    worked = work(module_of(row, training, needs), inputs, needs)
    aliases = row.layer.aliases(types, outputs, setting)
    new = sum(tensor.nbytes for tensor, alias in zip(outputs, aliases, strict=True) if alias is None)
    new += nbytes([kept for kept in row.layer.saved(types, outputs, setting) if isinstance(kept, Own)])
    scratch = row.layer.scratch(types, outputs, setting)
    assert worked.end == new, setting
    assert worked.peak == new + nbytes(scratch.forward), setting
    if needs:
        check_gradients(row, worked, setting)
        assert worked.peak_backward == made(worked) + nbytes(scratch.backward), setting


def check_gradients(row: Row, worked: Worked, setting: Setting) -> None:
    """An input's as its rule says; a weight's is one new tensor of its size."""
    gradients = row.layer.gradients(row.input_types, row.layer.output_types(row.input_types), setting)
    sizes = {weight.name: weight.numel * 4 for weight in row.layer.weights(row.input_types)}
    for operand, gradient in worked.given.items():
        if isinstance(operand, str):
            assert (gradient.arrived, gradient.nbytes) == (None, sizes[operand]), setting
        else:
            assert told(gradients[operand]) == seen(gradient), setting


def told(gradient: Handed | TensorType) -> tuple[int | None, bool, int | None]:
    if isinstance(gradient, Handed):
        return (gradient.output, gradient.whole, None)
    return (None, True, gradient.nbytes)


def seen(gradient: Given) -> tuple[int | None, bool, int | None]:
    if gradient.arrived is not None:
        return (gradient.arrived, gradient.whole, None)
    return (None, gradient.whole, gradient.nbytes)


def made(worked: Worked) -> int:
    """Bytes of the gradients that did not arrive, each storage once."""
    return sum({given.key: given.nbytes for given in worked.given.values() if given.arrived is None}.values())


def nbytes(tensors: Sequence[Own]) -> int:
    return sum(own.tensor.nbytes for own in tensors)


PASSING_ON = {"identity", "flatten", "unflatten", "reshape", "permute", "dropout", "add", "concat", "split"}


@pytest.mark.parametrize("row", [row for row in ROWS if row.layer.type in PASSING_ON], ids=str)
def test_rows(row: Row) -> None:
    """Training and evaluation, each operand needing its gradient or not, values in every order."""
    for training, needs, order in product((True, False), needed(row), ORDERS):
        if not refused(row, order) and not overwrites_a_view(row, order):
            check(row, needs, training, order)


def overwrites_a_view(row: Row, order: str) -> bool:
    """Backward then copies the gradient of the whole that the view is of: no layer knows of it."""
    return order == "piece" and bool(getattr(row.layer, "inplace", False))
