"""What is said of settings that nobody can mean, or that do not suit the network: the whole text."""

from __future__ import annotations

from typing import Any

import pytest

from archcost.errors import ArchcostError
from archcost.passes.run import Run
from tests.costs.timelines import Entry, fc, layer, played

LAYERS = [fc("stage.fc", 5), layer("relu", "stage.relu", inplace=True), fc("head", 2)]
RECOMPUTE = "none, blocks, every:K, auto, or names of layers or blocks with commas between"
OPTIMIZERS = (
    "none, sgd, sgd-momentum, adam, adamw, adamw-8bit, adafactor, lion, rmsprop, adagrad, adadelta, adamax, rprop, "
    "nadam, radam, muon, adam-8bit, lion-8bit, sgd-8bit, rmsprop-8bit, adagrad-8bit, adam-4bit, adamw-4bit, adam-fp8, "
    "adamw-fp8"
)
PRECISIONS = "fp32, tf32, bf16, fp16, amp-bf16, amp-fp16"


def told(*lines: str) -> str:
    return "\n  ".join(lines)


def unknown(name: str, *tries: str) -> str:
    hint = [f"try: {' or '.join(map(repr, tries))}"] if tries else []
    return told(f"no layer or block '{name}' to recompute", f"expected: {RECOMPUTE}", f"found: '{name}'", *hint)


def not_a_length(word: str) -> str:
    return told("every:K recomputes K layers at a time", "expected: K of 1 or more", f"found: '{word}'")


@pytest.mark.parametrize(
    ("recompute", "text"),
    [
        ("stag", unknown("stag", "stage", "stage.fc")),
        ("stage.rely", unknown("stage.rely", "stage.relu", "stage.fc", "stage")),
        ("head,heads", unknown("heads", "head")),
        ("Blocks", unknown("Blocks", "blocks")),
        ("", unknown("")),
        *[(word, not_a_length(word)) for word in ("every:0", "every:x", "every:", "every:-1", "every:1.5", "every:٣")],
        ("every:9999999999", not_a_length("every:9999999999")),
        ("head,head", told("a layer can be recomputed once only", "found: head")),
        ("stage,stage.fc", told("a layer can be recomputed once only", "found: stage.fc")),
        (
            "stage.relu",
            told(
                "stage.relu overwrites what its checkpoint would hold",
                "expected: the layer that makes its input recomputed with it (stage.fc)",
                "found: a segment that begins at stage.relu",
            ),
        ),
        (
            "auto",
            told(
                "recompute: auto looks for the checkpoints that fit a memory",
                "expected: a budget in bytes: that of a device, or one's own",
                "found: none",
            ),
        ),
    ],
)
def test_what_cannot_be_recomputed(recompute: str, text: str) -> None:
    with pytest.raises(ArchcostError) as caught:
        played([3], *LAYERS, run=Run(recompute=recompute))
    assert str(caught.value) == text


def test_what_every_layer_and_every_block_may_be() -> None:
    """A layer that overwrites stays with the one before it, so that these suit every network."""
    assert played([3], *LAYERS, run=Run(recompute="every:1")).segments == (("stage.fc", "stage.relu"), ("head",))
    assert played([3], *LAYERS, run=Run(recompute="blocks")).segments == (("stage.fc", "stage.relu"),)
    assert played([3], *LAYERS, run=Run(recompute=" head , stage")).segments == (("head",), ("stage.fc", "stage.relu"))


def one_of(field: str, words: str, found: str, *tries: str) -> str:
    hint = [f"try: {' or '.join(map(repr, tries))}"] if tries else []
    return told(f"{field} is not one of those known", f"expected: {words}", f"found: {found}", *hint)


def not_a_count(found: str) -> str:
    return told(
        "accumulation is the number of backward passes before a step",
        "expected: an integer from 1 to 2,147,483,647",
        f"found: {found}",
    )


def no_masters(precision: str) -> str:
    return told(
        "master weights are float32 copies of 16-bit weights",
        "expected: precision bf16 or fp16",
        f"found: precision {precision}",
    )


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"accumulation": 0}, not_a_count("0")),
        ({"accumulation": -1}, not_a_count("-1")),
        ({"accumulation": 2.0}, not_a_count("2.0")),
        ({"accumulation": True}, not_a_count("True")),
        ({"accumulation": 10**18}, not_a_count("1000000000000000000")),
        ({"accumulation": "2"}, not_a_count("'2'")),
        ({"precision": "fp31"}, one_of("precision", PRECISIONS, "'fp31'", "fp32", "fp16")),
        ({"precision": "bf-16"}, one_of("precision", PRECISIONS, "'bf-16'", "bf16", "fp16", "amp-bf16")),
        ({"precision": None}, one_of("precision", PRECISIONS, "None")),
        ({"optimizer": "adamm"}, one_of("optimizer", OPTIMIZERS, "'adamm'", "adam", "radam", "nadam")),
        ({"optimizer": "newton"}, one_of("optimizer", OPTIMIZERS, "'newton'", "none")),
        ({"optimizer_impl": "for-each"}, one_of("optimizer_impl", "loop, foreach, fused", "'for-each'", "foreach")),
        ({"mode": "eval"}, one_of("mode", "train, infer, infer-autograd", "'eval'")),
        ({"master_weights": True}, no_masters("fp32")),
        ({"master_weights": True, "precision": "amp-bf16"}, no_masters("amp-bf16")),
        ({"recompute": 3}, told("recompute is text", f"expected: {RECOMPUTE}", "found: 3")),
        ({"recompute": None}, told("recompute is text", f"expected: {RECOMPUTE}", "found: None")),
    ],
)
def test_settings_that_nobody_can_mean(fields: dict[str, Any], text: str) -> None:
    with pytest.raises(ArchcostError) as caught:
        Run(**fields)
    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("optimizer", "impl", "device", "forms"),
    [
        ("adafactor", "fused", "cpu", "loop, foreach"),
        ("lion", "fused", "cpu", "loop, foreach"),
        ("adamw-8bit", "loop", "cuda", "fused"),
    ],
)
def test_an_optimizer_in_a_form_that_it_lacks(optimizer: Any, impl: Any, device: Any, forms: str) -> None:
    with pytest.raises(ArchcostError) as caught:
        played([3], *LAYERS, run=Run(optimizer=optimizer, optimizer_impl=impl), device=device)
    text = told(f"{optimizer} has no such implementation on {device}", f"expected: {forms}", f"found: {impl}")
    assert str(caught.value) == text


SPOILED: list[Entry] = [fc("fc", 5), layer("sigmoid", "s"), layer("relu", "r", inplace=True)]
"""Sigmoid keeps its output for backward; relu overwrites it."""


def test_overwriting_what_another_layer_keeps() -> None:
    with pytest.raises(ArchcostError) as caught:
        played([3], *SPOILED)
    assert str(caught.value) == told(
        "r: overwrites what another layer keeps for its backward, which torch refuses",
        "found: kept by s",
        "try: inplace: false",
    )


def test_writing_over_what_another_layer_keeps() -> None:
    with pytest.raises(ArchcostError) as caught:
        played([3], *SPOILED[:2], layer("write", "w", numel=1))
    assert str(caught.value) == told(
        "w: overwrites what another layer keeps for its backward, which torch refuses",
        "found: kept by s",
        "try: a clone of its input",
    )


def test_overwriting_is_no_mistake_where_nothing_runs_backward() -> None:
    for mode in ("infer", "infer-autograd"):
        assert played([3], *SPOILED, run=Run(mode=mode)).peak == 80 + 24 + 40 + 40
    assert played([3], *SPOILED, loss="none").peak == 80 + 24 + 40 + 40
    frozen = [SPOILED[0] | {"trainable": False}, *SPOILED[1:]]
    assert played([3], *frozen).peak == 80 + 24 + 40 + 40


@pytest.mark.parametrize(
    ("settings", "expected", "found"),
    [
        ({"mode": "infer"}, "mode train, which has a backward", "mode infer"),
        ({"optimizer": "none"}, "an optimizer", "optimizer none"),
        ({"accumulation": 2}, "accumulation 1: each backward is a step", "accumulation 2"),
        ({"keep_gradients": True}, "no keep_gradients: each is dropped when it is used", "keep_gradients True"),
        ({"clip_norm": True}, "no clip_norm: the norm of all gradients needs all of them", "clip_norm True"),
        ({"recompute": "auto"}, "recompute none, blocks, every:K or names", "recompute auto"),
    ],
)
def test_an_optimizer_in_backward_uses_each_gradient_at_once(
    settings: dict[str, Any], expected: str, found: str
) -> None:
    with pytest.raises(ArchcostError) as caught:
        Run(optimizer_in_backward=True, **settings)
    lines = ("the optimizer cannot step in backward", f"expected: {expected}", f"found: {found}")
    assert str(caught.value) == told(*lines)
