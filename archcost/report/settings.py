"""The settings of a run in words."""

from __future__ import annotations

from archcost.costs.optimizers import implementation
from archcost.costs.timeline import Timeline
from archcost.passes.run import OptimizerImpl, Run
from archcost.spec.loss import read_loss

MODES = {
    "train": "a training step",
    "infer": "inference without autograd",
    "infer-autograd": "inference with autograd left on",
}


def settings(line: Timeline) -> str:
    """`a training step, amp-bf16, adam (foreach), recompute blocks`; what is as it is by default is left out."""
    if line.run.trains and line.graph.spec.loss == "none":
        return f"forward in training mode, without a loss, {line.run.precision}"
    loss = line.graph.spec.loss
    told = f", loss {loss}" if line.run.trains and read_loss(loss).has_options else ""
    return words(line.run, implementation(line.run, line.device)) + told


def words(run: Run, form: OptimizerImpl | None) -> str:
    """The settings of a run in words; `form` is the optimizer's implementation, where it is known."""
    optimizer = "no optimizer" if run.optimizer == "none" else run.optimizer + (f" ({form})" if form else "")
    parts = [
        MODES[run.mode],
        run.precision,
        optimizer if run.trains else "",
        "master weights" if run.master_weights else "",
        "gradients kept" if run.keep_gradients and run.trains else "",
        f"offload {run.offload}" if run.offloaded else "",
        "optimizer in backward" if run.optimizer_in_backward else "",
        "gradients clipped by their norm" if run.clip_norm and run.trains else "",
        f"{run.accumulation:,} batches a step" if run.trains and run.accumulation > 1 else "",
        f"recompute {run.recompute}" if run.trains and run.recompute != "none" else "",
        "" if run.in_place is None else ("activations in place" if run.in_place else "no activation in place"),
    ]
    return ", ".join(filter(None, parts))
