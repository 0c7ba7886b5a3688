"""The rules of what is kept, as far as no CPU can witness them: on CUDA, which is not measured here; and their form."""

from __future__ import annotations

import pytest

from archcost.keeping import INPUT, Own, Setting, Stored
from archcost.layers import LAYERS, BatchNorm2d, Dropout, GroupNorm, Layer, LayerNorm, RMSNorm
from archcost.layouts import channels_last
from archcost.tensors import TensorType
from tests.layers import every_row
from tests.layers.keeping_variants import VARIANTS
from tests.layers.rows import Row

HALF = TensorType((2, 6, 5, 7), "bfloat16")


def on_cuda(layer: Layer, tensor: TensorType = HALF) -> list[object]:
    needs = frozenset({0, *(weight.name for weight in layer.weights((tensor,)) if not weight.is_buffer)})
    return list(layer.saves((tensor,), (tensor,), Setting(needs, device="cuda")))


def test_dropout_keeps_a_byte_a_value_unless_in_place() -> None:
    """native_dropout makes a mask of bool; dropout_ multiplies by noise as on the CPU (aten native/Dropout.cpp)."""
    assert on_cuda(Dropout()) == [Own("mask", TensorType(HALF.shape, "bool"))]
    assert on_cuda(Dropout(inplace=True)) == [Own("mask", HALF)]
    assert on_cuda(Dropout(p=1.0)) == [Own("zero", TensorType((), "bfloat16"))]


def test_statistics_of_half_precision_are_float32() -> None:
    """Their kernels accumulate in at::acc_type (aten native/cuda: layer_norm, group_norm and Normalization)."""
    channels, groups, rows = (TensorType(shape, "float32") for shape in ((6,), (2, 3), (2, 6, 5)))
    assert on_cuda(BatchNorm2d())[-2:] == [Own("mean", channels), Own("1/deviation", channels)]
    assert on_cuda(GroupNorm(num_groups=3))[-2:] == [Own("mean", groups), Own("1/deviation", groups)]
    assert on_cuda(LayerNorm())[-2:] == [Own("mean", rows), Own("1/deviation", rows)]


def test_rms_norm_is_one_kernel() -> None:
    """_fused_rms_norm keeps the input and 1/root, where the CPU keeps what it is composed of."""
    assert on_cuda(RMSNorm()) == [INPUT, Stored("weight"), Own("1/root", TensorType((2, 6, 5), "float32"))]


def test_group_norm_copies_channels_last() -> None:
    """Only the CPU's kernel takes them as they are (at::group_norm, aten native/group_norm.cpp)."""
    setting = Setting(frozenset({0}), device="cuda", layouts=(channels_last(HALF.shape),))
    layer = GroupNorm(num_groups=3, affine=False)
    assert layer.saves((HALF,), (HALF,), setting)[0] == Own("row-major input", HALF)


@pytest.mark.parametrize("row", [*every_row(), *VARIANTS], ids=str)
def test_nothing_is_kept_for_nobody(row: Row) -> None:
    outputs = row.layer.output_types(row.input_types)
    assert row.layer.saves(row.input_types, outputs, Setting(frozenset())) == ()


@pytest.mark.parametrize("type_", sorted(LAYERS))
def test_every_type_says_what_it_keeps(type_: str) -> None:
    assert LAYERS[type_].keeps is not Layer.keeps
