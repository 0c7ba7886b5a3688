"""Cross entropy as programs of language models work it out, by the options of a loss, as layers behind the network.

What a program names in its own function lives until that returns: the last layer holds it.
"""

from __future__ import annotations

from typing import ClassVar, Literal, NamedTuple

from archcost.graph import ModelGraph, Node, Port
from archcost.graph.loss import head_of, scores_of
from archcost.graph.model_graph import SharedWeight
from archcost.layers import Layer
from archcost.layers.base import Arity
from archcost.layers.card import Card
from archcost.layers.dtypes import AS_GIVEN
from archcost.layers.loss.base import losing
from archcost.layers.rules import Autograd, Call, Placement
from archcost.passes.loss_nodes import LABELS, Term, layer, node_of, result
from archcost.spec.loss import Loss
from archcost.tensors import Tensors, TensorType
from archcost.terms.autograd import PASSED_ON
from archcost.work import Copy, Elementwise, Work

FLOATS = "(scores in float32)"


class Total(Layer):
    """A sum of two scalars, the one so far and the next."""

    type: Literal["(total)"] = "(total)"
    card: ClassVar[Card] = losing("torch.add", AS_GIVEN, "elementwise", "promoted")
    arity = Arity(2, 2)

    def output_types(self, inputs: Tensors) -> Tensors:
        return (inputs[0],)

    def autograd(self, call: Call) -> Autograd:
        return Autograd((), (PASSED_ON,) * len(call.inputs))

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        return (Elementwise(1, 1, {}, "added"),)


class Returned(Layer):
    """The scalar that another layer has made, as the loss."""

    type: Literal["(returned)"] = "(returned)"
    card: ClassVar[Card] = losing(None, AS_GIVEN, "free")

    def output_types(self, inputs: Tensors) -> Tensors:
        return inputs

    def autograd(self, call: Call) -> Autograd:
        return Autograd((), (PASSED_ON,))

    def placement(self, call: Call) -> Placement:
        return Placement((0,), (None,))

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        return (Copy(1, 0, {}, "handed out"),)


class Worked(NamedTuple):
    """The layers of a loss, what goes in beside the scores, and the layers of the network that it runs itself."""

    nodes: tuple[Node, ...]
    labels: TensorType
    taken: frozenset[str]
    returned: Port | None = None
    """What the program returns in place of the scores."""


def of_tokens(graph: ModelGraph, loss: Loss) -> Worked:
    """The loss of the network's one output with axes, for options that `check_loss` has let pass. The last layer's
    result is it.
    """
    return _Writer(graph, loss).worked()


class _Writer:
    def __init__(self, graph: ModelGraph, loss: Loss) -> None:
        self.graph, self.loss = graph, loss
        self.nodes: list[Node] = []
        self.named: list[Port] = []
        """What the program's own variables hold."""

    def worked(self) -> Worked:
        loss = self.loss
        scores = scores_of(self.graph)
        if not loss.by_token:  # classes stay where they are
            port, tensor = next(end for end in zip(self.graph.outputs, self.graph.returned, strict=True) if end[1].rank)
            labels = TensorType((tensor.shape[0], *tensor.shape[2:]), "int64")
            wide = self.add(FLOATS, layer("cast", dtype="float32"), Term(port, tensor))
            self.add(f"(cross_entropy of {port})", layer("cross_entropy"), wide, Term(Port(LABELS), labels))
            return self.ended(labels)
        labels = TensorType(scores.tensor.shape[:-1], "int64")
        target = self.shifted_labels(Term(Port(LABELS), labels)) if loss.shifted else Term(Port(LABELS), labels)
        if not loss.takes_head:
            self.whole(Term(scores.port, scores.tensor), target)
            as_floats = loss.float32 and loss.shifted == "logits"
            return self.ended(labels)._replace(returned=Port(FLOATS) if as_floats else None)
        head = head_of(self.graph, scores)
        taken = frozenset([head.name, *([scores.turned.name] if scores.turned else [])])
        features = Term(head.inputs[0], head.input_types[0])
        if loss.fused:
            self.fused(head, features, target)
        else:
            self.in_chunks(head, features, target)
        return self.ended(labels)._replace(taken=taken)

    def add(self, name: str, layer: Layer, *reads: Term) -> Term:
        self.nodes.append(node_of(name, layer, reads))
        return result(self.nodes[-1])

    def name(self, term: Term) -> Term:
        """What a variable holds to the end."""
        self.named.append(term.port)
        return term

    def ended(self, labels: TensorType) -> Worked:
        self.nodes[-1] = self.nodes[-1]._replace(holds=tuple(self.named))
        return Worked(tuple(self.nodes), labels, frozenset())

    def shifted_labels(self, labels: Term) -> Term:
        if self.loss.shifted == "logits":
            moved = self.add("(labels shifted)", layer("slice", dim=1, start=1), labels)
        else:
            padded = self.name(self.add("(labels padded)", layer("pad", pad=[0, 1]), labels))
            moved = self.add("(labels shifted)", layer("slice", dim=1, start=1), padded)
        return self.name(self.add("(labels copied)", layer("contiguous"), moved))

    def whole(self, scores: Term, target: Term) -> None:
        if self.loss.float32:
            scores = self.name(self.add(FLOATS, layer("cast", dtype="float32"), scores))
        if self.loss.shifted == "logits":
            moved = self.add("(scores shifted)", layer("slice", dim=1, stop=-1), scores)
            scores = self.name(self.add("(scores copied)", layer("contiguous"), moved))
        rows = self.rows("(scores)", scores)
        self.add("(cross_entropy)", layer("cross_entropy"), rows, self.rows("(labels of all)", target))

    def rows(self, name: str, term: Term) -> Term:
        """With all tokens on one axis."""
        if term.tensor.rank == 1 or (term.tensor.rank == 2 and term.tensor.is_floating):
            return term
        return self.add(name, layer("flatten", start_dim=0, end_dim=1), term)

    def fused(self, head: Node, features: Term, target: Term) -> None:
        rows = self.name(self.rows("(features of all)", features))
        labels = self.rows("(labels of all)", target)
        fields = {"out_features": head.output_types[0].shape[-1], "bias": len(head.weights) > 1}
        made = layer("linear_cross_entropy", **fields, method=self.loss.fused)
        self.nodes.append(self.as_head(head, head.name, made, rows, labels))
        self.add("(returned)", Returned(), result(self.nodes[-1]))

    def as_head(self, head: Node, name: str, made: Layer, *reads: Term) -> Node:
        """A layer with the weights of the head."""
        node = node_of(name, made, reads)
        node = node._replace(trainable=head.trainable, shared=head.shared, given=head.given, path=head.path)
        return node._replace(facts=node.facts._replace(weights=head.weights))

    def in_chunks(self, head: Node, features: Term, target: Term) -> None:
        """The features are cut, each piece goes through the head, and then each piece's scores through the loss."""
        chunks, axis = self.loss.chunks, features.tensor.rank - 2
        cut = node_of("(features cut)", layer("chunk", chunks=chunks, dim=axis), (features,))
        of_labels = node_of("(labels cut)", layer("chunk", chunks=chunks, dim=axis), (target,))
        self.nodes.append(cut)
        pieces = range(len(cut.output_types))
        shared = head.shared or (SharedWeight(head.name, False) if not head.given else None)
        scores: list[Term] = []
        for index in pieces:
            name = head.name if index == 0 else f"(scores {index + 1})"
            node = self.as_head(head, name, head.layer, result(cut, index))
            self.nodes.append(node if index == 0 else node._replace(shared=shared))
            scores.append(self.name(result(self.nodes[-1])))
        self.nodes.append(of_labels)
        targets = [self.name(self.rows(f"(labels {index + 1})", result(of_labels, index))) for index in pieces]
        rows = [self.rows(f"(rows {index + 1})", scores[index]) for index in pieces]
        total: Term | None = None
        for index in pieces:
            wide = self.add(f"(scores {index + 1} in float32)", layer("cast", dtype="float32"), rows[index])
            cross_entropy = layer("cross_entropy", reduction="sum")
            term = self.add(f"(cross_entropy {index + 1})", cross_entropy, wide, targets[index])
            total = term if total is None else self.add(f"(loss up to {index + 1})", Total(), total, term)
