"""Keys and values that a step of inference keeps for the next token, as transformers' DynamicCache does.

Each attention's keys, then its values, are copied to the end of what is kept (nothing, in the first step), which the
caller holds. The copies are made one after the other, before attention, from tensors that its module still holds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from archcost.graph import ModelGraph, Node, Port
from archcost.graph.model_graph import Facts
from archcost.passes.cache_layers import Keeping
from archcost.passes.caches import Cached, caches
from archcost.passes.contract import Condition, Pass, RunGraph
from archcost.passes.loss import WITHOUT_LOSS
from archcost.passes.precision import IN_DECLARED_DTYPES


def _keep_cache(given: RunGraph) -> RunGraph:
    if given.run.trains or not given.run.cache:
        return given
    found = [each for each in caches(given.graph, latent=False).attentions if not _is_returned(each, given.graph)]
    if not found:
        return given
    graph, kept = _with_caches(given.graph, found)
    return replace(given, graph=graph, returned=tuple(dict.fromkeys((*given.returned, *kept))))


def _is_returned(each: Cached, graph: ModelGraph) -> bool:
    """Whether the network hands out its keys and values by itself."""
    return any(port in graph.outputs or port in graph.state for port in each.ports)


def _with_caches(graph: ModelGraph, found: list[Cached]) -> tuple[ModelGraph, tuple[Port, ...]]:
    places = {node.name: place for place, node in enumerate(graph.nodes)}
    read: dict[Port, int] = {}
    for place, node in enumerate(graph.nodes):
        for port in node.inputs:
            read.setdefault(port, place)
    instead: dict[Port, Port] = {}
    behind: dict[int, list[Node]] = {}
    facts: dict[object, Facts] = {}
    for each in found:
        ports = [port for port in each.ports if port not in instead and port.producer in places]
        last = max((places[port.producer] for port in ports), default=0)
        for index, port in enumerate(ports):
            source = graph.nodes[places[port.producer]]
            tensor = source.output_types[port.output]
            layer = Keeping(dim=-2 if tensor.shape[-2] == each.positions else -1, grows=True)
            key = (layer.dim, tensor)
            if key not in facts:
                facts[key] = Facts.of(layer, (tensor,), layer.output_types((tensor,)))
            name = f"{port.producer}.{'cache' if not port.output else f'cache{port.output}'}"
            place = min(last, read.get(port, last + 1) - 1)
            holds = tuple([other for other in ports[:index] if places[other.producer] <= place])
            instead[port] = Port(name)
            behind.setdefault(place, []).append(Node(name, layer, (port,), facts[key], False, holds=holds))
    nodes: list[Node] = []
    waiting = set(instead)
    for place, node in enumerate(graph.nodes):
        moves = any(port in instead and port not in waiting for port in node.inputs)
        nodes.append(
            node._replace(inputs=tuple([port if port in waiting else instead.get(port, port) for port in node.inputs]))
            if moves
            else node
        )
        for keeping in behind.get(place, ()):
            nodes.append(keeping)
            waiting.difference_update(keeping.inputs)
    return replace(graph, nodes=tuple(nodes)), tuple(instead.values())


def _forgotten(given: RunGraph) -> Iterator[str]:
    if given.run.trains or not given.run.cache:
        return
    for each in caches(given.network, latent=False).attentions:
        kept = {f"{port.producer}.cache" for port in each.ports}
        if not _is_returned(each, given.network) and kept.isdisjoint(port.producer for port in given.returned):
            yield f"{each.layer} keeps nothing"


KEPT = Condition("what the next token needs of this step outlives it", _forgotten)

KEEP_CACHE = Pass(
    "keys and values kept",
    _keep_cache,
    requires=(WITHOUT_LOSS, IN_DECLARED_DTYPES),
    ensures=(KEPT,),
)
