"""The same network with its activations overwriting their input, or none of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from archcost.costs.storages import Storage, kept
from archcost.graph import ModelGraph, Node, Port
from archcost.graph.model_graph import Facts
from archcost.layers.activation.activations import InplaceActivation
from archcost.terms.torch_releases import Torch


def with_in_place(graph: ModelGraph, in_place: bool | None, torch: Torch | None = None) -> ModelGraph:
    """True: every activation that may (torch's `inplace=True`); False: none; None: as declared.

    An activation may overwrite what it alone reads, unless that is an input of the network, a weight, or kept by
    another layer for its backward, by the rules of that torch.
    """
    if in_place is None:
        return graph
    if not in_place:
        return _replaced(graph, {node.name: False for node in graph.nodes if _is_in_place(node)})
    declared = {node.name for node in graph.nodes if _is_in_place(node)}
    wanted = {node.name: True for node in graph.nodes if isinstance(node.layer, InplaceActivation)}
    wanted = {name: flag for name, flag in wanted.items() if name not in declared}
    while True:
        changed = _replaced(graph, wanted)
        refused = _refused(changed, torch) & wanted.keys()
        if not refused:
            return changed
        wanted = {name: flag for name, flag in wanted.items() if name not in refused}


def _is_in_place(node: Node) -> bool:
    return isinstance(node.layer, InplaceActivation) and node.layer.inplace


def _refused(graph: ModelGraph, torch: Torch | None) -> set[str]:
    """Activations that overwrite what somebody keeps, what the caller gave, a weight, or what others read under any
    name.
    """
    found = kept(graph, torch=torch)
    readers = Counter(port for node in graph.nodes for port in node.reads)
    names: dict[Storage, list[Port]] = {}
    for port, storage in found.places.items():
        names.setdefault(storage, []).append(port)
    refused = set(found.spoiled)
    for node in graph.nodes:
        if not _is_in_place(node):
            continue
        storage = found.places[node.inputs[0]]
        ports = names[storage]
        alone = len({port.producer for port in ports}) == len(ports) and all(readers[port] < 2 for port in ports)
        if storage.role in ("input", "weight") or not alone:
            refused.add(node.name)
    return refused


def _replaced(graph: ModelGraph, flags: dict[str, bool]) -> ModelGraph:
    if not flags:
        return graph
    facts: dict[tuple[int, bool], Facts] = {}
    nodes: list[Node] = []
    for node in graph.nodes:
        flag = flags.get(node.name)
        if flag is None:
            nodes.append(node)
            continue
        # Rules are remembered by facts, so another layer has facts of its own.
        own = facts.setdefault((id(node.facts), flag), Facts(*node.facts))
        nodes.append(node._replace(layer=node.layer.model_copy(update={"inplace": flag}), facts=own))
    return replace(graph, nodes=tuple(nodes))
