"""Which layer of one network is which of another, when they have other names: told by what the layers are."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Hashable, Iterator, Sequence
from math import isqrt
from typing import NamedTuple

from archcost.costs import ModelCost
from archcost.costs.model import LayerCost

Pair = tuple[int, int]


class LayerFacts(NamedTuple):
    """What a reviewer compares of a layer. MACs that are not known are None."""

    type: str
    output_shapes: tuple[tuple[int, ...], ...]
    parameters: int
    macs: int | None

    @classmethod
    def of(cls, layer: LayerCost) -> LayerFacts:
        return cls(layer.type, layer.output_shapes, layer.parameters, None if layer.is_unknown else layer.macs)


def paired_layers(before: ModelCost, after: ModelCost) -> dict[str, str]:
    """Names of `after`, each with the name of the layer of `before` that it is taken for; one without is left out.

    In the order in which values flow, first the most layers that are equal in all facts; then equal ones that are left
    over, wherever they stand; then, between two pairs, those that differ in nothing but type, and those of one type.
    """
    old, new = flow_order(before), flow_order(after)
    old_facts, new_facts = list(map(LayerFacts.of, old)), list(map(LayerFacts.of, new))
    kept = longest_run(old_facts, new_facts)
    moved = _equal_elsewhere(old_facts, new_facts, kept)
    in_order = _pairs_between(kept, moved, [facts[1:] for facts in old_facts], [facts[1:] for facts in new_facts])
    in_order = _pairs_between(in_order, moved, [facts.type for facts in old_facts], [facts.type for facts in new_facts])
    return {new[j].name: old[i].name for i, j in (*in_order, *moved)}


def flow_order(cost: ModelCost) -> list[LayerCost]:
    """The layers, each after what it reads, in an order that does not tell which branch is executed first.

    Of the inputs of a layer, and of the ends of the network, the one behind the most layers with weights comes first.
    """
    layers = {layer.name: layer for layer in cost.layers}
    depth: dict[str, int] = {}
    for layer in cost.layers:
        behind = max((depth.get(port.producer, 0) for port in layer.node.reads), default=0)
        depth[layer.name] = behind + (layer.parameters > 0)
    read = {port.producer for layer in cost.layers for port in layer.node.reads}
    ordered: dict[str, LayerCost] = {}
    stack = _deepest_last([name for name in layers if name not in read], depth)
    while stack:
        layer = layers[stack[-1]]
        reads = [port.producer for port in layer.node.reads]
        waiting = [name for name in reads if name in layers and name not in ordered]
        if waiting:
            stack += _deepest_last(waiting, depth)
        else:
            ordered[stack.pop()] = layer
    return list(ordered.values())


def _deepest_last(names: list[str], depth: dict[str, int]) -> list[str]:
    return sorted(names, key=lambda name: -depth[name])[::-1]


def longest_run(before: Sequence[Hashable], after: Sequence[Hashable]) -> list[Pair]:
    """Places of equal keys that stand in both in the same order: as many as there can be (longest common subsequence).

    Common ends are cut off. In between, rows of the table of lengths are integers with a bit a key, 0 where one more of
    `before` makes the common run longer (Hyyrö, Bit-parallel LCS-length computation revisited, 2004). Only some
    rows are held; those between are made again on the way back.
    """
    shorter = min(len(before), len(after))
    start = next((i for i in range(shorter) if before[i] != after[i]), shorter)
    rest = shorter - start
    end = next((i for i in range(rest) if before[-1 - i] != after[-1 - i]), rest)
    common = [(i, i) for i in range(start)]
    common += [(len(before) - i, len(after) - i) for i in range(end, 0, -1)]
    old, new = before[start : len(before) - end], after[start : len(after) - end]
    places: defaultdict[Hashable, int] = defaultdict(int)
    for i, key in enumerate(old):
        places[key] |= 1 << i
    return sorted([*common, *((i + start, j + start) for i, j in _walk_back(places, len(old), new))])


def _walk_back(places: dict[Hashable, int], width: int, new: Sequence[Hashable]) -> Iterator[Pair]:
    step = isqrt(len(new)) + 1
    row = (1 << width) - 1
    firsts: list[int] = []
    for j in range(0, len(new), step):
        firsts.append(row)
        row = _table_rows(places, width, row, new[j : j + step])[-1]
    i = width
    for block in reversed(range(len(firsts))):
        rows = _table_rows(places, width, firsts[block], new[block * step : (block + 1) * step])
        j = len(rows) - 1
        while i and j:
            if rows[j] >> (i - 1) & 1:
                i -= 1
                continue
            j -= 1
            if rows[j] >> (i - 1) & 1:
                i -= 1
                yield i, block * step + j


def _table_rows(places: dict[Hashable, int], width: int, row: int, keys: Sequence[Hashable]) -> list[int]:
    """The row given, and that after each key."""
    mask = (1 << width) - 1
    rows = [row]
    for key in keys:
        found = row & places.get(key, 0)
        row = ((row + found) | (row - found)) & mask
        rows.append(row)
    return rows


def _equal_elsewhere(before: Sequence[Hashable], after: Sequence[Hashable], kept: Sequence[Pair]) -> list[Pair]:
    """Equal keys outside of the run, the first with the first."""
    old_kept, new_kept = {i for i, _ in kept}, {j for _, j in kept}
    waiting: defaultdict[Hashable, deque[int]] = defaultdict(deque)
    for j, key in enumerate(after):
        if j not in new_kept:
            waiting[key].append(j)
    left = [i for i, key in enumerate(before) if i not in old_kept and key in waiting]
    return [(i, waiting[before[i]].popleft()) for i in left if waiting[before[i]]]


def _pairs_between(
    kept: Sequence[Pair], moved: Sequence[Pair], before: Sequence[Hashable], after: Sequence[Hashable]
) -> list[Pair]:
    """The pairs `kept`, and between two of them the longest run of equal keys of those that have not `moved`."""
    old_moved, new_moved = {i for i, _ in moved}, {j for _, j in moved}
    filled = list(kept)
    last_i = last_j = -1
    for i, j in (*kept, (len(before), len(after))):
        old = [each for each in range(last_i + 1, i) if each not in old_moved]
        new = [each for each in range(last_j + 1, j) if each not in new_moved]
        run = longest_run([before[each] for each in old], [after[each] for each in new])
        filled += [(old[a], new[b]) for a, b in run]
        last_i, last_j = i, j
    return sorted(filled)
