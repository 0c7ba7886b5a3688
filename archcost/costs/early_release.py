"""Layers whose saved tensors autograd releases during forward, since no gradient will lead to them.

A tensor keeps its graph of autograd alive: the saved tensors of the layer that made it, and of all layers before. Where
a branch ends in indices, a mask or a `detach`, they go with the last tensor of the branch.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from math import inf

from archcost.graph import ModelGraph, Port
from archcost.passes.gradients import Needs


def forgotten(graph: ModelGraph, held: Collection[Port], required: Mapping[str, Needs]) -> dict[str, str]:
    """For each such layer the layer after which its saved tensors go. `held` are outputs that the caller references."""
    until: dict[str, float] = {}
    read: dict[Port, float] = {}
    """By output, the index of the last layer that reads it or leads back to it; filled from the end."""
    for index in range(len(graph.nodes) - 1, -1, -1):
        node = graph.nodes[index]
        ports = [Port(node.name, number) for number, tensor in enumerate(node.output_types) if tensor.is_floating]
        until[node.name] = max([index, *(inf if port in held else read.get(port, index) for port in ports)])
        needs = required[node.name]
        leading = [(port, number in needs.inputs) for number, port in enumerate(node.inputs)]
        leading += [(port, name in needs.weights) for name, port in node.given.items()]
        leading += [(port, False) for port in node.holds]
        for port, leads in leading:
            last = until[node.name] if leads else index
            read[port] = max(read.get(port, index), last)
    lost = {name: last for name, last in until.items() if last < inf and required[name].operands}
    return {name: graph.nodes[int(last)].name for name, last in lost.items()}
