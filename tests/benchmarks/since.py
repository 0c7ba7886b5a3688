"""The same work by today's code and by that of an earlier commit, one after the other in one run.

`make bench` writes the table; `python -m tests.benchmarks.since` prints it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
COMMIT = "b3d2680"
"""Before the house was built anew."""

LENGTHS = (5_000, 50_000)
CHAIN = "{{name: chain, input: [7], layers: [{{repeat: {}, layers: [{{type: linear, out_features: 7}}]}}]}}"
DEVICE = ("--hardware", "nvidia-t4")

IN_PROCESS = """
import gc, json, time
import archcost
{prepare}
gc.disable()
seconds = []
for _ in range({rounds}):
    {again}
    began = time.process_time()
    {work}
    seconds.append(time.process_time() - began)
    gc.collect()
print(json.dumps(sorted(seconds)[len(seconds) // 2]))
"""
LOAD = "spec = archcost.load('{}')"
ESTIMATE = "e = archcost.estimate(spec, 32, hardware='nvidia-rtx-3090'); e.max_batch, e.time"
TIMELINE = "archcost.timeline(archcost.build(spec, 8), archcost.Run(), 'cuda').peak"
COUNTED = """
import torch
from torch.utils.flop_counter import FlopCounterMode
module = archcost.pytorch.build(archcost.load('densenet121'), device='meta').eval()
image = torch.empty(1, 3, 224, 224, device='meta')
def count():
    with FlopCounterMode(display=False):
        module(image)
"""
TRACKED = """
from tests.benchmarks.test_memory_speed import mem_tracker
track = mem_tracker()
"""


class Spent(NamedTuple):
    """CPU seconds, of the process and of its children in the system's calls too, and its largest memory in bytes."""

    seconds: float
    nbytes: int


class Row(NamedTuple):
    """`target` is what was aimed at; `old` is missing where nothing of ours is measured."""

    what: str
    target: str
    old: Spent | None
    new: Spent

    def times(self) -> float:
        assert self.old is not None
        return self.old.seconds / self.new.seconds


@contextmanager
def earlier() -> Generator[Path]:
    """The files of that commit, in a folder of their own."""
    if subprocess.run(["git", "-C", ROOT, "cat-file", "-e", f"{COMMIT}^{{commit}}"], check=False).returncode:
        sys.exit(f"{COMMIT} is not in this clone, which is needed to compare with: git fetch --unshallow")
    with tempfile.TemporaryDirectory() as folder:
        archive = subprocess.run(["git", "-C", ROOT, "archive", COMMIT], check=True, stdout=subprocess.PIPE).stdout
        subprocess.run(["tar", "-x", "-C", folder], check=True, input=archive)
        yield Path(folder)


def spent(tree: Path, code: str, arguments: Sequence[str] = ()) -> tuple[Spent, str]:
    """By a Python of its own that has the package from that tree, its modules compiled as pip leaves them."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    environment |= {"PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "ignore", "-c", code, *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, cwd=tree)
    assert process.stdout is not None
    assert process.stderr is not None
    said = process.stdout.read().decode()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 1):  # 1: it does not fit
        sys.exit(f"{' '.join(command)}\n{process.stderr.read().decode()}")
    return Spent(used.ru_utime + used.ru_stime, used.ru_maxrss * 1024), said


def command(tree: Path, *arguments: str) -> Spent:
    return spent(tree, "import sys; from archcost.cli import main; sys.exit(main())", arguments)[0]


def inside(tree: Path, work: str, prepare: str = "", again: str = "pass", rounds: int = 15) -> Spent:
    """The median of rounds in one process that has loaded everything."""
    code = IN_PROCESS.format(prepare=f"{prepare}\n{again}\n{work}", again=again, work=work, rounds=rounds)
    used, said = spent(tree, code)
    return used._replace(seconds=float(json.loads(said.splitlines()[-1])))


def both(old: Path, measure: object, *arguments: object, rounds: int = 3, **more: object) -> tuple[Spent, Spent]:
    """Alternating, the median of the rounds of each."""
    assert callable(measure)
    found: dict[Path, list[Spent]] = {old: [], ROOT: []}
    for _ in range(rounds):
        for tree, seen in found.items():
            seen.append(measure(tree, *arguments, **more))
    medians = [Spent(median(e.seconds for e in seen), max(e.nbytes for e in seen)) for seen in found.values()]
    return medians[0], medians[1]


def rows(old: Path) -> Iterator[Row]:
    """One a target, each yielded as soon as it is measured."""
    bare = "import pydantic, networkx, yaml"
    spent(ROOT, bare)
    yield Row(bare, "", None, min(spent(ROOT, bare)[0] for _ in range(5)))
    for tree in (old, ROOT):
        command(tree, "list")  # compiles
    yield Row("archcost summary vgg_d", "1.25 × the imports, 45 MiB", *both(old, command, "summary", "vgg_d", rounds=7))
    yield Row("archcost list", "3 ×", *both(old, command, "list", rounds=5))
    resnet50 = LOAD.format("resnet50")
    yield Row("estimate of resnet50, in process", "3 ×", *both(old, inside, ESTIMATE, prepare=resnet50))
    timeline = Row("timeline of resnet50, in process", "3 ×", *both(old, inside, TIMELINE, prepare=resnet50))
    yield timeline
    tracked = inside(ROOT, "track()", TRACKED, rounds=3)
    yield Row("the same by MemTracker, two steps", "700 × the timeline", None, tracked)
    again = "fresh = spec.model_copy()"
    first = both(old, inside, "archcost.cost(archcost.build(fresh))", prepare=LOAD.format("densenet121"), again=again)
    yield Row("first build and cost of densenet121, in process", "", *first)
    counted = inside(ROOT, "count()", COUNTED)
    yield Row("the same by FlopCounterMode, forward", "40 × the build", None, counted)
    fit = both(old, command, "fit", "llama2_70b", *DEVICE, rounds=2)
    yield Row("archcost fit llama2_70b on 16 GB", "15 ×, 150 MB", *fit)
    auto = ("estimate", "densenet201", "--recompute", "auto", "--batch", "128", *DEVICE)
    yield Row("archcost estimate densenet201 --recompute auto, batch 128 on 16 GB", "7 ×", *both(old, command, *auto))
    for length in LENGTHS:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "chain.yaml"
            file.write_text(CHAIN.format(length))
            chain = both(old, command, "estimate", str(file), *DEVICE, rounds=1)
        yield Row(f"archcost estimate of a chain of {length:,} layers", "10 ×, linear", *chain)


def table(measured: Sequence[Row]) -> list[str]:
    """In Markdown. What is not ours is compared with what is, old and new."""
    lines = ["| what | target | before | now | times |", "|---|---|--:|--:|--:|"]
    named: Mapping[str, Row] = {row.what: row for row in measured}
    for row in measured:
        now = f"{_seconds(row.new)}, {row.new.nbytes / 2**20:,.0f} MiB"
        if row.old is None:
            ours = named.get(COMPARED.get(row.what, ""))
            than = [row.new.seconds / each.seconds for each in (ours.old, ours.new) if each] if ours else []
            beside = " → ".join(f"{each:,.0f} ×" for each in than)
            lines.append(f"| {row.what} | {row.target} | | {now} | {beside} |")
        else:
            before = f"{_seconds(row.old)}, {row.old.nbytes / 2**20:,.0f} MiB"
            lines.append(f"| {row.what} | {row.target} | {before} | {now} | {row.times():,.1f} × |")
    return lines


COMPARED = {
    "the same by MemTracker, two steps": "timeline of resnet50, in process",
    "the same by FlopCounterMode, forward": "first build and cost of densenet121, in process",
}


def _seconds(each: Spent) -> str:
    return f"{each.seconds:,.2f} s" if each.seconds >= 1 else f"{each.seconds * 1e3:,.1f} ms"


def section() -> list[str]:
    with earlier() as old:
        return [
            f"## Beside the state at {COMMIT}",
            "",
            "The code of that commit and today's, alternating in one run on one machine: CPU seconds of a whole",
            "process, or where it says so of the work alone in one that has loaded everything, and the process's",
            "largest memory.",
            "",
            *table(list(rows(old))),
        ]


if __name__ == "__main__":
    print("\n".join(section()))
