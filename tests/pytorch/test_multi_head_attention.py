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
from archcost.costs.timeline import timeline
from archcost.passes.run import Run
from archcost.passes.storages import kept
from archcost.pytorch import verify
from tests.pytorch import foreign

SOUGHT, SEEN, FEATURES, HEADS = 7, 9, 12, 4


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


WAYS = {"itself": ("a", "a", "a"), "another": ("a", "b", "b"), "three": ("a", "b", "c")}
"""Who is query, key and value: outputs of linear layers, `b` and `c` of the second input."""


class Attending(nn.Module):
    """Linear layers, whose outputs attend to each other."""

    def __init__(self, way: str, is_causal: bool = False, **options: Any) -> None:
        super().__init__()
        self.names = WAYS[way]
        self.before = nn.ModuleDict({name: nn.Linear(FEATURES, FEATURES) for name in sorted(set(self.names))})
        self.attention = nn.MultiheadAttention(FEATURES, HEADS, **options)
        self.options = {"is_causal": is_causal, "attn_mask": torch.zeros(SOUGHT, SOUGHT) if is_causal else None}

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        made = {name: layer(x if name == "a" else y) for name, layer in self.before.items()}
        return self.attend(*(made[name] for name in self.names))

    def attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        return self.attention(query, key, value, need_weights=False, **self.options)[0]


def spec(way: str, sought: int = SOUGHT, seen: int = SEEN, **options: Any) -> archcost.ModelSpec:
    names = sorted(set(WAYS[way]))
    before = [{"name": name, "type": "linear", "out_features": FEATURES} for name in names]
    wired = [layer | {"inputs": ["x" if layer["name"] == "a" else "y"]} for layer in before]
    attention = {"type": "multi_head_attention", "num_heads": HEADS, "inputs": WAYS[way], **options}
    inputs = {"x": [sought, FEATURES], "y": [seen, FEATURES]}
    return archcost.ModelSpec.model_validate({"name": "n", "inputs": inputs, "layers": [*wired, attention]})


def inputs_of(batch: int, sought: int = SOUGHT, seen: int = SEEN) -> dict[str, Tensor]:
    return {"x": foreign.normal(batch, sought, FEATURES), "y": foreign.normal(batch, seen, FEATURES)}


def predicted(spec: archcost.ModelSpec, batch: int, optimizer: str) -> dict[str, int]:
    line = timeline(archcost.build(spec, batch), Run(optimizer=optimizer), "cpu", out_of_place=True)
    return {phase.name: phase.peak for phase in by_phase(line)}


def bytes_kept(spec: archcost.ModelSpec, batch: int) -> int:
    return sum(storage.nbytes for storage in kept(archcost.build(spec, batch)).storages)


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("dropout", "bias"), [*product([0.0, 0.1], [False, True])])
def test_the_same_bytes_as_torchs_own(dropout: float, bias: bool, way: str, batch: int) -> None:
    ours = spec(way, dropout=dropout, bias=bias)
    theirs = Attending(way, dropout=dropout, bias=bias, batch_first=True)
    assert archcost.cost(archcost.build(ours, batch)).parameters == foreign.weights(theirs)
    assert bytes_kept(ours, batch) == foreign.kept(theirs, inputs_of(batch))
    for optimizer in ("sgd", "adam"):
        assert predicted(ours, batch, optimizer) == foreign.peaks(theirs, inputs_of(batch), optimizer)


@pytest.mark.parametrize("dropout", [0.0, 0.1])
def test_causal(dropout: float) -> None:
    ours = spec("itself", is_causal=True, dropout=dropout)
    theirs = Attending("itself", is_causal=True, dropout=dropout, batch_first=True)
    assert bytes_kept(ours, 3) == foreign.kept(theirs, inputs_of(3))
    assert predicted(ours, 3, "sgd") == foreign.peaks(theirs, inputs_of(3), "sgd")


@pytest.mark.parametrize("way", WAYS)
def test_positions_first(way: str) -> None:
    """What arrives has its positions where others have the batch: here as many samples as positions were said."""
    ours, theirs = spec(way, sought=7, seen=7, batch_first=False), Attending(way, batch_first=False)
    assert bytes_kept(ours, 2) == foreign.kept(theirs, inputs_of(2, 7, 7))
    assert predicted(ours, 2, "sgd") == foreign.peaks(theirs, inputs_of(2, 7, 7), "sgd")


@pytest.mark.parametrize("way", WAYS)
def test_the_same_flops_as_torchs_own(way: str) -> None:
    """On the meta device torch composes attention; fused, the scores come again: 2 FLOPs for each product of theirs."""
    inputs = {name: tensor.to("meta") for name, tensor in inputs_of(3).items()}
    found = foreign.flops(Attending(way, batch_first=True).to("meta"), inputs)
    again = 2 * 3 * SOUGHT * (SOUGHT if way == "itself" else SEEN) * FEATURES
    assert archcost.cost(archcost.build(spec(way), batch=3)).flops.total.contraction == found + again


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


DECODER = """
name: decoder
inputs: {tokens: [7, 12], memory: [9, 12]}
layers:
  - {type: linear, name: embedded, out_features: 12, inputs: [tokens]}
  - {type: multi_head_attention, name: self_attention, num_heads: 4, is_causal: true}
  - {type: add, name: add1, inputs: [embedded, self_attention]}
  - {type: layer_norm, name: norm1}
  - {type: linear, name: encoded, out_features: 12, inputs: [memory]}
  - {type: multi_head_attention, name: attention, num_heads: 4, inputs: [norm1, encoded, encoded]}
  - {type: add, name: add2, inputs: [norm1, attention]}
  - {type: layer_norm, name: norm2}
"""


@pytest.mark.parametrize("run", RUNS)
def test_every_witness_agrees_on_an_encoder(run: str) -> None:
    assert verify(archcost.loads(ENCODER), batch=2, run=RUNS[run]).disagreements == ()


@pytest.mark.parametrize("run", [run for run in RUNS if not run.startswith("recomputed")])
def test_every_witness_agrees_on_a_decoder(run: str) -> None:
    """Recomputed by itself, its attention is off by one tensor: the gradient that a product copies into rows, as it
    arrives turned, is not told, and lives through the recomputation.
    """
    assert verify(archcost.loads(DECODER), batch=2, run=RUNS[run]).disagreements == ()
