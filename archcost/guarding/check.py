"""`check`: the budgets of a file and the tables of locks, each network by itself, whatever is wrong with another."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path as FilePath
from typing import Any

from archcost.comparison import locks
from archcost.comparison.locks import Outcome, Section
from archcost.comparison.recipe import Recipe
from archcost.errors import ArchcostError, Place
from archcost.files.parse import SUFFIXES, read_text
from archcost.files.result import Result
from archcost.files.stage import tell_stage
from archcost.guarding.config_file import chosen
from archcost.guarding.findings import Finding, findings, spec_of
from archcost.guarding.project import Project, read_project
from archcost.spec import ModelSpec

CONFIGS = (".toml", *SUFFIXES)


@dataclass(frozen=True, slots=True)
class LockOutcome:
    """A table of a lock, what has changed since, and whether it was written anew."""

    file: str
    outcome: Outcome
    updated: bool = False

    @property
    def network(self) -> str:
        return self.outcome.section.recipe.network

    @property
    def place(self) -> Place | None:
        return self.outcome.section.place

    @property
    def ok(self) -> bool:
        return self.updated or not self.outcome.changes

    def to_dict(self) -> dict[str, Any]:
        return {
            "file": self.file,
            "line": self.place.line if self.place else None,
            "network": self.network,
            "recipe": str(self.outcome.section.recipe),
            "layers": len(self.outcome.section.layers),
            "changes": list(self.outcome.changes),
            "status": "updated" if self.updated else "changed" if self.outcome.changes else "held",
        }


@dataclass(frozen=True, slots=True)
class Failure:
    """A network that could not be looked at, and why."""

    network: str
    of: str
    """`budget` or `lock`."""
    message: str
    place: Place | None

    def to_dict(self) -> dict[str, Any]:
        where = {"file": self.place.file, "line": self.place.line} if self.place else {"file": None, "line": None}
        return {"network": self.network, "of": self.of, "message": self.message, **where}


@dataclass(frozen=True, repr=False)
class Guarded(Result):
    """All that was checked. `exit_code` is 2 where a network could not be looked at, 1 where something is not held."""

    files: tuple[str, ...]
    findings: tuple[Finding, ...] = ()
    locks: tuple[LockOutcome, ...] = ()
    failures: tuple[Failure, ...] = ()
    updates: bool = False
    """Whether locks were to be written anew."""

    @property
    def broken(self) -> tuple[Finding, ...]:
        """Budgets that are exceeded, and those of which nobody knows whether they are."""
        return tuple([finding for finding in self.findings if finding.status != "held"])

    @property
    def ok(self) -> bool:
        return not self.failures and not self.broken and all(lock.ok for lock in self.locks)

    @property
    def exit_code(self) -> int:
        return 2 if self.failures else 0 if self.ok else 1

    @property
    def headline(self) -> str:
        changed = sum(not lock.ok for lock in self.locks)
        budgets = f"{len(self.broken):,} of {len(self.findings):,} budgets not held"
        return f"{budgets}, {changed:,} of {len(self.locks):,} locked networks changed"

    def to_dict(self) -> dict[str, Any]:
        return {
            "schema": "archcost.check/1",
            "ok": self.ok,
            "files": list(self.files),
            "budgets": [finding.to_dict() for finding in self.findings],
            "locks": [lock.to_dict() for lock in self.locks],
            "errors": [failure.to_dict() for failure in self.failures],
        }


def check(files: str | FilePath | Sequence[str | FilePath] = (), update: bool = False) -> Guarded:
    """Every budget and every table of these files, each a lock or a file of budgets; without one, the project's.

    A network that cannot be loaded is told beside the others. `update` writes tables anew that have changed, all of a
    file or none. Budgets are never written: what a network may cost is for people to say. Raises ArchcostError where
    a file cannot be read, or there is nothing to check.
    """
    files = [files] if isinstance(files, (str, FilePath)) else files
    tables: dict[FilePath, None] = {}
    projects: list[Project] = []
    for path in dict.fromkeys(map(FilePath, files)) if files else [_project_file()]:
        if _is_lock(path):
            tables[path] = None
            continue
        projects.append(read_project(path))
        tables |= dict.fromkeys(projects[-1].locks)
    sections = {path: locks.read(path) for path in tables}  # all files are read before any network is
    _require_something(projects, sections)
    found: list[Finding] = []
    failures: list[Failure] = []
    for project in projects:
        _hold(project, found, failures)
    outcomes = [each for path in sections for each in _compared(path, sections[path], update, failures)]
    named = (*(str(project.file.path) for project in projects), *map(str, sections))
    return Guarded(named, tuple(found), tuple(outcomes), tuple(failures), update)


def _project_file() -> FilePath:
    path = chosen()
    if path is None:
        raise ArchcostError(
            "nothing to check",
            expected="budgets in [tool.archcost] of pyproject.toml or in archcost.yaml, or a lock",
            found="neither here nor above, up to the root of the repository",
            hint="archcost check FILE, or archcost lock NETWORK -o FILE",
        )
    return path


def _is_lock(path: FilePath) -> bool:
    """By its suffix, and a file that has the suffix of a configuration by its first line."""
    return path.suffix not in CONFIGS or (path.is_file() and read_text(path).startswith(locks.HEADER))


def _require_something(projects: Sequence[Project], sections: Iterable[FilePath]) -> None:
    if any(project.budgets for project in projects) or any(True for _ in sections):
        return
    file = projects[0].file
    raise ArchcostError(
        "nothing to check",
        expected="budgets, or locks",
        found=", ".join(file.tree) or "neither",
        hint="[[tool.archcost.budgets]] with a network and what it may cost",
    ).at(place=file.place(()))


def _hold(project: Project, found: list[Finding], failures: list[Failure]) -> None:
    loaded: dict[Recipe, ModelSpec] = {}  # the same network may stand in many budgets
    for budget in project.budgets:
        tell_stage(budget.recipe.network)
        recipe, folder = replace(budget.recipe, batch=1), project.file.folder
        try:
            if recipe not in loaded:
                loaded[recipe] = spec_of(budget, folder)
            found += findings(budget, loaded[recipe])
        except ArchcostError as error:
            failed = Failure(budget.recipe.network, "budget", str(error), budget.place)
            failures += [failed] * (failed not in failures)


def _compared(path: FilePath, sections: Sequence[Section], update: bool, failures: list[Failure]) -> list[LockOutcome]:
    outcomes: list[Outcome] = []
    renewed: list[Section] = []
    missing = len(failures)
    for locked in sections:
        tell_stage(locked.recipe.network)
        try:
            now = locks.recount(locked, path)
        except ArchcostError as error:
            failures.append(Failure(locked.recipe.network, "lock", str(error), locked.place))
            continue
        changes = locks.changes(locked, now)
        outcomes.append(Outcome(locked, changes))
        renewed += [now] * bool(changes)
    writes = update and bool(renewed) and len(failures) == missing
    if writes:
        locks.write_sections(renewed, path)
    return [LockOutcome(str(path), each, writes and bool(each.changes)) for each in outcomes]
