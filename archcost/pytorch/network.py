"""The module that `build` makes: layers under their dotted names, run in order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from archcost.graph import Port
from archcost.pytorch.shared_weights import own_weight


class Step(NamedTuple):
    """One layer of the forward pass."""

    name: str
    inputs: tuple[Port, ...]
    """What the layer is called with; weights that are given come last."""
    borrows: str | None
    """The layer whose transposed weight this one uses."""
    frees: tuple[Port, ...]
    """What nobody reads after this step, or ever."""


class Network(nn.Module):
    """Takes the network's inputs in order or by name; returns what nobody reads, a tensor or a tuple of them."""

    def __init__(
        self, inputs: Sequence[str], steps: Sequence[Step], outputs: Sequence[Port], order: Sequence[str]
    ) -> None:
        """`order` are the parameters' names as `parameters()` has them, a shared one's by its owner; nn.Module's own
        order would be by containers.
        """
        super().__init__()
        self.order = {name: index for index, name in enumerate(order)}
        self.input_names = tuple(inputs)
        self.steps = tuple(steps)
        self.outputs = tuple(outputs)

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, nn.Parameter]]:
        found = super().named_parameters("", recurse, remove_duplicate=False)
        seen: set[nn.Parameter] = set()
        for name, weight in sorted(found, key=lambda each: self.order.get(each[0], len(self.order))):
            if weight not in seen or not remove_duplicate:
                seen.add(weight)
                yield f"{prefix}.{name}".lstrip("."), weight

    def forward(self, *given: Tensor, **named: Tensor) -> Tensor | tuple[Tensor, ...]:
        values = {Port(name): tensor for name, tensor in self._bind(given, named).items()}
        play(self, self.steps, values)
        returned = tuple(values[port] for port in self.outputs)
        return returned[0] if len(returned) == 1 else returned

    def _bind(self, given: tuple[Tensor, ...], named: dict[str, Tensor]) -> dict[str, Tensor]:
        bound = {**dict(zip(self.input_names, given, strict=False)), **named}
        if len(given) + len(named) != len(self.input_names) or bound.keys() != set(self.input_names):
            wanted, names = ", ".join(self.input_names), ", ".join(named) or "none"
            raise TypeError(f"forward() takes {wanted}; given {len(given)} by position and {names} by name")
        return bound


def play(network: nn.Module, steps: Iterable[Step], values: dict[Port, Tensor]) -> None:
    """Run layers on what stands in `values`; their outputs join it, and what nobody reads any more leaves it."""
    for step in steps:
        tensors = [values[port] for port in step.inputs]
        if step.borrows is not None:
            tensors.append(own_weight(module_at(network, step.borrows)).transpose(0, 1))
        results = as_tuple(module_at(network, step.name)(*tensors))
        values.update({Port(step.name, index): tensor for index, tensor in enumerate(results)})
        for port in step.frees:  # in a checkpoint not all of them are there
            values.pop(port, None)
        del tensors, results


def real_numbers(tensor: Tensor) -> Tensor:
    """The tensor, or the real and imaginary parts of a complex one."""
    return torch.view_as_real(tensor.resolve_conj()) if tensor.is_complex() else tensor


def as_tuple(result: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return (result,) if isinstance(result, Tensor) else tuple(result)


def children_of(module: nn.Module) -> dict[str, nn.Module | None]:
    """A container's modules by name, apart from attributes, since a layer may be called `type` or `forward`."""
    return module._modules  # pyright: ignore[reportPrivateUsage]


def module_at(network: nn.Module, name: str) -> nn.Module:
    """The layer of that dotted name. `get_submodule` would find nn.Module's own `type` instead."""
    module = network
    for part in name.split("."):
        module = cast("nn.Module", children_of(module)[part])
    return module


def place(network: nn.Module, name: str, module: nn.Module) -> None:
    """Put a layer under its dotted name, with the containers above it."""
    *above, last = name.split(".")
    parent = network
    for part in above:
        child = children_of(parent).get(part) or nn.Module()
        children_of(parent)[part] = child
        parent = child
    children_of(parent)[last] = module
