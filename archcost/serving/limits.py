"""How many positions a network can tell apart: rows of a table of positions."""

from __future__ import annotations

from collections.abc import Callable

from archcost.graph import ModelGraph, Node
from archcost.layers.parameter import Standing


def most_positions(one: ModelGraph, other: ModelGraph) -> tuple[int, str] | None:
    """The rows of the smallest table of positions, and the layer that reads it; None where there is none.

    `one` and `other` are the same network at two lengths: what does not depend on an input and is longer in one of
    them is made for each position, and where it is picked out of a table of one length, that is the most.
    """
    nodes = {node.name: node for node in one.nodes}
    longer = {node.name: node for node in other.nodes}
    reached = set(one.inputs)
    found: list[tuple[int, str]] = []
    for node in one.nodes:
        if any(port.producer in reached for port in node.uses):
            reached.add(node.name)
            continue
        if node.name not in longer:
            continue
        if _longer_axes(node, longer[node.name]) != 1:  # of pairs of positions it tells distances, which have no end
            continue
        rows = _rows(node, nodes)
        if rows is not None:
            found.append((rows, node.name))
    return min(found, default=None)


def most_that_fits(fits: Callable[[int], bool], most: int) -> int:
    """The most tokens that fit, by halves; 0 for less than two. For steps that make more with each token, as composed
    attention does: the scores of all pairs.
    """
    low, high = 1, most + 1
    while high - low > 1:
        middle = min((low + high) // 2, 4 * low + 1)
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low if low >= 2 else 0


def _longer_axes(one: Node, other: Node) -> int:
    shapes = zip(one.output_types[0].shape, other.output_types[0].shape, strict=False)
    return sum([a != b for a, b in shapes])


def _rows(node: Node, nodes: dict[str, Node]) -> int | None:
    if node.layer.type == "embedding":
        return node.weights[0].shape[0] if node.weights else None
    table = nodes.get(node.inputs[0].producer) if node.inputs else None
    if table is None or not isinstance(table.layer, Standing) or node.layer.type not in ("slice", "narrow"):
        return None
    whole, part = table.output_types[0].shape, node.output_types[0].shape
    return next((size for size, kept in zip(whole, part, strict=False) if size != kept), None)
