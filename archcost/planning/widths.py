"""A network with its hidden channels and features scaled by a percentage."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import lcm
from typing import NamedTuple

from archcost.errors import ArchcostError, ShapeError
from archcost.graph import ModelGraph, Node
from archcost.graph.build import assemble, build
from archcost.graph.wiring import WiredLayer, wire
from archcost.layers import Layer, Write
from archcost.spec import ModelSpec

LITERAL = frozenset(["reshape", "view", "unflatten", "split", "as_strided", "opaque", "integers"])
"""Layers that name sizes, which would have to change with the width."""

PROBED = (50, 200)


def widened(spec: ModelSpec, batch: int) -> Callable[[int], ModelGraph]:
    """Percent → the network with `out_channels` and `out_features` of its hidden layers times that.

    Layers that make the network's outputs keep theirs, and a layer of one channel its one. A depthwise convolution
    follows its input. Numbers are rounded to multiples of all the groups in the network, of which there is one at
    least. Raises ArchcostError, with the layer, for a network that cannot be scaled so.
    """
    layers = wire(spec).layers
    scaling = _scaling(build(spec, batch))

    def make(percent: int) -> ModelGraph:
        return assemble(spec, _scaled(layers, scaling, percent), batch)

    _require_scalable(spec, layers, scaling, make)
    return make


class _Scaling(NamedTuple):
    """What changes by layer: `sizes` are fields that are scaled, `follows` layers whose groups equal their channels."""

    sizes: dict[str, str]
    follows: set[str]
    carried: set[str]
    """Layers whose outputs change."""
    unit: int
    """Sizes stay multiples of it."""


def _scaling(graph: ModelGraph) -> _Scaling:
    last = _last(graph)
    sizes: dict[str, str] = {}
    follows: set[str] = set()
    carried: set[str] = set()
    for node in graph.nodes:
        reads = any(port.producer in carried for port in node.inputs)
        if _mixes(node):
            if node.name not in last:
                sizes[node.name] = _field(node.layer)
                carried.add(node.name)
        elif reads:
            carried.add(node.name)
            if _field(node.layer):
                follows.add(node.name)
    return _Scaling(sizes, follows, carried, lcm(*_groups(graph)))


def _scaled(layers: Sequence[WiredLayer], scaling: _Scaling, percent: int) -> tuple[WiredLayer, ...]:
    made: dict[tuple[int, bool, bool], Layer] = {}  # equal layers stay one object, whose facts are shared
    changed: list[WiredLayer] = []
    for wired in layers:
        key = id(wired.layer), wired.name in scaling.sizes, wired.name in scaling.follows
        if key not in made:
            update = _update(wired, scaling, percent)
            made[key] = wired.layer.model_copy(update=update) if update else wired.layer
        changed.append(wired._replace(layer=made[key]))
    return tuple(changed)


def _update(wired: WiredLayer, scaling: _Scaling, percent: int) -> dict[str, int]:
    field = _field(wired.layer)
    size: int = getattr(wired.layer, field, 0)
    if wired.name in scaling.sizes:
        return {field: _times(size, percent, scaling.unit)}
    if wired.name in scaling.follows:
        groups: int = getattr(wired.layer, "groups", 1)
        new = _times(groups, percent, scaling.unit)
        return {"groups": new, field: size // groups * new}
    return {}


def _times(size: int, percent: int, unit: int) -> int:
    if size == 1:
        return 1
    unit = unit if size % unit == 0 else 1
    return max(unit, (size * percent + 50 * unit) // (100 * unit) * unit)


def _field(layer: Layer) -> str:
    """The field of a layer that is its number of output channels or features."""
    fields = type(layer).model_fields
    return next((field for field in ("out_channels", "out_features") if field in fields), "")


def _mixes(node: Node) -> bool:
    return bool(_field(node.layer)) and not _is_depthwise(node)


def _is_depthwise(node: Node) -> bool:
    return 1 < getattr(node.layer, "groups", 1) == node.input_types[0].shape[1]


def _groups(graph: ModelGraph) -> Iterator[int]:
    for node in graph.nodes:
        yield getattr(node.layer, "num_groups", 1)
        if not _is_depthwise(node):
            yield getattr(node.layer, "groups", 1)


def _last(graph: ModelGraph) -> set[str]:
    """Layers that set the channels or features of what the network returns: nothing mixes them afterwards."""
    nodes = {node.name: node for node in graph.nodes}
    waiting = [port.producer for port in graph.outputs]
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in seen or name not in nodes:
            continue
        seen.add(name)
        if not _mixes(nodes[name]):
            waiting += [port.producer for port in nodes[name].reads]
    return {name for name in seen if _mixes(nodes[name])}


def _names_sizes(layer: Layer) -> bool:
    return layer.type in LITERAL or (isinstance(layer, Write) and layer.numel is not None)


def _require_scalable(
    spec: ModelSpec, layers: Sequence[WiredLayer], scaling: _Scaling, make: Callable[[int], ModelGraph]
) -> None:
    if not scaling.sizes:
        raise ArchcostError(
            f"{spec.name} has no width to vary",
            expected="a hidden layer with out_channels or out_features",
            found="layers that make the network's outputs only",
        )
    for wired in layers:
        names_sizes = _names_sizes(wired.layer) and wired.within is None
        if names_sizes and any(port.producer in scaling.carried for port in wired.inputs):
            raise ArchcostError(
                f"the width of {spec.name} cannot vary: {wired.layer.type} names sizes of its own",
                expected="none after a layer that is scaled",
                found=f"{wired.layer.type} of the output of {wired.inputs[0]}",
                layer=wired.name,
            )
    refusals: list[ShapeError] = []
    for percent in PROBED:
        try:
            make(percent)
        except ShapeError as error:
            refusals.append(error)
    if len(refusals) == len(PROBED):
        first = refusals[0]
        raise ArchcostError(
            f"the width of {spec.name} cannot vary: {first.problem}",
            expected=first.expected,
            found=first.found,
            layer=first.layer,
        )
