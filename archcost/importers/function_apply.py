"""`apply` of every `torch.autograd.Function`, replaced for a while."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, cast

from torch.autograd import function as autograd_function

Plain = Callable[..., Any]

Applied = Callable[[Any, Plain, Sequence[Any], Mapping[str, Any]], Any]
"""Given the class, its own `apply`, and the arguments."""


@contextmanager
def apply_replaced(applied: Applied) -> Generator[None]:
    """Every Function that this thread applies meanwhile goes through `applied`.

    In torch 2.13 `Function.apply` looks `apply` up in its base class, where it is replaced, so a name bound to it
    earlier is intercepted as well. In 2.14 it is one builtin, and an earlier name is not. Not to be nested.
    """
    own: Any = autograd_function.Function.__dict__["apply"]
    asks_base = isinstance(own, classmethod)
    single: Any = autograd_function._SingleLevelFunction  # pyright: ignore[reportPrivateUsage]
    base: Any = single if asks_base else autograd_function.Function
    before: Any = base.__dict__.get("apply")
    thread = threading.get_ident()

    def apply(cls: Any, *args: Any, **kwargs: Any) -> Any:
        plain = cast("Plain", super(base, cls).apply if asks_base else own.__get__(None, cls))  # pyright: ignore[reportUnknownMemberType]
        return applied(cls, plain, args, kwargs) if threading.get_ident() == thread else plain(*args, **kwargs)

    base.apply = classmethod(apply)
    try:
        yield
    finally:
        if before is None:
            del base.apply
        else:
            base.apply = before
