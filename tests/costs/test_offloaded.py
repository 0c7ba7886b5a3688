"""What is off the card, by hand: bytes on the host and its disk, and what moves."""

from __future__ import annotations

from typing import Any

import pytest

import archcost
from archcost.costs.offloaded import Offloaded
from archcost.costs.timeline import Timeline, timeline
from archcost.errors import ArchcostError
from archcost.passes.run import Run
from archcost.spec.overrides import override, set_loss
from tests.costs.timelines import Entry, fc, layer, played

# 64 → 100 → 80 for 2 samples: weights of 6,400 and 8,000 values, biases of 100 and 80.
LAYERS: tuple[Entry, ...] = (fc("one", 100), layer("tanh", "bent"), fc("two", 80))
LARGE, SMALL = 6400 + 8000, 100 + 80


def step(offload: str, **settings: Any) -> tuple[Timeline, Offloaded]:
    settings = {"optimizer": "adam", **settings}
    line = played([64], *LAYERS, run=Run(offload=offload, **settings), device="cuda")
    assert line.offloaded is not None
    return line, line.offloaded


def most(line: Timeline, role: str) -> int:
    return max([dict(moment.by_role)[role] for moment in line.moments])  # type: ignore[index]


def test_the_optimizer_on_the_host() -> None:
    """Copies of the large weights, their gradients and two moments with a counter each; biases stay with theirs."""
    line, found = step("optimizer")
    assert found.host == {"weights": LARGE * 4, "gradients": LARGE * 4, "optimizer_state": 2 * LARGE * 4 + 2 * 4}
    assert (found.to_host, found.to_card) == ({"gradients": LARGE * 4}, {"weights": LARGE * 4})
    assert most(line, "optimizer_state") == 2 * SMALL * 4
    assert most(line, "gradients") == (LARGE + SMALL) * 4
    assert found.steps_on_host


def test_gradients_leave_as_they_come() -> None:
    """Those of biases wait for the step on the card."""
    line, found = step("optimizer,gradients")
    assert found.to_host == {"gradients": LARGE * 4}
    assert most(line, "gradients") == (8000 + 80 + 0) * 4  # of `two`, then of `one` without that of its weight before
    assert line.moments[-1].by_role["gradients"] == SMALL * 4


def test_float32_copies_lie_on_the_host_in_place_of_copies_of_the_weights() -> None:
    _, found = step("optimizer", precision="bf16", master_weights=True)
    assert found.host == {"gradients": LARGE * 2, "optimizer_state": 3 * LARGE * 4 + 2 * 4}
    assert found.to_card == {"weights": LARGE * 2}


def test_gradients_move_after_each_backward() -> None:
    _, found = step("optimizer", accumulation=3)
    assert found.to_host == {"gradients": 3 * LARGE * 4}
    assert found.to_card == {"weights": LARGE * 4}


def test_on_the_disk_of_the_host() -> None:
    """Two of the largest parameters' states are in passing; all are read and written."""
    run = Run(offload="optimizer:nvme")
    found = played([64], *LAYERS, fc("three", 60), run=run, device="cuda").offloaded
    assert found is not None
    assert found.nvme == {"optimizer_state": 2 * (LARGE + 4800) * 4 + 3 * 4}
    assert found.host["optimizer_state"] == 2 * (2 * 8000 * 4 + 4)
    assert (found.read, found.written) == (found.nvme_bytes, found.nvme_bytes)


def test_weights_of_two_layers_at_a_time() -> None:
    """Here that is all of them in the midst, and none before and after; each is fetched twice."""
    line, found = step("optimizer,weights")
    both = (LARGE + SMALL) * 4
    assert found.host["weights"] == both
    assert found.to_card == {"weights": 2 * both}
    assert found.to_host == {"gradients": both}  # also of biases, whose weights are there
    assert (line.moments[0].by_role["weights"], most(line, "weights"), line.moments[-1].by_role["weights"]) == (
        0,
        both,
        0,
    )
    assert most(line, "optimizer_state") == 0


def test_weights_in_inference() -> None:
    """A chain of three layers: the second is fetched while the first runs."""
    run = Run(mode="infer", offload="weights")
    line = played([64], *LAYERS, fc("three", 10), run=run, device="cuda")
    assert line.offloaded is not None
    sizes = [6400 + 100, 8000 + 80, 80 * 10 + 10]
    assert most(line, "weights") == (sizes[0] + sizes[1]) * 4
    assert line.offloaded.to_card == {"weights": sum(sizes) * 4}
    assert line.offloaded.to_host == {}
    assert not line.offloaded.steps_on_host


def test_weights_are_fetched_once_more_for_what_is_computed_again() -> None:
    _, found = step("optimizer,weights", recompute="every:2")
    assert found.to_card == {"weights": (3 * (6400 + 100) + 2 * (8000 + 80)) * 4}


def test_small_activations_stay() -> None:
    """At 2 samples the largest has 800 bytes."""
    line, found = step("activations")
    assert found.host == found.to_host == found.to_card == {"activations": 0}
    plain = played([64], *LAYERS, run=Run(optimizer="adam"), device="cuda")
    assert [moment.peak for moment in line.moments] == [moment.peak for moment in plain.moments]


def test_activations_of_a_larger_batch() -> None:
    """At 16 samples the input has 4,096 bytes, the tanh's output 6,400."""
    run = Run(optimizer="sgd", offload="activations")
    line = played([64], *LAYERS, run=run, batch=16, device="cuda")
    found = line.offloaded
    assert found is not None
    assert found.host == {"activations": 16 * 64 * 4 + 2 * 16 * 100 * 4}
    plain = played([64], *LAYERS, run=Run(optimizer="sgd"), batch=16, device="cuda")
    forward, kept = (
        next(moment for moment in each.moments if str(moment) == "forward (loss)").by_role["activations"]
        for each in (line, plain)
    )
    assert kept - forward == 16 * 100 * 4  # what tanh and `two` kept; the input is the caller's


def test_what_goes_into_a_checkpoint() -> None:
    run = Run(optimizer="sgd", offload="activations", recompute="every:2")
    line = played([64], *LAYERS, run=run, batch=16, device="cuda")
    found = line.offloaded
    assert found is not None
    assert found.host == {"activations": 16 * 64 * 4 + 16 * 100 * 4}


def test_batches_that_are_accumulated_move_as_often() -> None:
    one, three, five = (
        timeline("lenet5", Run(offload="activations", accumulation=times), "cuda").offloaded for times in (1, 3, 5)
    )
    assert one is not None
    assert three is not None
    assert five is not None
    assert three.to_host["activations"] == 3 * one.to_host["activations"]
    assert five.to_card["activations"] == 5 * one.to_card["activations"]
    assert one.host == three.host == five.host


def test_paged_states() -> None:
    """Of vgg_a 10 parameters have 100,000 values or more; on the card is the largest one's while it is updated."""
    graph = archcost.build(archcost.load("vgg_a"), 1)
    line = timeline(graph, Run(optimizer="adamw:paged"), "cuda")
    found = line.offloaded
    assert found is not None
    sizes = [held.tensor.numel for held in line.program.storages if held.role == "weights"]
    large = [each for each in sizes if each >= 100_000]
    assert found.host == {"optimizer_state": 2 * 4 * sum(large)}
    assert found.to_host == found.to_card == found.host
    assert line.moments[-1].by_role["optimizer_state"] == 2 * 4 * (sum(sizes) - sum(large))
    assert most(line, "optimizer_state") == 2 * 4 * (sum(sizes) - sum(large) + max(large))
    eight = timeline(graph, Run(optimizer="adamw-8bit:paged"), "cuda").offloaded
    assert eight is not None
    assert eight.host == {"optimizer_state": 2 * sum(large)}  # scales and tables stay
    assert timeline(graph, Run(optimizer="adamw:paged"), "cpu").offloaded is None


def told(problem: str, expected: str, found: str) -> str:
    return f"{problem}\n  expected: {expected}\n  found: {found}"


WORDS = "none, or with commas between: optimizer, gradients, weights, activations, each with :cpu (default) or :nvme"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"offload": "optimiser"},
            f"offload names what lies off the card\n  expected: {WORDS}\n  found: 'optimiser'\n  try: 'optimizer'",
        ),
        ({"offload": ""}, f"offload names what lies off the card\n  expected: {WORDS}\n  found: ''"),
        ({"offload": 3}, f"offload is text\n  expected: {WORDS}\n  found: 3"),
        ({"offload": "none,weights"}, f"offload names what lies off the card\n  expected: {WORDS}\n  found: 'none'"),
        (
            {"offload": "weights:disk", "mode": "infer"},
            told("weights can be offloaded to the host or its disk", "cpu or nvme", "'disk'"),
        ),
        (
            {"offload": "weights:", "mode": "infer"},
            told("weights can be offloaded to the host or its disk", "cpu or nvme", "''"),
        ),
        (
            {"offload": "optimizer,optimizer:nvme"},
            told("offload names optimizer twice", "once", "'optimizer,optimizer:nvme'"),
        ),
        (
            {"offload": "optimizer", "mode": "infer"},
            told("offload optimizer", "mode train: of inference only weights can be offloaded", "mode infer"),
        ),
        (
            {"offload": "weights,activations", "mode": "infer"},
            told("offload weights,activations", "mode train: of inference only weights can be offloaded", "mode infer"),
        ),
        (
            {"offload": "optimizer", "optimizer": "none"},
            told("offload optimizer", "an optimizer, to have its step on the host", "optimizer none"),
        ),
        (
            {"offload": "optimizer", "optimizer": "adamw-8bit:paged"},
            told(
                "offload optimizer",
                "either of both: paged states lie on the host already",
                "optimizer adamw-8bit:paged",
            ),
        ),
        (
            {"offload": "optimizer", "optimizer_in_backward": True},
            told(
                "offload optimizer",
                "either of both: the host's step comes after backward",
                "optimizer_in_backward True",
            ),
        ),
        (
            {"offload": "optimizer", "clip_norm": True},
            told(
                "offload optimizer",
                "no clip_norm: gradients leave the card before their norm is known",
                "clip_norm True",
            ),
        ),
        (
            {"offload": "optimizer,gradients", "accumulation": 2},
            told(
                "offload optimizer,gradients",
                "accumulation 1 where gradients leave the card as they come",
                "accumulation 2",
            ),
        ),
        (
            {"offload": "optimizer,gradients", "keep_gradients": True},
            told("offload optimizer,gradients", "no keep_gradients where they leave the card", "keep_gradients True"),
        ),
        (
            {"offload": "activations", "recompute": "auto"},
            told("offload activations", "recompute none, blocks, every:K or names", "recompute auto"),
        ),
        (
            {"offload": "weights"},
            told(
                "offload of weights while training",
                "optimizer,weights: what is on the host is updated there",
                "offload weights",
            ),
        ),
        (
            {"offload": "gradients"},
            told(
                "offload of gradients while training",
                "optimizer,gradients: what is on the host is updated there",
                "offload gradients",
            ),
        ),
    ],
)
def test_what_cannot_be_offloaded(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ArchcostError) as caught:
        Run(**settings)
    assert str(caught.value) == message


def test_weights_in_front_of_all_that_trains_are_fetched_forward_alone() -> None:
    """Backward ends at `two`, and nothing is left there, nor fetched for what does not run."""
    spec = archcost.ModelSpec.model_validate({"name": "n", "inputs": {"x": [64]}, "loss": "sum", "layers": LAYERS})
    spec = archcost.adapt(spec, freeze=["one"])
    line = timeline(archcost.build(spec, 2), Run(optimizer="sgd", offload="optimizer,weights"), "cuda")
    assert line.offloaded is not None
    assert line.offloaded.to_card == {"weights": (6400 + 100 + 2 * (8000 + 80)) * 4}
    assert line.moments[-1].by_role["weights"] == 0
    assert archcost.estimate(spec, 2, hardware="nvidia-t4", optimizer="sgd", offload="optimizer,weights").to_dict()


@pytest.mark.parametrize("offload", ["activations", "optimizer,weights,activations"])
@pytest.mark.parametrize("loss", ["cross_entropy:fused", "cross_entropy:chunks=4", "cross_entropy:float32,shifted"])
def test_what_a_loss_keeps_stays(loss: str, offload: str) -> None:
    spec = override(archcost.load("gpt2"), (), (), 64)
    found = archcost.estimate(set_loss(spec, loss), 2, hardware="nvidia-t4", precision="bf16", offload=offload)
    assert found.max_batch
    assert found.to_dict()["offload"]["moved_bytes"]["to_host"] > 0


@pytest.mark.parametrize(("name", "batch"), [("lenet5", 1), ("mlp", 3), ("resnet18_lstm", 2)])
@pytest.mark.parametrize("recompute", ["none", "blocks"])
def test_the_largest_batch_is_the_largest_that_fits(name: str, batch: int, recompute: str) -> None:
    """Of few samples small tensors stay, of many they move."""
    settings: dict[str, Any] = {"optimizer": "sgd", "recompute": recompute, "offload": "activations"}
    found = archcost.estimate(name, batch, hardware="nvidia-t4", **settings)
    assert found.max_batch
    last, beyond = (
        archcost.estimate(name, found.max_batch + more, hardware="nvidia-t4", **settings).verdict for more in (0, 1)
    )
    assert (last, beyond) == ("fits", "tight")
