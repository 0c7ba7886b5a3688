"""What a lint says: which rule, where, what is found, why it is odd, and what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from archcost.errors import Place
from archcost.files.result import Result
from archcost.lints.reading import Reading


class Odd(NamedTuple):
    """What a rule finds at a layer or an input of the network."""

    name: str
    found: str
    hint: str


@dataclass(frozen=True, slots=True)
class Rule:
    """What is certainly odd in a network, though nothing forbids it."""

    name: str
    problem: str
    why: str
    look: Callable[[Reading], Iterator[Odd]]


@dataclass(frozen=True, slots=True)
class Lint:
    """One finding. `alike` are the other layers of which the same entry of the spec is the reason."""

    rule: str
    layer: str
    problem: str
    found: str
    why: str
    hint: str
    place: Place | None
    alike: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        return {
            "rule": self.rule,
            "layer": self.layer,
            "place": str(self.place) if self.place else None,
            "problem": self.problem,
            "found": self.found,
            "why": self.why,
            "try": self.hint,
            "alike": list(self.alike),
        }


@dataclass(frozen=True, repr=False)
class Lints(Result):
    """All findings in a network, in order of its layers."""

    network: str
    batch: int
    lints: tuple[Lint, ...]

    @property
    def headline(self) -> str:
        return f"{self.network}: {counted(len(self.lints))}"

    @property
    def exit_code(self) -> int:
        """Of the command: 1 where there is anything."""
        return 1 if self.lints else 0

    def to_dict(self) -> dict[str, Any]:
        return {
            "schema": "archcost.lint/1",
            "network": self.network,
            "batch": self.batch,
            "lints": [lint.to_dict() for lint in self.lints],
        }


def counted(number: int) -> str:
    return "nothing odd" if number == 0 else f"{number:,} lint{'s' if number > 1 else ''}"
