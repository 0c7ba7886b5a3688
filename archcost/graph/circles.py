"""The circle that a name closes which reaches forward: no cost needs an algorithm on graphs, only this message."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from archcost.graph.expand import Alias, PlacedLayer
from archcost.layers import WeightedLayer


def given_weights(step: PlacedLayer | Alias) -> Mapping[str, str]:
    """The field `given` as it is written; empty where the layer has none."""
    if isinstance(step, PlacedLayer) and isinstance(step.layer, WeightedLayer):
        return step.layer.given
    return {}


def circle(
    steps: Sequence[PlacedLayer | Alias], start: PlacedLayer | Alias, end: PlacedLayer | Alias
) -> tuple[str, ...]:
    """The names along a circle, from `end` to `start`, which `end` reads, and back. Empty where there is none."""
    import networkx as nx

    names = {step.name for step in steps}
    graph: nx.DiGraph[str] = nx.DiGraph()
    previous: str | None = None
    for step in steps:
        reads_previous = not step.reads and (isinstance(step, Alias) or step.layer.arity.least > 0)
        before = [previous] if previous and reads_previous else []
        written = [read.partition(":")[0] for read in (*step.reads, *given_weights(step).values())]
        reads = [next((s.full(name) for s in step.scope.outwards() if s.full(name) in names), name) for name in written]
        graph.add_edges_from((read, step.name) for read in (*reads, *before))
        previous = step.name
    if start.name not in graph or end.name not in graph or not nx.has_path(graph, end.name, start.name):
        return ()
    way: list[str] = nx.shortest_path(graph, end.name, start.name)  # pyright: ignore[reportUnknownMemberType]
    return (*way, end.name)
