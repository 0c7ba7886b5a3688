"""Which tensors are alive while torch runs: every storage that an operator makes, from its first to its last moment.

A dispatch mode sees what operators hand out, below autograd; it does not see what a kernel allocates for itself.
Under any dispatch mode autograd adds gradients of a fork out of place (torch/csrc/autograd/input_buffer.cpp asks
`isTensorSubclassLike`, which is true then), so that a tracker of this kind reads forks higher than an unwatched run.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from archcost.tensors import TensorType


@dataclass(slots=True)
class Seen:
    """One storage. `begins` and `ends` are ticks, `ends` None while it lives; `operator` None means it was there.

    `tensor` is the first that was seen in it; `where` what the tracker was told of the place that made it.
    """

    key: int
    nbytes: int
    operator: str | None
    moment: str
    begins: int
    tensor: TensorType
    where: str
    ends: int | None = None


@dataclass(slots=True)
class Tracker:
    """Ticks count the comings and goings. `moments` are the labels, each with the tick at which it began."""

    storages: list[Seen] = field(default_factory=list[Seen])
    moments: list[tuple[str, int]] = field(default_factory=list[tuple[str, int]])
    tick: int = 0
    live: int = 0
    peak: int = 0
    """Since the last `mark`."""
    where: Callable[[], str] = str
    """Asked for the place of each new storage."""
    _known: dict[int, tuple[Seen, weakref.ref[Any]]] = field(default_factory=dict[int, Any])

    def mark(self, moment: str) -> None:
        """What follows belongs to this moment."""
        self.moments.append((moment, self.tick))
        self.peak = self.live

    def hold(self, tensors: Iterable[Tensor]) -> None:
        """Count tensors that were there before the tracker."""
        for tensor in tensors:
            self.see(tensor, None)

    def see(self, tensor: Tensor, operator: str | None, where: str = "") -> Seen:
        """The storage of a tensor, counted when it is new; `where` is the place of one that was there before."""
        storage = tensor.untyped_storage()
        known = self._known.get(id(storage))
        if known is not None and known[1]() is storage:
            return known[0]
        self.tick += 1
        moment = self.moments[-1][0] if self.moments else ""
        kind = TensorType(tuple(tensor.shape), str(tensor.dtype).removeprefix("torch."))
        where = where if operator is None else self.where()
        seen = Seen(len(self.storages), storage.nbytes(), operator, moment, self.tick, kind, where)
        self.storages.append(seen)
        self.live += seen.nbytes
        self.peak = max(self.peak, self.live)
        place = id(storage)

        def gone(reference: weakref.ref[Any]) -> None:
            if place in self._known and self._known[place][1] is reference:
                del self._known[place]
            self.tick += 1
            seen.ends = self.tick
            self.live -= seen.nbytes

        self._known[place] = (seen, weakref.ref(storage, gone))
        return seen

    def alive_at(self, tick: int) -> list[Seen]:
        """Just after that tick."""
        return [seen for seen in self.storages if seen.begins <= tick and (seen.ends is None or seen.ends > tick)]

    def watching(self) -> TorchDispatchMode:
        """A context in which every operator's results are seen."""
        return _Watch(self)


class _Watch(TorchDispatchMode):
    def __init__(self, tracker: Tracker) -> None:
        super().__init__()  # pyright: ignore[reportUnknownMemberType]
        self.tracker = tracker

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        results = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(results):
            if isinstance(leaf, Tensor):
                self.tracker.see(leaf, str(func))
        return results
