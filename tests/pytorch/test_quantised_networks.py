"""Networks with quantised weights and adapters beside them, trained in torch: every tensor of a step, to the byte."""

from __future__ import annotations

import pytest
import torch

import archcost
from archcost.costs.phases import by_phase
from archcost.costs.timeline import timeline
from archcost.layers import HqqLinear, Linear4bit, Linear8bit, WeightOnlyLinear
from archcost.passes.run import Run
from archcost.pytorch.layers import FACTORIES
from archcost.pytorch.measure import measure

NET = """
name: net
inputs: {tokens: {shape: [11], dtype: int64}}
layers:
  - {name: emb, type: embedding, num_embeddings: 61, embedding_dim: 64}
  - {name: norm, type: rms_norm}
  - {name: gate, type: linear, out_features: 96, bias: false}
  - {name: act, type: silu}
  - {name: up, type: linear, inputs: [norm], out_features: 96}
  - {name: product, type: mul, inputs: [act, up]}
  - {name: down, type: linear, out_features: 64}
  - {name: sum, type: add, inputs: [emb, down]}
  - {name: head, type: linear, out_features: 61, bias: false}
  - {name: scores, type: transpose, dim0: 1, dim1: 2}
"""


FORMATS = (
    *("nf4", "nf4:keep_input", "nf4:group=128,double", "fp4:compute=float32"),
    *("int8", "int4:group=32", "fp8"),
)
NOT_EXACT = (
    ("fp8", "amp-bf16"),  # where a bias of float32 widens the sum, its gradient is cast before what arrived goes
    ("fp4:compute=float32", "amp-bf16"),  # which is refused
)


@pytest.mark.parametrize("precision", ["fp32", "bf16", "amp-bf16"])
@pytest.mark.parametrize(
    "how", ["nf4", "nf4:keep_input", "nf4:group=128,double", "fp4:compute=float32", "int8", "int4:group=32", "fp8"]
)
def test_peaks(how: str, precision: str) -> None:
    """As a dispatch mode sees them."""
    if (how, precision) in NOT_EXACT:
        return
    run = Run(precision=precision, optimizer="adamw")  # pyright: ignore[reportArgumentType]
    spec = archcost.adapt(archcost.loads(NET), weights=how, lora={"r": 2, "targets": ["gate", "up", "down"]})
    graph = archcost.build(spec, 3)
    line = timeline(graph, run, "cpu", out_of_place=True)
    measured = measure(graph, run)
    ours = {phase.name: phase.peak for phase in by_phase(line)}
    assert ours == {phase.name: phase.peak for phase in measured.phases}


def test_gradients_are_those_of_the_weight_that_was_made() -> None:
    """Each layer is a linear one to whoever looks at values."""
    for layer in (
        Linear4bit(out_features=6),
        HqqLinear(out_features=6, group_size=4),
        WeightOnlyLinear(out_features=6),
    ):
        x = torch.rand(3, 8, requires_grad=True)
        module = FACTORIES[layer.type](layer, (x,))
        dict(module.named_parameters())["weight"].data.random_(0, 119)
        matrix = module(torch.eye(8)).detach() - module(torch.zeros(1, 8)).detach()
        arriving = torch.rand(3, 6)
        module(x).backward(arriving)
        assert x.grad is not None
        torch.testing.assert_close(x.grad, arriving @ matrix.T)
    eight = FACTORIES["linear_8bit"](Linear8bit(out_features=6, bias=False), (torch.rand(3, 8),))
    dict(eight.named_parameters())["weight"].data.random_(0, 100)
    x = torch.rand(3, 8, requires_grad=True)
    made = eight(x)
    matrix = dict(eight.named_parameters())["weight"].float() / 127
    torch.testing.assert_close(made, x @ matrix.T, rtol=0.03, atol=0.03)


def test_a_compute_dtype_that_autocast_casts_again_is_refused() -> None:
    spec = archcost.adapt(archcost.loads(NET), weights="nf4:compute=float32", freeze="*")
    with pytest.raises(archcost.ArchcostError, match="autocast casts once more"):
        timeline(archcost.build(spec, 3), Run(mode="infer", precision="amp-bf16"))
