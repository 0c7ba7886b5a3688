"""Recorded entries → `ModelSpec`: which layer owns each weight, and the name of every layer.

A weight that one layer uses belongs to it. One that several use, or that is an operand of a call, becomes a layer of
its own (`parameter` or `buffer`), which others are given; tied tables are written `weight: name.weight`. A layer has
the name of the module that called it; several in one module are numbered under its name.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import groupby
from typing import Any

from archcost.graph.parameter_order import Owned, shortest_order
from archcost.importers.recorded import Entry, NetworkRecord, Observations, Ref, Weight
from archcost.layers import LAYERS, Layer
from archcost.layers.quantization.weights import QuantizedWeights
from archcost.spec import ModelSpec
from archcost.spec.model import Checkpoint, InputSpec, Region
from archcost.tensors import FLOATING, TensorType, declared

TIED = frozenset(type_ for type_, layer in LAYERS.items() if "weight" in layer.model_fields and type_ != "l1_penalty")
"""Layers that can say `weight: name.weight`."""

NOTHING = Observations()

NO_RUNNING_MEAN = Ref("weight", "")

RUNNING_STATISTICS = ("running_mean", "running_var")
"""The buffers of norms; all other weights of layers are trained."""


@dataclass
class _Uses:
    """The uses of a weight: as a weight of a layer (entry and name there), and as an input (`read`, by entry)."""

    slots: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])
    read: list[int] = field(default_factory=list[int])


def spec_of(
    record: NetworkRecord,
    name: str,
    title: str | None,
    inputs: Mapping[str, InputSpec],
    outputs: Sequence[Ref],
    observed: Observations = NOTHING,
    in_order: bool = False,
) -> ModelSpec:
    """The spec of recorded entries. `in_order`: the record's weights are in the order of `module.parameters()`."""
    naming = _Naming(record, inputs)
    spec = naming.spec(name, title, outputs, observed)
    order = naming.order(spec.layers) if in_order else ()
    return spec.model_copy(update={"parameter_order": order}) if order else spec


def _with_counters(entries: Sequence[Entry], weights: Mapping[str, Any]) -> list[Entry]:
    """The entries, in which a batch norm that is called several times is given one `num_batches_tracked`."""
    calls = Counter(entry.weights["running_mean"] for entry in entries if "running_mean" in entry.weights)
    several = {mean: _counter(mean) for mean, number in calls.items() if number > 1 and _counter(mean) in weights}
    return [_given(entry, several.get(entry.weights.get("running_mean", NO_RUNNING_MEAN))) for entry in entries]


def _counter(mean: Ref) -> str:
    return f"{str(mean.key).removesuffix('running_mean')}num_batches_tracked"


def _given(entry: Entry, counter: str | None) -> Entry:
    if counter is None:
        return entry
    return replace(entry, weights={**entry.weights, "num_batches_tracked": Ref("weight", counter)})


class _Naming:
    def __init__(self, record: NetworkRecord, inputs: Mapping[str, InputSpec]) -> None:
        self.entries = _with_counters(record.entries, record.weights)
        self.weights = record.weights
        self.inputs = inputs
        self.uses = _uses(self.entries)
        self.standalone = {path for path in self.weights if not self._belongs(path)}
        """Weights that are layers of their own."""
        self.owners = {path: uses.slots[0][0] for path, uses in self.uses.items() if path not in self.standalone}
        counted = {path.rpartition(".")[0] for path in self.owners if path.endswith("running_mean")}
        self.standalone -= {f"{path}.num_batches_tracked".lstrip(".") for path in counted}  # batch norm's own
        self.names = _names(self.entries, self.standalone, inputs)

    def _belongs(self, path: str) -> bool:
        uses = self.uses.get(path)
        if uses is None or uses.read or not uses.slots:
            return False
        index, slot = uses.slots[0]
        if str(self.weights[path].tensor.dtype).removeprefix("torch.") not in FLOATING and not (
            isinstance(self.entries[index].layer, QuantizedWeights) and len(uses.slots) == 1
        ):
            return False  # a layer's own are floats
        if self.weights[path].is_buffer or slot in RUNNING_STATISTICS:
            return self.weights[path].is_buffer and slot in RUNNING_STATISTICS and len(uses.slots) == 1
        if len(uses.slots) == 1:
            return self.weights[path].trainable == self._trainable(self.entries[index])
        types = {self.entries[index].layer.type for index, _ in uses.slots}
        return {slot for _, slot in uses.slots} == {"weight"} and types <= TIED

    def _trainable(self, entry: Entry) -> bool:
        """Whether a layer is trained: as its first parameter is."""
        return next((weight.trainable for weight in self._own(entry) if not weight.is_buffer), True)

    def _own(self, entry: Entry) -> list[Weight]:
        return [self.weights[str(ref.key)] for ref in entry.weights.values() if ref.kind == "weight"]

    def spec(self, name: str, title: str | None, outputs: Sequence[Ref], observed: Observations) -> ModelSpec:
        layers = tuple(self._layers())
        returned = tuple(dict.fromkeys(self._reference(ref) for ref in outputs))
        return ModelSpec(
            name=name,
            title=title,
            inputs=dict(self.inputs),
            layers=layers,
            outputs=returned if returned and returned != _unread(layers, next(iter(self.inputs))) else None,
            holds={self.names.layers[index]: self._references(refs) for index, refs in sorted(observed.holds.items())},
            state={self._reference(ref): self.names.layers[index] for ref, index in observed.state.items()},
            autocast=tuple(self._regions()),
            checkpoints=tuple(self._checkpoints(observed)),
            assumptions=tuple(observed.assumptions),
        )

    def _references(self, refs: Sequence[Ref]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self._reference(ref) for ref in refs))

    def _regions(self) -> Iterator[Region]:
        """Runs of layers under one autocast of the module's own."""
        numbered = zip(self.entries, self.names.layers, strict=True)
        for region, group in groupby(numbered, key=lambda each: each[0].region):
            if region is not None:
                names = [name for _, name in group]
                ends = {"first": names[0], "last": names[-1]}
                yield Region.model_validate({**ends, "dtype": region.dtype, "device": region.device})

    def _checkpoints(self, observed: Observations) -> Iterator[Checkpoint]:
        for each in observed.checkpoints:
            first, last = self.names.layers[each.first], self.names.layers[each.end - 1]
            yield Checkpoint(first=first, last=last, reentrant=each.reentrant)

    def order(self, layers: Iterable[Any]) -> tuple[str, ...]:
        """The spec's `parameter_order`; empty where the module's order is that of the layers."""
        own: dict[str, list[Owned]] = {}
        owners: dict[str, Owned] = {}
        for path, weight in self.weights.items():
            if path in self.standalone:
                owners[path] = Owned(self.names.weights[path], "weight")
            elif path in self.owners:
                index = self.owners[path]
                slot = next(slot for each, slot in self.uses[path].slots if each == index)
                owners[path] = Owned(self.names.layers[index], slot)
            if weight.is_buffer:
                owners.pop(path, None)
        placed = set(owners.values())
        for index, entry in enumerate(self.entries):
            name = self.names.layers[index]
            own[name] = [Owned(name, slot) for slot in entry.weights if Owned(name, slot) in placed]
        own |= {owned.layer: [owned] for path, owned in owners.items() if path in self.standalone}
        listed = [each for layer in layers for each in own.get(str(layer.name), ())]
        known = set(listed)  # without those that have no values
        return shortest_order(listed, [each for each in owners.values() if each in known])

    def _layers(self) -> Iterator[Layer]:
        placed: set[str] = set()
        previous = next(iter(self.inputs))
        for index, entry in enumerate(self.entries):
            for ref in (*entry.reads, *entry.weights.values()):
                path = str(ref.key)
                if ref.kind == "weight" and path in self.standalone and path not in placed:
                    placed.add(path)
                    layer = self._weight_layer(path)
                    previous = str(layer.name)
                    yield layer
            layer = self._named_layer(index, entry, previous)
            previous = str(layer.name)
            yield layer
        for path in self.weights:  # nobody uses them, and they count all the same
            if path in self.standalone and path not in placed:
                yield self._weight_layer(path)

    def _weight_layer(self, path: str) -> Layer:
        weight = self.weights[path]
        dtype = str(weight.tensor.dtype).removeprefix("torch.")
        kind = declared(TensorType(tuple(weight.tensor.shape), dtype))
        fields: dict[str, Any] = {"name": self.names.weights[path], "shape": kind.shape}
        if weight.is_buffer:
            return LAYERS["buffer"].model_validate({"type": "buffer", **fields, "dtype": kind.dtype})
        if not kind.is_floating:
            fields |= {"dtype": kind.dtype, "trainable": False}
        else:
            fields |= {"dtype": kind.dtype} if kind.is_complex else {}
            fields |= {} if weight.trainable else {"trainable": False}
            fields |= {"keep_float32": True} if weight.stays_wide else {}
        return LAYERS["parameter"].model_validate({"type": "parameter", **fields})

    def _named_layer(self, index: int, entry: Entry, previous: str) -> Layer:
        update: dict[str, Any] = {"name": self.names.layers[index]}
        reads = tuple([self._reference(ref) for ref in entry.reads])
        if reads != (previous,) or not entry.layer.arity.least:  # which reads nothing unless it is named
            update["inputs"] = reads
        given: dict[str, str] = {}
        for slot, ref in entry.weights.items():
            path = str(ref.key)
            if ref.kind != "weight" or path in self.standalone:
                given[slot] = self._reference(ref)
            elif self.owners[path] != index:
                update["weight"] = f"{self.names.layers[self.owners[path]]}.weight"
        if given:
            update["given"] = given
        if "trainable" in type(entry.layer).model_fields and not self._trainable(entry):
            update["trainable"] = False
        if "keep_float32" in type(entry.layer).model_fields and any(each.stays_wide for each in self._own(entry)):
            update["keep_float32"] = True
        return entry.layer.model_copy(update=update)

    def _reference(self, ref: Ref) -> str:
        if ref.kind == "input":
            return str(ref.key)
        if ref.kind == "weight":
            return self.names.weights[str(ref.key)]
        assert isinstance(ref.key, int)
        name = self.names.layers[ref.key]
        return f"{name}:{ref.output}" if ref.output else name


def _unread(layers: Sequence[Layer], first: str) -> tuple[str, ...]:
    """What a spec of these layers would return without `outputs`."""
    read: set[str] = set()
    previous = first
    for layer in layers:
        references = (
            *(layer.inputs or ((previous,) if layer.arity.least else ())),
            *getattr(layer, "given", {}).values(),
        )
        read.update(reference.partition(":")[0] for reference in references)
        previous = str(layer.name)
    return tuple(str(layer.name) for layer in layers if layer.name not in read)


def _uses(entries: Sequence[Entry]) -> dict[str, _Uses]:
    uses: dict[str, _Uses] = {}
    for index, entry in enumerate(entries):
        for ref in entry.reads:
            if ref.kind == "weight":
                uses.setdefault(str(ref.key), _Uses()).read.append(index)
        for slot, ref in entry.weights.items():
            if ref.kind == "weight":
                uses.setdefault(str(ref.key), _Uses()).slots.append((index, slot))
    return uses


@dataclass(frozen=True)
class _Names:
    layers: Sequence[str]
    weights: Mapping[str, str]


@lru_cache(100_000)
def clean(path: str) -> str:
    """A path as a name in a spec: words of letters, digits and _, with dots between them."""
    return ".".join(re.sub(r"\W", "_", part, flags=re.ASCII) for part in path.split(".") if part)


def _names(entries: Sequence[Entry], standalone: set[str], inputs: Mapping[str, InputSpec]) -> _Names:
    """Names for all entries and standalone weights."""
    paths = [clean(entry.path) for entry in entries]
    weights: dict[str, str] = {}
    for path in sorted(standalone):
        name = clean(path)
        while name in weights.values():
            name += "_"
        weights[path] = name
    alone = Counter(paths)
    inner: set[str] = set()
    for path in {*paths, *weights.values()}:
        parts = path.split(".")
        inner.update(".".join(parts[:length]) for length in range(1, len(parts)))
    taken = {*inputs, *weights.values(), *inner, *paths}
    names: list[str] = []
    numbers: Counter[str] = Counter()
    for entry, path in zip(entries, paths, strict=True):
        if path and alone[path] == 1 and path not in inner and path not in inputs and path not in weights.values():
            names.append(path)
            continue
        stem = f"{path}.{type(entry.layer).prefix}" if path else type(entry.layer).prefix
        while True:
            numbers[stem] += 1
            name = f"{stem}{numbers[stem]}"
            if name not in taken:
                break
        taken.add(name)
        names.append(name)
    return _Names(names, weights)
