"""Run over collections, several models at a time, and write the page."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path

from tests.collections.compare import Finding
from tests.collections.run import COLLECTIONS, run, subjects

LOG = Path(__file__).parent / "findings.jsonl"


def main() -> None:
    options = argparse.ArgumentParser(prog="python -m tests.collections")
    options.add_argument("collections", nargs="*", choices=[*COLLECTIONS, []], default=COLLECTIONS)
    options.add_argument("--only", nargs="*", default=[], help="names; nothing is written")
    options.add_argument("--every", type=int, default=1, help="each N-th model; nothing is written")
    options.add_argument("--workers", type=int, default=2)
    chosen = options.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    found: dict[str, list[Finding]] = {}
    for collection in chosen.collections:
        names = [each.name for each in subjects(collection)][:: chosen.every]
        tasks = [(collection, name) for name in names if not chosen.only or name in chosen.only]
        context = get_context("spawn")
        with ProcessPoolExecutor(chosen.workers, context, max_tasks_per_child=100) as pool:
            for finding in pool.map(run, tasks):
                found.setdefault(collection, []).append(finding)
                if finding.status != "equal":
                    print(collection, told(finding), flush=True)
        counts: dict[str, int] = {}
        for finding in found.get(collection, []):
            counts[finding.status] = counts.get(finding.status, 0) + 1
        print(collection, counts, file=sys.stderr)
    if not chosen.only and chosen.every == 1:
        lines = [json.dumps({"collection": name, **asdict(each)}) for name, each in _flat(found)]
        LOG.write_text("\n".join(lines) + "\n")


def _flat(found: dict[str, list[Finding]]) -> Iterator[tuple[str, Finding]]:
    for name, findings in found.items():
        yield from ((name, each) for each in findings)


def told(finding: Finding) -> str:
    parts = [f"{key} {ours:,} / {theirs:,}" for key, (ours, theirs) in finding.parts.items() if ours != theirs]
    return f"{finding.name}: {finding.status} {finding.why} {'; '.join(parts)} {' '.join(finding.unknown)}"


if __name__ == "__main__":
    main()
