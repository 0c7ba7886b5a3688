"""Holds archcost against LitGPT's published runs: `python -m tests.large_programs.litgpt_rows FOLDER` (10 minutes).

FOLDER is where a wheel of litgpt 0.5.13 was unpacked; of it the modules of the networks are imported and nothing else,
so lightning is not needed. LitGPT's own LoRA modules are imported on meta, quantised by `archcost.adapt`, and one step
is estimated. litgpt_runs.csv has the published figures with their settings, litgpt_results.csv what came out.

The tables are those of tutorials/resource-tables.md (October 2023, A100 40 GB, LoRA r 8 on queries and values, the
longest sample of Alpaca: 1,304 tokens for Llama 2, 1,044 for phi, 1,034 for StableLM) and of
config_hub/finetune/README.md (2024, A10G, 512 tokens), commit 26857050: the memory of torch.cuda.max_memory_allocated,
in GB of 1e9 bytes. bitsandbytes was older than 0.44, which kept what goes into a layer.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from statistics import median
from types import ModuleType
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

import archcost

HERE = Path(__file__).parent
RUNS, RESULTS = HERE / "litgpt_runs.csv", HERE / "litgpt_results.csv"
TABLE, HUB = "resource-tables", "config_hub"
CHUNK = 128
"""Tokens of which the loss is worked out at once (`chunked_cross_entropy` in litgpt/utils.py)."""


class LitgptRun(NamedTuple):
    """A published run. `targets` are LitGPT's own: q, k, v, projection, mlp and head; `weights` empty are floats."""

    table: str
    network: str
    tokens: int
    batch: int
    r: int
    targets: str
    weights: str
    hardware: str
    gigabytes: float


class Result(NamedTuple):
    run: LitgptRun
    allocated: int

    @property
    def error(self) -> float:
        return self.allocated / 1e9 / self.run.gigabytes - 1


def runs() -> list[LitgptRun]:
    with RUNS.open(encoding="utf-8") as file:
        return [
            LitgptRun(
                row["table"],
                row["network"],
                int(row["tokens"]),
                int(row["batch"]),
                int(row["r"]),
                row["targets"],
                row["weights"],
                row["hardware"],
                float(row["gigabytes"]),
            )
            for row in csv.DictReader(file)
        ]


def results() -> list[Result]:
    with RESULTS.open(encoding="utf-8") as file:
        found = [int(row["allocated"]) for row in csv.DictReader(file)]
    return [Result(run, allocated) for run, allocated in zip(runs(), found, strict=True)]


def errors(table: str, quantised: bool) -> list[float]:
    found = [each for each in results() if each.run.table == table]
    return [abs(each.error) for each in found if bool(each.run.weights) is quantised]


def modules_of(folder: Path) -> Any:
    """litgpt.lora without what the package imports beside it."""

    def stand_in(name: str, **fields: Any) -> ModuleType:
        made = ModuleType(name)
        made.__dict__.update(fields)
        sys.modules[name] = made
        return made

    package = stand_in("litgpt", __path__=[str(folder / "litgpt")])
    stand_in("litgpt.scripts", __path__=[])
    stand_in("litgpt.scripts.convert_hf_checkpoint", qkv_reassemble=None)
    stand_in("litgpt.utils", map_old_state_dict_weights=None)
    for name in ("config", "model", "lora"):
        setattr(package, name, import_module(f"litgpt.{name}"))
    return package.lora


class Step(nn.Module):
    """A network with the loss of LitGPT's fine-tuning, chunk by chunk."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, ids: Tensor, targets: Tensor) -> Tensor:
        scores = self.model(ids)[:, :-1].split(CHUNK, dim=1)
        wanted = targets[..., 1:]
        losses = [
            functional.cross_entropy(each.reshape(-1, each.size(-1)), those.reshape(-1), reduction="none")
            for each, those in zip(scores, wanted.split(CHUNK, dim=1), strict=True)
        ]
        count = (wanted != -100).sum()
        return torch.cat(losses).sum() / count.maximum(torch.ones_like(count))


TARGETS = {"q": "query", "k": "key", "v": "value", "p": "projection", "m": "mlp", "h": "head"}


def imported(lora: Any, run: LitgptRun) -> archcost.ModelSpec:
    which = {f"lora_{TARGETS[letter]}": True for letter in run.targets}
    config = lora.Config.from_name(run.network, lora_r=run.r, lora_alpha=16, lora_dropout=0.05, **which)
    with torch.device("meta"):
        model = lora.GPT(config)
    model.max_seq_length = run.tokens
    lora.mark_only_lora_as_trainable(model)
    ids = torch.zeros(1, run.tokens, dtype=torch.int64)
    return archcost.from_torch(Step(model), ids, ids)


def answers(folder: Path) -> Iterator[Result]:
    lora = modules_of(folder)
    specs: dict[tuple[Any, ...], archcost.ModelSpec] = {}
    for run in runs():
        key = (run.network, run.tokens, run.r, run.targets)
        if key not in specs:
            specs = {key: imported(lora, run)}
        spec = specs[key]
        if run.weights:
            divider = "," if ":" in run.weights else ":"
            spec = archcost.adapt(spec, weights=f"{run.weights}{divider}keep_input,layers=*.linear,lm_head*")
        found = archcost.estimate(
            spec, batch=run.batch, hardware=run.hardware, mode="train", precision="bf16", optimizer="adamw"
        )
        yield Result(run, found.to_dict()["memory"]["allocated_bytes"])


def main() -> None:
    rows: list[Result] = []
    for each in answers(Path(sys.argv[1])):
        rows.append(each)
        print(*each.run, f"{each.allocated / 1e9:.2f}", f"{each.error:+.1%}", flush=True)
    with RESULTS.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["network", "weights", "batch", "allocated"])
        writer.writerows([each.run.network, each.run.weights, each.run.batch, each.allocated] for each in rows)
    print(f"median of quantised rows {median(errors(TABLE, True)):.1%}, of others {median(errors(TABLE, False)):.1%}")


if __name__ == "__main__":
    main()
