"""The sizes of an ONNX file's inputs as numbers: from the file, from `--input`, and SAMPLES for the batch."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pydantic import ValidationError

from archcost.errors import ArchcostError, listing, nearest, shorten
from archcost.importers.naming import clean
from archcost.importers.onnx_model import Declared, Size
from archcost.importers.onnx_sequence import with_sequence_named
from archcost.spec.model import InputSpec
from archcost.spec.overrides import InputText, inputs_by_name
from archcost.tensors import COMPUTED_BYTES, STORED, TensorType

SAMPLES = 1_000_003
"""The batch that shapes are worked out for: a prime, so that a size that is a multiple of it comes from the batch."""


@dataclass(frozen=True)
class Sizes:
    """The inputs by the file's names, for `SAMPLES` samples; `symbols` are the names of sizes that are known now."""

    inputs: Mapping[str, TensorType]
    axes: Mapping[str, int | None]
    """Of the batch; None where an input has none."""
    symbols: Mapping[str, int]
    batch: int | None
    """The one that the file was written for, where it names a number."""

    def specs(self) -> dict[str, InputSpec]:
        """By names that a spec can use."""
        specs: dict[str, InputSpec] = {}
        for name, tensor in self.inputs.items():
            try:
                specs[clean(name)] = InputSpec.of(tensor, self.axes[name])
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


BATCH_NAMES = ("batch", "batch_size", "batchsize")
"""Names that an axis of the batch has in files."""


class Choice(NamedTuple):
    """What a caller says of an input. Where `is_placed`, `axis` is the batch's, None for no batch."""

    is_placed: bool
    axis: int | None
    asked: InputText | None

    @property
    def sizes(self) -> tuple[int, ...] | None:
        """The sizes that were given, without the batch."""
        return None if self.asked is None else tuple([size for size in self.asked.shape if isinstance(size, int)])


def bind(
    declared: Mapping[str, Declared],
    given: Sequence[str],
    unbatched: Collection[str] = (),
    batch_dims: Mapping[str, int] | None = None,
    sequence: int | None = None,
) -> Sizes:
    """The inputs with a number for every axis. `given` are texts of `--input`: 3x224x224, name=128; `sequence` is the
    length of `--sequence`.

    Raises ArchcostError.
    """
    if not declared:
        raise ArchcostError("the network has no input", expected="one at least", found="none")
    names = {clean(name): name for name in declared}
    if "" in names:
        raise ArchcostError("an input of the file has no name", expected="letters or digits", found=shorten(names[""]))
    for word in (*unbatched, *(batch_dims or {})):
        if word not in names:
            raise ArchcostError(
                f"no input is called {shorten(word)}", expected=listing([*names]), hint=nearest(word, names)
            )
    asked = inputs_by_name(given, [*names])
    marks = {clean(name): value.batch_axis for name, value in declared.items() if value.batch_axis is not None}
    apart = {word for word, mark in marks.items() if mark == "none" and word not in (batch_dims or {})}
    dims = {word: int(mark) for word, mark in marks.items() if mark.isdecimal()} | dict(batch_dims or {})
    chosen = {name: _choice(asked.get(word), word, {*unbatched, *apart}, dims) for word, name in names.items()}
    axes = _batch_axes(declared, chosen)
    batches = [_size_at(value, axes[name]) for name, value in declared.items()]
    symbols: dict[str, int] = {batch: SAMPLES for batch in batches if isinstance(batch, str)}
    if sequence is not None:
        declared, symbol = with_sequence_named(declared, axes)
        symbols[symbol] = sequence
    for name, value in declared.items():
        _bind_names(name, value, axes[name], chosen[name], symbols)
    inputs = {
        name: _bound_tensor(name, value, axes[name], chosen[name].sizes, symbols) for name, value in declared.items()
    }
    numbers = {batch for batch in batches if isinstance(batch, int)}
    return Sizes(inputs, axes, symbols, numbers.pop() if len(numbers) == 1 else None)


def _choice(asked: InputText | None, word: str, unbatched: Collection[str], batch_dims: Mapping[str, int]) -> Choice:
    if asked is not None and asked.batched is not None:
        return Choice(True, asked.shape.index("B") if asked.batched else None, asked)
    if word in unbatched:
        return Choice(True, None, asked)
    if word in batch_dims:
        return Choice(True, batch_dims[word], asked)
    return Choice(False, None, asked)


def _batch_axes(declared: Mapping[str, Declared], chosen: Mapping[str, Choice]) -> dict[str, int | None]:
    """The batch axis of each input, None for no batch: as the caller says; else the axis that is named `batch`, else
    the first, or one with the name of another input's first axis.

    An input whose first size is a number has no batch where others have names there. Where all are numbers, they must
    be equal.
    """
    axes = {
        name: _checked_axis(name, value, chosen[name].axis)
        for name, value in declared.items()
        if chosen[name].is_placed
    }
    free: dict[str, tuple[Size, ...]] = {}
    for name, value in declared.items():
        if value.sizes is None and name not in axes:
            expected = "the batch first: (batch, …)"
            raise ArchcostError(
                f"input {name} has no axis for the batch", expected=expected, found="a shape of unknown axes"
            )
        _require_dtype(name, value)
        if value.sizes is not None and name not in axes:
            free[name] = value.sizes
    firsts = [declared[name].sizes or () for name, axis in axes.items() if axis == 0]
    named = {sizes[0] for sizes in (*firsts, *free.values()) if sizes and not isinstance(sizes[0], int)}
    named |= {size for sizes in free.values() for size in sizes if str(size).lower() in BATCH_NAMES}
    for name, sizes in free.items():
        called = next((axis for axis, size in enumerate(sizes) if str(size).lower() in BATCH_NAMES), None)
        if called is not None:
            axes[name] = called
        elif not sizes:
            axes[name] = None
        elif named and isinstance(sizes[0], int):
            axes[name] = _axis_of(named, sizes)
        else:
            axes[name] = 0
    counts = {name: _size_at(declared[name], axis) for name, axis in axes.items()}
    numbers = {name: size for name, size in counts.items() if isinstance(size, int)}
    if not named and len(set(numbers.values())) > 1:
        raise _unequal(declared, numbers, chosen)
    return axes


def _axis_of(named: Collection[Size], sizes: Sequence[Size]) -> int | None:
    """Behind a first size that is a number: the axis with the name of another input's batch, or the only open one."""
    called = [axis for axis, size in enumerate(sizes) if size is not None and size in named]
    unnamed = [axis for axis, size in enumerate(sizes) if size is None] if None in named else []
    return next(iter(called), unnamed[0] if len(unnamed) == 1 else None)


def _size_at(declared: Declared, axis: int | None) -> Size:
    return None if axis is None or declared.sizes is None else declared.sizes[axis]


def _unequal(
    declared: Mapping[str, Declared], numbers: Mapping[str, int], chosen: Mapping[str, Choice]
) -> ArchcostError:
    first = next(iter(numbers.values()))
    odd = next((name for name, size in numbers.items() if size != first and not chosen[name].is_placed), None)
    odd = odd or next(name for name in numbers if not chosen[name].is_placed)
    shape = "x".join(map(str, declared[odd].sizes or ()))
    return ArchcostError(
        "the inputs do not agree on how many samples there are",
        expected="the batch as the first axis of each, or said which input is without a batch, or has it elsewhere",
        found=listing([f"{name} {_sizes_text(declared[name].sizes or ())}" for name in numbers], 6),
        hint=f"--input {clean(odd)}={shape}:unbatched, or B among the sizes, where the batch is",
    )


def _checked_axis(name: str, declared: Declared, axis: int | None) -> int | None:
    if axis is None:
        return None
    rank = len(declared.sizes or ())
    if type(axis) is not int or not -rank <= axis < rank:
        raise ArchcostError(
            f"input {name} has no axis {shorten(axis)} for its batch",
            expected=_sizes_text(declared.sizes) if declared.sizes else "an input with axes",
            found=f"batch in axis {shorten(axis)}",
        )
    return axis % rank


def _require_dtype(name: str, declared: Declared) -> None:
    if declared.dtype not in COMPUTED_BYTES and declared.dtype not in STORED:
        raise ArchcostError(
            f"input {name} has an element type that no layer takes",
            expected=", ".join(COMPUTED_BYTES),
            found=declared.dtype,
        )


def _bind_names(name: str, declared: Declared, axis: int | None, chosen: Choice, symbols: dict[str, int]) -> None:
    """Bind the file's names of sizes to the numbers of `--input`. Raises ArchcostError where the two differ."""
    shape = chosen.sizes
    if shape is None or chosen.asked is None or declared.sizes is None:
        return
    rest = tuple([size for index, size in enumerate(declared.sizes) if index != axis])
    if chosen.asked.dtype not in (None, declared.dtype):
        raise ArchcostError(f"--input does not suit {name}", expected=declared.dtype, found=chosen.asked.dtype)
    fits = len(rest) == len(shape) and all(
        not isinstance(size, int) or size == wanted for size, wanted in zip(rest, shape, strict=True)
    )
    if not fits:
        raise ArchcostError(f"--input does not suit {name}", expected=_sizes_text(rest), found=_sizes_text(shape))
    for size, wanted in zip(rest, shape, strict=True):
        if isinstance(size, str) and symbols.setdefault(size, wanted) != wanted:
            raise ArchcostError(
                f"--input gives {size} two sizes",
                expected=_sizes_text((symbols[size],)) if symbols[size] != SAMPLES else "the batch, which --batch says",
                found=f"{wanted} in {name}",
            )


def _bound_tensor(
    name: str, declared: Declared, axis: int | None, asked: tuple[int, ...] | None, symbols: Mapping[str, int]
) -> TensorType:
    declared_sizes = declared.sizes if declared.sizes is not None else asked
    if declared_sizes is None:
        raise ArchcostError(
            f"input {name} has a shape of unknown axes",
            expected="a number for each axis",
            found="none",
            hint=f"--input {clean(name)}=2xN:unbatched with numbers",
        )
    left = iter(asked or ())
    sizes: list[int] = []
    for index, size in enumerate(declared_sizes):
        if index == axis:
            sizes.append(SAMPLES)
            continue
        wanted = next(left, None)
        known = symbols.get(size) if isinstance(size, str) else size
        if known is None and wanted is None:
            raise _without_size(name, declared_sizes, index, axis, symbols)
        sizes.append(known if known is not None else wanted or 0)
    if any(size % SAMPLES == 0 for index, size in enumerate(sizes) if index != axis):
        raise ArchcostError(
            f"input {name} has the batch in two axes", expected="the batch once", found=_sizes_text(declared_sizes)
        )
    return TensorType(tuple(sizes), declared.dtype)


def _without_size(
    name: str, sizes: Sequence[Size], index: int, axis: int | None, symbols: Mapping[str, int]
) -> ArchcostError:
    """The error for an axis whose size neither the file nor `--input` gives."""
    size = sizes[index]
    shown = [symbols.get(each, each) if isinstance(each, str) else each for each in sizes]
    rest = ["B" if each == axis else known for each, known in enumerate(shown) if each != axis or axis != 0]
    words = "x".join(str(each) if isinstance(each, int) or each == "B" else "N" for each in rest)
    return ArchcostError(
        f"axis {index} of input {name}{f' ({size})' if size else ''} has no size",
        expected="a number for each axis" + (" but the batch's" if axis is not None else ""),
        found=_sizes_text(["batch" if each == axis else known for each, known in enumerate(shown)]),
        hint=f"--input {clean(name)}={words}{':unbatched' if axis is None else ''} with numbers for N",
    )


def _sizes_text(sizes: Sequence[Size]) -> str:
    return "×".join("?" if size is None else str(size) for size in sizes) or "no axis"
