"""`verify`: agreement is exact, a difference is an error with a name, and silence is said."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

import archcost
from archcost.errors import ArchcostError
from archcost.layers import BatchNorm2d, Conv2d, Linear, ReLU
from archcost.pytorch import Verification, build, verify
from archcost.pytorch.build import zeros
from archcost.pytorch.counters import count_flops, materialise
from archcost.pytorch.crosscheck import Check, corrected
from archcost.pytorch.differences import KNOWN_DIFFERENCES
from archcost.tensors import TensorType
from archcost.work import Contraction
from tests.specs.variants import one_of_each, smaller


def check_of(verification: Verification, quantity: str, scope: str = "total") -> Check:
    (found,) = (check for check in verification.checks if (check.quantity, check.scope) == (quantity, scope))
    return found


@pytest.mark.parametrize("name", one_of_each())
def test_every_shipped_network_verifies(name: str) -> None:
    """Large ones on small images and less deep: as they ship, tests/specs holds them against published counts."""
    verification = verify(smaller(name))
    assert verification.disagreements == ()
    assert verification.ok
    assert {check.scope for check in verification.silent}.isdisjoint({"total"})


def test_the_step_of_vgg_d_by_torch() -> None:
    """Forward 30,940,528,640 and backward 61,707,649,024: 92,648,177,664, not 3 x forward = 92,821,585,920."""
    verification = verify(archcost.load("vgg_d"))
    forward, backward = check_of(verification, "flops_forward"), check_of(verification, "flops_backward")
    assert (forward.witness, backward.witness) == (30_940_528_640, 61_707_649_024)
    assert check_of(verification, "macs").witness == 15_470_264_320
    assert check_of(verification, "parameters").witness == 138_357_544


def test_the_batch_multiplies_work_and_not_weights() -> None:
    one, three = (verify(archcost.load("lenet5"), batch=batch) for batch in (1, 3))
    assert three.ok
    for quantity, factor in (("flops_forward", 3), ("flops_backward", 3), ("parameters", 1), ("macs", 1)):
        assert check_of(three, quantity).witness == factor * check_of(one, quantity).witness  # pyright: ignore
    assert check_of(three, "macs").by.endswith(" at batch 1")


def test_json() -> None:
    verification = verify(archcost.load("mlp"))
    plain = verification.to_dict()
    assert json.loads(json.dumps(plain)) == plain
    assert list(plain) == ["schema", "network", "device", "ok", "checks"]
    assert (plain["schema"], plain["network"], plain["device"], plain["ok"]) == (
        "archcost.verify/1",
        "mlp",
        "cpu",
        True,
    )
    keys = ["quantity", "scope", "archcost", "witness", "by", "agrees", "reason"]
    assert all(list(check) == keys for check in plain["checks"])
    total = next(check for check in plain["checks"] if check["quantity"] == "parameters")
    parameters = archcost.cost(archcost.build(archcost.load("mlp"))).parameters
    assert (total["scope"], total["archcost"], total["witness"]) == ("total", parameters, parameters)
    assert total["by"] == "torch " + torch.__version__.split("+")[0]


SMALL = archcost.loads("""
name: small
input: [3, 8, 8]
layers:
  - {type: conv2d, name: conv, out_channels: 4, kernel_size: 3}
  - {type: batch_norm2d, name: bn}
  - {type: relu, name: relu}
  - {type: flatten}
  - {type: linear, name: fc, out_features: 5}
""")


def double(rule: Any) -> Any:
    """The work of a layer, contractions twice as large."""

    def wrong(self: Any, *tensors: Any) -> Any:
        return tuple(
            Contraction(2 * part.macs) if isinstance(part, Contraction) else part for part in rule(self, *tensors)
        )

    return wrong


def wrong_shape(self: Any, inputs: Any) -> Any:
    (batch, *rest) = inputs[0].shape
    return (TensorType((batch, *reversed(rest))),)


@pytest.mark.parametrize(
    ("layer", "rule", "wrong", "quantities"),
    [
        (Conv2d, "work", double(Conv2d.work), {"macs", "fvcore_flops", "flops_forward", "flops_backward"}),
        (Linear, "work", double(Linear.work), {"macs", "fvcore_flops", "flops_forward", "flops_backward"}),
        (ReLU, "output_types", wrong_shape, {"output_shapes"}),
        (
            BatchNorm2d,
            "weights",
            lambda self, inputs: (),  # pyright: ignore
            {"parameters", "trainable_parameters", "buffers"},
        ),
    ],
)
def test_a_wrong_formula_is_found(
    layer: type, rule: str, wrong: Any, quantities: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layer, rule, wrong)
    verification = verify(SMALL)
    assert not verification.ok
    assert verification.to_dict()["ok"] is False
    assert {check.quantity for check in verification.disagreements} == quantities
    scopes = {check.scope for check in verification.disagreements}
    assert scopes - {"total"} == {{Conv2d: "conv", Linear: "fc", ReLU: "relu", BatchNorm2d: "bn"}[layer]}
    assert ("total" in scopes) == (quantities != {"output_shapes"})


GROUPED = [(kind, ndim, groups) for kind in ("conv", "conv_transpose") for ndim in (1, 2, 3) for groups in (2, 3)]


def grouped(kind: str, ndim: int, groups: int, trainable: bool = True) -> archcost.ModelSpec:
    return archcost.loads(f"""
name: grouped
input: [6, {", ".join("579"[:ndim])}]
layers:
  - {{type: {kind}{ndim}d, name: plain, out_channels: 12, kernel_size: 3}}
  - {{type: {kind}{ndim}d, name: grouped, out_channels: 6, kernel_size: 2, stride: 2, padding: 1, groups: {groups},
      trainable: {str(trainable).lower()}}}
""")


@pytest.mark.parametrize(("kind", "ndim", "groups"), GROUPED)
def test_torch_still_counts_a_grouped_weight_gradient_too_often(kind: str, ndim: int, groups: int) -> None:
    """When this fails, torch has mended its counter: take `grouped_weight_gradient` out of KNOWN_DIFFERENCES."""
    module: nn.Module = getattr(nn, f"{'Conv' if kind == 'conv' else 'ConvTranspose'}{ndim}d")(
        6, 12, 3, groups=groups, device="meta"
    )
    result: Tensor = module(torch.zeros(2, 6, *[5] * ndim, device="meta"))
    # MACs: positions * 6 * 12/groups * 3^ndim, of the output (3 an axis) or, transposed, of the input (5 an axis)
    macs = 2 * (3 if kind == "conv" else 5) ** ndim * 6 * 12 // groups * 3**ndim
    with FlopCounterMode(display=False) as counter:
        result.sum().backward()
    assert counter.get_total_flops() == groups * 2 * macs


@pytest.mark.parametrize(("kind", "ndim", "groups"), GROUPED)
def test_a_known_difference_is_taken_off_and_named(kind: str, ndim: int, groups: int) -> None:
    verification = verify(grouped(kind, ndim, groups), batch=2)
    assert verification.ok
    corrected_checks = [check for check in verification.checks if check.reason and check.quantity == "flops_backward"]
    assert {check.scope for check in corrected_checks} == {"total", "grouped"}
    for check in corrected_checks:
        assert check.agrees
        assert check.reason is not None
        assert check.reason.startswith("grouped_weight_gradient: ")
        assert "torch.utils.flop_counter.conv_backward_flop, torch 2.13.0" in check.reason


def test_a_frozen_grouped_convolution_needs_no_correction() -> None:
    verification = verify(grouped("conv", 2, 3, trainable=False))
    assert verification.ok
    assert all(check.reason is None for check in verification.checks if check.quantity == "flops_backward")


def test_a_known_difference_excuses_nothing_else() -> None:
    known = KNOWN_DIFFERENCES[0]
    off_by_one = Check("flops_backward", "conv", 101, 300, "torch", False)
    check = corrected(off_by_one, {known: 200})
    assert (check.witness, check.agrees) == (100, False)
    assert corrected(Check("flops_backward", "conv", 300, 300, "torch", True), {known: 200}).reason is None


def test_where_fvcore_cannot_trace_it_is_silent_layer_by_layer() -> None:
    """fvcore takes norms of 2 to 5 axes only. It still speaks for the others; the total it does not have."""
    verification = verify(
        archcost.loads("""
name: deep
input: [2, 2, 3, 2, 4]
layers:
  - {type: linear, name: before, out_features: 5}
  - {type: layer_norm, name: norm}
  - {type: linear, name: after, out_features: 3}
""")
    )
    assert verification.ok
    assert {(check.quantity, check.scope) for check in verification.silent} == {
        (quantity, scope) for quantity in ("macs", "fvcore_flops") for scope in ("norm", "total")
    }
    for check in verification.silent:
        assert check.agrees is None
        assert check.witness is None
        assert check.reason is not None
        assert check.reason.startswith("fvcore cannot trace it: ")
    assert check_of(verification, "macs", "before").witness == 24 * 4 * 5
    assert check_of(verification, "macs", "after").witness == 24 * 5 * 3
    assert check_of(verification, "flops_forward").witness == 2 * (24 * 4 * 5 + 24 * 5 * 3)


def test_a_network_too_large_to_be_real_is_not_made_real() -> None:
    spec = archcost.loads("""
name: vast
input: [1000000]
layers:
  - {type: linear, name: fc, out_features: 1000000}
""")
    verification = verify(spec, batch=2**20)
    assert verification.ok
    # 2^20 rows of 10^6 * 10^6 products, 2 FLOPs each
    assert check_of(verification, "flops_forward").witness == 2 * 2**20 * 10**12
    # weights 10^12 + 10^6 and one sample of 10^6, 4 bytes each
    reason = "fvcore needs real tensors, and 4,000,008,000,000 bytes of them are too many to make for a check"
    assert {(check.scope, check.reason) for check in verification.silent} == {("total", reason), ("fc", reason)}


def test_an_input_that_torch_cannot_hold_is_an_error() -> None:
    spec = archcost.ModelSpec.model_validate(
        {"name": "net", "inputs": {"x": [2**31 - 1, 2**31 - 1]}, "layers": [{"type": "relu"}]}
    )
    with pytest.raises(ArchcostError, match="torch cannot make this input") as caught:
        verify(spec)
    assert caught.value.layer == "x"


def test_what_fvcore_leaves_out_is_named() -> None:
    verification = verify(archcost.load("lenet5"))
    silent = {check.scope: check.reason for check in verification.silent}
    assert "fvcore has no rule for aten::avg_pool2d" in silent.values()
    total = check_of(verification, "macs")
    assert total.agrees
    assert total.reason is not None
    assert "aten::avg_pool2d" in total.reason


@pytest.mark.parametrize("loss", ["sum", "cross_entropy", "mse", "l1"])
def test_the_loss_does_not_change_contractions(loss: str) -> None:
    spec = archcost.load("vgg_a")
    losses: dict[str, Any] = {
        "sum": lambda y: y.sum(),  # pyright: ignore
        "cross_entropy": lambda y: nn.functional.cross_entropy(y, torch.zeros(2, dtype=torch.long, device="meta")),  # pyright: ignore
        "mse": lambda y: nn.functional.mse_loss(y, torch.zeros_like(y)),  # pyright: ignore
        "l1": lambda y: y.abs().sum(),  # pyright: ignore
    }
    module = build(spec, "meta")
    with FlopCounterMode(display=False) as counter:
        losses[loss](module(*zeros(spec, 2, "meta").values())).backward()
    assert counter.get_total_flops() == archcost.cost(archcost.build(spec, 2)).flops.total.contraction


def test_integers_and_unread_ways_take_no_part_in_backward() -> None:
    """Only the way from a floating output back to something trainable is walked."""
    verification = verify(
        archcost.loads("""
name: ways
inputs: {x: [4, 6, 6], labels: {shape: [], dtype: int64}}
layers:
  - {type: conv2d, name: frozen, inputs: [x], out_channels: 3, kernel_size: 1, trainable: false}
  - {type: conv2d, name: trained, out_channels: 3, kernel_size: 1}
  - {type: max_pool2d, name: pool, kernel_size: 6, return_indices: true}
  - {type: flatten}
  - {type: linear, name: head, out_features: 5}
  - {type: cross_entropy, name: loss, inputs: [head, labels]}
  - {type: conv2d, name: side, inputs: [trained], out_channels: 2, kernel_size: 3}
  - {type: max_pool2d, name: side_pool, kernel_size: 2, return_indices: true}
  - {type: identity, name: places, inputs: ["side_pool:1"]}
""")
    )
    assert verification.ok
    backward = {name: check_of(verification, "flops_backward", name).witness for name in ("frozen", "trained", "side")}
    # trained: 36 positions * 3 * 3, twice the MACs, its weight only; side leads to integers alone
    assert backward == {"frozen": 0, "trained": 2 * 36 * 3 * 3, "side": 0}


def test_what_torch_cannot_train_is_an_error_at_its_layer() -> None:
    """The sigmoid needs its own output for backward, and the relu overwrites it."""
    spec = archcost.loads("""
name: overwritten
input: [4]
layers:
  - {type: linear, out_features: 4}
  - {type: sigmoid, name: kept}
  - {type: relu, inplace: true}
""")
    with pytest.raises(ArchcostError, match="inplace operation") as caught:
        verify(spec)
    assert caught.value.exit_code == 2
    assert caught.value.layer == "kept"


SHARED = {
    "transposed, frozen owner": """
input: [3, 8, 8]
layers:
  - {type: conv2d, name: there, out_channels: 6, kernel_size: 3, trainable: false}
  - {type: conv2d, name: back, out_channels: 3, kernel_size: 3, padding: 2, weight: there.weight.T}
""",
    "as it is, frozen borrower": """
input: [3, 8, 8]
layers:
  - {type: conv2d, name: down, out_channels: 6, kernel_size: 3, stride: 2, groups: 3}
  - {type: conv_transpose2d, name: up, out_channels: 3, kernel_size: 3, stride: 2, groups: 3, trainable: false,
      weight: down.weight}
""",
    "twice the same": """
input: [5, 4]
layers:
  - {type: linear, name: first, out_features: 4}
  - {type: linear, name: second, out_features: 4, bias: false, weight: first.weight}
  - {type: linear, name: third, out_features: 4, weight: first.weight.T}
""",
}


@pytest.mark.parametrize(
    ("case", "backward"),
    [
        ("transposed, frozen owner", 0),  # the last bias alone is trained, and a bias is no contraction
        # 2 samples * 3*3*6 values * 1*9 = 972 MACs each way: the weight of `down`; input and (its) weight of `up`
        ("as it is, frozen borrower", 3 * 2 * 972),
        ("twice the same", 5 * 2 * 10 * 4 * 4),  # 10 rows; the weight of each, the input of the second and third
    ],
)
def test_shared_weights(case: str, backward: int) -> None:
    verification = verify(archcost.loads(f"name: shared{SHARED[case]}"), batch=2)
    assert verification.disagreements == ()
    assert check_of(verification, "flops_backward").witness == backward


@pytest.mark.parametrize("name", ["conv_autoencoder_unpooling", "autoencoder_tied", "conv_autoencoder_transposed"])
def test_real_tensors_are_counted_as_meta_tensors_are(name: str) -> None:
    """What `--device cuda` does, on the device that every machine has; and the way back to meta."""
    spec = archcost.load(name)
    network = build(spec, "meta")
    on_meta = count_flops(network, tuple(zeros(spec, 2, "meta").values()))
    on_cpu = count_flops(materialise(network, "cpu"), tuple(zeros(spec, 2, "cpu").values()))
    again = count_flops(network.to("meta"), tuple(zeros(spec, 2, "meta").values()))
    for other in (on_cpu, again):
        assert (other.forward, other.backward) == (on_meta.forward, on_meta.backward)
        for layer, counted in on_meta.layers.items():
            assert other.layers[layer][1:] == counted[1:]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_cuda_without_cuda_is_a_clear_error() -> None:
    with pytest.raises(ArchcostError, match="device 'cuda' cannot be used here"):
        verify(archcost.load("mlp"), device="cuda")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_on_cuda() -> None:
    verification = verify(archcost.load("conv_autoencoder_unpooling"), device="cuda")
    assert verification.ok
    assert any("on cuda" in check.by for check in verification.checks)


def without(missing: str, program: str) -> str:
    """What it prints where that package is not installed."""
    script = f"import sys\nsys.modules[{missing!r}] = None\n{program}"
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout


def test_without_torch_one_clear_error() -> None:
    program = """
import archcost
try:
    archcost.pytorch
except archcost.ArchcostError as error:
    print(error)
"""
    assert without("torch", program) == "this needs torch, which is not installed\n  try: pip install archcost[torch]\n"


def test_without_fvcore_one_witness_is_silent() -> None:
    program = """
import archcost
found = archcost.pytorch.verify(archcost.load("mlp"))
print(found.ok, {(check.quantity, check.reason) for check in found.silent if check.scope == "total"})
"""
    said = without("fvcore", program)
    assert said.startswith("True ")
    assert "('macs', 'fvcore is not installed')" in said


def test_without_a_loss_no_witness_runs_backward() -> None:
    tree = {"name": "net", "input": [7], "loss": "none", "layers": [{"type": "linear", "out_features": 5}]}
    checks = verify(archcost.ModelSpec.model_validate(tree)).checks
    backward = [(check.archcost, check.witness) for check in checks if check.quantity == "flops_backward"]
    assert backward == [(0, 0), (0, 0)]
