"""Networks that exist already → `ModelSpec`. Each importer brings what it reads with, when it is used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from archcost.spec import ModelSpec


def from_torch(module: Any, *inputs: Any, name: str | None = None, title: str | None = None, **named: Any) -> ModelSpec:
    """The network that a `torch.nn.Module` is, for inputs such as these: see `archcost.importers.torch_module`.

    `inputs` and `named` are what its forward is called with. Of tensors only shape and dtype count (and the values of
    integers, if forward looks at them); axis 0 of each is the batch. The module is run once on the meta device, in the
    mode that it is in, and left as it was. Raises ArchcostError where its forward cannot be followed.
    """
    from archcost.importers import torch_module

    return torch_module.from_torch(module, *inputs, name=name, title=title, **named)
