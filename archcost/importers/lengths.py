"""`--sequence` for networks that are imported: the inputs that hold tokens, at another length."""

from __future__ import annotations

from collections.abc import Sequence

from archcost.errors import ArchcostError, listing
from archcost.spec.overrides import InputText, parse_input

INTEGERS = ("int64", "int32")
MASKS = (*INTEGERS, "bool")


def of_length(texts: Sequence[str], length: int) -> tuple[str, ...]:
    """Texts of `--input` with another length of tokens; one input of int64 where there is none.

    Tokens are inputs of integers with one size, and all have the same; masks of one size follow. Raises ArchcostError
    where that does not say which sizes are the length.
    """
    if not texts:
        return (f"{length}:int64",)
    parsed = [(text, parse_input(text.partition("=")[2] if "=" in text else text)) for text in texts]
    lengths = {_length(given) for _, given in parsed if _is_row(given, INTEGERS)}
    if len(lengths) != 1:
        raise ArchcostError(
            "--sequence does not say which sizes it sets",
            expected="inputs of integers with one size, the same for all, as in --input 128:int64",
            found=listing(list(texts)),
            hint="--input with the sizes that are meant",
        )
    [old] = lengths
    unclear = [text for text, given in parsed if not _is_row(given, MASKS) and old in given.shape]
    if unclear and old != length:
        raise ArchcostError(
            f"--sequence does not say whether {old:,} is the length in {unclear[0]}",
            expected="the length in inputs of one size alone",
            found=listing(list(texts)),
            hint="--input with the sizes that are meant",
        )
    return tuple([_text(text, given, old, length) for text, given in parsed])


def _is_row(given: InputText, dtypes: Sequence[str]) -> bool:
    return given.dtype in dtypes and len([size for size in given.shape if isinstance(size, int)]) == 1


def _length(given: InputText) -> int:
    return next(size for size in given.shape if isinstance(size, int))


def _text(text: str, given: InputText, old: int, length: int) -> str:
    if not _is_row(given, MASKS):
        return text
    name, equals, _ = text.rpartition("=")
    sizes = [length if size == old else size for size in given.shape]
    words = given.text.split(":")[1:]
    return f"{name}{equals}{':'.join(['x'.join(map(str, sizes)), *words])}"
