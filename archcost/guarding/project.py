"""What a project's file says, read whole: how its networks are run, what they may cost, which tables are kept."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path as FilePath

from archcost.errors import SpecError
from archcost.files.values import as_list, spell
from archcost.guarding.budgets import Budget, read_budgets
from archcost.guarding.config_file import ConfigFile
from archcost.guarding.defaults import read_defaults
from archcost.guarding.settings import Settings


@dataclass(frozen=True, slots=True)
class Project:
    file: ConfigFile
    settings: Settings
    budgets: tuple[Budget, ...]
    locks: tuple[FilePath, ...]


def read_project(path: FilePath) -> Project:
    """Raises SpecError at the place of what cannot be read."""
    file, settings = read_defaults(path)
    return Project(file, settings, read_budgets(file, settings), _locks(file))


def _locks(file: ConfigFile) -> tuple[FilePath, ...]:
    """The files of `locks`, whose names may have a `*`; each has to be there."""
    told = file.tree.get("locks", ())
    entries = as_list(told)
    found: dict[FilePath, None] = {}
    for number, pattern in enumerate((told,) if entries is None else entries):
        place = file.place(("locks", number) if entries is not None else ("locks",))
        is_text = isinstance(pattern, str) and pattern and not FilePath(pattern).is_absolute()
        if not is_text:
            expected = "a file from the folder of this one, or *.lock"
            raise SpecError("locks names no file", expected=expected, found=spell(pattern), place=place)
        matches = sorted(file.folder.glob(pattern))
        if not matches:
            raise SpecError("no such lock", expected="a file that is there", found=spell(pattern), place=place)
        found |= dict.fromkeys(matches)
    return tuple(found)
