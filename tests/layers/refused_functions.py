"""How functions with a backward of their own refuse; see test_shape_errors.py."""

from __future__ import annotations

from typing import Any

from archcost.layers import Linear, Mul, OwnBackward, Transpose
from tests.layers.refused_windows import Refusal

PAIR = ((2, 3), (2, 3))


def function(*backward: Any, gives: str | None = "grad", **fields: Any) -> OwnBackward:
    return OwnBackward(op="F", backward=backward, gives=(gives,), **{"returns": (1,), **fields})


FUNCTIONS: list[Refusal] = [
    (function(kept=(2,)), PAIR, "names an input that it does not have", "2 inputs", "2", None),
    (
        function(gives="grad:1"),
        PAIR,
        "gives or holds what is not there before it",
        "grad, input, or a layer of the backward before it",
        "grad:1",
        "'grad'",
    ),
    (
        function(Mul(name="mul1", inputs=("grad", "mul2")), gives="mul1"),
        PAIR,
        "mul1 of its backward reads what is not there before it",
        "grad, input, or a layer of the backward before it",
        "mul2",
        None,
    ),
    (
        function(Transpose(name="t", inputs=("grad", "input"), dim0=0, dim1=1)),
        PAIR,
        "t of its backward has the wrong number of inputs",
        "1 input",
        "2",
        None,
    ),
    (
        function(Transpose(name="t", inputs=("grad",), dim0=0, dim1=2)),
        PAIR,
        "t of its backward: dim1 is out of range",
        "an axis from -2 to 1",
        "2",
        None,
    ),
    (
        function(Linear(name="fc", inputs=("grad",), out_features=5)),
        PAIR,
        "fc of its backward has weights of its own",
        "given: a tensor for each weight",
        "weight, bias",
        None,
    ),
]

MISTAKEN: list[tuple[dict[str, Any], str]] = [
    ({"gives": []}, "should give each argument a gradient, or null"),
    ({"gives": ["grad"], "unknown": "why"}, "should have no backward and gives beside unknown"),
    ({"gives": ["grad"], "backward": [{"type": "nothing", "name": "a"}]}, "should be a layer, of another type"),
    ({"gives": ["grad"], "backward": [{"type": "function", "name": "a"}]}, "should be a layer, of another type"),
    ({"gives": ["grad"], "backward": [{"type": "exp", "inputs": ["grad"]}]}, "should have a name, and none of grad"),
    ({"gives": ["grad"], "backward": [{"type": "exp", "name": "grad"}]}, "should have a name, and none of grad"),
    ({"gives": ["grad"], "backward": [{"type": "exp", "name": "a", "inputs": ["grad"]}] * 2}, "a name of its own for"),
    ({"gives": ["grad"], "holds": {"a": ["grad"]}}, "hold until layers of its backward, by their names"),
    ({"gives": ["grad"], "backward": [{"type": "conv2d", "name": "a"}]}, "Field required"),
]
"""Fields, and what is said of them."""
