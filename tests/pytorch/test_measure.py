"""`measure` on networks so small that every tensor can be listed. Bytes are float32 unless said otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

import archcost
from archcost.errors import ArchcostError
from archcost.layers import GELU, Add, Layer, Linear, ReLU, Sigmoid, SiLU, Softplus
from archcost.passes.run import Run
from archcost.pytorch import Measured, measure
from archcost.pytorch.allocations import Block, peak_by_phase, trace_of
from archcost.pytorch.measure import Phase, Role, cuda_peaks, resident
from archcost.pytorch.network import as_tuple
from archcost.pytorch.training import OPTIMIZERS, loss_of, prepare, step, trained

SGD = Run(optimizer="sgd")


def network(*layers: Layer, width: int, loss: str = "sum", batch: int = 2) -> archcost.ModelGraph:
    spec = archcost.ModelSpec.model_validate(
        {"name": "n", "inputs": {"x": {"shape": (width,)}}, "loss": loss, "layers": layers}
    )
    return archcost.build(spec, batch=batch)


def phase(measured: Measured, name: str) -> Phase:
    (found,) = (phase for phase in measured.phases if phase.name == name)
    assert sum(found.roles.values()) == found.peak
    return found


def roles(measured: Measured, name: str) -> dict[Role, int]:
    """Without those that hold nothing."""
    return {role: nbytes for role, nbytes in phase(measured, name).roles.items() if nbytes}


def unwatched(measured: Measured, name: str) -> int:
    assert measured.unwatched is not None
    assert measured.unwatched.allocator[name] >= measured.unwatched.tensors[name]
    return measured.unwatched.tensors[name]


def linear() -> archcost.ModelGraph:
    """3 → 5 for 2 samples: weights (5·3 + 5)·4 = 80, input 2·3·4 = 24, output 2·5·4 = 40, its sum 4."""
    return network(Linear(name="fc", type="linear", out_features=5), width=3)


def three_layers(loss: str = "cross_entropy", trainable: bool = True) -> archcost.ModelGraph:
    """7 → 5 → 2 for 3 samples: weights 140 + 20 and 40 + 8 = 208, input 84, labels 3·8 = 24, outputs 60, 60 and 24."""
    return network(
        Linear(name="fc1", type="linear", out_features=5, trainable=trainable),
        ReLU(name="relu", type="relu"),
        Linear(name="fc2", type="linear", out_features=2),
        width=7,
        loss=loss,
        batch=3,
    )


def chain(*names: str) -> archcost.ModelGraph:
    """A linear 7 → 5 for 3 samples and sigmoids, which keep their outputs: weights 160, input 84, each output 60."""
    sigmoids = [Sigmoid(name=name, type="sigmoid") for name in names]
    return network(Linear(name="fc", type="linear", out_features=5), *sigmoids, width=7, batch=3)


def test_a_linear() -> None:
    measured = measure(linear(), SGD)
    assert [phase.name for phase in measured.phases] == ["forward", "backward", "optimizer"]
    held: dict[Role, int] = {"weights": 80, "inputs": 24, "activations": 44}  # output and loss stay bound to the end
    assert roles(measured, "forward") == held
    # the ones that backward starts from, 4; then both gradients
    assert roles(measured, "backward") == held | {"temporaries": 4, "gradients": 80}
    assert roles(measured, "optimizer") == held | {"gradients": 80}
    assert (measured.peak, measured.worst.name) == (80 + 24 + 44 + 84, "backward")
    assert [unwatched(measured, name) for name in ("forward", "backward", "optimizer")] == [148, 232, 228]
    assert measured.allocator_peak >= 232
    assert measured.reserved_peak is None
    assert measured.saved.layers["fc"].shared == {"x": 24}  # the first layer's input needs no gradient: no weight kept


def test_three_layers_with_a_loss_and_momentum() -> None:
    measured = measure(three_layers(), Run(optimizer="sgd-momentum"))
    held: dict[Role, int] = {"weights": 208, "optimizer_state": 208, "inputs": 84 + 24}
    # while relu runs: its input and its output. Later: relu 60, fc2 24, log-probabilities 24, total weight and loss 8
    assert roles(measured, "forward") == held | {"activations": 120}
    # last: what relu handed back 60, the ones 4, all gradients; of the activations fc2's output 24 and the loss 4
    assert roles(measured, "backward") == held | {"gradients": 208, "activations": 28, "temporaries": 64}
    assert roles(measured, "optimizer") == held | {"gradients": 208, "activations": 28}
    assert measured.saved.nbytes == 84 + 60 + 40  # fc1's input, relu's output, fc2's weight


@pytest.mark.parametrize(
    ("impl", "temporaries"),
    [
        (None, 280),  # on a CPU the loop: a root and its quotient, of the largest parameter: 2·140
        ("loop", 280),
        ("foreach", 208),  # the roots of all
        ("fused", 0),
    ],
)
def test_adam(impl: Any, temporaries: int) -> None:
    measured = measure(three_layers(), Run(optimizer="adam", optimizer_impl=impl))
    state = 2 * 208 + 4 * 4  # two moments, and a step count of 4 bytes for each of 4 parameters
    held: dict[Role, int] = {"weights": 208, "optimizer_state": state, "inputs": 108}
    expected = held | {"gradients": 208, "activations": 28, "temporaries": temporaries}
    assert phase(measured, "optimizer").roles == {"buffers": 0} | expected


def test_a_fork_is_added_out_of_place_only_under_the_tracker() -> None:
    """1 → 5 for 2 samples, three readers that keep their input: weights 40, input 8, each output 40."""
    graph = network(
        Linear(name="fc", type="linear", out_features=5),
        SiLU(name="a", type="silu"),
        GELU(name="b", type="gelu", inputs=("fc",)),
        Softplus(name="c", type="softplus", inputs=("fc",)),
        Add(name="sum", type="add", inputs=("a", "b", "c")),
        width=1,
    )
    measured = measure(graph, SGD)
    held: dict[Role, int] = {"weights": 40, "inputs": 8}
    # fc, a, b, c, their sum; a + b on the way
    assert roles(measured, "forward") == held | {"activations": 5 * 40, "temporaries": 40}
    # fc, sum and loss; the ones, the gradients of c and of b, and under the tracker those two added
    assert roles(measured, "backward") == held | {"activations": 84, "temporaries": 4 + 3 * 40}
    assert unwatched(measured, "forward") == 48 + 240
    assert unwatched(measured, "backward") == 48 + 84 + 4 + 2 * 40


def test_accumulation() -> None:
    """The second micro-batch runs with the gradients and the output of the first still there."""
    measured = measure(linear(), Run(optimizer="sgd", accumulation=2))
    held: dict[Role, int] = {"weights": 80, "inputs": 24, "gradients": 80}
    assert roles(measured, "forward") == held | {"activations": 44 + 40}
    # the ones, and new gradients before they are added to the old
    assert roles(measured, "backward") == held | {"activations": 44, "temporaries": 4 + 80}
    assert roles(measured, "optimizer") == held | {"activations": 44}
    assert unwatched(measured, "backward") == 80 + 24 + 80 + 44 + 84


def test_inference() -> None:
    without, keeping = (measure(chain("a", "b", "c"), Run(mode=mode)) for mode in ("infer", "infer-autograd"))
    assert [phase.name for phase in (*without.phases, *keeping.phases)] == ["forward", "forward"]
    assert roles(without, "forward") == {"weights": 160, "inputs": 84, "activations": 2 * 60}  # one in, one out
    assert roles(keeping, "forward") == {"weights": 160, "inputs": 84, "activations": 3 * 60}  # a, b and c are kept
    assert (without.saved.nbytes, keeping.saved.nbytes) == (0, 84 + 3 * 60)
    assert unwatched(keeping, "forward") == keeping.peak


def test_a_frozen_layer_gets_no_gradient_and_keeps_nothing() -> None:
    measured = measure(three_layers("sum", trainable=False), SGD)
    held: dict[Role, int] = {"weights": 208, "inputs": 84}
    assert roles(measured, "forward") == held | {"activations": 120}
    # relu's output, which fc2 keeps, fc2's and the loss; fc2's gradients 48
    assert roles(measured, "backward") == held | {"activations": 60 + 24 + 4, "gradients": 48, "temporaries": 4}
    assert roles(measured, "optimizer") == held | {"activations": 28, "gradients": 48}


def test_nothing_to_train_has_no_backward() -> None:
    graph = network(Sigmoid(name="a", type="sigmoid"), width=5)
    assert [phase.name for phase in measure(graph, Run()).phases] == ["forward"]


def test_without_an_optimizer_gradients_are_made_and_dropped() -> None:
    measured = measure(linear(), Run(optimizer="none"))
    assert [phase.name for phase in measured.phases] == ["forward", "backward"]
    assert roles(measured, "backward")["gradients"] == 80


def test_a_checkpoint() -> None:
    """a and b are computed twice: what they put out is not kept from forward to backward, fc's output is."""
    measured = measure(chain("a", "b", "c"), SGD, [["a", "b"]])
    held: dict[Role, int] = {"weights": 160, "inputs": 84}
    # fc, a and b before the segment ends; after it fc, b and c
    assert roles(measured, "forward") == held | {"activations": 180}
    # fc; c's output and the loss, still bound; a and b again; the ones, c's and b's gradients
    assert roles(measured, "backward") == held | {"activations": 180 + 4 + 60, "temporaries": 4 + 120}
    plain = measure(chain("a", "b", "c"), SGD)
    assert roles(plain, "forward") == held | {"activations": 184}


def test_pure_bf16_with_masters() -> None:
    """Everything in 2 bytes: weights 40, input 12, output 20, loss 2. Masters 80, and in the step their gradients."""
    measured = measure(linear(), Run(optimizer="sgd", precision="bf16", master_weights=True))
    assert roles(measured, "optimizer") == {
        "weights": 40,
        "optimizer_state": 80,
        "inputs": 12,
        "activations": 22,
        "gradients": 40,
        "temporaries": 80,
    }


def test_autocast() -> None:
    """Copies in bf16: of the input 12, of the weights 40, which live until autocast ends; output 20 and loss 2."""
    measured = measure(linear(), Run(optimizer="sgd", precision="amp-bf16"))
    held: dict[Role, int] = {"weights": 80, "inputs": 24}
    assert roles(measured, "forward") == held | {"activations": 12 + 40 + 22}


def test_activations_are_in_place_where_the_graph_says_so() -> None:
    """Whatever the spec says, which the module is built from: relu's output lies in fc's."""
    spec = network(Linear(name="fc", type="linear", out_features=5), ReLU(name="relu", type="relu"), width=3)
    inplace = ReLU(name="relu", type="relu", inplace=True)
    graph = replace(spec, nodes=(spec.nodes[0], spec.nodes[1]._replace(layer=inplace)))
    assert roles(measure(spec, SGD), "forward")["activations"] == 40 + 40  # while relu runs
    assert roles(measure(graph, SGD), "forward")["activations"] == 40 + 4


def test_a_network_without_a_loss_runs_forward_only() -> None:
    graph = network(Linear(name="fc", type="linear", out_features=5), width=3, loss="none")
    measured = measure(graph, Run())
    assert [phase.name for phase in measured.phases] == ["forward"]
    assert roles(measured, "forward") == {"weights": 80, "inputs": 24, "activations": 40}


@pytest.mark.parametrize(
    ("name", "segments"),
    [
        ("autoencoder_tied", [["tanh1", "encode2"], ["decode2.fc", "tanh2", "decode1.fc"]]),
        (
            "resnet18",
            [["bn1", "relu1", "pool1"], ["stage1.residual1.conv2", "stage1.residual1.bn2"]],
        ),
    ],
)
def test_checkpoints_change_no_gradient(name: str, segments: Sequence[Sequence[str]]) -> None:
    training = prepare(archcost.build(archcost.load(name), batch=2), SGD, segments, "cpu")
    gradients: list[list[Tensor]] = []
    for forward in (training.network, training.forward):
        loss = loss_of("sum", as_tuple(forward(**training.inputs)), None)
        assert loss is not None
        loss.backward()
        gradients.append([weight.grad for weight in trained(training.network) if weight.grad is not None])
        training.network.zero_grad()
    for plain, recomputed in zip(*gradients, strict=True):
        assert torch.equal(plain, recomputed)


def test_a_segment_that_overwrites_what_it_is_given_is_refused_by_torch() -> None:
    graph = network(
        Linear(name="fc", type="linear", out_features=5), ReLU(name="relu", type="relu", inplace=True), width=3
    )
    with pytest.raises(ArchcostError, match="torch cannot run this step"):
        measure(graph, SGD, [["relu"]])


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_nothing_is_left_behind(optimizer: Any) -> None:
    """After the step what was there before it, and nothing else."""
    training = prepare(three_layers(), Run(optimizer=optimizer), [["relu"]], "cpu")
    for _ in range(3):
        step(training, lambda phase: None)
    before = resident(training)
    trace = trace_of(lambda begins: step(training, begins))
    assert resident(training) == before
    assert [block for block in trace.blocks if block.ends is None] == []


def test_peaks_of_blocks() -> None:
    blocks = [Block(3, 10, 40, True), Block(5, 20, 30, False), Block(7, 50, None, True), Block(11, 70, 80, True)]
    phases = [("a", 0), ("b", 45), ("a", 60)]
    assert peak_by_phase(blocks, phases, 100) == {"a": 118, "b": 107}


def test_cuda_statistics_are_those_of_one_step(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    def note(name: str, result: int) -> Any:
        return lambda device: calls.append(name) or result

    training = prepare(linear(), SGD, [], "cpu")
    for name, result in (
        ("reset_peak_memory_stats", 0),
        ("synchronize", 0),
        ("max_memory_allocated", 512),
        ("max_memory_reserved", 2048),
    ):
        monkeypatch.setattr(torch.cuda, name, note(name, result))
    monkeypatch.setattr("torch.optim.SGD.step", lambda optimizer: calls.append("step"))
    assert cuda_peaks(training, "cuda") == (512, 2048)
    assert calls == ["reset_peak_memory_stats", "step", "synchronize", "max_memory_allocated", "max_memory_reserved"]


@pytest.mark.parametrize(
    ("run", "segments", "said"),
    [
        (Run(optimizer="lion"), [], "lion cannot be measured: torch does not have it"),
        (Run(optimizer="adamw-8bit"), [], "adamw-8bit cannot be measured"),
        (Run(optimizer="adafactor", optimizer_impl="fused"), [], "torch's adafactor has no fused form"),
        (SGD, [["relu", "fc3"]], "no layer to recompute"),
        (SGD, [["fc1", "fc2"]], "layers recomputed together follow one another"),
        (SGD, [[]], "layers recomputed together follow one another"),
        (SGD, [["fc1", "relu"], ["relu", "fc2"]], "a layer can be recomputed in one segment only"),
    ],
)
def test_what_cannot_be_measured_is_said(run: Run, segments: Sequence[Sequence[str]], said: str) -> None:
    with pytest.raises(ArchcostError, match=said):
        measure(three_layers(), run, segments)
