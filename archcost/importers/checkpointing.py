"""Calls of `torch.utils.checkpoint` in a module: which entries it would compute again in backward."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils import checkpoint as module

from archcost.importers.recorded import Checkpointed
from archcost.importers.recorder import Recorder

NESTED = "a checkpoint around others only runs forward once more, which is not counted"


class Checkpoints:
    """The checkpoints of one run, in order; of nested ones the inner.

    An outer checkpoint runs all of its forward again, after which the inner ones hold what they held: what is alive is
    the same as without it.
    """

    def __init__(self, record: Recorder) -> None:
        self.record = record
        self.found: list[Checkpointed] = []
        self.assumptions: tuple[str, ...] = ()

    @contextmanager
    def marked(self, reentrant: bool) -> Generator[None]:
        """What is recorded meanwhile is one checkpoint, if autograd is on."""
        first, in_function, before = len(self.record.entries), self.record.in_function, len(self.found)
        self.record.in_function |= reentrant and not torch.is_grad_enabled()
        try:
            yield
        finally:
            self.record.in_function = in_function
        end = len(self.record.entries)
        if len(self.found) > before:
            self.assumptions = (NESTED,)
        elif end > first and torch.is_grad_enabled():
            self.found.append(Checkpointed(first, end, reentrant))


Mark = Callable[[bool], AbstractContextManager[None]]
"""A context for the function of a checkpoint, given whether it is reentrant."""


@contextmanager
def intercepted(mark: Mark) -> Generator[None]:
    """Functions that are checkpointed run as they are, with `mark` around each.

    Both implementations are replaced in torch's own module, where `checkpoint` looks them up.
    """
    own: Any = module
    plain = "_checkpoint_without_reentrant_generator"
    if hasattr(own, f"{plain}_impl"):  # torch 2.14
        plain += "_impl"
    names = (plain, "CheckpointFunction")
    before = {name: getattr(own, name) for name in names}

    def generator(*_: Any, **__: Any) -> Generator[None]:
        with mark(False):
            yield

    try:
        setattr(own, plain, generator)
        own.CheckpointFunction = _Reentrant(mark)
        yield
    finally:
        for name, value in before.items():
            setattr(own, name, value)


class _Reentrant:
    """In place of CheckpointFunction. Autograd is off where no argument requires a gradient, as in torch."""

    def __init__(self, mark: Mark) -> None:
        self.mark = mark

    def apply(self, function: Callable[..., Any], preserve: bool, *args: Any) -> Any:
        wanted = any(each.requires_grad for each in args if isinstance(each, Tensor))
        with torch.set_grad_enabled(wanted and torch.is_grad_enabled()), self.mark(True):
            return function(*args)
