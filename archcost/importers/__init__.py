"""Networks that exist already → `ModelSpec`. Each importer brings what it reads with, when it is used."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archcost.errors import ArchcostError

if TYPE_CHECKING:
    from archcost.spec import ModelSpec


def from_torch(
    module: Any,
    *inputs: Any,
    name: str | None = None,
    title: str | None = None,
    unbatched: Collection[str] = (),
    batch_dims: Mapping[str, int] | None = None,
    **named: Any,
) -> ModelSpec:
    """The network that a `torch.nn.Module` is, for inputs such as these: see `archcost.importers.torch_module`.

    `inputs` and `named` are what its forward is called with. Of tensors only shape and dtype count (and the values of
    integers, if forward looks at them); axis 0 of each is the batch.

    `unbatched` names inputs without a batch axis (the edges of a graph, a shared mask), `batch_dims` says of others
    which axis it is (`{"state": 1}` for layers × batch × features), both by the names of forward's arguments. A tensor
    without axes has no batch. Where the first axes differ and nothing is said, that is an error.

    The module is run once on the meta device, in the mode that it is in, and left as it was. Raises ArchcostError
    where its forward cannot be followed.
    """
    from archcost.importers import torch_module

    return torch_module.from_torch(
        module, *inputs, name=name, title=title, unbatched=unbatched, batch_dims=batch_dims, **named
    )


def from_onnx(
    path: str | Path,
    inputs: Sequence[str] = (),
    *,
    unbatched: Collection[str] = (),
    batch_dims: Mapping[str, int] | None = None,
    sequence: int | None = None,
) -> ModelSpec:
    """The network of an ONNX file, for any batch: the first axis of every input.

    `inputs` are shapes of one sample as on the command line, `3x224x224` or `image=3x224x224`, for sizes that the file
    leaves open. `unbatched` names inputs without a batch axis, `batch_dims` says of others which axis it is. Nothing
    need be said where the file tells: a single value, sizes in numbers beside inputs whose first axis has a name, and
    that name as another axis. `sequence` is the length of the tokens' axis, where the file leaves it open. Raises
    ArchcostError with the operator at fault.
    """
    try:
        import onnx as _  # noqa: F401
    except ImportError:
        raise ArchcostError(
            "onnx is not installed", expected="the package that reads ONNX files", hint="pip install archcost[onnx]"
        ) from None
    from archcost.importers.onnx_file import from_onnx

    return from_onnx(path, inputs, unbatched, batch_dims, sequence)
