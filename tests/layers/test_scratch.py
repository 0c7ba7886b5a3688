"""Scratch and gradients by hand, where no CPU can tell: on CUDA. tests/pytorch/test_working.py has the rest."""

from __future__ import annotations

from archcost.layers import Dropout, Layer, LayerNorm, MaxPool1d, RMSNorm, Softmax
from archcost.layers.rules import Call
from archcost.passes.layer_rules import ask
from archcost.tensors import Tensors, TensorType
from archcost.terms.autograd import NO_SCRATCH, Own, Scratch, Setting
from archcost.terms.memory_format import channels_last

NOBODY = Setting(frozenset(), device="cuda")
IMAGES = (TensorType((2, 3, 5, 7)),)


def temporaries(layer: Layer, inputs: Tensors, outputs: Tensors, setting: Setting) -> Scratch:
    return ask(layer, Call(inputs, outputs, setting)).passing.scratch


def test_dropout_draws_bytes() -> None:
    mask = Own("mask", TensorType((2, 3, 5, 7), "bool"))
    assert temporaries(Dropout(), IMAGES, IMAGES, NOBODY) == Scratch((mask,))


def test_a_maximum_over_one_axis_finds_indices_for_nobody() -> None:
    """The CPU has a kernel without."""
    inputs, outputs = (TensorType((2, 3, 7)),), (TensorType((2, 3, 3)),)
    indices = Own("indices", TensorType((2, 3, 3), "int64"))
    assert temporaries(MaxPool1d(kernel_size=2), inputs, outputs, NOBODY) == Scratch((indices,))
    assert temporaries(MaxPool1d(kernel_size=2), inputs, outputs, Setting(frozenset())) == NO_SCRATCH


def test_a_fused_norm_makes_nothing_but_the_roots() -> None:
    """Images with their channels last are composed as on the CPU, and so is a norm whose weight has another dtype."""
    trained = Setting(frozenset({0, "weight"}), device="cuda")
    assert temporaries(RMSNorm(), IMAGES, IMAGES, trained) == NO_SCRATCH
    assert temporaries(RMSNorm(), IMAGES, IMAGES, NOBODY) == Scratch((Own("1/root", TensorType((2, 3, 5))),))
    last = Setting(frozenset({0, "weight"}), device="cuda", layouts=(channels_last((2, 3, 5, 7)),))
    # 210 values, 30 roots: five tensors alive, less what arrived, what is given, the normalised input and the roots.
    assert temporaries(RMSNorm(), IMAGES, IMAGES, last).backward[0].tensor.numel == 5 * 210 - 3 * 210 - 30
    half, mixed = (TensorType((2, 7), "bfloat16"),), Setting(frozenset({0}), device="cuda", weights="float32")
    # 14 values and 2 roots of 4 bytes, in units of 2: five tensors, less what arrived and what is given, and roots.
    assert temporaries(RMSNorm(), half, half, mixed).backward[0].tensor.numel == 2 * 5 * 14 - 2 * 14 - 2 * 2


def test_softmax_first_makes_products_of_the_gradient() -> None:
    """On a GPU, as published runs of attention have them (tests/large_programs/liger_rows.csv)."""
    trained = frozenset({0})
    products = Own("products of the gradient", TensorType((2, 3, 5, 7)))
    on_cuda = temporaries(Softmax(dim=-1), IMAGES, IMAGES, Setting(trained, device="cuda"))
    assert on_cuda == Scratch(backward=(products,))
    assert temporaries(Softmax(dim=-1), IMAGES, IMAGES, Setting(trained)) == NO_SCRATCH


def test_norms_of_rows_copy_pieces_on_a_gpu() -> None:
    for layer in (LayerNorm(), RMSNorm()):
        copied = [layer.copies_pieces(Call(IMAGES, IMAGES, Setting(frozenset({0}), device=d))) for d in ("cuda", "cpu")]
        assert copied == [True, False]
