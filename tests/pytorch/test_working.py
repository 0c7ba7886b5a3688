"""What the rules say lives while a layer runs and what its backward hands on, beside a tracker of torch's tensors."""

from __future__ import annotations

from itertools import product

import pytest
import torch

from archcost.layers import (
    Add,
    Bmm,
    Conv2d,
    CrossEntropy,
    Einsum,
    Flatten,
    InstanceNorm2d,
    Linear,
    LocalResponseNorm,
    MatMul,
    MaxPool1d,
    Mul,
    Pad,
    Reshape,
    ScaledDotProductAttention,
)
from archcost.layers.binary.pair_function import Joining
from archcost.layers.comparison import Choice
from archcost.layers.convolution.conv import Convolution, Kernel
from archcost.layers.quantization.frozen import Linear4bit
from archcost.layers.rules import Call
from archcost.layers.shape.copy import WEIGHTS
from archcost.tensors import TensorType
from archcost.terms.autograd import Setting
from archcost.terms.memory_format import is_row_major
from archcost.testing import temporaries
from archcost.testing.built import ORDERS, wanted
from archcost.testing.temporaries import Watched, nbytes
from archcost.work import Operand
from tests.layers.keeping_variants import SHAPE, variant
from tests.layers.rows import Row
from tests.pytorch.test_saved import NO_KERNEL, ROWS, in_dtype, refused, refuses

MORE = (
    variant(Add(), (2, 3, 1, 1), SHAPE, (2, 1, 5, 1), SHAPE),
    variant(Add(), (1, 7), (7,)),
    variant(Mul(), (2, 3, 1, 1), (2, 1, 5, 7)),
    variant(Mul(), (2, 1, 5, 7), (2, 3, 1, 1)),
    variant(CrossEntropy(), (2, 7, 5), TensorType((2, 5), "int64")),
    variant(CrossEntropy(), (2, 7, 5, 3, 2), TensorType((2, 5, 3, 2), "int64")),
    variant(InstanceNorm2d(affine=True, track_running_stats=True)),
    variant(LocalResponseNorm(size=11), (2, 1, 5)),
    variant(Linear(out_features=11), (2, 3, 5, 2, 7)),
    variant(Linear(out_features=11, bias=False), (2, 3, 5, 2, 7)),
    variant(Flatten(start_dim=2), (2, 3, 5)),
    variant(Reshape(shape=(3, 5)), (2, 3, 5)),
    variant(Pad(pad=(0, 0, 0, 0), mode="circular")),
    variant(Pad(pad=(1, 0, 0, 0), mode="circular"), (2, 3, 2, 11)),
    variant(Pad(pad=(2, 2, 3, 3), mode="circular"), (2, 3, 3, 2)),
    variant(Conv2d(out_channels=2, kernel_size=3, padding=2, padding_mode="circular"), (2, 7, 3, 2)),
)
"""Beside the rows: what matters here alone."""


def check(row: Row, needs: frozenset[Operand], training: bool, order: str, dtype: torch.dtype = torch.float32) -> None:
    """Every byte of forward and backward, and every gradient, of one pass."""
    temporaries.check(row, needs, training, order, dtype, watched_only, tells_views)


def tells_views(row: Row, operand: Operand) -> bool:
    """Where something may be added to the gradient: of an input that several read, of a weight that several use."""
    layer = row.layer
    if isinstance(operand, int):
        return operand == 0 or isinstance(layer, OF_SEVERAL)
    return operand == "weight" and isinstance(layer, (Kernel, Linear))


OF_SEVERAL = (MatMul, Bmm, Einsum, ScaledDotProductAttention, Joining, Choice)
"""Layers of several inputs whose rules tell the gradients of each apart."""


def watched_only(row: Row, setting: Setting) -> Watched:
    """What layers make beside the rules only because a dispatch mode is on: torch asks for it (`isTensorSubclassLike`).

    The bias of a linear layer is then not added in place (aten/src/ATen/native/Linear.cpp), a maximum over one axis
    finds indices for nobody (Pooling.cpp), and gradients are summed out of place (input_buffer.cpp): those of what was
    written and of what it was copied from, in circular padding.
    """
    if not row.inputs:
        return Watched()
    layer, (source, *_) = row.layer, row.input_types
    (output, *_) = layer.output_types(row.input_types)
    if more := layer.watched(Call(row.input_types, layer.output_types(row.input_types), setting)):
        return Watched(backward=nbytes(more))
    if (
        isinstance(layer, Linear)
        and layer.bias
        and source.rank > 2
        and not is_row_major(source.shape, setting.layout(0))
    ):
        return Watched(forward=output.nbytes)
    is_flat = source.rank < 3 or is_row_major(source.shape, setting.layout(0))
    if isinstance(layer, Linear4bit) and layer.bias and not is_flat:
        scales = layer.blocks(source.shape[-1]) * 4 if layer.double_quant else 0
        return Watched(forward=layer.matrix(source.shape[-1], output.dtype).nbytes + scales + output.nbytes)
    if isinstance(layer, MaxPool1d) and not layer.return_indices and not setting.needs:
        return Watched(forward=output.numel * 8)
    if isinstance(layer, Pad) and layer.mode == "circular" and any(layer.pad):
        return Watched(backward=2 * output.nbytes - source.nbytes)
    if isinstance(layer, Convolution) and layer.padding_mode == "circular" and 0 in setting.needs:
        sizes = (size + sum(pads) for size, pads in zip(source.shape[2:], layer.paddings(), strict=True))
        padded = TensorType((*source.shape[:2], *sizes), source.dtype)
        return Watched(backward=2 * padded.nbytes - output.nbytes - source.nbytes)
    if "puts gradient back" in layer.quirks:
        return Watched(backward=source.nbytes)
    return Watched()


NOT_MODELLED = {"rnn", "gru", "lstm", "prod", "cumprod"}
"""Recurrent layers, which torch composes of hundreds of operators (their peaks are held in tests/importers); and
a product, whose backward goes another way while a mode is on.
"""

WORKING = [row for row in (*ROWS, *MORE) if row.layer.type not in NOT_MODELLED]


@pytest.mark.parametrize("row", WORKING, ids=str)
def test_rows(row: Row) -> None:
    """Training and evaluation, each operand needing its gradient or not, values in every order."""
    for training, needs, order in product((True, False), wanted(row), ORDERS):
        left_out = refused(row, order) or overwrites_a_view(row, order) or crashes(row, order, needs)
        if not left_out and not chosen_by_kernel(row, needs) and not copies_for_trained(row, needs, training):
            check(row, needs, training, order)


@pytest.mark.parametrize("dtype", ["bfloat16", "float64"])
def test_other_dtypes(dtype: str) -> None:
    """With every gradient and with none. Torch's CPU has no kernel of 16 bits for some."""
    for row in WORKING:
        if not any(tensor.is_floating for tensor in row.input_types):
            continue  # nothing arrives whose dtype the layer would take over
        if getattr(row.layer, "dtype", None) == WEIGHTS:
            continue  # which takes over that of the weights
        types = in_dtype(row, dtype)
        complex_numbers = [tensor for tensor in types if tensor.dtype.startswith("complex")]
        if refuses(row, types) or complex_numbers or row.layer.type == "complex_scale":
            continue  # a complex number stays as wide as it was, and decides for the others
        converted = Row(row.layer, types, row.outputs)
        for needs in (frozenset[Operand](), list(wanted(converted))[-1]):
            try:
                check(converted, needs, True, "row-major", getattr(torch, dtype))
            except NotImplementedError:
                assert row.layer.type in NO_KERNEL
                assert dtype == "bfloat16"


def chosen_by_kernel(row: Row, needs: frozenset[Operand]) -> bool:
    """A bias trained beside a frozen weight: some of the CPU's kernels work out the weight's gradient all the same."""
    return isinstance(row.layer, Kernel) and "bias" in needs and "weight" not in needs


def copies_for_trained(row: Row, needs: frozenset[Operand], training: bool) -> bool:
    """In inference a linear layer is taken for one whose weight wants a gradient, under `no_grad`; here it does not."""
    return row.layer.type == "linear" and not needs and not training


def crashes(row: Row, order: str, needs: frozenset[Operand]) -> bool:
    """Torch 2.13's CPU kernel of group norms writes the input's gradient, wanted or not, where channels come last. That
    of the likelihood of images refuses those that do not lie row by row.
    """
    if row.layer.type == "nll" and len(row.outputs[0]) == 3:
        return order in ("permuted", "channels last")
    return row.layer.type == "group_norm" and order == "channels last" and bool(needs) and 0 not in needs


def overwrites_a_view(row: Row, order: str) -> bool:
    """Backward then copies the gradient of the whole that the view is of: no layer knows of it."""
    return order == "piece" and row.layer.overwrites(Setting(frozenset()))
