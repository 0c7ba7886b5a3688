"""Run real steps of the shipped networks on this machine, and append what they held to the log.

    python -m tests.measurements [--most 8] [NETWORK …]
    python -m tests.measurements --again

What the log has already is not measured again. Cheap runs come first. `--again` measures nothing: it predicts every
step of the log anew, with the formulas as they are.
"""

from __future__ import annotations

import argparse
import gc
import os
import platform
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import Any

os.environ.setdefault("KINETO_LOG_LEVEL", "99")

import torch

import archcost
from archcost.costs.phases import by_phase, requested_by_phase
from archcost.errors import ArchcostError
from archcost.passes.run import Run
from archcost.pytorch import measure
from archcost.pytorch.crosscheck_memory import Predicted
from archcost.spec import zoo
from archcost.spec.overrides import override
from tests.measurements.log import (
    FOLDER,
    ROLES,
    PhaseRecord,
    Record,
    Settings,
    machine_to_json,
    read,
    refusal_to_json,
    to_json,
)

SMALLER = {
    **dict.fromkeys(["alexnet", "alexnet_2012", "alexnet_torchvision"], "3x97x97"),
    **dict.fromkeys(["vgg_a", "vgg_a_lrn", "vgg_b", "vgg_c", "vgg_d", "vgg_e"], "3x32x32"),
    **dict.fromkeys(["resnet18", "resnet50", "densenet121"], "3x64x64"),
}
"""Networks of large images run all settings on smaller ones, and a few on those that they declare."""

BATCHES = (2, 8)
OPTIMIZERS = (("sgd", None), ("sgd-momentum", None), ("adam", "loop"), ("adam", "foreach"))
PRECISIONS = ("fp32", "amp-bf16")
RECOMPUTE = ("none", "blocks")


def main() -> int:
    parser = argparse.ArgumentParser(description="measure steps, and append them to the log")
    parser.add_argument("networks", nargs="*", default=zoo.names())
    parser.add_argument("--most", type=float, default=8, metavar="GB", help="of memory in one run")
    parser.add_argument("--again", action="store_true", help="measure nothing, but predict all that was measured anew")
    given = parser.parse_args()
    if given.again:
        predict_again()
        return 0
    log = read("cpu")
    done = {record.settings for record in log.records} | {settings for settings, _ in log.refused}
    todo = [settings for settings in sorted(every(), key=macs) if settings.network in given.networks]
    todo = [settings for settings in todo if settings not in done]
    FOLDER.mkdir(exist_ok=True)
    with (FOLDER / "cpu.jsonl").open("a", encoding="utf-8") as file:
        machine = this_machine()
        if todo and machine not in log.machines[-1:]:
            file.write(machine_to_json(machine))
        for number, settings in enumerate(todo, 1):
            began = time.perf_counter()
            line = run(settings, given.most * 1e9)
            file.write(line)
            file.flush()
            gc.collect()
            print(f"{number} of {len(todo)}: {settings}, {time.perf_counter() - began:.1f} s", flush=True)
    return 0


def every() -> Iterator[Settings]:
    for network in zoo.names():
        size = SMALLER.get(network)
        for batch, (optimizer, impl), precision, recompute in product(BATCHES, OPTIMIZERS, PRECISIONS, RECOMPUTE):
            yield Settings(network, size, batch, optimizer, impl, precision, recompute)
        if size:
            for precision, recompute in zip(PRECISIONS, RECOMPUTE, strict=True):
                yield Settings(network, None, BATCHES[0], "sgd-momentum", None, precision, recompute)
        for precision in PRECISIONS:
            yield Settings(network, size, BATCHES[1], "sgd", None, precision, "none", threads=2)


def macs(settings: Settings) -> int:
    return archcost.cost(graph_of(settings)).macs


def graph_of(settings: Settings) -> archcost.ModelGraph:
    spec = archcost.load(settings.network)
    if settings.input:
        spec = override(spec, (), (settings.input,))
    return archcost.build(spec, settings.batch)


def this_machine() -> dict[str, Any]:
    return {
        "torch": torch.__version__,
        "archcost": version("archcost"),
        "python": platform.python_version(),
        "cpu": cpu(),
        "capability": torch.backends.cpu.get_cpu_capability(),
        "date": date.today().isoformat(),
    }


def cpu() -> str:
    info = Path("/proc/cpuinfo")
    names = [line for line in info.read_text().splitlines() if line.startswith("model name")] if info.exists() else []
    return names[0].partition(":")[2].strip() if names else platform.processor()


def run(settings: Settings, most: float) -> str:
    """A line of the log."""
    torch.set_num_threads(settings.threads)
    graph = graph_of(settings)
    predicted = predict(settings, graph)
    if predicted.requested > most:
        return refusal_to_json(settings, f"{predicted.requested:,} bytes are too many for the machine that measured")
    try:
        measured = measure(graph, run_of(settings), predicted.line.segments)
    except ArchcostError as error:
        return refusal_to_json(settings, str(error))
    assert measured.unwatched is not None
    found = {
        phase.name: PhaseRecord(
            phase.peak,
            measured.unwatched.tensors[phase.name],
            measured.unwatched.allocator[phase.name],
            tuple(phase.roles[role] for role in ROLES),
        )
        for phase in measured.phases
    }
    return to_json(Record(settings, predicted.line.peak, expected(predicted), found))


def predict(settings: Settings, graph: archcost.ModelGraph) -> Predicted:
    return Predicted.of(graph, run_of(settings), "cpu", settings.threads)


def run_of(settings: Settings) -> Run:
    words: dict[str, Any] = {field: getattr(settings, field) for field in Settings._fields[3:-1]}
    return Run(**words)


def expected(predicted: Predicted) -> dict[str, PhaseRecord]:
    """What the formulas say, by phase."""
    trace: dict[Any, int] = requested_by_phase(predicted.line)
    allocator: dict[Any, int] = requested_by_phase(predicted.with_kernels)
    return {
        phase.name: PhaseRecord(
            phase.peak,
            trace[phase.name],
            allocator[phase.name],
            tuple(phase.roles[role] for role in ROLES),
        )
        for phase in by_phase(predicted.watched)
    }


def predict_again() -> None:
    log = read("cpu")
    lines = [*map(machine_to_json, log.machines)]
    lines += [refusal_to_json(*refusal) for refusal in log.refused]
    for record in log.records:
        predicted = predict(record.settings, graph_of(record.settings))
        lines.append(to_json(replace(record, peak=predicted.line.peak, predicted=expected(predicted))))
    (FOLDER / "cpu.jsonl").write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
