"""An ONNX file → `ModelSpec`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from archcost.errors import ArchcostError
from archcost.importers.naming import clean, spec_of
from archcost.importers.onnx_model import read
from archcost.importers.onnx_reader import Reader
from archcost.importers.onnx_sizes import bind
from archcost.spec import ModelSpec


def from_onnx(
    path: str | Path,
    inputs: Sequence[str] = (),
    unbatched: Collection[str] = (),
    batch_dims: Mapping[str, int] | None = None,
) -> ModelSpec:
    """The network of an ONNX file, for any batch: axis 0 of an input, unless `unbatched` or `batch_dims` name it.

    `inputs` are shapes of one sample as texts, `3x224x224` or `image=3x224x224`, for sizes that the file leaves open.
    Raises ArchcostError with the operator at fault.
    """
    file = Path(path)
    try:
        model = read(file)
        sizes = bind(model.graph.inputs, inputs, unbatched, batch_dims)
        reader = Reader(model, sizes, frozenset())
        result = reader.run()
        if result.other_orientations:
            result = Reader(model, sizes, result.other_orientations).run()
    except ArchcostError as error:
        where = f"{file}: {error.layer}" if error.layer else str(file)
        told = ArchcostError(error.problem, expected=error.expected, found=error.found, hint=error.hint)
        raise told.at(where) from None
    title = f"{file.name}, written by {model.producer}" if model.producer else file.name
    return spec_of(result, clean(file.stem)[:100], title, sizes.specs(), result.outputs)
