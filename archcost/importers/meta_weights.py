"""A module with meta tensors in place of its weights, for as long as it runs."""

from __future__ import annotations

from collections import OrderedDict, defaultdict, deque
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from copy import copy
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from archcost.importers.function_mode import MOST_VALUES
from archcost.importers.lazy_weights import waiting
from archcost.importers.recorder import ModuleWeight
from archcost.importers.tensor_subclasses import is_wrapper, made_of, parts_of

CONTAINERS = (list, dict, set, deque, OrderedDict, defaultdict)
"""Attributes whose contents forward may change."""


def modules_of(module: nn.Module) -> list[tuple[str, nn.Module]]:
    return list(module.named_modules())  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType, reportUnknownMemberType]


@contextmanager
def meta_weights(
    module: nn.Module, dtype: torch.dtype = torch.float32, trained: bool = True
) -> Generator[tuple[dict[str, ModuleWeight], dict[int, Tensor]]]:
    """Meta tensors in place of every parameter and buffer: yields them by path, and by the identity of the original.

    Floats are in `dtype`, but for those that the module keeps in float32; without `trained` none requires a gradient.
    Afterwards every module has its attributes of before, and lists, dicts and sets among them their contents.
    """
    wide = kept_in_float32(module)
    weights: dict[str, ModuleWeight] = {}
    stand_ins: dict[int, Tensor] = {}

    def replaced(tensor: Tensor | None, name: str, is_buffer: bool) -> Any:
        if tensor is None:
            return None
        if is_lazy(tensor):
            return waiting(tensor, is_buffer)
        if id(tensor) not in stand_ins:
            is_wide = id(tensor) in wide
            own = torch.float32 if is_wide else dtype
            made = stand_ins[id(tensor)] = _stand_in(tensor, is_buffer, own, trained)
            for part, each in parts_of(name, made):
                weights[part] = ModuleWeight(each, is_buffer, tensor.requires_grad, is_wide)
        return stand_ins[id(tensor)]

    modules = modules_of(module)
    with _attributes_kept([each for _, each in modules]):
        for path, each in modules:
            for kind in ("_parameters", "_buffers"):
                owned = cast("dict[str, Tensor | None]", vars(each)[kind])
                vars(each)[kind] = {
                    key: replaced(tensor, f"{path}.{key}".lstrip("."), kind == "_buffers")
                    for key, tensor in owned.items()
                }
        yield weights, stand_ins


def kept_in_float32(module: nn.Module) -> frozenset[int]:
    """Identities of the parameters and buffers that are in float32 while most of the module's floats are in 16 bits.

    Adapters over a base in bfloat16 are, and norms that are kept apart.
    """
    floats = [tensor for tensor in module.parameters() if not is_lazy(tensor) and tensor.is_floating_point()]
    narrow = sum([tensor.numel() for tensor in floats if tensor.element_size() == 2])
    if 2 * narrow <= sum([tensor.numel() for tensor in floats]):
        return frozenset()
    return frozenset([id(tensor) for tensor in (*floats, *module.buffers()) if tensor.dtype == torch.float32])


@contextmanager
def _attributes_kept(modules: Sequence[nn.Module]) -> Generator[None]:
    before = [(each, type(each), dict(vars(each))) for each in modules]
    containers: list[Any] = [
        value for *_, attributes in before for value in attributes.values() if type(value) in CONTAINERS
    ]
    contents = [copy(value) if value else () for value in containers]
    try:
        yield
    finally:
        for each, class_, attributes in before:
            each.__class__ = class_  # a lazy module takes another
            vars(each).clear()
            vars(each).update(attributes)
        for container, content in zip(containers, contents, strict=True):
            container.clear()
            if content:
                getattr(container, "extend" if hasattr(container, "extend") else "update")(content)


def _stand_in(tensor: Tensor, is_buffer: bool, dtype: torch.dtype, trained: bool) -> Tensor:
    if is_wrapper(tensor):
        return made_of(
            tensor,
            lambda part: torch.empty(
                part.shape,
                dtype=dtype if part.is_floating_point() and part.element_size() > 1 else part.dtype,
                device="meta",
            ),
        )
    if is_buffer and not tensor.is_meta and not tensor.is_floating_point() and tensor.numel() <= MOST_VALUES:
        return tensor.detach().to("cpu", torch.complex64 if tensor.is_complex() else tensor.dtype, copy=True)
    if tensor.is_complex():
        dtype = torch.complex64
    elif not tensor.is_floating_point() or tensor.element_size() == 1:
        dtype = tensor.dtype
    made = torch.empty(tensor.shape, dtype=dtype, device="meta")
    return made if is_buffer else nn.Parameter(made, requires_grad=trained and tensor.requires_grad)
