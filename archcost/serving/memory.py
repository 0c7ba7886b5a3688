"""What serving takes of a device's memory: weights, the cache in blocks, and what one step makes and drops."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, NamedTuple, get_args

from archcost.costs.timeline import Timeline, highest, timeline
from archcost.graph import ModelGraph
from archcost.passes.caches import Cached
from archcost.passes.layer_rules import weight_type
from archcost.passes.order import in_precision
from archcost.passes.run import Run
from archcost.serving.steps import Steps, up_to
from archcost.tensors import DTYPE_BYTES
from archcost.terms.autograd import Device

CacheDtype = Literal["fp32", "fp16", "bf16", "fp8", "int8"]
CACHE_DTYPES: tuple[CacheDtype, ...] = get_args(CacheDtype)
CACHE_BYTES: Mapping[CacheDtype, int] = {"fp32": 4, "fp16": 2, "bf16": 2, "fp8": 1, "int8": 1}

SCALE_BYTES: Mapping[CacheDtype, int] = {"int8": 2}
"""A key or value of a head in int8 has a scale of its own, in 16 bits; in fp8 a whole layer has one, which is not
counted.
"""

BLOCK = 16
"""Positions of a block, vLLM's default (PagedAttention, arXiv:2309.06180): the last of a sequence is not full."""

OWN_ROLES = frozenset(["weights", "buffers", "kv_cache"])
"""Of what lives in a step, what is counted by itself."""


@dataclass(frozen=True)
class CacheSize:
    """The bytes of a cache in a dtype, in blocks of positions; `times` says how often each attention stands there."""

    attentions: tuple[Cached, ...]
    times: Mapping[str, int]
    dtype: CacheDtype
    block: int = BLOCK
    states: tuple[tuple[str, int], ...] = ()
    """By layer, the bytes of what it keeps of a whole sequence."""

    @property
    def per_token(self) -> int:
        """Bytes of one token more of one sequence, in all attentions, while no window is full."""
        return sum([self._times(each) * self._position(each) for each in self.attentions if each.kind != "cross"])

    @property
    def per_token_beyond(self) -> int:
        """The same once all windows are full."""
        growing = [each for each in self.attentions if each.kind != "cross" and each.window is None]
        return sum([self._times(each) * self._position(each) for each in growing])

    @property
    def per_sequence(self) -> int:
        """Bytes of a sequence that no token adds to."""
        fixed = [each for each in self.attentions if each.kind == "cross"]
        of_states = sum([self.times.get(layer, 1) * nbytes for layer, nbytes in self.states])
        return of_states + sum([self._times(each) * self._position(each) * each.positions for each in fixed])

    def of(self, tokens: int, sequences: int = 1) -> int:
        """Bytes of so many sequences of so many tokens, those that no token adds to as well."""
        growing = [each for each in self.attentions if each.kind != "cross"]
        kept = [self._times(each) * self._position(each) * up_to(each.kept(tokens), self.block) for each in growing]
        return sequences * (self.per_sequence + sum(kept))

    def tokens_in(self, nbytes: int, sequences: int) -> int:
        """The most tokens that each of so many sequences may have in so many bytes; 0 where there is no room."""
        if self.of(0, sequences) > nbytes:
            return 0
        if not self.per_token_beyond and self.of(MOST, sequences) <= nbytes:
            return MOST
        low, high = 0, MOST
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self.of(middle, sequences) <= nbytes else (low, middle)
        return low

    def _position(self, each: Cached) -> int:
        return each.elements * CACHE_BYTES[self.dtype] + each.vectors * SCALE_BYTES.get(self.dtype, 0)

    def _times(self, each: Cached) -> int:
        return self.times.get(each.layer, 1)


MOST = 2**31 - 1
"""Tokens of a sequence, as of every other size."""


class Line(NamedTuple):
    """So many bytes, and so many more a sequence."""

    base: int
    slope: int


class Growing(NamedTuple):
    """Bytes that live at once by the number of sequences: the highest of these lines."""

    lines: tuple[Line, ...]

    def at(self, sequences: int) -> int:
        return max([base + slope * sequences for base, slope in self.lines], default=0)


class Shares(NamedTuple):
    """Bytes of each storage of a step, in so many sequences after so many tokens: sums of a number, and of one for each
    sequence, for each token, and for each token of each sequence.
    """

    events: tuple[int, ...]
    fixed: tuple[int, ...]
    by_sequence: tuple[int, ...]
    by_token: tuple[int, ...]
    by_both: tuple[int, ...]

    def after(self, past: int) -> Growing:
        """After so many tokens: as lines in the number of sequences."""
        tokens = zip(self.fixed, self.by_token, strict=True)
        each = zip(self.by_sequence, self.by_both, strict=True)
        return _highest(self.events, [a + b * past for a, b in tokens], [a + b * past for a, b in each])


@dataclass(frozen=True)
class StepMemory:
    """What the steps of a network make and drop, weights and cache left out. Each is worked out once."""

    steps: Steps
    run: Run
    device: Device
    _prefills: dict[int, tuple[int, Growing | None]] = field(
        default_factory=dict[int, tuple[int, Growing | None]], repr=False
    )
    _decodes: dict[int, Growing] = field(default_factory=dict[int, Growing], repr=False)
    _shares: dict[int, Shares] = field(default_factory=dict[int, Shares], repr=False)
    _lines: dict[int, Timeline] = field(default_factory=dict[int, Timeline], repr=False)

    def prefill(self, tokens: int, sequences: int) -> int:
        """Bytes of one step over so many tokens of each sequence."""
        single, grown = self._prefills.get(tokens) or (_passing(self.line(self.steps.prefill(tokens))), None)
        if sequences > 1 and grown is None:
            few, more = (self.line(self.steps.prefill(tokens, count)) for count in (2, 3))
            grown = _highest(few.events, *_line(_counted(few), _counted(more), 2, 3))
        self._prefills[tokens] = (single, grown)
        return single if grown is None or sequences == 1 else max(single, grown.at(sequences))

    def decode(self, past: int, sequences: int) -> int:
        """Bytes of a step of one token of each sequence, after so many."""
        if past not in self._decodes:
            self._decodes[past] = self._shares_after(past).after(past)
        return self._decodes[past].at(up_to(sequences, self.steps.share))

    def _shares_after(self, past: int) -> Shares:
        """Of steps between which no window fills."""
        windows = {each.window for each in self.steps.caches.attentions if each.window is not None}
        full = sum([past >= window for window in windows])
        if full not in self._shares:
            begins = max([window for window in windows if window <= past], default=1)
            self._shares[full] = self._compared(begins, begins + 1)
        return self._shares[full]

    def _compared(self, first: int, second: int) -> Shares:
        """From steps after `first` and `second` tokens, of two and of three sequences: every size is such a sum."""
        share = self.steps.share
        batches = (2 * share, 3 * share)
        played = [[self.line(self.steps.decode(past, count)) for count in batches] for past in (first, second)]
        (few, more), (later, last) = [[_counted(line) for line in lines] for lines in played]
        assert len({line.events for lines in played for line in lines}) == 1, "the same tensors are made"
        fixed, slopes = _line(few, more, *batches)
        later_fixed, later_slopes = _line(later, last, *batches)
        alone, by_token = _line(fixed, later_fixed, first, second)
        each, by_both = _line(slopes, later_slopes, first, second)
        return Shares(played[0][0].events, tuple(alone), tuple(each), tuple(by_token), tuple(by_both))

    def line(self, graph: ModelGraph) -> Timeline:
        """The step played; of graphs that `steps` keeps."""
        if id(graph) not in self._lines:
            self._lines[id(graph)] = timeline(graph, self.run, self.device)
        return self._lines[id(graph)]

    @property
    def states(self) -> tuple[tuple[str, int], ...]:
        """By layer, the bytes of the state that it keeps of a sequence, in the dtypes of the run."""
        found = self.steps.caches.states
        if not found:
            return ()
        graph = in_precision(self.steps.long, self.run, self.device)
        nodes = {node.name: node for node in graph.nodes}
        return tuple([(each.layer, each.elements * DTYPE_BYTES[each.dtype_in(nodes[each.layer])]) for each in found])

    @cached_property
    def weights(self) -> int:
        """Bytes of all weights and buffers of the network."""
        graph = in_precision(self.steps.whole, self.run, self.device)
        times = self.steps.whole_times
        return sum(
            [
                times.get(node.name, 1) * sum([weight_type(weight, node).nbytes for weight in node.own_weights])
                for node in graph.nodes
                if node.weights
            ]
        )


def _counted(line: Timeline) -> list[int]:
    """Of each storage its bytes; nothing of weights and cache."""
    return [0 if held.role in OWN_ROLES else nbytes for held, nbytes in zip(line.storages, line.sizes, strict=True)]


def _passing(line: Timeline) -> int:
    """The most that lives at once, without weights and cache."""
    return highest(line.events, _counted(line))[0]


def _line(ones: Sequence[int], others: Sequence[int], first: int, second: int) -> tuple[list[int], list[int]]:
    """What lies on lines through two points each: where they begin, and how steep they are."""
    slopes = [(other - one) // (second - first) for one, other in zip(ones, others, strict=True)]
    return [one - slope * first for one, slope in zip(ones, slopes, strict=True)], slopes


def _highest(events: Sequence[int], bases: Sequence[int], slopes: Sequence[int]) -> Growing:
    """The most that lives at once, of storages that grow along lines."""
    base = slope = 0
    found: set[Line] = set()
    for event in events:
        if event < 0:
            base, slope = base - bases[~event], slope - slopes[~event]
            continue
        base, slope = base + bases[event], slope + slopes[event]
        found.add(Line(base, slope))
    kept: list[Line] = []
    for line in sorted(found, reverse=True):
        if not kept or line.slope > kept[-1].slope:
            kept.append(line)
    return Growing(tuple(kept))


def cache_dict(each: Cached, size: CacheSize) -> dict[str, Any]:
    return {
        "layer": each.layer,
        "times": size.times.get(each.layer, 1),
        "kind": each.kind,
        "elements_per_position": each.elements,
        "expanded_elements_per_position": each.expanded,
        "window": each.window,
        "positions": each.positions if each.kind == "cross" else None,
    }
