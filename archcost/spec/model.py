"""`ModelSpec`: a declared network, before any size is known.

The entries of `layers` are layers, uses of blocks, and repeats. A layer that mentions `$parameters` is kept
as a `LayerTemplate` until the graph is built and the parameters have values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    PrivateAttr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from archcost.errors import Place, nearest
from archcost.layers import LAYERS, Layer
from archcost.layers.base import Count, Flag, Name, Reference, Size
from archcost.tensors import DTYPE_BYTES

FROZEN = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True)

Value = int | float | str | bool | None | tuple[Any, ...]
"""What a parameter may hold."""

LOSSES = ("cross_entropy", "mse", "l1", "sum", "none")


def has_expression(value: Any) -> bool:
    """Whether a `$` stands anywhere in a field's value."""
    if isinstance(value, str):
        return "$" in value
    return isinstance(value, (list, tuple)) and any(has_expression(entry) for entry in value)  # pyright: ignore[reportUnknownVariableType]


def check_type(type_: Any) -> type[Layer]:
    """The class of a layer type. Raises PydanticCustomError with the nearest names."""
    if isinstance(type_, str) and type_ in LAYERS:
        return LAYERS[type_]
    hint = nearest(type_, LAYERS) if isinstance(type_, str) else None
    raise PydanticCustomError("layer_type", "unknown layer type", {"hint": hint} if hint else {})


class LayerTemplate(BaseModel):
    """A layer some of whose fields are `$expressions`: `LayerTemplate(type="linear", out_features="$width * 2")`."""

    model_config = ConfigDict(frozen=True, extra="allow", defer_build=True)

    type: str
    name: Name | None = None
    inputs: tuple[Reference, ...] = ()

    @model_validator(mode="after")
    def _known_fields(self) -> LayerTemplate:
        layer = check_type(self.type)
        for key in self.fields:
            if key not in layer.model_fields:
                raise extra_field(key, layer.model_fields)
        return self

    @property
    def fields(self) -> dict[str, Any]:
        return self.model_extra or {}


def extra_field(key: str, known: Mapping[str, Any]) -> ValidationError:
    error = PydanticCustomError("extra_field", "unknown field", {"known": ", ".join(known)})
    return ValidationError.from_exception_data("layer", [InitErrorDetails(type=error, loc=(key,), input=key)])


class BlockUse(BaseModel):
    """A block put in place: `BlockUse(block="stage", name="stage1", channels=64)`. Other keys are its parameters."""

    model_config = ConfigDict(frozen=True, extra="allow", defer_build=True)

    block: Name
    name: Name | None = None
    inputs: tuple[Reference, ...] = ()
    trainable: Flag = True

    @model_validator(mode="before")
    @classmethod
    def _freeze_lists(cls, data: Any) -> Any:
        return {key: as_tuples(value) for key, value in data.items()} if isinstance(data, dict) else data  # pyright: ignore[reportUnknownVariableType]

    @property
    def parameters(self) -> dict[str, Value]:
        return self.model_extra or {}


def as_tuples(value: Any) -> Any:
    return tuple(as_tuples(entry) for entry in value) if isinstance(value, (list, tuple)) else value  # pyright: ignore[reportUnknownVariableType]


class Repeat(BaseModel):
    """Entries put in place `repeat` times, 0 included; with a name, each time in a scope of its own, counted from 1."""

    model_config = FROZEN

    repeat: Count | str
    name: Name | None = None
    layers: Entries

    @field_validator("repeat")
    @classmethod
    def _expression(cls, value: int | str) -> int | str:
        if isinstance(value, str) and "$" not in value:
            raise PydanticCustomError("repeat", "Input should be an integer from 0 or a $parameter")
        return value


def parse_entry(value: Any) -> Layer | LayerTemplate | BlockUse | Repeat:
    """Tell by its keys what an entry is, so that only the classes in use are ever built."""
    if isinstance(value, (Layer, LayerTemplate, BlockUse, Repeat)):
        return value
    if not isinstance(value, dict):
        raise PydanticCustomError("entry", "Input should be a layer: a mapping with type, block or repeat")
    data: dict[str, Any] = value
    kinds = [key for key in ("type", "block", "repeat") if key in data]
    if len(kinds) != 1:
        raise PydanticCustomError("entry", "Input should have exactly one of type, block and repeat")
    if kinds == ["block"]:
        return BlockUse.model_validate(data)
    if kinds == ["repeat"]:
        return Repeat.model_validate(data)
    layer = check_type(data["type"])
    if any(has_expression(entry) for entry in data.values()):
        return LayerTemplate.model_validate({key: as_tuples(entry) for key, entry in data.items()})
    return layer.model_validate(data)


def dump_entry(entry: Layer | LayerTemplate | BlockUse | Repeat) -> dict[str, Any]:
    """The mapping an entry is written as: only what differs from the defaults, kind first."""
    if isinstance(entry, Repeat):
        head = {"repeat": entry.repeat} | ({"name": entry.name} if entry.name else {})
        return {**head, "layers": [dump_entry(inner) for inner in entry.layers]}
    kind = "block" if isinstance(entry, BlockUse) else "type"
    fields = entry.model_dump(exclude_defaults=True, mode="json")
    return {kind: getattr(entry, kind), **{key: value for key, value in fields.items() if key != kind}}


Entry = Layer | LayerTemplate | BlockUse | Repeat
Entries = tuple[
    Annotated[Entry, PlainValidator(parse_entry), PlainSerializer(dump_entry, return_type=dict[str, Any])], ...
]


class InputSpec(BaseModel):
    """Shape of one sample, and dtype by torch's name."""

    model_config = FROZEN

    shape: tuple[Size, ...]
    dtype: str = "float32"

    @field_validator("dtype")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in DTYPE_BYTES:
            raise PydanticCustomError("dtype", f"Input should be one of {', '.join(DTYPE_BYTES)}")
        return value


class Block(BaseModel):
    """Entries under a name, with parameters and their defaults; null means that every use must give a value."""

    model_config = FROZEN

    parameters: dict[str, Annotated[Value, BeforeValidator(as_tuples)]] = {}
    layers: Entries


Percent = Annotated[float, Field(strict=True, ge=0, le=100)]


class Published(BaseModel):
    """Figures as printed in `source`. A count is an exact integer, or text with the digits it was printed with (`138 M`)."""

    model_config = FROZEN

    parameters: Annotated[int, Field(strict=True)] | str | None = None
    macs: Annotated[int, Field(strict=True)] | str | None = None
    top1_error: Percent | None = None
    top5_error: Percent | None = None
    source: str | None = None


Mark = tuple[str, int, int]
"""File, line and column."""


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """Where the parts of a spec stand in its files, for messages. Two specs are equal wherever they were read."""

    file: str
    marks: Mapping[tuple[str | int, ...], Mark] = field(default_factory=dict[tuple[str | int, ...], Mark])

    def place(self, path: tuple[str | int, ...]) -> Place | None:
        """The nearest known place at or above a path into the spec."""
        for length in range(len(path), -1, -1):
            if path[:length] in self.marks:
                return Place(*self.marks[path[:length]])
        return None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Source)

    def __hash__(self) -> int:
        return 0


class ModelSpec(BaseModel):
    """A network: what goes in, layers in order, and what is known about it."""

    model_config = FROZEN

    name: Name
    title: str | None = None
    citation: str | None = None
    published: Published | None = None
    inputs: dict[Name, InputSpec]
    loss: Literal["cross_entropy", "mse", "l1", "sum", "none"] = "sum"
    parameters: dict[str, Annotated[Value, BeforeValidator(as_tuples)]] = {}
    blocks: dict[Name, Block] = {}
    layers: Entries

    _source: Source = PrivateAttr(default=Source(""))

    @model_validator(mode="before")
    @classmethod
    def _normalize_inputs(cls, data: Any) -> Any:
        """`input: [3, 32, 32]` is one input called `input`; a bare shape stands for a float32 input."""
        if not isinstance(data, dict):
            return data
        given: dict[str, Any] = dict(data)  # pyright: ignore[reportUnknownArgumentType]
        if "input" in given:
            if "inputs" in given:
                raise PydanticCustomError("inputs", "Input should have either input or inputs, not both")
            given["inputs"] = {"input": given.pop("input")}
        inputs = given.get("inputs")
        if isinstance(inputs, dict):
            bare: dict[str, Any] = inputs
            given["inputs"] = {k: {"shape": v} if isinstance(v, (list, tuple)) else v for k, v in bare.items()}
        return given

    @field_validator("inputs")
    @classmethod
    def _at_least_one(cls, value: dict[str, InputSpec]) -> dict[str, InputSpec]:
        if not value:
            raise PydanticCustomError("inputs", "Input should have at least one input")
        return value

    @property
    def source(self) -> Source:
        return self._source

    def with_source(self, source: Source) -> ModelSpec:
        copy = self.model_copy()
        copy._source = source
        return copy

    def to_dict(self) -> dict[str, Any]:
        """The mapping that loads back to an equal spec."""
        return self.model_dump(exclude_defaults=True, mode="json")

    def to_yaml(self) -> str:
        """YAML that loads back to an equal spec."""
        import yaml

        from archcost.spec.dump import SpecDumper

        return yaml.dump(self.to_dict(), Dumper=SpecDumper, sort_keys=False, allow_unicode=True, width=120)


Repeat.model_rebuild()
