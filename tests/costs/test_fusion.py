"""What a compiler fuses, of networks so small that bytes are counted by hand. Every map is 2·8·8·8 values of 4 B."""

from __future__ import annotations

from typing import Any

import pytest

from archcost.costs.kernels import kernels
from archcost.passes.run import Run
from tests.costs.timelines import Entry, layer, played

MAP = 4096
INFER = Run(mode="infer", optimizer="none", torch="2.13")


def conv(name: str, *inputs: str) -> Entry:
    return layer("conv2d", name, *inputs, out_channels=8, kernel_size=3, padding=1, bias=False)


def found(*layers: Entry, **settings: Any) -> dict[str, tuple[str, int]]:
    """By layer the class of its kernel and its bytes; what is fused is told at its last layer."""
    line = played([8, 8, 8], *layers, run=INFER, device="cuda", **settings)
    step = kernels(line, ("attention", "elementwise"))
    assert all(len(each.forward) <= 1 for each in step.layers)
    return {each.name: (each.forward[0].kind, each.forward[0].nbytes) for each in step.layers if each.forward}


@pytest.mark.parametrize("inplace", [False, True])
def test_what_lies_between_two_products_is_one_kernel(inplace: bool) -> None:
    """Norm and activation read a map and write one. Behind the second product they read the skipped map as well."""
    layers = [
        conv("conv1"),
        layer("batch_norm2d", "norm1"),
        layer("relu", "relu1", inplace=inplace),
        conv("conv2"),
        layer("batch_norm2d", "norm2"),
        layer("add", "sum", "norm2", "relu1"),
        layer("relu", "relu2", inplace=inplace),
    ]
    weight = 8 * 8 * 9 * 4
    assert found(*layers, loss="none") == {
        "conv1": ("convolution 3x3", MAP + weight + MAP),
        "relu1": ("elementwise", 2 * MAP),
        "conv2": ("convolution 3x3", MAP + weight + MAP),
        "relu2": ("elementwise", 3 * MAP),
    }


def test_a_sum_ends_a_kernel() -> None:
    """The activation is written, as the gate reads it again, and its mean a channel of each image: 2·8·4 B. The gate
    waits for that.
    """
    layers = [
        conv("conv"),
        layer("relu", "relu"),
        layer("adaptive_avg_pool2d", "mean", output_size=1),
        layer("sigmoid", "gate"),
        layer("mul", "gated", "relu", "gate"),
    ]
    assert list(found(*layers, loss="none").items())[1:] == [
        ("mean", ("reduction", MAP + MAP + 64)),
        ("gate", ("elementwise", 2 * 64)),
        ("gated", ("elementwise", MAP + 64 + MAP)),
    ]


def test_what_nobody_else_reads_is_never_written() -> None:
    layers = [conv("conv"), layer("relu", "relu"), layer("adaptive_avg_pool2d", "mean", output_size=1)]
    assert found(*layers, loss="none")["mean"] == ("reduction", MAP + 64)


def test_a_norm_of_rows_goes_on() -> None:
    """Rows of 8 values: the sum of two maps, its norm, and what comes behind are one kernel; the sum is read again."""
    layers = [
        layer("linear", "fc", out_features=8, bias=False),
        layer("add", "sum", "fc", "x"),
        layer("layer_norm", "norm", normalized_shape=8),
        layer("gelu", "gelu"),
        layer("linear", "last", out_features=8, bias=False),
        layer("add", "again", "last", "sum"),
    ]
    kernels = found(*layers, loss="none")
    assert kernels["gelu"] == ("layer norm", 2 * MAP + 2 * MAP)
    assert kernels["again"] == ("elementwise", 3 * MAP)


def test_windows_read_what_was_written() -> None:
    layers = [conv("conv"), layer("relu", "relu"), layer("max_pool2d", "pool", kernel_size=2)]
    kernels = found(*layers, loss="none")
    assert kernels["relu"] == ("elementwise", 2 * MAP)
    assert kernels["pool"][0] == "max pooling"


def test_attention_before_torch_had_a_kernel_for_it() -> None:
    """Two heads of 3 positions and 4 features, two samples: scores 2·2·3·3 = 36 values, 144 B; query, key, value and
    result 48 values, 192 B each. Each product is 2·36·4 FLOPs.
    """
    layers = [layer("linear", name, "x", out_features=4, bias=False) for name in ("query", "key", "value")]
    layers.append(layer("scaled_dot_product_attention", "attention", "query", "key", "value"))
    step = kernels(played([2, 3, 4], *layers, device="cuda", run=Run(optimizer="sgd", torch="2.13")), ())
    attention = next(each for each in step.layers if each.name == "attention")
    assert [(each.kind, each.flops, each.nbytes) for each in attention.forward] == [
        ("elementwise", 48, 2 * 192),
        ("batched product", 288, 192 + 192 + 144),
        ("softmax", 0, 2 * 144),
        ("batched product", 288, 144 + 192 + 192),
    ]
    assert [(each.kind, each.flops, each.nbytes) for each in attention.backward_input] == [
        ("batched product", 576, 2 * (144 + 192 + 192)),
        ("softmax", 0, 3 * 144),
        ("batched product", 576, 2 * (192 + 192 + 144)),
        ("elementwise", 48, 2 * 192),
    ]
