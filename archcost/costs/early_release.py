"""Which layers autograd forgets in the midst of forward: nobody holds their results, and no gradient leads to them.

A result holds what its backward would need, and through it all that lies before it. Where it ends in indices, a mask
or a `detach`, all that goes with the last tensor that leads there.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from math import inf

from archcost.graph import ModelGraph, Port
from archcost.passes.gradients import Needs


def forgotten(graph: ModelGraph, held: Collection[Port], required: Mapping[str, Needs]) -> dict[str, str]:
    """By layer, the one after which it is forgotten. `held` are ports that the caller has."""
    until: dict[str, float] = {}
    read: dict[Port, float] = {}
    """By port, how long a reader holds it or leads back to it; later readers come first."""
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
