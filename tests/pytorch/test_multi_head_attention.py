"""`multi_head_attention` beside torch's own nn.MultiheadAttention: weights, FLOPs, kept bytes, peaks, to the byte.

There are more positions than features a head: with fewer, the gradients of composed attention (which dropout asks for)
are told to live together with what they are made of, and the peak is told too high.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import archcost
from archcost.costs.phases import by_phase
from archcost.costs.run import Run
from archcost.costs.storages import kept
from archcost.costs.timeline import timeline
from archcost.pytorch import verify
from tests.pytorch import foreign

POSITIONS, FEATURES, HEADS = 7, 12, 4


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Attending(nn.Module):
    """A linear layer, whose output attends to itself."""

    def __init__(self, is_causal: bool, **options: Any) -> None:
        super().__init__()
        self.before = nn.Linear(FEATURES, FEATURES)
        self.attention = nn.MultiheadAttention(FEATURES, HEADS, **options)
        self.options = {"is_causal": is_causal, "attn_mask": torch.zeros(POSITIONS, POSITIONS) if is_causal else None}

    def forward(self, x: Tensor) -> Tensor:
        return self.attend(self.before(x))

    def attend(self, x: Tensor) -> Tensor:
        return self.attention(x, x, x, need_weights=False, **self.options)[0]


def spec(**options: Any) -> archcost.ModelSpec:
    attention = {"type": "multi_head_attention", "name": "attention", "num_heads": HEADS, **options}
    layers = [{"type": "linear", "name": "before", "out_features": FEATURES}, attention]
    tree = {"name": "attending", "inputs": {"x": [POSITIONS, FEATURES]}, "layers": layers}
    return archcost.ModelSpec.model_validate(tree)


def predicted(spec: archcost.ModelSpec, batch: int, optimizer: str) -> dict[str, int]:
    line = timeline(archcost.build(spec, batch), Run(optimizer=optimizer), "cpu", out_of_place=True)
    return {phase.name: phase.peak for phase in by_phase(line)}


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize(("dropout", "is_causal", "bias"), [*product([0.0, 0.1], [False, True], [False, True])])
def test_the_same_bytes_as_torchs_own(dropout: float, is_causal: bool, bias: bool, batch: int) -> None:
    ours = spec(dropout=dropout, is_causal=is_causal, bias=bias)
    theirs = Attending(is_causal, dropout=dropout, bias=bias, batch_first=True)
    inputs = {"x": foreign.normal(batch, POSITIONS, FEATURES)}
    graph = archcost.build(ours, batch)
    assert archcost.cost(graph).parameters == foreign.weights(theirs)
    assert sum(storage.nbytes for storage in kept(graph).storages) == foreign.kept(theirs, inputs)
    for optimizer in ("sgd", "adam"):
        assert predicted(ours, batch, optimizer) == foreign.peaks(theirs, inputs, optimizer)


def test_positions_first() -> None:
    """What arrives has its positions where others have the batch: here 7 samples of 2 positions."""
    ours, theirs = spec(batch_first=False), Attending(False, batch_first=False)
    inputs = {"x": foreign.normal(2, POSITIONS, FEATURES)}
    assert sum(storage.nbytes for storage in kept(archcost.build(ours, 2)).storages) == foreign.kept(theirs, inputs)
    assert predicted(ours, 2, "sgd") == foreign.peaks(theirs, inputs, "sgd")


def test_the_same_flops_as_torchs_own() -> None:
    """On the meta device torch composes attention; fused, the scores come again: 2 FLOPs for each product of theirs."""
    theirs = Attending(False, batch_first=True).to("meta")
    found = foreign.flops(theirs, {"x": torch.zeros(3, POSITIONS, FEATURES, device="meta")})
    again = 2 * 3 * POSITIONS * POSITIONS * FEATURES
    assert archcost.cost(archcost.build(spec(), batch=3)).flops.total.contraction == found + again


RUNS = {
    "trained": Run(),
    "in 16 bits": Run(precision="bf16"),
    "under autocast": Run(precision="amp-bf16"),
    "inferred": Run(mode="infer"),
    "recomputed": Run(recompute="blocks"),
    "recomputed in pieces": Run(recompute="every:7"),
    "accumulated": Run(accumulation=2),
}

ENCODER = """
name: encoder
input: [7, 12]
parameters: {heads: 4}
blocks:
  layer:
    layers:
      - {type: layer_norm, name: norm1}
      - {type: multi_head_attention, name: attention, num_heads: $heads}
      - {type: add, name: add1, inputs: [attention, input]}
      - {type: layer_norm, name: norm2}
      - {type: linear, name: fc1, out_features: 48}
      - {type: gelu, name: gelu}
      - {type: linear, name: fc2, out_features: 12}
      - {type: add, name: add2, inputs: [fc2, add1]}
layers:
  - {repeat: 2, layers: [{block: layer}]}
  - {type: linear, out_features: 3}
"""


@pytest.mark.parametrize("run", RUNS)
def test_every_witness_agrees_on_an_encoder(run: str) -> None:
    assert verify(archcost.loads(ENCODER), batch=2, run=RUNS[run]).disagreements == ()
