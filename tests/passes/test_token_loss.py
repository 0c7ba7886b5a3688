"""The options of a loss: what a step holds by them beside torch, which builds the same network and loss, and refusals.

Up to 8 bytes a token more: a copy of the labels is let go a moment before our rule of cross entropy lets it go.
"""

from __future__ import annotations

import gc
from typing import Any

import pytest
import torch

import archcost
from archcost.costs.phases import by_phase
from archcost.errors import ArchcostError, SpecError
from archcost.passes.run import Run
from archcost.pytorch.measure import track
from archcost.pytorch.training import prepare, step
from archcost.report import render
from archcost.spec import ModelSpec
from archcost.spec.loss import Loss, read_loss

TOKENS, BATCH = 12, 2
SCALARS = 32
"""Bytes of single numbers that are added up."""


def network(loss: str, turned: bool = True, tokens: int = TOKENS, **head: Any) -> ModelSpec:
    """Tokens of 50 words, embedded in 8 features, and a guess of each next one."""
    layers: list[dict[str, Any]] = [
        {"type": "embedding", "name": "tokens_in", "num_embeddings": 50, "embedding_dim": 8},
        {"type": "linear", "name": "fc", "out_features": 8},
        {"type": "gelu", "name": "gelu"},
        {"type": "linear", "name": "head", "out_features": 50, "bias": False, **head},
    ]
    turn = [{"type": "transpose", "name": "scores", "dim0": 1, "dim1": 2}] if turned else []
    inputs = {"tokens": {"shape": [tokens], "dtype": "int64"}}
    return ModelSpec.model_validate({"name": "n", "inputs": inputs, "loss": loss, "layers": [*layers, *turn]})


LOSSES = (
    "cross_entropy:float32",
    "cross_entropy:shifted",
    "cross_entropy:float32,shifted",
    "cross_entropy:float32,shifted=logits",
    "cross_entropy:chunks=3",
    "cross_entropy:chunks=5,shifted",
    "cross_entropy:fused",
    "cross_entropy:fused,shifted",
)
HEADS: dict[str, dict[str, Any]] = {
    "a head": {},
    "bias": {"bias": True},
    "tied": {"weight": "tokens_in.weight"},
    "frozen": {"trainable": False},
}


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("loss", LOSSES)
def test_a_step_holds_what_torch_holds(loss: str, head: str) -> None:
    if "chunks" in loss and head == "bias":
        with pytest.raises(SpecError, match="a last layer without a bias"):
            archcost.build(network(loss, **HEADS[head]), BATCH)
        return
    for precision, accumulation in (("fp32", 1), ("bf16", 1), ("amp-bf16", 1), ("fp32", 2)):
        graph = archcost.build(network(loss, **HEADS[head]), BATCH)
        run = Run(precision=precision, optimizer="sgd", accumulation=accumulation)  # pyright: ignore[reportArgumentType]
        line = archcost.timeline(graph, run, "cpu", out_of_place=True)
        training = prepare(graph, run, line.segments, "cpu")
        for _ in range(2):
            step(training, lambda phase: None)
        gc.collect()
        expected = {phase.name: phase.peak for phase in track(training)}
        apart = {phase.name: phase.peak - expected[phase.name] for phase in by_phase(line) if phase.name in expected}
        assert all(abs(each) <= SCALARS + 8 * TOKENS * BATCH for each in apart.values()), (precision, apart)
        assert apart["forward"] in range(-SCALARS, SCALARS + 1), (precision, apart)


@pytest.mark.parametrize("loss", [each for each in LOSSES if "shifted" not in each])
def test_the_loss_and_its_gradients_are_those_of_cross_entropy(loss: str) -> None:
    """Of the same weights and labels, in the sum of chunks as many times the mean as there are tokens."""
    found: list[list[torch.Tensor]] = []
    for each in ("cross_entropy", loss):
        torch.manual_seed(0)
        training = prepare(archcost.build(network(each, turned=True), BATCH), Run(optimizer="none"), (), "cpu")
        torch.manual_seed(1)
        labels = torch.randint(50, (BATCH, TOKENS))
        assert training.target is not None
        training.target.copy_(labels)
        out = training.forward(**training.inputs)
        loss_value = (
            out[0]
            if isinstance(out, tuple)
            else (training.compared or torch.nn.functional.cross_entropy)(out, training.target)
        )
        scale = TOKENS * BATCH if "chunks" in each else 1
        (loss_value / scale).backward()
        gradients = [each.grad for each in training.network.parameters() if each.grad is not None]
        found.append([loss_value.detach() / scale, *gradients])
    for plain, other in zip(*found, strict=True):
        torch.testing.assert_close(plain, other, rtol=1e-4, atol=1e-5)


def peak(loss: str, precision: str = "bf16", **settings: Any) -> int:
    run: Any = Run(precision=precision, optimizer="none", **settings)  # pyright: ignore[reportArgumentType]
    return archcost.timeline(archcost.build(network(loss), BATCH), run, "cuda").peak


def test_what_is_held_falls_with_the_pieces() -> None:
    whole, chunks, fused = (peak(f"cross_entropy:{each}") for each in ("float32", "chunks=6", "fused"))
    assert fused < chunks < whole


def test_a_head_in_the_loss_is_not_recomputed() -> None:
    """It stands in the last run of layers, without which the others are recomputed all the same."""
    graph = archcost.build(network("cross_entropy:fused"), BATCH)
    line = archcost.timeline(graph, Run(recompute="every:2", optimizer="none"), "cuda")
    assert line.segments == (("tokens_in", "fc"), ("gelu",))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mse", Loss("mse")),
        ("cross_entropy:float32,shifted", Loss("cross_entropy", float32=True, shifted="labels")),
        ("cross_entropy:shifted=logits", Loss("cross_entropy", shifted="logits")),
        ("cross_entropy:chunks=8", Loss("cross_entropy", chunks=8)),
        ("cross_entropy:fused", Loss("cross_entropy", fused="liger")),
        ("cross_entropy:fused=torch", Loss("cross_entropy", fused="torch")),
    ],
)
def test_words(text: str, expected: Loss) -> None:
    assert read_loss(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hinge", "unknown loss\n  expected: cross_entropy, mse, l1, sum, none\n  found: 'hinge'"),
        ("mse:fused", "loss mse has no such option\n  expected: none\n  found: 'fused'"),
        ("cross_entropy:fuse", "found: 'fuse'\n  try: 'fused'"),
        ("cross_entropy:", "loss cross_entropy has no such option"),
        ("cross_entropy:fused,fused", "loss option fused stands twice"),
        ("cross_entropy:chunks=0", "expected: a number of pieces from 1 to 1,024, as in chunks=8\n  found: '0'"),
        ("cross_entropy:chunks", "loss option chunks"),
        ("cross_entropy:float32=1", "loss option float32 has no value"),
        ("cross_entropy:fused=ligre", "found: 'ligre'\n  try: 'liger'"),
        ("cross_entropy:fused,chunks=2", "loss options that do not go together"),
        ("cross_entropy:fused,float32", "in float32 already"),
        ("cross_entropy:chunks=2,shifted=logits", "no scores of all tokens to copy"),
    ],
)
def test_wrong_words(text: str, expected: str) -> None:
    with pytest.raises(ArchcostError, match="loss") as raised:
        read_loss(text)
    assert expected in str(raised.value)


def images(loss: str) -> ModelSpec:
    layers = [{"type": "conv2d", "name": "conv", "out_channels": 5, "kernel_size": 1}]
    return ModelSpec.model_validate({"name": "n", "input": [3, 4, 4], "loss": loss, "layers": layers})


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (images("cross_entropy:fused"), "found: conv, a layer of type conv2d"),
        (images("cross_entropy:shifted"), "expected: scores of tokens: (batch, tokens, classes), perhaps transposed"),
        (network("cross_entropy:chunks=13"), "expected: at most 12 chunks, as many as there are tokens"),
        (network("cross_entropy:shifted=logits", tokens=1), "expected: two tokens or more"),
    ],
)
def test_networks_that_do_not_suit(spec: ModelSpec, expected: str) -> None:
    with pytest.raises(ArchcostError, match="does not suit the outputs") as raised:
        archcost.build(spec, 2)
    assert expected in str(raised.value)


def test_float32_of_images_is_a_cast() -> None:
    graph = archcost.build(images("cross_entropy:float32"), 2)
    assert archcost.timeline(graph, Run(precision="bf16", optimizer="none"), "cuda").peak > 0


@pytest.mark.parametrize("loss", ["cross_entropy:fused", "cross_entropy:fused=torch", "cross_entropy:chunks=3"])
def test_checkpoints_are_looked_for_outside_the_loss(loss: str) -> None:
    layers = [{"type": "linear", "out_features": 8}, {"type": "gelu"}] * 4
    spec = network(loss)
    spec = ModelSpec.model_validate(
        {**spec.to_dict(), "layers": [spec.to_dict()["layers"][0], *layers, *spec.layers[3:]]}
    )
    graph = archcost.build(spec, BATCH)
    run = Run(recompute="auto", optimizer="none")
    plain = archcost.timeline(graph, Run(optimizer="none"), "cuda").peak
    line = archcost.timeline(graph, run, "cuda", budget=plain - 300)
    assert line.peak <= plain - 300
    assert line.segments
    assert not any("head" in names or "scores" in names for names in line.segments)


def test_every_answer_tells_the_options() -> None:
    spec = network("cross_entropy:fused")
    found = archcost.estimate(spec, 2, hardware="nvidia-rtx-4090")
    assert found.to_dict()["loss"] == "cross_entropy:fused"
    assert found.line.to_dict()["loss"] == "cross_entropy:fused"
    assert "loss cross_entropy:fused" in render(found, "text").splitlines()[0]
    assert "loss" not in archcost.estimate(network("cross_entropy"), 2, hardware="nvidia-rtx-4090").to_dict()
