"""Losses of classes and labels."""

from __future__ import annotations

from archcost.errors import ArchcostError, shorten
from archcost.importers.onnx_call import Call, Result, Rule
from archcost.importers.onnx_values import Value


def cross_entropy(call: Call) -> Result:
    """With the log-probabilities as a second output it is two operations."""
    if len([name for name in call.node.outputs if name]) < 2:
        return call.layer("cross_entropy", *_scores(call), reduction=call.word("reduction", "mean"))
    scores, *others = _scores(call)
    probabilities = call.layer("log_softmax", scores, dim=1)
    return call.layer("nll", probabilities, *others, reduction=call.word("reduction", "mean")), probabilities


def nll(call: Call) -> Result:
    return call.layer("nll", *_scores(call), reduction=call.word("reduction", "mean"))


def _scores(call: Call) -> tuple[Value, ...]:
    """Scores, labels as the 64-bit integers that torch takes, and weights of classes if there are any."""
    weight = call.get(2)
    return (call[0], call.cast(call[1], "int64"), *([] if weight is None else [weight]))


def training(call: Call) -> Result:
    """Raises ArchcostError: what a step does behind the network is worked out, and not read."""
    raise ArchcostError(
        "a step of training stands in the file",
        expected="the network alone",
        found=call.node.kind.rpartition("::")[2],
        hint="export the network before its training graph is made; gradients and optimizers are options of a run",
    ).at(layer=shorten(str(call.node)))


TRAINING = "ai.onnx.preview.training"

RULES: dict[str, Rule] = {
    "SoftmaxCrossEntropyLoss": cross_entropy,
    "NegativeLogLikelihoodLoss": nll,
    **dict.fromkeys((f"{TRAINING}::{kind}" for kind in ("Adagrad", "Adam", "Gradient", "Momentum")), training),
}
