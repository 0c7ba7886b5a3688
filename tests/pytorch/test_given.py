"""Weights that other layers put out: torch agrees on what they are, what they cost, what is kept and what lives when.

Parameters are counted by hand where they are declared.
"""

from __future__ import annotations

import copy
import pickle
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
import torch
from hypothesis import Phase, settings
from hypothesis import given as hypothesis_given
from hypothesis import strategies as st
from torch import nn

import archcost
from archcost.errors import ArchcostError
from archcost.layers import Buffer, Layer, Parameter, Tanh, WeightedLayer
from archcost.passes.run import Run
from archcost.pytorch import build, verify
from archcost.pytorch.build import zeros
from archcost.pytorch.checks import Check
from archcost.pytorch.network import Network, as_tuple, module_at
from tests.pytorch.test_random_networks import networks, stable
from tests.pytorch.test_saved_networks import agree
from tests.pytorch.test_timeline_random import SLOW, holds_what_torch_holds, is_left_out, runs


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Beside networks of 40 KB, what kernels allocate a thread would decide."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


STANDARDISED = """
name: standardised
input: [3, 8, 8]
layers:
  - {type: conv2d, name: stem, out_channels: 3, kernel_size: 1}
  - {type: parameter, name: kernel, shape: [5, 3, 3, 3]}
  - {type: unsqueeze, name: one, dim: 0}
  - {type: flatten, name: rows, start_dim: 2}
  - {type: batch_norm1d, name: norm, affine: false, track_running_stats: false}
  - {type: unflatten, name: kernels, dim: 2, unflattened_size: [3, 3, 3]}
  - {type: squeeze, name: standard, dim: 0}
  - {type: conv2d, name: conv, out_channels: 5, kernel_size: 3, inputs: [stem], given: {weight: standard}}
  - {type: relu}
"""
"""A kernel standardised by batch_norm, as timm's StdConv2d does it."""

ARITHMETIC = """
name: arithmetic
input: [3, 8, 8]
layers:
  - {type: parameter, name: kernel, shape: [5, 3, 3, 3]}
  - {type: reshape, name: rows, shape: [27]}
  - {type: mean, name: mean, dim: 1, keepdim: true}
  - {type: sub, name: centred, inputs: [rows, mean]}
  - {type: reshape, name: kernels, shape: [3, 3, 3]}
  - {type: conv2d, name: conv, out_channels: 5, kernel_size: 3, inputs: [input], given: {weight: kernels}}
  - {type: conv2d, name: again, out_channels: 5, kernel_size: 3, padding: 1, inputs: [input], given: {weight: kernels}}
  - {type: flatten, inputs: [conv]}
  - {type: flatten, inputs: [again]}
  - {type: concat, inputs: [flatten1, flatten2]}
"""
"""A kernel less the mean of each of its rows, read by two layers."""

PACKED = """
name: packed
input: [6, 14]
layers:
  - {type: parameter, name: weights, shape: [21, 14]}
  - {type: parameter, name: biases, shape: [21]}
  - {type: split, name: w, split_size: 7, dim: 0, inputs: [weights]}
  - {type: split, name: b, split_size: 7, dim: 0, inputs: [biases]}
  - {type: linear, name: q, out_features: 7, inputs: [input], given: {weight: w, bias: b}}
  - {type: linear, name: k, out_features: 7, inputs: [input], given: {bias: "b:1", weight: "w:1"}}
  - {type: linear, name: v, out_features: 7, inputs: [input], given: {weight: "w:2"}}
  - {type: unsqueeze, name: q1, dim: 1, inputs: [q]}
  - {type: unsqueeze, name: k1, dim: 1, inputs: [k]}
  - {type: unsqueeze, name: v1, dim: 1, inputs: [v]}
  - {type: scaled_dot_product_attention, name: attended, inputs: [q1, k1, v1]}
  - {type: parameter, name: out, shape: [14, 7], trainable: false}
  - {type: linear, name: proj, out_features: 14, inputs: [attended], given: {weight: out}}
"""
"""Slices of one packed parameter, one bias of which nobody reads; and a weight that is frozen."""

TWICE = """
name: twice
input: [5, 7]
layers:
  - {type: parameter, name: scale, shape: [7]}
  - {type: parameter, name: shift, shape: [7]}
  - {type: parameter, name: matrix, shape: [7, 7]}
  - {type: layer_norm, name: before, inputs: [input], given: {weight: scale, bias: shift}}
  - {type: linear, name: first, out_features: 7, given: {weight: matrix}}
  - {type: gelu}
  - {type: linear, name: second, out_features: 7, given: {weight: matrix}}
  - {type: layer_norm, name: after, given: {weight: scale, bias: shift}}
"""
"""Modules that are called twice."""

TABLE = """
name: table
inputs: {tokens: {shape: [5], dtype: int64}}
layers:
  - {type: parameter, name: table, shape: [11, 7]}
  - {type: embedding, num_embeddings: 11, embedding_dim: 7, inputs: [tokens], given: {weight: table}}
  - {type: linear, name: mixed, out_features: 7}
  - {type: linear, name: head, out_features: 11, bias: false, given: {weight: table}}
"""
"""Tied: the rows that are looked up are those that the last layer multiplies with."""

IMAGES = """
name: images
input: [6, 5, 5]
layers:
  - {type: parameter, name: depthwise, shape: [6, 1, 3, 3]}
  - {type: mul, name: squared, inputs: [depthwise, depthwise]}
  - {type: conv2d, name: dw, out_channels: 6, kernel_size: 3, groups: 6, inputs: [input], given: {weight: squared}}
  - {type: parameter, name: kernel, shape: [6, 4, 3, 3]}
  - {type: tanh, name: bounded}
  - {type: conv_transpose2d, name: up, out_channels: 4, kernel_size: 3, inputs: [dw], given: {weight: bounded}}
  - {type: parameter, name: scale, shape: [4]}
  - {type: sigmoid, name: gate}
  - {type: group_norm, name: gn, num_groups: 2, inputs: [up], given: {weight: gate}}
  - {type: prelu, name: act, num_parameters: 4, given: {weight: gate}}
  - {type: batch_norm2d, name: bn, given: {weight: scale, bias: gate}}
  - {type: batch_norm2d, name: bn_again, given: {weight: scale, bias: gate}}
"""
"""Layers of images, and one vector that four norms and a PReLU share."""

RECURRENT = """
name: recurrent
input: [5, 7]
layers:
  - {type: parameter, name: w, shape: [12, 7]}
  - {type: parameter, name: b, shape: [12]}
  - {type: tanh, name: halved}
  - {type: lstm, name: first, hidden_size: 3, inputs: [input], given: {weight_ih_l0: w, bias_hh_l0: halved}}
  - {type: lstm, name: second, hidden_size: 3, inputs: [input], given: {weight_ih_l0: w}}
  - {type: add, inputs: [first, second]}
"""

NORM = "weight: scale, bias: shift, running_mean: mean, running_var: variance, num_batches_tracked: count"
STATISTICS = f"""
name: statistics
input: [3, 4, 4]
layers:
  - {{type: parameter, name: scale, shape: [3]}}
  - {{type: parameter, name: shift, shape: [3]}}
  - {{type: buffer, name: mean, shape: [3]}}
  - {{type: buffer, name: variance, shape: [3]}}
  - {{type: buffer, name: count, shape: [], dtype: int64}}
  - {{type: conv2d, name: mix, out_channels: 3, kernel_size: 1, inputs: [input]}}
  - {{type: batch_norm2d, name: before, given: {{{NORM}}}}}
  - {{type: relu}}
  - {{type: conv2d, name: again, out_channels: 3, kernel_size: 1, weight: mix.weight}}
  - {{type: batch_norm2d, name: after, given: {{{NORM}}}}}
"""
"""A batch norm that is called twice, with its running statistics."""

DETACHED = """
name: detached
input: [7]
layers:
  - {type: parameter, name: matrix, shape: [5, 7]}
  - {type: tanh, name: bent}
  - {type: linear, name: first, out_features: 5, inputs: [input], bias: false, given: {weight: bent}}
  - {type: detach, name: cut}
  - {type: sigmoid, name: apart, inputs: [bent]}
  - {type: detach, name: rows}
  - {type: linear, name: second, out_features: 5, inputs: [input], given: {weight: rows}}
  - {type: linear, name: third, out_features: 11, inputs: [cut]}
  - {type: concat, inputs: [second, third]}
"""
"""No gradient leads to what computes the weights, and autograd forgets it on the way."""

# By hand, a network's parameters: what is declared, then what layers keep of their own.
NETWORKS = {
    "standardised": (STANDARDISED, 3 * 3 + 3 + 5 * 3 * 3 * 3 + 5),
    "arithmetic": (ARITHMETIC, 5 * 3 * 3 * 3 + 5 + 5),
    "packed": (PACKED, 21 * 14 + 21 + 7 + 14 * 7 + 14),
    "twice": (TWICE, 7 + 7 + 7 * 7 + 7 + 7),
    "table": (TABLE, 11 * 7 + 7 * 7 + 7),
    "images": (IMAGES, 6 * 9 + 6 + 6 * 4 * 9 + 4 + 4 + 4),
    "statistics": (STATISTICS, 3 + 3 + 3 * 3 + 3 + 3),
    "detached": (DETACHED, 5 * 7 + 5 + 11 * 5 + 11),
    "recurrent": (RECURRENT, 12 * 7 + 12 + 2 * 12 * 3 + 12 + 2 * 12),
}

each_network = pytest.mark.parametrize("name", NETWORKS)

RUNS = {
    "trained": Run(),
    "in 16 bits": Run(precision="bf16"),
    "autocast": Run(precision="amp-bf16"),
    "inferred": Run(mode="infer"),
    "recomputed": Run(recompute="every:2"),
    "accumulated": Run(accumulation=2),
}


@each_network
def test_parameters_are_counted_where_they_are_declared(name: str) -> None:
    text, parameters = NETWORKS[name]
    assert archcost.cost(archcost.build(archcost.loads(text))).parameters == parameters
    assert sum(weight.numel() for weight in build(archcost.loads(text)).parameters()) == parameters


@each_network
def test_what_is_kept(name: str) -> None:
    for training in (True, False):
        agree(archcost.loads(NETWORKS[name][0]), batch=2, training=training)


SCALARS = 8
"""Bytes of a number of Python, which the unwatched trace has beside a step's tensors."""


def is_off_by_scalars(check: Check) -> bool:
    return isinstance(check.witness, int) and check.witness - int(check.archcost) == SCALARS


@pytest.mark.parametrize("run", RUNS)
@each_network
def test_every_witness_agrees(name: str, run: str) -> None:
    """But on what kernels allocate for themselves, beside tensors as small as these.

    Of a checkpoint the trace also has what it is stopped in. An LSTM's scratch, and what autocast makes of it, are off
    with weights of its own as well; what it keeps, `test_what_is_kept` compares.
    """
    verification = verify(archcost.loads(NETWORKS[name][0]), batch=2, run=RUNS[run])
    memory = ("saved_bytes", "peak_bytes", "role_bytes", "allocated_bytes")
    unasked = memory if name == "recurrent" else memory[-1:]
    found = [check for check in verification.disagreements if check.quantity not in unasked]
    if run == "recomputed":
        found = [check for check in found if not check.by.startswith("unwatched")]
    assert all(check.quantity == "peak_bytes" and is_off_by_scalars(check) for check in found), found


@pytest.mark.parametrize("loaded", [copy.deepcopy, lambda module: pickle.loads(pickle.dumps(module))])
@each_network
def test_a_copy_is_given_its_own(name: str, loaded: Callable[[Network], Network]) -> None:
    spec = archcost.loads(NETWORKS[name][0])
    network = loaded(build(spec).eval())
    inputs = zeros(spec, 2, "cpu")
    before = as_tuple(network(**inputs))
    with torch.no_grad():
        for weight in network.parameters():
            weight.fill_(0.5)
    assert all(not torch.equal(one, other) for one, other in zip(before, as_tuple(network(**inputs)), strict=True))
    repr(network)


def test_a_linear_by_hand() -> None:
    """y = x·tanh(m)ᵀ + shift, and the gradients that torch's functions give of it."""
    spec = archcost.loads("""
name: hand
input: [7]
layers:
  - {type: parameter, name: m, shape: [5, 7]}
  - {type: tanh, name: bent}
  - {type: parameter, name: shift, shape: [5]}
  - {type: linear, name: fc, out_features: 5, inputs: [input], given: {bias: shift, weight: bent}}
""")
    network = build(spec)
    m, shift = (module_at(network, name).weight for name in ("m", "shift"))
    assert isinstance(m, nn.Parameter)
    assert isinstance(shift, nn.Parameter)
    nn.init.normal_(m)
    nn.init.normal_(shift)
    x = torch.randn(3, 7)
    found, expected = network(x), x @ torch.tanh(m).T + shift
    torch.testing.assert_close(found, expected)
    wanted = torch.autograd.grad(expected.square().sum(), (m, shift))
    torch.testing.assert_close(torch.autograd.grad(found.square().sum(), (m, shift)), wanted)
    assert dict(network.named_parameters()).keys() == {"m.weight", "shift.weight"}


def test_a_recurrent_layer_lets_go_of_what_it_was_given() -> None:
    network = build(archcost.loads(RECURRENT))
    network(torch.randn(2, 5, 7))
    kept = module_at(network, "first")._flat_weights  # pyright: ignore
    assert [weight is None for weight in kept] == [True, False, False, True]  # pyright: ignore


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("{weight: m}", "the given weight has another shape"),
        ("{wieght: m}", "'wieght' is given, which is no weight of this layer"),
        ("{bias: m}", "'bias' is given, which is no weight of this layer"),
    ],
)
def test_torch_refuses(given: str, told: str) -> None:
    spec = archcost.loads(f"""
name: wrong
input: [7]
layers:
  - {{type: parameter, name: m, shape: [5, 6]}}
  - {{type: linear, name: fc, out_features: 5, bias: false, inputs: [input], given: {given}}}
""")
    with pytest.raises(ArchcostError, match=told) as refused:
        build(spec)
    assert refused.value.layer == "fc"


@st.composite
def lending(draw: st.DrawFn) -> archcost.ModelSpec:
    """A random network, some of whose weights are parameters or buffers by themselves, or computed from such."""
    spec = draw(networks())
    layers: list[Layer] = []
    outputs: dict[tuple[int, ...], list[str]] = {}
    for layer, node in zip(spec.layers, archcost.build(spec, batch=2).nodes, strict=True):
        assert isinstance(layer, Layer)
        given: dict[str, str] = {}
        for weight in node.weights:
            if draw(st.booleans()):
                continue
            name = f"{node.name}_{weight.name}"
            known = outputs.setdefault(weight.shape, [])
            if weight.is_buffer:
                layers.append(Buffer(name=name, shape=weight.shape, dtype=weight.dtype or "float32"))
            elif known and draw(st.booleans()):
                name = draw(st.sampled_from(known))
            else:
                layers.append(Parameter(name=name, shape=weight.shape, trainable=draw(st.integers(0, 3)) > 0))
                if draw(st.booleans()):
                    layers.append(Tanh(name=f"{name}_bounded", inputs=(name,)))
                    name = f"{name}_bounded"
                known.append(name)
            given[weight.name] = name
        layers.append(layer.model_copy(update={"given": given}) if given else layer)
    return spec.model_copy(update={"layers": tuple(layers)})


def test_what_random_networks_keep() -> None:
    seen: Counter[str] = Counter()

    @settings(stable, max_examples=60)
    @hypothesis_given(lending(), st.booleans())
    def check(spec: archcost.ModelSpec, training: bool) -> None:
        agree(spec, batch=2, training=training)
        seen["given"] += any(isinstance(layer, WeightedLayer) and bool(layer.given) for layer in spec.layers)

    check()
    assert seen["given"] >= 20, seen


def test_timelines_of_random_networks() -> None:
    seen: Counter[str] = Counter()

    @settings(stable, max_examples=25, suppress_health_check=SLOW, phases=[Phase.generate])
    @hypothesis_given(lending(), runs())
    def hold(spec: archcost.ModelSpec, run: Run) -> None:
        graph = archcost.build(spec, batch=2)
        if spec.layers and not is_left_out(graph, run):
            holds_what_torch_holds(graph, run, seen)

    hold()
    assert seen["tracked"] >= 10, seen
