"""A function that brings its own backward (torch.autograd.Function): what that keeps, makes and computes.

Its forward consists of ordinary layers, which run without autograd; this one stands behind them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, Self

from pydantic import Field, PlainSerializer, PlainValidator, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from archcost.errors import ShapeError, listing, nearest
from archcost.files.values import as_mapping
from archcost.layers.base import Arity, Layer, is_view
from archcost.layers.card import Card
from archcost.layers.fields import Flag, Name, Reference
from archcost.layers.parameter import uncalled
from archcost.layers.rules import Autograd, Call, NewView, Placement
from archcost.layers.shape.copy import WEIGHTS
from archcost.tensors import ALL_BYTES, Tensors, TensorType
from archcost.terms.autograd import Gradient, Handed, Input, Own, Setting, excess
from archcost.work import Copy, Shared, Work

MOST_LAYERS = 10_000
MOST_INPUTS = 1_000
EVERY = frozenset(range(MOST_INPUTS))

Index = Annotated[int, Field(strict=True, ge=0, lt=MOST_INPUTS)]
Indices = Annotated[tuple[Index, ...], Field(max_length=MOST_INPUTS)]
GIVEN = ("grad", "input")
"""What a backward reads beside its own layers: the gradients that arrive, and the inputs of the whole."""


def parse_layer(value: Any) -> Layer:
    """A layer within a backward, with a name and what it reads."""
    from archcost.layers import LAYERS  # which this layer is one of

    given = as_mapping(value)
    type_ = value.type if isinstance(value, Layer) else (given or {}).get("type")
    if not isinstance(type_, str) or type_ not in LAYERS or type_ == "function":
        raise PydanticCustomError("backward_layer", "Input should be a layer, of another type than function")
    layer = value if isinstance(value, Layer) else LAYERS[type_].model_validate(given)
    if layer.name is None or layer.name in GIVEN:
        raise PydanticCustomError("backward_name", "Input should have a name, and none of grad and input")
    return layer


def dump_layer(layer: Layer) -> dict[str, Any]:
    return {"type": layer.type, **layer.model_dump(exclude_defaults=True, mode="json")}


BackwardLayer = Annotated[
    Layer, PlainValidator(parse_layer, json_schema_input_type=dict[str, Any]), PlainSerializer(dump_layer)
]


def written(stem: str, index: int) -> str:
    """`input` for the first, `input:1` for the second."""
    return f"{stem}:{index}" if index else stem


def reads_of(layer: Layer) -> tuple[str, ...]:
    """All that a layer reads, weights that it is given as well."""
    return (*layer.inputs, *getattr(layer, "given", {}).values())


class Step(NamedTuple):
    """A layer of a backward with what goes in and comes out."""

    layer: Layer
    inputs: Tensors
    outputs: Tensors
    cast: int = 0
    """The bytes of autocast's copies of what goes in."""

    @property
    def names(self) -> tuple[str, ...]:
        return tuple([written(str(self.layer.name), index) for index in range(len(self.outputs))])


@dataclass(frozen=True, slots=True)
class Places:
    """Where each tensor of a backward lies: in the storage of that name, whose own are in `sizes`."""

    storages: Mapping[str, str]
    sizes: Mapping[str, TensorType]
    views: frozenset[str]
    brief: tuple[int, ...]
    """By step, the bytes that live only while it runs."""


class OwnBackward(Layer):
    """A torch.autograd.Function, `op` by its name. Its inputs are first its `arguments`, as many as have a gradient,
    then what its forward, which stands before it, has made and it returns or holds.

    `returns` says which input each output is, `kept` which are saved for backward, and `held` which stay as attributes
    of `ctx` until the loss goes. `backward` are layers, each with a name, that read `grad`, `grad:1`, `input`,
    `input:1` or each other; `holds` says of one what lives until it is done, though nobody reads it any more. `gives`
    names for each argument its gradient, or null. `fills` puts zeros where no gradient arrives, `ambient` runs backward
    under the autocast of forward (torch.amp.custom_bwd). With `unknown`, the reason, what backward does is not known.
    """

    type: Literal["function"] = "function"
    prefix: ClassVar[str] = "function"
    arity: ClassVar[Arity] = Arity(1, None)
    card: ClassVar[Card] = uncalled("free", "named")
    op: Annotated[str, StringConstraints(strict=True, min_length=1, max_length=200)]
    arguments: Annotated[int, Field(strict=True, ge=1, lt=MOST_INPUTS)] = 1
    returns: Annotated[tuple[Index, ...], Field(min_length=1, max_length=MOST_INPUTS)]
    kept: Indices = ()
    held: Indices = ()
    backward: Annotated[tuple[BackwardLayer, ...], Field(max_length=MOST_LAYERS)] = ()
    holds: dict[Name, tuple[Reference, ...]] = Field(default_factory=dict[str, tuple[str, ...]])
    gives: Annotated[tuple[Reference | None, ...], Field(max_length=MOST_INPUTS)] = ()
    fills: Flag = True
    ambient: Flag = False
    unknown: Annotated[str, StringConstraints(strict=True, min_length=1, max_length=1000)] | None = None

    @model_validator(mode="after")
    def _says_where_each_gradient_comes_from(self) -> Self:
        if self.unknown is not None:
            if self.backward or self.gives:
                raise PydanticCustomError("unknown_backward", "Input should have no backward and gives beside unknown")
            return self
        if len(self.gives) != self.arguments:
            raise PydanticCustomError("gives", "Input should give each argument a gradient, or null")
        known = {str(layer.name) for layer in self.backward}
        if len(known) != len(self.backward):
            raise PydanticCustomError("backward_names", "Input should have a name of its own for each layer")
        if any(name not in known for name in self.holds):
            raise PydanticCustomError("holds", "Input should hold until layers of its backward, by their names")
        return self

    @property
    def is_unknown(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Where its backward is, or a part of it."""
        return self.unknown is not None or any(layer.is_unknown for layer in self.backward)

    @property
    def assumption(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        return f"what the backward of {self.op} does is not known: {self.unknown}" if self.unknown else ""

    @property
    def untouched(self) -> frozenset[int]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """All but the arguments that get a gradient."""
        without = [index for index, name in enumerate(self.gives) if name is None]
        return EVERY.difference(range(self.arguments)).union(without)

    @property
    def asked(self) -> frozenset[int]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """What is neither an argument nor returned nor held tells backward how many samples there are, and no more."""
        return EVERY.difference(range(self.arguments), self.returns, self.kept, self.held)

    def output_types(self, inputs: Tensors) -> Tensors:
        most = max(self.arguments - 1, *self.returns, *self.kept, *self.held)
        if most >= len(inputs):
            raise ShapeError("names an input that it does not have", expected=f"{len(inputs)} inputs", found=str(most))
        outputs = tuple([inputs[index] for index in self.returns])
        types = self._types(self._steps(inputs, outputs), inputs, outputs)
        for name in (*self.gives, *(name for names in self.holds.values() for name in names)):
            if name is not None and name not in types:
                raise _unread(name, types, "gives or holds")
        return outputs

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        """Forward was done by the layers before; backward does its own once, whichever gradient is wanted."""
        operands = tuple(range(self.arguments))
        parts = [
            Shared(part, operands, f"its backward: {step.layer.name}")
            for step in self._steps(inputs, outputs)
            for part in step.layer.work(step.inputs, step.outputs)
            if not isinstance(part, Shared)
        ]
        return (Copy(outputs[0].numel, 0, {}, "returned as it was made"), *parts)

    def autograd(self, call: Call) -> Autograd:
        """It keeps what is saved or held. What arrived is handed on, where backward does so, or seen otherwise; all
        else is new.
        """
        places = self._places(call)
        saved = tuple([Input(index) for index in dict.fromkeys((*self.kept, *self.held))])
        given: Sequence[Gradient] = call.inputs[: self.arguments]
        new: Sequence[Gradient | NewView] = given
        if self.unknown is None:
            given = [self._gradient(*pair, places) for pair in zip(call.inputs, self.gives, strict=False)]
            new = [
                NewView(each) if isinstance(each, TensorType) and name in places.views else each
                for each, name in zip(given, self.gives, strict=True)
            ]
        others = (None,) * (len(call.inputs) - self.arguments)
        return Autograd(
            saved,
            (*new, *others),
            backward=self._made(call, given, places),
            outlives=self.held,
            zeros=call.outputs if self.fills else (),
        )

    def placement(self, call: Call) -> Placement:
        """An argument that is returned as it came is a view (`_view_as_self_with_no_grad` in custom_function.cpp)."""
        layouts = tuple([call.setting.layout(index) for index in self.returns])
        return Placement(self.returns, layouts, is_view=self.returns[0] < self.arguments)

    def _gradient(self, tensor: TensorType, name: str | None, places: Places) -> Gradient:
        if name is None:
            return None
        storage = places.storages[name]
        stem, _, index = storage.partition(":")
        if stem == "grad":
            return Handed(int(index or 0), is_view=name in places.views)
        shared = sum(places.storages[each] == storage for each in self.gives if each is not None) > 1
        return tensor if shared or stem == "input" else TensorType(places.sizes[storage].shape, tensor.dtype)

    def _made(self, call: Call, given: Sequence[Gradient], places: Places) -> tuple[Own, ...]:
        """The most that backward's own tensors take up at once beyond the gradients that are wanted of it."""
        most = max([live + brief for live, brief in zip(self._live(places), places.brief, strict=True)], default=0)
        wanted = [
            (each.nbytes, places.sizes.get(name or "", each).nbytes)
            for index, (each, name) in enumerate(zip(given, self.gives, strict=False))
            if call.needs(index) and isinstance(each, TensorType)
        ]
        returned = [tensor for index, tensor in enumerate(call.outputs) if written("grad", index) not in self.gives]
        gone = sum([tensor.nbytes for tensor in returned])
        over = max(most, _casting(wanted) - gone) - sum([nbytes for nbytes, _ in wanted])
        return excess("what backward makes on the way", over, "uint8")

    def _steps(self, inputs: Tensors, outputs: Tensors) -> Iterator[Step]:
        """The layers of backward with their shapes. Raises ShapeError."""
        types = _arriving(inputs, outputs)
        lowered = _lowered(inputs) if self.ambient else None
        for layer in self.backward:
            step = _step(layer, types, inputs[0].dtype, lowered)
            types.update(zip(step.names, step.outputs, strict=True))
            yield step

    def _types(self, steps: Iterable[Step], inputs: Tensors, outputs: Tensors) -> dict[str, TensorType]:
        types = _arriving(inputs, outputs)
        for step in steps:
            types.update(zip(step.names, step.outputs, strict=True))
        return types

    def _places(self, call: Call) -> Places:
        """Where its tensors lie. Autograd looks away while it runs."""
        inputs, outputs, setting = call.inputs, call.outputs, call.setting
        storages = {name: name for name in _arriving(inputs, outputs)}
        layouts = {written("input", index): setting.layout(index) for index in range(len(inputs))}
        sizes: dict[str, TensorType] = {}
        views: set[str] = set()
        brief: list[int] = []
        for step in self._steps(inputs, outputs):
            layer, types, made, cast = step
            lying = tuple([layouts.get(name) for name in layer.inputs])
            inner = Setting(frozenset(), setting.training, setting.device, lying)
            within = Call(types, made, inner)
            autograd, placement = layer.autograd(within), layer.placement(within)
            laid = zip(step.names, placement.aliases, placement.layouts, placement.allocated or made, strict=True)
            for name, alias, layout, whole in laid:
                layouts[name] = layout
                if alias is None:
                    storages[name], sizes[name] = name, whole
                    continue
                seen = getattr(layer, "given", {})[alias] if isinstance(alias, str) else layer.inputs[alias]
                storages[name] = storages[seen]
                if is_view(layer, within, placement, autograd) or seen in views:
                    views.add(name)
            temporaries = (*autograd.own(), *autograd.where_nobody_needs())
            brief.append(cast + sum([own.tensor.nbytes for own in temporaries]))
        return Places(storages, sizes, frozenset(views), tuple(brief))

    def _live(self, places: Places) -> Iterator[int]:
        """By step, the bytes of its own tensors: each until the last who reads or holds it, or to the end."""
        begins = {str(layer.name): number for number, layer in enumerate(self.backward)}
        last: dict[str, int] = {}
        for number, layer in enumerate(self.backward):
            for name in (*reads_of(layer), *self.holds.get(str(layer.name), ())):
                last[name] = number
        last.update(dict.fromkeys([name for name in self.gives if name is not None], len(self.backward)))
        ends: dict[str, int] = {}
        for name, storage in places.storages.items():
            if storage in places.sizes:
                end = last.get(name, begins[name.partition(":")[0]])
                ends[storage] = max(ends.get(storage, 0), end)
        changes = [0] * (len(self.backward) + 2)
        for storage, end in ends.items():
            changes[begins[storage.partition(":")[0]]] += places.sizes[storage].nbytes
            changes[end + 1] -= places.sizes[storage].nbytes
        live = 0
        for change in changes[: len(self.backward)]:
            live += change
            yield live


def _casting(given: Sequence[tuple[int, int]]) -> int:
    """The most bytes while autograd's engine casts gradients, one after the other, to the dtypes that are wanted.

    What had arrived has gone by then: only backward's own arguments held it.
    """
    left, made, most = sum([own for _, own in given]), 0, 0
    for wanted, own in given:
        most = max(most, made + left + (wanted if wanted != own else 0))
        left, made = left - own, made + wanted
    return most


def _arriving(inputs: Tensors, outputs: Tensors) -> dict[str, TensorType]:
    """What a backward may read before it has computed anything."""
    types = {written("input", index): tensor for index, tensor in enumerate(inputs)}
    return types | {written("grad", index): tensor for index, tensor in enumerate(outputs)}


def _lowered(inputs: Tensors) -> str | None:
    """The dtype of an autocast, where one is on: 16 bits meet 32 there and nowhere else."""
    dtypes = {tensor.dtype for tensor in inputs}
    return next((dtype for dtype in ("bfloat16", "float16") if {dtype, "float32"} <= dtypes), None)


def _step(layer: Layer, types: Mapping[str, TensorType], dtype: str, lowered: str | None) -> Step:
    """`dtype` is that of the first argument: what follows the weights elsewhere follows it. `lowered` is autocast's.

    Raises ShapeError, told of the layer of backward.
    """
    for name in reads_of(layer):
        if name not in types:
            raise _unread(name, types, f"{layer.name} of its backward reads")
    inputs = tuple([types[name] for name in layer.inputs])
    arriving = inputs
    if lowered is not None and layer.precision(inputs, "cpu").treatment == "16 bits":
        inputs = tuple([TensorType(each.shape, lowered) if each.dtype == "float32" else each for each in inputs])
    cast = sum([each.nbytes for each, before in zip(inputs, arriving, strict=True) if each != before])
    least, most = layer.arity
    if len(inputs) < least or (most is not None and len(inputs) > most):
        raise ShapeError(
            f"{layer.name} of its backward has the wrong number of inputs",
            expected=str(layer.arity),
            found=str(len(inputs)),
        )
    try:
        outputs = _outputs(layer, inputs)
        lacking = [weight.name for weight in layer.weights(inputs) if weight.name not in getattr(layer, "given", {})]
    except ShapeError as error:
        problem = f"{layer.name} of its backward: {error.problem}"
        raise ShapeError(problem, expected=error.expected, found=error.found, hint=error.hint) from None
    if lacking:
        raise ShapeError(
            f"{layer.name} of its backward has weights of its own",
            expected="given: a tensor for each weight",
            found=listing(lacking),
        )
    if getattr(layer, "dtype", None) == WEIGHTS:
        outputs = tuple([TensorType(each.shape, dtype) for each in outputs])
    return Step(layer, inputs, outputs, cast)


def _outputs(layer: Layer, inputs: Tensors) -> Tensors:
    """In a precision of a run not all dtypes may be what they were: then the widest is taken. Raises ShapeError."""
    try:
        return layer.output_types(inputs)
    except ShapeError:
        floats = {tensor.dtype for tensor in inputs if tensor.is_floating}
        if len(floats) < 2:
            raise
        widest = max(floats, key=ALL_BYTES.__getitem__)
        return layer.output_types(
            tuple([TensorType(each.shape, widest) if each.is_floating else each for each in inputs])
        )


def _unread(name: str, types: Mapping[str, TensorType], who: str) -> ShapeError:
    return ShapeError(
        f"{who} what is not there before it",
        expected="grad, input, or a layer of the backward before it",
        found=name,
        hint=nearest(name, types),
    )
