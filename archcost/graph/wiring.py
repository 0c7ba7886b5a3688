"""Wiring: every name that a spec writes under `inputs`, `outputs`, `weight`, `given`, `holds` and `state` is looked up.

In: the flat list of layers from `expand`. Out: `Wiring`, in which each layer knows which outputs of others it reads.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple, Unpack

from archcost.errors import Details, SpecError, nearest, shorten, together
from archcost.files.values import Path
from archcost.graph.adaptation import changed_steps
from archcost.graph.adaptation.rewritten import NO_SPANS, Rewritten, Span
from archcost.graph.circles import circle, given_weights
from archcost.graph.expand import Alias, CompositePart, PlacedLayer, Scope, expand
from archcost.graph.model_graph import NO_PORTS, Port, SharedWeight
from archcost.graph.sequence import check_sequence
from archcost.layers import Composite, Layer, WeightedLayer
from archcost.spec.model import ModelSpec
from archcost.terms.memory_format import Shape

MOST_SEARCHED = 10_000
"""In networks of at most so many steps a message shows the whole circle; in larger ones it only says that the name
comes later, since the search is slow.
"""


class WithinComposite(NamedTuple):
    """That a layer is a part of a composite: which part, and which outputs go into the composite."""

    part: CompositePart
    sources: tuple[Port, ...]

    @property
    def holds(self) -> tuple[Port, ...]:
        """What the last part keeps alive: the inputs of the composite, as the caller of a torch module holds them until
        the module returns.
        """
        return self.sources if self.part.is_last else ()


@lru_cache(maxsize=1000)
def _parts(composite: Composite, shape: Shape) -> tuple[Layer, ...]:
    """The layers of a composite for an input of this shape. Cached, so that equal parts are one object."""
    return composite.parts(shape)


class WiredLayer(NamedTuple):
    """A layer with the outputs that it reads, before shapes are known.

    The parts of a composite (`within`) have sizes that depend on the shape of its input; `sized` fills them in.
    """

    name: str
    layer: Layer
    inputs: tuple[Port, ...]
    trainable: bool
    shared: SharedWeight | None
    path: Path
    given: Mapping[str, Port]
    """By the names of its weights, those that are outputs of other layers."""
    within: WithinComposite | None = None
    named: tuple[Port, ...] = ()
    """What the spec's `holds` names: outputs that a variable of forward keeps alive until this layer is done."""

    @property
    def reads(self) -> tuple[Port, ...]:
        """Its inputs, then the outputs of other layers that are its weights."""
        return (*self.inputs, *self.given.values()) if self.given else self.inputs

    @property
    def holds(self) -> tuple[Port, ...]:
        """Outputs that it does not read, and that stay alive until it is done."""
        return (*self.within.holds, *self.named) if self.within else self.named

    def sized(self, shape_of: Callable[[Port], Shape]) -> WiredLayer:
        """The layer with all its sizes. Raises ShapeError where a composite refuses its input."""
        if self.within is None:
            return self
        composite, shape = self.within.part.composite, shape_of(self.within.sources[0])
        parts = _parts(composite, shape)  # pyright: ignore[reportArgumentType]: what is frozen has a hash
        return self._replace(layer=parts[self.within.part.place])


NO_STATE: Mapping[Port, str] = {}


class Wiring(NamedTuple):
    """The wired layers in order of execution, and the outputs that the network returns."""

    layers: tuple[WiredLayer, ...]
    outputs: tuple[Port, ...]
    state: Mapping[Port, str] = NO_STATE
    """Outputs that the module keeps until the next step, each with the layer of that step after which it goes."""
    spans: Mapping[str, Span] = NO_SPANS
    """By layer that an adapter is on, the layers in its place."""
    parameter_order: tuple[str, ...] = ()
    """The spec's, with the names that weights have now."""
    thawed: tuple[str, ...] = ()
    """Layers with quantised weights that would train."""
    mistakes: tuple[SpecError, ...] = ()
    """Of entries that are wrong; with any the rest is for finding more of them."""
    unjudged: frozenset[str] = frozenset()
    """Names whose outputs are unknown for a mistake."""


_KNOWN: dict[int, Wiring] = {}
"""Wirings by the identity of their spec, as long as the spec lives: another batch size needs no second look-up."""


def wire(spec: ModelSpec) -> Wiring:
    """The wiring of a spec. Raises SpecError for names that are unknown, stand twice, or are of later layers."""
    wiring = looked_up(spec)
    if wiring.mistakes:
        raise together(wiring.mistakes)
    return wiring


def looked_up(spec: ModelSpec) -> Wiring:
    """The wiring of a spec with the mistakes of single entries in it. Raises SpecError for what leaves none."""
    if id(spec) not in _KNOWN:
        _KNOWN[id(spec)] = _wire(spec)
        weakref.finalize(spec, _KNOWN.pop, id(spec))
    return _KNOWN[id(spec)]


def _wire(spec: ModelSpec) -> Wiring:
    expanded = expand(spec)
    mistakes = {**spec.gaps, **expanded.mistakes}
    changed = Rewritten(expanded.steps) if mistakes else changed_steps(spec, expanded.steps)
    names = _Names(spec, changed)
    check_sequence(spec)
    previous = (Port(next(iter(spec.declared_inputs))),)
    wired: list[WiredLayer] = []
    unjudged: set[str] = set()
    for step in changed.steps:
        try:
            if isinstance(step, Alias) and not step.is_wrong:
                ports = tuple(port for name in step.reads for port in names.look_up(name, step))
                names.known[step.name] = previous = ports or previous
                continue
            if isinstance(step, Alias):
                unjudged.add(step.name)
            else:
                wired.append(_wired(step, names, previous))
        except SpecError as error:
            mistakes.setdefault(step.path, error)
            unjudged.add(step.name)
        names.known.setdefault(step.name, ())
        previous = (Port(step.name),)
    if mistakes:
        return _wrong(wired, names, mistakes, unjudged)
    outputs = _unread_outputs(wired) if spec.outputs is None else names.returned(spec.outputs)
    layers, state = tuple(names.with_holds(wired)), names.state_ports(wired)
    return Wiring(layers, outputs, state, changed.spans, names.parameter_order(), changed.thawed)


def _wrong(
    wired: Sequence[WiredLayer], names: _Names, mistakes: dict[Path, SpecError], unjudged: Collection[str]
) -> Wiring:
    """What is known of a network with mistakes, those in `outputs` among them."""
    try:
        outputs = names.returned(names.spec.outputs or ())
    except SpecError as error:
        outputs = ()
        mistakes[("outputs",)] = error
    return Wiring(tuple(wired), outputs, mistakes=tuple(mistakes.values()), unjudged=frozenset(unjudged))


def _wired(step: PlacedLayer, names: _Names, previous: tuple[Port, ...]) -> WiredLayer:
    """A layer with what it reads; `previous` is what the one before it gives. Raises SpecError."""
    nothing = () if step.layer.arity.least == 0 else previous[:1]
    inputs = tuple([names.look_up(name, step)[0] for name in step.reads]) if step.reads else nothing
    declared = step.scope.trainable and (not isinstance(step.layer, WeightedLayer) or step.layer.trainable)
    trainable = declared if step.trains is None else step.trains
    shared = names.shared(step, step.layer.shared_weight) if step.layer.shared_weight else None
    within = WithinComposite(step.part, names.look_up(f"{step.scope.prefix}.input:*", step)) if step.part else None
    given = names.given(step) if given_weights(step) else NO_PORTS
    if shared is not None and shared.owner in names.lent:
        step, shared, given = names.borrowing(step, shared, given)
    held = tuple([port for name in step.holds for port in names.look_up(name, step)])
    return WiredLayer(step.name, step.layer, inputs, trainable, shared, step.path, given, within, held)


def _unread_outputs(wired: Sequence[WiredLayer]) -> tuple[Port, ...]:
    """What a network without `outputs` returns: the first output of every layer that no other reads."""
    read = {port.producer for layer in wired for port in layer.reads}
    return tuple([Port(layer.name) for layer in wired if layer.name not in read])


class _Names:
    """The names known so far, each with the outputs that it means; () for a layer or an input, which means its own."""

    def __init__(self, spec: ModelSpec, changed: Rewritten) -> None:
        self.spec = spec
        self.steps = changed.steps
        self.spans = changed.spans
        self.owners = changed.owners
        self.lent = changed.lent
        self.known: dict[str, tuple[Port, ...]] = dict.fromkeys(spec.declared_inputs, ())

    def look_up(self, reference: str, reader: PlacedLayer | Alias, field: str = "inputs") -> tuple[Port, ...]:
        """`name`, `name:1` or (for a block's own output) `name:*`, from the innermost scope outwards.

        `field` is where the reference stands, with a dot before a key in it, for messages.
        """
        name, _, index = reference.partition(":")
        if index == "*" and name in self.known:
            return self.known[name] or (Port(name),)
        for scope in reader.scope.outwards():
            full = scope.full(name)
            if full == reader.name and isinstance(reader, PlacedLayer):
                raise self.refuse(
                    reader,
                    "a layer cannot read its own output",
                    field,
                    expected="another layer",
                    found=shorten(name),
                )
            if full in self.known:
                return self._select(full, index, reader, field)
        raise self._missing(name, reader, field)

    def returned(self, references: Sequence[str]) -> tuple[Port, ...]:
        """The outputs that the spec's `outputs` name."""
        return self.look_up_all(references, "outputs")

    def look_up_all(self, references: Sequence[str], *field: str) -> tuple[Port, ...]:
        """The outputs that a list in a field of the spec names. Called at the end, when every layer is known."""
        top = Scope("", None, True)
        asking = (
            (Alias(".".join(field), top, (name,), (*field, index)), name) for index, name in enumerate(references)
        )
        return tuple([self.look_up(name, reader)[0] for reader, name in asking])

    def state_ports(self, wired: Sequence[WiredLayer]) -> Mapping[Port, str]:
        """The outputs that the spec's `state` names, each with the layer until which it is kept. Raises SpecError."""
        known = {layer.name for layer in wired} if self.spec.state else set[str]()
        until_by = {reference: self._last(name) for reference, name in self.spec.state.items()}
        for reference, until in until_by.items():
            if until not in known:
                reader = Alias("state", Scope("", None, True), (until,), ("state", reference))
                hint = nearest(until, known)
                raise self.refuse(reader, "no such layer", "", expected="the name of a layer", found=until, hint=hint)
        return {self.look_up_all([name], "state", name)[0]: until for name, until in until_by.items()}

    def with_holds(self, wired: list[WiredLayer]) -> list[WiredLayer]:
        """The layers with the outputs that the spec's `holds` names for each. Raises SpecError."""
        if not self.spec.holds:
            return wired
        order = dict.fromkeys(self.spec.declared_inputs, -1) | {layer.name: index for index, layer in enumerate(wired)}
        named: dict[str, tuple[str, ...]] = {}
        for name, references in self.spec.holds.items():
            named[self._last(name)] = (*named.get(self._last(name), ()), *references)
        for name, references in named.items():
            reader = Alias("holds", Scope("", None, True), tuple(references), ("holds", name))
            if name in self.spec.declared_inputs or name not in order:
                hint = nearest(name, order)
                raise self.refuse(reader, "no such layer", "", expected="the name of a layer", found=name, hint=hint)
            for port in self.look_up_all(references, "holds", name):
                if order[port.producer] >= order[name]:
                    raise self.refuse(
                        reader,
                        f"{name} holds what is not there yet",
                        "",
                        expected="outputs of layers before it",
                        found=str(port),
                    )
        return [
            layer._replace(named=(*layer.named, *self.look_up_all(named[layer.name], "holds", layer.name)))
            if layer.name in named
            else layer
            for layer in wired
        ]

    def parameter_order(self) -> tuple[str, ...]:
        """The spec's, where `fc.weight` is some of `fc.base_layer` if an adapter is on `fc`; all of that is frozen."""
        apart = [(name, name.rpartition(".")[0]) for name in self.spec.parameter_order]
        return tuple(dict.fromkeys(f"{owner}.base_layer" if owner in self.owners else name for name, owner in apart))

    def _last(self, name: str) -> str:
        """The layer itself, or the last of those in its place."""
        return self.spans[name].last if name in self.spans else name

    def _select(self, full: str, index: str, reader: PlacedLayer | Alias, field: str) -> tuple[Port, ...]:
        ports = self.known[full]
        if not ports:  # a layer or an input of the network, which has its own outputs
            return (Port(full, int(index or 0)),)
        if index == "*":
            return ports
        if len(ports) == 1 and index and ports[0].output == 0:
            return (Port(ports[0].producer, int(index)),)  # an output of the layer that the name stands for
        if int(index or 0) >= len(ports):
            raise self.refuse(
                reader,
                f"{field} {'name' if field == 'inputs' else 'names'} an output that {full} does not have",
                field,
                expected=f"at most {full}:{len(ports) - 1}",
                found=f"{full}:{index}",
            )
        return (ports[int(index or 0)],)

    def _missing(self, name: str, reader: PlacedLayer | Alias, field: str) -> SpecError:
        forward = self._later(name, reader)
        if forward is None:
            return self._unknown(name, reader, field)
        way = circle(self.steps, forward, reader) if len(self.steps) <= MOST_SEARCHED else ()
        if way:
            shown = way if len(way) <= 8 else (*way[:4], "…", *way[-3:])
            return self.refuse(
                reader,
                f"{field} go round in a circle" if field == "inputs" else f"{field} goes round in a circle",
                field,
                expected="no circle",
                found=" → ".join(shown),
            )
        return self.refuse(
            reader,
            f"{field} {'reach' if field == 'inputs' else 'reaches'} forward to {shorten(forward.name)}",
            field,
            expected="a layer that stands before this one",
            found=shorten(name),
            hint=f"move {forward.name} before {reader.name.removesuffix('.input')}"[:200],
        )

    def _later(self, name: str, reader: PlacedLayer | Alias) -> PlacedLayer | Alias | None:
        """The layer or alias of that name that comes later in the network, if there is one."""
        wanted = {scope.full(name) for scope in reader.scope.outwards()}
        return next((step for step in self.steps if step.name in wanted and step.name not in self.known), None)

    def _unknown(self, name: str, reader: PlacedLayer | Alias, field: str) -> SpecError:
        inner = f"{reader.scope.prefix}."
        inside = next((full for full in reversed(self.known) if full.endswith(f".{name}")), None)
        visible = (full.removeprefix(inner) for full in reversed(self.known))
        return self.refuse(
            reader,
            f"unknown input {shorten(name)}" if field == "inputs" else f"unknown layer {shorten(name)}",
            field,
            expected="the name of a layer before this one" + (", or of a network input" if field != "weight" else ""),
            found=shorten(name),
            hint=inside or nearest(name, visible),
        )

    def shared(self, step: PlacedLayer, reference: str) -> SharedWeight:
        """The owner of the weight that `weight: name.weight` means. Raises SpecError."""
        transposed = reference.endswith(".T")
        name = reference.removesuffix(".T").removesuffix(".weight")
        for scope in step.scope.outwards():
            if scope.full(name) in self.known:
                return SharedWeight(self.owners.get(scope.full(name), scope.full(name)), transposed)
        raise self._missing(name, step, "weight")

    def borrowing(
        self, step: PlacedLayer, shared: SharedWeight, given: Mapping[str, Port]
    ) -> tuple[PlacedLayer, None, Mapping[str, Port]]:
        """The layer with the weight of another as one that it is given, as that is a layer's output now."""
        if shared.transposed:
            raise self.refuse(
                step,
                "no rule for the transposed weight of a layer with DoRA",
                "weight",
                expected="DoRA on layers whose weight nobody else uses transposed",
                found=step.layer.shared_weight,
            )
        own = step.layer.model_copy(update={"weight": None})
        return step._replace(layer=own), None, {**given, "weight": Port(shared.owner)}

    def given(self, step: PlacedLayer) -> Mapping[str, Port]:
        """The outputs that `given` names, by the names of the weights that they replace. Raises SpecError."""
        references = given_weights(step)
        if step.layer.shared_weight and "weight" in references:
            raise self.refuse(
                step,
                "weight and given.weight stand together",
                "given.weight",
                expected="one of them",
                found=f"{step.layer.shared_weight} and {references['weight']}",
            )
        return {name: self.look_up(read, step, f"given.{name}")[0] for name, read in references.items()}

    def refuse(self, reader: PlacedLayer | Alias, problem: str, field: str, **details: Unpack[Details]) -> SpecError:
        place = self.spec.source.place((*reader.path, *field.split(".", 1)))
        return SpecError(problem, **details).at(layer=reader.name.removesuffix(".input"), place=place)
