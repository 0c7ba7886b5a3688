"""Weights that are not a layer's own: another layer's, or given at every call."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from archcost.errors import ArchcostError, shorten


@dataclass(slots=True)
class Lent:
    """In place of the module's `forward`: takes the weights of these names behind its inputs.

    A module of its own around the layer would change the names of the layer's parameters.
    """

    module: nn.Module
    names: tuple[str, ...]

    def __call__(self, *tensors: Tensor) -> Any:
        inputs, weights = tensors[: -len(self.names)], tensors[-len(self.names) :]
        with self._holding(weights):
            return type(self.module).forward(self.module, *inputs)

    def weight(self, tensors: Sequence[Tensor]) -> Tensor | None:
        """That of the name `weight` among the tensors of a call."""
        return dict(zip(reversed(self.names), reversed(tensors), strict=False)).get("weight")

    @contextmanager
    def _holding(self, weights: Sequence[Tensor]) -> Generator[None]:
        """Attributes of the instance are found before parameters, of which the module has none by these names."""
        attributes = vars(self.module)
        attributes.update(zip(self.names, weights, strict=True))
        _list_weights(self.module)
        try:
            yield
        finally:
            for name in self.names:
                del attributes[name]
            _list_weights(self.module)


def _list_weights(module: nn.Module) -> None:
    """A recurrent layer has its weights in a list besides, which it would bring up to date only at its next call."""
    if isinstance(module, nn.RNNBase):
        recurrent: Any = module
        names: list[str] = recurrent._flat_weights_names
        recurrent._flat_weights = [getattr(module, name) for name in names]
        recurrent._flat_weight_refs = [None] * len(names)


def lend(module: nn.Module, given: Mapping[str, Tensor]) -> nn.Module:
    """The module without the weights of these names, which it takes behind its inputs from now on.

    Raises ArchcostError where it has no such weight, or one of another shape.
    """
    for name, tensor in given.items():
        weight = getattr(module, name, None)
        if not isinstance(weight, Tensor):
            raise ArchcostError(f"{shorten(name)} is given, which is no weight of this layer", found=shorten(name))
        _require_shape(f"the given {name}", weight, tensor)
        setattr(module, name, None)
    if given:
        module.forward = Lent(module, tuple(given))
    return module


def share(module: Any, owner: nn.Module) -> nn.Module:
    """`module` with the weight of `owner`, the same parameter. Raises ArchcostError when the shapes differ."""
    weight = own_weight(owner)
    _require_shape("the shared weight", module.weight, weight)
    module.weight = weight
    return module


def own_weight(owner: nn.Module) -> nn.Parameter:
    """Raises ArchcostError for a layer that has none."""
    weight = getattr(owner, "weight", None)
    if not isinstance(weight, nn.Parameter):
        raise ArchcostError("shares the weight of a layer that has none of its own", found=type(owner).__name__)
    return weight


def used_weight(module: nn.Module, tensors: Sequence[Tensor]) -> Tensor | None:
    """The weight that a layer works with, called with these tensors; None where it has none."""
    lent = vars(module).get("forward")
    weight = lent.weight(tensors) if isinstance(lent, Lent) else None
    weight = getattr(module, "weight", None) if weight is None else weight
    return weight if isinstance(weight, Tensor) else None


def _require_shape(what: str, weight: Tensor, found: Tensor) -> None:
    if weight.shape != found.shape:
        raise ArchcostError(
            f"{what} has another shape", expected=str(tuple(weight.shape)), found=str(tuple(found.shape))
        )
