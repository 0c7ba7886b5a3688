"""The table of layers for the page's script: rows folded by dotted names, in columns, with what is equal stored once.

Sums are the library's own (`sum_amounts`); the script shows rows, sorts and hides them, and adds nothing up.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from typing import Any, NamedTuple

from archcost.costs.model import LayerCost, TrainingFlops, sum_amounts
from archcost.errors import listing
from archcost.page.answers import Answer
from archcost.report import summary_times
from archcost.report.explain import LayerWorking
from archcost.report.explain_text import working
from archcost.report.grouping import NO_LAYER, Folded, Seconds
from archcost.report.summary import shapes
from archcost.tensors import format_shape
from archcost.times.result import PARTS, LayerTime

EXACT = 2**53
"""Up to it a script's numbers are exact; larger ones are written as text."""


class Row(NamedTuple):
    """A layer, or layers under one name. `members` are their places in the network; a layer has one."""

    depth: int
    label: str
    members: tuple[int, ...]
    is_layer: bool


def tree(names: Sequence[str]) -> Iterator[Row]:
    """Layers under the parts of their dotted names, each group before what is in it. A group of one is that one."""
    parts = [name.split(".") for name in names]
    yield from _under(parts, tuple(range(len(names))), 0, 0)


def _under(parts: list[list[str]], members: tuple[int, ...], start: int, depth: int) -> Iterator[Row]:
    groups: dict[str | None, list[int]] = {}
    for member in members:
        own = parts[member][start : start + 1]
        groups.setdefault(own[0] if own else None, []).append(member)
    for name, found in groups.items():
        if name is None or len(found) == 1:
            for member in found:
                yield Row(depth, ".".join(parts[member][start:]), (member,), True)
            continue
        end = start + 1
        while all(parts[each][end : end + 1] == parts[found[0]][end : end + 1] != [] for each in found):
            end += 1
        yield Row(depth, ".".join(parts[found[0]][start:end]), tuple(found), False)
        yield from _under(parts, tuple(found), end, depth + 1)


class Shared:
    """Values that are stored once, and named by their place."""

    def __init__(self) -> None:
        self.places: dict[Hashable, int] = {}

    def place(self, value: Hashable) -> int:
        return self.places.setdefault(value, len(self.places))

    @property
    def values(self) -> list[Any]:
        return list(self.places)


def number(value: int) -> int | str:
    return value if abs(value) < EXACT else str(value)


def layer_table(answer: Answer) -> dict[str, Any]:
    """All that the script needs of the layers."""
    layers = answer.cost.layers
    found = list(tree([layer.name for layer in layers]))
    held, seconds = _held(answer), _seconds(answer)
    beside = [
        ["beside the layers", held.pop(NO_LAYER, 0), seconds[NO_LAYER].whole if NO_LAYER in seconds else None],
    ]
    distinct = Shared()
    columns = [distinct.place(_numbers(answer, row, held, seconds)) for row in found]
    return {
        "rows": {
            "depth": [row.depth for row in found],
            "label": [row.label for row in found],
            "layer": [row.members[0] if row.is_layer else -1 for row in found],
            "numbers": columns,
        },
        "keys": KEYS,
        "numbers": distinct.values,
        "beside": [row for row in beside if row[1] or row[2]],
        "types": _types(answer, held, seconds),
        "total": _total(answer),
        "note": _note(answer),
        **_workings(answer, seconds),
    }


KEYS = ("type", "shape", "bound", "parameters", "macs", "forward", "backward", "flops", "bytes", "seconds")
"""What equal rows share. `bound` is whether sums are lower bounds; null is not known."""


def _numbers(answer: Answer, row: Row, held: dict[str, int], seconds: dict[str, Seconds]) -> tuple[Hashable, ...]:
    layers = [answer.cost.layers[member] for member in row.members]
    alone = layers[0] if row.is_layer else None
    amounts = alone.amounts if alone else sum_amounts([layer.amounts for layer in layers])
    is_unknown = any(layer.is_unknown for layer in layers)
    forward_known = alone is None or alone.knows_forward
    backward_known = alone is None or not is_unknown
    return (
        alone.type if alone else f"{len(layers):,} layers",
        shapes(layers[-1].output_shapes),
        int(is_unknown and alone is None),
        number(amounts.parameters),
        number(amounts.macs) if forward_known else None,
        number(amounts.flops.forward.contraction) if forward_known else None,
        number(amounts.flops.backward.contraction) if backward_known else None,
        number(_step(answer, amounts.flops)) if backward_known else None,
        *_measured(layers, held, seconds),
    )


def _measured(
    layers: Sequence[LayerCost], held: dict[str, int], seconds: dict[str, Seconds]
) -> tuple[int, float | None]:
    """Bytes at the peak, and seconds."""
    times = [seconds[layer.name].whole for layer in layers if layer.name in seconds]
    return sum([held.get(layer.name, 0) for layer in layers]), float(f"{sum(times):.6g}") if seconds else None


def _types(answer: Answer, held: dict[str, int], seconds: dict[str, Seconds]) -> list[list[Any]]:
    """By type of layer: how many, parameters, FLOPs, bytes, seconds."""
    found: dict[str, list[LayerCost]] = {}
    for layer in answer.cost.layers:
        found.setdefault(layer.type, []).append(layer)
    rows: list[list[Any]] = []
    for kind, layers in found.items():
        amounts = sum_amounts([layer.amounts for layer in layers])
        flops = number(_step(answer, amounts.flops))
        rows.append([kind, len(layers), number(amounts.parameters), flops, *_measured(layers, held, seconds)])
    return rows


def _note(answer: Answer) -> str:
    """What the columns of the step are of."""
    one = answer.estimate
    if one is None or one.time is None:
        return ""
    return str(next(summary_times.notes(Folded(answer.cost, None, one), one)))


def _step(answer: Answer, flops: TrainingFlops) -> int:
    """Contractions of what is run: a training step, or forward alone."""
    return (flops.total if answer.fit.run.trains else flops.forward).contraction


def _total(answer: Answer) -> dict[str, Any]:
    cost, one = answer.cost, answer.estimate
    seconds = one and one.time and Seconds.of(one.time.layers).whole
    return {
        "bound": int(bool(cost.unknown)),
        "parameters": number(cost.parameters),
        "macs": number(cost.macs),
        "forward": number(cost.flops.forward.contraction),
        "backward": number(cost.flops.backward.contraction),
        "bytes": None if one is None else one.peak,
        "seconds": seconds,
        "step": one and one.time and one.time.step,
    }


def _held(answer: Answer) -> dict[str, int]:
    """Bytes alive at the peak by the layer that owns them; autocast's copies for a layer are among its own."""
    known = {layer.name for layer in answer.cost.layers}
    found: dict[str, int] = {}
    for alive in answer.estimate.line.alive if answer.estimate else ():
        owner = _owner(alive.held.owner, known)
        found[owner] = found.get(owner, 0) + alive.held.nbytes
    return found


def _owner(name: str, known: set[str]) -> str:
    owner = name if name in known else name.partition(" (")[0]
    return owner if owner in known else NO_LAYER


def _seconds(answer: Answer) -> dict[str, Seconds]:
    return Folded(answer.cost, None, answer.estimate).seconds if answer.estimate else {}


# Workings


def _workings(answer: Answer, seconds: dict[str, Seconds]) -> dict[str, Any]:
    """By layer the working of each number. Equal layers share theirs."""
    lines, texts, inputs, tensors, kernels = Shared(), Shared(), Shared(), Shared(), Shared()
    places = {layer.name: place for place, layer in enumerate(answer.cost.layers)}
    alive = _alive(answer, set(places), tensors)
    told: list[list[int]] = []
    for place, (layer, work) in enumerate(zip(answer.cost.layers, answer.working.layers, strict=True)):
        run = seconds[layer.name].layers if layer.name in seconds else ()
        told.append(
            [
                texts.place(_lines(work, lines)),
                inputs.place(_inputs(layer, place, places)),
                texts.place(tuple(alive.get(layer.name, ()))),
                texts.place(tuple([kernels.place(each) for each in _kernels(run)])),
            ]
        )
    return {
        "layers": [list(column) for column in zip(*told, strict=True)],
        "lines": lines.values,
        "lists": [list(each) for each in texts.values],
        "inputs": [list(each) for each in inputs.values],
        "tensors": tensors.values,
        "kernels": kernels.values,
    }


def _lines(work: LayerWorking, lines: Shared) -> tuple[int, ...]:
    """Places of lines: what, formula = numbers put in = result, note."""
    said = [("computes", work.formula, ""), ("assumed", work.assumption, "")]
    shown = ", ".join(map(str, work.input_types)) + " → " + ", ".join(map(str, work.output_types))
    found = [("shapes", shown, ""), *[line for line in said if line[1]]]
    found += [(line.quantity, " = ".join(working(line)), line.note) for line in work.lines]
    return tuple([lines.place(line) for line in found])


def _inputs(layer: LayerCost, place: int, places: dict[str, int]) -> tuple[Hashable, ...]:
    """What it reads: a layer as how far before it stands, so that equal blocks are equal; else a name."""
    ports = [(port.producer, str(port)[len(port.producer) :]) for port in layer.node.inputs]
    return tuple([(place - places[name] if name in places else name, rest) for name, rest in ports])


def _alive(answer: Answer, known: set[str], tensors: Shared) -> dict[str, list[int]]:
    """By layer its tensors at the peak: what, shape, bytes, role."""
    found: dict[str, list[int]] = {}
    for alive in answer.estimate.line.alive if answer.estimate else ():
        held = alive.held
        shape = f"{format_shape(held.tensor.shape) or 'scalar'} {held.tensor.dtype}"
        told = (held.what, shape, held.nbytes, held.role.replace("_", " "))
        found.setdefault(_owner(held.owner, known), []).append(tensors.place(told))
    return found


def _kernels(times: Sequence[LayerTime]) -> Iterator[Hashable]:
    """What runs for a layer: in which part of the step, class, FLOPs, bytes, launches, seconds, what it waits for."""
    for each in times:
        for name, part in zip(PARTS, each.parts, strict=True):
            if part.launches:
                seconds = float(f"{part.seconds:.6g}")
                yield name.replace("_", ", "), each.kind, part.flops, part.nbytes, part.launches, seconds, part.roof


def points(answer: Answer) -> list[tuple[Hashable, ...]]:
    """The roofline's points: equal kernels once, with the layers that run them."""
    found: dict[tuple[Hashable, ...], list[str]] = {}
    time = answer.estimate and answer.estimate.time
    for each in time.layers if time else ():
        for name, part in zip(PARTS, each.parts, strict=True):
            if part.launches and part.flops and part.nbytes and part.seconds:
                key = (name.replace("_", ", "), each.kind, part.flops, part.nbytes, part.seconds, part.roof)
                found.setdefault(key, []).append(each.name)
    return [(*key, listing(names, 2)) for key, names in found.items()]
