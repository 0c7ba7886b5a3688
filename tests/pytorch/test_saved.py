"""What the rules say is kept for backward, beside what torch saves: the same storages, and extra bytes to the byte."""

from __future__ import annotations

from itertools import product

import pytest
import torch

from archcost.errors import ShapeError
from archcost.layers.convolution.conv import Kernel
from archcost.layers.rules import Call
from archcost.passes.storages import ask
from archcost.tensors import TensorType
from archcost.terms.autograd import Setting
from archcost.terms.memory_format import laid
from archcost.testing.built import ORDERS, given, module_of, needed
from archcost.testing.kept import check, check_views, compare, measure
from tests.layers import every_built_row
from tests.layers.keeping_variants import VARIANTS
from tests.layers.rows import Row

UNSEEN = "linear_cross_entropy(out_features=11,reduction=sum)"
"""An operator that is registered as one keeps attributes of `ctx`, and neither hook nor tracker sees what it makes
within: tests/pytorch/test_linear_cross_entropy.py has it."""

ROWS = tuple([row for row in (*every_built_row(), *VARIANTS) if not str(row).startswith(UNSEEN)])


def refused(row: Row, order: str) -> bool:
    """Torch's local response norm takes a view of images of three axes and more."""
    if row.layer.type == "view_as_complex":  # whose pairs lie side by side
        return order not in ("row-major", "piece") and len(row.input_types[0].shape) > 2
    return row.layer.type == "local_response_norm" and len(row.input_types[0].shape) > 4 and order != "row-major"


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_rows(row: Row) -> None:
    """Training and evaluation, each operand needing its gradient or not, values in every order."""
    check(row, refused)


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_which_outputs_are_views(row: Row) -> None:
    """Of inputs that are none themselves, all operands needing their gradients."""
    check_views(row, refused)


@pytest.mark.parametrize("row", [row for row in ROWS if isinstance(row.layer, Kernel) and row.layer.trainable], ids=str)
def test_in_which_order_weight_gradients_lie(row: Row) -> None:
    """One that does not lie as the weight does is copied by autograd."""
    needs, outputs = next(needed(row)), row.layer.output_types(row.input_types)
    for order in ORDERS:
        inputs = [given(tensor, order, index in needs) for index, tensor in enumerate(row.input_types)]
        layouts = tuple([laid(tuple(tensor.shape), tensor.stride()) for tensor in inputs])
        module = module_of(row, True, needs)
        weight = dict(module.named_parameters())["weight"]
        result = module(*inputs)
        (gradient,) = torch.autograd.grad(result, weight, torch.rand_like(result))
        turned = ask(row.layer, Call(row.input_types, outputs, Setting(needs, layouts=layouts))).passing.turned
        assert turned is not gradient.is_contiguous(), order


def in_dtype(row: Row, dtype: str) -> tuple[TensorType, ...]:
    """The inputs in that dtype; complex numbers in complex64 but for float64, as torch computes with none of less."""
    dtypes = {"complex64": "complex128" if dtype == "float64" else "complex64"}
    return tuple([TensorType(t.shape, dtype if t.is_real else dtypes.get(t.dtype, t.dtype)) for t in row.input_types])


def refuses(row: Row, dtypes: tuple[TensorType, ...]) -> bool:
    """Whether the layer refuses inputs of these dtypes, as torch then does, too."""
    try:
        row.layer.output_types(dtypes)
    except ShapeError:
        with pytest.raises(RuntimeError):
            module_of(row, False, frozenset())(*[given(tensor, "row-major", False) for tensor in dtypes])
        return True
    return False


NO_KERNEL = {
    *("avg_pool3d", "cdist", "erfcx", "local_response_norm", "log_ndtr", "ndtri", "upsample"),
    *("ctc", "multi_margin", "multilabel_margin"),
}
"""Types that torch's CPU has no kernel of 16 bits for, or not for each option: images are averaged over channels by a
pool of three axes, and antialiasing and distances pair by pair are of float32 and float64 alone.
"""


HALF_ON_A_GPU = {"rfft"}
"""Types that take float16 there alone."""


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float64"])
def test_other_dtypes(dtype: str) -> None:
    """Statistics and copies have the dtype of what arrives, but for the root mean square, worked out in float32."""
    missing: set[str] = set()
    for row in ROWS:
        floats = [tensor for tensor in row.input_types if tensor.is_floating]
        if not floats or row.layer.type == "lstm":  # its workspace was measured in float32 alone
            continue
        types = in_dtype(row, dtype)
        if refuses(row, types) or (row.layer.type in HALF_ON_A_GPU and dtype == "float16"):
            continue
        converted = Row(row.layer, types, row.outputs)
        for training, needs in product((True, False), needed(row)):
            try:
                measured, setting = measure(converted, Setting(needs, training), "row-major", getattr(torch, dtype))
            except NotImplementedError:
                missing.add(row.layer.type)
                continue
            compare(converted, measured, setting)
    assert missing - {"rrelu"} == (set() if dtype == "float64" else NO_KERNEL)  # which has one of bfloat16
