"""An optimizer that steps in backward: by hand, and beside the step after it."""

from __future__ import annotations

import archcost
from archcost.costs.phases import by_phase
from archcost.costs.timeline import Timeline, timeline
from archcost.estimates.floor import no_batch_fits
from archcost.hardware import load
from archcost.passes.run import Run
from tests.costs.timelines import fc, played


def gradients(line: Timeline) -> list[int]:
    """Bytes of parameters' gradients at each moment."""
    return [moment.by_role["gradients"] for moment in line.moments]


def test_by_hand() -> None:
    """4 → 3 → 2 for 2 samples, all in float32, on a GPU with momentum, whose step makes nothing."""
    run = Run(optimizer="sgd-momentum", optimizer_in_backward=True)
    line = played([4], fc("one", 3), fc("two", 2), run=run, device="cuda")
    stays = (12 + 3 + 6 + 2) * 2 * 4  # weights and momenta
    given = 2 * 4 * 4  # the samples
    kept = (2 * 3 + 2 * 2 + 1) * 4  # outputs, and their sum
    found = {str(moment): moment.peak for moment in line.moments}
    # backward of `two`: the gradient of the sum, spread over the outputs; of its input, weight and bias
    assert found["backward two"] == stays + given + kept + (1 + 2 * 3 + 6 + 2) * 4
    # then what it kept goes, the output of `one`, which nobody else has; the bias is first, and goes when it is used
    assert found["optimizer two.bias"] == found["backward two"] - 2 * 3 * 4
    assert found["optimizer two.weight"] == found["optimizer two.bias"] - 2 * 4
    assert found["after"] == stays + given + (2 * 2 + 1) * 4


def test_gradients_are_never_all_there() -> None:
    """Of lenet5's 61,706 weights those of fc5 are most: 48,000, and 120 of its bias."""
    graph = archcost.build(archcost.load("lenet5"), 2)
    assert max(gradients(timeline(graph, Run(optimizer="sgd"), "cuda"))) == 61_706 * 4
    line = timeline(graph, Run(optimizer="sgd", optimizer_in_backward=True), "cuda")
    assert max(gradients(line)) == (48_000 + 120) * 4
    assert gradients(line)[-1] == 0
    assert [phase.name for phase in by_phase(line)] == ["forward", "backward"]


def test_each_parameter_has_its_moment() -> None:
    """Weight before bias where both come of one operation; of a linear layer the weight goes through one more."""
    line = timeline("lenet5", Run(optimizer="adam", optimizer_in_backward=True), "cuda")
    steps = [moment.name for moment in line.moments if moment.phase == "optimizer"]
    assert steps[:3] == ["fc7.bias", "fc7.weight", "fc6.bias"]
    assert steps[-2:] == ["conv1.weight", "conv1.bias"]
    assert len(steps) == 10
    worst = timeline("lenet5", Run(optimizer="adam", optimizer_in_backward=True), "cuda")
    assert str(worst.highest) == "optimizer fc5.weight"
    assert {alive.why for alive in worst.alive if alive.held.what == "output"} >= {
        "saved by tanh1 and pool2 for their backward",
        "returned, and held by the caller",
    }


def test_tables_of_codes_are_those_of_each_optimizer() -> None:
    """Three of lenet5's weights have 4,096 values or more; each of their optimizers has two tables of 256."""

    def tables(run: Run) -> int:
        line = timeline("lenet5", run, "cuda")
        return sum(held.nbytes for held in line.storages if held.what.startswith("codes of"))

    assert tables(Run(optimizer="adamw-8bit")) == 2 * 256 * 4
    large = sum(size >= 4096 for size in (150, 2400, 48_000, 10_080, 840))
    assert tables(Run(optimizer="adamw-8bit", optimizer_in_backward=True)) == large * 2 * 256 * 4


def test_what_no_batch_makes_smaller() -> None:
    """26 GB of gradients do not count: weights, momenta and one layer's gradient fit 80 GB."""
    card = load("nvidia-rtx-a6000")  # 48 GiB
    settings = {"precision": "bf16", "optimizer": "sgd-momentum"}
    graph = archcost.build(archcost.load("llama2_7b"), 1)
    assert not no_batch_fits(timeline(graph, Run(**settings, optimizer_in_backward=True), "cuda"), card)
    assert no_batch_fits(timeline(graph, Run(**settings, optimizer_impl="loop", master_weights=True), "cuda"), card)


def test_the_time_of_a_step_has_as_many_launches_as_parameters() -> None:
    settings = {"hardware": "nvidia-rtx-4090", "optimizer": "adam", "batch": 2}
    plain = archcost.estimate("lenet5", **settings)
    within = archcost.estimate("lenet5", **settings, optimizer_in_backward=True)
    assert plain.time is not None
    assert within.time is not None
    assert within.time.launches - plain.time.launches == 7 * (10 - 1)  # seven operations, of each of ten parameters
