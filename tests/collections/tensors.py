"""Tensors anywhere in what a model returns, found without the importer that they are a witness of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from torch import Tensor, nn


def tensors_of(tree: Any) -> list[Tensor]:
    """Each once, in order: of tuples, lists, sets and dicts, and of objects with attributes or slots."""
    found: list[Tensor] = []
    seen: set[int] = set()
    todo: list[Any] = [tree]
    while todo:
        value = todo.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, Tensor):
            found.append(value)
        else:
            todo += reversed(_parts(value))
    return found


def _parts(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(cast("dict[Any, Any]", value).values())
    if isinstance(value, (list, tuple, set)):
        return list(cast("Sequence[Any]", value))
    if isinstance(value, (type, nn.Module)):
        return []
    slots: Any = getattr(type(value), "__slots__", ())
    names = (slots,) if isinstance(slots, str) else slots
    return [*getattr(value, "__dict__", {}).values(), *(getattr(value, name, None) for name in names)]


def summed(results: Sequence[Tensor]) -> Tensor | None:
    """The loss: the sum of the outputs that have a gradient, in their order."""
    total = None
    for result in results:
        if result.requires_grad and result.is_floating_point():
            term = result if result.dim() == 0 else result.sum()
            total = term if total is None else total + term
    return total
