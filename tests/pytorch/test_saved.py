"""What the rules say is kept for backward, beside what torch saves: the same storages, and extra bytes to the byte."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import pytest
import torch
from torch import Tensor, nn

from archcost.errors import ShapeError
from archcost.graph import Port
from archcost.layers.convolution.conv import Kernel
from archcost.layers.rules import Call
from archcost.passes.storages import ask
from archcost.pytorch.layers import FACTORIES
from archcost.pytorch.network import as_tuple
from archcost.pytorch.saved import NetworkSaved, watch
from archcost.tensors import TensorType
from archcost.terms.autograd import Input, Output, Own, Setting, Stored
from archcost.terms.memory_format import Layout, Strides, laid, strides_of
from archcost.work import Operand
from tests.layers import every_built_row
from tests.layers.keeping_variants import VARIANTS
from tests.layers.rows import Row, Shape

ROWS = (*every_built_row(), *VARIANTS)


def given(tensor: TensorType, order: str, needs: bool) -> Tensor:
    """Values in a storage of their own, that no leaf owns: a leaf may not be overwritten in place."""
    dtype = getattr(torch, tensor.dtype)
    if not tensor.is_floating:
        return torch.zeros(tensor.shape, dtype=dtype)
    rank = tensor.rank
    values = torch.rand(tensor.shape, dtype=dtype)
    if order == "permuted" and rank > 2:
        values = values.transpose(1, -1).contiguous().transpose(1, -1)
    if order == "channels last" and rank > 2:
        values = values.movedim(1, -1).contiguous().movedim(-1, 1)
    if order == "piece" and rank > 1:
        values = torch.cat([values, values], dim=1)
    held = values.requires_grad_(needs).clone()
    return held[:, : tensor.shape[1]] if order == "piece" and rank > 1 else held


ORDERS = ("row-major", "piece", "permuted", "channels last")


def needed(row: Row) -> Iterator[frozenset[Operand]]:
    """All, inputs alone, weights alone, each alone, none."""
    floats = [index for index, tensor in enumerate(row.input_types) if tensor.is_floating]
    inputs = frozenset[Operand](index for index in floats if index not in row.layer.untouched)
    weights = frozenset[Operand](w.name for w in row.layer.weights(row.input_types) if not w.is_buffer)
    yield from dict.fromkeys(
        [
            inputs | weights,
            inputs,
            weights,
            *(frozenset((one,)) for one in sorted(inputs | weights, key=str)),
            frozenset(),
        ]
    )


def module_of(row: Row, training: bool, needs: frozenset[Operand], dtype: torch.dtype = torch.float32) -> nn.Module:
    torch.manual_seed(0)
    inputs = tuple(given(tensor, "row-major", False) for tensor in row.input_types)
    module = FACTORIES[row.layer.type](row.layer, inputs).to(dtype).train(training)
    for name, parameter in module.named_parameters():
        parameter.requires_grad_(parameter.is_floating_point() and name in needs)
    return module


def measure(row: Row, setting: Setting, order: str, dtype: torch.dtype = torch.float32) -> tuple[NetworkSaved, Setting]:
    """What torch keeps, and the setting with the layouts that the inputs really had."""
    inputs = [given(t, order, index in setting.needs) for index, t in enumerate(row.input_types)]
    layouts: tuple[Layout, ...] = tuple(laid(tuple(tensor.shape), tensor.stride()) for tensor in inputs)
    measured = watch(module_of(row, setting.training, setting.needs, dtype), inputs)
    return measured, Setting(setting.needs, setting.training, "cpu", layouts)


def compare(row: Row, measured: NetworkSaved, setting: Setting) -> None:
    outputs = row.layer.output_types(row.input_types)
    names: set[str] = set()
    own: list[int] = []
    answers = ask(row.layer, Call(row.input_types, outputs, setting))
    for reference in answers.saved:
        match reference:
            case Input(index):
                names.add(measured.places[str(index)])
            case Output(index):
                names.add(measured.places[str(Port("layer", index))])
            case Stored(name):
                names.add(f"layer.{name}")
            case Own(_, tensor):
                own.append(tensor.nbytes)
    if setting.needs:  # attributes of `ctx`, which no hook sees
        names -= {measured.places[str(index)] for index in answers.passing.outlives}
    layer = measured.layers["layer"]
    assert set(layer.shared) == names, setting
    assert layer.own == tuple(sorted(own)), setting


def told(shape: Shape, strides: Strides) -> tuple[int | None, ...]:
    """Strides of axes with more than one value; the others mean nothing."""
    return tuple(stride if size > 1 else None for size, stride in zip(shape, strides, strict=True))


def refused(row: Row, order: str) -> bool:
    """Torch's local response norm takes a view of images of three axes and more."""
    if row.layer.type == "view_as_complex":  # whose pairs lie side by side
        return order not in ("row-major", "piece") and len(row.input_types[0].shape) > 2
    return row.layer.type == "local_response_norm" and len(row.input_types[0].shape) > 4 and order != "row-major"


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_rows(row: Row) -> None:
    """Training and evaluation, each operand needing its gradient or not, values in every order."""
    outputs = row.layer.output_types(row.input_types)
    for training, needs, order in product((True, False), needed(row), ORDERS):
        if refused(row, order):
            continue
        measured, setting = measure(row, Setting(needs, training), order)
        compare(row, measured, setting)
        ports = [str(Port("layer", index)) for index in range(len(outputs))]
        aliases = ask(row.layer, Call(row.input_types, outputs, setting)).aliases
        wanted = [
            port if alias is None else f"layer.{alias}" if isinstance(alias, str) else measured.places[str(alias)]
            for port, alias in zip(ports, aliases, strict=True)
        ]
        assert [measured.places[port] for port in ports] == wanted, setting
        layouts = ask(row.layer, Call(row.input_types, outputs, setting)).layouts
        for tensor, layout, port in zip(outputs, layouts, ports, strict=True):
            assert told(tensor.shape, strides_of(tensor.shape, layout)) == told(tensor.shape, measured.strides[port])


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_which_outputs_are_views(row: Row) -> None:
    """Of inputs that are none themselves, all operands needing their gradients."""
    needs, outputs = next(needed(row)), row.layer.output_types(row.input_types)
    for training, order in product((True, False), ORDERS):
        if not needs or refused(row, order):
            continue
        inputs = [given(tensor, order, index in needs) for index, tensor in enumerate(row.input_types)]
        layouts = tuple([laid(tuple(tensor.shape), tensor.stride()) for tensor in inputs])
        if inputs and inputs[0]._is_view():
            continue
        result = as_tuple(module_of(row, training, needs)(*inputs))[0]
        if result.requires_grad:
            assert ask(row.layer, Call(row.input_types, outputs, Setting(needs, training, "cpu", layouts))).is_view is (
                result._is_view()
            ), (order, training)


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


NO_KERNEL = {"avg_pool3d", "cdist", "local_response_norm", "upsample"}
"""Types that torch's CPU has no kernel of 16 bits for, or not for each option: images are averaged over channels by a
pool of three axes, and antialiasing and distances pair by pair are of float32 and float64 alone.
"""


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float64"])
def test_other_dtypes(dtype: str) -> None:
    """Statistics and copies have the dtype of what arrives, but for the root mean square, worked out in float32."""
    missing: set[str] = set()
    for row in ROWS:
        floats = [tensor for tensor in row.input_types if tensor.is_floating]
        if not floats or row.layer.type == "lstm":  # its workspace was measured in float32 alone
            continue
        types = in_dtype(row, dtype)
        if refuses(row, types):
            continue
        converted = Row(row.layer, types, row.outputs)
        for training, needs in product((True, False), needed(row)):
            try:
                measured, setting = measure(converted, Setting(needs, training), "row-major", getattr(torch, dtype))
            except NotImplementedError:
                missing.add(row.layer.type)
                continue
            compare(converted, measured, setting)
    assert missing == (set() if dtype == "float64" else NO_KERNEL)
