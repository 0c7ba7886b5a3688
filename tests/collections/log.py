"""What was found, a line a model, in a file for each collection."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from tests.collections.compare import Finding

FOLDER = Path(__file__).parent / "findings"


def read(collection: str) -> list[Finding]:
    path = FOLDER / f"{collection}.jsonl"
    lines = path.read_text().splitlines() if path.is_file() else []
    return [Finding(**json.loads(line)) for line in lines]


def write(collection: str, findings: Iterable[Finding]) -> None:
    FOLDER.mkdir(exist_ok=True)
    rows = sorted(findings, key=lambda each: each.name)
    (FOLDER / f"{collection}.jsonl").write_text("".join(f"{json.dumps(asdict(each))}\n" for each in rows))
