"""What an importer records of a network before layers have names, whether it reads a torch module or an ONNX file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol

from archcost.layers import Layer


class Ref(NamedTuple):
    """Where a tensor comes from: an entry (by its number), an input (by its name) or a weight (by its dotted path)."""

    kind: Literal["entry", "input", "weight"]
    key: int | str
    output: int = 0


class AutocastRegion(NamedTuple):
    """An autocast that the module itself enters: its dtype or `off`; its device, None for the one it runs on. Or a call
    that autocast takes as one (`float32`), by its number.
    """

    dtype: str
    device: str | None
    call: int = 0


@dataclass(frozen=True, slots=True)
class Entry:
    """A recorded layer: what it reads, where its weights come from, the path of the module that called it, and the
    module's own autocast that it was called under.
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
    """What a run showed beside its entries.

    `holds`: tensors that stay alive until an entry is done, by its number. `state`: tensors that the module keeps until
    an entry of the next step. `assumptions`: what the numbers rest on.
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
    @property
    def stays_wide(self) -> bool:
        """Whether it is in float32, in a module most of which is in 16 bits."""
        ...


class NetworkRecord(Protocol):
    """All entries of a network, and its weights by their dotted paths."""

    @property
    def entries(self) -> Sequence[Entry]: ...
    @property
    def weights(self) -> Mapping[str, Weight]: ...
