"""Cross entropy as programs of language models write it, by the options of a loss; see archcost/spec/loss.py."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from archcost.graph import ModelGraph
from archcost.graph.loss import head_of, scores_of
from archcost.pytorch.fused_loss import IGNORED, fused_linear_cross_entropy
from archcost.pytorch.network import Network, as_tuple, children_of, module_at
from archcost.pytorch.shared_weights import own_weight
from archcost.spec.loss import Loss


def loss_of_scores(loss: Loss, turned: bool) -> Callable[[Tensor, Tensor], Tensor]:
    """Of what the network returns and the labels. `turned`: the network's scores are seen transposed."""

    def of(scores: Tensor, labels: Tensor) -> Tensor:
        if not loss.shifted:
            scores = scores.float() if loss.float32 else scores
            return functional.cross_entropy(scores, labels)
        scores = scores.transpose(1, 2) if turned else scores
        scores = scores.float() if loss.float32 and loss.shifted == "labels" else scores
        if loss.shifted == "labels":
            labels = functional.pad(labels, (0, 1), value=IGNORED)
            moved = labels[..., 1:].contiguous()
        else:
            scores = scores[..., :-1, :].contiguous()  # of what `in_float32` has returned
            moved = labels[..., 1:].contiguous()
        return functional.cross_entropy(scores.view(-1, scores.shape[-1]), moved.view(-1))

    return of


def in_float32(forward: Callable[..., Any], output: int) -> Callable[..., Any]:
    """The network with that output in float32, as transformers 4 returns scores."""

    def made(**inputs: Tensor) -> tuple[Tensor, ...]:
        results = list(as_tuple(forward(**inputs)))
        results[output] = results[output].float()
        return tuple(results)

    return made


@dataclass(frozen=True, slots=True)
class WithHead:
    """Runs a network up to its last linear layer, and the loss with that.

    In place of the output of that number, what that layer reads, stands the loss in what it returns.
    """

    features: Callable[..., Any]
    head: nn.Module
    output: int
    loss: Loss
    labels: Tensor

    def __call__(self, **inputs: Tensor) -> tuple[Tensor, ...]:
        made = list(as_tuple(self.features(**inputs)))
        loss = self._loss([made.pop(self.output)], self.labels)
        made.insert(self.output, loss)
        return tuple(made)

    def _loss(self, held: list[Tensor], labels: Tensor) -> Tensor:
        """`held` are the features, which nobody else has."""
        if self.loss.shifted:
            padded = functional.pad(labels, (0, 1), value=IGNORED)
            labels = padded[..., 1:].contiguous()
        if self.loss.chunks is not None:
            return self._in_chunks(held, labels, self.loss.chunks)
        features = held.pop()
        rows, labels = features.reshape(-1, features.shape[-1]), labels.reshape(-1)
        weight, bias = own_weight(self.head), getattr(self.head, "bias", None)
        if self.loss.fused == "torch":
            options: Any = torch.nn.LinearCrossEntropyOptions()
            fused: Any = functional.linear_cross_entropy
            return fused(rows, weight, labels, linear_bias=bias, options=options)
        return fused_linear_cross_entropy(rows, weight, bias, labels)

    def _in_chunks(self, held: list[Tensor], labels: Tensor, chunks: int) -> Tensor:
        axis = held[0].dim() - 2
        scores: list[Tensor] = [self.head(piece) for piece in held.pop().chunk(chunks, dim=axis)]
        targets = [piece.reshape(-1) for piece in labels.chunk(chunks, dim=axis)]
        rows = [piece.reshape(-1, piece.shape[-1]) for piece in scores]
        total: Tensor | None = None
        for piece, target in zip(rows, targets, strict=True):
            term = functional.cross_entropy(piece.float(), target, reduction="sum")
            total = term if total is None else total + term
        assert total is not None
        return total


def without_head(network: Network, graph: ModelGraph) -> tuple[Network, nn.Module]:
    """The same modules, of which the last linear layer and what turns its scores do not run; and that layer. What it
    reads is returned.
    """
    scores = scores_of(graph)
    head = head_of(graph, scores)
    gone = {head.name, scores.turned.name if scores.turned else head.name}
    steps = [step for step in network.steps if step.name not in gone]
    outputs = [head.inputs[0] if port.producer in gone else port for port in network.outputs]
    left = Network(network.input_names, steps, outputs, sorted(network.order, key=network.order.__getitem__))
    children_of(left).update(children_of(network))
    return left, module_at(network, head.name)
