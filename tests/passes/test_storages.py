"""What a network keeps for its backward, each storage once. Values are float32, 4 bytes, unless said otherwise."""

from __future__ import annotations

from typing import Any

from archcost.graph import Port, build
from archcost.passes.storages import Kept, kept
from archcost.spec import ModelSpec
from archcost.terms.autograd import Device
from tests.costs.networks import Entry, conv, linear

RELU = {"type": "relu", "name": "relu"}
IMAGE = (3, 7, 11)


def keeps(*layers: Entry, batch: int = 2, training: bool = True, device: Device = "cpu", **fields: Any) -> Kept:
    given = {} if "inputs" in fields else {"input": IMAGE}
    spec = ModelSpec.model_validate({"name": "net", **given, **fields, "layers": layers})
    return kept(build(spec, batch), training, device)


def listed(found: Kept) -> dict[str, list[str]]:
    return {name: [str(storage) for storage in storages] for name, storages in found.saved.items()}


def activations(found: Kept) -> int:
    """Bytes kept without the weights, which are there anyway."""
    return sum(storage.nbytes for storage in found.storages if storage.role != "weight")


def test_a_chain_in_place_keeps_two_tensors_for_three_layers() -> None:
    """Conv's output for the norm; the norm's, overwritten by the activation, for both that and the next conv."""
    bn, relu = {"type": "batch_norm2d", "name": "bn"}, {**RELU, "inplace": True}
    found = keeps(conv("a", 5, padding=1), bn, relu, conv("b", 2))
    assert listed(found) == {
        "a": ["input input", "a weight"],
        "bn": ["a output", "bn weight", "bn running_mean", "bn running_var", "bn mean", "bn 1/deviation"],
        "relu": ["bn output"],
        "b": ["bn output", "b weight"],
    }
    outputs = 2 * 5 * 7 * 11
    assert activations(found) == 4 * (2 * 3 * 7 * 11 + 2 * outputs + 2 * 5)


def test_a_weight_that_is_given_is_kept_where_it_lies() -> None:
    kernel = {"type": "parameter", "name": "kernel", "shape": (5, 3, 3, 3)}
    view = {"type": "flatten", "name": "flat", "start_dim": 2}
    back = {"type": "unflatten", "name": "back", "dim": 2, "unflattened_size": (3, 3)}
    bent = {"type": "tanh", "name": "bent"}
    viewed = conv("viewed", 5, inputs=["input"], given={"weight": "back"})
    computed = conv("computed", 5, inputs=["input"], given={"weight": "bent"})
    assert listed(keeps(kernel, view, back, bent, viewed, computed)) == {
        "kernel": [],
        "flat": [],
        "back": [],
        "bent": ["bent output"],
        "viewed": ["input input", "kernel weight"],
        "computed": ["input input", "bent output"],
    }


def test_what_another_keeps_for_its_weight_may_not_be_overwritten() -> None:
    kernel = {"type": "parameter", "name": "kernel", "shape": (5, 3, 3, 3)}
    doubled = {"type": "add", "name": "doubled", "inputs": ["kernel", "kernel"]}
    over = {**RELU, "inputs": ["doubled"], "inplace": True}
    found = keeps(kernel, doubled, conv("a", 5, inputs=["input"], given={"weight": "doubled"}), over)
    assert found.spoiled == {"relu": ("a",)}


def test_not_in_place_the_result_is_a_third() -> None:
    found = keeps(conv("a", 5, padding=1), {"type": "batch_norm2d", "name": "bn"}, RELU, conv("b", 2))
    assert listed(found)["relu"] == ["relu output"]
    assert found.places[Port("bn")].owner == "bn"
    assert "bn output" not in [str(storage) for storage in found.storages]


def test_a_copy_of_the_input_where_the_result_does_not_tell_it() -> None:
    found = keeps(conv("a", 5), {"type": "silu", "name": "act", "inplace": True})
    assert listed(found)["act"] == ["act copy of the input"]
    assert found.places[Port("act")] == found.places[Port("a")]


def test_what_was_kept_may_not_be_overwritten() -> None:
    """A sigmoid keeps its result, which the next layer destroys; a conv's is kept by nobody."""
    relu = {**RELU, "inplace": True}
    assert keeps(conv("a", 5), {"type": "sigmoid", "name": "s"}, relu).spoiled == {"relu": ("s",)}
    assert keeps(conv("a", 5), relu).spoiled == {}
    drop = {"type": "dropout", "name": "drop", "inplace": True}
    layers = (conv("a", 5), {"type": "tanh", "name": "t"}, drop)
    assert keeps(*layers).spoiled == {"drop": ("t",)}
    assert keeps(*layers, training=False).spoiled == {}


def test_what_is_written_through_data_goes_unnoticed() -> None:
    """A view counts writes with the tensor that it is a view of; `Tensor.data` counts its own."""
    over = {**RELU, "inplace": True}
    for data, noticed in ((True, {}), (False, {"relu": ("s",)})):
        seen = {"type": "detach", "name": "seen", "data": data}
        flat = {"type": "flatten", "name": "flat"}
        assert keeps(conv("a", 5), {"type": "sigmoid", "name": "s"}, seen, flat, over).spoiled == noticed


def test_an_addition_keeps_nothing_and_in_place_has_no_storage() -> None:
    layers = (linear("a", 5), linear("b", 5, inputs=["a"]), {"type": "add", "name": "sum", "inputs": ["b", "a"]})
    found = keeps(*layers, input=(5,))
    assert listed(found)["sum"] == []
    assert found.places[Port("sum")].owner == "sum"
    layers[-1]["inplace"] = True
    assert keeps(*layers, input=(5,)).places[Port("sum")].owner == "b"


def test_views_are_followed_to_their_storage() -> None:
    """A piece of a split keeps the whole alive."""
    found = keeps(
        conv("a", 5, padding=1),
        {"type": "split", "name": "halves", "split_size": 3},
        conv("b", 2, 1, inputs=["halves:1"]),
        {"type": "flatten", "name": "flat"},
        linear("head", 3),
    )
    assert listed(found)["b"] == ["a output", "b weight"]
    assert listed(found)["head"] == ["head weight", "b output"]
    assert found.places[Port("halves", 1)].nbytes == 4 * 2 * 5 * 7 * 11


def test_a_reshape_of_permuted_values_is_a_copy() -> None:
    permute = {"type": "permute", "name": "turn", "dims": [0, 2, 3, 1]}
    found = keeps(conv("a", 5), permute, {"type": "flatten", "name": "flat"}, linear("head", 3))
    assert found.places[Port("turn")].owner == "a"
    assert found.places[Port("flat")].owner == "flat"
    assert listed(found)["head"] == ["head weight", "flat output"]


def test_a_tied_weight_is_one_storage() -> None:
    found = keeps(linear("code", 5), linear("back", 7, weight="code.weight.T"), input=(7,))
    assert listed(found) == {"code": ["input input"], "back": ["code weight", "code output"]}
    weights = [storage for storage in found.storages if storage.role == "weight"]
    assert [weight.tensor.shape for weight in weights] == [(5, 7)]


def test_local_response_norm_of_64_channels_keeps_three_times_its_input() -> None:
    """Base, divisor, and squares padded by 4 channels: 64 + 64 + 68 channels of 2·5·5 values, beside the input."""
    norm = {"type": "local_response_norm", "name": "lrn", "size": 5}
    found = keeps(conv("a", 64, 1), norm, input=(3, 5, 5))
    own = [storage.nbytes for storage in found.saved["lrn"] if storage.role == "saved"]
    assert sum(own) == 4 * (64 + 64 + 68) * 2 * 5 * 5


def test_dropout_in_training_on_either_device_and_in_evaluation() -> None:
    layers = (linear("a", 5), {"type": "dropout", "name": "drop"})
    for device, each in (("cpu", 4), ("cuda", 1)):
        assert [s.nbytes for s in keeps(*layers, input=(7,), device=device).saved["drop"]] == [each * 2 * 5]
    evaluated = keeps(*layers, input=(7,), training=False)
    assert evaluated.saved["drop"] == ()
    assert evaluated.places[Port("drop")].owner == "a"


def test_what_is_before_the_first_trainable_layer_keeps_nothing() -> None:
    found = keeps(conv("a", 5, trainable=False), {**RELU, "name": "r"}, conv("b", 2))
    assert listed(found) == {"a": [], "r": [], "b": ["r output", "b weight"]}


def test_a_branch_that_leads_nowhere_keeps_too() -> None:
    """Autograd cannot know in forward which output the loss will be taken of."""
    pool = {"type": "max_pool2d", "name": "pool", "kernel_size": 2, "return_indices": True}
    found = keeps(conv("a", 5), pool, loss="none")
    assert listed(found)["pool"] == ["a output", "pool output 1"]
    assert found.places[Port("pool", 1)].nbytes == 8 * 2 * 5 * 2 * 4


def test_half_precision_counts_two_bytes() -> None:
    found = keeps(linear("a", 5), inputs={"x": {"shape": (7,), "dtype": "bfloat16"}})
    assert [storage.nbytes for storage in found.saved["a"]] == [2 * 2 * 7]
