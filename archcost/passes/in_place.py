"""Activations that overwrite their input: every one that may, none, or those of the spec."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace

from archcost.graph import ModelGraph, Node, Port
from archcost.graph.model_graph import Facts
from archcost.layers.value_function import Activation
from archcost.passes.contract import Condition, Pass, RunGraph
from archcost.passes.loss import WITHOUT_LOSS
from archcost.passes.precision import IN_DECLARED_DTYPES
from archcost.passes.run import Run
from archcost.passes.storages import Storage, kept
from archcost.terms.torch_releases import Torch


def _in_place(given: RunGraph) -> RunGraph:
    graph = _with_in_place(given.graph, given.run)
    return replace(given, network=graph, graph=graph)


def _with_in_place(graph: ModelGraph, run: Run) -> ModelGraph:
    """True: every activation that may (torch's `inplace=True`); False: none; None: as declared.

    An activation may overwrite what it alone reads, unless that is an input of the network, a weight, or kept by
    another layer for its backward, by the rules of the run's torch.
    """
    if run.in_place is None:
        return graph
    if not run.in_place:
        return _replaced(graph, dict.fromkeys([node.name for node in graph.nodes if _is_in_place(node)], False))
    return _replaced(graph, dict.fromkeys(may_overwrite(graph, run.torch), True))


def may_overwrite(graph: ModelGraph, torch: Torch) -> set[str]:
    """Activations that are not declared to overwrite their input, and may."""
    activations = [node for node in graph.nodes if isinstance(node.layer, Activation)]
    wanted = {node.name for node in activations if not _is_in_place(node)}
    while wanted:
        refused = _refused(_replaced(graph, dict.fromkeys(wanted, True)), torch) & wanted
        if not refused:
            break
        wanted -= refused
    return wanted


def _is_in_place(node: Node) -> bool:
    return isinstance(node.layer, Activation) and node.layer.inplace


def _refused(graph: ModelGraph, torch: Torch) -> set[str]:
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


def _replaced(graph: ModelGraph, flags: Mapping[str, bool]) -> ModelGraph:
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


def _against_the_run(given: RunGraph) -> Iterator[str]:
    if given.run.in_place is False:
        yield from (f"{node.name} overwrites its input" for node in given.graph.nodes if _is_in_place(node))


IN_PLACE_AS_ASKED = Condition("activations overwrite their input as the run has it", _against_the_run)

IN_PLACE = Pass(
    "activations in place",
    _in_place,
    requires=(WITHOUT_LOSS, IN_DECLARED_DTYPES),
    ensures=(IN_PLACE_AS_ASKED,),
)
