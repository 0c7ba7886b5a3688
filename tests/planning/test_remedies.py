"""Remedies: every one held against an independent estimate, their order against the stated one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import archcost
from archcost import Estimate, Run, hardware
from archcost.hardware.profile import HardwareProfile
from archcost.planning import trials
from archcost.planning.changes import Price
from archcost.planning.remedies import Remedies, Remedy, remedies
from archcost.spec import ModelSpec
from archcost.spec.overrides import set_inputs, set_loss, set_parameter, with_sequence
from tests.graph.networks import specs
from tests.planning.devices import CPU, GPU, device, runs


def estimate(remedy: Remedy, spec: ModelSpec, profile: HardwareProfile) -> Estimate:
    """By the words of its JSON alone."""
    told = remedy.to_dict()
    words = ("mode", "precision", "optimizer", "optimizer_impl", "optimizer_in_backward", "accumulation")
    words += ("recompute", "in_place", "offload")
    if told["side"] is not None:
        name, image = next((name, given) for name, given in spec.inputs.items() if len(given.shape) >= 3)
        spec = set_inputs(spec, [f"{name}={image.shape[0]}" + f"x{told['side']}" * (len(image.shape) - 1)])
    if told["sequence"] is not None:
        spec = with_sequence(spec, told["sequence"])
    if told["loss"] is not None:
        spec = set_loss(spec, told["loss"])
    spec = archcost.adapt(
        spec, freeze=told["freeze"], train=told["train"], adapt=told["adapt"], weights=told["weights"]
    )
    return archcost.estimate(spec, told["batch"], hardware=profile, **{word: told[word] for word in words})


@given(specs(), runs(), st.sampled_from([GPU, CPU]), st.sampled_from([4, 6]), st.floats(0.2, 0.98))
@settings(max_examples=20, deadline=None)
def test_remedies_are_what_an_estimate_says(spec: ModelSpec, run: Run, name: str, batch: int, share: float) -> None:
    """On a device with that share of what the step needs."""
    try:
        needs = archcost.estimate(spec, batch, hardware=name, run=run)
    except archcost.ArchcostError as error:
        assume("overwrites what" not in error.problem)
        raise
    profile = device(name, int(share * needs.demand.allocated))
    assert not archcost.estimate(spec, batch, hardware=profile, run=run).fits
    found = remedies(spec, batch, run, profile)

    for remedy in found.singles:
        said = estimate(remedy, spec, profile)
        assert (said.peak, said.demand) == (remedy.trial.line.peak, remedy.trial.demand)
        assert said.demand.allocated < needs.demand.allocated
        assert len(remedy.changes) == 1
    assert [remedy.cost for remedy in found.singles] == sorted(remedy.cost for remedy in found.singles)
    order = get_args(Price)
    prices = [order.index(remedy.cost.price) for remedy in found.singles]
    assert prices == sorted(prices)

    if found.cheapest is None:
        assert not any(remedy.fits for remedy in found.singles)
        assert found.least is not None
        assert not found.least.fits
        return
    assert estimate(found.cheapest, spec, profile).fits
    assert not any(remedy.fits for remedy in found.singles if remedy.cost < found.cheapest.cost)


def of(layers: list[dict[str, Any]], batch: int, profile: HardwareProfile, **fields: Any) -> Remedies:
    spec = ModelSpec.model_validate({"name": "net", "input": [4], "loss": "sum", "layers": layers})
    return remedies(spec, batch, Run(**fields), profile)


def told(remedy: Remedy | None) -> list[str]:
    return [change.what for change in remedy.changes] if remedy else []


LINEAR = {"type": "linear", "out_features": 2, "bias": False}
"""4 → 2: 8 weights of 4 bytes."""


def test_the_optimizer_by_hand() -> None:
    """On a CPU that has float32 alone: weights 32 B, gradient 32 B, input 16 B, result 8 B, loss 4 B, and the loss's
    gradient 4 B where the worst moment is in backward: 96 B with sgd. One moment more is 32 B, Adam's two and a step
    counter 68 B; its loop makes two temporaries of 32 B in the update, when the loss's gradient is gone: 224 B."""
    found = of([LINEAR], 1, device("raspberry-pi-5", 100))
    peaks = {told(remedy)[0]: remedy.trial.line.peak for remedy in found.singles}
    assert peaks["optimizer loop → fused"] == 96 + 68
    assert peaks["optimizer adam → sgd-momentum"] == 96 + 32
    assert peaks["optimizer adam → sgd"] == 96
    assert told(found.cheapest) == ["optimizer adam → sgd"]
    assert found.cheapest is not None
    assert (found.cheapest.cost.price, found.least) == ("training", None)


def test_smaller_batches_divide_the_batch() -> None:
    """A sample has 16 B of input and 8 B of results. The second pass holds weights 32 B, the gradient so far 32 B and a
    new one 32 B, loss and its gradient 8 B: 104 + 24·N, for 4 samples 200 B. With 6, the old results still live when
    the new ones come: 32 + 32 + 4 + 6·(16 + 8 + 8) = 260 B."""
    found = of([LINEAR], 12, device(CPU, 250), optimizer="none")
    [fewer] = [remedy for remedy in found.singles if "batches" in told(remedy)[0]]
    assert told(fewer) == ["3 batches of 4 samples a step"]
    assert (fewer.case.batch, fewer.case.run.accumulation, fewer.cost.passes) == (4, 3, 3)
    assert (fewer.cost.price, fewer.fits) == ("free", True)


def test_a_batch_norm_makes_a_smaller_batch_another_training() -> None:
    layers = [LINEAR, {"type": "batch_norm1d", "name": "norm"}, LINEAR]
    needs = of(layers, 12, device(CPU, 1), optimizer="none")
    [fewer] = [remedy for remedy in needs.singles if "a step" in told(remedy)[0]]
    assert fewer.cost.price == "training"
    assert fewer.changes[0].note == "norm takes its statistics of 1 sample"
    assert fewer.changes[0].what == "12 batches of 1 sample a step"


def test_inference_has_remedies_of_its_own() -> None:
    """With autograd on, the outputs of sigmoid and of tanh are kept; off, two tensors of 64 B live at a time. Passes
    need no accumulation."""
    layers = [LINEAR, {"type": "sigmoid"}, {"type": "tanh"}, {"type": "sigmoid"}]
    found = of(layers, 8, device(CPU, 32 + 128 + 2 * 64), mode="infer-autograd")
    assert told(found.cheapest) == ["autograd off"]
    kinds = {told(remedy)[0]: remedy.cost.price for remedy in found.singles}
    assert kinds["autograd off"] == "free"
    assert kinds["2 passes of 4 samples"] == "free"
    assert not any("optimizer" in kind or "recompute" in kind for kind in kinds)


def test_recomputation_costs_its_share_of_the_step() -> None:
    """vgg_d in blocks does all of its convolutions' forward again: somewhat under a third of forward and backward,
    and the same share whatever the precision, since autocast's copies are no work."""
    found = remedies(archcost.load("vgg_d"), 256, Run(optimizer="sgd"), hardware.load("nvidia-rtx-2080-ti"))
    [blocks] = [remedy for remedy in found.singles if told(remedy) == ["recompute blocks"]]
    assert 0.32 < blocks.cost.flops < 0.34
    cast = remedies(
        archcost.load("vgg_d"), 256, Run(optimizer="sgd", precision="amp-fp16"), hardware.load("nvidia-rtx-2080-ti")
    )
    [again] = [remedy for remedy in cast.singles if told(remedy) == ["recompute blocks"]]
    assert again.cost.flops == blocks.cost.flops


def test_precisions_are_those_of_the_device() -> None:
    """A T4 multiplies float16 but no bfloat16; a Titan Black neither."""
    spec = archcost.load("resnet18")

    def precisions(name: str, batch: int) -> list[str]:
        found = remedies(spec, batch, Run(), hardware.load(name))
        return [words for remedy in found.singles for words in told(remedy) if words.startswith("precision")]

    assert precisions("nvidia-t4", 2048) == ["precision fp32 → amp-fp16"]
    assert precisions("nvidia-gtx-titan-black", 1024) == []


def test_nothing_helps_where_the_weights_alone_are_too_many() -> None:
    """vgg_e has 143,667,240 weights of 4 bytes. What is told is of the network as it is, not of smaller images."""
    found = remedies(archcost.load("vgg_e"), 1, Run(optimizer="sgd"), hardware.load("st-stm32f746"))
    assert found.cheapest is None
    assert found.least is not None
    assert found.least.line.by_role["weights"] == 4 * 143_667_240


def test_a_combination_takes_one_change_of_a_kind() -> None:
    """No precision or recomputation alone is enough, and a dearer change, fewer samples for batch norms, not needed
    where both are made."""
    found = remedies(archcost.load("resnet18"), 256, Run(), device("nvidia-t4", 26 * 2**30 // 10))
    assert told(found.cheapest) == ["precision fp32 → amp-fp16", "recompute auto"]
    assert found.cheapest is not None
    assert found.cheapest.cost.price == "arithmetic"
    alone = {told(remedy)[0]: (remedy.fits, remedy.cost.price) for remedy in found.singles}
    assert alone["precision fp32 → amp-fp16"] == (False, "arithmetic")
    assert alone["recompute blocks"] == (False, "FLOPs")
    assert "recompute auto" not in alone  # it finds nothing that fits
    assert alone["4 batches of 64 samples a step"] == (True, "training")


def test_checkpoints_that_are_searched_for_cost_no_more_than_others() -> None:
    """The search is exact, so neither blocks nor √n runs that fit recompute less."""
    found = remedies(archcost.load("resnet18"), 256, Run(), device(GPU, 5 * 2**30))
    shares = {told(remedy)[0]: remedy.cost.flops for remedy in found.singles if remedy.fits}
    assert 0 < shares["recompute auto"] < min(shares["recompute blocks"], 0.3)
    assert told(found.cheapest) == ["recompute auto"]
    assert found.cheapest is not None
    assert (
        found.cheapest.to_dict()["checkpoints"] == [list(names) for names in found.cheapest.trial.line.segments] != []
    )


def test_a_language_model_on_a_small_card_has_several_ways() -> None:
    """GPT-2 of 124,439,808 weights and 64 tokens: in bfloat16 they are 0.25 GB, and with gradients and Adam's two
    moments 1 GB, which no precision brings below 600 MB. States on the host do, and so does another optimizer, and so
    do adapters, which leave the optimizer as it is; each way is the cheapest of its own price.
    """
    spec = archcost.loads(archcost.load("gpt2").to_yaml())
    found = remedies(set_inputs(spec, ["64"]), 1, Run(precision="bf16"), device(GPU, 600 * 10**6))
    ways = {remedy.cost.price: told(remedy) for remedy in found.ways}
    assert list(ways) == ["transfers", "training", "adaptation"]
    assert found.ways[0].moved_bytes > 2 * 2 * 124_439_808  # gradients to the host and weights back, at the least
    assert any(words.startswith("optimizer adam → ") for words in ways["training"])
    assert "adapt lora:r=16,targets=all-linear" in ways["adaptation"]
    assert not any(words.startswith("optimizer adam → ") for words in ways["adaptation"])
    assert found.cheapest is found.ways[0]


def test_the_last_layer_alone() -> None:
    """4 → 8 → 2 without biases: 32 and 16 weights. Frozen, the first has no gradient and no moments."""
    layers = [{"type": "linear", "out_features": 8, "bias": False}, LINEAR]
    found = of(layers, 1, device("raspberry-pi-5", 100))
    peaks = {told(remedy)[0]: remedy.trial.line for remedy in found.singles}
    frozen = peaks["freeze all but fc2"]
    assert frozen.by_role["optimizer_state"] == 2 * 64 + 4
    assert frozen.by_role["weights"] == 128 + 64


def test_losses_and_lengths_of_a_language_model() -> None:
    """Its head runs within the loss, piece by piece, or fused; a sequence that is too long is named with the longest
    that fits, which is a smaller task."""
    spec = set_parameter(set_parameter(archcost.load("llama3_2_1b"), "depth", 1), "tokens", 2048)
    run = Run(precision="bf16", optimizer="sgd")
    needs = archcost.estimate(spec, 1, hardware=GPU, run=run).demand.allocated
    small = device(GPU, int(0.9 * needs))
    found = remedies(spec, 1, run, small)
    by_words = {told(remedy)[0]: remedy for remedy in found.singles}
    assert by_words["loss in 8 chunks"].cost.price == by_words["loss fused with the head"].cost.price == "free"
    [shorter] = [remedy for words, remedy in by_words.items() if words.startswith("a sequence of ")]
    assert (shorter.cost.price, shorter.fits) == ("task", True)
    length = shorter.case.altered.sequence
    assert length is not None
    assert estimate(shorter, spec, small).demand.is_safe
    assert not archcost.estimate(with_sequence(spec, length + 1), 1, hardware=small, run=run).demand.is_safe


def test_weights_in_few_bits_are_of_what_does_not_train() -> None:
    """Alone they are offered in inference, and in training beside adapters only."""
    spec = set_inputs(archcost.loads(archcost.load("gpt2").to_yaml()), ["64"])
    inferring = remedies(spec, 1, Run(mode="infer", precision="bf16"), device(GPU, 200 * 10**6))
    assert any(told(remedy) == ["weights int8"] for remedy in inferring.singles)
    training = remedies(spec, 1, Run(precision="bf16"), device(GPU, 330 * 10**6))
    assert not any(words.startswith("weights") for remedy in training.singles for words in told(remedy))
    for remedy in training.ways:
        if any(words.startswith("weights") for words in told(remedy)):
            assert any(words.startswith(("adapt", "freeze")) for words in told(remedy))


def test_few_steps_are_played_for_a_large_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a network whose weights alone are more than the card holds: 40 at the most, with every kind of remedy."""
    played: list[str] = []

    def counted(name: str) -> Callable[..., Any]:
        real = getattr(trials, name)

        def play(*args: Any) -> Any:
            played.append(name)
            return real(*args)

        return play

    for name in ("timeline", "trial"):
        monkeypatch.setattr(trials, name, counted(name))
    found = remedies(archcost.load("llama2_7b"), 1, Run(), hardware.load("nvidia-rtx-4090"))
    assert [remedy.cost.price for remedy in found.ways] == ["transfers", "training", "adaptation"]
    assert 10 < len(played) <= 40
