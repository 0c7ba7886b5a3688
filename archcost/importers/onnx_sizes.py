"""Sizes of a network's inputs: the batch, what the file says, and what `--input` adds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from archcost.errors import ArchcostError
from archcost.importers.naming import clean
from archcost.importers.onnx_model import Declared, Size
from archcost.spec.model import InputSpec
from archcost.spec.overrides import inputs_by_name
from archcost.tensors import DTYPE_BYTES, TensorType

SAMPLES = 1_000_003
"""The batch that shapes are worked out for: a prime, so that a size that is a multiple of it comes from the batch."""


@dataclass(frozen=True)
class Sizes:
    """The inputs by the file's names, for `SAMPLES` samples; `symbols` are the names of sizes that are known now."""

    inputs: Mapping[str, TensorType]
    symbols: Mapping[str, int]
    batch: int | None
    """The one that the file was written for, where it names a number."""

    def specs(self) -> dict[str, InputSpec]:
        """Of one sample, by names that a spec can use."""
        specs: dict[str, InputSpec] = {}
        for name, tensor in self.inputs.items():
            try:
                specs[clean(name)] = InputSpec(shape=tensor.shape[1:], dtype=tensor.dtype)
            except ValidationError as error:
                expected = error.errors()[0]["msg"].removeprefix("Input should be ")
                raise ArchcostError(f"input {name} cannot be one", expected=expected, found=str(tensor)) from None
        if len(specs) < len(self.inputs):
            raise ArchcostError("two inputs have the same name", expected="one each", found=", ".join(self.inputs))
        return specs

    def known(self, declared: Declared) -> TensorType | None:
        """A tensor that the file tells of, for `SAMPLES` samples; None where a size stays open."""
        if declared.sizes is None:
            return None
        sizes = [self._size(size) for size in declared.sizes]
        if any(size is None for size in sizes):
            return None
        return TensorType(tuple(size for size in sizes if size is not None), declared.dtype)

    def _size(self, size: Size) -> int | None:
        if isinstance(size, str):
            return self._product(size)
        return size

    def _product(self, text: str) -> int | None:
        """`12*batch`, as torch and we write it."""
        factor, _, symbol = text.rpartition("*")
        known = self.symbols.get(symbol.strip())
        if known is None or not (factor.strip() or "1").isdigit():
            return None
        return int(factor.strip() or "1") * known


def bind(declared: Mapping[str, Declared], given: Sequence[str]) -> Sizes:
    """Every axis a number. `given` are texts as of `--input`: 3x224x224, name=128. Raises ArchcostError."""
    if not declared:
        raise ArchcostError("the network has no input", expected="one at least", found="none")
    batches = {_batch_axis(name, value) for name, value in declared.items()}
    asked = inputs_by_name(given, {clean(name): _dtype(name, value) for name, value in declared.items()})
    symbols: dict[str, int] = {}
    symbols |= {batch: SAMPLES for batch in batches if isinstance(batch, str)}
    for name, value in declared.items():
        if clean(name) in asked:
            _use(name, value, asked[clean(name)], symbols)
    inputs = {
        name: _bound(name, value, asked[clean(name)].shape if clean(name) in asked else None, symbols)
        for name, value in declared.items()
    }
    numbers = {batch for batch in batches if isinstance(batch, int)}
    return Sizes(inputs, symbols, numbers.pop() if len(numbers) == 1 else None)


def _dtype(name: str, declared: Declared) -> str:
    if declared.dtype not in DTYPE_BYTES:
        raise ArchcostError(
            f"input {name} has an element type that no layer takes",
            expected=", ".join(DTYPE_BYTES),
            found=declared.dtype,
        )
    return declared.dtype


def _batch_axis(name: str, declared: Declared) -> Size:
    if not declared.sizes:
        raise ArchcostError(
            f"input {name} has no axis for the batch",
            expected="the batch first: (batch, …)",
            found="a single value" if declared.sizes == () else "a shape of unknown axes",
        )
    return declared.sizes[0]


def _use(name: str, declared: Declared, asked: InputSpec, symbols: dict[str, int]) -> None:
    """What a shape that was asked for says of the file's names for sizes."""
    assert declared.sizes
    rest, shape = declared.sizes[1:], asked.shape
    if asked.dtype != declared.dtype:
        raise ArchcostError(f"--input does not suit {name}", expected=declared.dtype, found=asked.dtype)
    fits = len(rest) == len(shape) and all(
        not isinstance(size, int) or size == wanted for size, wanted in zip(rest, shape, strict=True)
    )
    if not fits:
        raise ArchcostError(f"--input does not suit {name}", expected=_written(rest), found=_written(shape))
    for size, wanted in zip(rest, shape, strict=True):
        if isinstance(size, str) and symbols.setdefault(size, wanted) != wanted:
            raise ArchcostError(
                f"--input gives {size} two sizes",
                expected=_written((symbols[size],)) if symbols[size] != SAMPLES else "the batch, which --batch says",
                found=f"{wanted} in {name}",
            )


def _bound(name: str, declared: Declared, asked: tuple[int, ...] | None, symbols: Mapping[str, int]) -> TensorType:
    assert declared.sizes
    sizes: list[int] = [SAMPLES]
    for axis, size in enumerate(declared.sizes[1:], 1):
        if isinstance(size, int):
            sizes.append(size)
        elif isinstance(size, str) and size in symbols:
            sizes.append(symbols[size])
        elif asked is not None:
            sizes.append(asked[axis - 1])
        else:
            rest = [symbols.get(size, size) if isinstance(size, str) else size for size in declared.sizes[1:]]
            raise ArchcostError(
                f"axis {axis} of input {name}{f' ({size})' if size else ''} has no size",
                expected="a number for each axis but the batch's",
                found=_written(("batch", *rest)),
                hint=f"--input {clean(name)}={'x'.join(str(size) if isinstance(size, int) else 'N' for size in rest)}"
                " with numbers for N",
            )
    if any(size % SAMPLES == 0 for size in sizes[1:]):
        raise ArchcostError(
            f"input {name} has the batch in two axes", expected="the batch first", found=_written(declared.sizes)
        )
    return TensorType(tuple(sizes), declared.dtype)


def _written(sizes: Sequence[Size]) -> str:
    return "×".join("?" if size is None else str(size) for size in sizes) or "no axis"
