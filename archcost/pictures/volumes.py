"""Which feature maps of a network are drawn as volumes, how large they are, and which lead to which."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import NamedTuple

from archcost.errors import ArchcostError
from archcost.graph import ModelGraph, Node, build
from archcost.pictures.boxes import INPUT, family_of
from archcost.pictures.picture import no_data
from archcost.spec.model import ModelSpec
from archcost.work import Contraction

PRIME = 8_191
"""The batch for which the network is built: what axis it decides is read off the shapes, as no other size is this."""

MOST_VOLUMES = 26
MOST_TOWERS = 4
SPATIAL = frozenset(["convolution", "pooling", "upsampling"])
"""Families whose layers read and make maps with their channels first."""


@dataclass(frozen=True, slots=True)
class Volume:
    """A feature map of one sample. A vector has a height and width of 1; rows of features a width of 1."""

    name: str
    family: str
    height: int
    width: int
    channels: int
    frames: int | None = None
    """Of a map with a third extent, which is told and not drawn."""
    towers: int = 1
    """Parts that do not see each other: a convolution in groups reads them, or has made them."""
    times: int = 1
    """Equal ones in a row that this stands for."""
    kernel: tuple[int, int] | None = None
    """Of the window through which it was made."""
    is_apart: bool = False
    """Whether each tower of it reads one tower alone: made in groups, or channel by channel."""

    @property
    def is_vector(self) -> bool:
        return self.height == self.width == 1

    @property
    def size(self) -> str:
        """`55×55×96`: height, width, channels."""
        if self.is_vector and self.frames is None:
            return f"{self.channels:,}"
        if self.towers > 1:
            return f"{self.height}×{self.width}×({self._parts})"
        extents = [self.height, self.width, self.channels] if self.width > 1 else [self.height, self.channels]
        return "×".join(map(str, extents if self.frames is None else [self.frames, *extents]))

    @property
    def _parts(self) -> str:
        return "+".join([str(self.channels // self.towers)] * self.towers)


class Link(NamedTuple):
    """From a volume to one that is made of it, by their numbers; `is_indices` where only places are handed on."""

    source: int
    target: int
    is_indices: bool = False


class Volumes(NamedTuple):
    volumes: tuple[Volume, ...]
    links: tuple[Link, ...]
    left_out: int = 0
    """Layers that multiply, and whose output is nothing of one sample: windows of it, heads, or all samples at once."""


def volumes(spec: ModelSpec, depth: int | None) -> Volumes:
    """Folded at so many names, or as deep as can be seen. Raises ArchcostError where there is no map or vector."""
    graph = _built(spec)
    names = [node.name for node in graph.nodes]
    deepest = max(name.count(".") for name in names) + 1
    found = _found(graph, deepest if depth is None else depth)
    if depth is None:
        for shallower in range(deepest - 1, 0, -1):
            if len(found.volumes) <= MOST_VOLUMES:
                break
            found = _found(graph, shallower)
        if len(found.volumes) > MOST_VOLUMES:
            found = _without_repeats(found)
        if len(found.volumes) > MOST_VOLUMES:
            found = _every_few(found)
    if len(found.volumes) < 2:
        raise no_data("volumes", spec.label, "feature maps, rows of features or vectors", "a network that makes such")
    return found


def _built(spec: ModelSpec) -> ModelGraph:
    try:
        return build(spec, PRIME)
    except ArchcostError:
        build(spec)  # what is wrong with it says so
        raise no_data("volumes", spec.label, "an axis of samples", "a network for any batch") from None


def _found(graph: ModelGraph, depth: int) -> Volumes:
    maps = _maps(graph)
    towers = _towers(graph)
    made: list[Volume] = []
    place: dict[str, int] = {}
    carried: dict[tuple[str, int], frozenset[Link]] = {}
    links: dict[Link, None] = {}
    left_out = 0
    for name, tensor in graph.inputs.items():
        extents = _extents(tensor.shape, name in maps)
        if extents is not None:
            carried[name, 0] = frozenset([Link(len(made), -1)])
            made.append(Volume(name, INPUT, *extents, towers=towers.get(name, 1)))
    for node in graph.nodes:
        behind = frozenset[Link]().union(*(carried.get((port.producer, port.output), ()) for port in node.reads))
        extents = _extents(node.output_types[0].shape, node.name in maps)
        name = ".".join(node.name.split(".")[:depth])
        if extents is None or not _is_drawn(node, node.name in maps):
            left_out += extents is None and _multiplies(node)
            if name in place:
                made[place[name]] = _ended(made[place[name]], node)
            kept = _met(behind, links)
            for output in range(len(node.output_types)):
                carried[node.name, output] = kept
            continue
        number = place.setdefault(name, len(made))
        volume = Volume(
            name,
            family_of(node.layer),
            *extents,
            towers=towers.get(node.name, 1),
            kernel=_kernel(node),
            is_apart=getattr(node.layer, "groups", 1) > 1 or not _multiplies(node),
        )
        if number == len(made):
            made.append(volume)
        else:
            made[number] = volume
        for link in behind:
            if link.source < number:  # what a block makes within itself is no link
                links[Link(link.source, number, link.is_indices)] = None
        for output in range(len(node.output_types)):
            carried[node.name, output] = frozenset([Link(number, -1, output > 0)])
    return Volumes(tuple(made), tuple(links), left_out)


def _ended(volume: Volume, node: Node) -> Volume:
    """A block with the channels of what it ends with, where that is of the same height and width."""
    extents = _extents(node.output_types[0].shape, volume.width > 1)
    if (
        extents is None
        or volume.is_vector
        or extents[:2] != (volume.height, volume.width)
        or extents[3] != volume.frames
    ):
        return volume
    return replace(volume, channels=extents[2])


def _met(behind: frozenset[Link], links: dict[Link, None]) -> frozenset[Link]:
    """Where several meet in a layer that is not drawn, a sum, say: at the last of them, to which the others lead."""
    if len(behind) < 2:
        return behind
    last = max(behind)
    for link in sorted(behind):
        if link.source < last.source:
            links[Link(link.source, last.source, link.is_indices)] = None
    return frozenset([last])


def _is_drawn(node: Node, is_map: bool) -> bool:
    """What multiplies, and maps of another size than what is read."""
    if _multiplies(node) or node.layer.type == "embedding":
        return True
    changed = all(tensor.shape != node.output_types[0].shape for tensor in node.input_types)
    return is_map and changed


def _multiplies(node: Node) -> bool:
    return any(isinstance(part, Contraction) for part in node.facts.work)


def _extents(shape: Sequence[int], is_map: bool) -> tuple[int, int, int, int | None] | None:
    """Height, width, channels, and the third extent of a map. None of what is no map, row of features or vector."""
    if PRIME not in shape:
        return None
    place = list(shape).index(PRIME)
    each = (*shape[:place], *shape[place + 1 :])
    if is_map and len(each) == 4:
        return each[2], each[3], each[0], each[1]
    if is_map and len(each) == 3:
        return each[1], each[2], each[0], None
    if is_map and len(each) == 2:
        return each[1], 1, each[0], None
    if len(each) == 2:
        return each[0], 1, each[1], None
    return (1, 1, each[0], None) if len(each) == 1 else None


def _maps(graph: ModelGraph) -> frozenset[str]:
    """Whose first output has its channels first: made or read by a layer that works so, or of the shape of one."""
    maps: set[str] = set()
    for node in graph.nodes:
        if family_of(node.layer) in SPATIAL:
            maps.update(port.producer for port in node.reads if port.output == 0)
            maps.add(node.name)
        elif node.layer.type == "concat" and all(port.producer in maps for port in node.reads):
            maps.add(node.name)
        else:
            shape = node.output_types[0].shape
            same = [port for port, tensor in zip(node.inputs, node.input_types, strict=False) if tensor.shape == shape]
            if any(port.producer in maps for port in same):
                maps.add(node.name)
    return frozenset(maps)


def _towers(graph: ModelGraph) -> dict[str, int]:
    """Parts of the maps that a convolution in groups makes or reads, where all have the same few."""
    grouped = [node for node in graph.nodes if getattr(node.layer, "groups", 1) > 1]
    numbers = {int(getattr(node.layer, "groups", 1)) for node in grouped}
    if len(numbers) != 1 or max(numbers) > MOST_TOWERS or any(_is_depthwise(node) for node in grouped):
        return {}
    (parts,) = numbers
    by_name = {node.name: node for node in graph.nodes}
    found: dict[str, int] = {}
    for node in grouped:
        found[node.name] = parts
        at = node.inputs[0].producer
        while at in by_name and at not in found:  # back to what it reads, through layers that leave channels apart
            found[at] = parts
            before = by_name[at]
            if _multiplies(before) or not before.inputs:
                break
            at = before.inputs[0].producer
    for node in graph.nodes:  # and ahead, to the next that multiplies
        if (
            not _multiplies(node)
            and len(node.output_types[0].shape) == 4
            and any(port.producer in found for port in node.inputs)
        ):
            found[node.name] = parts
    return found


def _is_depthwise(node: Node) -> bool:
    return node.output_types[0].shape[1] // int(getattr(node.layer, "groups", 1)) <= 1


def _kernel(node: Node) -> tuple[int, int] | None:
    size = getattr(node.layer, "kernel_size", None)
    if isinstance(size, int):
        return size, size
    if isinstance(size, tuple | list):
        extents = [each for each in size if isinstance(each, int)]  # pyright: ignore[reportUnknownVariableType]
        return (extents[-2], extents[-1]) if len(extents) > 1 else None
    return None


def _without_repeats(found: Volumes) -> Volumes:
    """Equal ones in a row as one."""
    runs = [
        list(group) for _, group in groupby(range(len(found.volumes)), key=lambda number: _key(found.volumes[number]))
    ]
    joined = [
        replace(found.volumes[run[0]], name=_joined([found.volumes[number].name for number in run]), times=len(run))
        for run in runs
    ]
    return _relinked(found, runs, joined)


def _every_few(found: Volumes) -> Volumes:
    """The last of every few."""
    each = -(-len(found.volumes) // MOST_VOLUMES)
    runs = [list(range(at, min(at + each, len(found.volumes)))) for at in range(0, len(found.volumes), each)]
    return _relinked(found, runs, [found.volumes[run[-1]] for run in runs])


def _relinked(found: Volumes, runs: Sequence[Sequence[int]], joined: Iterable[Volume]) -> Volumes:
    where = {number: index for index, run in enumerate(runs) for number in run}
    links = {Link(where[link.source], where[link.target], link.is_indices): None for link in found.links}
    return Volumes(tuple(joined), tuple(link for link in links if link.source < link.target), found.left_out)


def _key(volume: Volume) -> tuple[object, ...]:
    return volume.family, volume.height, volume.width, volume.channels, volume.frames, volume.towers


def _joined(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} … {names[-1]}"
