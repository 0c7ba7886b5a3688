"""Guarding tables: the layers of networks as reviewable text, and what has changed since it was written.

A file has a section for each network: a line that says how to load it, and a table. Layers without weights
and operations are listed too, since their shapes are part of the network. Behind a type stands what else of a layer
decides about training and memory: `conv2d, frozen`, `relu, in place`.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from archcost.comparison.align import LayerFacts
from archcost.comparison.compare import LayerRow, align
from archcost.comparison.recipe import Recipe, args_text
from archcost.costs import ModelCost
from archcost.costs.model import LayerCost
from archcost.errors import ArchcostError, Place, SpecError, shorten
from archcost.files.parse import read_text
from archcost.files.write import exclusively, first_bytes, foreign_file, lines_in, write_whole
from archcost.spec.changes import Changes
from archcost.spec.given import Network, no_network
from archcost.tensors import format_shape
from archcost.units import count, lower_bound

HEADER = "# Layers of networks, written by `archcost lock` and compared by `archcost check`.\n"
COLUMNS = ("layer", "type, state", "output shape", "parameters", "MACs")
STATELESS = (COLUMNS[0], "type", *COLUMNS[2:])
"""Of sections written before locks held states."""

STATES = ("frozen", "in place")
TOTAL = "total"
_NUMBER = re.compile(r"[0-9]{1,3}(,[0-9]{3}){0,30}")
_UNKNOWN = count(None)
_SHAPE = re.compile(r"\(\)|[0-9]{1,20}(×[0-9]{1,20})*")


Layers = tuple[tuple[str, LayerFacts], ...]


@dataclass(frozen=True, slots=True)
class Section:
    """A network as it was when the file was written."""

    recipe: Recipe
    layers: Layers
    states: Mapping[str, str] | None = None
    """By layer that has one, its state; None where the file holds none."""
    place: Place | None = None


def section(recipe: Recipe, found: ModelCost) -> Section:
    layers = tuple((layer.name, LayerFacts.of(layer)) for layer in found.layers)
    states = {layer.name: state for layer in found.layers if (state := _state(layer))}
    return Section(recipe, layers, states)


def _state(layer: LayerCost) -> str:
    is_frozen = layer.parameters > layer.trainable_parameters
    found = zip(STATES, (is_frozen, getattr(layer.node.layer, "inplace", False)), strict=True)
    return ", ".join([state for state, holds in found if holds])


def write(sections: Iterable[Section]) -> str:
    """The file's text; the same networks always give the same bytes."""
    return HEADER + "".join(f"\n{_section_text(section)}" for section in sections)


def _section_text(section: Section) -> str:
    states = section.states
    rows = [
        (name, _typed(facts.type, (states or {}).get(name)), _shapes(facts), count(facts.parameters), count(facts.macs))
        for name, facts in section.layers
    ]
    table = [STATELESS if states is None else COLUMNS, *rows, (TOTAL, "", "", *totals(section.layers))]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = [_line(row, widths) for row in table]
    if len(str(section.recipe).splitlines()) > 1:
        raise SpecError("a lock holds its options on one line", expected="no line break", found=shorten(section.recipe))
    rule = "-+-".join("-" * width for width in widths)
    return "\n".join([str(section.recipe), lines[0], rule, *lines[1:-1], rule, lines[-1], ""])


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    texts = [cell.ljust(width) for cell, width in zip(row[:3], widths, strict=False)]
    numbers = [cell.rjust(width) for cell, width in zip(row[3:], widths[3:], strict=True)]
    return " | ".join((*texts, *numbers))


def _typed(type_: str, state: str | None) -> str:
    return f"{type_}, {state}" if state else type_


def _shapes(facts: LayerFacts) -> str:
    return ", ".join(map(format_shape, facts.output_shapes))


def totals(layers: Layers) -> tuple[str, str]:
    """Parameters and MACs, which are a lower bound where those of a layer are not known."""
    macs = [facts.macs for _, facts in layers]
    known = sum([each for each in macs if each is not None])
    return count(sum(facts.parameters for _, facts in layers)), lower_bound(known) if None in macs else count(known)


def read(path: Path) -> tuple[Section, ...]:
    """The sections of a file. Raises SpecError at the line that is damaged."""
    return parse(read_text(path), str(path))


def parse(text: str, file: str) -> tuple[Section, ...]:
    lines = _Lines(text, file)
    sections: list[Section] = []
    while (line := lines.next_filled()) is not None:
        if not line.startswith(("network ", "spec ")):
            raise lines.damaged("network NAME --batch N, or a comment", line)
        sections.append(_parse_section(line, lines))
    if not sections:
        raise lines.damaged("a section for each network", "no section")
    return tuple(sections)


def find(sections: Iterable[Section], recipe: Recipe) -> Section | None:
    """The section of one network, loaded in one way."""
    return next((section for section in sections if section.recipe == recipe), None)


def lock(
    *networks: Network,
    file: str | Path,
    batch: int = 1,
    settings: Sequence[str] = (),
    inputs: Sequence[str] = (),
    args: Any = None,
    sequence: int | None = None,
) -> None:
    """Write the layers of networks as a table into `file`, which `archcost.check` compares with later; other networks
    in it stay. `settings` and the rest are those of `archcost.load`.

    Raises ArchcostError where a network cannot be loaded by its name, or the file is none that archcost wrote.
    """
    path = Path(file)
    if unnamed := [network for network in networks if not isinstance(network, str | Path)]:
        raise no_network(unnamed[0], "a name or a path, by which it can be loaded again")
    recipes = [
        Recipe(str(network), batch, tuple(settings), tuple(inputs), args_text(args), sequence=sequence)
        for network in networks
    ]
    write_sections([section(each.seen_from(path.parent), each.cost(Path())) for each in recipes], path)


def write_section(now: Section, path: Path) -> None:
    """Write a section into a file, in place of the one with its recipe; the others stay, in order of their recipes."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ArchcostError(f"{path}: cannot be written: {error.strerror}") from None
    write_sections([now], path)


def write_sections(now: Iterable[Section], path: Path) -> None:
    """Write several sections. Processes that write one file keep each other's sections."""
    new = {section.recipe: section for section in now}
    with exclusively(path):
        kept = _sections_of(path)
        write_whole(path, write(ordered([*(each for each in kept if each.recipe not in new), *new.values()])).encode())


def _sections_of(path: Path) -> tuple[Section, ...]:
    """What a file holds that may not be there yet, or be empty. Raises ArchcostError where it is no lock."""
    before = first_bytes(path)
    if not before:
        return ()
    if lines_in(before)[0] != HEADER.rstrip():
        raise foreign_file(path, "a lock that archcost wrote", before)
    return read(path)


def ordered(sections: Iterable[Section]) -> list[Section]:
    return sorted(sections, key=lambda section: str(section.recipe))


class _Lines:
    """The lines of a file, one after the other, and where we are."""

    def __init__(self, text: str, file: str) -> None:
        self.file = file
        self.number = 0
        self.rest: Iterator[str] = iter(text.splitlines())

    def next(self) -> str | None:
        line = next(self.rest, None)
        self.number += line is not None
        return line

    def next_filled(self) -> str | None:
        """The next line that is neither empty nor a comment."""
        while (line := self.next()) is not None and (not line.strip() or line.startswith("#")):
            pass
        return line

    def place(self) -> Place:
        return Place(self.file, max(self.number, 1), 1)

    def damaged(self, expected: str, found: str | None) -> SpecError:
        return SpecError(
            "the lock file is damaged",
            expected=expected,
            found="the end of the file" if found is None else shorten(found),
            hint="remove it, and write it again: archcost lock",
            place=self.place(),
        )


def _parse_section(head: str, lines: _Lines) -> Section:
    place = lines.place()
    recipe = _parse_recipe(head, lines)
    columns = lines.next()
    if columns is None or _cells(columns) not in (COLUMNS, STATELESS):
        raise lines.damaged(" | ".join(COLUMNS), columns)
    line = lines.next()
    if line is None or line.strip("-+"):
        raise lines.damaged("a rule of dashes", line)
    layers: list[tuple[str, LayerFacts]] = []
    states: dict[str, str] | None = {} if _cells(columns) == COLUMNS else None
    while (line := lines.next()) is not None and line.strip("-+"):
        name, facts, state = _parse_row(line, lines)
        if state and (states is None or any(word not in STATES for word in state.split(", "))):
            raise lines.damaged("a type" if states is None else f"a type, and after it {' or '.join(STATES)}", line)
        layers.append((name, facts))
        if states is not None and state:
            states[name] = state
    line = lines.next()
    cells = _cells(line or "")
    parameters, macs = totals(tuple(layers))
    if cells != (TOTAL, "", "", parameters, macs):
        raise lines.damaged(f"total of {parameters} parameters and {macs} MACs, the sum of its rows", line)
    if len({name for name, _ in layers}) < len(layers):
        raise lines.damaged("each layer once", "a name that stands twice")
    return Section(recipe, tuple(layers), states, place)


def _parse_recipe(head: str, lines: _Lines) -> Recipe:
    """A section's head, which has the options of `archcost lock`."""
    try:
        kind, *words = shlex.split(head)
    except ValueError:
        kind, words = "network", []
    network, options = (words[0], words[1:]) if words else ("", [])
    pairs = list(zip(options[::2], options[1::2], strict=False))
    batches = [value for key, value in pairs if key == "--batch"]
    args = [value for key, value in pairs if key == "--args"]
    lengths = [value for key, value in pairs if key == "--sequence"]
    names = ("--batch", "--set", "--input", "--args", "--sequence", *(f"--{name}" for name in Changes._fields))
    known = all(key in names for key, _ in pairs) and len(options) % 2 == 0
    once = len(batches) == 1 and len(args) <= 1 and all(map(_is_json, args)) and len(lengths) <= 1
    if not network or not known or not once or not all(map(_is_count, (*batches, *lengths))):
        expected = "network NAME --batch N [--set key=value] [--input SHAPE] [--args JSON] [--sequence N]"
        raise lines.damaged(expected, head)
    settings = tuple(value for key, value in pairs if key == "--set")
    inputs = tuple(value for key, value in pairs if key == "--input")
    args_json = args[0] if args else None
    of_kind = cast("Literal['network', 'spec']", kind)
    length = int(lengths[0]) if lengths else None
    return Recipe(network, int(batches[0]), settings, inputs, args_json, of_kind, _parse_changes(pairs), length)


def _parse_changes(pairs: Sequence[tuple[str, str]]) -> Changes:
    return Changes(*(tuple([value for key, value in pairs if key == f"--{name}"]) for name in Changes._fields))


def _is_count(text: str) -> bool:
    return text.isdecimal() and len(text) < 12


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _cells(line: str) -> tuple[str, ...]:
    return tuple(cell.strip() for cell in line.split("|"))


def _parse_row(line: str, lines: _Lines) -> tuple[str, LayerFacts, str]:
    """Name, facts and state of a layer."""
    cells = _cells(line)
    if len(cells) != len(COLUMNS):
        raise lines.damaged(f"{len(COLUMNS)} cells: {' | '.join(COLUMNS)}", line)
    name, typed, shapes, *numbers = cells
    type_, _, state = typed.partition(", ")
    texts = shapes.split(", ")
    known = numbers[:1] if numbers[1] == _UNKNOWN else numbers
    if not name or not type_ or not all(map(_SHAPE.fullmatch, texts)) or not all(map(_NUMBER.fullmatch, known)):
        raise lines.damaged("layer | type | 1×64×224×224 | 1,792 | 86,704,128", line)
    sizes = tuple(tuple(int(size) for size in re.findall(r"\d+", text)) for text in texts)
    parameters, *macs = (int(number.replace(",", "")) for number in known)
    return name, LayerFacts(type_, sizes, parameters, macs[0] if macs else None), state


def changes(locked: Section, now: Section) -> tuple[str, ...]:
    """What differs, a line each, aligned by layer. Empty when nothing does."""
    lines = [line for row in align((locked.layers, now.layers)) if row.differs for line in _row_changes(row)]
    lines += _state_changes(locked, now)
    if not lines:
        return ()
    before, after = totals(locked.layers), totals(now.layers)
    for name, old, new in zip(("parameters", "MACs"), before, after, strict=True):
        if old != new:
            lines.append(f"{TOTAL}: {name} {old} → {new}")
    return tuple(lines)


def _state_changes(locked: Section, now: Section) -> Iterator[str]:
    """Of layers that are in both, what is frozen or in place in one alone."""
    before, after = locked.states, now.states
    if before is None or after is None:
        return
    names = {name for name, _ in locked.layers}
    for name in [name for name, _ in now.layers if name in names]:
        for state in STATES:
            had, has = (state in states.get(name, "").split(", ") for states in (before, after))
            if had != has:
                yield f"{name}: {'not ' * (not had)}{state} → {'not ' * (not has)}{state}"


def _row_changes(row: LayerRow) -> list[str]:
    before, after = row.facts
    if before is None or after is None:
        facts = before or after
        assert facts is not None
        sign = "+" if before is None else "-"
        sums = f"parameters {count(facts.parameters)}, MACs {count(facts.macs)}"
        return [f"{sign} {row.name}: {facts.type}, {_shapes(facts)}, {sums}"]
    lines = ["moved to another place"] if row.moved[1] else []
    for name, old, new in (
        ("type", before.type, after.type),
        ("output shape", _shapes(before), _shapes(after)),
        ("parameters", count(before.parameters), count(after.parameters)),
        ("MACs", count(before.macs), count(after.macs)),
    ):
        if old != new:
            lines.append(f"{name} {old} → {new}")
    return [f"{row.name}: {line}" for line in lines]


@dataclass(frozen=True, slots=True)
class Outcome:
    """A locked network and what changed in it since."""

    section: Section
    changes: tuple[str, ...]


def check(path: Path) -> tuple[Outcome, ...]:
    """Every network of a file loaded again and compared. Raises SpecError when the file or a network cannot be read."""
    return tuple(Outcome(locked, changes(locked, recount(locked, path))) for locked in read(path))


def report(outcomes: Iterable[Outcome]) -> str:
    """What was found, a paragraph for each network."""
    return "".join(f"{_outcome_text(outcome)}\n" for outcome in outcomes)


def _outcome_text(outcome: Outcome) -> str:
    network = outcome.section.recipe.network
    if not outcome.changes:
        unheld = "" if outcome.section.states is not None else ", whose table does not hold what is frozen or in place"
        return f"{network}: {len(outcome.section.layers):,} layers as locked{unheld}"
    return "\n".join([f"{network}: changed", *(f"  {line}" for line in outcome.changes)])


def recount(locked: Section, path: Path) -> Section:
    """The same network as it is now. Raises ArchcostError at the section's place where it cannot be loaded."""
    try:
        return section(locked.recipe, locked.recipe.cost(path.parent))
    except ArchcostError as error:
        raise error.at(place=locked.place) from None
