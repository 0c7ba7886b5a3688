"""The rules of what is kept, as far as no CPU can witness them: on CUDA, which is not measured here; and their form."""

from __future__ import annotations

from math import prod

import pytest

from archcost.layers import (
    LAYERS,
    BatchNorm2d,
    Dropout,
    GroupNorm,
    Layer,
    LayerNorm,
    RMSNorm,
    ScaledDotProductAttention,
)
from archcost.layers.rules import Call
from archcost.passes.storages import ask
from archcost.tensors import TensorType
from archcost.terms.autograd import INPUT, Own, Setting, Stored
from archcost.terms.memory_format import Shape, Strides, channels_last
from tests.layers import every_row
from tests.layers.keeping_variants import VARIANTS
from tests.layers.rows import Row

HALF = TensorType((2, 6, 5, 7), "bfloat16")


def on_cuda(layer: Layer, tensor: TensorType = HALF) -> list[object]:
    needs = frozenset({0, *(weight.name for weight in layer.weights((tensor,)) if not weight.is_buffer)})
    return list(ask(layer, Call((tensor,), (tensor,), Setting(needs, device="cuda"))).saved)


def test_dropout_keeps_a_byte_a_value_unless_in_place() -> None:
    """native_dropout makes a mask of bool; dropout_ multiplies by noise as on the CPU (aten native/Dropout.cpp)."""
    assert on_cuda(Dropout()) == [Own("mask", TensorType(HALF.shape, "bool"))]
    assert on_cuda(Dropout(inplace=True)) == [Own("mask", HALF)]
    assert on_cuda(Dropout(p=1.0)) == [Own("zero", TensorType((), "bfloat16"))]


def test_statistics_of_half_precision_are_float32() -> None:
    """Their kernels accumulate in at::acc_type (aten native/cuda: layer_norm and Normalization), but for group_norm,
    whose statistics have the dtype of the values on both devices (aten native/group_norm.cpp).
    """
    channels, rows = TensorType((6,), "float32"), TensorType((2, 6, 5), "float32")
    groups = TensorType((2, 3), "bfloat16")
    assert on_cuda(BatchNorm2d())[-2:] == [Own("mean", channels), Own("1/deviation", channels)]
    assert on_cuda(GroupNorm(num_groups=3))[-2:] == [Own("mean", groups), Own("1/deviation", groups)]
    assert on_cuda(LayerNorm())[-2:] == [Own("mean", rows), Own("1/deviation", rows)]


def test_running_statistics_do_not_spare_the_batch_s_own() -> None:
    """CUDA's kernel allocates both before it asks for training; cuDNN's, which takes no bfloat16, has none."""
    image = TensorType((2, 6, 5, 7))
    evaluated = Setting(frozenset({0}), training=False, device="cuda")
    own = [Own("mean", TensorType((6,))), Own("1/deviation", TensorType((6,)))]
    assert [*ask(BatchNorm2d(affine=False), Call((image,), (image,), evaluated)).saved][-2:] == own
    assert not any(isinstance(kept, Own) for kept in ask(BatchNorm2d(), Call((image,), (image,), evaluated)).saved)
    assert [*ask(BatchNorm2d(), Call((HALF,), (HALF,), evaluated)).saved][-2:] == own


def test_fused_attention_keeps_rows() -> None:
    """Flash attention one number a row; the memory-efficient kernel whole tiles of 32 rows (kAlignLSE)."""
    half, full = TensorType((2, 3, 37, 8), "bfloat16"), TensorType((2, 3, 37, 8))
    layer, trained = ScaledDotProductAttention(), Setting(frozenset({0, 1, 2}), device="cuda")
    flash = [kept for kept in ask(layer, Call((half,) * 3, (half,), trained)).saved if isinstance(kept, Own)]
    tiled = [kept for kept in ask(layer, Call((full,) * 3, (full,), trained)).saved if isinstance(kept, Own)]
    assert [kept.tensor.nbytes for kept in flash] == [2 * 3 * 37 * 4, 16, 8]
    assert [kept.tensor.nbytes for kept in tiled] == [2 * 3 * 64 * 4, 8, 8]


def test_rms_norm_is_one_kernel() -> None:
    """_fused_rms_norm keeps the input and 1/root, where the CPU keeps what it is composed of."""
    assert on_cuda(RMSNorm()) == [INPUT, Stored("weight"), Own("1/root", TensorType((2, 6, 5), "float32"))]


def test_group_norm_copies_channels_last() -> None:
    """Only the CPU's kernel takes them as they are (at::group_norm, aten native/group_norm.cpp)."""
    setting = Setting(frozenset({0}), device="cuda", layouts=(channels_last(HALF.shape),), torch="2.13")
    layer = GroupNorm(num_groups=3, affine=False)
    assert ask(layer, Call((HALF,), (HALF,), setting)).saved[0] == Own("row-major input", HALF)


@pytest.mark.parametrize("row", [*every_row(), *VARIANTS], ids=str)
def test_nothing_is_kept_for_nobody(row: Row) -> None:
    outputs = row.layer.output_types(row.input_types)
    assert ask(row.layer, Call(row.input_types, outputs, Setting(frozenset()))).saved == ()


def turned(shape: Shape) -> Strides:
    """Of values whose first axis lies together, not the last."""
    return tuple([prod(shape[:axis]) for axis in range(len(shape))])


@pytest.mark.parametrize("row", [*every_row(), *VARIANTS], ids=str)
@pytest.mark.parametrize("permuted", [False, True], ids=["row-major", "permuted"])
def test_what_a_layer_makes_for_itself_has_names_of_its_own(row: Row, permuted: bool) -> None:
    """Two tensors of one name would be taken for one wherever their sizes are equal."""
    outputs = row.layer.output_types(row.input_types)
    floats = (index for index, tensor in enumerate(row.input_types) if tensor.is_floating)
    weights = (weight.name for weight in row.layer.weights(row.input_types) if not weight.is_buffer)
    layouts = tuple([turned(tensor.shape) for tensor in row.input_types]) if permuted else ()
    setting = Setting(frozenset([*floats, *weights]), layouts=layouts)
    saved = row.layer.autograd(Call(row.input_types, outputs, setting)).saved
    names = [each.what for each in saved if isinstance(each, Own)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("type_", sorted(LAYERS))
def test_every_type_says_what_it_keeps(type_: str) -> None:
    assert LAYERS[type_].autograd is not Layer.autograd
