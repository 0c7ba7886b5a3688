"""What an adapter can be put on: layers with a matrix or a kernel, as torch's modules hold them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from archcost.graph.expand import Alias, PlacedLayer
from archcost.layers import Layer

Kind = Literal["linear", "embedding", "convolution", "conv1d"]

KINDS: Mapping[str, Kind] = {
    "linear": "linear",
    "linear_4bit": "linear",
    "linear_8bit": "linear",
    "hqq_linear": "linear",
    "weight_only_linear": "linear",
    "embedding": "embedding",
    "conv1d": "convolution",
    "conv2d": "convolution",
    "conv3d": "convolution",
}
"""By the type of a layer."""

CONV1D_WEIGHT = 2
CONV1D = ("view", "parameter", "parameter", "addmm", "view")
"""The layers of transformers' `Conv1D`, a linear layer that keeps its matrix transposed, as GPT-2 is imported."""


class Module(NamedTuple):
    """Steps, one after the other, that are one module of torch."""

    name: str
    kind: Kind
    first: int
    """Of its steps, by their number."""
    layers: tuple[Layer, ...]

    @property
    def last(self) -> int:
        return self.first + len(self.layers) - 1


def modules_of(steps: Sequence[PlacedLayer | Alias]) -> dict[str, Module]:
    """By name all that an adapter can be put on, in order of execution."""
    found: dict[str, Module] = {}
    for index, step in enumerate(steps):
        if isinstance(step, Alias) or step.part is not None:
            continue
        if step.layer.type in KINDS:
            found[step.name] = Module(step.name, KINDS[step.layer.type], index, (step.layer,))
        elif step.layer.type == "addmm" and (module := _conv1d(steps, index)):
            found[module.name] = module
    return found


def _conv1d(steps: Sequence[PlacedLayer | Alias], index: int) -> Module | None:
    """The `Conv1D` of which the step is the product: view, bias, weight, product, view, under one name."""
    name = steps[index].name.rpartition(".")[0]
    first = index - CONV1D.index("addmm")
    around = steps[max(first, 0) : first + len(CONV1D)]
    placed = [step for step in around if isinstance(step, PlacedLayer) and step.name.rpartition(".")[0] == name]
    if not name or first < 0 or tuple([step.layer.type for step in placed]) != CONV1D:
        return None
    _, bias, weight, product, _ = placed
    if [bias.name, weight.name] != [f"{name}.bias", f"{name}.weight"] or len(product.reads) != 3:
        return None
    return Module(name, "conv1d", first, tuple([step.layer for step in placed]))
