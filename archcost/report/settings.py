"""The settings of a run in words."""

from __future__ import annotations

from archcost.costs.optimizers import implementation
from archcost.costs.timeline import Timeline

MODES = {
    "train": "a training step",
    "infer": "inference without autograd",
    "infer-autograd": "inference with autograd left on",
}


def settings(line: Timeline) -> str:
    """`a training step, amp-bf16, adam (foreach), recompute blocks`; what is as it is by default is left out."""
    run = line.run
    if run.trains and line.graph.spec.loss == "none":
        return f"forward in training mode, without a loss, {run.precision}"
    optimizer = "no optimizer" if run.optimizer == "none" else f"{run.optimizer} ({implementation(run, line.device)})"
    words = [
        MODES[run.mode],
        run.precision,
        optimizer if run.trains else "",
        "master weights" if run.master_weights else "",
        f"{run.accumulation:,} batches a step" if run.trains and run.accumulation > 1 else "",
        f"recompute {run.recompute}" if run.trains and run.recompute != "none" else "",
        "" if run.in_place is None else ("activations in place" if run.in_place else "no activation in place"),
    ]
    return ", ".join(filter(None, words))
