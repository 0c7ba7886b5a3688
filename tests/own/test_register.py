"""`register_layer`: what it refuses, and how rules of others are held to what a rule has to give."""

from __future__ import annotations

import pickle
import re
from collections.abc import Generator
from typing import Any, ClassVar, Literal

import pytest

import archcost
from archcost.errors import ArchcostError
from archcost.extend import (
    AS_GIVEN,
    Autograd,
    Call,
    Card,
    Contraction,
    Input,
    Layer,
    Number,
    Placement,
    Tensors,
    TensorType,
    Weight,
    WeightedLayer,
    Work,
    onnx,
)
from archcost.layers import LAYERS, own

KNOWN = {
    "torch": "nn.Tanh",
    "calls": (),
    "onnx": None,
    "autocast": AS_GIVEN,
    "promotion": "first",
    "fvcore": "nothing",
    "time": "elementwise",
    "blas": False,
}


@pytest.fixture(autouse=True)
def _as_before() -> Generator[None]:
    before = {*own.registered()}
    yield
    for type_ in {*own.registered()} - before:
        own.forget(type_)


def layer_class(type_: Any = "squash", rules: dict[str, Any] | None = None, base: Any = Layer, **card: Any) -> Any:
    """A class with rules that are right, but for those given."""
    fields = {
        "__module__": __name__,
        "__annotations__": {"type": Literal[type_], "card": ClassVar[Card], "scale": Number},
        "type": type_,
        "card": Card(**{**KNOWN, **card}),
        "scale": 1.0,
        "output_types": lambda self, inputs: inputs,
        "work": lambda self, inputs, outputs: (Contraction(inputs[0].numel, (0,)),),
        "autograd": lambda self, call: Autograd((), call.inputs),
        **(rules or {}),
    }
    return type(f"Squash_{type_}", (base,), fields)


def net(type_: str = "squash", **fields: Any) -> archcost.ModelSpec:
    layer = {"type": type_, **fields}
    return archcost.ModelSpec.model_validate({"name": "n", "inputs": {"x": {"shape": [3]}}, "layers": [layer]})


def refusal(rules: dict[str, Any], base: Any = Layer) -> str:
    archcost.register_layer(layer_class(rules=rules, base=base))
    with pytest.raises(ArchcostError) as caught:
        cost_and_play()
    return str(caught.value)


def cost_and_play() -> None:
    graph = archcost.build(net())
    archcost.cost(graph)
    archcost.timeline(graph)


def test_a_registered_class_is_a_type_of_a_spec() -> None:
    archcost.register_layer(layer_class())
    assert archcost.cost(archcost.build(net(scale=2.5), 2)).macs == 6
    assert LAYERS["squash"] is own.registered()["squash"].kind
    assert "squash" not in [*LAYERS]  # which lists ours
    with pytest.raises(ArchcostError, match="wrong value for 'scale'"):
        archcost.loads("{name: n, input: [3], layers: [{type: squash, scale: [1, 2]}]}")
    with pytest.raises(ArchcostError, match="try: 'squash'"):
        archcost.loads("{name: n, input: [3], layers: [{type: squish}]}")


def test_with_words_or_bare() -> None:
    assert archcost.register_layer(mirror="torch.nn:Tanh")(layer_class()).__name__ == "Squash_squash"


def test_a_class_that_is_defined_again_takes_its_own_place() -> None:
    first, second = layer_class(), layer_class()
    archcost.register_layer(first)
    archcost.register_layer(second)
    assert LAYERS["squash"] is second


class Squeezed(Layer):
    """At the top of a module, where pickle finds it."""

    type: Literal["squeezed"] = "squeezed"
    card: ClassVar[Card] = Card(**KNOWN)

    def output_types(self, inputs: Tensors) -> Tensors:
        return inputs

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        return ()

    def autograd(self, call: Call) -> Autograd:
        return Autograd((), call.inputs)


def test_specs_with_it_are_pickled() -> None:
    archcost.register_layer(Squeezed)
    spec = net("squeezed")
    assert pickle.loads(pickle.dumps(spec)) == spec


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (layer_class("relu"), "the layer type relu has two classes: .*Squash_relu and archcost.layers.activation.ReLU"),
        (layer_class("Squash"), "has no type"),
        (layer_class(calls=("gelu",)), "calls: operators as my_library::name"),
        (layer_class(calls=("aten::gelu",)), "calls: operators as my_library::name"),
        (layer_class(onnx=onnx("Gelu")), "with its domain in front"),
        (layer_class(onnx=onnx("a.b::Gelu", alpha="alpha")), "attributes that are fields of the layer"),
        (layer_class(time="fast"), "time: product, "),
        (layer_class(promotion="best"), "promotion: first, "),
        (layer_class(fvcore="batch norm"), "fvcore: nothing, macs"),
        (layer_class(autocast=("a", "b")), "autocast: Autocast of"),
        (layer_class(torch="a b"), "or module:name"),
        (int, "not a layer class"),
    ],
)
def test_what_is_refused(kind: Any, said: str) -> None:
    with pytest.raises(ArchcostError, match=said):
        archcost.register_layer(kind)


@pytest.mark.parametrize("card", [{"calls": ("a::b",)}, {"onnx": onnx("a.b::C")}])
def test_two_classes_for_one_name(card: dict[str, Any]) -> None:
    archcost.register_layer(layer_class(**card))
    with pytest.raises(ArchcostError, match=r"has two classes: .*Squash_other and .*Squash_squash"):
        archcost.register_layer(layer_class("other", **card))
    other = layer_class()
    other.__qualname__ = "Another"
    with pytest.raises(ArchcostError, match=r"the layer type squash has two classes: .*Another and .*Squash_squash"):
        archcost.register_layer(other)


def test_a_class_without_a_rule_is_refused_where_it_is_defined() -> None:
    with pytest.raises(TypeError, match="says nothing of its output_types"):
        layer_class(rules={"output_types": Layer.output_types})


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        (
            {"output_types": lambda self, inputs: 1 / 0},
            "output_types .*fails.*Error: .division by zero. at .*py",
        ),
        ({"output_types": lambda self, inputs: None}, "output_types .* gives no answer.*a tuple of TensorType.*None"),
        ({"output_types": lambda self, inputs: ()}, "a tuple of TensorType"),
        ({"output_types": lambda self, inputs: (TensorType((1, 2.5)),)}, "a tuple of integers"),
        ({"output_types": lambda self, inputs: (TensorType((1, -2)),)}, "a tuple of integers"),
        ({"output_types": lambda self, inputs: (TensorType((1, 2), "float33"),)}, "the name of a dtype"),
        ({"weights": lambda self, inputs: (Weight("w", (0,)),)}, "a tuple of integers from 1"),
        ({"weights": lambda self, inputs: (Weight("w", (1,)),)}, "WeightedLayer"),
        ({"work": lambda self, inputs, outputs: 3}, "a tuple of Contraction, "),
        ({"work": lambda self, inputs, outputs: (Contraction(-3),)}, "whole numbers from 0"),
        ({"work": lambda self, inputs, outputs: (Contraction(3.5, (0,)),)}, "whole numbers from 0"),
        ({"work": lambda self, inputs, outputs: (Contraction(3, (0, "weight")),)}, "operands that it has: 0"),
        ({"autograd": lambda self, call: None}, "Autograd.saved, gradients"),
        ({"autograd": lambda self, call: Autograd((), ())}, "a gradient, or None, for each of 1 inputs"),
        (
            {"autograd": lambda self, call: Autograd((Input(3),), call.inputs)},
            "Input, Output or Stored",
        ),
        ({"placement": lambda self, call: Placement((), ())}, "for each of 1 outputs"),
    ],
)
def test_a_rule_that_fails_or_gives_nonsense_is_named(rules: dict[str, Any], said: str) -> None:
    found = refusal(rules)
    assert f"{__name__}.Squash_squash" in found
    assert re.search(said, found, re.DOTALL), found


@pytest.mark.parametrize("rule", ["timing", "windows", "precision", "working"])
def test_so_are_rules_that_only_some_reports_ask(rule: str) -> None:
    kind = archcost.register_layer(layer_class(rules={rule: lambda self, *given: {}["a"]}))
    with pytest.raises(ArchcostError, match=f"the rule {rule} of .*Squash_squash fails"):
        getattr(kind(), rule)((TensorType((1, 3)),), (TensorType((1, 3)),))


def test_two_weights_of_one_name() -> None:
    weights = (Weight("w", (1,)), Weight("w", (2,)))
    assert "a name of its own for each weight" in refusal({"weights": lambda self, inputs: weights}, WeightedLayer)


def test_a_shape_error_is_told_as_one_of_ours_is() -> None:
    def output_types(self: Layer, inputs: Tensors) -> Tensors:
        raise archcost.extend.ShapeError("too small", expected="4 values", found="3")

    assert refusal({"output_types": output_types}) == (
        "squash1: too small\n  expected: 4 values\n  found: 3, from 1×3 (x)"
    )


def test_weights_are_those_of_a_weighted_layer() -> None:
    rules = {"weights": lambda self, inputs: (Weight("weight", (5,)),)}
    archcost.register_layer(layer_class(rules=rules, base=WeightedLayer))
    assert archcost.cost(archcost.build(net(trainable=False))).parameters == 5
