"""docs/onnx_node_tests.md, from what the last run of `node_tests` found."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable

from tests.documents import ROOT
from tests.onnx_programs.node_tests import FAILED, READ, REFUSED, RESULTS, UNKNOWN, WRONG, Finding

PAGE = ROOT / "docs" / "onnx_node_tests.md"

STATES = (READ, UNKNOWN, REFUSED, WRONG, FAILED)


HEAD = """# ONNX's node tests

Written by `python -m tests.onnx_programs.node_tests` (`make onnx-node-tests`). It reads the tests of single operators
that onnx has for backends, each as a file of its own, and the expansions of those that are functions.

*As they are*, every tensor is an input of the network. *With weights*, those are initializers that a network holds:
weights by their role, and settings such as a shape, axes or a scale. Where the numbers in the file allow no other
batch, its inputs are said to be without one. The shapes that are told are compared with the test's own results:
*another shape* would be a wrong answer, *internal error* a traceback. An operator is *unknown* where its shapes are
told and its cost is not.

*Standard* are operators of ONNX's own domain with at least one floating or quantised tensor (8, 4 or 2 bits)."""


def results() -> list[Finding]:
    with RESULTS.open(newline="", encoding="utf-8") as stream:
        _, *rows = csv.reader(stream)
    return [Finding(*row) for row in rows]


def page() -> str:
    found = results()
    standard = [each for each in found if not each.outside]
    lines = [
        *HEAD.splitlines(),
        "",
        f"| | tests | {' | '.join(STATES)} | read |",
        f"|---|--:|{'--:|' * len(STATES)}--:|",
    ]
    for name, rows in (("all", found), ("standard", standard)):
        for way, key in WAYS.items():
            lines.append(_summary(f"{name}, {way}", [key(each) for each in rows]))
    for title, rows in _parts(found):
        lines += [
            "",
            f"## {title}",
            "",
            "| operator | tests | as they are | with weights | why not |",
            "|---|--:|---|---|---|",
        ]
        lines += [_line(operator, each) for operator, each in sorted(_by_operator(rows).items())]
    return "\n".join(lines) + "\n"


WAYS: dict[str, Callable[[Finding], str]] = {
    "as they are": lambda each: each.as_is,
    "with weights": lambda each: each.with_weights,
}


def _summary(name: str, states: list[str]) -> str:
    counts = Counter(states)
    share = f"{counts[READ] / len(states):.1%}"
    return f"| {name} | {len(states):,} | {' | '.join(f'{counts[state]:,}' for state in STATES)} | {share} |"


def _parts(found: list[Finding]) -> Iterable[tuple[str, list[Finding]]]:
    yield "Standard operators", [each for each in found if not each.outside]
    for reason in sorted({each.outside for each in found if each.outside}):
        yield reason[0].upper() + reason[1:], [each for each in found if each.outside == reason]


def _by_operator(rows: list[Finding]) -> dict[str, list[Finding]]:
    grouped: dict[str, list[Finding]] = defaultdict(list)
    for each in rows:
        grouped[each.operator].append(each)
    return grouped


def _line(operator: str, rows: list[Finding]) -> str:
    why = Counter(each.why for each in rows if each.with_weights != READ)
    told = "; ".join(text.replace("|", "/") for text, _ in why.most_common(2))
    cells = [operator, str(len(rows)), *(_states(map(key, rows)) for key in WAYS.values()), told]
    return f"| {' | '.join(cells)} |"


def _states(states: Iterable[str]) -> str:
    counts = Counter(states)
    return ", ".join(f"{counts[state]} {state}" for state in STATES if counts[state])
