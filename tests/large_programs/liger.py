"""Compares the memory of single operators with Liger-Kernel's published benchmark of eager torch:
`python -m tests.large_programs.liger` (a minute; nothing is downloaded, no memory taken).

What the benchmark measures is `torch.cuda.max_memory_allocated` over one call of several, each with what the calls
before have left: gradients, and with `retain_graph` nothing is let go of in backward. The rows are in
tests/large_programs/liger_rows.csv, from benchmark/data/all_benchmark_data.csv of linkedin/Liger-Kernel at ead96b61.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any, ClassVar, Literal, NamedTuple

import torch

import archcost
from archcost.costs.events import Tape, by_mark
from archcost.costs.program import program
from archcost.costs.simulate import Player
from archcost.layers import Layer
from archcost.layers.card import Card
from archcost.layers.dtypes import AS_GIVEN
from archcost.layers.loss.base import losing
from archcost.layers.rules import Autograd, Call
from archcost.passes.contract import RunGraph
from archcost.passes.order import prepared
from archcost.passes.run import Run
from archcost.tensors import Tensors, TensorType
from archcost.work import Elementwise, Work
from tests.large_programs.liger_modules import KERNELS, Benchmark, Config

HERE = Path(__file__).parent
ROWS = HERE / "liger_rows.csv"
PAGE = HERE.parents[1] / "docs" / "liger_rows.md"
ALWAYS_FULL = ("group_norm",)
"""What is measured whole, whatever the mode says."""
LEFT_OUT = "embedding"
"""Whose rows hold much that is not the operator's; the page says so."""
MIB = 2**20
BLOCK = 512
"""What torch's allocator rounds up to."""


class Arriving(Layer):
    """A gradient of an output's own size that is there for backward to begin with."""

    type: Literal["(arriving)"] = "(arriving)"
    card: ClassVar[Card] = losing(None, AS_GIVEN)

    def output_types(self, inputs: Tensors) -> Tensors:
        return (TensorType((), inputs[0].dtype),)

    def autograd(self, call: Call) -> Autograd:
        return Autograd((), (call.source,))

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        return (Elementwise(1, 1, {}, "there"),)


class Kept(dict[int, Any]):
    """What is kept for backward, of which nothing goes: retain_graph=True."""

    def pop(self, key: int, *default: Any) -> Any:
        return ()


class Row(NamedTuple):
    kernel: str
    provider: str
    mode: str
    gpu: str
    version: str
    x_name: str
    x: int
    settings: str
    mebibytes: float
    archcost: float

    @property
    def config(self) -> Config:
        return Config(self.x, self.mode, self.provider, json.loads(self.settings))


def rows() -> list[Row]:
    with ROWS.open() as file:
        return [Row(*row[:6], int(row[6]), row[7], float(row[8]), float(row[9])) for row in list(csv.reader(file))[1:]]


def peak(row: Row) -> float:
    """In MiB, as the benchmark would read it."""
    benchmark = KERNELS[row.kernel](row.config)
    spec = archcost.from_torch(benchmark.module, torch.zeros(1, device="meta"), unbatched=["start"])
    mode = "full" if row.kernel in ALWAYS_FULL else row.mode
    tape = played(spec, benchmark, mode)
    phases = {"forward": ("forward",), "backward": ("backward",)}.get(mode, ("forward", "backward"))
    beside = _rounded(benchmark.around) + benchmark.workspaces * workspace(row) - BLOCK  # the start of ours
    return (most(tape, benchmark, phases) + beside) / MIB


def workspace(row: Row) -> int:
    """Of cuBLAS in each thread: 8,519,680 bytes, on Hopper 32 MiB."""
    return 32 * MIB if "H100" in row.gpu else 8_519_680


def played(spec: archcost.ModelSpec, benchmark: Benchmark, mode: str) -> Tape:
    run = Run(precision=benchmark.precision, optimizer="none")
    ready = prepared(archcost.build(spec), run, "cuda")
    if benchmark.ends != "scalar":
        ready = _arriving(ready)
    player = Player(program(ready))
    if benchmark.retains:
        player._pending = Kept()  # pyright: ignore[reportPrivateUsage]
    if benchmark.accumulates and mode != "forward":
        player.keep_gradients()
    player.forward()
    player.backward()
    return player.tape


def _arriving(ready: RunGraph) -> RunGraph:
    nodes = [
        node._replace(layer=Arriving(), facts=node.facts._replace()) if node.layer.type == "(sum)" else node
        for node in ready.graph.nodes
    ]
    return replace(ready, graph=replace(ready.graph, nodes=tuple(nodes)))


def _rounded(nbytes: int) -> int:
    return -(-nbytes // BLOCK) * BLOCK


def most(tape: Tape, benchmark: Benchmark, phases: tuple[str, ...]) -> int:
    """The most bytes in these phases. Of the loss of ours there is nothing, and a caller holds the gradients."""
    sizes = [_rounded(held.nbytes) for held in tape.storages]
    given: list[int] = []
    for mark, events in by_mark(tape.marks, tape.events):
        if not mark.name.startswith("(") or benchmark.ends == "scalar":
            continue
        for event in events:
            if event >= 0:
                given += [event] if tape.storages[event].what == "gradient" and mark.phase == "backward" else []
                sizes[event] = 0 if tape.storages[event].tensor.rank == 0 else sizes[event]
    held = sum(sizes[each] for each in given)
    for each in given:
        sizes[each] = 0
    live = worst = 0
    for mark, events in by_mark(tape.marks, tape.events):
        beside = held if benchmark.ends == "made before" or mark.phase == "backward" else 0
        if mark.phase in phases:
            worst = max(worst, live + beside)
        for event in events:
            live += sizes[event] if event >= 0 else -sizes[~event]
            if mark.phase in phases:
                worst = max(worst, live + beside)
    return worst


class Compared(NamedTuple):
    row: Row
    ours: float

    @property
    def error(self) -> float:
        return self.ours / self.row.mebibytes - 1


def compared() -> list[Compared]:
    """By what the program wrote."""
    return [Compared(row, row.archcost) for row in rows() if row.kernel != LEFT_OUT]


def write() -> None:
    """Every row again, with ours."""
    found = [row._replace(archcost=round(peak(row), 6)) for row in rows()]
    with ROWS.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(Row._fields)
        writer.writerows(found)


def page() -> str:
    return "\n".join(_page(compared())) + "\n"


def _page(found: list[Compared]) -> Iterator[str]:
    errors = [abs(each.error) for each in found]
    within = sum(error < 0.02 for error in errors)
    exact = sum(error < 1e-5 for error in errors)
    yield "# Single operators beside Liger-Kernel's benchmark\n"
    yield (
        "Liger-Kernel publishes what its fused kernels and eager torch take of a GPU's memory, operator by operator: "
        "`torch.cuda.max_memory_allocated` over one of several calls, with gradients of the calls before, and with "
        "`retain_graph=True`, so that backward lets go of nothing. Made by `python -m tests.large_programs.liger`, "
        "which writes each eager operator again in torch, imports it on meta tensors and plays the same call. Sizes "
        "are rounded as torch's allocator rounds them, and cuBLAS has a workspace in each of the two threads.\n"
    )
    yield (
        f"Of {len(found)} rows {exact} are exact to five digits, {within} within 2 %; the worst is off by "
        f"{max(errors):.1%}.\n".replace("%.", " %.")
    )
    yield "| operator | GPU | rows | largest, measured | archcost | median error | worst |"
    yield "|---|---|---|---|---|---|---|"
    kinds = dict.fromkeys((each.row.kernel, each.row.mode, each.row.gpu) for each in found)
    for kernel, mode, gpu in kinds:
        some = [each for each in found if (each.row.kernel, each.row.mode, each.row.gpu) == (kernel, mode, gpu)]
        largest = max(some, key=lambda each: each.row.mebibytes)
        off = [each.error for each in some]
        figures = f"{largest.row.mebibytes:,.2f} MiB | {largest.ours:,.2f} MiB"
        told = [_percent(median(off)), _percent(max(off, key=abs))]
        yield f"| {kernel}, {mode} | {gpu} | {len(some)} | {figures} | {' | '.join(told)} |"
    yield ""
    yield (
        "What is off: `relu_squared` of 128 values of 2 bytes, where two temporaries are one block of 512 bytes for us "
        "and two for torch; `group_norm` by 57 KB for 32 channels, which its kernel allocates for itself; short "
        "sequences of `fused_neighborhood_attention` by pieces of the mask, which is made value by value. Left out are "
        "16 rows of `embedding`: they hold 12 to 14 GiB that its two tables, gradient and output are not, the same for "
        "all sizes of the table from 16,384 on, between which they differ by what archcost says to the byte.\n"
    )
    yield (
        "What these rows have taught: on CUDA softmax's backward makes a product as large as its output first, and the "
        "backward of a layer norm or of an RMS norm copies a gradient that is one value spread out."
    )


def _percent(error: float) -> str:
    return f"{error:+.2%}".replace("%", " %").replace("-", "−") if abs(error) >= 5e-5 else "0"


def main() -> int:
    write()
    PAGE.write_text(page())
    sys.stdout.write(PAGE.read_text())
    return 0


if __name__ == "__main__":
    sys.exit(main())
