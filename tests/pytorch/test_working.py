"""What the rules say lives while a layer runs and what its backward hands on, beside a tracker of torch's tensors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations, product
from typing import NamedTuple

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
    Parameter,
    Reshape,
    ScaledDotProductAttention,
)
from archcost.layers.binary.pair_function import Joining
from archcost.layers.comparison import Choice
from archcost.layers.convolution.conv import Convolution, Kernel
from archcost.layers.rules import Call
from archcost.layers.shape.copy import WEIGHTS
from archcost.passes.storages import ask
from archcost.tensors import TensorType
from archcost.terms.autograd import Gradient, Handed, Own, Setting
from archcost.terms.memory_format import is_row_major, laid
from archcost.work import Operand
from tests.layers.keeping_variants import SHAPE, variant
from tests.layers.rows import Row
from tests.pytorch.test_saved import NO_KERNEL, ORDERS, ROWS, given, in_dtype, module_of, refused, refuses
from tests.pytorch.working import Given, Worked, work

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
    types = row.input_types
    outputs = row.layer.output_types(types)
    inputs = [given(tensor, order, index in needs) for index, tensor in enumerate(types)]
    layouts = tuple(laid(tuple(tensor.shape), tensor.stride()) for tensor in inputs)
    setting = Setting(needs, training, "cpu", layouts)
    worked = work(module_of(row, training, needs, dtype), inputs, needs)
    aliases = ask(row.layer, Call(types, outputs, setting)).aliases
    allocated = ask(row.layer, Call(types, outputs, setting)).allocated
    new = sum(tensor.nbytes for tensor, alias in zip(allocated, aliases, strict=True) if alias is None)
    new += nbytes([kept for kept in ask(row.layer, Call(types, outputs, setting)).saved if isinstance(kept, Own)])
    scratch = ask(row.layer, Call(types, outputs, setting)).passing.scratch
    watched = watched_only(row, setting)
    assert worked.end == new, setting
    assert worked.peak == new + max(nbytes(scratch.forward), watched.forward), setting
    if needs:
        check_gradients(row, worked, setting)
        peak_backward = made(worked) + max(nbytes(scratch.backward), watched.backward)
        if "composed" in row.layer.quirks and not scratch.backward:
            # Some of what was kept may be gone before the last gradient is made; the rules hold it until the end.
            assert worked.peak_backward <= peak_backward, setting
        else:
            assert worked.peak_backward == peak_backward, setting


def check_gradients(row: Row, worked: Worked, setting: Setting) -> None:
    """An input's as its rule says; a weight's is one new tensor of its size."""
    outputs = row.layer.output_types(row.input_types)
    gradients = ask(row.layer, Call(row.input_types, outputs, setting)).passing.gradients
    dtype = next((tensor.dtype for tensor in row.input_types if tensor.is_floating), "float32")
    sizes = {weight.name: TensorType(weight.shape, dtype).nbytes for weight in row.layer.weights(row.input_types)}
    for operand, gradient in worked.given.items():
        if isinstance(row.layer, Parameter):
            assert gradient.arrived == 0  # the weight is the output
        elif isinstance(operand, str):
            assert (gradient.arrived, gradient.nbytes) == (None, sizes[operand]), setting
        else:
            assert told(gradients[operand]) == seen(gradient), setting
        if gradient.arrived is None:
            check_view(row, operand, setting, gradient.is_view)


def check_view(row: Row, operand: Operand, setting: Setting, is_view: bool) -> None:
    """Where something may be added to the gradient: of an input that several read, of a weight that several use."""
    layer = row.layer
    if isinstance(operand, int) and (operand == 0 or isinstance(layer, OF_SEVERAL)):
        call = Call(row.input_types, layer.output_types(row.input_types), setting)
        assert is_view == ask(layer, call).passing.viewed[operand], setting
    if operand == "weight" and isinstance(layer, (Kernel, Linear)):
        assert is_view == ("weight gradient is view" in layer.quirks)


def told(gradient: Gradient) -> tuple[int | None, bool | int]:
    assert gradient is not None
    return (gradient.output, gradient.is_view) if isinstance(gradient, Handed) else (None, gradient.nbytes)


def seen(gradient: Given) -> tuple[int | None, bool | int]:
    """Whether it is a view counts only for one that arrived."""
    return (gradient.arrived, gradient.nbytes if gradient.arrived is None else gradient.is_view)


def made(worked: Worked) -> int:
    """Bytes of the gradients that did not arrive, each storage once."""
    return sum({given.key: given.nbytes for given in worked.given.values() if given.arrived is None}.values())


OF_SEVERAL = (MatMul, Bmm, Einsum, ScaledDotProductAttention, Joining, Choice)
"""Layers of several inputs whose rules tell the gradients of each apart."""


class Watched(NamedTuple):
    forward: int = 0
    backward: int = 0


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


def nbytes(tensors: Sequence[Own]) -> int:
    return sum(own.tensor.nbytes for own in tensors)


NOT_MODELLED = {"rnn", "gru", "lstm", "prod"}
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
        if refuses(row, types):
            continue
        converted = Row(row.layer, types, row.outputs)
        for needs in (frozenset[Operand](), list(wanted(converted))[-1]):
            try:
                check(converted, needs, True, "row-major", getattr(torch, dtype))
            except NotImplementedError:
                assert row.layer.type in NO_KERNEL
                assert dtype == "bfloat16"


def wanted(row: Row) -> Iterator[frozenset[Operand]]:
    """Every choice of operands; none of a layer through which nothing flows back."""
    outputs = row.layer.output_types(row.input_types)
    if not any(tensor.is_floating for tensor in outputs):
        yield frozenset()
        return
    gradients = ask(row.layer, Call(row.input_types, outputs, Setting(frozenset()))).passing.gradients
    operands: list[Operand] = [
        index for index, tensor in enumerate(row.input_types) if tensor.is_floating and gradients[index] is not None
    ]
    if getattr(row.layer, "trainable", True):  # nobody trains quantised weights
        operands += [weight.name for weight in row.layer.weights(row.input_types) if not weight.is_buffer]
    for count in range(len(operands) + 1):
        yield from map(frozenset, combinations(operands, count))


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
