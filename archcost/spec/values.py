"""Parameters of a network or a block: their names, and the values that they may hold."""

from __future__ import annotations

from keyword import iskeyword
from math import isfinite
from typing import Annotated, Any

from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

from archcost.files.values import as_list

LONGEST_LIST = 10_000
LARGEST_VALUE = 2**63


def check_value(value: Any) -> Any:
    """A parameter's value with lists made tuples. Raises PydanticCustomError for what no field could take."""
    entries = as_list(value)
    if entries is not None and len(entries) <= LONGEST_LIST:
        return tuple(map(check_value, entries))
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int) and abs(value) < LARGEST_VALUE:
        return value
    if isinstance(value, float) and isfinite(value):
        return value
    raise PydanticCustomError("value", "Input should be a number below 2^63, a word, true, false, null, or a list")


Value = int | float | str | bool | None | tuple[Any, ...]
"""What a parameter may hold."""

CheckedValue = Annotated[Value, BeforeValidator(check_value)]

RESERVED = ("block", "name", "inputs", "trainable")
"""What a use of a block says beside the block's parameters."""


def check_parameter_name(name: str) -> str:
    if not (name.isascii() and name.isidentifier()) or iskeyword(name) or name in RESERVED:
        raise PydanticCustomError(
            "parameter_name",
            "Input should be a name that $ can stand before: letters, digits and _, not a word of Python, and none of "
            "block, name, inputs and trainable",
        )
    return name


Parameters = dict[Annotated[str, BeforeValidator(check_parameter_name)], CheckedValue]


def has_expression(value: object) -> bool:
    """Whether a `$` stands anywhere in a field's value."""
    if isinstance(value, str):
        return "$" in value
    return any(map(has_expression, as_list(value) or ()))
