"""A layer with its adapter, as the layers that PEFT's module runs: a composite, whose sizes follow from its input."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property, lru_cache
from typing import Any, ClassVar, Literal, NamedTuple

from archcost.layers import LAYERS, Composite, Layer
from archcost.terms.memory_format import Shape


class Part(NamedTuple):
    """A layer of the module, and what its variables hold until it is done: names of earlier parts."""

    layer: Layer
    holds: tuple[str, ...] = ()


Parts = Callable[[Shape | None], Sequence[Part]]
"""The parts for an input of some shape; for None those of any, of which only kinds and wiring count."""


class AdaptedLayer(Composite):
    """What stands in the place of a layer. It is told by its identity: whoever makes equal ones makes one of them."""

    type: Literal["(adapted)"] = "(adapted)"
    most_parts: ClassVar[int] = 40
    recipe: Any

    def parts(self, shape: Shape) -> tuple[Layer, ...]:
        return tuple([part.layer for part in self.recipe(shape)])

    def sketch(self) -> tuple[Layer, ...]:
        return tuple([part.layer for part in self.sketched])

    def holds(self) -> tuple[tuple[str, ...], ...]:
        """By part what its variables hold."""
        return tuple([part.holds for part in self.sketched])

    @cached_property
    def sketched(self) -> tuple[Part, ...]:
        """Worked out once, however often the composite stands in a network."""
        return tuple(self.recipe(None))

    def __hash__(self) -> int:
        return id(self)

    def __eq__(self, other: object) -> bool:
        return self is other


@lru_cache(maxsize=4000)
def made(type_: str, name: str, inputs: tuple[str, ...], **fields: Any) -> Layer:
    """A layer of that type. Equal ones are one object, which is worked out once."""
    return LAYERS[type_].model_validate({"type": type_, "name": name, "inputs": inputs, **fields})


def field_of(layer: Layer, field: str) -> Any:
    """What a layer of some type says."""
    return layer.__dict__[field]


def placed(layer: Layer, name: str, inputs: tuple[str, ...], **fields: Any) -> Layer:
    """A layer of the network under another name, reading others."""
    return layer.model_copy(update={"name": name, "inputs": inputs, **fields})
