"""Expansion: the entries of a spec → a flat list of layers. Blocks and repeats are written out, every layer gets its
full name, and `$parameters` get their values.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, Unpack

from pydantic import ValidationError

from archcost.errors import Details, SpecError, listing, nearest, shorten
from archcost.files.values import Path, as_list, spell
from archcost.graph.names import Names
from archcost.graph.nesting import check_nesting
from archcost.layers import TYPES, Composite, Declared, Layer
from archcost.spec.mistakes import explain_first
from archcost.spec.model import BlockUse, Entry, LayerTemplate, ModelSpec, Repeat, Value
from archcost.terms.expressions import FUNCTIONS, FormulaError, evaluate

MOST_LAYERS = 200_000
"""The most layers and connections of a network. More is a mistake (a repeat of 10^12), and is refused before any
work is done.
"""

MOST_ARITHMETIC = 100_000
"""The most characters of expressions that are evaluated, and values that are passed to blocks: about a second."""

Values = Mapping[str, Value]

_PARAMETER = re.compile(r"\$(\w+)")
_BARE_NAME = re.compile(r"(?<![\w$])[A-Za-z_]\w*")


class Scope(NamedTuple):
    """A namespace: the whole network, one use of a block, or one round of a named repeat."""

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


class CompositePart(NamedTuple):
    """A layer of a composite: which one by `place`. The alias `input` of its scope is what goes into the composite."""

    composite: Composite
    place: int
    is_last: bool


class PlacedLayer(NamedTuple):
    """A layer in the flat list, with its full name. `reads` are names as written, to be looked up in `scope`, then in
    the scopes around it.
    """

    name: str
    layer: Layer
    scope: Scope
    reads: tuple[str, ...]
    path: Path
    part: CompositePart | None = None


class Alias(NamedTuple):
    """A name that stands for outputs of layers: `input` inside a block, or the name of a block, for what it returns."""

    name: str
    scope: Scope
    reads: tuple[str, ...]
    path: Path


class LimitError(SpecError):
    """The network exceeds MOST_LAYERS or MOST_ARITHMETIC."""


class Expansion:
    """One walk over the entries of a spec; collects `steps` in order.

    Entries and the values of parameters are known by their identity: both live as long as the walk, and equal
    values of one block's parameters are made one object. Layers are known by their fields as text, in which 1, 1.0
    and true differ: equal ones are one object, whose facts are worked out once.
    """

    def __init__(self, spec: ModelSpec) -> None:
        self.spec = spec
        self.names = Names(spec)
        self.steps: list[PlacedLayer | Alias] = []
        self._arithmetic = 0
        self._counts: dict[tuple[str, int], int] = {}
        self._layers: dict[tuple[int, int], Declared] = {}
        self._bare: dict[int, Declared] = {}
        self._by_fields: dict[str, Declared] = {}
        self._bound: dict[tuple[int, int], Values] = {}
        self._equal: dict[tuple[str, str], Values] = {}
        self.values = self.with_defaults(spec.parameters, {}, {}, spec.name, ("parameters",))

    def refuse(self, path: Path, problem: str, layer: str, **details: Unpack[Details]) -> SpecError:
        return SpecError(problem, **details).at(layer=layer, place=self.spec.source.place(path))

    def entries(self, entries: tuple[Entry, ...], scope: Scope, values: Values, path: Path) -> str | None:
        """Add entries to `steps`, in order. Returns the full name of the last one, or None for none."""
        last: str | None = None
        for index, entry in enumerate(entries):
            at = (*path, index)
            if isinstance(entry, Repeat):
                last = self.repeat(entry, scope, values, at) or last
            elif isinstance(entry, BlockUse):
                last = self.block(entry, scope, values, at)
            else:
                last = self.place_layer(entry, scope, values, at)
        return last

    def place_layer(self, entry: Declared | LayerTemplate, scope: Scope, values: Values, path: Path) -> str:
        full = scope.full(entry.name or self.names.number(scope.prefix, TYPES[entry.type].prefix))
        is_layer = not issubclass(TYPES[entry.type], Composite)
        taken = self.names.claim_layer(full, path) if is_layer else self.names.claim(full, path)
        is_template = isinstance(entry, LayerTemplate)
        layer = self.fill_template(entry, values, taken, path) if is_template else self.without_place(entry)
        if isinstance(layer, Composite):
            return self.composite(layer, taken, scope, path)
        assert isinstance(layer, Layer)
        self.steps.append(PlacedLayer(taken, layer, scope, entry.inputs, path))
        return taken

    def composite(self, composite: Composite, full: str, scope: Scope, path: Path) -> str:
        """Add the layers of a composite to `steps`, in a scope of their own, as those of a block."""
        body = Scope(full, scope, scope.trainable and composite.trainable)
        self.steps.append(Alias(self.names.claim(f"{full}.input", path), scope, composite.inputs, path))
        sketch = composite.sketch()
        for place, layer in enumerate(sketch):
            assert layer.name is not None
            name = self.names.claim_layer(body.full(layer.name), path)
            part = CompositePart(composite, place, layer is sketch[-1])
            self.steps.append(PlacedLayer(name, layer, body, layer.inputs, path, part))
        self.steps.append(Alias(full, body, (f"{self.steps[-1].name}:*",), path))
        return full

    def fill_template(self, template: LayerTemplate, values: Values, name: str, path: Path) -> Declared:
        """The layer of a template with these values of the parameters."""
        key = (id(template), id(values))
        if key not in self._layers:
            filled = {k: self.fill(v, values, name, (*path, k)) for k, v in template.fields.items()}
            self._layers[key] = self.filled(template, filled, name, path)
        return self._layers[key]

    def filled(self, template: LayerTemplate, fields: Mapping[str, Value], name: str, path: Path) -> Declared:
        kind = TYPES[template.type]
        inputs = {"inputs": template.inputs} if issubclass(kind, Composite) else {}  # whose parts depend on them
        tree: dict[str, Any] = {"type": template.type, **inputs, **fields}
        alike = repr(tree)
        if alike not in self._by_fields:
            try:
                self._by_fields[alike] = kind.model_validate(tree)
            except ValidationError as error:
                raise explain_first(error, tree, self.spec.source, path, template.fields).at(layer=name) from None
        return self._by_fields[alike]

    def without_place(self, layer: Declared) -> Declared:
        """The layer without its name and inputs, so that equal layers of a spec without blocks are one object too."""
        if id(layer) not in self._bare:
            self._bare[id(layer)] = layer if isinstance(layer, Composite) else self._copied(layer)
        return self._bare[id(layer)]

    def _copied(self, layer: Declared) -> Declared:
        alike = repr({field: value for field, value in layer.__dict__.items() if field not in ("name", "inputs")})
        if alike not in self._by_fields:
            self._by_fields[alike] = layer.model_copy(update={"name": None, "inputs": ()})
        return self._by_fields[alike]

    def fill(self, value: Value, values: Values, name: str, path: Path) -> Value:
        """A value with every `$expression` in it evaluated. Raises SpecError."""
        entries = as_list(value)
        if entries is not None:
            self.spend(len(entries), name, path)
            return tuple(self.fill(entry, values, name, path) for entry in entries)
        if not isinstance(value, str) or "$" not in value:
            return value
        used = _PARAMETER.findall(value)
        for parameter in used:
            self.require_known(parameter, value, values, name, path)
        whole = _PARAMETER.fullmatch(value.strip())
        if whole:
            found = values[whole.group(1)]
            self.spend(len(as_list(found) or ()), name, path)
            return found
        self.spend(len(value), name, path)
        bare = next((word for word in _BARE_NAME.finditer(value) if word.group() not in FUNCTIONS), None)
        numbers: dict[str, int] = {}
        for parameter in used:
            number = values[parameter]
            if type(number) is not int:
                raise self.refuse(
                    path,
                    "cannot work out an expression",
                    name,
                    expected="integers",
                    found=f"{shorten(value)}, where ${parameter} is {spell(number)}",
                )
            numbers[parameter] = number
        try:
            if bare:
                raise FormulaError("integer arithmetic such as $width * 2")
            return evaluate(_PARAMETER.sub(r"(\1)", value), numbers)
        except FormulaError as error:
            told = ", ".join(f"${key} = {number:,}" for key, number in list(numbers.items())[:8])
            raise self.refuse(
                path,
                "cannot work out an expression",
                name,
                expected=str(error)[:200],
                found=f"{shorten(value)}, where {told}" if told and not bare else shorten(value),
                hint=f"${bare.group()}" if bare and bare.group() in values else None,
            ) from None

    def require_known(self, parameter: str, value: str, values: Values, name: str, path: Path) -> None:
        if parameter not in values:
            raise self.refuse(
                path,
                f"unknown parameter ${parameter[:60]}",
                name,
                expected=listing([f"${known}" for known in values]) or "no parameters are declared here",
                found=shorten(value),
                hint=nearest(f"${parameter}", [f"${known}" for known in values]),
            )
        if values[parameter] is None:
            raise self.refuse(
                path,
                f"parameter ${parameter} has no value",
                name,
                expected="a value where the block is used, or a default",
                found="null",
            )

    def spend(self, effort: int, name: str, path: Path) -> None:
        self._arithmetic += effort
        if self._arithmetic > MOST_ARITHMETIC:
            raise LimitError(
                "too much arithmetic",
                expected=f"expressions of at most {MOST_ARITHMETIC:,} characters in the whole network",
                found="more",
            ).at(layer=name, place=self.spec.source.place(path))

    def block(self, use: BlockUse, scope: Scope, values: Values, path: Path) -> str:
        full = self.names.claim(scope.full(use.name or self.names.number(scope.prefix, use.block)), path)
        inner = self.bind(use, values, full, path)
        body = Scope(full, scope, scope.trainable and use.trainable)
        self.steps.append(Alias(self.names.claim(f"{full}.input", path), scope, use.inputs, path))
        last = self.entries(self.spec.blocks[use.block].layers, body, inner, ("blocks", use.block, "layers"))
        self.steps.append(Alias(full, body, (f"{last or f'{full}.input'}:*",), path))
        return full

    def bind(self, use: BlockUse, values: Values, name: str, path: Path) -> Values:
        """The values of all parameters inside a use of a block: the network's and the block's own."""
        key = (id(use), id(values))
        if key in self._bound:
            return self._bound[key]
        block = self.spec.blocks.get(use.block)
        if block is None:
            raise self.refuse(
                (*path, "block"),
                f"unknown block {shorten(use.block)}",
                name,
                expected=listing(self.spec.blocks) or "no blocks are declared",
                found=shorten(use.block),
                hint=nearest(use.block, self.spec.blocks),
            )
        for parameter in use.parameters:
            if parameter not in block.parameters:
                raise self.refuse(
                    (*path, parameter),
                    f"block {use.block!r} has no parameter {shorten(parameter)}",
                    name,
                    expected=listing(block.parameters) or "no parameters",
                    found=shorten(parameter),
                    hint=nearest(parameter, block.parameters),
                )
        given = {key: self.fill(value, values, name, (*path, key)) for key, value in use.parameters.items()}
        open_ = [key for key, default in block.parameters.items() if default is None and key not in given]
        if open_:
            raise self.refuse(
                path,
                f"block {use.block!r} needs {listing(open_)}",
                name,
                expected=f"{open_[0]}: …",
                found=f"only {listing(given)}" if given else "no parameters",
            )
        inside = ("blocks", use.block, "parameters")
        bound = self.with_defaults(block.parameters, given, self.values, name, inside)
        self._bound[key] = self._equal.setdefault((use.block, repr(bound)), bound)
        return self._bound[key]

    def with_defaults(self, declared: Values, given: Values, outer: Values, name: str, path: Path) -> Values:
        """The `outer` values and those declared, given or by default. A default may use all that stand before it."""
        self.spend(len(declared) + len(outer), name, path)
        values = dict(outer)
        for key, default in declared.items():
            values[key] = given[key] if key in given else self.fill(default, values, name, (*path, key))
        return values

    def repeat(self, entry: Repeat, scope: Scope, values: Values, path: Path) -> str | None:
        last: str | None = None
        inside = (*path, "layers")
        for number in range(
            1, self.repeat_count(entry, scope.full(entry.name) if entry.name else scope.prefix, values, path) + 1
        ):
            if entry.name is None:
                last = self.entries(entry.layers, scope, values, inside)
                continue
            full = self.names.claim(scope.full(f"{entry.name}{number}"), path)
            body = Scope(full, scope, scope.trainable)
            self.steps.append(Alias(self.names.claim(f"{full}.input", path), scope, (), path))
            last = self.entries(entry.layers, body, values, inside)
            self.steps.append(Alias(full, body, (f"{last or f'{full}.input'}:*",), path))
            last = full
        return last

    def repeat_count(self, entry: Repeat, name: str, values: Values, path: Path) -> int:
        rounds = self.fill(entry.repeat, values, name, (*path, "repeat"))
        if type(rounds) is not int or rounds < 0:
            raise self.refuse(
                (*path, "repeat"),
                "wrong value for 'repeat'",
                name,
                expected="an integer from 0",
                found=f"{spell(rounds)}, from {shorten(entry.repeat)}",
            )
        return rounds

    def count(self, entries: tuple[Entry, ...], values: Values, path: Path) -> int:
        """How many layers and connections the entries expand to. Raises LimitError where they are too many."""
        total = 0
        for index, entry in enumerate(entries):
            at = (*path, index)
            name = entry.name or "repeat"
            if isinstance(entry, Repeat):
                rounds = self.repeat_count(entry, name, values, at)
                # A round of nothing still costs the walk a round.
                total += rounds * max(1, self.count(entry.layers, values, (*at, "layers"))) if rounds else 0
            elif isinstance(entry, BlockUse):
                total += 1 + len(entry.inputs) + self.count_block(entry.block, self.bind(entry, values, name, at))
            else:
                kind = TYPES[entry.type]
                is_composite = issubclass(kind, Composite)
                total += kind.most_parts if is_composite else max(1, len(entry.inputs)) + _count_given(entry)
            if total > MOST_LAYERS:
                raise LimitError(
                    "the network is too large",
                    expected=f"at most {MOST_LAYERS:,} layers and connections",
                    found=f"{total:,} or more",
                ).at(layer=name, place=self.spec.source.place(at))
        return total

    def count_block(self, block: str, values: Values) -> int:
        key = (block, id(values))
        if key not in self._counts:
            self._counts[key] = self.count(self.spec.blocks[block].layers, values, ("blocks", block, "layers"))
        return self._counts[key]


def _count_given(entry: Declared | LayerTemplate) -> int:
    """How many weights a layer is given by other layers; each is a connection."""
    given = entry.fields.get("given", {}) if isinstance(entry, LayerTemplate) else getattr(entry, "given", {})
    return len(given)


def expand(spec: ModelSpec) -> list[PlacedLayer | Alias]:
    """Every layer of the network in order of execution, and the aliases between them. Raises SpecError."""
    check_nesting(spec)
    expansion = Expansion(spec)
    for name in spec.inputs:
        expansion.names.claim(name, ("inputs", name))
    try:
        expansion.count(spec.layers, expansion.values, ("layers",))
    except LimitError:
        raise
    except SpecError:
        pass  # the walk comes to the same mistake, with the layer's full name
    expansion.entries(spec.layers, Scope("", None, True), expansion.values, ("layers",))
    return expansion.steps
