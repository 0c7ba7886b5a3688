"""A network of equal blocks, with two of them in place of all: the first, and one that stands for the others.

Memory while a network runs is as high in the second block as in any later one, and sums are taken so many times. So
what a network of a hundred blocks needs is found in one of two.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from archcost.errors import SpecError
from archcost.graph import Port
from archcost.graph.parameters import Parameters
from archcost.graph.wiring import Wiring, wire
from archcost.spec import ModelSpec
from archcost.spec.model import Entry, Repeat

MOST_PERIODS = 16
"""Blocks that are tried together as one that comes again."""

FEW = 3
"""Rounds of which a repeat is written out: rounds are equal, and two of them alike show it."""


def _block(name: str) -> str:
    """`layer3` of `layer3.mlp.gate`, `model.layers.3` of `model.layers.3.mlp.gate`; else the first of its names."""
    parts = name.split(".")
    place = next((place for place, part in enumerate(parts[:-1]) if part[-1:].isdigit()), 0)
    return ".".join(parts[: place + 1])


class Short(NamedTuple):
    """Wired layers, and how often each stands in the whole network (1 where nothing is said)."""

    wiring: Wiring
    times: Mapping[str, int]
    stands: Mapping[str, str]
    """By a layer that is left out, the one that stands for it."""


def shortened(spec: ModelSpec) -> Short:
    """A network's wiring with runs of equal blocks cut down to two. The whole where that would be another network."""
    if spec.holds or spec.state or spec.autocast or spec.checkpoints or spec.parameter_order:  # which name layers
        return Short(wire(spec), {}, {})
    few, rounds = _few_rounds(spec)
    if rounds:
        try:
            cut = _Cut(wire(few))
        except SpecError:  # a layer of a later round is named
            cut = None
        if cut is not None and [run.repeats for run in cut.runs] == [FEW] * len(rounds) and cut.is_read_in_turn():
            return _cut_again(cut.made(rounds))
    return _cut_again(Short(wire(spec), {}, {}))


def _cut_again(short: Short) -> Short:
    """Cut as long as something repeats: blocks of blocks, then the blocks in them."""
    cut = _Cut(short.wiring)
    if not cut.runs or not cut.is_read_in_turn():
        return short
    made = cut.made([run.repeats for run in cut.runs])
    times = {name: short.times.get(name, 1) * made.times.get(name, 1) for name in {*short.times, *made.times}}
    stands = {name: made.stands.get(other, other) for name, other in short.stands.items()}
    return _cut_again(Short(made.wiring, times, {**made.stands, **stands}))


def _few_rounds(spec: ModelSpec) -> tuple[ModelSpec, tuple[int, ...]]:
    """The spec with fewer rounds of what it repeats, and how many there are in truth."""
    parameters = Parameters(spec)
    rounds: list[int] = []
    layers: list[Entry] = []
    for index, entry in enumerate(spec.layers):
        if isinstance(entry, Repeat):
            count = parameters.repeat_count(entry, entry.name or "", parameters.outermost, ("layers", index))
            if count >= FEW:
                rounds.append(count)
                entry = entry.model_copy(update={"repeat": FEW})
        layers.append(entry)
    return spec.model_copy(update={"layers": tuple(layers)}), tuple(rounds)


class _Run(NamedTuple):
    first: int
    period: int
    repeats: int


def _covered(run: _Run) -> int:
    return run.period * run.repeats if run.repeats >= FEW else 0


class _Cut:
    def __init__(self, whole: Wiring) -> None:
        self.whole, self.layers = whole, whole.layers
        self.index = {layer.name: place for place, layer in enumerate(self.layers)}
        self.blocks = [_block(layer.name) for layer in self.layers]
        self.begins = [len(self.layers)] * len(self.layers)
        """Of each layer, where the next block begins."""
        for place in range(len(self.layers) - 2, -1, -1):
            same = self.blocks[place] == self.blocks[place + 1]
            self.begins[place] = self.begins[place + 1] if same else place + 1
        self.runs = list(self._runs())

    def made(self, counts: Sequence[int]) -> Short:
        """`counts` is of how many blocks each run is."""
        stands: dict[str, str] = {}
        """By a layer that goes, the one that stands for it."""
        times: dict[str, int] = {}
        gone: set[int] = set()
        for (first, period, repeats), count in zip(self.runs, counts, strict=True):
            for place in range(first + period, first + 2 * period):
                times[self.layers[place].name] = count - 1
            for place in range(first + 2 * period, first + repeats * period):
                stands[self.layers[place].name] = self.layers[first + period + (place - first) % period].name
                gone.add(place)
        if not gone:
            return Short(self.whole, {}, {})

        def moved(port: Port) -> Port:
            return Port(stands.get(port.producer, port.producer), port.output)

        kept = [
            layer._replace(
                inputs=tuple(map(moved, layer.inputs)), given={name: moved(port) for name, port in layer.given.items()}
            )
            for place, layer in enumerate(self.layers)
            if place not in gone
        ]
        outputs = tuple(map(moved, self.whole.outputs))
        return Short(Wiring(tuple(kept), outputs), times, stands)

    def _runs(self) -> Iterator[_Run]:
        place, count = 0, len(self.layers)
        while place < count:
            found = _Run(place, 1, 1)
            for period in self._periods(place):
                if found.repeats < FEW or period % found.period:  # several of what comes again come again, too
                    found = max(found, self._run(place, period), key=_covered)
            if found.repeats >= FEW:
                yield found
            place += found.period * found.repeats

    def _periods(self, place: int) -> Iterator[int]:
        """Blocks begin where names do: only there, and as long as so many of them together."""
        if place == 0 or self.blocks[place] == self.blocks[place - 1]:
            return
        at = place
        for _ in range(MOST_PERIODS):
            at = self.begins[at]
            if at >= len(self.layers):
                return
            if self.layers[at].layer is self.layers[place].layer:
                yield at - place

    def _run(self, first: int, period: int) -> _Run:
        """From there on, blocks of so many layers that are equal one after the other."""
        at = first + period
        while at < len(self.layers) and self._alike(at - period, at, first):
            at += 1
        return _Run(first, period, (at - first) // period)

    def _alike(self, before: int, after: int, first: int) -> bool:
        """The same layer, which reads what stands as far before it, or the same from before the first block."""
        one, other = self.layers[before], self.layers[after]
        if one.layer is not other.layer or one.shared != other.shared or one.trainable != other.trainable:
            return False
        reads, others = one.reads, other.reads
        return len(reads) == len(others) and all(
            a.output == b.output and self._moves_along(a, b, before, after, first)
            for a, b in zip(reads, others, strict=True)
        )

    def _moves_along(self, a: Port, b: Port, before: int, after: int, first: int) -> bool:
        one, other = self.index.get(a.producer, -1), self.index.get(b.producer, -1)
        return before - one == after - other if other >= first else a == b

    def is_read_in_turn(self) -> bool:
        """Whether what a block makes is read in it and the next one alone, and behind all only of the last."""
        runs = self.runs
        run_of = [(-1, -1)] * len(self.layers)
        for number, (first, period, repeats) in enumerate(runs):
            for place in range(first, first + period * repeats):
                run_of[place] = (number, (place - first) // period)

        def is_last(port: Port) -> bool:
            number, block = run_of[self.index[port.producer]] if port.producer in self.index else (-1, -1)
            return number < 0 or block == runs[number].repeats - 1

        for place, layer in enumerate(self.layers):
            mine, own = run_of[place]
            for port in layer.reads:
                number, block = run_of[self.index[port.producer]] if port.producer in self.index else (-1, -1)
                if own - block > 1 if number == mine and number >= 0 else not is_last(port):
                    return False
        return all(map(is_last, self.whole.outputs))
