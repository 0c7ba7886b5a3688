"""Networks that exist already → `ModelSpec`. Each importer brings what it reads with, when it is used."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archcost.errors import ArchcostError

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


def from_onnx(path: str | Path, inputs: Sequence[str] = ()) -> ModelSpec:
    """The network of an ONNX file, for any batch: the first axis of every input.

    `inputs` are shapes of one sample as on the command line, `3x224x224` or `image=3x224x224`, for sizes that the file
    leaves open. Raises ArchcostError with the operator at fault.
    """
    try:
        import onnx as _  # noqa: F401
    except ImportError:
        raise ArchcostError(
            "onnx is not installed", expected="the package that reads ONNX files", hint="pip install archcost[onnx]"
        ) from None
    from archcost.importers.onnx_file import from_onnx

    return from_onnx(path, inputs)
