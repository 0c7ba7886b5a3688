"""Which axis of an ONNX file's inputs is the sequence of tokens."""

from __future__ import annotations

from collections.abc import Mapping

from archcost.errors import ArchcostError, listing
from archcost.importers.onnx_model import Declared, Size

SEQUENCE_NAMES = ("sequence", "sequence_length", "seq", "seq_len", "seq_length", "seqlen", "encoder_sequence_length")
"""Names that the axis of the tokens has in files."""

UNNAMED = "the sequence"
"""Stands for an axis of tokens that a file leaves open without a name."""


def with_sequence_named(
    declared: Mapping[str, Declared], axes: Mapping[str, int | None]
) -> tuple[Mapping[str, Declared], str]:
    """The inputs with a name for the axis of the tokens, and that name. `axes` are those of the batch.

    It is the axis that inputs of integers leave open beside the batch; where they have several, the one that is named
    as a sequence. Raises ArchcostError where there is none, or more than one.
    """
    open_axes: list[tuple[str, int, Size]] = []
    for name, value in declared.items():
        if value.dtype not in ("int64", "int32"):
            continue
        sizes = enumerate(value.sizes or ())
        open_axes += [(name, axis, size) for axis, size in sizes if axis != axes[name] and not isinstance(size, int)]
    named = list(dict.fromkeys(size for _, _, size in open_axes if isinstance(size, str)))
    called = [name for name in named if name.lower() in SEQUENCE_NAMES]
    if len(called) == 1 or (len(named) == 1 and len(open_axes) == sum(size == named[0] for _, _, size in open_axes)):
        return declared, (called or named)[0]
    if not named and open_axes and len({name for name, _, _ in open_axes}) == len(open_axes):
        unnamed = {name: axis for name, axis, _ in open_axes}
        return {name: _at(value, unnamed.get(name)) for name, value in declared.items()}, UNNAMED
    raise ArchcostError(
        f"the file {'does not say which axis is the sequence' if open_axes else 'has no axis that is the sequence'}",
        expected="one size of its inputs of integers left open, beside the batch",
        found=listing([f"{name} {_text(value)}" for name, value in declared.items()], 6),
        hint="--input with numbers, once per input" if open_axes else None,
    )


def _at(declared: Declared, axis: int | None) -> Declared:
    if axis is None or declared.sizes is None:
        return declared
    return declared._replace(sizes=(*declared.sizes[:axis], UNNAMED, *declared.sizes[axis + 1 :]))


def _text(declared: Declared) -> str:
    return "×".join("?" if size is None else str(size) for size in declared.sizes or ()) or "no axis"
