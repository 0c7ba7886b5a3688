"""Names as written → the outputs they mean."""

from __future__ import annotations

from typing import NamedTuple, Unpack

from archcost.errors import Details, SpecError, nearest
from archcost.graph.expand import Alias, Path, Placed, expand
from archcost.graph.model_graph import Port, SharedWeight
from archcost.layers import Layer
from archcost.spec.model import ModelSpec


class Wired(NamedTuple):
    """A layer that knows what it reads."""

    name: str
    layer: Layer
    inputs: tuple[Port, ...]
    trainable: bool
    shared: SharedWeight | None
    path: Path


def wire(spec: ModelSpec) -> list[Wired]:
    """Every layer with its inputs found. Raises SpecError for a name that is unknown, doubled, or comes later."""
    steps = expand(spec)
    names = _Names(spec, steps)
    previous = Port(next(iter(spec.inputs)))
    wired: list[Wired] = []
    for step in steps:
        if isinstance(step, Alias):
            ports = tuple(port for name in step.reads for port in names.look_up(name, step))
            names.known[step.name] = ports or (previous,)
            if not step.name.endswith(".input"):
                previous = names.known[step.name][0]
            elif ports:
                previous = ports[0]
            continue
        inputs = tuple(names.look_up(name, step)[0] for name in step.reads) or (previous,)
        trainable = step.scope.trainable and getattr(step.layer, "trainable", True)
        wired.append(Wired(step.name, step.layer, inputs, trainable, names.shared(step), step.path))
        names.known[step.name] = ()
        previous = Port(step.name)
    return wired


class _Names:
    """Which outputs each name means, as far as the network has been walked."""

    def __init__(self, spec: ModelSpec, steps: list[Placed | Alias]) -> None:
        self.spec = spec
        self.steps = steps
        self.known: dict[str, tuple[Port, ...]] = dict.fromkeys(spec.inputs, ())

    def look_up(self, reference: str, reader: Placed | Alias) -> tuple[Port, ...]:
        """`name`, `name:1` or (for a block's own output) `name:*`, from the innermost scope outwards."""
        name, _, index = reference.partition(":")
        if index == "*" and name in self.known:
            return self.known[name] or (Port(name),)
        for scope in reader.scope.outwards():
            full = scope.full(name)
            if full == reader.name and isinstance(reader, Placed):
                raise self.refuse(reader, "a layer cannot read its own output", found=name)
            if full in self.known:
                return self._select(full, index, reader)
        raise self._missing(name, reader)

    def _select(self, full: str, index: str, reader: Placed | Alias) -> tuple[Port, ...]:
        ports = self.known[full]
        if not ports:  # a layer or an input of the network, which has its own outputs
            return (Port(full, int(index or 0)),)
        if index == "*":
            return ports
        if len(ports) == 1:
            # The outputs of the layer that the name stands for.
            return (Port(ports[0].producer, int(index)) if index else ports[0],)
        if int(index or 0) >= len(ports):
            raise self.refuse(
                reader, f"{full} has no output {index}", expected=f"at most {full}:{len(ports) - 1}", found=f":{index}"
            )
        return (ports[int(index or 0)],)

    def _missing(self, name: str, reader: Placed | Alias) -> SpecError:
        later = {step.name: step for step in self.steps if step.name not in self.known}
        for scope in reader.scope.outwards():
            target = later.get(scope.full(name))
            if target is not None:
                circle = _circle(self.steps, reader.name, target.name)
                if circle:
                    return self.refuse(
                        reader, "inputs go round in a circle", expected="no circle", found=" → ".join(circle)
                    )
                return self.refuse(
                    reader,
                    f"inputs reach forward to {target.name!r}",
                    expected="a layer that stands before this one",
                    found=name,
                    hint=f"move {target.name!r} before {reader.name!r}",
                )
        inner = reader.scope.prefix
        visible = {full.removeprefix(f"{inner}.") if inner else full for full in self.known}
        return self.refuse(
            reader,
            f"unknown input {name!r}",
            expected="the name of a layer before this one, or of a network input",
            found=name,
            hint=nearest(name, visible),
        )

    def shared(self, step: Placed) -> SharedWeight | None:
        """The layer whose weight this one uses, when it says so."""
        reference = getattr(step.layer, "weight", None)
        if not isinstance(reference, str):
            return None
        transposed = reference.endswith(".T")
        name = reference.removesuffix(".T").removesuffix(".weight")
        for scope in step.scope.outwards():
            if scope.full(name) in self.known:
                return SharedWeight(scope.full(name), transposed)
        raise self._missing(name, step)

    def refuse(self, reader: Placed | Alias, problem: str, **details: Unpack[Details]) -> SpecError:
        place = self.spec.source.place((*reader.path, "inputs"))
        return SpecError(problem, **details).at(layer=reader.name.removesuffix(".input"), place=place)


def _circle(steps: list[Placed | Alias], start: str, forward: str) -> tuple[str, ...]:
    """The way from `start` on to `forward`, which `start` reads: together a circle. Empty when there is none."""
    import networkx as nx  # only this error needs an algorithm

    names = {step.name for step in steps}
    graph: nx.DiGraph[str] = nx.DiGraph()
    previous: str | None = None
    for step in steps:
        reads = [read.partition(":")[0] for read in step.reads] or ([previous] if previous else [])
        for read in reads:
            full = next((scope.full(read) for scope in step.scope.outwards() if scope.full(read) in names), read)
            graph.add_edge(full, step.name)
        previous = step.name
    if start not in graph or forward not in graph or not nx.has_path(graph, start, forward):
        return ()
    path: list[str] = nx.shortest_path(graph, start, forward)  # pyright: ignore[reportUnknownMemberType]
    return (*path, start)
