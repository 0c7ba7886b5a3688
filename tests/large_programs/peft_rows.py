"""Holds archcost against PEFT's own runs of its methods: `python -m tests.large_programs.peft_rows` (about 8 minutes).

The runs are those of the PEFT repository (method_comparison/MetaMathQA, commit 5d602fdb, 2026): one L40S, Llama 3.2 3B
in bfloat16, adapters in float32 where PEFT keeps them so, AdamW, gradients clipped, four samples at a time. PEFT itself
makes each module here on meta tensors, and it is imported, so that what is held against the run is what archcost says
of modules of others: peft_runs.csv has settings and figures, peft_results.csv what came out. It needs peft and
transformers.

How long the longest sample is, the runs do not tell. One length, LENGTH, is put in for all of them.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import archcost
from archcost.errors import ArchcostError

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "peft_rows.md"
RUNS, RESULTS = HERE / "peft_runs.csv", HERE / "peft_results.csv"

BATCH = 4
LENGTH = 710
"""Tokens of the longest sample. The data are cut at 1,300 characters and 768 tokens; this length explains all runs."""

LLAMA_3_2_3B: dict[str, Any] = {
    "hidden_size": 3072,
    "intermediate_size": 8192,
    "num_hidden_layers": 28,
    "num_attention_heads": 24,
    "num_key_value_heads": 8,
    "vocab_size": 128256,
    "head_dim": 128,
    "rms_norm_eps": 1e-5,
    "rope_theta": 500000.0,
    "tie_word_embeddings": True,
    "attn_implementation": "sdpa",
}
"""As the model's config.json says."""


class PeftRun(NamedTuple):
    """A published run: the fields of its adapter that are not PEFT's defaults, its parameters, and
    torch.cuda.max_memory_reserved.
    """

    experiment: str
    adapter: str
    trainable: int
    total: int
    reserved: int


class PeftResult(NamedTuple):
    """What archcost says of one; `problem` says why it says nothing."""

    experiment: str
    trainable: int | None
    total: int | None
    reserved: int | None
    problem: str


def runs() -> list[PeftRun]:
    with RUNS.open(newline="") as file:
        return [PeftRun(a, b, int(c), int(d), int(e)) for a, b, c, d, e in list(csv.reader(file))[1:]]


def results() -> list[PeftResult]:
    with RESULTS.open(newline="") as file:
        rows = list(csv.reader(file))[1:]
    return [PeftResult(name, *[int(each) if each else None for each in numbers], text) for name, *numbers, text in rows]


def adapted(adapter: str) -> Any:
    """The module that PEFT makes, on meta tensors, with the loss that transformers gives to labels."""
    import torch

    peft: Any = import_module("peft")
    transformers: Any = import_module("transformers")

    class Trained(torch.nn.Module):
        def __init__(self, model: Any) -> None:
            super().__init__()
            self.model = model

        def forward(self, input_ids: Any, attention_mask: Any, labels: Any) -> Any:
            given = {"input_ids": input_ids, "attention_mask": attention_mask, "labels": labels}
            return self.model(**given, use_cache=False).loss

    fields = json.loads(adapter)
    kind = peft.PEFT_TYPE_TO_CONFIG_MAPPING[fields["peft_type"]]
    with torch.device("meta"):
        base = transformers.LlamaForCausalLM(transformers.LlamaConfig(**LLAMA_3_2_3B)).to(torch.bfloat16)
        model = peft.get_peft_model(base, kind(**{key: value for key, value in fields.items() if key != "peft_type"}))
    return Trained(model.train())


def measured(run: PeftRun) -> PeftResult:
    import torch

    ids = torch.zeros(1, LENGTH, dtype=torch.int64, device="meta")
    try:
        spec = archcost.from_torch(adapted(run.adapter), ids, ids, ids)
        graph = archcost.build(spec, BATCH)
        settings: dict[str, Any] = {"precision": "bf16", "optimizer": "adamw", "clip_norm": True}
        found = archcost.estimate(spec, BATCH, hardware="nvidia-l40s", **settings)
    except ArchcostError as error:
        return PeftResult(run.experiment, None, None, None, f"refused: {error.problem}")
    except Exception as error:  # PEFT's own, which needs values or packages
        return PeftResult(run.experiment, None, None, None, f"PEFT on meta tensors: {type(error).__name__}")
    trained = [weight for node in graph.nodes if node.trainable for weight in node.own_weights if not weight.is_buffer]
    total = archcost.cost(graph).parameters
    return PeftResult(run.experiment, sum([each.numel for each in trained]), total, found.demand.reserved, "")


def write(found: Iterable[PeftResult]) -> None:
    with RESULTS.open("w", newline="") as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(PeftResult._fields)
        lines.writerows(found)


class Compared(NamedTuple):
    """A run beside what archcost says of it."""

    run: PeftRun
    said: PeftResult

    @property
    def is_counted(self) -> bool:
        return (self.said.trainable, self.said.total) == (self.run.trainable, self.run.total)

    @property
    def error(self) -> float | None:
        return None if self.said.reserved is None else self.said.reserved / self.run.reserved - 1


def compared() -> list[Compared]:
    said = {each.experiment: each for each in results()}
    return [Compared(run, said[run.experiment]) for run in runs() if run.experiment in said]


def page() -> str:
    return "\n".join(_page(compared())) + "\n"


def _page(rows: list[Compared]) -> Iterator[str]:
    known = [row for row in rows if row.error is not None]
    errors = [abs(row.error) for row in known if row.error is not None]
    counted = sum(row.is_counted for row in known)
    yield "# Methods of PEFT beside their published runs\n"
    yield (
        "PEFT publishes a comparison of its methods: Llama 3.2 3B in bfloat16 on one L40S, four samples at a time, "
        "AdamW. Made by `python -m tests.large_programs.peft_rows`, which has PEFT make each module on meta tensors, "
        "imports it, and holds what archcost says against the run: parameters, and the memory that torch's allocator "
        f"had reserved at the most. The longest sample is not published; {LENGTH} tokens are put in for all rows, the "
        "one number that is fitted.\n"
    )
    yield (
        f"Of {len(rows)} runs {len(known)} have an answer. Parameters, trained ones and all, are exact in {counted}. "
        f"Memory is within {median(errors):.1%} (median), {max(errors):.1%} at the worst.\n".replace("%", " %")
    )
    yield "| method | trained | parameters | reserved, run | reserved, archcost | |"
    yield "|---|---|---|---|---|---|"
    for run, said in rows:
        if said.reserved is None:
            figures = f"{run.trainable:,} | {run.total:,} | {run.reserved / 1e9:.2f} GB"
            yield f"| {run.experiment} | {figures} | | {said.problem} |"
            continue
        same = "" if Compared(run, said).is_counted else f" (archcost: {said.trainable:,})"
        error = f"{said.reserved / run.reserved - 1:+.1%}".replace("%", " %").replace("-", "−")
        figures = f"{run.reserved / 1e9:.2f} GB | {said.reserved / 1e9:.2f} GB | {error} |"
        yield f"| {run.experiment} | {run.trainable:,}{same} | {run.total:,} | {figures}"


def main() -> None:
    from tests.collections.compiled import declare_operators

    kept = declare_operators()  # torchvision's, which transformers imports
    found = list(map(measured, runs()))
    write(found)
    PAGE.write_text(page())
    sys.stdout.write(PAGE.read_text())
    del kept


if __name__ == "__main__":
    main()
