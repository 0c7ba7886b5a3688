"""`verify --measure`: small networks in every kind of setting, what cannot run, and what must be found out."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
import torch

import archcost
from archcost.cli import main
from archcost.errors import ArchcostError
from archcost.layers import Layer, Sigmoid, Tanh
from archcost.passes.run import Run
from archcost.pytorch import crosscheck_memory, verify
from archcost.pytorch.checks import TOTAL, Check
from archcost.pytorch.crosscheck_memory import Predicted, check_memory, check_within, checks
from archcost.pytorch.measure import Measured, Phase
from archcost.pytorch.saved import NetworkSaved
from archcost.spec.overrides import override
from archcost.terms.autograd import INPUT, OUTPUT, Saved

Checks = tuple[Check, ...]


@pytest.fixture(autouse=True)
def one_thread() -> Any:
    """Kernels' own memory is exact on one."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def network(*layers: dict[str, Any], **fields: Any) -> archcost.ModelSpec:
    return archcost.ModelSpec.model_validate({"name": "n", "input": [3, 8, 8], "layers": layers, **fields})


CONV = {"type": "conv2d", "name": "conv", "out_channels": 4, "kernel_size": 3}


def small(name: str) -> archcost.ModelSpec:
    spec = archcost.load(name)
    return override(spec, (), ("3x32x32",)) if name in ("resnet18", "densenet121") else spec


def of(found: Checks, quantity: str, by: str = "") -> dict[str, Check]:
    """By scope."""
    return {check.scope: check for check in found if check.quantity == quantity and by in check.by}


@pytest.mark.parametrize(
    ("name", "run"),
    [
        ("lenet5", Run(optimizer="sgd")),
        ("lenet5", Run(optimizer="adam", optimizer_impl="loop", precision="amp-bf16")),
        ("lenet5", Run(precision="bf16", master_weights=True)),
        ("mlp", Run(optimizer="adam", optimizer_impl="foreach", recompute="every:2")),
        ("mlp", Run(optimizer="adafactor")),
        ("lenet5", Run(optimizer="sgd-momentum:nesterov,weight_decay", optimizer_impl="foreach")),
        ("lenet5", Run(optimizer="adam:amsgrad,weight_decay", clip_norm=True)),
        ("lenet5", Run(optimizer="rmsprop:centered,momentum", keep_gradients=True)),
        ("mlp", Run(optimizer="adagrad", optimizer_impl="foreach")),
        ("mlp", Run(optimizer="nadam:weight_decay", precision="bf16", clip_norm=True, optimizer_impl="foreach")),
        ("lenet5", Run(optimizer="muon")),
        ("conv_autoencoder_lecture", Run(optimizer="radam", optimizer_impl="loop")),
        ("lenet5", Run(optimizer="adadelta:weight_decay", optimizer_impl="foreach")),
        ("mlp", Run(optimizer="rprop")),
        ("resnet18", Run(optimizer="muon", keep_gradients=True, accumulation=2)),
        ("mlp", Run(optimizer="sgd-momentum", keep_gradients=True, recompute="every:2")),
        ("lenet5", Run(optimizer="sgd", optimizer_in_backward=True)),
        ("mlp", Run(optimizer="rprop", optimizer_in_backward=True, recompute="every:2")),
        ("mlp", Run(optimizer="adamw", optimizer_impl="foreach", precision="amp-bf16", optimizer_in_backward=True)),
        ("lenet5", Run(optimizer="muon", optimizer_in_backward=True)),
        ("lenet5", Run(precision="bf16", master_weights=True, optimizer_in_backward=True)),
        ("conv_autoencoder_lecture", Run(optimizer="adafactor", optimizer_in_backward=True)),
        ("resnet18", Run(optimizer="adam", optimizer_impl="fused", optimizer_in_backward=True)),
        ("autoencoder_tied", Run(optimizer="adam", optimizer_in_backward=True)),
        ("autoencoder_tied", Run(optimizer="sgd-momentum")),
        ("autoencoder_tied", Run(optimizer="sgd", precision="amp-bf16", recompute="blocks")),
        ("conv_autoencoder_unpooling", Run(optimizer="sgd", accumulation=2)),
        ("resnet18", Run(optimizer="sgd", recompute="blocks")),
        ("resnet18", Run(mode="infer")),
        ("resnet18", Run(mode="infer-autograd", precision="amp-bf16")),
    ],
    ids=str,
)
def test_predicted_and_measured(name: str, run: Run) -> None:
    """What is kept and what the tracker saw to the byte; the rest within what torch keeps for itself."""
    found = check_memory(small(name), run, batch=2)
    assert [check for check in found if check.agrees is False] == []
    for check in found:
        exact = check.quantity in ("saved_bytes", "role_bytes") or "tracker" in check.by
        if exact and check.witness is not None:
            assert check.archcost == check.witness, check
    trace = of(found, "peak_bytes", "trace")
    assert all(abs(int(check.archcost) - int(check.witness or 0)) <= 64 for check in trace.values())  # type: ignore
    phases = ["forward", "backward", "optimizer"] if run.trains else ["forward"]
    phases = phases[:2] if run.optimizer_in_backward else phases
    assert list(trace) == [TOTAL, *phases] == list(of(found, "allocated_bytes"))
    assert len(of(found, "role_bytes")) == 6


def test_by_hand() -> None:
    """3×8×8 → 4×6×6 for 2 samples, SGD: weights 112·4, input 384·4, output 288·4, their sum 4, its gradient 4."""
    found = check_memory(network(CONV), Run(optimizer="sgd"), batch=2)
    held = 448 + 1536 + 1152 + 4
    tracker = {scope: check.archcost for scope, check in of(found, "peak_bytes", "tracker").items()}
    # backward: the one that it starts from, spread over the output without a copy, and both gradients
    backward = held + 4 + 448
    assert tracker == {"total": backward, "forward": held, "backward": backward, "optimizer": held + 448}
    roles = {scope: check.witness for scope, check in of(found, "role_bytes").items()}
    kept = dict.fromkeys(["total", "conv"], 1536 + 432)  # the input, and the weight 4·3·3·3
    assert roles["weights"] == roles["gradients"] == 448
    assert roles["inputs"] == 1536
    assert {scope: check.witness for scope, check in of(found, "saved_bytes").items()} == kept


def test_a_loss_that_reaches_no_weight() -> None:
    spec = network({"type": "linear", "out_features": 3}, {"type": "detach"})
    assert all(check.agrees for check in check_memory(spec, Run(optimizer="adam"), "cpu", 2))


def test_check_within() -> None:
    assert check_within("peak_bytes", TOTAL, 1000, 1000, "w", 0.005) == Check(
        "peak_bytes", TOTAL, 1000, 1000, "w", True
    )
    within = check_within("peak_bytes", TOTAL, 1005, 1000, "w", 0.005)
    assert (within.agrees, within.reason) == (True, "+0.500 %, of 0.5%")
    beyond = check_within("peak_bytes", TOTAL, 994, 1000, "w", 0.005)
    assert (beyond.agrees, beyond.reason) == (False, "-0.600 %, of 0.5%")
    assert check_within("peak_bytes", TOTAL, 1, 0, "w", 0.005).agrees is False


def say_kept(monkeypatch: pytest.MonkeyPatch, kind: type[Layer], *saved: Saved) -> None:
    """Have a layer's rule say that it saves other tensors than it does."""
    plain = kind.autograd
    monkeypatch.setattr(kind, "autograd", lambda self, call: replace(plain(self, call), saved=saved))


def test_a_rule_that_keeps_too_much_is_found_out(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    """Tanh said to keep its input as well: both layers, the total and the peaks differ, and the exit code is 1."""
    say_kept(monkeypatch, Tanh, INPUT, OUTPUT)
    found = check_memory(archcost.load("mlp"), Run(optimizer="sgd"), batch=512)
    wrong = Counter(check.quantity for check in found if check.agrees is False)
    assert wrong["saved_bytes"] == 3
    assert wrong["peak_bytes"] > 0
    assert main(["verify", "mlp", "--measure", "--batch", "512", "--optimizer", "sgd"]) == 1
    assert "These differ, and nobody knows why:" in capsys.readouterr().out


def test_other_storages_of_the_same_size_are_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    say_kept(monkeypatch, Sigmoid, INPUT)
    spec = network(CONV, {"type": "sigmoid", "name": "sigmoid"})
    found = of(check_memory(spec, Run(optimizer="sgd"), batch=2), "saved_bytes")["sigmoid"]
    assert found.agrees is False
    assert found.archcost == found.witness
    assert found.reason == "other storages: conv, and by the witness sigmoid"


def test_what_torch_refuses_has_no_witness() -> None:
    """Torch's CPU has no average pool over three axes in bfloat16."""
    spec = network({"type": "avg_pool3d", "name": "pool", "kernel_size": 2}, CONV | {"type": "conv3d"})
    spec = spec.model_copy(
        update={"inputs": {"x": spec.inputs[next(iter(spec.inputs))].model_copy(update={"shape": (3, 8, 8, 8)})}}
    )
    found = check_memory(spec, Run(optimizer="sgd", precision="bf16"), batch=2)
    assert [(check.quantity, check.witness, check.agrees) for check in found] == [
        ("peak_bytes", None, None),
        ("allocated_bytes", None, None),
    ]
    assert all("torch cannot run this step" in str(check.reason) for check in found)


def test_an_optimizer_that_torch_lacks_has_no_witness() -> None:
    found = check_memory(archcost.load("mlp"), Run(optimizer="lion"))
    assert all("lion cannot be measured" in str(check.reason) for check in found)
    assert {check.agrees for check in found} == {None}


def test_what_does_not_fit_is_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crosscheck_memory, "measure", lambda *_: pytest.fail("tried"))
    monkeypatch.setattr(crosscheck_memory, "free_memory", lambda device: 1_000_000)
    found = check_memory(archcost.load("mlp"), Run())
    # 266,610 weights: with gradients, two moments and the largest layer's temporaries more than 5 MB
    assert {check.agrees for check in found} == {None}
    assert all("are needed to measure it, and 1,000,000 are free" in str(check.reason) for check in found)


def test_what_would_crash_torch_is_not_tried() -> None:
    """Group norm on channels last, of an input that needs no gradient."""
    turn = {"type": "permute", "name": "turn", "dims": [0, 3, 1, 2]}
    norm = {"type": "group_norm", "name": "norm", "num_groups": 2}
    spec = network(turn, norm, input=[8, 8, 4])
    found = check_memory(spec, Run(optimizer="sgd"), batch=2)
    assert all("norm: torch's group norm crashes" in str(check.reason) for check in found)
    assert check_memory(spec, Run(mode="infer"), batch=2)[0].agrees is True


def test_settings_that_no_step_has_are_a_mistake() -> None:
    with pytest.raises(ArchcostError, match="no layer or block"):
        check_memory(archcost.load("mlp"), Run(recompute="nobody"))


def test_cuda_has_two_numbers_of_its_allocator(monkeypatch: pytest.MonkeyPatch) -> None:
    """No card here: what would be compared, against invented figures."""
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (9, 0))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "H")
    graph = archcost.build(archcost.load("mlp"), 2)
    predicted = Predicted.of(graph, Run(optimizer="sgd"), "cuda", None)
    phase = Phase("backward", predicted.watched.peak, dict.fromkeys(predicted.line.by_role, 0))  # type: ignore
    # two threads of 32 MiB for cuBLAS; reserved: those in segments of their own, the rest in a few of 2 and 20 MiB
    measured = Measured((phase,), NetworkSaved({}, {}, {}), None, 2 * 32 * 2**20 + 2_200_000, 80 * 2**20)
    monkeypatch.setattr(crosscheck_memory, "_saved_checks", lambda *_: iter(()))
    found = checks(predicted, measured, "cuda")
    by_quantity = {check.quantity: check for check in found if check.scope == TOTAL}
    assert list(by_quantity) == ["peak_bytes", "allocated_bytes", "reserved_bytes"]
    assert by_quantity["allocated_bytes"].agrees is True
    assert 2**26 < int(by_quantity["reserved_bytes"].archcost) < 2**27  # type: ignore


class TestCommand:
    """The command line, and the same from Python."""

    def test_json(self, capsys: Any) -> None:
        code = main(["verify", "mlp", "--measure", "--batch", "2", "--optimizer", "sgd-momentum", "--format", "json"])
        told = json.loads(capsys.readouterr().out)
        assert (code, told["ok"]) == (0, True)
        quantities = {check["quantity"] for check in told["checks"]}
        assert {"parameters", "saved_bytes", "peak_bytes", "role_bytes", "allocated_bytes"} <= quantities

    def test_text(self, capsys: Any) -> None:
        assert main(["verify", "mlp", "--measure", "--batch", "2"]) == 0
        assert re.search(r"role bytes +each role +each role +6 of 6", capsys.readouterr().out)

    def test_an_unknown_word_is_wrong_input(self, capsys: Any) -> None:
        assert main(["verify", "mlp", "--measure", "--optimizer", "sdg"]) == 2
        assert "optimizer is not one of those known" in capsys.readouterr().err

    def test_without_measure_nothing_runs(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("archcost.pytorch.crosscheck.check_memory", lambda *_: pytest.fail("ran"))
        assert verify(archcost.load("mlp")).ok
