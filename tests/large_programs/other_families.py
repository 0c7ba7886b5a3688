"""Compares networks with experts, state spaces and diffusion with transformers' and diffusers' own modules:
`python -m tests.large_programs.other_families` (minutes; both libraries installed, no download).

In full size a module is made on the meta device from its published configuration, and each of its layers is held
against the declared ones: as many weights of the same shapes. Small ones are run: MACs, and the peak of a step.
`tests/large_programs/other_families.csv` keeps what came of it, `docs/other_families.md` shows it.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

import archcost
from archcost import ModelGraph, ModelSpec, Run
from tests.collections.compiled import declare_operators
from tests.collections.step import tracked
from tests.large_programs.image_rows import Drawn
from tests.large_programs.kept import read_rows, write_rows
from tests.large_programs.other_row import BATCH, Other
from tests.large_programs.other_rows import ROWS

HERE = Path(__file__).parent
RESULTS = HERE / "other_families.csv"
PAGE = HERE.parents[1] / "docs" / "other_families.md"

Shapes = Counter[tuple[int, ...]]


class Result(NamedTuple):
    network: str
    parameters: int
    library: int
    active: int
    macs: int
    layers: str
    small_parameters: int
    small_library: int
    small_macs: int
    imported_macs: int
    fp32: int
    torch_fp32: int
    bf16: int
    torch_bf16: int


def weights_by_layer(graph: ModelGraph) -> Mapping[str, Shapes]:
    """Shapes of the weights that are trained, by what stands before the second point of a name."""
    found: dict[str, Shapes] = {}
    for node in graph.nodes:
        for weight in node.own_weights:
            if not weight.is_buffer:
                found.setdefault(part_of(node.name), Counter())[weight.shape] += 1
    return found


def part_of(name: str) -> str:
    """`model.layers.3.mlp.gate.weight` and `layer4.mlp.gate` are in one part: `layer 4`."""
    numbered = re.match(r"(?:model\.|backbone\.)?([a-z_]+?)s\.(\d+)\.", name)
    if numbered:
        return f"{numbered[1]} {int(numbered[2]) + 1}"
    declared = re.match(r"([a-z_]+?)s?(\d+)\.", name)
    return f"{declared[1]} {declared[2]}" if declared else "rest"


def of_module(module: nn.Module) -> Mapping[str, Shapes]:
    found: dict[str, Shapes] = {}
    for name, parameter in module.named_parameters():
        found.setdefault(part_of(name), Counter())[tuple(parameter.shape)] += 1
    return found


def active(graph: ModelGraph) -> int:
    """Parameters that one token meets: of experts, those that are chosen for it. Tables and head are counted whole."""
    total, parameters = archcost.cost(graph).parameters, graph.spec.parameters
    experts, chosen = parameters.get("experts"), parameters.get("chosen")
    if not isinstance(experts, int) or not isinstance(chosen, int):
        return total
    stacked = sum(weight.numel for node in graph.nodes for weight in node.own_weights if ".experts." in node.name)
    return total - stacked * (experts - chosen) // experts


def measure(other: Other | Drawn) -> Result:
    spec = archcost.load(other.network)
    graph = archcost.build(spec)
    cost = archcost.cost(graph)
    with torch.device("meta"):
        whole = other.module({})
    ours, theirs = weights_by_layer(graph), of_module(whole)
    differing = sorted(part for part in {*ours, *theirs} if ours.get(part) != theirs.get(part))
    small = other.small_spec()
    imported = archcost.from_torch(other.alone(), *other.inputs(1))
    peaks = {
        precision: (peak(small, precision), tracked(other.alone, (list(other.inputs(BATCH)), {}), precision))
        for precision in ("fp32", "bf16")
    }
    return Result(
        other.network,
        cost.parameters,
        sum(each.numel() for each in whole.parameters()),
        active(graph),
        cost.macs,
        "differ: " + ", ".join(differing) if differing else "agree",
        archcost.cost(archcost.build(small)).parameters,
        sum(each.numel() for each in other.alone().parameters()),
        archcost.cost(archcost.build(small, BATCH)).macs,
        archcost.cost(archcost.build(imported, BATCH)).macs,
        *peaks["fp32"],
        *peaks["bf16"],
    )


def peak(spec: ModelSpec, precision: Any) -> int:
    run = Run(precision=precision, optimizer="none")
    return archcost.timeline(archcost.build(spec, BATCH), run, "cpu", out_of_place=True).peak


def read() -> list[Result]:
    return read_rows(RESULTS, Result)


def write(results: list[Result]) -> None:
    write_rows(RESULTS, results)
    PAGE.write_text(page(results), encoding="utf-8")


def main() -> None:
    torch.set_num_threads(1)
    library = declare_operators()  # has to live as long as its operators are called
    wanted = set(sys.argv[1:])
    results = {result.network: result for result in read()} if wanted and RESULTS.exists() else {}
    for other in ROWS:
        if wanted and other.network not in wanted:
            continue
        results[other.network] = measured = measure(other)
        print(*measured)
    write([results[other.network] for other in ROWS if other.network in results])
    del library


def page(results: list[Result]) -> str:
    """Two tables: full size, and small."""
    lines = [*INTRODUCTION]
    for result in results:
        published = archcost.load(result.network).published
        stated = "" if published is None or published.parameters is None else f"{published.parameters}"
        lines.append(
            f"| `{result.network}` | {result.parameters:,} | {_grouped(stated)} | {result.library:,} |"
            f" {result.layers} | {result.active:,} | {result.macs:,} |"
        )
    lines += SMALL
    for result in results:
        lines.append(
            f"| `{result.network}` | {_pair(result.small_parameters, result.small_library)} |"
            f" {_pair(result.small_macs, result.imported_macs)} | {_peaks(result.fp32, result.torch_fp32)} |"
            f" {_peaks(result.bf16, result.torch_bf16)} |"
        )
    return "\n".join([*lines, ""])


def _grouped(text: str) -> str:
    return f"{int(text):,}" if text.isdigit() else text


def _pair(ours: int, theirs: int) -> str:
    return f"{ours:,}" if ours == theirs else f"{ours:,} beside {theirs:,}"


def _peaks(ours: int, theirs: int) -> str:
    return f"{ours:,}" if ours == theirs else f"{ours:,} beside {theirs:,} ({100 * (ours / theirs - 1):+.2f} %)"


INTRODUCTION = (
    "# Experts, state spaces and diffusion, beside their libraries",
    "",
    "Made by `python -m tests.large_programs.other_families` (`make other-families`) from transformers 5.24 and",
    "diffusers 0.42.1, whose modules are made from published configurations, without their weights.",
    "",
    "## In full size",
    "",
    "`layers` says whether every layer has as many weights of the same shapes as in the library's module, which is",
    "made on the meta device. `of a token` are the parameters that one token meets: of experts, the chosen ones; the",
    "table of tokens and the head are counted whole. MACs are those of one sample as the network ships.",
    "",
    "| network | parameters | published | library's | layers | of a token | MACs |",
    "|---|--:|--:|--:|---|--:|--:|",
)

SMALL = (
    "",
    "## Small ones, run",
    "",
    "The same networks with few and narrow layers, a batch of 2: parameters beside the module's, MACs beside those of",
    "the module's import, and the peak of tensors of a training step (loss: the sum of what comes out; no optimizer)",
    "beside torch's on the CPU. One number where both agree. Experts are computed as transformers does where nothing",
    "else is asked (`grouped_mm`), attention by `scaled_dot_product_attention` where the library uses it.",
    "",
    "| network | parameters | MACs | peak, fp32 | peak, bf16 |",
    "|---|--:|--:|--:|--:|",
)

if __name__ == "__main__":
    main()
