"""Whatever stands in a profile, the answer is a profile or a message with a place, never a traceback."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from archcost import hardware
from archcost.errors import ArchcostError
from archcost.files.parse import parse

EXAMPLE = Path(__file__).parent / "example.yaml"
TREE, MARKS = parse(EXAMPLE.read_text(encoding="utf-8"), EXAMPLE.name)
PATHS = [path for path in MARKS if path]

JUNK: list[Any] = [
    None, True, -1, 0, 10**99, 1.5, "", "x", "x" * 9_000, "1 B", "1 GiB", "-1 GiB", "0 W", "9" * 50 + " B", "٣ W",
    [], [1], [[]], {}, {"value": 1}, {"": ""},
]  # fmt: skip


def mutants() -> Iterator[tuple[str, Any]]:
    for path in PATHS:
        for junk in JUNK:
            tree = copy.deepcopy(TREE)
            holder = tree
            for step in path[:-1]:
                holder = holder[step]
            holder[path[-1]] = junk
            yield f"{path} = {str(junk)[:20]}", tree
        tree = copy.deepcopy(TREE)
        holder = tree
        for step in path[:-1]:
            holder = holder[step]
        del holder[path[-1]]
        yield f"{path} deleted", tree


def refusal(file: Path, what: str) -> ArchcostError | None:
    try:
        hardware.load(file)
    except ArchcostError as error:
        return error
    except Exception as error:
        pytest.fail(f"{what}: {type(error).__name__}: {error}")
    return None


def test_junk_anywhere(tmp_path: Path):
    file = tmp_path / "junk.json"
    accepted: list[str] = []
    refused = 0
    for what, tree in mutants():
        file.write_text(json.dumps(tree))
        error = refusal(file, what)
        if error is None:
            accepted.append(what)
            continue
        refused += 1
        assert error.place is not None, what
        assert error.place.file == str(file), what
        assert len(str(error)) < 1_500, what
    assert refused > 9 * len(accepted)  # some are fine: an optional figure left out, a title of one letter
