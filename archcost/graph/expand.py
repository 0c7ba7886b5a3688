"""Blocks and repeats written out, names given, `$parameters` filled in: entries → a flat list of layers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Unpack, cast

from pydantic import ValidationError

from archcost.errors import Details, SpecError, nearest, shorten
from archcost.formulas import FormulaError, evaluate
from archcost.layers import LAYERS, Layer
from archcost.spec.load import explain_first
from archcost.spec.model import BlockUse, Entry, LayerTemplate, ModelSpec, Repeat, Value

MOST_LAYERS = 200_000
"""More than this is a mistake (a repeat of 10^12) and is refused before any work."""

Path = tuple[str | int, ...]
Values = Mapping[str, Value]

Binding = tuple[str, tuple[tuple[str, Value], ...]]
"""A block and the values of its parameters."""

_PARAMETER = re.compile(r"\$(\w+)")


class Scope(NamedTuple):
    """A place where names are given: the network, one use of a block, or one round of a named repeat."""

    prefix: str
    parent: Scope | None
    trainable: bool

    def full(self, name: str) -> str:
        return f"{self.prefix}.{name}" if self.prefix else name

    def outwards(self) -> Iterator[Scope]:
        scope: Scope | None = self
        while scope is not None:
            yield scope
            scope = scope.parent


class Placed(NamedTuple):
    """A layer with its full name; `reads` are the names as written, to be looked up from `scope` outwards."""

    name: str
    layer: Layer
    scope: Scope
    reads: tuple[str, ...]
    path: Path


class Alias(NamedTuple):
    """A name for other outputs: `input` inside a block, or the block itself, once all its layers are placed."""

    name: str
    scope: Scope
    reads: tuple[str, ...]
    path: Path


@dataclass
class Expansion:
    """What one walk over the entries collects, in order."""

    spec: ModelSpec
    steps: list[Placed | Alias] = field(default_factory=list[Placed | Alias])
    _taken: dict[str, Path] = field(default_factory=dict[str, Path])
    _counters: dict[str, int] = field(default_factory=dict[str, int])
    _counts: dict[Binding, int] = field(default_factory=dict[Binding, int])
    _layers: dict[tuple[int, tuple[tuple[str, Value], ...]], Layer] = field(
        default_factory=dict[tuple[int, tuple[tuple[str, Value], ...]], Layer]
    )

    def refuse(self, path: Path, problem: str, layer: str | None = None, **details: Unpack[Details]) -> SpecError:
        return SpecError(problem, **details).at(layer=layer, place=self.spec.source.place(path))

    def take(self, name: str, path: Path) -> str:
        """Claim a full name. A layer's name cannot also be the start of other layers' names."""
        if name in self._taken:
            first = self.spec.source.place(self._taken[name])
            raise self.refuse(
                path,
                f"the name {name!r} stands twice",
                layer=name,
                expected="each name once",
                found=f"first at {first}" if first else "another layer of that name",
                hint="give one of them another name, or give the repeat around it a name",
            )
        self._taken[name] = path
        return name

    def auto_name(self, scope: Scope, prefix: str) -> str:
        """`conv1`, `conv2`, … in each scope, names given by hand left out."""
        key = scope.full(prefix)
        while True:
            self._counters[key] = self._counters.get(key, 0) + 1
            if f"{key}{self._counters[key]}" not in self._taken:
                return f"{prefix}{self._counters[key]}"

    def entries(self, entries: tuple[Entry, ...], scope: Scope, values: Values, path: Path) -> str | None:
        """Place entries one after the other; the full name of the last, or None when there is none."""
        last: str | None = None
        for index, entry in enumerate(entries):
            at = (*path, index)
            if isinstance(entry, Repeat):
                last = self.repeat(entry, scope, values, at) or last
            elif isinstance(entry, BlockUse):
                last = self.block(entry, scope, values, at)
            else:
                last = self.layer(entry, scope, values, at)
        return last

    def layer(self, entry: Layer | LayerTemplate, scope: Scope, values: Values, path: Path) -> str:
        name = entry.name or self.auto_name(scope, LAYERS[entry.type].prefix)
        full = self.take(scope.full(name), path)
        layer = self.concrete(entry, values, full, path) if isinstance(entry, LayerTemplate) else entry
        self.steps.append(Placed(full, layer, scope, entry.inputs, path))
        return full

    def concrete(self, template: LayerTemplate, values: Values, name: str, path: Path) -> Layer:
        """The layer that a template means under these values; equal ones are made once."""
        key = (id(template), tuple(values.items()))
        if key not in self._layers:
            filled = {k: self.fill(v, values, name, (*path, k)) for k, v in template.fields.items()}
            tree: dict[str, Any] = {"type": template.type, "inputs": template.inputs, **filled}
            try:
                self._layers[key] = LAYERS[template.type].model_validate(tree)
            except ValidationError as error:
                raise explain_first(error, tree, self.spec.source, path).at(layer=name) from None
        return self._layers[key]

    def fill(self, value: Any, values: Values, name: str, path: Path) -> Any:
        """A value with every `$expression` in it worked out."""
        if isinstance(value, tuple):
            entries = cast("tuple[Any, ...]", value)
            return tuple(self.fill(entry, values, name, path) for entry in entries)
        if not isinstance(value, str) or "$" not in value:
            return value
        for parameter in _PARAMETER.findall(value):
            if parameter not in values:
                raise self.refuse(
                    path,
                    f"unknown parameter ${shorten_word(parameter)}",
                    layer=name,
                    expected=", ".join(f"${known}" for known in values) or "no parameters are declared here",
                    found=shorten(value),
                    hint=nearest(parameter, values),
                )
            if values[parameter] is None:
                raise self.refuse(
                    path, f"parameter ${parameter} has no value", layer=name, expected=f"{parameter}: …", found="null"
                )
        whole = _PARAMETER.fullmatch(value.strip())
        if whole:
            return values[whole.group(1)]
        numbers = {key: number for key, number in values.items() if type(number) is int}
        try:
            return evaluate(value.replace("$", ""), numbers)
        except FormulaError as error:
            raise self.refuse(
                path, "cannot work out an expression", layer=name, expected=str(error), found=shorten(value)
            ) from None

    def block(self, use: BlockUse, scope: Scope, values: Values, path: Path) -> str:
        name = use.name or self.auto_name(scope, use.block)
        full = self.take(scope.full(name), path)
        inner = self.bind(use, values, full, path)
        body = Scope(full, scope, scope.trainable and use.trainable)
        self.steps.append(Alias(self.take(f"{full}.input", path), scope, use.inputs, path))
        last = self.entries(self.spec.blocks[use.block].layers, body, inner, ("blocks", use.block, "layers"))
        self.steps.append(Alias(full, body, (f"{last}:*",) if last else ("input:*",), path))
        return full

    def bind(self, use: BlockUse, values: Values, name: str, path: Path) -> dict[str, Value]:
        """The block's parameters with their defaults and what this use says."""
        if use.block not in self.spec.blocks:
            raise self.refuse(
                (*path, "block"),
                f"unknown block {shorten(use.block)}",
                layer=name,
                expected=", ".join(self.spec.blocks) or "no blocks are declared",
                found=shorten(use.block),
                hint=nearest(use.block, self.spec.blocks),
            )
        declared = self.spec.blocks[use.block].parameters
        for key in use.parameters:
            if key not in declared:
                raise self.refuse(
                    (*path, key),
                    f"block {use.block!r} has no parameter {shorten(key)}",
                    layer=name,
                    expected=", ".join(declared) or "no parameters",
                    found=shorten(key),
                    hint=nearest(key, declared),
                )
        given = {key: self.fill(value, values, name, (*path, key)) for key, value in use.parameters.items()}
        return {**self.network_values, **declared, **given}

    @property
    def network_values(self) -> Values:
        return self.spec.parameters

    def repeat(self, entry: Repeat, scope: Scope, values: Values, path: Path) -> str | None:
        last: str | None = None
        inside = (*path, "layers")
        for number in range(1, self.rounds(entry, values, path) + 1):
            if entry.name is None:
                last = self.entries(entry.layers, scope, values, inside)
                continue
            full = self.take(scope.full(f"{entry.name}{number}"), path)
            body = Scope(full, scope, scope.trainable)
            self.steps.append(Alias(self.take(f"{full}.input", path), scope, (), path))
            last = self.entries(entry.layers, body, values, inside)
            self.steps.append(Alias(full, body, (f"{last}:*",) if last else ("input:*",), path))
            last = full
        return last

    def rounds(self, entry: Repeat, values: Values, path: Path) -> int:
        rounds = self.fill(entry.repeat, values, entry.name or "repeat", (*path, "repeat"))
        if type(rounds) is not int or rounds < 0:
            raise self.refuse(
                (*path, "repeat"), "wrong value for 'repeat'", expected="an integer from 0", found=shorten(rounds)
            )
        return rounds

    def count(self, entries: tuple[Entry, ...], values: Values, path: Path, uses: tuple[str, ...] = ()) -> int:
        """How many entries the walk would place. Refuses too many, and a block inside itself, before the walk."""
        total = 0
        for index, entry in enumerate(entries):
            at = (*path, index)
            if isinstance(entry, Repeat):
                rounds = self.rounds(entry, values, at)
                # A round of nothing still costs the walk a round.
                total += rounds * max(1, self.count(entry.layers, values, (*at, "layers"), uses)) if rounds else 0
            elif isinstance(entry, BlockUse):
                if entry.block in uses:
                    circle = " → ".join((*uses[uses.index(entry.block) :], entry.block))
                    raise self.refuse(at, "a block cannot contain itself", expected="no circle", found=circle)
                bound = self.bind(entry, values, entry.name or entry.block, at)
                total += 1 + self.count_block(entry.block, bound, (*uses, entry.block))
            else:
                total += 1
            if total > MOST_LAYERS:
                raise self.refuse(
                    at,
                    "the network has too many layers",
                    expected=f"at most {MOST_LAYERS:,}",
                    found=f"{shorten(total)} or more",
                )
        return total

    def count_block(self, block: str, values: Values, uses: tuple[str, ...]) -> int:
        key = (block, tuple(values.items()))
        if key not in self._counts:
            self._counts[key] = self.count(self.spec.blocks[block].layers, values, ("blocks", block, "layers"), uses)
        return self._counts[key]


def shorten_word(word: str) -> str:
    return word if len(word) <= 60 else word[:60] + "…"


def expand(spec: ModelSpec) -> list[Placed | Alias]:
    """Every layer of the network in order, and the names that stand for others. Raises SpecError."""
    expansion = Expansion(spec)
    for name in spec.inputs:
        expansion.take(name, ("inputs", name))
    expansion.count(spec.layers, spec.parameters, ("layers",))
    expansion.entries(spec.layers, Scope("", None, True), spec.parameters, ("layers",))
    return expansion.steps
