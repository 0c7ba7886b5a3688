"""Random small networks under random settings: the timeline holds what torch holds, to the byte and in every phase.

Two witnesses. The tracker sees every tensor that an operator hands out; under it torch adds gradients out of place,
as `timeline(out_of_place=True)` does. The profiler's trace of an unwatched step sees them too, and no mode is on.

Left out, because the witness or the formula is known to differ there:

- `max_pool1d` where nobody needs a gradient finds no indices, but does under any dispatch mode
  (aten/src/ATen/native/Pooling.cpp asks `isTensorSubclassLike`): the tracker is not asked.
- Under autocast a convolution casts the padded input where `padding_mode` is not zeros; the formula casts before.
- `rms_norm` is a composition of which only the worst moment is known (tests/pytorch/test_working.py has it), and that
  for a gradient which arrives whole, in one micro-batch, without a checkpoint that stops in it.
- `conv_transpose3d` that makes fewer values than it reads leaves them in a buffer as large as its input.
- Cross entropy's rule lets go of the gradient that arrives, one scalar. Of a loss the caller of backward still has it.
- The trace takes autocast's copies, and what a checkpoint is stopped in, for the operators' own: it is not asked.
- Numbers of Python that meet a tensor, at most two at a time, 8 bytes each, are in the trace alone.
"""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Collection

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import Phase as Generation
from hypothesis import strategies as st

import archcost
from archcost.costs.phases import by_phase
from archcost.costs.timeline import Timeline, timeline
from archcost.errors import ArchcostError
from archcost.graph import ModelGraph
from archcost.layers.convolution.conv import Convolution
from archcost.passes.gradients import NOTHING, gradients_required
from archcost.passes.run import Precision, Run
from archcost.pytorch.allocations import Trace, peak_by_phase, trace_of
from archcost.pytorch.build import REFUSALS
from archcost.pytorch.measure import UNMEASURED, Phase, resident, track
from archcost.pytorch.training import prepare, step
from tests.graph.networks import specs
from tests.pytorch.test_random_networks import networks

SLOW = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example)
RNG_STATE = 5056
"""Bytes that a checkpoint keeps: of no tensor of the network."""

SCALARS = (0, 2, 4)
"""Bytes of a scalar in the dtype of the loss."""

WRAPPED = (0, 2, 4, 8, 10, 12, 16)
"""Bytes of Python's numbers wrapped into tensors, which the trace alone sees, with such a scalar beside them."""


@st.composite
def runs(draw: st.DrawFn) -> Run:
    precisions: tuple[Precision, ...] = ("fp32", "fp32", "bf16", "amp-bf16")
    precision = draw(st.sampled_from(precisions))
    return Run(
        mode=draw(st.sampled_from(["train", "train", "train", "infer", "infer-autograd"])),
        precision=precision,
        optimizer=draw(st.sampled_from(["none", "sgd", "sgd-momentum", "adam", "adamw"])),
        optimizer_impl=draw(st.sampled_from([None, "loop", "foreach", "fused"])),
        accumulation=draw(st.integers(1, 3)),
        recompute=draw(st.sampled_from(["none", "none", "blocks", "every:1", "every:2", "every:5"])),
        master_weights=precision == "bf16" and draw(st.booleans()),
    )


def with_loss(spec: archcost.ModelSpec, loss: str) -> ModelGraph:
    """With the sum where the loss does not suit the outputs."""
    try:
        return archcost.build(spec.model_copy(update={"loss": loss}), batch=2)
    except ArchcostError:
        return archcost.build(spec, batch=2)


def is_left_out(graph: ModelGraph, run: Run) -> bool:
    for node in graph.nodes:
        if node.layer.type == "rms_norm":
            return True
        if node.layer.type == "conv_transpose3d" and node.output_types[0].numel < node.input_types[0].numel:
            return True
        if run.autocast and isinstance(node.layer, Convolution) and node.layer.padding_mode != "zeros":
            return True
    return False


def pools_without_indices(graph: ModelGraph, run: Run) -> bool:
    needs = gradients_required(graph) if run.mode != "infer" else {}
    pools = [node.name for node in graph.nodes if node.layer.type == "max_pool1d"]
    return any(not needs.get(name, NOTHING).operands for name in pools)


def predicted(line: Timeline) -> dict[str, int]:
    return {phase.name: phase.peak for phase in by_phase(line)}


def watched(graph: ModelGraph, run: Run, line: Timeline) -> tuple[dict[str, int], Trace, int]:
    """The tracker's peaks, and the trace of the next step with what is there before it."""
    training = prepare(graph, run, line.segments, "cpu")
    for _ in range(UNMEASURED):
        step(training, lambda phase: None)
    gc.collect()
    tracked: tuple[Phase, ...] = track(training)
    return {phase.name: phase.peak for phase in tracked}, trace_of(lambda b: step(training, b)), resident(training)


def unwatched(trace: Trace, before: int) -> dict[str, int]:
    tensors = [block for block in trace.blocks if block.tensor and block.nbytes != RNG_STATE]
    return {name: peak for name, peak in peak_by_phase(tensors, trace.phases, before).items() if name}


def assert_equal(found: dict[str, int], expected: dict[str, int], more: Collection[int]) -> None:
    """Found may be more by some small number of bytes."""
    assert found.keys() == expected.keys()
    assert all(found[name] - expected[name] in more for name in found), (found, expected)


def holds_what_torch_holds(graph: ModelGraph, run: Run, seen: Counter[str]) -> None:
    try:
        line = timeline(graph, run, out_of_place=True)
    except ArchcostError:  # in place over what another keeps, or what a checkpoint would hold
        seen["refused by archcost"] += 1
        return
    try:
        tracked, trace, before = watched(graph, run, line)
    except REFUSALS:  # a kernel that lacks bfloat16
        seen["refused by torch"] += 1
        return
    if not pools_without_indices(graph, run):
        seen["tracked"] += 1
        assert_equal(tracked, predicted(line), SCALARS if graph.spec.loss == "cross_entropy" else (0,))
    if run.autocast is None and run.recompute == "none":
        seen["unwatched"] += 1
        expected = predicted(timeline(graph, run))
        assert_equal(unwatched(trace, before), expected, WRAPPED)
    seen.update([run.precision, run.mode, run.optimizer, f"{run.accumulation} micro-batches", run.recompute])


@pytest.mark.parametrize(("strategy", "examples"), [(networks(), 40), (specs(), 15)], ids=["any rank", "images"])
def test_the_timeline_holds_what_torch_holds(strategy: st.SearchStrategy[archcost.ModelSpec], examples: int) -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    seen: Counter[str] = Counter()

    @settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=SLOW,
        phases=[Generation.generate],  # making a failing network smaller takes minutes
    )
    @given(strategy, runs(), st.sampled_from(["sum", "sum", "none", "mse", "l1", "cross_entropy"]))
    def hold(spec: archcost.ModelSpec, run: Run, loss: str) -> None:
        if not spec.layers:
            return
        graph = with_loss(spec, loss)
        if not is_left_out(graph, run):
            holds_what_torch_holds(graph, run, seen)

    try:
        hold()
    finally:
        torch.set_num_threads(threads)
    assert seen["tracked"] >= examples // 3, seen
    assert seen["unwatched"] >= examples // 10, seen
    assert min(seen[word] for word in ("fp32", "bf16", "train")) > 0, seen
