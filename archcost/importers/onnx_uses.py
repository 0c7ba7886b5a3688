"""What the tensors of an ONNX graph are read for: by whom, and whether as values or as settings of an operator."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from archcost.importers.onnx_model import Graph, Node

SETTINGS: dict[str, tuple[int, ...]] = {
    **dict.fromkeys(("Shape", "Size", "EyeLike", "RandomNormalLike", "RandomUniformLike", "ConstantOfShape"), (0,)),
    **dict.fromkeys(("Reshape", "Expand", "CastLike", "TopK", "Upsample", "Trilu", "CumSum", "Dropout"), (1,)),
    **dict.fromkeys(("Squeeze", "Unsqueeze", "Split", "SplitToSequence", "SequenceAt"), (1,)),
    **dict.fromkeys(("ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1"), (1,)),
    **dict.fromkeys(("ReduceL2", "ReduceSumSquare", "ReduceLogSum", "ReduceLogSumExp"), (1,)),
    **dict.fromkeys(("Tile", "Clip", "Col2Im", "CenterCropPad"), (1, 2)),
    **dict.fromkeys(("Resize", "Pad"), (1, 2, 3)),
    "RotaryEmbedding": (1, 2),
    "DFT": (1, 2),
    "STFT": (1, 2, 3),
    "com.microsoft::RotaryEmbedding": (2, 3),
    "com.microsoft::GroupQueryAttention": (7, 8),
    "Slice": (1, 2, 3, 4),
    "Range": (0, 1, 2),
    "OneHot": (1, 2),
    "If": (0,),
    "Loop": (0, 1),
    "NonMaxSuppression": (2, 3, 4),
}
"""Of operators the inputs that say what is done, or are asked for their shape or dtype alone; windows, angles."""

STATES = {"LSTM": (4, 5, 6, 7), "GRU": (4, 5), "RNN": (4, 5)}
"""Of recurrent operators the lengths, the first states, and weights of the cell's state: zeros are as good as none."""


def read_names(node: Node) -> Iterator[str]:
    """Names of the tensors that a node reads, those inside its branches included."""
    yield from (name for name in node.inputs if name)
    for graph in node.bodies:
        yield from graph.outputs
        for inner in graph.nodes:
            yield from read_names(inner)


def needed_nodes(nodes: Sequence[Node], outputs: Sequence[str]) -> list[Node]:
    """The nodes that the outputs depend on, in order."""
    wanted = set(outputs)
    needed: list[Node] = []
    for node in reversed(nodes):
        if not wanted.isdisjoint(node.outputs):
            wanted.update(read_names(node) if node.bodies else node.inputs)
            needed.append(node)
    return needed[::-1]


def readers_of(nodes: Sequence[Node], outputs: Sequence[str]) -> dict[str, Node]:
    """For each tensor that is read once, the node that reads it."""
    first: dict[str, Node] = {}
    several = set(outputs)
    for node in nodes:
        for name in read_names(node) if node.bodies else node.inputs:
            if name in first:
                several.add(name)
            first[name] = node
    return {name: node for name, node in first.items() if name not in several}


BIASED = ("Conv", "ConvTranspose", "Gemm")
"""Of which the third input is a bias, of a single value where there is one feature."""


def names_of_biases(nodes: Sequence[Node]) -> set[str]:
    return {node.inputs[2] for node in nodes if node.kind in BIASED and len(node.inputs) > 2}


def names_of_values(nodes: Sequence[Node], outputs: Sequence[str]) -> tuple[set[str], set[str]]:
    """The tensors of which values reach an output, and those that reach it as first states of recurrent layers too.

    What only sizes, axes, scales of a resize and the like are made of is in neither.
    """
    values, states = set(outputs), set[str]()
    for node in reversed(nodes):
        as_values, as_states = (not wanted.isdisjoint(node.outputs) for wanted in (values, states))
        if not as_values and not as_states:
            continue
        said, begun = SETTINGS.get(node.kind, ()), STATES.get(node.kind, ())
        for index, name in enumerate(node.inputs):
            if name and index not in said:
                (values if as_values and index not in begun else states).add(name)
        for graph in node.bodies:
            for wanted, inner in zip((values, states), _names_in(graph), strict=True):
                wanted.update(inner)
    return values, states


def _names_in(graph: Graph) -> tuple[set[str], set[str]]:
    return names_of_values(graph.nodes, graph.outputs)
