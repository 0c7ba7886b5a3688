"""What was found, a line a model, in a file for each collection, after a line that says how many models it has."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.collections.finding import Finding

FOLDER = Path(__file__).parent / "findings"


@dataclass(frozen=True)
class Log:
    """`models` of the collection, some of which may not have been run."""

    models: int
    findings: tuple[Finding, ...]


def read(collection: str) -> Log:
    path = FOLDER / f"{collection}.jsonl"
    if not path.is_file():
        return Log(0, ())
    head, *lines = path.read_text(encoding="utf-8").splitlines()
    return Log(json.loads(head)["models"], tuple(Finding(**json.loads(line)) for line in lines))


def write(collection: str, models: int, findings: Iterable[Finding]) -> None:
    FOLDER.mkdir(exist_ok=True)
    rows = [asdict(each) for each in sorted(findings, key=lambda each: each.name)]
    lines = [json.dumps(row) for row in ({"models": models}, *rows)]
    (FOLDER / f"{collection}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
