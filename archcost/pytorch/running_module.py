"""Which module is at work: in forward the one whose forward runs, in backward the one whose forward made the node."""

from __future__ import annotations

import sys
from bisect import bisect_right
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook

from archcost.pytorch.user_module import Path


class Whereabouts:
    """`ran` are the paths of the modules that were called, in order, each once; `failed` is the innermost whose forward
    raised something, until another is called.
    """

    def __init__(self, modules: Mapping[Path, nn.Module]) -> None:
        self.ran: dict[Path, None] = {"": None}
        self.failed: Path | None = None
        self._paths = {id(module): path for path, module in modules.items()}
        self._inside: list[Path] = []
        self._from = [0]
        self._since: list[Path] = [""]
        """Nodes of autograd are numbered as they are made: those from `_from[i]` on are made in module `_since[i]`."""

    def path(self) -> Path:
        """The path of the module that runs now."""
        if self._inside:
            return self._inside[-1]
        node: Any = torch._C._current_autograd_node()  # pyright: ignore
        return "" if node is None else self._since[bisect_right(self._from, node._sequence_nr()) - 1]

    @contextmanager
    def followed(self) -> Generator[None]:
        """While it runs. Modules that forward itself makes count to the one that made them."""

        def enter(module: nn.Module, given: Any) -> None:
            path = self._paths.get(id(module), self._inside[-1] if self._inside else "")
            self.ran.setdefault(path)
            self.failed = None
            self._inside.append(path)
            self._note()

        def leave(module: nn.Module, given: Any, result: Any) -> None:
            if result is None and self.failed is None and sys.exc_info()[0] is not None:
                self.failed = self._inside[-1]
            self._inside.pop()
            self._note()

        hooks = [register_module_forward_pre_hook(enter), register_module_forward_hook(leave, always_call=True)]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def _note(self) -> None:
        self._from.append(torch.autograd._get_sequence_nr())  # pyright: ignore
        self._since.append(self._inside[-1] if self._inside else "")
