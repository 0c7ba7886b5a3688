"""What layers keep of all past positions together, in so many numbers whatever their number: states."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

from archcost.graph import ModelGraph, Node

STATE = "state"
"""What a layer is called whose output is the state after the last position, which nothing but a cache reads."""


class State(NamedTuple):
    """What is kept of one sequence: of a scan what it puts out at last, of a convolution what it is given."""

    layer: str
    kind: Literal["scan", "convolution"]
    elements: int

    def dtype_in(self, node: Node) -> str:
        """The dtype of what is kept; the layer's node in the graph of a run."""
        return node.output_types[0].dtype if self.kind == "scan" else node.input_types[0].dtype


def states(graph: ModelGraph, reached: Mapping[str, int]) -> Iterator[State]:
    """The states that a scan ends with, and the last positions that a causal convolution by channel looks back at: as
    many as its kernel has, as transformers keeps them.
    """
    ends = [node for node in graph.nodes if node.name.rpartition(".")[2] == STATE and reached[node.name]]
    if not ends:
        return
    read = {port.producer for node in graph.nodes for port in node.reads}
    outputs = {port.producer for port in graph.outputs}
    for node in graph.nodes:
        if node in ends and node.name not in read and node.name not in outputs:
            numel = node.output_types[0].numel
            yield State(node.name, "scan", numel // graph.batch)
        elif reached[node.name] and (positions := _looks_back(node)):
            channels = node.input_types[0].shape[1]
            yield State(node.name, "convolution", channels * positions)


def _looks_back(node: Node) -> int:
    """The kernel's positions, of a convolution of each channel along one axis that is padded for those before."""
    layer: Any = node.layer
    if layer.type != "conv1d" or layer.groups != node.input_types[0].shape[1]:
        return 0
    (kernel,) = layer.kernels()
    return kernel if layer.padding in (kernel - 1, (kernel - 1,)) else 0
