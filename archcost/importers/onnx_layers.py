"""`Net`: the layers recorded while an ONNX graph is read, each checked by its own rules for shapes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from archcost.errors import ShapeError
from archcost.importers.naming import TIED
from archcost.importers.onnx_values import UnsupportedError, Value, from_batch, samples_in
from archcost.importers.recorded import Entry, Ref
from archcost.layers import LAYERS, Layer
from archcost.layers.fields import MAX_SIZE
from archcost.tensors import DTYPE_BYTES, Tensors, TensorType

BUFFERS = ("running_mean", "running_var")
"""Weights of layers that are never trained."""


@dataclass(frozen=True, slots=True)
class HeldWeight:
    """A weight that a layer uses. It is an initializer of the file, or an input marked as a weight."""

    tensor: TensorType
    is_buffer: bool
    trainable: bool = True


class Net:
    """The entries so far.

    `held` are tensors of the file, `buffers` the names of those that it marks as such. `apart` are weights that are
    used in several orientations: they are layers of their own, and some users are given a transpose of them.
    """

    def __init__(
        self, inputs: Sequence[Value], held: Mapping[str, TensorType], buffers: frozenset[str], apart: frozenset[str]
    ) -> None:
        self.inputs = inputs
        self.batch_first: Value | None = None
        self.held = dict(held)
        self.buffers = buffers
        self.apart = apart
        self.entries: list[Entry] = []
        self.weights: dict[str, HeldWeight] = {}
        self.turned: set[tuple[int, str]] = set()
        """Weights of entries (by number and name) that the file has transposed, or in another shape."""
        self.standalone: dict[int, tuple[Value, Ref]] = {}

    @property
    def batched(self) -> Value:
        """The input that layers read for the size of the batch: one with the batch first, or a transpose of one."""
        if self.batch_first is None:
            places = [(from_batch(value.shape)[0], value) for value in self.inputs if from_batch(value.shape)]
            axis, value = min(places, key=lambda place: place[0])
            turned = {"dim0": 0, "dim1": axis}
            self.batch_first = self.layer("", "transpose", (value,), {}, turned)[0] if axis else value
        return self.batch_first

    def layer(
        self,
        path: str,
        type_: str,
        reads: Sequence[Value],
        weights: Mapping[str, Value],
        fields: Mapping[str, Any],
        sized: bool = False,
    ) -> tuple[Value, ...]:
        """Record a layer, and return its outputs. Of constant inputs alone the outputs are constant, without a layer.

        `sized` adds an input that is read for the size of the batch. Raises UnsupportedError for fields that the
        layer does not take, ShapeError where its rules refuse the inputs.
        """
        layer = checked_layer(type_, fields)
        types = [value.tensor for value in reads]
        outputs = layer.output_types(tuple([*types, self.batched.tensor] if sized else types))
        require_known(outputs)
        _require_fitting(layer, tuple(types), weights)
        if reads and not weights and all(value.is_constant for value in reads):
            return tuple(Value(tensor) for tensor in outputs)
        refs = [self.reference(value, path) for value in reads]
        if sized:
            refs.append(self.reference(self.batched, path))
        used = {slot: self._use(slot, value, path) for slot, value in weights.items()}
        number = self._add(Entry(layer, tuple(refs), used, path))
        self.turned |= {(number, slot) for slot, value in weights.items() if self._is_reoriented(value)}
        sources = () if weights or sized else _sources(reads)
        return tuple(
            Value(tensor, Ref("entry", number, index), before_batch=_before_batch(tensor, reads), sources=sources)
            for index, tensor in enumerate(outputs)
        )

    def _add(self, entry: Entry) -> int:
        self.entries.append(entry)
        return len(self.entries) - 1

    def reference(self, value: Value, path: str) -> Ref:
        """Where a value comes from. A tensor of the file, or one computed of shapes, becomes a layer of its own."""
        if value.ref is not None:
            return value.ref
        if id(value) not in self.standalone:
            self.standalone[id(value)] = (value, self._add_standalone(value, path))
        return self.standalone[id(value)][1]

    def _is_reoriented(self, value: Value) -> bool:
        return (value.held in self.held and value.shape != self.held[value.held].shape) or value.turned

    def _add_standalone(self, value: Value, path: str) -> Ref:
        if value.held is None or not (value.held in self.buffers or value.is_weight):
            return self._constant(value.tensor, path)
        weight = self._weight(value, value.held, is_buffer=False)
        # A parameter of floats is float32, whatever the file holds it in.
        is_itself = weight.is_buffer or not weight.tensor.is_floating
        seen = Value(weight.tensor if is_itself else TensorType(weight.tensor.shape), Ref("weight", value.held))
        if seen.tensor.dtype != value.tensor.dtype:
            (seen,) = self.layer(path, "cast", (seen,), {}, {"dtype": value.tensor.dtype})
        if value.turned:
            (seen,) = self.layer(path, "transpose", (seen,), {}, {"dim0": 0, "dim1": 1})
        elif seen.shape != value.shape:
            (seen,) = self.layer(path, "view", (seen,), {}, {"shape": value.shape})
        assert seen.ref is not None
        return seen.ref

    def _weight(self, value: Value, name: str, is_buffer: bool) -> HeldWeight:
        """The weight of that name, recorded at its first use."""
        tensor = self.held.get(name, value.tensor)
        if not all(0 < size <= MAX_SIZE for size in tensor.shape):
            raise UnsupportedError(f"a weight of {tensor}")
        return self.weights.setdefault(name, HeldWeight(tensor, is_buffer or name in self.buffers))

    def _constant(self, tensor: TensorType, path: str) -> Ref:
        """Record a `constant` layer. Raises UnsupportedError where the batch is two of its axes."""
        axes = from_batch(tensor.shape)
        if len(axes) > 1:
            raise UnsupportedError("a constant with the batch in two axes")
        shape = tuple(samples_in(size) or size for size in tensor.shape)
        fields: dict[str, Any] = {"shape": shape, "dtype": tensor.dtype}
        if axes:
            fields["dim"] = axes[0]
        reads = (self.reference(self.batched, path),) if axes else ()
        return Ref("entry", self._add(Entry(checked_layer("constant", fields), reads, {}, path)))

    def _use(self, slot: str, value: Value, path: str) -> Ref:
        """Where the weight of a layer comes from: the file, or a layer that computes it."""
        name = value.held or f"{path}.{slot}_{len(self.weights)}".lstrip(".")
        if value.ref is not None or name in self.apart:
            return self.reference(value, path)
        self._weight(value, name, slot in BUFFERS)
        return Ref("weight", name)


COUNTED_BY_LAYERS = ("num_batches_tracked",)
"""Buffers that no operator reads."""


def _require_fitting(layer: Layer, types: Tensors, weights: Mapping[str, Value]) -> None:
    """Raises ShapeError unless the weights have as many values as the layer needs, however a file packs them."""
    if not weights:
        return
    wanted = sum(weight.numel for weight in layer.weights(types) if weight.name not in COUNTED_BY_LAYERS)
    found = sum(value.tensor.numel for value in weights.values())
    if wanted != found:
        raise ShapeError("weights of other sizes", expected=f"{wanted:,} values", found=f"{found:,}")


def _before_batch(tensor: TensorType, reads: Sequence[Value]) -> int:
    """How many values come before each sample in the axis of the batch: as in the inputs, since no layer changes it."""
    grown = {tensor.shape[axis] for axis in from_batch(tensor.shape)}
    return next((value.before_batch for value in reads if value.before_batch > 1 and grown & set(value.shape)), 1)


def _sources(reads: Sequence[Value]) -> tuple[str, ...]:
    """Names of the weights from which alone the values are computed; none where anything else is an input."""
    found: dict[str, None] = {}
    for value in reads:
        own = (value.held,) if value.is_held_weight and value.held else value.sources
        if not own and not value.is_constant:
            return ()
        found |= dict.fromkeys(own)
    return tuple(found)


def checked_layer(type_: str, fields: Mapping[str, Any]) -> Layer:
    try:
        return LAYERS[type_].model_validate({"type": type_, **fields})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise UnsupportedError(f"no {type_} has {where}: {first['msg'].removeprefix('Input should be ')}") from None


def require_known(tensors: Tensors) -> None:
    for tensor in tensors:
        if tensor.dtype not in DTYPE_BYTES:
            raise UnsupportedError(f"the element type {tensor.dtype}")


@dataclass(frozen=True)
class UsedLayers:
    """The entries that the outputs depend on, renumbered, with the weights that they use."""

    entries: tuple[Entry, ...]
    weights: Mapping[str, HeldWeight]
    outputs: tuple[Ref, ...]
    other_orientations: frozenset[str]
    """Weights that are used in several orientations."""


def used_by_outputs(net: Net, outputs: Sequence[Ref]) -> UsedLayers:
    needed: set[int] = set()
    waiting = list(outputs)
    while waiting:
        kind, key, _ = waiting.pop()
        if kind == "entry" and isinstance(key, int) and key not in needed:
            needed.add(key)
            waiting += [*net.entries[key].reads, *net.entries[key].weights.values()]
    numbers = {old: new for new, old in enumerate(sorted(needed))}

    def renumbered(ref: Ref) -> Ref:
        return ref._replace(key=numbers[ref.key]) if isinstance(ref.key, int) else ref

    entries = tuple(
        replace(
            net.entries[old],
            reads=tuple(map(renumbered, net.entries[old].reads)),
            weights={slot: renumbered(ref) for slot, ref in net.entries[old].weights.items()},
        )
        for old in numbers
    )
    refs = (*outputs, *(ref for entry in entries for ref in (*entry.reads, *entry.weights.values())))
    used = {str(ref.key) for ref in refs if ref.kind == "weight"}
    return UsedLayers(
        entries,
        {name: weight for name, weight in net.weights.items() if name in used},
        tuple(map(renumbered, outputs)),
        _in_several_orientations(net, numbers),
    )


def _in_several_orientations(net: Net, numbers: Mapping[int, int]) -> frozenset[str]:
    ways: dict[str, set[bool]] = {}
    shared: set[str] = set()
    for number in numbers:
        entry = net.entries[number]
        for slot, ref in entry.weights.items():
            if ref.kind == "weight":
                name = str(ref.key)
                if name in ways and not (slot == "weight" and entry.layer.type in TIED):
                    shared.add(name)
                ways.setdefault(name, set()).add((number, slot) in net.turned)
        for ref in entry.reads:
            if ref.kind == "weight":
                ways.setdefault(str(ref.key), set()).add(False)
    return frozenset(name for name, turned in ways.items() if len(turned) > 1 or (name in shared and True in turned))
