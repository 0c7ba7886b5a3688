"""Casts to the dtype that arrives, for which torch hands out the tensor itself: no layers of a run."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace

from archcost.graph import ModelGraph, Node, Port
from archcost.layers.shape.copy import Cast, CastLike
from archcost.passes.contract import Condition, Pass, RunGraph
from archcost.passes.precision import IN_RUN_DTYPES


def _without_idle_casts(given: RunGraph) -> RunGraph:
    graph = given.graph
    same: dict[Port, Port] = {}
    nodes: list[Node] = []
    for node in graph.nodes:
        if same:
            node = _reading(node, same)
        if _is_idle(node):
            same[Port(node.name)] = node.inputs[0]
        else:
            nodes.append(node)
    if not same:
        return given
    outputs = tuple([same.get(port, port) for port in graph.outputs])
    last = _last_left(graph, {node.name for node in nodes})
    state = {same.get(port, port): last[until] for port, until in graph.state.items()}
    graph = replace(graph, nodes=_held_by_those_left(graph, nodes, same), outputs=outputs, state=state)
    return replace(given, graph=graph, returned=tuple(dict.fromkeys([same.get(port, port) for port in given.returned])))


def _is_idle(node: Node) -> bool:
    return isinstance(node.layer, Cast | CastLike) and node.input_types[0] == node.output_types[0]


def _reading(node: Node, same: Mapping[Port, Port]) -> Node:
    def meant(port: Port) -> Port:
        return same.get(port, port)

    inputs, holds = tuple(map(meant, node.inputs)), tuple(map(meant, node.holds))
    given = {name: meant(port) for name, port in node.given.items()} if node.given else node.given
    return node._replace(inputs=inputs, given=given, holds=holds)


def _last_left(graph: ModelGraph, left: Collection[str]) -> dict[str, str]:
    """For each layer itself if it remains, else the last layer before it that does."""
    last: dict[str, str] = {}
    before = ""
    for node in graph.nodes:
        before = node.name if node.name in left else before
        last[node.name] = before
    return last


def _held_by_those_left(graph: ModelGraph, nodes: list[Node], same: Mapping[Port, Port]) -> tuple[Node, ...]:
    """What a cast holds that does nothing is held by the layer before it."""
    left = {node.name: index for index, node in enumerate(nodes)}
    before = -1
    made = [*nodes]
    for node in graph.nodes:
        if node.name in left:
            before = left[node.name]
        elif node.holds and before >= 0:
            held = tuple([same.get(port, port) for port in node.holds])
            made[before] = made[before]._replace(holds=(*made[before].holds, *held))
    return tuple(made)


def _left(given: RunGraph) -> Iterator[str]:
    yield from (f"{node.name} from {node.input_types[0]}" for node in given.graph.nodes if _is_idle(node))


WITHOUT_IDLE_CASTS = Condition("no cast to the dtype that arrives", _left)

IDLE_CASTS = Pass(
    "idle casts", _without_idle_casts, requires=(IN_RUN_DTYPES,), ensures=(WITHOUT_IDLE_CASTS,), repeatable=True
)
