"""One layer drawn as operators of ONNX: plain values, of which `onnx_file` makes the file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

from archcost.errors import ArchcostError
from archcost.graph import Node
from archcost.layers import Layer, own
from archcost.tensors import TensorType

Shape = tuple[int, ...]
Attribute = int | float | str | Sequence[int] | Sequence[str]
Number = int | float | bool

OWN_DOMAIN = "archcost"
"""Of operations that ONNX does not know."""

MAX_INT64 = 2**63 - 1
"""What ONNX takes for the end of an axis."""


DTYPES = {
    "float64": 11,
    "float32": 1,
    "float16": 10,
    "bfloat16": 16,
    "int64": 7,
    "int32": 6,
    "int16": 5,
    "int8": 3,
    "uint8": 2,
    "bool": 9,
    "complex64": 14,
    "complex128": 15,
    "float8_e4m3fn": 17,
    "float8_e5m2": 19,
    "float8_e4m3fnuz": 18,
    "float8_e5m2fnuz": 20,
    "float8_e8m0fnu": 24,
    "float4_e2m1fn": 23,
    "uint16": 4,
    "uint4": 21,
    "int4": 22,
    "uint2": 25,
    "int2": 26,
}
"""The numbers of `TensorProto.DataType`."""


class Operation(NamedTuple):
    """A node of the ONNX graph."""

    name: str
    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Attribute]
    domain: str = ""


class Constant(NamedTuple):
    """A tensor whose values stand in the file: sizes, axes, single numbers."""

    name: str
    tensor: TensorType
    values: tuple[Number, ...]


class Held(NamedTuple):
    """A weight, of which the file has a name and a shape and no value."""

    name: str
    tensor: TensorType
    is_buffer: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """A layer in the drawing: what it reads and is given, by name, and the operators, constants and weights drawn so
    far.

    Sizes are those of `batch` samples, a number that divides no size but those that the batch decides; None where the
    network is for one batch alone.
    """

    node: Node
    inputs: tuple[str, ...]
    given: Mapping[str, str]
    batch: int | None
    operations: list[Operation] = field(default_factory=list[Operation])
    constants: list[Constant] = field(default_factory=list[Constant])
    weights: list[Held] = field(default_factory=list[Held])

    @property
    def layer(self) -> Any:
        """Of the type that the table names for a rendering, which no type checker can follow."""
        return self.node.layer

    @property
    def source(self) -> TensorType:
        """What arrives first."""
        return self.node.input_types[0]

    @property
    def result(self) -> TensorType:
        """What comes out first."""
        return self.node.output_types[0]

    def draw(self, kind: str, *inputs: str, **attributes: Attribute) -> str:
        """An operator with one output, which is returned. An input that is left out is ""."""
        return self.draw_many(kind, 1, *inputs, **attributes)[0]

    def draw_many(self, kind: str, count: int, *inputs: str, **attributes: Attribute) -> tuple[str, ...]:
        """An operator with `count` outputs."""
        name = f"/{self.node.name}/{kind}"
        before = sum(operation.kind == kind for operation in self.operations)
        name += f"_{before}" if before else ""
        outputs = tuple(f"{name}_output_{index}" for index in range(count))
        self.operations.append(Operation(name, kind, inputs, outputs, attributes))
        return outputs

    def draw_unknown(self, kind: str, count: int, *inputs: str, **attributes: Attribute) -> tuple[str, ...]:
        """An operation that ONNX has no operator for, in a domain of our own."""
        outputs = self.draw_many(kind, count, *inputs, **attributes)
        self.operations[-1] = self.operations[-1]._replace(domain=OWN_DOMAIN)
        return outputs

    def draw_itself(self) -> tuple[str, ...]:
        """An operator of our own with the layer's type for its name and its fields as attributes, truth values as 0 and
        1: read back, it is the layer.
        """
        given = self.layer.model_dump(exclude_defaults=True, exclude={"type", "name", "inputs"})
        fields = {name: int(value) if isinstance(value, bool) else value for name, value in given.items()}
        return self.draw_unknown(self.layer.type, len(self.node.output_types), *self.inputs, **fields)

    def cast(self, index: int = 0, dtype: str | None = None) -> str:
        """An input in a dtype, by default that of what comes out: torch casts by itself, ONNX does not."""
        wanted = dtype or self.result.dtype
        if self.node.input_types[index].dtype == wanted:
            return self.inputs[index]
        return self.draw("Cast", self.inputs[index], to=DTYPES[wanted])

    def integers(self, *values: int) -> str:
        """Sizes, axes or indices, as a list."""
        return self._constant(TensorType((len(values),), "int64"), values)

    def index(self, value: int) -> str:
        """One of them by itself."""
        return self._constant(TensorType((), "int64"), (value,))

    def number(self, value: Number, dtype: str | None = None) -> str:
        """A single value, in the dtype of what comes out unless another is named."""
        kind = TensorType((), dtype or self.result.dtype)
        return self._constant(kind, (value if kind.is_floating else int(value),))

    def _constant(self, tensor: TensorType, values: tuple[Number, ...]) -> str:
        name = f"/{self.node.name}/constant_{len(self.constants)}"
        self.constants.append(Constant(name, tensor, values))
        return name

    def full(self, value: Number, shape: Shape) -> str:
        """`value` everywhere, by an operator: the file does not grow with the shape."""
        return self.draw("Expand", self.number(value), self.integers(*shape))

    def has(self, weight: str) -> bool:
        return any(own.name == weight for own in self.node.weights)

    def weight(self, name: str = "weight") -> str:
        """One of the layer's own weights or buffers, or the one it shares or is given."""
        if name in self.given:
            return self.given[name]
        own = next(weight for weight in self.node.weights if weight.name == name)
        if name == "weight" and self.node.shared is not None:
            owned = f"{self.node.shared.owner}.weight"
            if not self.node.shared.transposed:
                return owned
            return self.draw("Transpose", owned, perm=(1, 0, *range(2, len(own.shape))))
        return self.hold(name, own.shape, own.dtype, own.is_buffer)

    def hold(self, name: str, shape: Shape, dtype: str | None = None, is_buffer: bool = False) -> str:
        """A weight of the layer by a name of the file's own, for operators that keep several in one tensor."""
        full = f"{self.node.name}.{name}"
        self.weights.append(Held(full, TensorType(shape, dtype or self.source.dtype), is_buffer))
        return full

    def carries_batch(self, size: int) -> bool:
        return self.batch is not None and size % self.batch == 0

    def reshape(self, tensor: str, before: Shape, after: Shape) -> str:
        """The same values in another shape, whatever the batch is: its axis is copied (0) or whatever is left (-1)."""
        sizes = [self._size(axis, size, before) for axis, size in enumerate(after)]
        if sizes.count(-1) > 1:
            raise ArchcostError(
                "ONNX cannot reshape where the batch decides two sizes",
                expected="one size at most that is not copied from the input",
                found=str(sizes),
                hint="--batch N",
            )
        return self.draw("Reshape", tensor, self.integers(*sizes))

    def _size(self, axis: int, size: int, before: Shape) -> int:
        if not self.carries_batch(size):
            return size
        return 0 if axis < len(before) and before[axis] == size else -1

    def samples(self, tensor: str) -> str:
        """The size of the first axis, as a list of one."""
        return self.draw("Shape", tensor, start=0, end=1)

    def times_samples(self, sizes: Sequence[int], axis: int, tensor: str) -> str:
        """`sizes` as a list, the one at `axis` once for each sample of `tensor`."""
        several = self.draw("Mul", self.samples(tensor), self.integers(sizes[axis]))
        pieces = [
            *([self.integers(*sizes[:axis])] if axis else []),
            several,
            *([self.integers(*sizes[axis + 1 :])] if axis + 1 < len(sizes) else []),
        ]
        return self.draw("Concat", *pieces, axis=0)


Rendering = Callable[[Part], str | Sequence[str]]
"""Draws a layer and returns its output, or outputs."""

WRITTEN: dict[type[Layer], Rendering] = {}
"""By class of layers, the renderings that stand in this folder: where a card does not say all."""


Drawing = TypeVar("Drawing", bound=Rendering)


def draws(*kinds: type[Layer]) -> Callable[[Drawing], Drawing]:
    """Registers a rendering for layers of these classes."""

    def register(rendering: Drawing) -> Drawing:
        WRITTEN.update(dict.fromkeys(kinds, rendering))
        return rendering

    return register


def rendering_of(kind: type[Layer]) -> Rendering:
    """Raises KeyError where neither a rendering nor a card says so, ArchcostError of a class that others wrote."""
    if kind in WRITTEN:
        return WRITTEN[kind]
    known = kind.card.onnx
    if (registered := own.of_class(kind)) is not None:
        return _rendering_of_own(registered)
    if known is None:
        raise KeyError(f"{kind.__name__} has no rendering, and no operator on its card")

    def rendering(part: Part) -> str:
        """The operator of all inputs. Floats come of floats: torch casts integers before, ONNX does not."""
        casts = part.result.is_floating
        inputs = [part.cast(index) if casts else name for index, name in enumerate(part.inputs)]
        attributes = {name: getattr(part.layer, field) for name, field in known.attributes.items()}
        return part.draw(known.operator, *inputs, **attributes)

    return rendering


def _rendering_of_own(registered: own.OwnLayer) -> Rendering:
    """The operator of its card, in its domain: its inputs, then its weights, and as many outputs as it has."""
    written, known = registered.hook("draw"), registered.kind.card.onnx
    if written is not None:
        return written
    if known is None:
        raise ArchcostError(
            f"no operator of ONNX is told for {registered.type}",
            expected='onnx=onnx("my.domain::Name") on the card, or register_layer(draw=…)',
            found=f"{own.class_name(registered.kind)} without either",
        )
    domain, _, name = known.operator.rpartition("::")

    def rendering(part: Part) -> Sequence[str]:
        weights = [part.weight(weight.name) for weight in part.node.weights]
        fields = {name: getattr(part.layer, field) for name, field in known.attributes.items()}
        given = {name: int(value) if isinstance(value, bool) else value for name, value in fields.items()}
        attributes = {name: value for name, value in given.items() if value is not None}
        outputs = part.draw_many(name, len(part.node.output_types), *part.inputs, *weights, **attributes)
        part.operations[-1] = part.operations[-1]._replace(domain=domain)
        return outputs

    return rendering


def operator(kind: str, **attributes: Attribute) -> Rendering:
    """A layer that is one operator of all its inputs."""
    return lambda part: part.draw(kind, *part.inputs, **attributes)
