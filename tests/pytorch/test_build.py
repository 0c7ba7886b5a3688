"""The module that is built: names, sharing, freezing, inputs and outputs, and that it learns."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
import torch
from torch import nn

import archcost
from archcost.errors import ArchcostError
from archcost.layers import LAYERS
from archcost.pytorch import build
from archcost.pytorch.network import module_at


def network(layers: str, inputs: str = "input: [3, 8, 8]", blocks: str = "") -> archcost.ModelSpec:
    return archcost.loads(f"name: net\n{inputs}\n{blocks}\nlayers:\n{layers}")


def test_state_dict_names_are_the_dotted_layer_names() -> None:
    names = list(build(archcost.load("vgg_d"), "meta").state_dict())
    assert names[:4] == ["stage1.conv1.weight", "stage1.conv1.bias", "stage1.conv2.weight", "stage1.conv2.bias"]
    assert names[-2:] == ["fc8.weight", "fc8.bias"]
    assert len(names) == 32  # (13 convolutions + 3 linear) * 2


def test_names_that_nn_module_uses_itself() -> None:
    spec = network("""
  - {type: conv2d, name: type, out_channels: 5, kernel_size: 3}
  - {type: relu, name: forward}
  - {type: conv2d, name: float.half, out_channels: 2, kernel_size: 1}
  - {type: batch_norm2d, name: steps}
""")
    module = build(spec)
    assert {name.rpartition(".")[0] for name in module.state_dict()} == {"type", "float.half", "steps"}
    assert module.float() is module
    assert module(torch.zeros(1, 3, 8, 8)).shape == (1, 2, 6, 6)


TIED = """
  - {type: linear, name: encoder1, out_features: 5}
  - {type: tanh}
  - {type: linear, name: decoder1, out_features: 7, weight: encoder1.weight.T}
"""


def test_a_transposed_weight_is_the_owners() -> None:
    module = build(network(TIED, "input: [7]"))
    assert {name: tuple(weight.shape) for name, weight in module.named_parameters()} == {
        "encoder1.weight": (5, 7),
        "encoder1.bias": (5,),
        "decoder1.bias": (7,),
    }
    x = torch.randn(3, 7)
    encoder = module_at(module, "encoder1")
    weight, bias = encoder.weight, encoder.bias
    expected = torch.tanh(x @ weight.T + bias) @ weight + module_at(module, "decoder1").bias  # pyright: ignore
    torch.testing.assert_close(module(x), expected)


def test_a_copy_of_a_tied_network_is_tied_to_itself() -> None:
    module = build(network(TIED, "input: [7]"))
    x = torch.randn(3, 7)
    for other in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        torch.testing.assert_close(other(x), module(x))
        with torch.no_grad():
            module_at(other, "encoder1").weight.zero_()  # pyright: ignore
        torch.testing.assert_close(other(x), module_at(other, "decoder1").bias.expand(3, 7))  # pyright: ignore


def test_a_shared_weight_is_one_parameter() -> None:
    module = build(
        network("""
  - {type: conv2d, name: first, out_channels: 3, kernel_size: 3, padding: 1}
  - {type: conv2d, name: second, out_channels: 3, kernel_size: 3, padding: 1, weight: first.weight}
""")
    )
    assert module_at(module, "first").weight is module_at(module, "second").weight
    assert list(module.state_dict()) == ["first.weight", "first.bias", "second.weight", "second.bias"]
    assert sum(weight.numel() for weight in module.parameters()) == 3 * 3 * 9 + 3 + 3


@pytest.mark.parametrize("bias", ["true", "false"])
@pytest.mark.parametrize(
    ("first", "second", "size"),
    [
        ("conv2d", "conv_transpose2d", "8, 8"),
        ("conv1d", "conv_transpose1d", "9"),
        ("conv_transpose2d", "conv2d", "8, 8"),
    ],
)
def test_convolutions_with_a_shared_kernel(first: str, second: str, size: str, bias: str) -> None:
    """A convolution (5, 3, k) undone by its own kernel: the transposed convolution's (5, 3, k) is the same one."""
    module = build(
        network(
            f"""
  - {{type: {first}, name: down, out_channels: 5, kernel_size: 3}}
  - {{type: {second}, name: up, out_channels: 3, kernel_size: 3, bias: {bias}, weight: down.weight}}
""",
            f"input: [3, {size}]",
        )
    )
    x = torch.randn(2, *[3, *map(int, size.split(","))])
    assert module(x).shape == x.shape
    assert module_at(module, "up").weight is module_at(module, "down").weight


def test_a_convolution_with_a_transposed_kernel() -> None:
    module = build(
        network("""
  - {type: conv2d, name: there, out_channels: 5, kernel_size: 3, padding: same, padding_mode: circular}
  - {type: conv2d, name: back, out_channels: 3, kernel_size: 3, stride: 2, weight: there.weight.T}
  - {type: conv_transpose2d, name: up, out_channels: 5, kernel_size: 3, stride: 2, weight: there.weight.T}
""")
    )
    x = torch.randn(2, 3, 8, 8)
    weight: Any = module_at(module, "there").weight
    middle = module_at(module, "there")(x)
    low = nn.functional.conv2d(middle, weight.transpose(0, 1), module_at(module, "back").bias, stride=2)  # pyright: ignore
    up = nn.functional.conv_transpose2d(low, weight.transpose(0, 1), module_at(module, "up").bias, stride=2)  # pyright: ignore
    torch.testing.assert_close(module(x), up)


def test_frozen_layers_and_blocks() -> None:
    spec = network(
        """
  - {block: stage, name: frozen, trainable: false}
  - {block: stage, name: trained}
  - {type: batch_norm2d, name: bn, trainable: false}
""",
        blocks="blocks: {stage: {layers: [{type: conv2d, name: conv, out_channels: 3, kernel_size: 1}]}}",
    )
    trained = [name for name, weight in build(spec).named_parameters() if weight.requires_grad]
    assert trained == ["trained.conv.weight", "trained.conv.bias"]


def test_a_weight_shared_by_a_frozen_layer_is_still_trained() -> None:
    module = build(
        network(
            """
  - {type: linear, name: a, out_features: 7}
  - {type: linear, name: b, out_features: 7, trainable: false, weight: a.weight}
""",
            "input: [7]",
        )
    )
    assert {name: weight.requires_grad for name, weight in module.named_parameters()} == {
        "a.weight": True,
        "a.bias": True,
        "b.bias": False,
    }


TWO_IN_TWO_OUT = """
  - {type: linear, name: left, inputs: [b], out_features: 3}
  - {type: linear, name: right, inputs: [a], out_features: 3}
  - {type: add, name: sum, inputs: [left, right]}
  - {type: relu, name: aside, inputs: [left]}
"""


def test_several_inputs_and_outputs() -> None:
    module = build(network(TWO_IN_TWO_OUT, "inputs: {a: [5], b: [2]}"))
    a, b = torch.randn(4, 5), torch.randn(4, 2)
    by_position = module(a, b)
    assert [tuple(result.shape) for result in by_position] == [(4, 3), (4, 3)]
    for other in (module(a=a, b=b), module(b=b, a=a), module(a, b=b)):
        assert all(torch.equal(one, two) for one, two in zip(by_position, other, strict=True))
    left = module_at(module, "left")(b)
    torch.testing.assert_close(by_position[0], left + module_at(module, "right")(a))
    torch.testing.assert_close(by_position[1], left.relu())


@pytest.mark.parametrize(("given", "named"), [((1,), {}), ((1, 2, 3), {}), ((1, 2), {"b": 3}), ((1,), {"c": 2})])
def test_wrong_inputs_are_a_type_error(given: tuple[int, ...], named: dict[str, int]) -> None:
    module = build(network(TWO_IN_TWO_OUT, "inputs: {a: [5], b: [2]}"))
    with pytest.raises(TypeError, match=r"takes a, b"):
        module(*given, **named)


def test_second_outputs() -> None:
    """A pool's indices bring the maxima back to their places; the pieces of a split are outputs 0, 1, …"""
    module = build(
        network("""
  - {type: split, name: parts, split_size: [1, 2]}
  - {type: max_pool2d, name: pool, inputs: ["parts:1"], kernel_size: 2, return_indices: true}
  - {type: max_unpool2d, name: up, inputs: [pool, "pool:1"], kernel_size: 2}
  - {type: identity, name: rest, inputs: [parts]}
""")
    )
    x = torch.arange(2.0 * 3 * 8 * 8).reshape(2, 3, 8, 8)
    up, rest = module(x)
    assert torch.equal(rest, x[:, :1])
    expected = torch.zeros(2, 2, 8, 8)
    expected[:, :, 1::2, 1::2] = x[:, 1:, 1::2, 1::2]  # the largest of each 2x2 is its last
    assert torch.equal(up, expected)


def test_small_layers_do_what_they_say() -> None:
    module = build(
        network("""
  - {type: permute, name: turned, dims: [0, 2, 3, 1]}
  - {type: mean, name: mean, dim: [1, 2]}
  - {type: pad, name: padded, pad: [1, 2], value: 4.0}
  - {type: reshape, name: column, shape: [-1, 2]}
  - {type: concat, name: doubled, inputs: [column, column], dim: 2}
  - {type: mul, name: squared, inputs: [doubled, doubled]}
  - {type: l1_penalty, name: penalty, weight: 0.5}
""")
    )
    x = -torch.ones(2, 3, 8, 8)
    # means -1 -1 -1, padded to 4 -1 -1 -1 4 4, doubled and squared: 2·(3·16 + 3·1) = 102 a sample; 2 samples, half
    assert module(x).item() == 102.0


def test_more_than_two_summands() -> None:
    module = build(network("  - {type: add, name: sum, inputs: [input, input, input]}"))
    x = torch.randn(2, 3, 8, 8)
    assert torch.equal(module(x), x + x + x)


def test_a_training_step_lowers_the_loss() -> None:
    torch.manual_seed(0)
    spec = archcost.load("lenet5")
    module = build(spec)
    ((_, given),) = spec.inputs.items()
    x, labels = torch.randn(8, *given.shape), torch.arange(8) % 10
    optimizer = torch.optim.SGD(module.parameters(), lr=0.01)
    losses: list[float] = []
    for _ in range(8):
        loss = nn.functional.cross_entropy(module(x), labels)
        optimizer.zero_grad()
        loss.backward()  # pyright: ignore
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


def test_weights_are_initialised_as_torch_does() -> None:
    """One layer after another, so the same seed gives the weights of the same modules made by hand."""
    spec = network("""
  - {type: conv2d, out_channels: 5, kernel_size: 3}
  - {type: flatten}
  - {type: linear, out_features: 2}
""")
    torch.manual_seed(1)
    module = build(spec)
    torch.manual_seed(1)
    by_hand = nn.Sequential(nn.Conv2d(3, 5, 3), nn.Flatten(), nn.Linear(5 * 6 * 6, 2))
    pairs = zip(module.parameters(), by_hand.parameters(), strict=True)
    assert all(torch.equal(ours, theirs) for ours, theirs in pairs)
    assert module.training


def test_weights_have_the_dtype_of_what_arrives() -> None:
    module = build(network("  - {type: linear, out_features: 2}", "inputs: {x: {shape: [3], dtype: float64}}"))
    assert module(torch.zeros(1, 3, dtype=torch.float64)).dtype == torch.float64


def test_the_formulas_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shapes and weights come from torch alone, or they would be no witness."""
    spec = archcost.load("conv_autoencoder_unpooling")

    def refuse(*_: object) -> None:
        raise AssertionError("asked a formula")

    for layer in LAYERS.values():
        for rule in ("output_types", "weights", "work", "windows"):
            monkeypatch.setattr(layer, rule, refuse)
    with pytest.raises(AssertionError, match="asked a formula"):
        archcost.build(spec)
    assert build(spec, "meta").state_dict()


@pytest.mark.parametrize(
    ("layer", "found"),
    [
        ("{type: conv2d, name: bad, out_channels: 5, kernel_size: 9}", "Kernel size can't be greater than"),
        ("{type: conv2d, name: bad, out_channels: 5, kernel_size: 3, groups: 2}", "divisible by groups"),
        ("{type: reshape, name: bad, shape: [5]}", "is invalid for input of size"),
        ("{type: linear, name: bad, out_features: 2147483647}", None),
        ("{type: max_unpool2d, name: bad, inputs: [input, input], kernel_size: 2}", None),
        ('{type: relu, name: bad, inputs: ["input:1"]}', "input:1"),
    ],
)
def test_what_torch_refuses_is_named(layer: str, found: str | None) -> None:
    inputs = "input: [3, 8, 8]" if "linear" not in layer else "input: [3, 2147483647]"
    with pytest.raises(ArchcostError) as caught:
        build(network(f"  - {layer}", inputs), "meta")
    assert caught.value.layer == "bad"
    assert caught.value.place is not None
    assert caught.value.exit_code == 2
    assert found is None or found in str(caught.value)


def test_an_unknown_device() -> None:
    with pytest.raises(ArchcostError, match="device 'gpu9' cannot be used here"):
        build(archcost.load("mlp"), "gpu9")
