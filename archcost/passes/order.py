"""From the graph of a network to that of a run: one pass after the other, in this order."""

from __future__ import annotations

from archcost.errors import ArchcostError, listing
from archcost.graph import ModelGraph
from archcost.passes.contract import Pass, RunGraph, applied
from archcost.passes.idle_casts import IDLE_CASTS
from archcost.passes.in_place import IN_PLACE
from archcost.passes.keep_cache import KEEP_CACHE
from archcost.passes.loss import ADD_LOSS
from archcost.passes.precision import PRECISION
from archcost.passes.recompute import RECOMPUTE
from archcost.passes.run import Run
from archcost.terms.autograd import Device

ORDER: tuple[Pass, ...] = (IN_PLACE, RECOMPUTE, KEEP_CACHE, ADD_LOSS, PRECISION, IDLE_CASTS)
"""Activations first, since what may be overwritten is asked of the network alone; then the layers to recompute, which
are named as the spec names them; then what a step of inference keeps; then the loss, which autocast treats like any
layer; casts are looked at last, when the dtype of everything is settled."""


def prepared(graph: ModelGraph, run: Run, device: Device) -> RunGraph:
    """The graph of a run. Raises ArchcostError for settings that do not suit the network."""
    if run.trains and graph.thawed:
        raise ArchcostError(
            f"quantised weights do not train: {listing(graph.thawed, 3)}",
            expected="adapters beside them, frozen layers, or inference",
            found=", ".join(f"weights {how}" for how in graph.spec.weights),
            hint="--adapt lora:r=16, or --freeze PATTERN",
        )
    if run.trains and graph.spec.freeze and _nothing_trains(graph):
        raise ArchcostError(
            "nothing trains: every weight is frozen",
            expected="a layer that freeze leaves, or that train names",
            found=", ".join(graph.spec.changes),
            hint="--train PATTERN, or --mode infer",
        ).at(layer=graph.name)
    return applied(ORDER, graph, run, device)


def _nothing_trains(graph: ModelGraph) -> bool:
    weighted = [node for node in graph.nodes if any(not weight.is_buffer for weight in node.own_weights)]
    return bool(weighted) and not any(node.trainable for node in weighted)


def in_precision(graph: ModelGraph, run: Run, device: Device) -> ModelGraph:
    """A graph in the dtypes of the run, and nothing else of it."""
    return applied((PRECISION, IDLE_CASTS), graph, run, device).graph
