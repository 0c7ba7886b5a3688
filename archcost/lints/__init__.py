"""Lints: what is certainly odd in a network that can be built. Nothing here is an error, and no number changes."""

from __future__ import annotations

from archcost.files.values import Path
from archcost.graph import ModelGraph, build
from archcost.lints.findings import Lint, Lints, Odd, Rule
from archcost.lints.reading import Reading
from archcost.lints.rules import RULES
from archcost.spec.given import Network

__all__ = ["RULES", "Lint", "Lints", "Rule", "lint"]


def lint(network: Network | ModelGraph, batch: int = 1) -> Lints:
    """What is odd in a network: a spec, or the name or file of one, at `batch`; a graph. Raises ArchcostError."""
    graph = network if isinstance(network, ModelGraph) else build(network, batch)
    reading = Reading(graph)
    order = {name: index for index, name in enumerate([*graph.inputs, *(node.name for node in graph.nodes)])}
    lints = [lint for rule in RULES for lint in _told(rule, reading)]
    return Lints(graph.name, graph.batch, tuple(sorted(lints, key=lambda lint: order[lint.layer])))


def _told(rule: Rule, reading: Reading) -> list[Lint]:
    """Those of a rule; a layer of a block is told once, wherever the block is used."""
    graph = reading.graph
    paths = {node.name: node.path for node in graph.nodes} | {name: ("inputs", name) for name in graph.inputs}
    groups: dict[Path, list[Odd]] = {}
    for odd in rule.look(reading):
        groups.setdefault(paths[odd.name] or (odd.name,), []).append(odd)
    return [
        Lint(
            rule.name,
            first.name,
            rule.problem,
            first.found,
            rule.why,
            first.hint,
            graph.spec.source.place(path),
            tuple(odd.name for odd in others),
        )
        for path, (first, *others) in groups.items()
    ]
