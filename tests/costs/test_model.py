"""The cost of a network: sums of its layers, whatever is shared, frozen, or kept beside the weights."""

from __future__ import annotations

import pytest

import archcost
from archcost.costs import ModelCost
from archcost.errors import SpecError
from archcost.work import Flops
from tests.costs.networks import by_name, conv, cost_of, linear


@pytest.fixture(scope="module")
def vgg_d() -> ModelCost:
    return archcost.cost(archcost.build(archcost.load("vgg_d")))


def test_vgg_d_trained_for_one_image(vgg_d: ModelCost) -> None:
    """Twice the published MACs forward, twice that backward, less the first layer's input gradient."""
    assert vgg_d.macs == 15_470_264_320
    assert vgg_d.flops.forward.contraction == 30_940_528_640  # 2 * 15,470,264,320
    assert vgg_d.flops.backward_input.contraction == 30_767_120_384  # less 2 * 86,704,128
    assert vgg_d.flops.backward_weight.contraction == 30_940_528_640
    assert vgg_d.flops.backward.contraction == 61_707_649_024
    assert vgg_d.flops.total.contraction == 92_648_177_664  # and not 3 * 30,940,528,640 = 92,821,585,920


def test_vgg_d_weights(vgg_d: ModelCost) -> None:
    assert vgg_d.parameters == 138_357_544
    assert vgg_d.biases == 13_416  # 64*2 + 128*2 + 256*3 + 512*6 + 4096*2 + 1000
    assert vgg_d.trainable_parameters == 138_357_544
    assert vgg_d.buffers == 0


def test_vgg_d_elementwise(vgg_d: ModelCost) -> None:
    """By what each layer adds: a bias and a comparison for each value, four comparisons a pooled one, dropout's two."""
    maps = 2 * 64 * 224**2 + 2 * 128 * 112**2 + 3 * 256 * 56**2 + 3 * 512 * 28**2 + 3 * 512 * 14**2
    pooled = 64 * 112**2 + 128 * 56**2 + 256 * 28**2 + 512 * 14**2 + 512 * 7**2
    features = 2 * 4096
    assert vgg_d.flops.forward.elementwise == 2 * maps + 4 * pooled + 4 * features + 1000
    assert vgg_d.flops.backward_input.elementwise == maps + pooled + 2 * features
    assert vgg_d.flops.backward_weight.elementwise == maps + features + 1000


def test_the_json_of_a_layer(vgg_d: ModelCost) -> None:
    first = vgg_d.to_dict()["layers"][0]
    assert first == {
        "name": "stage1.conv1",
        "type": "conv2d",
        "inputs": ["image"],
        "output_shapes": [[1, 64, 224, 224]],
        "parameters": 1792,  # (3*3*3 + 1) * 64
        "biases": 64,
        "trainable_parameters": 1792,
        "buffers": 0,
        "macs": 86_704_128,  # 64*224*224 * 27
        "flops": {
            "forward": {"contraction": 173_408_256, "elementwise": 3_211_264},
            "backward_input": {"contraction": 0, "elementwise": 0},
            "backward_weight": {"contraction": 173_408_256, "elementwise": 3_211_264},
        },
        "receptive_field": [3, 3],
        "jump": [1, 1],
        "effective_padding": [1, 1],
    }


def test_the_json_of_the_network(vgg_d: ModelCost) -> None:
    tree = vgg_d.to_dict()
    assert (tree["schema"], tree["network"], tree["batch"], tree["unknown"]) == ("archcost.summary/1", "vgg_d", 1, [])
    assert tree["totals"]["parameters"] == 138_357_544
    assert tree["totals"]["flops"]["backward_weight"]["contraction"] == 30_940_528_640
    types = [layer["type"] for layer in tree["layers"]]
    assert {type_: types.count(type_) for type_ in set(types)} == {
        "conv2d": 13,
        "relu": 15,
        "max_pool2d": 5,
        "flatten": 1,
        "linear": 3,
        "dropout": 2,
    }


def test_totals_are_the_sums_of_the_layers() -> None:
    result = cost_of(
        conv("a", 5),  # 7×11 → 5×9
        {"type": "batch_norm2d", "name": "bn"},
        conv("b", 2, bias=False, trainable=False),  # 5×9 → 3×7
        {"type": "flatten"},
        linear("c", 13),
        batch=2,
    )
    layers = by_name(result)
    assert {name: layer.parameters for name, layer in layers.items()} == {
        "a": 140,  # (3*3*3 + 1) * 5
        "bn": 10,
        "b": 90,  # 3*3*5 * 2
        "flatten1": 0,
        "c": 559,  # (2*3*7 + 1) * 13
    }
    assert result.parameters == 799  # 140 + 10 + 90 + 559
    assert result.trainable_parameters == 709  # 799 - 90
    assert result.biases == 23  # 5 + 5 + 13, the norm's shift included
    assert result.buffers == 11  # 2*5 + 1
    assert result.macs == 2 * (45 * 135 + 42 * 45 + 13 * 42)  # outputs times products, for 2 samples
    for half in ("forward", "backward_input", "backward_weight"):
        for column in ("contraction", "elementwise"):
            total = sum(getattr(getattr(layer.flops, half), column) for layer in result.layers)
            assert getattr(getattr(result.flops, half), column) == total


def test_with_and_without_biases() -> None:
    with_bias = cost_of(conv("a", 5), {"type": "flatten"}, linear("b", 2))
    without = cost_of(conv("a", 5, bias=False), {"type": "flatten"}, linear("b", 2, bias=False))
    assert (with_bias.biases, without.biases) == (7, 0)
    assert with_bias.parameters - without.parameters == 7
    assert with_bias.macs == without.macs
    assert with_bias.flops.forward.elementwise == 227  # 5*5*9 + 2
    assert without.flops.forward == Flops(2 * without.macs, 0)


def test_a_tied_weight_is_counted_once() -> None:
    result = cost_of(linear("encoder", 5), linear("decoder", 7, weight="encoder.weight.T"), input=(7,))
    assert [layer.parameters for layer in result.layers] == [40, 7]  # 7*5 + 5; its own bias only
    assert result.parameters == 47
    assert result.macs == 70  # 7*5 + 5*7: shared weights are still worked with twice
    assert result.flops.backward_weight.contraction == 140


def test_a_weight_tied_as_it_is() -> None:
    result = cost_of(
        conv("a", 3, padding=1, bias=False), conv("b", 3, padding=1, bias=False, weight="a.weight"), input=(3, 5, 7)
    )
    assert result.parameters == 81  # 3*3*3 * 3
    assert [layer.parameters for layer in result.layers] == [81, 0]


def test_a_frozen_owner_freezes_the_tied_weight() -> None:
    result = cost_of(linear("encoder", 5, trainable=False), linear("decoder", 7, weight="encoder.weight.T"), input=(7,))
    assert (result.parameters, result.trainable_parameters) == (47, 7)
    assert result.flops.backward == Flops(0, 7)  # the decoder's bias and nothing else


def test_equal_layers_in_different_places_are_told_apart() -> None:
    """One block, used frozen and trained: the same layer object, different costs."""
    blocks = {"unit": {"layers": [linear("fc", 7)]}}
    uses = [{"block": "unit", "name": name, "trainable": name != "a"} for name in "abc"]
    result = cost_of(*uses, input=(7,), blocks=blocks)
    assert [layer.trainable_parameters for layer in result.layers] == [0, 56, 56]
    assert [layer.flops.backward_weight.contraction for layer in result.layers] == [0, 98, 98]
    assert [layer.flops.backward_input.contraction for layer in result.layers] == [0, 0, 98]


def test_no_layer_is_unknown_without_being_named() -> None:
    assert cost_of({"type": "relu"}).unknown == ()


PUBLISHED = {"title": "one linear", "input": (7,)}  # (7 + 1) * 5 = 40 parameters, 35 MACs a sample


@pytest.mark.parametrize("published", [{"parameters": 40}, {"macs": 35}, {"parameters": "40", "macs": "35"}])
@pytest.mark.parametrize("batch", [1, 3])
def test_a_published_figure_agrees(published: dict[str, int | str], batch: int) -> None:
    assert cost_of(linear("a", 5), published=published, batch=batch, **PUBLISHED).parameters == 40


@pytest.mark.parametrize(
    ("published", "expected", "found"),
    [
        ({"parameters": 41}, "41, as published", "40 from the layers"),
        ({"macs": 36}, "36, as published", "35 from the layers"),
        ({"parameters": 1_000_000}, "1,000,000, as published", "40 from the layers"),
        ({"parameters": "41"}, "41, as published", "40 from the layers"),
        ({"macs": "2 M"}, "2 M, as published", "35 from the layers"),
    ],
)
def test_a_published_figure_disagrees(published: dict[str, int | str], expected: str, found: str) -> None:
    with pytest.raises(SpecError) as caught:
        cost_of(linear("a", 5), published=published, **PUBLISHED)
    error = caught.value
    assert error.problem == f"published {next(iter(published))} disagree with the layers"
    assert (error.expected, error.found, error.layer) == (expected, found, "net")
    assert error.hint == "correct the layers, or the figure"


@pytest.mark.parametrize(
    ("figure", "agrees"),
    [("138 M", True), ("139 M", False), ("137 M", False), ("138.4 M", True), ("138.3 M", True), ("138.5 M", False)],
)
def test_text_agrees_when_rounding_or_cutting_off_gives_it(figure: str, agrees: bool) -> None:
    """138,357,544: papers round (138.4) and cut off (138.3); neither makes 139 of it."""
    tree = {**archcost.load("vgg_d").to_dict(), "published": {"parameters": figure}}
    graph = archcost.build(archcost.ModelSpec.model_validate(tree))
    if agrees:
        assert archcost.cost(graph).parameters == 138_357_544
        return
    with pytest.raises(SpecError, match="published parameters disagree with the layers"):
        archcost.cost(graph)


def test_a_figure_that_is_none() -> None:
    with pytest.raises(SpecError) as caught:
        cost_of(linear("a", 5), published={"parameters": "a lot"}, **PUBLISHED)
    assert caught.value.problem == "published parameters cannot be read"
    assert (caught.value.expected, caught.value.found) == ("an integer, or text such as 138 M", "'a lot'")


def test_the_cost_of_nothing() -> None:
    result = cost_of()
    assert (result.parameters, result.macs, result.flops.total) == (0, 0, Flops(0, 0))
