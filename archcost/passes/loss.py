"""The loss that a training step starts its backward from, as layers behind the network's outputs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar, Literal

from archcost.graph import Node, Port
from archcost.layers import LAYERS, Layer
from archcost.layers.base import Arity
from archcost.layers.card import Card
from archcost.layers.dtypes import FLOAT32_OUT_ON_CUDA, IN_FLOAT32
from archcost.layers.loss.base import losing
from archcost.layers.rules import Autograd, Call
from archcost.passes.contract import Condition, Pass, RunGraph
from archcost.passes.loss_nodes import LABELS, LOSS, Term, node_of, result
from archcost.passes.precision import IN_DECLARED_DTYPES
from archcost.passes.token_loss import Total, of_tokens
from archcost.spec.loss import read_loss
from archcost.tensors import Tensors, TensorType
from archcost.terms.autograd import VIEWED, Own
from archcost.work import Reduction, Work


class Sum(Layer):
    """Σx, a scalar, whose gradient is spread over the input without a copy (torch.sum, `expand`)."""

    type: Literal["(sum)"] = "(sum)"
    card: ClassVar[Card] = losing("torch.sum", FLOAT32_OUT_ON_CUDA)

    def output_types(self, inputs: Tensors) -> Tensors:
        return (TensorType((), inputs[0].dtype),)

    def autograd(self, call: Call) -> Autograd:
        return Autograd((), (VIEWED,))

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        return (Reduction(inputs[0].numel, 1, {0: 0}, "added"),)


class L1(Layer):
    """Mean of |a − b|: prediction and target of one shape (torch.nn.functional.l1_loss, composed by torch)."""

    type: Literal["(l1)"] = "(l1)"
    card: ClassVar[Card] = losing("nn.L1Loss", IN_FLOAT32, promotion="promoted")
    arity = Arity(2, 2)

    def output_types(self, inputs: Tensors) -> Tensors:
        return (TensorType((), inputs[0].dtype),)

    def autograd(self, call: Call) -> Autograd:
        """The absolute values; backward the mean's gradient and the signs beside their product."""
        return Autograd(
            (Own("differences", call.source),),
            call.inputs,
            forward=(Own("absolute values", call.source),),
            backward=(Own("gradient of the absolute values", call.source), Own("signs", call.source)),
            saves_for_nobody=True,
        )

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        return (Reduction(inputs[0].numel, 3, {0: 2, 1: 2}, "absolute differences"),)


def _with_loss(given: RunGraph) -> RunGraph:
    """The loss as last layers, the final one called LOSS, and the labels or target as an input.

    Scalars that the network puts out are added, one after the other in the order of the outputs; of complex outputs all
    real numbers are summed. The same graph when
    `spec.loss` is none, nothing can be summed, or the run does not train.
    """
    graph, asked = given.graph, read_loss(given.graph.spec.loss)
    returned = [Term(*end) for end in zip(graph.outputs, graph.returned, strict=True) if end[1].is_floating]
    if not given.run.trains or asked.name == "none" or not returned:
        return given
    inputs, nodes, taken = dict(graph.inputs), list[Node](), frozenset[str]()
    instead: dict[Port, Port] = {}
    total: Term | None = None
    for output in returned:
        term = output
        if asked.has_options and term.tensor.rank > 0:
            worked = of_tokens(graph, asked)
            taken, inputs = worked.taken, inputs | {LABELS: worked.labels}
            nodes += worked.nodes
            if worked.returned is not None:  # the loss is of it
                instead[output.port] = worked.returned
            term = result(nodes[-1])
        else:
            parts, labels = _compared(output, asked.name)
            inputs |= labels
            nodes += parts
            term = result(parts[-1]) if parts else term
        if total is not None:
            nodes.append(node_of(f"(loss up to {output.port})", Total(), (total, term)))
            term = result(nodes[-1])
        total = term
    if nodes:
        nodes[-1] = nodes[-1]._replace(name=LOSS)
        total = result(nodes[-1])
    assert total is not None  # of at least one output
    left = [node for node in graph.nodes if node.name not in taken]
    graph = replace(graph, inputs=inputs, nodes=(*left, *nodes), outputs=(total.port,))
    ports = [instead.get(port, port) for port in given.returned if port.producer not in taken]
    made = replace(given, graph=graph, returned=tuple(dict.fromkeys((*ports, total.port))))
    return _without(made, taken) if taken else made


def _compared(output: Term, loss: str) -> tuple[list[Node], dict[str, TensorType]]:
    """The layers between an output and a scalar, and what it is compared with."""
    nodes: list[Node] = []
    term = output
    if output.tensor.is_complex:
        nodes.append(node_of(f"(parts of {output.port})", LAYERS["view_as_real"](type="view_as_real"), (output,)))
        term, loss = result(nodes[-1]), "sum"
    if term.tensor.rank == 0:
        return nodes, {}
    target = _target(loss, term.tensor)
    reads = (term, Term(Port(LABELS), target)) if target else (term,)
    nodes.append(node_of(f"({loss} of {output.port})", _loss(loss), reads))
    return nodes, {LABELS: target} if target else {}


def _without(given: RunGraph, taken: frozenset[str]) -> RunGraph:
    """What was said of layers that the loss runs itself is not said of it: it is computed once, in forward."""
    recomputed = tuple([tuple([name for name in names if name not in taken]) for names in given.recomputed])
    return replace(given, recomputed=tuple(filter(None, recomputed)), taken=taken)


def _loss(loss: str) -> Layer:
    match loss:
        case "sum":
            return Sum()
        case "l1":
            return L1()
        case _:
            return LAYERS[loss](type=loss)


def _target(loss: str, output: TensorType) -> TensorType | None:
    """Labels of classes for cross entropy, else a tensor like the output; a sum compares with nothing."""
    if loss == "sum":
        return None
    if loss != "cross_entropy":
        return output
    return TensorType((output.shape[0], *output.shape[2:]), "int64")


def _already_there(given: RunGraph) -> Iterator[str]:
    if given.graph.nodes and given.graph.nodes[-1].name == LOSS:
        yield f"a loss of {', '.join(map(str, given.graph.nodes[-1].inputs))}"


def _without_start(given: RunGraph) -> Iterator[str]:
    graph = given.graph
    floating = any(tensor.is_floating for tensor in given.network.returned)
    if not given.run.trains or graph.spec.loss == "none" or not floating:
        return
    if [tensor.rank for tensor in graph.returned] != [0] or graph.outputs[0] not in given.returned:
        yield f"backward from {', '.join(map(str, graph.outputs))}"


WITHOUT_LOSS = Condition("no loss behind the network's outputs", _already_there)
FROM_ONE_SCALAR = Condition("backward starts from one scalar, which the caller holds", _without_start)

ADD_LOSS = Pass(
    "loss",
    _with_loss,
    requires=(WITHOUT_LOSS, IN_DECLARED_DTYPES),
    ensures=(FROM_ONE_SCALAR,),
    ends=(WITHOUT_LOSS,),
)
