"""What no batch and no checkpoint makes smaller, by hand and against steps with other batches and checkpoints."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import assume, given, settings
from hypothesis import strategies as st

import archcost
from archcost import ModelSpec, Run
from archcost.costs.timeline import timeline
from archcost.errors import ArchcostError
from archcost.estimates.batches import growth, largest_batch
from archcost.estimates.devices import torch_device
from archcost.estimates.floor import lasting, no_batch_fits, stepping, stored
from archcost.planning import fit
from tests.graph.networks import specs
from tests.planning.devices import CPU, GPU, device, runs

LINEAR = ModelSpec.model_validate(
    {"name": "net", "input": [4], "loss": "sum", "layers": [{"type": "linear", "out_features": 2, "bias": False}]}
)
"""4 → 2: 8 weights of 4 bytes."""


def test_by_hand() -> None:
    """Weights 32 B and gradients 32 B; adam's two moments 64 B and a counter 4 B, its loop two temporaries of 32 B."""
    line = timeline(archcost.build(LINEAR, 3), Run(), "cpu")
    assert (stored(line), lasting(line), stepping(line, Run())) == (32, 64, 68 + 64)
    assert stepping(line, Run(optimizer="sgd")) == 0
    inference = timeline(archcost.build(LINEAR, 3), Run(mode="infer"), "cpu")
    assert (lasting(inference), stepping(inference, inference.run)) == (32, 0)


@given(
    specs(), runs(), st.sampled_from([1, 2, 5]), st.sampled_from(["none", "every:1", "every:3"]), st.floats(0.3, 1.2)
)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_no_batch_takes_less(spec: ModelSpec, run: Run, batch: int, recompute: str, share: float) -> None:
    """Told of a step of two samples."""
    try:
        line = timeline(archcost.build(spec, 2), replace(run, recompute="none"), "cuda")
        other = timeline(archcost.build(spec, batch), replace(run, recompute=recompute), "cuda")
    except ArchcostError as error:
        assume("overwrites what" not in error.problem)
        raise
    floor = lasting(line) + stepping(line, run)
    assert floor <= other.peak
    profile = device(GPU, int(share * floor))
    if no_batch_fits(line, profile):
        assert largest_batch(growth(spec, line.run, "cuda"), profile, "tight") == 0


def test_weights_that_do_not_fit_leave_no_batch() -> None:
    """30 B of room for 32 B of weights: the answer without three more steps is that with them."""
    for name in (GPU, CPU):
        profile = device(name, 30)
        [alone] = fit(LINEAR, 3, hardware=[profile]).devices
        grown = growth(LINEAR, Run(), torch_device(profile))
        assert alone.grown is None
        assert (alone.max_batch, alone.max_batch_tight) == (0, 0)
        assert alone.batches is not None
        assert (alone.batches.beyond, alone.batches.allocated_beyond) == (1, grown.demand(1, profile).allocated)
        assert alone.estimate is not None
        assert (alone.estimate.max_batch, alone.estimate.max_batch_tight) == (0, 0)
