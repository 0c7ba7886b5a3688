"""`Net`: the layers recorded while an ONNX graph is read, each checked by its own rules for shapes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from archcost.errors import ArchcostError, ShapeError
from archcost.graph.size import MOST_LAYERS
from archcost.importers.naming import TIED
from archcost.importers.onnx_model import Held
from archcost.importers.onnx_values import Shape, UnsupportedError, Value, from_batch, samples_in
from archcost.importers.recorded import Entry, Ref
from archcost.layers import LAYERS, Layer
from archcost.layers.base import Weight
from archcost.layers.fields import MAX_SIZE
from archcost.layers.quantization.scaling import Scaling
from archcost.tensors import COMPUTED_BYTES, STORED, Tensors, TensorType
from archcost.work import Work

BUFFERS = ("running_mean", "running_var")
"""Weights of layers that are never trained."""


@dataclass(frozen=True, slots=True)
class HeldWeight:
    """A weight that a layer uses. It is an initializer of the file, or an input marked as a weight; all of a file take
    the dtype of a run.
    """

    tensor: TensorType
    is_buffer: bool
    trainable: bool = True
    stays_wide: bool = False


class Net:
    """The entries so far.

    `held` are tensors of the file, `buffers` the names of those that it marks as such. `apart` are weights that are
    used in several orientations, shapes or dtypes: they are layers of their own, and users are given views of them.
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
        self.types: list[tuple[Tensors, Tensors]] = []
        """What goes into each of them, and what comes out."""
        self.assumptions: dict[str, None] = {}
        self.weights: dict[str, HeldWeight] = {}
        self.turned: set[tuple[int, str]] = set()
        """Weights of entries (by number and name) that the file has transposed, or in another shape."""
        self.unlike: set[tuple[int, str]] = set()
        """Those that the layer itself has in another shape or dtype than the file."""
        self.standalone: dict[Hashable, tuple[Value, Ref]] = {}
        self.names: dict[int, str] = {}
        self.checked: dict[tuple[str, str], Layer] = {}

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
        layer = self._checked(type_, fields)
        types = tuple([value.tensor for value in reads] + ([self.batched.tensor] if sized else []))
        outputs = layer.output_types(types)
        require_known(outputs)
        own = {weight.name: weight for weight in layer.weights(types)} if weights else {}
        _require_fitting(own.values(), weights)
        if reads and not weights and all(value.is_constant for value in reads):
            return tuple(Value(tensor) for tensor in outputs)
        trains = getattr(layer, "trainable", not isinstance(layer, Scaling))
        refs = [self.reference(value, path, trains) for value in reads]
        if sized:
            refs.append(self.reference(self.batched, path))
        used = {slot: self._use(slot, value, path, own.get(slot), trains) for slot, value in weights.items()}
        number = self._add(Entry(layer, tuple(refs), used, path), types, outputs)
        for slot, value in weights.items():
            self.turned.update([(number, slot)] if self._is_reoriented(value) else [])
            self.unlike.update([(number, slot)] if _is_unlike(value, own.get(slot)) else [])
        sources = () if weights or sized else _sources(reads)
        return tuple(
            Value(tensor, Ref("entry", number, index), before_batch=_before_batch(tensor, reads), sources=sources)
            for index, tensor in enumerate(outputs)
        )

    def _checked(self, type_: str, fields: Mapping[str, Any]) -> Layer:
        """Layers of the same fields are one."""
        key = (type_, repr(fields))
        if key not in self.checked:
            self.checked[key] = checked_layer(type_, fields)
        return self.checked[key]

    def hold(self, name: str, held: Held) -> str:
        """The name of a tensor of the file here: its own, numbered where another graph within has one of that name."""
        if id(held) not in self.names:
            self.names[id(held)] = self.hold_another(name, held.tensor)
        return self.names[id(held)]

    def hold_another(self, name: str, tensor: TensorType) -> str:
        """The name of one that is none of the file's tensors, such as the coefficients of an operator."""
        number = 1
        unique = name
        while unique in self.held:
            number += 1
            unique = f"{name}_{number}"
        self.held[unique] = tensor
        return unique

    def _add(self, entry: Entry, inputs: Tensors, outputs: Tensors) -> int:
        if len(self.entries) == MOST_LAYERS:
            raise ArchcostError(
                "too many operators, those of loops once a turn", expected=f"at most {MOST_LAYERS:,}", found="more"
            )
        self.entries.append(entry)
        self.types.append((inputs, outputs))
        return len(self.entries) - 1

    def assume(self, text: str) -> None:
        self.assumptions[text] = None

    def reached(self, refs: Iterable[Ref], start: int = 0) -> set[int]:
        """Numbers of the entries from `start` on that these come of."""
        found: set[int] = set()
        waiting = list(refs)
        while waiting:
            kind, key, _ = waiting.pop()
            if kind == "entry" and isinstance(key, int) and key >= start and key not in found:
                found.add(key)
                waiting += [*self.entries[key].reads, *self.entries[key].weights.values()]
        return found

    def work_of(self, number: int) -> tuple[Work, ...]:
        """For `SAMPLES` samples."""
        return self.entries[number].layer.work(*self.types[number])

    def weights_of(self, numbers: Iterable[int]) -> frozenset[str]:
        """Names of the weights that these entries use."""
        entries = [self.entries[number] for number in numbers]
        refs = [ref for entry in entries for ref in (*entry.reads, *entry.weights.values())]
        return frozenset(str(ref.key) for ref in refs if ref.kind == "weight")

    def reference(self, value: Value, path: str, trainable: bool = True) -> Ref:
        """Where a value comes from. A tensor of the file, or one computed of shapes, becomes a layer of its own."""
        if value.ref is not None:
            return value.ref
        key = (value.held, value.tensor, value.turned) if value.is_held_weight else id(value)
        if key not in self.standalone:
            self.standalone[key] = (value, self._add_standalone(value, path, trainable))
        return self.standalone[key][1]

    def _is_reoriented(self, value: Value) -> bool:
        return (value.held in self.held and value.shape != self.held[value.held].shape) or value.turned

    def _add_standalone(self, value: Value, path: str, trainable: bool) -> Ref:
        if value.held is None or not (value.held in self.buffers or value.is_weight):
            return self._constant(value.tensor, path)
        weight = self._weight(value, value.held, value.held in self.buffers, trainable)
        # Floats are float32, whatever the file holds them in.
        kept = TensorType(weight.tensor.shape) if weight.tensor.is_floating else weight.tensor
        seen = Value(kept, Ref("weight", value.held))
        if seen.tensor.dtype != value.tensor.dtype:
            (seen,) = self.layer(path, "cast", (seen,), {}, {"dtype": value.tensor.dtype})
        if value.turned:
            (seen,) = self.layer(path, "transpose", (seen,), {}, {"dim0": 0, "dim1": 1})
        elif seen.tensor.numel != value.tensor.numel:
            seen = self._first_of(seen, value.shape, path)
        elif seen.shape != value.shape:
            (seen,) = self.layer(path, "view", (seen,), {}, {"shape": value.shape})
        assert seen.ref is not None
        return seen.ref

    def _first_of(self, seen: Value, shape: Shape, path: str) -> Value:
        """What the file has filled up is cut off again, axis by axis."""
        if len(shape) != seen.rank or any(size > own for size, own in zip(shape, seen.shape, strict=True)):
            raise UnsupportedError(f"a weight of {seen.tensor} as one of other values")
        for axis, size in enumerate(shape):
            if size < seen.shape[axis]:
                (seen,) = self.layer(path, "slice", (seen,), {}, {"stop": size, "dim": axis})
        return seen

    def _weight(self, value: Value, name: str, is_buffer: bool, trainable: bool = True) -> HeldWeight:
        """The weight of that name, recorded at its first use."""
        tensor = self.held.get(name, value.tensor)
        if not all(0 < size <= MAX_SIZE for size in tensor.shape):
            raise UnsupportedError(f"a weight of {tensor}")
        if tensor.dtype not in COMPUTED_BYTES:
            self._checked("parameter", {"shape": (), "dtype": tensor.dtype, "trainable": False})  # which refuses others
        return self.weights.setdefault(name, HeldWeight(tensor, is_buffer or name in self.buffers, trainable))

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
        types = (self.batched.tensor,) if axes else ()
        return Ref("entry", self._add(Entry(checked_layer("constant", fields), reads, {}, path), types, (tensor,)))

    def _use(self, slot: str, value: Value, path: str, own: Weight | None, trainable: bool) -> Ref:
        """Where the weight of a layer comes from: the file, or a layer that computes it, as the layer has it."""
        name = value.held or f"{path}.{slot}_{len(self.weights)}".lstrip(".")
        if value.ref is not None:
            return self.reference(value, path)
        self._weight(value, name, slot in BUFFERS, trainable)
        if name not in self.apart:
            return Ref("weight", name)
        if own is not None and own.numel != value.tensor.numel:
            raise UnsupportedError("several weights in one tensor")
        seen = value if own is None else replace(value, tensor=value.tensor._replace(shape=own.shape))
        return self.reference(replace(seen, is_weight=True, held=name), path)


COUNTED_BY_LAYERS = ("num_batches_tracked", "padding")
"""Buffers that no operator reads, or not by themselves."""


def _require_fitting(own: Iterable[Weight], weights: Mapping[str, Value]) -> None:
    """Raises ShapeError unless the weights have as many values as the layer needs, however a file packs them."""
    if not weights:
        return
    wanted = sum(weight.numel for weight in own if weight.name not in COUNTED_BY_LAYERS)
    found = sum(value.tensor.numel for value in weights.values())
    if wanted != found:
        raise ShapeError("weights of other sizes", expected=f"{wanted:,} values", found=f"{found:,}")


def _is_unlike(value: Value, own: Weight | None) -> bool:
    return own is not None and (value.shape != own.shape or value.tensor.dtype != (own.dtype or "float32"))


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
        if tensor.dtype not in COMPUTED_BYTES and tensor.dtype not in STORED:
            raise UnsupportedError(f"the element type {tensor.dtype}")


@dataclass(frozen=True)
class UsedLayers:
    """The entries that the outputs depend on, renumbered, with the weights that they use."""

    entries: tuple[Entry, ...]
    weights: Mapping[str, HeldWeight]
    outputs: tuple[Ref, ...]
    assumptions: tuple[str, ...]
    other_orientations: frozenset[str]
    """Weights that are used in several orientations, or by several layers in another shape or dtype than held."""


def used_by_outputs(net: Net, outputs: Sequence[Ref]) -> UsedLayers:
    reached = net.reached(outputs)
    numbers = {old: new for new, old in enumerate(sorted(reached))}
    is_whole = len(reached) == len(net.entries)

    def renumbered(ref: Ref) -> Ref:
        return ref._replace(key=numbers[ref.key]) if isinstance(ref.key, int) else ref

    entries = tuple(
        net.entries[old]
        if is_whole
        else replace(
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
        tuple(net.assumptions),
        _in_several_orientations(net, numbers),
    )


def _in_several_orientations(net: Net, numbers: Mapping[int, int]) -> frozenset[str]:
    ways: dict[str, set[bool]] = {}
    users: Counter[str] = Counter()
    tied: Counter[str] = Counter()
    unlike: set[str] = set()
    for number in numbers:
        entry = net.entries[number]
        for slot, ref in entry.weights.items():
            if ref.kind == "weight":
                name = str(ref.key)
                users[name] += 1
                tied[name] += slot == "weight" and entry.layer.type in TIED
                ways.setdefault(name, set()).add((number, slot) in net.turned)
                if (number, slot) in net.turned or (number, slot) in net.unlike:
                    unlike.add(name)
        for ref in entry.reads:
            if ref.kind == "weight":
                users[str(ref.key)] += 1
                ways.setdefault(str(ref.key), set()).add(False)
    apart = {name for name in unlike if users[name] > max(tied[name], 1)}
    return frozenset(apart | {name for name, turned in ways.items() if len(turned) > 1})
