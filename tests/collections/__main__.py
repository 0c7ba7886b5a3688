"""Run over collections, several models at a time, and write what was found beside this file."""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from tests.collections.finding import Finding
from tests.collections.log import Log, read, write
from tests.collections.run import COLLECTIONS, collection, run
from tests.collections.source import source, versions

AT_ONCE = 30
"""Models between two saves, each time by new processes, as libraries remember what they made."""


def main() -> None:
    options = argparse.ArgumentParser(prog="python -m tests.collections")
    options.add_argument("collections", nargs="*", default=COLLECTIONS)
    options.add_argument("--only", nargs="*", default=[], metavar="NAME", help="these alone, and nothing is written")
    options.add_argument(
        "--again", action="store_true", help="those alone that were not equal the last time, or not run"
    )
    options.add_argument(
        "--every", type=int, metavar="N", help="each N-th model alone; of the others stays what was found before"
    )
    options.add_argument("--workers", type=int, default=2)
    chosen = options.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    for name in chosen.collections:
        known = {each.name: each for each in read(name).findings} if chosen.again or chosen.every else {}
        done = {each.name for each in known.values() if each.status == "equal" and not chosen.every}
        models = collection(name).names()
        tasks = [(name, model) for model in models[:: chosen.every] if model not in done]
        tasks = [task for task in tasks if not chosen.only or task[1] in chosen.only]
        for begin in range(0, len(tasks), AT_ONCE):
            with ProcessPoolExecutor(chosen.workers, get_context("spawn")) as pool:
                for finding in pool.map(run, tasks[begin : begin + AT_ONCE]):
                    known[finding.name] = finding
                    if finding.status != "equal" or chosen.only:
                        print(name, told(finding), flush=True)
            if not chosen.only:
                write(name, Log(len(models), tuple(known.values()), versions(name), source()))
        print(name, dict(Counter(each.status for each in known.values())), file=sys.stderr)


def told(finding: Finding) -> str:
    parts = [f"{key} {ours:,} / {theirs:,}" for key, (ours, theirs) in finding.parts.items() if ours != theirs]
    peaks = [f"{precision} {finding.error(precision):+.3%}" for precision in finding.peaks]
    others = [f"{precision}: {said}" for precision, said in {**finding.not_run, **finding.refused}.items()]
    words = (
        finding.name,
        finding.status,
        finding.why,
        *parts,
        *finding.opaque,
        *peaks,
        *others,
        f"{finding.seconds} s",
    )
    return "; ".join(word for word in words if word)


if __name__ == "__main__":
    main()
