"""What an importer writes down of a network, before layers have names: torch or no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol

from archcost.layers import Layer


class Ref(NamedTuple):
    """An output of an entry by its number, an input of the network by its name, or a weight by its dotted path."""

    kind: Literal["entry", "input", "weight"]
    key: int | str
    output: int = 0


class AutocastRegion(NamedTuple):
    """An autocast of the module's own: a dtype or `off`, and its device where that is not whichever it runs on."""

    dtype: str
    device: str | None


@dataclass(frozen=True, slots=True)
class Entry:
    """A layer in its place: what it reads, whose its weights are, in which module and under which autocast of the
    module's own it was called.
    """

    layer: Layer
    reads: tuple[Ref, ...]
    weights: Mapping[str, Ref]
    path: str
    region: AutocastRegion | None = None


class Checkpointed(NamedTuple):
    """Entries from `first` up to `end` that the module computes again in backward."""

    first: int
    end: int
    reentrant: bool


@dataclass(frozen=True, slots=True)
class Observations:
    """What was seen of a run beside its entries: what something names until an entry is done, by its number; what the
    module keeps from step to step, until this entry of the next; what the numbers rest on.
    """

    holds: Mapping[int, Sequence[Ref]] = field(default_factory=dict[int, Sequence[Ref]])
    state: Mapping[Ref, int] = field(default_factory=dict[Ref, int])
    assumptions: Sequence[str] = ()
    checkpoints: Sequence[Checkpointed] = ()


class Weight(Protocol):
    """A parameter or buffer; `tensor` has a shape and a dtype."""

    @property
    def tensor(self) -> Any: ...
    @property
    def is_buffer(self) -> bool: ...
    @property
    def trainable(self) -> bool: ...


class NetworkRecord(Protocol):
    """A record of a whole network."""

    @property
    def entries(self) -> Sequence[Entry]: ...
    @property
    def weights(self) -> Mapping[str, Weight]: ...
