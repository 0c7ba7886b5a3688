"""One operator of an ONNX graph with what it reads: what the rules in `onnx_operators` are given."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any, TypeGuard, cast

from archcost.errors import ArchcostError, shorten
from archcost.importers.onnx_inference import as_written
from archcost.importers.onnx_layers import Net
from archcost.importers.onnx_model import Node
from archcost.importers.onnx_values import Shape, UnsupportedError, Value, from_batch, samples_in, short
from archcost.layers import LAYERS
from archcost.layers.base import Layer
from archcost.layers.checks import normalize_axis
from archcost.tensors import FLOATING

STEMS = (".weight", ".bias", ".running_mean", ".running_var")


@dataclass(frozen=True)
class Call:
    """`written_for` is the batch that the file names as a number; None where it takes any."""

    node: Node
    inputs: tuple[Value | None, ...]
    net: Net
    opset: int
    written_for: int | None
    reader_of: Callable[[str], Node | None]
    """The only node that reads a tensor; None where there are several, or the network returns it."""
    value_of: Callable[[str], Value | None]
    absorb: Callable[[Node, str], None]
    """Says of a later node that what it does is done, and that its output is this tensor."""
    path: str

    def __getitem__(self, index: int) -> Value:
        value = self.get(index)
        if value is None:
            raise UnsupportedError(f"no input {index}")
        return value

    def get(self, index: int) -> Value | None:
        return self.inputs[index] if index < len(self.inputs) else None

    @property
    def given(self) -> tuple[Value, ...]:
        """The inputs that are not left out."""
        return tuple(value for value in self.inputs if value is not None)

    def reading(self, *inputs: Value | None, **attributes: Any) -> Call:
        """The same operator with other inputs, and attributes beside its own: what a fused operator begins with."""
        node = self.node._replace(attributes={**self.node.attributes, **attributes})
        return replace(self, node=node, inputs=inputs)

    def integer(self, name: str, default: int | None = None) -> int:
        value = self.node.attributes.get(name, default)
        if type(value) is not int:
            raise UnsupportedError(f"{name} is {'missing' if value is None else 'no integer'}")
        return value

    def flag(self, name: str, default: bool = False) -> bool:
        return bool(self.integer(name, int(default)))

    def real(self, name: str, default: float) -> float:
        """As it was written, before it was stored in single precision."""
        value = self.node.attributes.get(name, default)
        if not isinstance(value, (int, float)) or not isfinite(value):
            raise UnsupportedError(f"{name} is no number")
        return short(value)

    def reals(self, name: str) -> list[float]:
        """A list of numbers; empty where it is left out."""
        value = self.node.attributes.get(name)
        given = cast("list[Any]", value) if isinstance(value, list) else []
        if not all(isinstance(number, (int, float)) and isfinite(number) for number in given):
            raise UnsupportedError(f"{name} is no list of numbers")
        return [short(number) for number in given]

    def word(self, name: str, default: str = "") -> str:
        value = self.node.attributes.get(name, default)
        if not isinstance(value, str):
            raise UnsupportedError(f"{name} is no word")
        return value

    def attribute(self, name: str) -> int | float | str:
        """A number or a word; where it is left out, what ONNX says it then is."""
        value = self.node.attributes.get(name)
        if value is None:
            from onnx import defs, helper

            declared = defs.get_schema(self.node.kind, self.opset).attributes[name].default_value
            value = helper.get_attribute_value(declared)
            value = value.decode() if isinstance(value, bytes) else value
        if isinstance(value, float):
            return short(value)
        if not isinstance(value, (int, str)):
            raise UnsupportedError(f"{name} is neither a number nor a word")
        return value

    def sizes(self, name: str, count: int | None = None) -> list[int] | None:
        """A list of integers, of which `count` are needed; None where it is left out."""
        value = self.node.attributes.get(name)
        if value is None or value == []:
            return None
        if not is_integers(value) or (count is not None and len(value) != count):
            raise UnsupportedError(f"{name} is no list of {'' if count is None else f'{count} '}integers")
        return value

    def axis(self, name: str = "axis", default: int = 0, rank: int | None = None) -> int:
        """From the front."""
        return normalize_axis(self.integer(name, default), self[0].rank if rank is None else rank, name)

    def integers(self, index: int, count: int | None = None) -> list[int] | None:
        """The numbers of an input, of which `count` are needed; None where it is left out."""
        value = self.get(index)
        if value is None:
            return None
        if value.numbers is None or not value.is_constant or value.numbers.dtype.kind not in "iub":
            raise UnsupportedError(f"input {index} is computed by the network, or has no integers")
        if count is not None and value.numbers.size != count:
            raise UnsupportedError(f"input {index} has other than {count} numbers")
        return [int(number) for number in value.numbers.flatten()]

    def setting(self, name: str, index: int, count: int | None = None) -> list[int] | None:
        """A list of integers that is an attribute in one version of ONNX and an input in another."""
        if type(self.node.attributes.get(name)) is int:
            return [self.integer(name)]
        given = self.sizes(name, count)
        return self.integers(index, count) if given is None else given

    def for_one_batch(self, what: str) -> ArchcostError:
        """Of a file that names its batch as a number: what it does with that cannot be told for another."""
        tensors = [as_written(value.tensor, self.written_for) for value in self.given]
        return ArchcostError(
            f"{what} a batch of {self.written_for}",
            expected="a network for any batch",
            found=f"{self.node.kind} of {', '.join(map(str, tensors))}",
            hint="export it again with a dynamic batch axis",
        ).at(layer=shorten(str(self.node)))

    def layer(self, type_: str, *reads: Value, **fields: Any) -> Value:
        """What a new layer puts out, first of all."""
        return self.layers(type_, *reads, **fields)[0]

    def layers(self, type_: str, *reads: Value, **fields: Any) -> tuple[Value, ...]:
        return self.net.layer(self.path, type_, reads, {}, fields)

    def sized(self, type_: str, *reads: Value, **fields: Any) -> tuple[Value, ...]:
        """A layer that also reads an input of the network, for its batch alone."""
        return self.net.layer(self.path, type_, reads, {}, fields, sized=True)

    def weighted(
        self, type_: str, source: Value, weights: Mapping[str, Value], *beside: Value, **fields: Any
    ) -> tuple[Value, ...]:
        """A layer with weights, by their names in it; `beside` are inputs after the first."""
        return self.net.layer(self._named_by(weights), type_, (source, *beside), weights, fields)

    def standing(self, value: Value) -> Value:
        """A constant as the output of a layer."""
        return replace(value, ref=self.net.reference(value, self.path))

    def _named_by(self, weights: Mapping[str, Value]) -> str:
        """A layer is called as its weights are: whatever the file does to it, `conv1.weight` is `conv1`'s."""
        for value in weights.values():
            for stem in STEMS:
                if value.held is not None and value.held.endswith(stem):
                    return value.held.removesuffix(stem)
        return self.path

    def reshape(self, value: Value, shape: Shape) -> Value:
        """The same values in another shape, by the layer that says it for any batch."""
        if value.shape == shape:
            return value
        if value.is_held_weight and not value.turned:
            return replace(value, tensor=value.tensor._replace(shape=shape), numbers=None)
        axes = from_batch(shape)
        if len(axes) > 1:
            raise UnsupportedError("a reshape with the batch in two axes")
        for start in range(value.rank):
            for end in range(start + 1, value.rank):
                merged = len(shape) == value.rank - (end - start)
                if merged and shape[:start] == value.shape[:start] and shape[start + 1 :] == value.shape[end + 1 :]:
                    return self.layer("flatten", value, start_dim=start, end_dim=-1 if end == value.rank - 1 else end)
        sizes = [-1 if axis in axes else size for axis, size in enumerate(shape)]
        for axis in range(value.rank):
            added = len(shape) - value.rank + 1
            if added > 1 and shape[:axis] == value.shape[:axis] and shape[axis + added :] == value.shape[axis + 1 :]:
                return self.layer("unflatten", value, dim=axis, unflattened_size=sizes[axis : axis + added])
        if value.rank and len(shape) > 1 and axes == [0] and value.shape[0] == shape[0]:
            return self.layer("reshape", value, shape=sizes[1:])
        return self.layer("view", value, shape=sizes)

    def cast(self, value: Value, dtype: str) -> Value:
        if value.tensor.dtype == dtype:
            return value
        if value.is_held_weight and value.tensor.is_floating and dtype in FLOATING:
            return replace(value, tensor=value.tensor._replace(dtype=dtype), numbers=None)
        return self.layer("cast", value, dtype=dtype)

    def expanded(self, value: Value, shape: Shape) -> Value:
        """Seen repeated along axes of one value; `shape` names every axis."""
        if value.shape == shape:
            return value
        before = (1,) * (len(shape) - value.rank) + value.shape
        new = len(shape) - value.rank
        sizes = [-1 if axis >= new and size == before[axis] else size for axis, size in enumerate(shape)]
        grown = [axis for axis, size in enumerate(sizes) if size > 0 and samples_in(size)]
        if not grown:
            return self.layer("expand", value, size=sizes)
        if len(grown) > 1:
            raise UnsupportedError("an expansion to the batch in two axes")
        if value.is_constant and value.held is None:
            return Value(value.tensor._replace(shape=shape))
        sizes[grown[0]] = samples_in(sizes[grown[0]])
        return self.sized("expand_batch", value, size=sizes, dim=grown[0])[0]


Result = Value | Sequence[Value | None]
"""What an operator puts out; None where nobody may ask for it."""

Rule = Callable[[Call], Result]


def is_integers(value: Any) -> TypeGuard[list[int]]:
    return isinstance(value, list) and all(type(entry) is int for entry in cast("list[Any]", value))


def one(sizes: Sequence[int]) -> int | list[int]:
    """Torch's shorthand: one integer where all are the same."""
    return sizes[0] if sizes and all(size == sizes[0] for size in sizes) else list(sizes)


def own_operators(family: str) -> dict[str, Rule]:
    """For operators of our own that are named after a layer of that family and have its fields as attributes."""

    def rule_for(type_: str) -> Rule:
        return lambda call: call.layers(type_, *call.given, **_fields(LAYERS[type_], call.node.attributes))

    types = [type_ for type_, kind in LAYERS.items() if kind.__module__.startswith(f"archcost.layers.{family}")]
    return {f"archcost::{type_}": rule_for(type_) for type_ in types}


def _fields(kind: type[Layer], attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Truth values stand in a file as 0 and 1."""
    flags = {name for name, field in kind.model_fields.items() if field.annotation is bool}
    return {name: bool(value) if name in flags else value for name, value in attributes.items()}


def rule_of(kind: type[Layer]) -> Rule:
    """For an operator that is a layer, and whose attributes are fields of it."""
    operator = kind.card.onnx
    assert operator is not None

    def rule(call: Call) -> Value:
        fields = {field: call.attribute(name) for name, field in operator.attributes.items()}
        return call.layer(kind.model_fields["type"].default, *call.given, **fields)

    return rule
