"""A network as boxes and arrows, folded until there are few enough to be seen."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from archcost.costs import ModelCost
from archcost.costs.model import LayerCost
from archcost.layers import Layer
from archcost.report.grouping import Folded
from archcost.tensors import format_shape
from archcost.units import count

INPUT, FOLDED = "input", "folded"


class Arrow(NamedTuple):
    """From a box to a box, by their numbers. A weight is one that the second box takes from the first."""

    source: int
    target: int
    is_weight: bool = False


@dataclass(frozen=True, slots=True)
class Box:
    """An input, a layer, or several layers under one name."""

    name: str
    family: str
    """The family of the layer: `convolution`. Of inputs and of several layers, INPUT and FOLDED."""
    lines: tuple[str, ...]
    """What stands under the name."""
    is_output: bool = False


class Boxes(NamedTuple):
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]
    layers: int
    """Of which all this is made."""


def family_of(layer: Layer) -> str:
    """`convolution` of what stands in archcost/layers/convolution; of a layer of somebody else, anything."""
    return f"{type(layer).__module__}...".split(".")[2]


Place = Callable[[str], str]
"""The name of a layer → that of the box which it is in."""


def boxes(cost: ModelCost, depth: int | None, most: int | None) -> Boxes:
    """Folded at so many names, or else at as many as give no more than `most` boxes.

    Where names alone do not do it, layers in a row are folded, and at last any that follow each other.
    """
    names = [layer.name for layer in cost.layers]
    if depth is not None or most is None:
        return _boxes(cost, _by_name(cost, depth))
    room = max(1, most - len(cost.graph.inputs))
    for shallower in range(max(name.count(".") for name in names) + 1, 0, -1):
        place = _by_name(cost, shallower)
        if len(set(place.values())) <= room:
            return _boxes(cost, place)
    place = _chained(cost, _by_name(cost, 1))
    if len(set(place.values())) <= room:
        return _boxes(cost, place)
    return _boxes(cost, _in_pieces(place, room))


def _by_name(cost: ModelCost, depth: int | None) -> dict[str, str]:
    return {layer.name: group.name for group in Folded(cost, depth).groups for layer in group.layers}


def _chained(cost: ModelCost, place: Mapping[str, str]) -> dict[str, str]:
    """Boxes of which one leads to nothing but the next, which reads nothing else, as one."""
    leads, reads = defaultdict[str, set[str]](set), defaultdict[str, set[str]](set)
    for layer in cost.layers:
        here = place[layer.name]
        for port in layer.node.reads:
            there = place.get(port.producer, port.producer)
            if there != here:
                leads[there].add(here)
                reads[here].add(there)
    first: dict[str, str] = {}
    for name in dict.fromkeys(place.values()):
        (before,) = reads[name] if len(reads[name]) == 1 else ("",)
        in_row = before in first and len(leads[before]) == 1
        first[name] = first[before] if in_row else name
    return _joined({layer: first[name] for layer, name in place.items()}, place)


def _in_pieces(place: Mapping[str, str], room: int) -> dict[str, str]:
    order = list(dict.fromkeys(place.values()))
    each = -(-len(order) // room)
    piece = {name: order[index - index % each] for index, name in enumerate(order)}
    return _joined({layer: piece[name] for layer, name in place.items()}, place)


def _joined(joined: Mapping[str, str], before: Mapping[str, str]) -> dict[str, str]:
    """Boxes that were joined are named by the first and the last in them."""
    members: dict[str, list[str]] = defaultdict(list)
    for layer, name in joined.items():
        if before[layer] not in members[name]:
            members[name].append(before[layer])
    named = {name: each[0] if len(each) == 1 else f"{each[0]} … {each[-1]}" for name, each in members.items()}
    return {layer: named[name] for layer, name in joined.items()}


def _boxes(cost: ModelCost, place: Mapping[str, str]) -> Boxes:
    members: dict[str, list[LayerCost]] = defaultdict(list)
    for layer in cost.layers:
        members[place[layer.name]].append(layer)
    returned = {place.get(port.producer) for port in cost.graph.outputs}
    made = [Box(name, INPUT, (format_shape(tensor.shape),)) for name, tensor in cost.graph.inputs.items()]
    numbers = {box.name: number for number, box in enumerate(made)}
    inputs = frozenset(numbers)
    for name, layers in members.items():
        numbers[_key(name, inputs)] = len(made)
        made.append(_box(name, layers, name in returned))
    arrows: dict[Arrow, None] = {}
    for layer in cost.layers:
        here = numbers[_key(place[layer.name], inputs)]
        sources = [(port.producer, False) for port in layer.node.reads]
        if layer.node.shared is not None:
            sources.append((layer.node.shared.owner, True))
        for producer, is_weight in sources:
            there = numbers[_key(place[producer], inputs) if producer in place else producer]
            if there != here:
                arrows[Arrow(there, here, is_weight)] = None
    return Boxes(tuple(made), tuple(arrows), len(cost.layers))


def _key(name: str, inputs: frozenset[str]) -> str:
    """A block may be called as an input is."""
    return f"{name} (layers)" if name in inputs else name


def _box(name: str, layers: Sequence[LayerCost], is_output: bool) -> Box:
    last = layers[-1]
    shapes = last.output_shapes
    shape = format_shape(shapes[0]) + (", …" if len(shapes) > 1 else "") if shapes else ""
    parameters = sum(layer.parameters for layer in layers)
    weights = (f"{count(parameters)} parameters",) if parameters else ()
    if len(layers) == 1 and last.name == name:
        return Box(name, family_of(last.node.layer), (last.type, shape, *weights), is_output)
    return Box(name, FOLDED, (f"{len(layers):,} layers", shape, *weights), is_output)
