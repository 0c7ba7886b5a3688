"""An ONNX file → `ModelSpec`."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from archcost.errors import ArchcostError
from archcost.files.garbage import without_collections
from archcost.importers.naming import clean, spec_of
from archcost.importers.onnx_limits import require_readable
from archcost.importers.onnx_model import read
from archcost.importers.onnx_reader import Reader
from archcost.importers.onnx_sizes import SAMPLES, bind
from archcost.importers.recorded import Observations
from archcost.spec import ModelSpec


def from_onnx(
    path: str | Path,
    inputs: Sequence[str] = (),
    unbatched: Collection[str] = (),
    batch_dims: Mapping[str, int] | None = None,
    sequence: int | None = None,
) -> ModelSpec:
    """The network of an ONNX file, for any batch: axis 0 of an input, unless `unbatched` or `batch_dims` name it.

    `inputs` are shapes of one sample as texts, `3x224x224` or `image=3x224x224`, for sizes that the file leaves open; a
    `B` among the sizes stands where the batch is, `h=2xBx128`; `sequence` is the length of the axis of tokens. Raises
    ArchcostError with the operator at fault.
    """
    with without_collections():
        return _spec_of_file(Path(path), inputs, unbatched, batch_dims, sequence)


def _spec_of_file(
    file: Path,
    inputs: Sequence[str],
    unbatched: Collection[str],
    batch_dims: Mapping[str, int] | None,
    sequence: int | None,
) -> ModelSpec:
    try:
        model = read(file)
        require_readable(model)
    except ArchcostError as error:
        raise error.at(str(file)) from None
    try:
        sizes = bind(model.graph.inputs, inputs, unbatched, batch_dims, sequence)
        reader = Reader(model, sizes, frozenset())
        result = reader.run()
        if result.other_orientations:
            result = Reader(model, sizes, result.other_orientations).run()
    except ArchcostError as error:
        where = f"{file}: {error.layer}" if error.layer else str(file)
        raise _in_words(error).at(where) from None
    title = f"{file.name}, written by {model.producer}" if model.producer else file.name
    observed = Observations(assumptions=[_without_prime(text) for text in result.assumptions])
    return spec_of(result, clean(file.stem)[:100], title, sizes.specs(), result.outputs, observed)


def _in_words(error: ArchcostError) -> ArchcostError:
    """The error without its place, and with `B` for the number that stands for the batch while a file is read."""
    expected, found, hint = (text and _without_prime(text) for text in (error.expected, error.found, error.hint))
    return ArchcostError(_without_prime(error.problem), expected=expected, found=found, hint=hint)


NUMBER = re.compile(r"(?<![\w.,])(?:\d{1,3}(?:,\d{3})+|\d+)(?![\w.])")
MOST_BESIDE = 100
"""What is added to a batch is less: some samples more, or an axis around them."""


def _without_prime(text: str) -> str:
    return NUMBER.sub(lambda found: _size_text(found.group()), text)


def _size_text(digits: str) -> str:
    times, beside = divmod(int(digits.replace(",", "")), SAMPLES)
    if not times or beside > MOST_BESIDE:
        return digits
    return f"{'' if times == 1 else times}B" + (f"+{beside}" if beside else "")
