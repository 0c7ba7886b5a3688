"""Which gradients a step computes: torch's autograd by hand on networks of a few layers."""

from __future__ import annotations

from typing import Any

from archcost.graph import build
from archcost.passes.gradients import gradients_needed
from archcost.spec import ModelSpec
from tests.costs.networks import Entry, by_name, conv, cost_of, linear

BOTH = ("weight", "bias")
RELU = {"type": "relu", "name": "relu"}


def needs(*layers: Entry, **fields: Any) -> dict[str, tuple[tuple[int, ...], tuple[str, ...]]]:
    given = {} if "inputs" in fields else {"input": (7,)}
    spec = ModelSpec.model_validate({"name": "net", **given, **fields, "layers": layers})
    return {name: tuple(need) for name, need in gradients_needed(build(spec)).items()}  # pyright: ignore[reportReturnType]


def test_the_first_layer_needs_no_input_gradient() -> None:
    assert needs(linear("a", 5), RELU, linear("b", 3)) == {
        "a": ((), BOTH),
        "relu": ((0,), ()),
        "b": ((0,), BOTH),
    }


def test_nothing_before_the_first_trainable_layer_needs_backward() -> None:
    assert needs({"type": "dropout", "name": "drop"}, RELU, linear("a", 5)) == {
        "drop": ((), ()),
        "relu": ((), ()),
        "a": ((), BOTH),
    }


def test_a_frozen_start_stops_backward_at_the_head() -> None:
    found = needs(linear("a", 5, trainable=False), RELU, linear("b", 3, trainable=False), linear("head", 2))
    assert found == {"a": ((), ()), "relu": ((), ()), "b": ((), ()), "head": ((), BOTH)}


def test_a_frozen_layer_after_a_trained_one_passes_the_gradient_on() -> None:
    found = needs(linear("a", 5), linear("b", 3, trainable=False), linear("c", 2, bias=False))
    assert found == {"a": ((), BOTH), "b": ((0,), ()), "c": ((0,), ("weight",))}


def test_all_frozen() -> None:
    assert needs(linear("a", 5, trainable=False), RELU) == {"a": ((), ()), "relu": ((), ())}


def test_a_frozen_block_freezes_what_is_in_it() -> None:
    blocks = {"pair": {"layers": [linear("a", 5), {**RELU}]}}
    found = needs({"block": "pair", "name": "x", "trainable": False}, {"block": "pair", "name": "y"}, blocks=blocks)
    assert found == {"x.a": ((), ()), "x.relu": ((), ()), "y.a": ((), BOTH), "y.relu": ((0,), ())}


def parameter(name: str, *shape: int, **fields: Any) -> Entry:
    return {"type": "parameter", "name": name, "shape": shape, **fields}


def test_a_weight_that_is_given_is_trained_where_it_comes_from() -> None:
    fixed, learnt = parameter("fixed", 5, trainable=False), parameter("learnt", 5, 7)
    bent = {"type": "tanh", "name": "bent"}
    last = linear("last", 5, inputs=["input"], given={"weight": "bent", "bias": "fixed"}, trainable=False)
    assert needs(fixed, learnt, bent, last) == {
        "fixed": ((), ()),
        "learnt": ((), ("weight",)),
        "bent": ((0,), ()),
        "last": ((), ("weight",)),
    }


def test_what_is_given_for_a_buffer_gets_no_gradient() -> None:
    norm = {"type": "batch_norm1d", "name": "bn", "inputs": ["input"], "given": {"running_mean": "mean"}}
    assert needs(parameter("mean", 7), norm) == {"mean": ((), ()), "bn": ((), BOTH)}


def test_buffers_get_no_gradient() -> None:
    assert needs(linear("a", 5), {"type": "batch_norm1d", "name": "bn"})["bn"] == ((0,), BOTH)


def test_two_inputs_neither_of_which_needs_a_gradient() -> None:
    inputs = {"x": (7,), "y": (7,)}
    found = needs({"type": "mul", "name": "gate", "inputs": ("x", "y")}, linear("a", 5), inputs=inputs)
    assert found == {"gate": ((), ()), "a": ((), BOTH)}


def test_one_branch_is_trained_the_other_is_an_input() -> None:
    inputs = {"x": (7,), "y": (5,)}
    found = needs(linear("a", 5), {"type": "mul", "name": "gate", "inputs": ("y", "a")}, inputs=inputs)
    assert found == {"a": ((), BOTH), "gate": ((1,), ())}


def test_labels_get_no_gradient() -> None:
    inputs = {"x": (7,), "labels": {"shape": (), "dtype": "int64"}}
    loss = {"type": "cross_entropy", "name": "loss", "inputs": ("a", "labels")}
    assert needs(linear("a", 5), loss, inputs=inputs) == {"a": ((), BOTH), "loss": ((0,), ())}


UNPOOLED = (
    conv("encoder", 5),
    {"type": "max_pool2d", "name": "pool", "kernel_size": 2, "return_indices": True},
    conv("code", 5, 1),
    {"type": "max_unpool2d", "name": "unpool", "kernel_size": 2, "inputs": ("code", "pool:1")},
)


def test_indices_get_no_gradient() -> None:
    found = needs(*UNPOOLED, input=(3, 8, 8))
    assert found["unpool"] == ((0,), ())
    assert found["pool"] == ((0,), ())  # by way of its values, which `code` reads


def test_a_branch_that_reaches_no_loss_has_no_backward() -> None:
    """Only indices come out of it, and nothing can be learnt from those."""
    side = (
        conv("side", 5, inputs=("input",)),
        {"type": "max_pool2d", "name": "pool", "kernel_size": 2, "return_indices": True},
        {"type": "identity", "name": "places", "inputs": ("pool:1",)},
    )
    found = needs(conv("main", 2), *side, input=(3, 8, 8))
    assert found == {
        "main": ((), BOTH),
        "side": ((), ()),
        "pool": ((), ()),
        "places": ((), ()),
    }


def test_every_output_is_part_of_the_loss() -> None:
    found = needs(linear("a", 5), linear("b", 3), linear("c", 2, inputs=("a",)))
    assert found == {"a": ((), BOTH), "b": ((0,), BOTH), "c": ((0,), BOTH)}


def test_a_tied_weight_is_trained_in_both_places() -> None:
    found = needs(linear("encoder", 5), linear("decoder", 7, weight="encoder.weight.T"))
    assert found == {"encoder": ((), BOTH), "decoder": ((0,), ("bias", "weight"))}


def test_a_tied_weight_with_a_frozen_owner_is_not_trained() -> None:
    found = needs(linear("encoder", 5, trainable=False), linear("decoder", 7, weight="encoder.weight.T"))
    assert found == {"encoder": ((), ()), "decoder": ((), ("bias",))}


def test_a_frozen_user_of_a_trained_weight_still_gives_it_a_gradient() -> None:
    tied = linear("decoder", 7, weight="encoder.weight.T", trainable=False)
    assert needs(linear("encoder", 5), tied) == {"encoder": ((), BOTH), "decoder": ((0,), ("weight",))}


def test_flops_follow_the_needs() -> None:
    """2×7 through 7→5 frozen, relu, 5→3 trained, 3→2 frozen: MACs 70, 30 and 12."""
    layers = (linear("a", 5, trainable=False), RELU, linear("b", 3), linear("c", 2, trainable=False))
    flops = {name: layer.flops for name, layer in by_name(cost_of(*layers, input=(7,), batch=2)).items()}
    assert [flops[name].forward.contraction for name in "abc"] == [140, 60, 24]
    assert [flops[name].backward_input.contraction for name in "abc"] == [0, 0, 24]  # c passes on, b is the first
    assert [flops[name].backward_weight.contraction for name in "abc"] == [0, 60, 0]
    assert flops["relu"].backward_input.elementwise == 0
    assert [flops[name].backward_weight.elementwise for name in "abc"] == [0, 6, 0]  # b's bias sums 2*3 gradients


def test_without_a_loss_there_is_no_backward() -> None:
    assert needs(linear("a", 5), RELU, loss="none") == {"a": ((), ()), "relu": ((), ())}


def test_nothing_flows_back_through_what_is_cut_off_or_read_for_its_size() -> None:
    found = needs(
        linear("a", 5),
        {"type": "detach", "name": "cut"},
        linear("b", 5),
        {"type": "constant", "name": "noise", "shape": [1, 5], "inputs": ["a"]},
        {"type": "mul", "name": "both", "inputs": ["b", "noise"]},
    )
    assert found == {
        "a": ((), ()),
        "cut": ((), ()),
        "b": ((), BOTH),
        "noise": ((), ()),
        "both": ((0,), ()),
    }
