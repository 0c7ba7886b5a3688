"""What serving takes of a device's memory: weights, the cache in blocks, and what one step makes and drops."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, NamedTuple, get_args

from archcost.costs.timeline import Timeline, timeline
from archcost.passes.caches import Cached
from archcost.passes.run import Run
from archcost.serving.steps import Steps, up_to
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
        return sum([self._times(each) * self._position(each) * each.positions for each in fixed])

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

    def prefill(self, tokens: int, sequences: int) -> int:
        """Bytes of one step over so many tokens of each sequence."""
        single, grown = self._prefills.get(tokens) or (_passing(self.line(self.steps.prefill(tokens))), None)
        if sequences > 1 and grown is None:
            grown = _growing(*(self.line(self.steps.prefill(tokens, count)) for count in (2, 3)))
        self._prefills[tokens] = (single, grown)
        return single if grown is None or sequences == 1 else max(single, grown.at(sequences))

    def decode(self, past: int, sequences: int) -> int:
        """Bytes of a step of one token of each sequence, after so many."""
        if past not in self._decodes:
            few, more = (self.line(self.steps.decode(past, count * self.steps.share)) for count in (2, 3))
            self._decodes[past] = _growing(few, more)
        return self._decodes[past].at(up_to(sequences, self.steps.share))

    def line(self, graph: object) -> Timeline:
        return timeline(graph, self.run, self.device)  # pyright: ignore[reportArgumentType]: a graph

    @cached_property
    def weights(self) -> int:
        """Bytes of all weights and buffers of the network."""
        line = self.line(self.steps.whole)
        times = self.steps.times
        held = [line.program.storages[number] for number in line.program.resident]
        return sum([times.get(each.owner, 1) * each.nbytes for each in held if each.role in ("weights", "buffers")])


def _passing(line: Timeline) -> int:
    """The most that lives at once, without weights and cache."""
    sizes = [0 if held.role in OWN_ROLES else nbytes for held, nbytes in zip(line.storages, line.sizes, strict=True)]
    live = most = 0
    for event in line.events:
        live += sizes[event] if event >= 0 else -sizes[~event]
        most = max(most, live)
    return most


def _growing(few: Timeline, more: Timeline) -> Growing:
    """From the same step of two numbers of sequences, of which all sizes are lines."""
    assert few.events == more.events, "another batch makes the same tensors"
    apart = more.graph.batch - few.graph.batch
    lines: list[Line] = []
    for held, one, other in zip(few.storages, few.sizes, more.sizes, strict=True):
        slope = 0 if held.role in OWN_ROLES else (other - one) // apart
        lines.append(Line(0 if held.role in OWN_ROLES else one - slope * few.graph.batch, slope))
    base = slope = 0
    found: set[Line] = set()
    for event in few.events:
        sign, (more_base, more_slope) = (1, lines[event]) if event >= 0 else (-1, lines[~event])
        base, slope = base + sign * more_base, slope + sign * more_slope
        if sign > 0:
            found.add(Line(base, slope))
    kept: list[Line] = []
    for line in sorted(found, reverse=True):
        if not kept or line.slope > kept[-1].slope:
            kept.append(line)
    return Growing(tuple(kept))
