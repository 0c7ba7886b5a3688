"""Where a spec was read from: the place of each part of it in its file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from archcost.errors import Place
from archcost.files.values import Mark, Path


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """The file of a spec and the place of each part in it, for messages. It does not count when specs are compared."""

    file: str
    marks: Mapping[Path, Mark] = field(default_factory=dict[Path, Mark])

    def place(self, path: Path) -> Place | None:
        """The nearest known place at or above a path into the spec."""
        if path[:2] == ("inputs", "input") and ("input",) in self.marks:  # the short way to write one input
            path = ("input", *path[2:])
        for length in range(len(path), -1, -1):
            if path[:length] in self.marks:
                return Place(*self.marks[path[:length]])
        return None

    def exactly(self, path: Path) -> Place | None:
        """The place of what may stand elsewhere: on a command line, in Python."""
        return self.place(path) if path in self.marks else None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Source)

    def __hash__(self) -> int:
        return 0
