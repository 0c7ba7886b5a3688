"""Compares dense language models, and T5, Whisper and encoders, with transformers' own modules:
`python -m tests.large_programs.families` (minutes; transformers 5.24 installed, no download).

In full size each module is made on the meta device from its released configuration: its layers have as many weights of
the same shapes as the declared ones, and torch counts as many FLOPs. Small ones are run on the CPU, for the peak of a
step. families.csv and families_small.csv keep what came of it, docs/families.md shows it, and tests hold the declared
networks against what is kept, without transformers.
"""

from __future__ import annotations

import re
import sys
import warnings
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import archcost
from archcost import ModelGraph, ModelSpec, Run
from tests.collections.compare import Subject, counted, fused_again
from tests.collections.compiled import declare_operators
from tests.collections.step import tracked
from tests.large_programs.family_rows import BATCH, RELEASED, SMALL, Small, shaped
from tests.large_programs.kept import read_rows, write_rows

HERE = Path(__file__).parent
RESULTS = HERE / "families.csv"
SMALL_RESULTS = HERE / "families_small.csv"

LENGTH = {"tokens": 128, "written": 128}
"""Tokens for which FLOPs of full-size networks are counted."""

Shapes = Mapping[str, Counter[tuple[int, ...]]]


class Released(NamedTuple):
    """A network in full size: weights, and FLOPs forward for one sample of `LENGTH`; each beside transformers'.

    `differing` names the layers that have other weights.
    """

    network: str
    parameters: int
    transformers: int
    differing: str
    flops: int
    transformers_flops: int


class Peaks(NamedTuple):
    """A small network at a batch of `BATCH`, each number beside transformers': bytes of live tensors at the worst
    moment of a step, by precision.
    """

    name: str
    parameters: int
    transformers: int
    forward: int
    transformers_forward: int
    backward: int
    transformers_backward: int
    fp32: int
    transformers_fp32: int
    bf16: int
    transformers_bf16: int
    amp: int
    transformers_amp: int


# Full size ------------------------------------------------------------------------------------------------------------


def released(network: str) -> Released:
    kind, fields = RELEASED[network]
    with torch.device("meta"):
        module = kind.module(fields)
    spec = archcost.load(network)
    shorter = shortened(spec)
    ours, theirs = declared_shapes(archcost.build(spec)), module_shapes(module)
    differing = sorted(part for part in {*ours, *theirs} if ours.get(part) != theirs.get(part))
    counter = FlopCounterMode(display=False)
    # With several sequences in one row their positions would say so, and their values are looked at for that.
    alone = mock.patch("transformers.masking_utils.find_packed_sequence_indices", return_value=None)
    with alone, counter, torch.no_grad():
        module.eval()(*(given.to("meta") for given in shaped(shorter, 1)))
    return Released(
        network,
        archcost.cost(archcost.build(spec)).parameters,
        sum(parameter.numel() for parameter in module.parameters()),
        " ".join(differing),
        archcost.cost(archcost.build(shorter)).flops.forward.contraction,
        counter.get_total_flops(),
    )


def shortened(spec: ModelSpec) -> ModelSpec:
    settings = [f"{name}={length}" for name, length in LENGTH.items() if name in spec.parameters]
    return archcost.load(spec.name, settings=settings)


def declared_shapes(graph: ModelGraph) -> Shapes:
    """Shapes of the weights of each layer: `layer4.mlp.down_proj` is in `4`, `decoder2.self.attn` in `decoder 2`."""
    found: dict[str, Counter[tuple[int, ...]]] = {}
    for node in graph.nodes:
        inside = re.match(r"(encoder|decoder|layer)(\d+)\.", node.name)
        part = f"{inside[1]} {inside[2]}".removeprefix("layer ") if inside else "outside"
        for weight in node.own_weights:
            if not weight.is_buffer:
                found.setdefault(part, Counter())[weight.shape] += 1
    return found


def module_shapes(module: nn.Module) -> Shapes:
    """As `declared_shapes`: `model.layers.3.mlp.down_proj.weight` is in `4`. T5's biases of positions, which the first
    layer makes for all, are outside.
    """
    found: dict[str, Counter[tuple[int, ...]]] = {}
    names = [name for name, _ in module.named_parameters()]
    sides = all(any(f"{side}." in name for name in names) for side in ("encoder", "decoder"))
    for name, parameter in module.named_parameters():
        inside = re.search(r"\.(?:layers?|block|h)\.(\d+)\.", name)
        side = re.search(r"\.(encoder|decoder)\.", name)
        part = f"{int(inside[1]) + 1}" if inside and "relative_attention_bias" not in name else "outside"
        part = f"{side[1]} {part}" if sides and side and part != "outside" else part
        found.setdefault(part, Counter())[tuple(parameter.shape)] += 1
    return found


# Small ones -----------------------------------------------------------------------------------------------------------


def declared(small: Small) -> tuple[int, ...]:
    """Parameters, FLOPs forward and backward as torch composes attention, and peaks by precision."""
    graph = archcost.build(small.spec(), BATCH)
    cost = archcost.cost(graph)
    flops = cost.flops
    peaks = [
        archcost.timeline(graph, Run(optimizer="none", precision=precision), "cpu", out_of_place=True).peak
        for precision in PRECISIONS
    ]
    return cost.parameters, flops.forward.contraction, flops.backward.contraction - fused_again(cost), *peaks


PRECISIONS: tuple[Any, ...] = ("fp32", "bf16", "amp-bf16")


def small_one(small: Small) -> Peaks:
    ours = declared(small)
    forward, backward = counted(small.module().to("meta"), Subject(small.name, small.module, small.inputs(1)))
    theirs = (
        sum(parameter.numel() for parameter in small.module().parameters()),
        forward,
        backward,
        *(tracked(small.module, (list(small.inputs(BATCH)), {}), precision) for precision in PRECISIONS),
    )
    return Peaks(small.name, *(number for pair in zip(ours, theirs, strict=True) for number in pair))


def main() -> None:
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    library = declare_operators()  # has to live as long as its operators are called
    wanted = set(sys.argv[1:])
    kept = {row.network: row for row in read_rows(RESULTS, Released)} if wanted and RESULTS.exists() else {}
    for network in RELEASED:
        if not wanted or network in wanted:
            kept[network] = released(network)
            print(*kept[network], flush=True)
    write_rows(RESULTS, [kept[network] for network in RELEASED if network in kept])
    peaks = {row.name: row for row in read_rows(SMALL_RESULTS, Peaks)} if wanted and SMALL_RESULTS.exists() else {}
    for small in SMALL:
        if not wanted or small.name in wanted:
            peaks[small.name] = small_one(small)
            print(*peaks[small.name], flush=True)
    write_rows(SMALL_RESULTS, [peaks[small.name] for small in SMALL if small.name in peaks])
    del library


if __name__ == "__main__":
    main()
