"""The types of layers' fields: what a value may be, as pydantic checks it."""

from collections.abc import Callable, Collection
from typing import Annotated, Any, LiteralString, cast

from pydantic import BeforeValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from archcost.tensors import COMPUTED_BYTES, FLOATING, STORED

MAX_SIZE = 2**31 - 1
"""Torch indexes a tensor with 64 bits; no single extent of a real network comes near 2^31."""


def dtype_among(known: Collection[str]) -> Callable[[Any], str]:
    """A validator for one of these names."""

    def check(value: Any) -> str:
        if isinstance(value, str) and value in known:
            return value
        raise PydanticCustomError("dtype", "Input should be {expected}", {"expected": ", ".join(known)})

    return check


Size = Annotated[int, Field(strict=True, ge=1, le=MAX_SIZE)]
Count = Annotated[int, Field(strict=True, ge=0, le=MAX_SIZE)]
Axis = Annotated[int, Field(strict=True, ge=-64, le=63)]
Flag = Annotated[bool, Field(strict=True)]
Dtype = Annotated[str, BeforeValidator(dtype_among([*COMPUTED_BYTES, *STORED]))]
FloatingDtype = Annotated[str, BeforeValidator(dtype_among(sorted(FLOATING)))]
Number = Annotated[float, Field(strict=True)]
Scalar = Annotated[int, Field(strict=True, ge=-(2**63), lt=2**63)] | Number
"""A number that says by how it is written whether it is an integer: 2 or 2.0."""

Name = Annotated[str, StringConstraints(strict=True, pattern=r"^\w+(\.\w+)*$", max_length=200)]
Reference = Annotated[str, StringConstraints(strict=True, pattern=r"^\w+(\.\w+)*(:\d{1,4})?$", max_length=400)]
WeightReference = Annotated[str, StringConstraints(strict=True, pattern=r"^\w+(\.\w+)*\.weight(\.T)?$", max_length=400)]


def one_or_list(accepts: Callable[[Any], bool], expected: LiteralString) -> BeforeValidator:
    """A field that takes one value or a list of them, as torch's sizes do."""

    def check(value: Any) -> Any:
        is_list = isinstance(value, (list, tuple))
        entries = tuple(cast("list[Any]", value)) if is_list else (value,)
        if entries and all(accepts(entry) for entry in entries):
            return entries if is_list else value
        raise PydanticCustomError("one_or_list", f"Input should be {expected} or a list of them")

    return BeforeValidator(check)


def _integer_from(least: int) -> Callable[[Any], bool]:
    return lambda value: type(value) is int and least <= value <= MAX_SIZE


Sizes = Annotated[int | tuple[int, ...], one_or_list(_integer_from(1), "an integer from 1 to 2,147,483,647")]
Counts = Annotated[int | tuple[int, ...], one_or_list(_integer_from(0), "an integer from 0 to 2,147,483,647")]
