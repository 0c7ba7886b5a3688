"""What was found, a line a model, in a file for each collection, after a line about the collection and its run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.collections.finding import Finding

FOLDER = Path(__file__).parent / "findings"


@dataclass(frozen=True)
class Log:
    """`models` of the collection, some of which may not have been run; `versions` of the libraries in the last run, and
    the `source` that it was run on, which single findings name too.
    """

    models: int
    findings: tuple[Finding, ...]
    versions: Mapping[str, str] = field(default_factory=dict[str, str])
    source: str = ""


def read(collection: str) -> Log:
    path = FOLDER / f"{collection}.jsonl"
    if not path.is_file():
        return Log(0, ())
    head, *lines = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return Log(
        head["models"], tuple(Finding(**line) for line in lines), head.get("versions", {}), head.get("source", "")
    )


def write(collection: str, log: Log) -> None:
    FOLDER.mkdir(exist_ok=True)
    rows = [_shown(each) for each in sorted(log.findings, key=lambda each: each.name)]
    head = {"models": log.models, "versions": dict(log.versions), "source": log.source}
    lines = [json.dumps(row) for row in (head, *rows)]
    (FOLDER / f"{collection}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _shown(finding: Finding) -> dict[str, object]:
    """Without what there is nothing to say of."""
    return {key: value for key, value in asdict(finding).items() if value not in ("", (), [], {}, 0)}
