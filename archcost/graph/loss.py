"""The check that the loss named by a spec suits the outputs of its network."""

from __future__ import annotations

from archcost.errors import SpecError
from archcost.graph.model_graph import ModelGraph

EXPECTED_OUTPUTS = {
    "cross_entropy": "one output of scores, floats of (batch, classes, …)",
    "mse": "one output of floats, to compare with a target",
    "l1": "one output of floats, to compare with a target",
}


def check_loss(graph: ModelGraph) -> None:
    """Raises SpecError where the loss suits no output. Scalar outputs, such as a penalty, are added to it."""
    loss = graph.spec.loss
    if loss not in EXPECTED_OUTPUTS or not graph.nodes:
        return
    outputs = list(zip(graph.outputs, graph.returned, strict=True))
    compared = [tensor for _, tensor in outputs if tensor.rank > 0]
    suits = len(compared) == 1 and compared[0].is_real
    if suits and loss == "cross_entropy":
        counts_samples = compared[0].rank >= 2 and compared[0].shape[0] == graph.batch
        suits = counts_samples or (compared[0].rank >= 2 and not graph.spec.has_batch)
    if suits:
        return
    found = ", ".join(f"{tensor} ({name})" for name, tensor in outputs[:8]) + (", …" if len(outputs) > 8 else "")
    raise SpecError(
        f"loss {loss} does not suit the outputs",
        expected=EXPECTED_OUTPUTS[loss],
        found=found,
        hint="loss: sum, which adds up all outputs",
    ).at(layer=graph.name, place=graph.spec.source.place(("loss",)))
