"""docs/quantised_weights.md: what two programs found of networks with quantised weights, and what published runs say of
inference.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from statistics import mean, median
from typing import NamedTuple

import archcost
from archcost.passes.run import Run
from tests.large_programs import litgpt_rows

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "quantised_weights.md"
SMALL = HERE / "quantised.csv"


class Inference(NamedTuple):
    """A row of LitGPT's tables of inference, October 2023: A100 40 GB, bfloat16, in GB of 1e9 bytes."""

    network: str
    weights: str
    gigabytes: float


INFERENCE = (
    Inference("llama2_7b", "", 13.52),
    Inference("llama2_7b", "nf4", 4.57),
    Inference("llama2_7b", "nf4:double", 4.26),
    Inference("llama2_13b", "", 26.21),
    Inference("llama2_13b", "nf4", 8.32),
    Inference("llama2_13b", "nf4:double", 7.72),
    Inference("llama2_70b", "nf4:double", 37.21),
)


class Small(NamedTuple):
    counts: tuple[int, ...]
    """Ours and theirs in turn: parameters, those that train, bytes of weights."""
    ours: int
    theirs: int

    @property
    def is_counted(self) -> bool:
        return self.counts[::2] == self.counts[1::2]

    @property
    def error(self) -> float:
        return abs(self.ours / self.theirs - 1)


def small() -> list[Small]:
    with SMALL.open(encoding="utf-8") as file:
        _, *rows = csv.reader(file)
    return [Small(tuple(map(int, row[4:10])), int(row[10]), int(row[11])) for row in rows]


def loaded(row: Inference) -> int:
    """Bytes of the weights, head and all as LitGPT quantises them; and while the last one is quantised, which is the
    largest, two copies of it in 16 bits and what it becomes.
    """
    spec = archcost.load(row.network)
    linear = [node for node in archcost.build(spec).nodes if node.layer.type == "linear"]
    largest = max(node.weights[0].numel for node in linear)
    if row.weights:
        names = ",".join(sorted({node.name.rpartition(".")[2] for node in linear}))
        divider = "," if ":" in row.weights else ":"
        spec = archcost.adapt(spec, weights=f"{row.weights}{divider}layers={names}")
    line = archcost.timeline(archcost.build(spec), Run(mode="infer", precision="bf16"))
    return line.by_role["weights"] + (2 * 2 * largest + largest // 2 if row.weights else 0)


def _median(table: str, quantised: bool) -> float:
    return median(litgpt_rows.errors(table, quantised))


def page() -> str:
    return "\n".join(_lines())


def _lines() -> Iterator[str]:
    rows, runs = small(), litgpt_rows.results()
    errors = [row.error for row in rows]
    yield "# Quantised weights beside bitsandbytes and published runs"
    yield ""
    yield (
        "Made by `python -m tests.large_programs.quantised` and `python -m tests.large_programs.litgpt_rows`, outside "
        "the tests: the first with transformers 5.24, PEFT 0.21 and bitsandbytes 0.50 on a CPU, the second with the "
        "modules of LitGPT 0.5.13 on meta tensors."
    )
    yield ""
    yield "## Small networks of transformers"
    yield ""
    exact = sum(row.is_counted for row in rows)
    yield (
        "A small Llama, GPT-2 and BERT, their linear layers those of bitsandbytes (nf4, nf4 with quantised scales, "
        "fp4 in groups of 128, LLM.int8()), with PEFT's LoRA of dropout 0.1 on all of them, in float32 and bfloat16, "
        f"with AdamW and without an optimizer: {len(rows)} steps. Parameters as PEFT counts them, those that train, "
        f"and the bytes of weights with their scales are equal in {exact}; the peak of tensors differs by "
        f"{mean(errors):.3%} in the mean and {max(errors):.3%} at the most."
    )
    yield ""
    yield "## LitGPT's runs of LoRA"
    yield ""
    yield (
        "One step of LitGPT's own modules, imported, quantised, on the card of the run; memory is that of "
        "torch.cuda.max_memory_allocated. bitsandbytes of that time kept what goes into each layer of 4 bits "
        f"(`keep_input`). The median error of rows with quantised weights is {_median(litgpt_rows.TABLE, True):.1%}, "
        f"of the others {_median(litgpt_rows.TABLE, False):.1%}. The last rows are those of LitGPT's collection of "
        f"configurations, whose median is {_median(litgpt_rows.HUB, True):.1%}."
    )
    yield ""
    yield "| network | tokens | batch | r | on | weights | published GB | ours | error |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for run, allocated in runs:
        words = (run.network, run.tokens, run.batch, run.r, run.targets, run.weights or "bf16", f"{run.gigabytes:.2f}")
        yield f"| {' | '.join(map(str, words))} | {allocated / 1e9:.2f} | {allocated / 1e9 / run.gigabytes - 1:+.1%} |"
    yield ""
    yield from REASONS
    yield ""
    yield "## LitGPT's runs of inference"
    yield ""
    yield (
        "The most that was allocated is not a step's: it is the head, largest of all and quantised last, as two copies "
        "in 16 bits beside what it becomes, on top of all other weights."
    )
    yield ""
    yield "| network | weights | published GB | ours | error |"
    yield "|---|---|---|---|---|"
    for row in INFERENCE:
        gigabytes = loaded(row) / 1e9
        told = f"{row.gigabytes:.2f} | {gigabytes:.2f} | {gigabytes / row.gigabytes - 1:+.1%}"
        yield f"| {row.network} | {row.weights or 'bf16'} | {told} |"
    yield ""


REASONS = (
    "Where rows lie apart:",
    "",
    "- phi-1.5 and StableLM, with a quarter to a half of a gigabyte missing, without quantisation as well: the modules",
    "  are those of a LitGPT two years later. What its GPT-NeoX blocks made beside each other in 2023 is not in them.",
    "- The collection of configurations does not say of which LitGPT, torch and bitsandbytes it is. Falcon without",
    "  quantisation is near; all rows with it are higher by a sixth or so, most of all where the head has many words.",
    "  A weight made in float32 first, as it is where it was quantised from float32, is a part of that. What the rest",
    "  is was not found.",
)
"""Why rows lie apart."""
