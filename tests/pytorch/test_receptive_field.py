"""Receptive fields by gradient: which inputs an output really hangs on, when every weight is one."""

from __future__ import annotations

from math import ceil, floor
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import archcost
from archcost.pytorch import build

SIZE = 40
Interval = tuple[int, ...]
"""First and last position, or nothing at all."""


def conv(kernel: int, **fields: Any) -> dict[str, Any]:
    return {"type": "conv1d", "out_channels": 2, "kernel_size": kernel, **fields}


def up(kernel: int, **fields: Any) -> dict[str, Any]:
    return {"type": "conv_transpose1d", "out_channels": 2, "kernel_size": kernel, **fields}


def pool(kernel: int, **fields: Any) -> dict[str, Any]:
    return {"type": "avg_pool1d", "kernel_size": kernel, **fields}


def enlarge(mode: str, **fields: Any) -> dict[str, Any]:
    return {"type": "upsample", "mode": mode, **fields}


def named(name: str, layer: dict[str, Any], *inputs: str) -> dict[str, Any]:
    return {**layer, "name": name, "inputs": inputs}


def join(kind: str, *inputs: str) -> dict[str, Any]:
    return {"type": kind, "inputs": inputs}


EXACT: dict[str, list[dict[str, Any]]] = {
    "convolution": [conv(5, padding=2)],
    "even kernel, same": [conv(4, padding="same")],
    "strides": [conv(7, stride=2, padding=3), pool(3, stride=2, padding=1), conv(3, padding=1)],
    "dilation": [conv(3, padding=1), conv(3, padding=2, dilation=2), conv(3, padding=4, dilation=4)],
    "grouped and pointwise": [conv(1), conv(3, groups=2), {"type": "relu"}, {"type": "batch_norm1d"}],
    "pooling": [pool(2), conv(3), pool(3, stride=1)],
    "padding": [{"type": "pad", "pad": [4, 1]}, conv(3)],
    "branches": [
        named("a", conv(3, padding=1), "x"),
        named("b", conv(5, padding=2), "a"),
        join("add", "a", "b"),
        conv(3, stride=2),
    ],
    "branches that look past each other": [
        named("ahead", conv(3), "x"),
        named("shift", {"type": "pad", "pad": [4, 0]}, "x"),
        named("behind", conv(7), "shift"),
        join("concat", "ahead", "behind"),
    ],
    "branches of one stride": [
        named("wide", conv(5, stride=2, padding=2), "x"),
        named("narrow", conv(1, stride=2), "x"),
        join("mul", "wide", "narrow"),
    ],
    "transposed convolution": [up(4, stride=2, padding=1)],
    # A stride larger than the kernel leaves output positions that no input reaches: no integer in the interval.
    "transposed with holes": [up(2, stride=3)],
    "transposed, dilated": [up(3, stride=1, dilation=2)],
    "convolution after transposed": [up(2, stride=2), conv(3, padding=1)],
    "replication": [enlarge("nearest", scale_factor=2)],
    "convolution after replication": [enlarge("nearest", scale_factor=3), conv(3, padding=1)],
    "replication to another size": [enlarge("nearest", size=60)],
    "interpolation": [enlarge("linear", scale_factor=2)],
    "interpolation of convolution": [conv(3, padding=1), enlarge("linear", scale_factor=2)],
    "mean": [conv(3), {"type": "mean", "dim": 2, "keepdim": True}],
    "adaptive pooling": [{"type": "adaptive_avg_pool1d", "output_size": 10}],
    "adaptive pooling, uneven": [{"type": "adaptive_avg_pool1d", "output_size": 13}],
    "every other position": [conv(3), {"type": "slice", "start": 3, "stop": -2, "step": 2, "dim": 2}, conv(3)],
    "each position three times": [conv(3, padding=1), {"type": "repeat_interleave", "repeats": 3, "dim": 2}],
    "sum": [conv(3), {"type": "sum", "dim": 2, "keepdim": True}],
    "expand": [{"type": "sum", "dim": 2, "keepdim": True}, {"type": "expand", "size": [-1, -1, 7]}],
    "halves of the channels": [conv(3), {"type": "glu", "dim": 1}],
    "linear over the axis": [conv(3), {"type": "linear", "out_features": 7}],
}

BOUNDS: dict[str, list[dict[str, Any]]] = {
    # Positions between inputs are points on a line, so it is not known which of a pair is meant.
    "down and up": [pool(2), enlarge("nearest", scale_factor=2)],
    "down and up, learned": [conv(2, stride=2), up(2, stride=2)],
    "interpolation on the grid": [enlarge("linear", size=2 * SIZE - 1, align_corners=True)],
    # Positions that change places are looked for anywhere.
    "roll": [{"type": "roll", "shifts": [3], "dims": [2]}],
    "flip": [{"type": "flip", "dims": [2]}],
    "tile": [{"type": "tile", "dims": [1, 1, 2]}],
    "running sum": [{"type": "cumsum", "dim": 2}],
    "halves of the axis": [conv(3), {"type": "glu", "dim": 2}],
    # An odd factor puts every third output on an input exactly, which then has no second neighbour.
    "interpolation by three": [enlarge("linear", scale_factor=3)],
}


def views(layers: list[dict[str, Any]], inside: bool = True) -> list[tuple[Interval, Interval]]:
    """For each output position: the interval archcost says, and the hull of the gradient.

    With `inside`, of positions alone whose interval lies within the input; the largest of them must be `size`.
    """
    spec = archcost.ModelSpec.model_validate(
        {"name": "net", "inputs": {"x": {"shape": (2, SIZE), "dtype": "float64"}}, "layers": layers}
    )
    field = archcost.cost(archcost.build(spec)).layers[-1].field
    assert field is not None
    (axis,) = field.axes
    module = build(spec).eval()
    with torch.no_grad():
        for name, weight in module.named_parameters():
            weight.fill_(0.0 if name.endswith("bias") else 1.0)
    # Values that rise unevenly: on equal ones a norm's gradient would vanish.
    x = (torch.arange(2.0 * SIZE, dtype=torch.float64).reshape(1, 2, SIZE) ** 1.5).requires_grad_()
    result = module(x)
    assert isinstance(result, torch.Tensor)
    found: list[tuple[Interval, Interval]] = []
    for position in range(result.shape[2]):
        said = ceil(axis.jump * position + axis.low), floor(axis.jump * position + axis.high)
        if inside and (said[0] < 0 or said[1] >= SIZE):
            continue
        said = said if said[0] <= said[1] else ()
        (gradient,) = torch.autograd.grad(result[0, :, position].square().sum(), x, retain_graph=True)
        touched = [int(index) for index in gradient.abs().sum((0, 1)).nonzero().flatten()]
        found.append((said, (touched[0], touched[-1]) if touched else ()))
    assert not inside or max(said[1] - said[0] + 1 for said, _ in found if said) == axis.size
    return found


@pytest.mark.parametrize("case", EXACT)
def test_the_gradient_reaches_exactly_the_interval(case: str) -> None:
    assert all(said == seen for said, seen in views(EXACT[case]))


@pytest.mark.parametrize("case", BOUNDS)
def test_the_gradient_stays_within_the_interval(case: str) -> None:
    pairs = views(BOUNDS[case])
    assert all(said[0] <= seen[0] and seen[1] <= said[1] for said, seen in pairs if seen)
    assert any(said != seen for said, seen in pairs), "exact after all: move it up"


KINDS = (
    conv(2),
    conv(3, padding=1, stride=2),
    conv(3, padding=2, dilation=2),
    conv(4, padding="same"),
    pool(2),
    pool(3, stride=2, padding=1, ceil_mode=True),
    up(4, stride=2, padding=1),
    up(3, stride=2, padding=1, output_padding=1),
    up(2, dilation=3),
    enlarge("nearest", scale_factor=2),
    enlarge("linear", scale_factor=1.5),
    enlarge("linear", size=23, align_corners=True),
    {"type": "adaptive_avg_pool1d", "output_size": 11},
    {"type": "pad", "pad": [2, 3]},
)


@settings(max_examples=150, derandomize=True, database=None, deadline=None)
@given(st.lists(st.sampled_from(KINDS), min_size=1, max_size=5))
def test_no_chain_sees_beyond_its_interval(layers: list[dict[str, Any]]) -> None:
    for said, seen in views(layers, inside=False):
        assert not seen or (said and said[0] <= seen[0] and seen[1] <= said[1])


def test_two_axes_are_independent() -> None:
    spec = archcost.loads("""
name: net
inputs: {x: {shape: [1, 21, 25], dtype: float64}}
layers:
  - {type: conv2d, out_channels: 1, kernel_size: [3, 5], stride: [1, 2], padding: [1, 0]}
  - {type: avg_pool2d, kernel_size: [2, 1]}
  - {type: conv2d, out_channels: 1, kernel_size: 3}
""")
    field = archcost.cost(archcost.build(spec)).layers[-1].field
    assert field is not None
    module = build(spec)
    with torch.no_grad():
        for weight in module.parameters():
            weight.fill_(1.0)
    x = torch.ones(1, 1, 21, 25, dtype=torch.float64, requires_grad=True)
    result = module(x)
    assert isinstance(result, torch.Tensor)
    (gradient,) = torch.autograd.grad(result[0, 0, 3, 2], x)
    for axis, position, other in ((field.axes[0], 3, 3), (field.axes[1], 2, 2)):
        touched = gradient.sum((0, 1, other)).nonzero().flatten().tolist()
        low, high = axis.jump * position + axis.low, axis.jump * position + axis.high
        assert touched == list(range(ceil(low), floor(high) + 1))
