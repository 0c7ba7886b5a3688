"""The check that the loss named by a spec suits the outputs of its network, and the layer that some losses take in."""

from __future__ import annotations

from typing import NamedTuple

from archcost.errors import SpecError
from archcost.graph.model_graph import ModelGraph, Node, Port
from archcost.spec.loss import Loss, read_loss
from archcost.tensors import TensorType

EXPECTED_OUTPUTS = {
    "cross_entropy": "one output of scores, floats of (batch, classes, …)",
    "mse": "one output of floats, to compare with a target",
    "l1": "one output of floats, to compare with a target",
}


class Scores(NamedTuple):
    """The scores of all tokens, (batch, tokens, classes) or (samples, classes), before they are transposed."""

    port: Port
    tensor: TensorType
    turned: Node | None
    """The layer behind that puts classes where cross entropy takes them."""
    output: int
    """Which of the network's outputs it is."""


def check_loss(graph: ModelGraph) -> None:
    """Raises SpecError where the loss suits no output. Scalar outputs, such as a penalty, are added to it."""
    loss = read_loss(graph.spec.loss)
    if loss.name not in EXPECTED_OUTPUTS or not graph.nodes:
        return
    outputs = list(zip(graph.outputs, graph.returned, strict=True))
    compared = [tensor for _, tensor in outputs if tensor.rank > 0]
    suits = len(compared) == 1 and compared[0].is_real
    if suits and loss.name == "cross_entropy":
        counts_samples = compared[0].rank >= 2 and compared[0].shape[0] == graph.batch
        suits = counts_samples or (compared[0].rank >= 2 and not graph.spec.has_batch)
    if suits:
        _check_options(graph, loss)
        return
    found = ", ".join(f"{tensor} ({name})" for name, tensor in outputs[:8]) + (", …" if len(outputs) > 8 else "")
    raise _unsuited(graph, EXPECTED_OUTPUTS[loss.name], found, "loss: sum, which adds up all outputs")


def _unsuited(graph: ModelGraph, expected: str, found: str, hint: str | None = None) -> SpecError:
    problem = f"loss {graph.spec.loss} does not suit the outputs"
    error = SpecError(problem, expected=expected, found=found, hint=hint)
    return error.at(layer=graph.name, place=graph.spec.source.place(("loss",)))


def _check_options(graph: ModelGraph, loss: Loss) -> None:
    if not loss.by_token:
        return
    scores = scores_of(graph)
    head = head_of(graph, scores) if loss.takes_head else None
    if loss.chunks is not None and head is not None and "bias" in [weight.name for weight in head.weights]:
        expected = "a last layer without a bias, whose weight each piece shares"
        raise _unsuited(graph, expected, f"{head.name}, which has one", "cross_entropy:fused")
    if scores.tensor.rank not in ((3,) if loss.shifted else (2, 3)):
        axes = "(batch, tokens, classes)" if loss.shifted else "(batch, tokens, classes) or (samples, classes)"
        raise _unsuited(graph, f"scores of tokens: {axes}, perhaps transposed", f"{scores.tensor} ({scores.port})")
    tokens = scores.tensor.shape[-2]
    if loss.shifted == "logits" and tokens < 2:
        raise _unsuited(graph, "two tokens or more, of which all but the last guess the next", f"{tokens}")
    if loss.chunks is not None and loss.chunks > tokens:
        what = "tokens" if scores.tensor.rank == 3 else "samples"
        raise _unsuited(graph, f"at most {tokens:,} chunks, as many as there are {what}", f"chunks={loss.chunks}")


def scores_of(graph: ModelGraph) -> Scores:
    """Those that the one output with axes holds."""
    index = next(index for index, tensor in enumerate(graph.returned) if tensor.rank > 0)
    port, tensor = graph.outputs[index], graph.returned[index]
    node = next((node for node in graph.nodes if node.name == port.producer), None)
    if node is not None and tensor.rank == 3 and _turns_last_two(node):
        return Scores(node.inputs[0], node.input_types[0], node, index)
    return Scores(port, tensor, None, index)


def _turns_last_two(node: Node) -> bool:
    fields = node.layer.model_dump()
    if node.layer.type == "transpose":
        return {fields["dim0"] % 3, fields["dim1"] % 3} == {1, 2}
    return node.layer.type == "permute" and [each % 3 for each in fields["dims"]] == [0, 2, 1]


def head_of(graph: ModelGraph, scores: Scores) -> Node:
    """The linear layer that makes the scores, and that the loss runs itself. Raises SpecError where there is none."""
    expected = "a linear layer at the end, whose scores nothing else reads, perhaps a transposition behind it"
    head = next((node for node in graph.nodes if node.name == scores.port.producer), None)
    if head is None or head.layer.type != "linear":
        found = f"{scores.port}, an input" if head is None else f"{head.name}, a layer of type {head.layer.type}"
        raise _unsuited(graph, expected, found, "cross_entropy:float32")
    gone = {head.name, scores.turned.name} if scores.turned else {head.name}
    readers = [node.name for node in graph.nodes if node.name not in gone and _meets(node, gone)]
    kept = [port for port in graph.state if port.producer in gone]
    returned = [port for port in graph.outputs if port.producer in gone]
    if readers or kept or len(returned) > 1:
        found = f"{readers[0]} reads them" if readers else "scores that the network returns twice or keeps"
        raise _unsuited(graph, expected, found)
    return head


def _meets(node: Node, names: set[str]) -> bool:
    shares = node.shared is not None and node.shared.owner in names
    return not shares and any(port.producer in names for port in (*node.reads, *node.holds))
