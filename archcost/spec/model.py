"""`ModelSpec`: a declared network, before any size is known.

The entries of `layers` are layers, uses of blocks, and repeats. A layer that mentions `$parameters` is kept
as a `LayerTemplate` until the graph is built and the parameters have values.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    FailFast,
    Field,
    PlainSerializer,
    PlainValidator,
    PrivateAttr,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError, PydanticKnownError

from archcost.errors import SpecError
from archcost.files.result import Result
from archcost.files.values import Path, as_list, as_mapping, as_tuples
from archcost.layers import TYPES, Declared
from archcost.layers.constructed import Constructed, refuse_change
from archcost.layers.fields import MAX_SIZE, Flag, Name, Reference
from archcost.spec.adapters import Adapters, Patterns
from archcost.spec.evaluation import Evaluation, Values
from archcost.spec.inputs import InputSpec
from archcost.spec.loss import LossText
from archcost.spec.quantized import SeveralQuantized
from archcost.spec.sections import FROZEN, Checkpoint, Published, Region, Text
from archcost.spec.sequence import TOKENS, SequenceSpec, from_word, reaches_input
from archcost.spec.source import Source
from archcost.spec.values import CheckedValue, Parameters, Value, has_expression


def check_type(type_: object) -> type[Declared]:
    """The class of a layer type."""
    if isinstance(type_, str) and type_ in TYPES:
        return TYPES[type_]
    raise PydanticCustomError("layer_type", "Input should be a layer type")


class LayerTemplate(BaseModel, metaclass=Constructed):
    """A layer some of whose fields are `$expressions`: `LayerTemplate(type="linear", out_features="$width * 2")`."""

    model_config = ConfigDict(frozen=True, extra="allow", defer_build=True)

    type: str
    name: Name | None = None
    inputs: tuple[Reference, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _check_plain_fields(cls, data: Any) -> Any:
        """Fields without `$` are held against the layer at once; the others wait for their values."""
        given = as_mapping(data)
        if given is None:
            return data
        layer = check_type(given.get("type"))
        waiting = {key for key, value in given.items() if has_expression(value) and key in layer.model_fields}
        try:
            layer.model_validate({key: value for key, value in given.items() if key not in waiting})
        except ValidationError as error:
            mistakes = [_raisable(e) for e in error.errors(include_url=False) if _is_decided(e["loc"], waiting)]
            if mistakes:
                raise ValidationError.from_exception_data(layer.__name__, mistakes) from None
        return {key: as_tuples(value) for key, value in given.items()}

    @property
    def fields(self) -> dict[str, Any]:
        return self.model_extra or {}


def _is_decided(loc: Path, waiting: set[str]) -> bool:
    """Rules about the layer as a whole, and what is said of a waiting field, may change once it has its value."""
    return bool(loc) and loc[0] not in waiting


def _raisable(error: ErrorDetails, prefix: Path = ()) -> InitErrorDetails:
    """A reported error as one that can be raised again, from further out."""
    context = error.get("ctx", {})
    told = {"message": error["msg"], "kind": error["type"], "context": context}
    kind = PydanticCustomError("told_again", "{message}", context if error["type"] == "told_again" else told)
    return InitErrorDetails(type=kind, loc=(*prefix, *error["loc"]), input=error["input"])


class BlockUse(BaseModel, metaclass=Constructed):
    """A block put in place: `BlockUse(block="stage", name="stage1", channels=64)`. Other keys are its parameters."""

    model_config = ConfigDict(frozen=True, extra="allow", defer_build=True)
    __pydantic_extra__: dict[str, CheckedValue] = Field(init=False)  # pyright: ignore[reportIncompatibleVariableOverride]

    block: Name
    name: Name | None = None
    inputs: tuple[Reference, ...] = ()
    trainable: Flag = True

    @property
    def parameters(self) -> dict[str, Value]:
        return self.model_extra or {}


def check_rounds(value: Any) -> int | str:
    if (type(value) is int and 0 <= value <= MAX_SIZE) or (isinstance(value, str) and "$" in value):
        return value
    raise PydanticCustomError(
        "repeat", "Input should be an integer from 0 to 2,147,483,647, or an expression such as $depth"
    )


class Repeat(BaseModel, metaclass=Constructed):
    """Entries put in place `repeat` times, 0 included; with a name, each time in a scope of its own, counted from 1."""

    model_config = FROZEN

    repeat: Annotated[int | str, BeforeValidator(check_rounds)]
    name: Name | None = None
    layers: Entries


Entry = Declared | LayerTemplate | BlockUse | Repeat


def parse_entry(value: Any) -> Entry:
    """Tell by its keys what an entry is, so that only the classes in use are ever built."""
    if isinstance(value, (Declared, LayerTemplate, BlockUse, Repeat)):
        return value
    given = as_mapping(value)
    kinds = [key for key in ("type", "block", "repeat") if key in (given or ())]
    if given is None or len(kinds) != 1:
        raise PydanticCustomError("entry", "Input should be a mapping with one of type, block and repeat")
    if kinds == ["block"]:
        return BlockUse.model_validate(given)
    if kinds == ["repeat"]:
        return Repeat.model_validate(given)
    layer = check_type(given["type"])
    return (LayerTemplate if any(map(has_expression, given.values())) else layer).model_validate(given)


def dump_entry(entry: Entry) -> dict[str, Any]:
    """The mapping an entry is written as: only what differs from the defaults, kind first."""
    if isinstance(entry, Repeat):
        head = {"repeat": entry.repeat} | ({"name": entry.name} if entry.name else {})
        return {**head, "layers": [dump_entry(inner) for inner in entry.layers]}
    kind = "block" if isinstance(entry, BlockUse) else "type"
    fields = entry.model_dump(exclude_defaults=True, mode="json")
    return {kind: getattr(entry, kind), **{key: value for key, value in fields.items() if key != kind}}


MOST_MISTAKES = 100
"""That are looked for in one list of entries, or among blocks: a hundred thousand must not make as many."""


def check_entries(value: Any) -> tuple[Entry, ...]:
    """Entries one by one, so that each wrong one is told."""
    given = as_list(value)
    if given is None:
        raise PydanticKnownError("tuple_type")
    entries: list[Entry] = []
    mistakes: list[InitErrorDetails] = []
    for index, entry in enumerate(given):
        try:
            entries.append(parse_entry(entry))
        except ValidationError as error:
            mistakes += [_raisable(e, (index,)) for e in error.errors(include_url=False)]
        except PydanticCustomError as error:
            mistakes.append(InitErrorDetails(type=error, loc=(index,), input=entry))
        if len(mistakes) >= MOST_MISTAKES:
            break
    if mistakes:
        raise ValidationError.from_exception_data("Entries", mistakes[:MOST_MISTAKES])
    return tuple(entries)


def dump_entries(entries: tuple[Entry, ...]) -> list[dict[str, Any]]:
    return [dump_entry(entry) for entry in entries]


Entries = Annotated[
    tuple[Entry, ...],
    PlainValidator(check_entries),
    PlainSerializer(dump_entries, return_type=list[dict[str, Any]]),
]


class Block(BaseModel, metaclass=Constructed):
    """Entries under a name, with parameters and their defaults; null means that every use must give a value.

    `outputs` are what the block returns, where that is not what its last layer does.
    """

    model_config = FROZEN

    parameters: Parameters = {}
    outputs: Annotated[tuple[Reference, ...], Field(min_length=1)] | None = None
    layers: Entries


def check_blocks(value: Any) -> Any:
    """Blocks one by one, so that each wrong one is told."""
    given = as_mapping(value)
    if given is None:
        return value
    blocks: dict[str, Any] = {}
    mistakes: list[InitErrorDetails] = []
    for name, block in given.items():
        try:
            blocks[name] = Block.model_validate(block)
        except ValidationError as error:
            mistakes += [_raisable(e, (name,)) for e in error.errors(include_url=False)]
        if len(mistakes) >= MOST_MISTAKES:
            break
    if mistakes:
        raise ValidationError.from_exception_data("Block", mistakes[:MOST_MISTAKES])
    return blocks


class ModelSpec(BaseModel, metaclass=Constructed):
    """A network: what goes in, layers in order, and what is known about it."""

    model_config = FROZEN

    if not TYPE_CHECKING:
        __setattr__ = refuse_change

    name: Name
    title: Text | None = None
    citation: Text | None = None
    published: Published | None = None
    altered: tuple[Text, ...] = ()
    """What `--set` and `--input` have put in place of what was declared, such as `depth3=2`."""
    declared_inputs: dict[Name, InputSpec] = Field(min_length=1, alias="inputs")
    """`inputs` as written: sizes of their shapes may be `$expressions`."""
    loss: LossText = "sum"
    parameters: Parameters = {}
    sequence: Annotated[SequenceSpec | None, BeforeValidator(from_word)] = None
    """Which parameter is the length of the sequence, where it is not `tokens`, and how long it can be."""
    blocks: Annotated[dict[Name, Block], BeforeValidator(check_blocks)] = {}
    layers: Entries
    outputs: tuple[Reference, ...] | None = Field(default=None, min_length=1)
    """What the network returns, and the loss sums; where nothing is said, what no layer reads."""
    holds: dict[Name, Annotated[tuple[Reference, ...], Field(min_length=1)]] = {}
    """By layer what it does not read, and what lives until it is done all the same: a variable of forward names it."""
    state: dict[Reference, Name] = {}
    """What the module itself keeps from step to step, each until this layer of the next step is done."""
    autocast: tuple[Region, ...] = ()
    """Where the module switches autocast on or off by itself."""
    checkpoints: Annotated[tuple[Checkpoint, ...], FailFast()] = ()
    """What the module itself computes again in backward."""
    assumptions: tuple[Text, ...] = ()
    """What the numbers rest on beside what is declared; every report tells it."""

    freeze: Patterns = ()
    """Layers that are not trained, by their names or those of blocks around them, with `*` as a shell has it."""
    train: Patterns = ()
    """Layers that are trained all the same."""
    adapt: Adapters = ()
    """Adapters beside layers. With one, whatever is none of an adapter and not in `train` is frozen."""
    weights: SeveralQuantized = ()
    """How linear layers keep their frozen weights, where that is in few bits."""

    parameter_order: Annotated[tuple[Name, ...], FailFast()] = ()
    """In which order an optimizer has the parameters, where it is not that of the layers: each name takes those of a
    layer, of all layers under it, or one (`fc.bias`) that no name before it took. Those of no name come last.
    """

    _source: Source = PrivateAttr(default=Source(""))
    _gaps: Mapping[Path, SpecError] = PrivateAttr(default={})

    @model_validator(mode="before")
    @classmethod
    def _name_inputs(cls, data: Any) -> Any:
        """`input: [3, 32, 32]` is one input called `input`; a bare shape stands for a float32 input."""
        given = as_mapping(data)
        if given is None or ("input" in given and "inputs" in given):
            return data  # and `input` is refused as an unknown field
        named = {"input": given["input"]} if "input" in given else as_mapping(given.get("inputs"))
        if named is None:
            return data
        inputs = {name: value if as_list(value) is None else {"shape": value} for name, value in named.items()}
        return {**{key: value for key, value in given.items() if key != "input"}, "inputs": inputs}

    def __repr__(self) -> str:
        return f"<ModelSpec: {self.label}, {len(self.layers):,} entries>"

    def __str__(self) -> str:
        """The spec as YAML."""
        return self.to_yaml()

    def _repr_html_(self) -> str:
        return Result.shown_by(self, "html")

    @property
    def has_batch(self) -> bool:
        """Whether any input has an axis for the batch."""
        return any(given.batched for given in self.declared_inputs.values())

    @property
    def values(self) -> Values:
        """The network's own parameters, those that are expressions worked out. Raises SpecError."""
        return Evaluation(self.source).with_defaults(self.parameters, {}, {}, self.name, ("parameters",))

    @property
    def inputs(self) -> Mapping[str, InputSpec]:
        """What goes in, with the sizes that the network's parameters give. Raises SpecError where they give none."""
        if not any(given.has_expression for given in self.declared_inputs.values()):
            return self.declared_inputs
        evaluation, values = Evaluation(self.source), self.values
        return {
            name: given.filled(evaluation, values, ("inputs", name)) if given.has_expression else given
            for name, given in self.declared_inputs.items()
        }

    @property
    def sequence_parameter(self) -> str | None:
        """The parameter that is the length of the sequence; None where no input's size follows from one."""
        if self.sequence is not None:
            return self.sequence.parameter
        given = self.declared_inputs.values()
        return TOKENS if TOKENS in self.parameters and reaches_input(TOKENS, self.parameters, given) else None

    @property
    def label(self) -> str:
        """The name in reports: what is altered is not told under the plain name."""
        told = (*self.altered, *self.changes)
        return f"{self.name} ({', '.join(told)})" if told else self.name

    @property
    def changes(self) -> tuple[str, ...]:
        """What of the network is frozen, trained, adapted and quantised, as the command line takes it."""
        patterns = {"freeze": self.freeze, "train": self.train}
        told = [f"{word} {','.join(each)}" for word, each in patterns.items() if each]
        told += [f"adapt {adapter}" for adapter in self.adapt]
        return (*told, *(f"weights {how}" for how in self.weights))

    @property
    def source(self) -> Source:
        return self._source

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """The spec with other values in some of its fields; `inputs` means those that are declared."""
        fields = {"declared_inputs" if key == "inputs" else key: value for key, value in (update or {}).items()}
        unknown = fields.keys() - type(self).model_fields.keys()
        if unknown:
            raise TypeError(f"no field of a spec: {', '.join(sorted(unknown))}")
        return super().model_copy(update=fields, deep=deep)

    @property
    def gaps(self) -> Mapping[Path, SpecError]:
        """By path the mistakes in entries that have been left out to look for more; none in a spec that was loaded."""
        return self._gaps

    def with_source(self, source: Source, gaps: Mapping[Path, SpecError] = {}) -> ModelSpec:
        copy = self.model_copy()
        copy._source = source
        copy._gaps = gaps
        return copy

    def to_dict(self) -> dict[str, Any]:
        """The mapping that loads back to an equal spec."""
        return self.model_dump(exclude_defaults=True, mode="json", by_alias=True)

    def to_yaml(self) -> str:
        """YAML that loads back to an equal spec."""
        import yaml

        from archcost.spec.dump import SpecDumper

        return yaml.dump(  # pyright: ignore[reportUnknownMemberType]
            self.to_dict(), Dumper=SpecDumper, sort_keys=False, allow_unicode=True, width=120
        )


Repeat.model_rebuild()
