"""Variables of an operator of C++ that calls others: how long their tensors live, beyond the last to read them."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from archcost.importers.identity import storage_of
from archcost.importers.recorded import Ref
from archcost.importers.recorder import Recorder
from archcost.importers.trace import tensors_in


class Dispatched(NamedTuple):
    """An operator that a call dispatched: its name, its results, and how many entries there were afterwards."""

    name: str
    results: Sequence[torch.Tensor]
    entries: int


class _Watch(TorchDispatchMode):
    """By operator and result, before which operator the storage of a result is released, if it is within the call."""

    def __init__(self) -> None:
        super().__init__()  # pyright: ignore[reportUnknownMemberType]
        self.names: list[str] = []
        self.released: dict[tuple[int, int], int] = {}
        self.known: set[int] = set()
        self.finalizers: list[Any] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        number = len(self.names)
        self.names.append(func._schema.name)
        self.known.update(storage_of(each) for each in tensors_in((args, kwargs or {})))
        result = func(*args, **(kwargs or {}))
        for place, made in enumerate(tensors_in(result)):
            storage: Any = made.untyped_storage()
            if storage._cdata not in self.known:
                self.known.add(storage._cdata)
                gone = partial(self._gone, (number, place), storage._cdata)
                self.finalizers.append(weakref.finalize(storage, gone))
        return result

    def _gone(self, which: tuple[int, int], storage: int) -> None:
        self.known.discard(storage)
        self.released[which] = len(self.names)

    def end(self) -> None:
        for each in self.finalizers:
            each.detach()


def local_tensors(
    call: Callable[[], object], dispatched: Sequence[Dispatched], record: Recorder
) -> Iterator[tuple[Ref, int]]:
    """The tensors that variables hold, each with the number of the entry that is the last to run meanwhile.

    `call` runs the same operators once more, without autograd, which would hold what it keeps.
    """
    watch = _Watch()
    with torch.no_grad(), watch:
        result = call()
        watch.end()
    del result
    alike = _aligned(watch.names, dispatched)
    if len(alike) < len(watch.names):
        return
    for (number, place), before in watch.released.items():
        made = record.find(alike[number].results[place])
        last = alike[before - 1].entries - 1
        if made is not None and made.kind == "entry":
            yield made, last


AUTOGRAD = ("aten::clone", "aten::detach")
"""What autograd dispatches by itself, where it keeps a copy of what is overwritten."""


def _aligned(names: Sequence[str], dispatched: Sequence[Dispatched]) -> list[Dispatched]:
    """Those of the operators that have the names, in their order; fewer where the two runs went other ways."""
    found: list[Dispatched] = []
    for each in dispatched:
        if len(found) < len(names) and each.name == names[len(found)]:
            found.append(each)
        elif each.name not in AUTOGRAD:
            return []
    return found
