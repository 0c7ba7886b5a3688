"""Expansion: the entries of a spec → a flat list of layers. Blocks and repeats are written out, every layer gets its
full name, and `$parameters` get their values.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from archcost.errors import SpecError, together
from archcost.files.values import Path
from archcost.graph.names import Names
from archcost.graph.nesting import check_nesting
from archcost.graph.parameters import Parameters
from archcost.graph.size import Size
from archcost.graph.templates import Layers
from archcost.layers import TYPES, Composite, Declared, Layer
from archcost.spec.evaluation import LimitError, Values
from archcost.spec.model import BlockUse, Entry, LayerTemplate, ModelSpec, Repeat

MOST_WRONG = 1_000
"""Entries put in place that are wrong, after which the walk ends: one entry may stand in very many places."""


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
    holds: tuple[str, ...] = ()
    """What a variable of the module around it names until it is done, by names as in `reads`."""
    trains: bool | None = None
    """Whether it is trained, where the spec's `freeze`, `train` and `adapt` say so."""


class Alias(NamedTuple):
    """A name that stands for outputs of layers: `input` inside a block, or the name of a block, for what it returns."""

    name: str
    scope: Scope
    reads: tuple[str, ...]
    path: Path
    is_wrong: bool = False
    """Whether it stands for an entry with a mistake, so that nothing is known of what it means."""


class Expanded(NamedTuple):
    """The steps of a network in order of execution, and by their path in the spec the entries that are wrong."""

    steps: list[PlacedLayer | Alias]
    mistakes: dict[Path, SpecError]


class Expansion:
    """One walk over the entries of a spec; collects `steps` in order, and `mistakes` by the path of the entry."""

    def __init__(self, spec: ModelSpec, parameters: Parameters) -> None:
        self.spec = spec
        self.parameters = parameters
        self.layers = Layers(spec, parameters)
        self.names = Names(spec)
        self.steps: list[PlacedLayer | Alias] = []
        self.mistakes: dict[Path, SpecError] = {}
        self.wrong = 0

    def entries(self, entries: tuple[Entry, ...], scope: Scope, values: Values, path: Path) -> str | None:
        """Add entries to `steps`, in order. Returns the full name of the last one, or None for none."""
        last: str | None = None
        for index, entry in enumerate(entries):
            if self.wrong >= MOST_WRONG:
                break
            at = (*path, index)
            full = self.full_name(entry, scope)
            if at in self.spec.gaps:
                self.steps.append(Alias(full, scope, (), at, is_wrong=True))
                last = full
                continue
            try:
                if isinstance(entry, Repeat):
                    last = self.repeat(entry, scope, values, at) or last
                elif isinstance(entry, BlockUse):
                    last = self.block(entry, full, scope, values, at)
                else:
                    last = self.place_layer(entry, full, scope, values, at)
            except LimitError:
                raise
            except SpecError as error:
                self.mistakes.setdefault(at, error)
                self.wrong += 1
                self.steps.append(Alias(full, scope, (), at, is_wrong=True))
                last = full
        return last

    def full_name(self, entry: Entry, scope: Scope) -> str:
        """The name of an entry with those around it; that of a repeat has no number yet."""
        if isinstance(entry, Repeat):
            return scope.full(entry.name or "repeat")
        prefix = entry.block if isinstance(entry, BlockUse) else TYPES[entry.type].prefix
        return scope.full(entry.name or self.names.number(scope.prefix, prefix))

    def place_layer(self, entry: Declared | LayerTemplate, full: str, scope: Scope, values: Values, path: Path) -> str:
        is_layer = not issubclass(TYPES[entry.type], Composite)
        taken = self.names.claim_layer(full, path) if is_layer else self.names.claim(full, path)
        is_template = isinstance(entry, LayerTemplate)
        layer = (
            self.layers.fill_template(entry, values, taken, path) if is_template else self.layers.without_place(entry)
        )
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

    def block(self, use: BlockUse, full: str, scope: Scope, values: Values, path: Path) -> str:
        self.names.claim(full, path)
        inner = self.parameters.bind(use, values, full, path)
        body = Scope(full, scope, scope.trainable and use.trainable)
        self.steps.append(Alias(self.names.claim(f"{full}.input", path), scope, use.inputs, path))
        block = self.spec.blocks[use.block]
        last = self.entries(block.layers, body, inner, ("blocks", use.block, "layers"))
        self.steps.append(Alias(full, body, block.outputs or (f"{last or f'{full}.input'}:*",), path))
        return full

    def repeat(self, entry: Repeat, scope: Scope, values: Values, path: Path) -> str | None:
        last: str | None = None
        inside = (*path, "layers")
        for number in range(
            1,
            self.parameters.repeat_count(entry, scope.full(entry.name) if entry.name else scope.prefix, values, path)
            + 1,
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


def expand(spec: ModelSpec) -> Expanded:
    """Every layer of the network in order of execution, and the aliases between them.

    Raises SpecError for what leaves no entry to go on with; mistakes of single entries are handed back.
    """
    check_nesting(spec)
    parameters = Parameters(spec)
    expansion = Expansion(spec, parameters)
    for name in spec.declared_inputs:
        expansion.names.claim(name, ("inputs", name))
    try:
        Size(spec, parameters).count(spec.layers, parameters.outermost, ("layers",))
    except LimitError:
        raise
    except SpecError:
        pass  # the walk comes to the same mistake, with the layer's full name
    expansion.entries(spec.layers, Scope("", None, True), parameters.outermost, ("layers",))
    if expansion.wrong >= MOST_WRONG:
        raise together([*expansion.mistakes.values()])
    return Expanded(expansion.steps, expansion.mistakes)
