"""Networks that exist already → `ModelSpec`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from archcost.errors import ArchcostError

if TYPE_CHECKING:
    from archcost.spec import ModelSpec


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
