"""Regions of forward that a module runs under an autocast of its own: `torch.autocast` is intercepted.

The module runs without autocast around it. When it enters `torch.autocast(…, enabled=False)`, or one with a dtype, a
region begins. Where it asks whether autocast is on, the first run answers no and the second yes, and what it enters
then counts.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch.amp.autocast_mode import autocast

from archcost.importers.recorded import AutocastRegion

AUTOCAST_QUERIES = ("is_autocast_enabled", "is_autocast_cpu_enabled")


class AmbientAutocast(int):
    """True as the answer to `torch.is_autocast_enabled()`. Passed on as `enabled` of torch.autocast, it means whatever
    is set outside.
    """


@contextmanager
def _attributes_replaced(holder: Any, attributes: Mapping[str, Any]) -> Generator[None]:
    before = {name: getattr(holder, name) for name in attributes}
    try:
        for name, value in attributes.items():
            setattr(holder, name, value)
        yield
    finally:
        for name, value in before.items():
            setattr(holder, name, value)


class RegionTracker:
    """The regions that are entered at the moment, the innermost last."""

    def __init__(self, answer: bool = False) -> None:
        self.open: list[AutocastRegion | None] = []
        self.answer = answer
        """The answer to the question whether autocast is on."""
        self.was_asked = False

    @property
    def current(self) -> AutocastRegion | None:
        return self.open[-1] if self.open else None

    def _of(self, device: str, dtype: Any, enabled: Any) -> AutocastRegion | None:
        """The region that is entered; None for what is set outside."""
        if isinstance(enabled, AmbientAutocast):
            return self.current
        word = str(dtype).removeprefix("torch.") if enabled else "off"
        return AutocastRegion(word, "cuda" if device == "cuda" else None)

    @contextmanager
    def intercepted(self) -> Generator[None]:
        """Every torch.autocast that is entered or left is noted."""
        made, enter, leave = autocast.__init__, autocast.__enter__, autocast.__exit__
        wishes: dict[int, tuple[str, Any, Any]] = {}

        def init(
            mode: Any, device_type: str, dtype: Any = None, enabled: Any = True, cache_enabled: Any = None
        ) -> None:
            made(mode, device_type, dtype=dtype, enabled=bool(enabled), cache_enabled=cache_enabled)
            wishes[id(mode)] = (device_type, dtype or torch.get_autocast_dtype(device_type), enabled)

        def entered(mode: Any) -> Any:
            device, dtype, enabled = wishes.get(id(mode), (mode.device, mode.fast_dtype, mode._enabled))
            with _attributes_replaced(torch, asked):  # what it finds is put back when it is left
                result = enter(mode)
            self.open.append(self._of(device, dtype, enabled))
            return result

        def left(mode: Any, *error: Any) -> Any:
            self.open.pop()
            return leave(mode, *error)

        asked = {name: getattr(torch, name) for name in AUTOCAST_QUERIES}
        answers = {name: self._answering(function) for name, function in asked.items()}
        switches = {"__init__": init, "__enter__": entered, "__exit__": left}
        with _attributes_replaced(autocast, switches), _attributes_replaced(torch, answers):
            yield

    def _answering(self, function: Callable[..., bool]) -> Callable[..., Any]:
        def answer(*args: Any) -> Any:
            self.was_asked = True
            innermost = self.current
            if innermost is not None:
                return innermost.dtype != "off"
            return AmbientAutocast(1) if self.answer else function(*args)

        return answer
