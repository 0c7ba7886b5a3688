"""Wrapper tensors: subclasses that consist of other tensors, such as quantised weights, and define what calls do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, cast

from torch import Tensor, nn
from torch.utils._python_dispatch import is_traceable_wrapper_subclass

from archcost.importers.trace import tensors_in


def is_wrapper(tensor: Tensor) -> bool:
    return type(tensor) not in (Tensor, nn.Parameter) and is_traceable_wrapper_subclass(tensor)


def wrapper_in(args: Any, kwargs: Any) -> Tensor | None:
    return next((tensor for tensor in tensors_in((args, kwargs)) if is_wrapper(tensor)), None)


def parts_of(name: str, tensor: Tensor) -> Iterator[tuple[str, Tensor]]:
    """The tensor itself, or those that a wrapper consists of, with dotted names."""
    if not is_wrapper(tensor):
        yield name, tensor
        return
    wrapper: Any = tensor
    for inner in wrapper.__tensor_flatten__()[0]:
        yield from parts_of(f"{name}.{inner}", getattr(wrapper, inner))


def weights_of(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """The parameters, then the buffers; of wrappers the tensors that they consist of."""
    for name, tensor in (*module.named_parameters(), *module.named_buffers()):
        yield from parts_of(name, tensor)


def made_of(tensor: Tensor, stand_in: Callable[[Tensor], Tensor]) -> Tensor:
    """A copy of a wrapper with other tensors in it; a parameter if it was one."""
    if not is_wrapper(tensor):
        return stand_in(tensor)
    wrapper: Any = tensor
    names, context = wrapper.__tensor_flatten__()
    inner = {name: made_of(getattr(wrapper, name), stand_in) for name in names}
    class_ = cast("Any", type(wrapper))
    made: Any = class_.__tensor_unflatten__(inner, context, tensor.shape, tensor.stride())
    made.requires_grad_(tensor.requires_grad)
    made._is_param = isinstance(tensor, nn.Parameter)
    return cast("Tensor", made)


def own_rule(wrapper: Tensor) -> Callable[..., Any] | None:
    """The `__torch_function__` of the wrapper's class, where it has one of its own."""
    class_: Any = type(wrapper)
    rule: Any = class_.__torch_function__
    plain = cast("Any", Tensor).__torch_function__
    is_own = hasattr(rule, "__func__") and rule.__func__ is not plain.__func__
    return cast("Callable[..., Any]", rule) if is_own else None


def own_operator(wrapper: Tensor) -> Callable[..., Any]:
    """The `__torch_dispatch__` of the wrapper's class."""
    class_: Any = type(wrapper)
    return cast("Callable[..., Any]", class_.__torch_dispatch__)
