"""What every factory shares: fields of a layer go to torch under torch's own names."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any, Self, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from archcost.errors import ArchcostError
from archcost.layers import Layer, WeightedLayer, own
from archcost.layers.shape.copy import LIKE, WEIGHTS

Inputs = tuple[Tensor, ...]
"""Meta tensors of a batch of 2: what a layer will be given, as torch worked it out."""

Factory = Callable[[Any, Inputs], nn.Module]

NOT_TORCH = frozenset(WeightedLayer.model_fields)
"""Fields of the wiring: type, name, inputs, trainable."""


def settings(layer: Layer, *without: str) -> dict[str, Any]:
    """The layer's own fields, which carry torch's names, as keyword arguments."""
    names = type(layer).model_fields.keys() - NOT_TORCH - set(without)
    fields = {name: getattr(layer, name) for name in names}
    return fields | {"dtype": dtype_of(fields["dtype"])} if fields.get("dtype") else fields


def dtype_of(name: str) -> torch.dtype:
    return getattr(torch, name)


class Packed(nn.Parameter):
    """A frozen weight of so many values, of which a byte may hold several."""

    held: int

    def __new__(cls, codes: Tensor, held: int) -> Self:
        made = torch.Tensor._make_subclass(cls, codes, False)  # pyright: ignore
        made.held = held
        return made

    def __init__(self, codes: Tensor, held: int) -> None: ...


def values_of(weight: Tensor) -> int:
    """How many values a weight is."""
    return weight.held if isinstance(weight, Packed) else weight.numel()


def scales_of(network: nn.Module) -> Iterator[Tensor]:
    """The buffers that belong to quantised weights."""
    for module in network.modules():
        if any(isinstance(weight, Packed) for weight in module.parameters(recurse=False)):
            yield from module.buffers(recurse=False)


WRITTEN: dict[type[Layer], Factory] = {}
"""By class of layers, the factories that stand in this folder: where a card does not say all."""


def mirrors(*kinds: type[Layer]) -> Callable[[Factory], Factory]:
    """Registers a factory for layers of these classes."""

    def register(factory: Factory) -> Factory:
        WRITTEN.update(dict.fromkeys(kinds, factory))
        return factory

    return register


def factory_of(kind: type[Layer]) -> Factory:
    """What makes the module of a layer. Raises KeyError where neither a factory nor a card says so, ArchcostError of a
    class that others wrote.
    """
    if kind in WRITTEN:
        return WRITTEN[kind]
    if (registered := own.of_class(kind)) is not None:
        return _factory_of_own(registered)
    place, _, name = (kind.card.torch or "").partition(".")
    match place:
        case "nn":
            return plain(getattr(nn, name))
        case "torch":
            return function(getattr(torch, name))
        case "special":
            return function(getattr(torch.special, name))
        case "functional":
            return function(getattr(functional, name))
        case "Tensor":
            return method(name)
        case _:
            raise KeyError(f"{kind.__name__} has no factory, and nothing of torch on its card")


def _factory_of_own(registered: own.OwnLayer) -> Factory:
    written, where = registered.hook("mirror"), registered.kind.card.torch
    if written is not None:
        return written
    name = own.class_name(registered.kind)
    if where is None:
        raise ArchcostError(
            f"nothing of torch is told for {registered.type}, so that it cannot be proven",
            expected='torch="module:name" on the card, or register_layer(mirror=…)',
            found=f"{name} without either",
        )
    if ":" not in where:
        place, _, attribute = where.partition(".")
        homes: dict[str, Any] = {"nn": nn, "torch": torch, "functional": functional}
        if place == "Tensor" and hasattr(Tensor, attribute):
            return method(attribute)
        if not hasattr(homes.get(place), attribute):
            raise ArchcostError(f"torch has no {where}", expected=f"what the card of {name} names", found=where)
        found = getattr(homes[place], attribute)
    else:
        found = own.named(where, f"torch= on the card of {name}")
    is_module = isinstance(found, type) and issubclass(cast("type[Any]", found), nn.Module)
    return plain(found) if is_module else function(_by_names(cast("Callable[..., Any]", found)))


def _by_names(operation: Callable[..., Any]) -> Callable[..., Any]:
    """The function with tensors for those of its parameters, in order, that no setting names."""
    try:
        parameters = inspect.signature(operation).parameters.values()
    except (TypeError, ValueError):
        return operation
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    if any(each.kind not in kinds for each in parameters):
        return operation
    names = [each.name for each in parameters]

    def called(*tensors: Tensor, **settings: Any) -> Any:
        free = [name for name in names if name not in settings][: len(tensors)]
        return operation(**dict(zip(free, tensors, strict=True)), **settings)

    return called


def module_of(layer: Layer) -> Callable[..., nn.Module]:
    """The module of torch that its card names."""
    return getattr(nn, str(layer.card.torch).removeprefix("nn."))


def plain(module: Callable[..., nn.Module]) -> Factory:
    """A layer that needs to know nothing of its inputs."""

    def factory(layer: Layer, inputs: Inputs) -> nn.Module:
        return module(**settings(layer))

    return factory


class OfDtype(nn.Module):
    """Knows the dtype that a layer names. `weights` is that of the network's, which `module.to(dtype)` changes."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.follows = name == WEIGHTS
        self.dtype = torch.float32 if name in (WEIGHTS, LIKE) else dtype_of(name)
        self.device = torch.empty(0).device

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        moved = fn(torch.empty(0, dtype=self.dtype, device=self.device))
        self.device, self.dtype = moved.device, moved.dtype if self.follows else self.dtype
        return super()._apply(fn, recurse)  # pyright: ignore[reportUnknownMemberType]


class Called(nn.Module):
    """A function of torch as a module: tensors by position, settings by name."""

    def __init__(self, operation: Callable[..., Any], settings: dict[str, Any]) -> None:
        super().__init__()
        self.operation = operation
        self.settings = settings

    def forward(self, *tensors: Tensor) -> Any:
        return self.operation(*tensors, **self.settings)

    def extra_repr(self) -> str:
        name = getattr(self.operation, "__name__", repr(self.operation))
        return ", ".join([name, *(f"{field}={value!r}" for field, value in self.settings.items())])


def function(operation: Callable[..., Any]) -> Factory:
    """A layer for which torch has a function and no module."""

    def factory(layer: Layer, inputs: Inputs) -> nn.Module:
        return Called(operation, settings(layer))

    return factory


def method(name: str) -> Factory:
    """A method of tensors, or where the layer overwrites its twin with an underscore. What is not set is left out."""

    def factory(layer: Layer, inputs: Inputs) -> nn.Module:
        overwrites = getattr(layer, "inplace", False)
        operation = getattr(Tensor, f"{name}_" if overwrites else name)
        return Called(
            operation, {field: value for field, value in settings(layer, "inplace").items() if value is not None}
        )

    return factory
