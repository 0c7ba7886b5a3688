"""Calls that a function mode does not intercept by itself: of TorchScript, of torch.compile, and in torch.vmap."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any, cast

import torch
from torch.overrides import handle_torch_function

from archcost.importers.opaque import OutOfSightError

_C = cast("Any", torch._C)  # pyright: ignore[reportPrivateUsage]


@dataclass(frozen=True, slots=True)
class Scripted:
    """A function of TorchScript in the form of a torch function, so that the mode intercepts it."""

    function: Any = field(compare=False)
    run: Callable[..., Any] = field(compare=False)

    @property
    def __name__(self) -> str:
        return "scripted"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.run(self.function, *args, **kwargs)


@contextmanager
def intercepted() -> Generator[None]:
    """Scripted functions are intercepted like those of torch, and compiled ones run as the Python that they were."""
    class_ = _C.ScriptFunction
    run = class_.__call__

    def call(function: Any, *args: Any, **kwargs: Any) -> Any:
        if not _C._is_torch_function_mode_enabled():
            return run(function, *args, **kwargs)
        if "aten::detach" in str(function.inlined_graph):
            raise OutOfSightError(
                "a scripted function detaches tensors, which is not seen",
                expected="the function as it was before torch.jit",
                found=str(function.name),
            )
        return handle_torch_function(Scripted(function, run), (), *args, **kwargs)

    class_.__call__ = call
    try:
        with _eagerly():
            yield
    finally:
        class_.__call__ = run


def _eagerly() -> AbstractContextManager[Any]:
    """Nothing is compiled meanwhile. Where the compiler was never loaded, it is not loaded for this."""
    if "torch._dynamo" not in sys.modules:
        return nullcontext()
    return cast("AbstractContextManager[Any]", torch.compiler.set_stance("force_eager"))


def in_vmap() -> bool:
    """Whether torch.vmap is active, whose tensors hide an axis. Raises OutOfSightError for other transforms."""
    if _C._functorch.maybe_current_level() is None:
        return False
    kinds = {each.key().name for each in _C._functorch.get_interpreter_stack()}
    if kinds != {"Vmap"}:
        raise gradients_taken(f"a transform of torch.func ({', '.join(sorted(kinds - {'Vmap'}))})")
    return True


def gradients_taken(found: str) -> OutOfSightError:
    return OutOfSightError(
        "forward takes gradients of its own while it runs",
        expected="a forward with no backward in it",
        found=found,
        hint="the network whose gradient it takes, imported by itself",
    )


GRADIENT_CALLS = {"grad": "torch.autograd.grad", "backward": "backward()"}
"""Calls that take gradients, by their names."""
