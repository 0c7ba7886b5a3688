"""The layer types: what each is called elsewhere, and what examples of it cost and keep for backward."""

from __future__ import annotations

import inspect
import json
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, NamedTuple

from archcost.errors import ArchcostError, nearest, shorten
from archcost.files.result import Result
from archcost.layers import INDEX, LAYERS, Layer, own
from archcost.layers.base import Declared
from archcost.layers.foreign import meant
from archcost.layers.rules import Call
from archcost.layers.value_function import ValueFunction
from archcost.passes.layer_rules import Answers, ask
from archcost.tensors import Tensors, TensorType
from archcost.terms.autograd import Gradient, Handed, Input, Output, Own, Saved, Setting, Stored
from archcost.terms.memory_format import Layout, row_major
from archcost.terms.torch_releases import Torch
from archcost.work import Contraction, Operand, Shared, Work

EXAMPLES = INDEX.with_name("examples.jsonl")
"""Made by `python -m tests.generate` from the rows that the tests hold against torch: a layer and its inputs a line."""

SHOWN: Torch = "2.13"
"""The release whose rules are shown."""


class Amount(NamedTuple):
    """One piece of work: operations for each value or MAC, forward and for the gradients."""

    what: str
    each: str
    forward: str
    input_gradient: str
    weight_gradients: str


class Keeping(NamedTuple):
    """What is kept for backward, by the setting: every gradient wanted, and where another setting differs."""

    result: str
    kept: tuple[tuple[str, str], ...]
    """What is kept in each of the settings of `SETTINGS`: in words alone, and with elements."""

    @property
    def words(self) -> tuple[str, ...]:
        return (self.result, *(words for words, _ in self.kept))


class MadeAndDropped(NamedTuple):
    """What backward hands on instead of making it, and what is gone when the layer ends: each in words alone, and in
    words with elements.
    """

    hands_on: tuple[str, str]
    forward: tuple[str, str]
    without_gradients: tuple[str, str]
    backward: tuple[str, str]

    @property
    def words(self) -> tuple[str, ...]:
        return tuple([words for words, _ in self])


SETTINGS = ("keeps", "in evaluation", "weights frozen", "weights alone", "on CUDA", "if permuted")


@dataclass(frozen=True, slots=True)
class Example:
    """A layer on given inputs."""

    layer: Layer
    inputs: Tensors

    @property
    def outputs(self) -> Tensors:
        return self.layer.output_types(self.inputs)

    @property
    def fields(self) -> dict[str, Any]:
        """Those that are not at their defaults."""
        return self.layer.model_dump(exclude_defaults=True, exclude={"type"}, mode="json")

    @property
    def work(self) -> tuple[Amount, ...]:
        if self.layer.is_unknown:
            return (Amount("not known", "", "?", "?", ""),)
        return tuple([_amount(part, self.outputs) for part in self.layer.work(self.inputs, self.outputs)])

    @property
    def has_gradient(self) -> bool:
        """Integers have none."""
        return any(tensor.is_floating for tensor in self.inputs) or bool(self.layer.weights(self.inputs))

    @property
    def keeping(self) -> Keeping:
        every, weights = self.every, self.trained
        permuted = replace(every, layouts=tuple([turned(tensor.shape) for tensor in self.inputs]))
        evaluation = replace(every, training=False)
        settings = (
            every,
            evaluation,
            replace(every, needs=every.needs - weights) if weights else every,
            replace(every, needs=weights) if weights else every,
            replace(every, device="cuda"),
            permuted,
        )
        places = {
            when: "the input's" if set(self.answers(setting).aliases) != {None} else "new"
            for when, setting in (("", every), ("in evaluation ", evaluation), ("if permuted ", permuted))
        }
        result = "; ".join(when + place for when, place in places.items() if not when or place != places[""])
        return Keeping(result, tuple([self.kept(setting) for setting in settings]))

    @property
    def made_and_dropped(self) -> MadeAndDropped:
        trained = self.answers(self.every).passing
        alone = self.answers(Setting(frozenset(), training=False, torch=SHOWN)).passing.scratch
        handed = _handed(trained.gradients)
        made = (trained.scratch.forward, alone.forward, trained.scratch.backward)
        return MadeAndDropped((handed, handed), *[(_names(own), _names(own, sized=True)) for own in made])

    @property
    def every(self) -> Setting:
        """Where the gradient of every operand is wanted."""
        inputs = frozenset[Operand](index for index, tensor in enumerate(self.inputs) if tensor.is_floating)
        return Setting(inputs | self.trained, torch=SHOWN)

    @property
    def trained(self) -> frozenset[Operand]:
        """The weights that are no buffers."""
        return frozenset(weight.name for weight in self.layer.weights(self.inputs) if not weight.is_buffer)

    def kept(self, setting: Setting) -> tuple[str, str]:
        """In words alone, and in words with elements."""
        saved = self.answers(setting).saved
        words = [_word(reference, len(self.inputs) > 1) for reference in saved]
        sized = [word + _elements(reference) for word, reference in zip(words, saved, strict=True)]
        return ", ".join(words) or "nothing", ", ".join(sized) or "nothing"

    def answers(self, setting: Setting) -> Answers:
        return ask(self.layer, Call(self.inputs, self.outputs, setting))


@dataclass(frozen=True, repr=False)
class LayerType(Result):
    """One type that a spec can name, in full."""

    type: str
    kind: type[Layer]
    examples: tuple[Example, ...]

    @property
    def headline(self) -> str:
        return f"{self.type}, {self.family}"

    @property
    def family(self) -> str:
        """The part of archcost/layers that it lies in; of others' layers, the module."""
        if not self.kind.__module__.startswith("archcost.layers."):
            return self.kind.__module__
        return self.kind.__module__.removeprefix("archcost.layers.").partition(".")[0]

    @property
    def description(self) -> str:
        """What the class says of itself, or else those that it builds on."""
        return " ".join((inspect.getdoc(self.kind) or "").split())

    @property
    def counting(self) -> str:
        """How its operations come about: by its formulas, or as its rule says."""
        formulas = dict.fromkeys(
            [str(each.layer.chosen()) for each in self.examples if isinstance(each.layer, ValueFunction)]
        )
        if formulas:
            return ", or ".join(formulas)
        own = self.kind.work.__doc__
        return " ".join(inspect.cleandoc(own).split()) if own and own != Layer.work.__doc__ else ""

    @property
    def fields(self) -> dict[str, Any]:
        """With their defaults; an ellipsis where one must be given."""
        own = {name: field for name, field in self.kind.model_fields.items() if name not in Declared.model_fields}
        return {
            name: "…" if field.is_required() else field.get_default(call_default_factory=True)
            for name, field in own.items()
        }

    def to_dict(self) -> dict[str, Any]:
        card = self.kind.card
        return {
            "schema": "archcost.layer/1",
            "type": self.type,
            "family": self.family,
            "description": self.description,
            "counting": self.counting,
            "fields": json.loads(json.dumps(self.fields, default=str)),
            "torch": card.torch,
            "calls": list(card.calls),
            "onnx": card.onnx.operator if card.onnx else None,
            "autocast": card.autocast._asdict(),
            "promotion": card.promotion,
            "fvcore": card.fvcore,
            "time": card.time,
            "examples": [
                {
                    "fields": example.fields,
                    "inputs": [str(tensor) for tensor in example.inputs],
                    "outputs": [str(tensor) for tensor in example.outputs],
                    "work": [amount._asdict() for amount in example.work],
                    "kept": dict(zip(SETTINGS, [cell for _, cell in example.keeping.kept], strict=True))
                    if example.has_gradient
                    else None,
                }
                for example in self.examples
            ],
        }


@dataclass(frozen=True, repr=False)
class LayerTypes(Result):
    """All of them."""

    types: tuple[LayerType, ...]

    @property
    def headline(self) -> str:
        return f"{len(self.types)} types of layers"

    def to_dict(self) -> dict[str, Any]:
        rows = [
            {
                "type": each.type,
                "family": each.family,
                "description": each.description,
                "torch": each.kind.card.torch,
                "onnx": each.kind.card.onnx.operator if each.kind.card.onnx else None,
            }
            for each in self.types
        ]
        return {"schema": "archcost.layers/1", "layers": rows}


def layer_types() -> LayerTypes:
    """Every type that a spec can name, families together."""
    found = [LayerType(type_, kind, _examples(type_)) for type_, kind in LAYERS.items()]
    others = [LayerType(type_, each.kind, ()) for type_, each in own.registered().items()]
    by_family = [sorted(each, key=lambda one: one.family) for each in (found, others)]
    return LayerTypes((*by_family[0], *by_family[1]))


def layer_type(name: str) -> LayerType:
    """One type. Raises ArchcostError where there is none of that name, with the one that Keras or torch call so."""
    if name not in LAYERS:
        there = meant(name)
        raise ArchcostError(
            "no such layer type",
            expected="one that archcost layers lists",
            found=shorten(name),
            hint=repr(there) if there in LAYERS else nearest(name, [*LAYERS, *own.registered()]),
        )
    return LayerType(name, LAYERS[name], _examples(name))


def about_layers(word: str) -> LayerType | LayerTypes:
    """The type of that name, or those that have the word in their name or family, or in torch's or ONNX's name.

    Raises ArchcostError where there are none.
    """
    if word in LAYERS:
        return layer_type(word)
    found = tuple(each for each in layer_types().types if word and word.lower() in _said(each))
    return LayerTypes(found) if found else layer_type(word)


def _said(each: LayerType) -> str:
    card = each.kind.card
    return " ".join(filter(None, (each.type, each.family, card.torch, card.onnx and card.onnx.operator))).lower()


def _examples(type_: str) -> tuple[Example, ...]:
    return tuple([_example(given) for given in _lines() if given["layer"]["type"] == type_])


@cache
def _lines() -> tuple[dict[str, Any], ...]:
    """The file of examples, as plain values."""
    return tuple([json.loads(line) for line in EXAMPLES.read_text(encoding="utf-8").splitlines()])


def _example(given: dict[str, Any]) -> Example:
    inputs = tuple([TensorType(tuple(shape), dtype) for shape, dtype in given["inputs"]])
    return Example(LAYERS[given["layer"]["type"]].model_validate(given["layer"]), inputs)


def example_line(layer: Layer, inputs: Tensors) -> str:
    """An example as a line of the file."""
    fields = {"type": layer.type} | layer.model_dump(exclude_defaults=True, mode="json")
    return json.dumps({"layer": fields, "inputs": [[tensor.shape, tensor.dtype] for tensor in inputs]}) + "\n"


def turned(shape: tuple[int, ...]) -> Layout:
    """Axes 1 and the last changed places, as a permutation leaves them."""
    if len(shape) < 3:
        return None
    swapped = list(shape)
    swapped[1], swapped[-1] = swapped[-1], swapped[1]
    strides = list(row_major(tuple(swapped)))
    strides[1], strides[-1] = strides[-1], strides[1]
    return tuple(strides)


def _amount(part: Work, outputs: Tensors) -> Amount:
    if isinstance(part, Contraction):
        by_input = sum(2 for operand in part.operands if isinstance(operand, int))
        by_weight = sum(2 for operand in part.operands if isinstance(operand, str))
        return Amount("products summed", "MAC", "2", str(by_input), str(by_weight))
    if isinstance(part, Shared):
        each = "MAC" if isinstance(part.part, Contraction) else "value read"
        operations = 2 if isinstance(part.part, Contraction) else part.part.operations
        return Amount(part.what, each, "0", f"{operations}, once", "0")
    by_input = sum(count for operand, count in part.gradients.items() if isinstance(operand, int))
    by_weight = sum(count for operand, count in part.gradients.items() if isinstance(operand, str))
    each = "output value" if part.numel == outputs[0].numel else "value read"
    return Amount(part.what, each, *map(str, (part.operations, by_input, by_weight)))


def _word(reference: Saved, several: bool) -> str:
    match reference:
        case Input(index):
            return f"input {index + 1}" if several else "input"
        case Output(index):
            return f"output {index + 1}" if index else "output"
        case Stored(name):
            return name
        case Own(what, _):
            return f"**{what}**"


def _handed(gradients: tuple[Gradient, ...]) -> str:
    """`input 2: a view`; of a single input only what it is."""
    words = ["" if not isinstance(each, Handed) else "a view" if each.is_view else "itself" for each in gradients]
    if not any(words) or len(words) == 1:
        return words[0] if words else ""
    if len(set(words)) == 1:
        return f"to all {words[0]}"
    return ", ".join(f"input {index}: {word or 'new'}" for index, word in enumerate(words, 1))


def _names(tensors: tuple[Own, ...], sized: bool = False) -> str:
    return ", ".join(f"{own.what}{_elements(own) if sized else ''}" for own in tensors)


def _elements(reference: Saved) -> str:
    return f" ({sized(reference.tensor)})" if isinstance(reference, Own) else ""


def sized(tensor: TensorType) -> str:
    """`2×3 = 6 int64`."""
    dtype = "" if tensor.dtype == "float32" else f" {tensor.dtype}"
    shape = f"{'×'.join(map(str, tensor.shape))} = {tensor.numel:,}" if tensor.rank > 1 else f"{tensor.numel:,}"
    return shape + dtype
