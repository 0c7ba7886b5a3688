"""`archcost.testing` finds what is wrong in a layer of one's own: each class here has one mistake."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Generator
from typing import Any, ClassVar, Literal

import pytest
import torch
from fused_attention.layers import Attend

from archcost.extend import (
    AS_GIVEN,
    IN_FLOAT32,
    PASSED_ON,
    Autocast,
    Autograd,
    Call,
    Card,
    Elementwise,
    Input,
    Layer,
    Output,
    Own,
    Placement,
    Tensors,
    TensorType,
    Weight,
    WeightedLayer,
    Work,
    own_storage,
    register_layer,
    value_by_value,
)
from archcost.layers import own
from archcost.testing import Row, check, checks


def card(torch: str, autocast: Autocast = AS_GIVEN) -> Card:
    return Card(
        torch=torch,
        calls=(),
        onnx=None,
        autocast=autocast,
        promotion="first",
        fvcore="nothing",
        time="transcendental",
        blas=False,
    )


class Squash(Layer):
    """tanh, once more."""

    type: Literal["squash"] = "squash"
    card: ClassVar[Card] = card("nn.Tanh")

    def output_types(self, inputs: Tensors) -> Tensors:
        return inputs

    def placement(self, call: Call) -> Placement:
        return value_by_value(call)

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        return (Elementwise(inputs[0].numel, 1, {0: 3}, "squashed"),)

    def autograd(self, call: Call) -> Autograd:
        return Autograd((Output(0),), call.inputs)


class WrongShape(Squash):
    def output_types(self, inputs: Tensors) -> Tensors:
        return (TensorType(inputs[0].shape[1:]),)


class WrongDtype(Squash):
    def output_types(self, inputs: Tensors) -> Tensors:
        return (TensorType(inputs[0].shape, "float64"),)


class WrongWork(Squash):
    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        return (Elementwise(inputs[0].numel, 2, {0: 3}, "squashed"),)


class InOrder(Squash):
    def placement(self, call: Call) -> Placement:
        return own_storage(call)


class KeepsTheInput(Squash):
    def autograd(self, call: Call) -> Autograd:
        return Autograd((Input(0),), call.inputs)


class KeepsMore(Squash):
    def autograd(self, call: Call) -> Autograd:
        return Autograd((Output(0), Own("mask", call.source)), call.inputs)


class HandsOn(Squash):
    def autograd(self, call: Call) -> Autograd:
        return Autograd((Output(0),), (PASSED_ON,))


class MakesMore(Squash):
    def autograd(self, call: Call) -> Autograd:
        return Autograd((Output(0),), call.inputs, forward=(Own("copy", call.source),))


class MakesMoreInBackward(Squash):
    def autograd(self, call: Call) -> Autograd:
        return Autograd((Output(0),), call.inputs, backward=(Own("copy", call.source),))


class Widened(Squash):
    card: ClassVar[Card] = card("nn.Tanh", IN_FLOAT32)


class NotThere(Squash):
    card: ClassVar[Card] = card("tests.own.test_testing:missing")


class OfWeights(Squash, WeightedLayer):
    """A WeightedLayer that torch's module has no weights for."""

    def weights(self, inputs: Tensors) -> tuple[Weight, ...]:
        return (Weight("weight", (5,)),)


@pytest.fixture(autouse=True)
def _as_before() -> Generator[None]:
    yield
    own.forget("squash")


def row(kind: Any, **more: Any) -> Row:
    return Row(kind(), inputs=((2, 3, 5),), outputs=((2, 3, 5),), forward=30, backward_input=90, **more)


def failures(kind: Any) -> str:
    register_layer(kind)
    with pytest.raises(AssertionError) as caught:
        check(kind, [row(kind)])
    return str(caught.value)


def test_what_is_right_passes() -> None:
    register_layer(Squash)
    check(Squash, [row(Squash)])
    for case in checks([row(Squash)]):
        case()


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (WrongShape, "shapes-squash()-2×3×5\n    output shapes: ((3, 5),) by the layer's rules, ((2, 3, 5),) by hand"),
        (WrongDtype, "('float64',) by the layer's rules, ('float32',) by hand"),
        (
            WrongDtype,
            "torch's dtypes-squash()-2×3×5\n    output dtypes: ['float64'] by the layer's rules, ['float32'] by torch",
        ),
        (WrongWork, "Flops(contraction=0, elementwise=60) by the layer's rules"),
        (KeepsTheInput, "kept of others, training, 0 gradient wanted: ['0'] by the layer's rules, ['layer'] by torch"),
        (InOrder, "layouts ((15, 1, 3),): (15, 5, 1) by the layer's rules, (15, 1, 3) by torch"),
        (KeepsMore, "bytes kept of its own, training, 0 gradient wanted: (120,) by the layer's rules, () by torch"),
        (HandsOn, "gradient of 0, training, 0 gradient wanted: (0, False) by the layer's rules, (None, 120) by torch"),
        (MakesMore, "bytes at forward's worst, training, no gradient wanted: 240 by the layer's rules, 120 by torch"),
        (MakesMoreInBackward, "bytes at backward's worst, training, 0 gradient wanted: 240 by the layer's rules, 120"),
        (
            Widened,
            "copying 30 values from bfloat16 to float32 by the layer's rules, bfloat16, copying nothing",
        ),
        (NotThere, "torch= on the card of tests.own.test_testing.NotThere cannot be imported"),
        (OfWeights, "parameters: 5 by the layer's rules, 0 by hand"),
    ],
)
def test_each_mistake_is_found(kind: Any, said: str) -> None:
    assert said in failures(kind)


def test_rows_are_of_the_class() -> None:
    with pytest.raises(AssertionError, match=r"rows of Squash are needed, and here is attend\(\)-2×3"):
        check(Squash, [Row(Attend(), inputs=((2, 3),), outputs=())])
    with pytest.raises(AssertionError, match="rows of Squash are needed, and here is none"):
        check(Squash, [])


@torch.library.custom_op("own_testing::squash", mutates_args=())
def squash_of_a_gpu(x: torch.Tensor) -> torch.Tensor:
    raise NotImplementedError("no kernel for a CPU")


@squash_of_a_gpu.register_fake
def _(x: torch.Tensor) -> torch.Tensor:
    return torch.empty_like(x)


class OfAGpu(Squash):
    card: ClassVar[Card] = card("tests.own.test_testing:squash_of_a_gpu")

    def autograd(self, call: Call) -> Autograd:
        return Autograd((), (None,))


def test_what_cannot_run_here_is_a_warning() -> None:
    register_layer(OfAGpu)
    said = r"what is kept-squash\(\)-2×3×5: torch cannot run it here \('no kernel for a CPU'\)"
    with pytest.warns(UserWarning, match=said):
        check(OfAGpu, [row(OfAGpu)])


def test_without_torch_the_hand_is_left() -> None:
    script = (
        "import sys; sys.modules['torch'] = None; sys.path.append('tests/own/packages')\n"
        "from fused_attention.layers import Attend\n"
        "from archcost.testing import Row, checks\n"
        "row = Row(Attend(), inputs=((1, 1, 2, 3),) * 3, outputs=((1, 1, 2, 3), (1, 1, 2)), macs=24)\n"
        "print([case.what for case in checks([row])])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout == "['shapes', 'dtypes', 'weights', 'forward', 'backward', 'operands']\n", done.stderr
