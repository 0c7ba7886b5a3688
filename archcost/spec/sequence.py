"""The sequence of a network: which parameter is its length, and how long it can be at the most."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict
from pydantic_core import PydanticCustomError

from archcost.layers.fields import MAX_SIZE, Reference
from archcost.spec.inputs import InputSpec
from archcost.spec.values import Value, check_parameter_name

TOKENS = "tokens"
"""The parameter that is the length where a spec says nothing else."""


def _check_most(value: Any) -> int | str:
    if (type(value) is int and 1 <= value <= MAX_SIZE) or (isinstance(value, str) and "$" in value):
        return value
    raise PydanticCustomError("most", "Input should be an integer from 1, or an expression such as $context")


def from_word(value: Any) -> Any:
    """`sequence: frames` names the parameter alone."""
    return {"parameter": value} if isinstance(value, str) else value


class SequenceSpec(BaseModel):
    """What `--sequence` sets: a parameter of the network, `tokens` by default.

    With `most` a longer one is refused: where positions are learned, the rows that their `table` has.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    parameter: Annotated[str, BeforeValidator(check_parameter_name)] = TOKENS
    most: Annotated[int | str, BeforeValidator(_check_most)] | None = None
    table: Reference | None = None


def reaches_input(parameter: str, parameters: Mapping[str, Value], inputs: Iterable[InputSpec]) -> bool:
    """Whether a size of an input follows from a parameter."""
    waiting = [size for given in inputs for size in given.declared_sizes]
    seen: set[str] = set()
    while waiting:
        for name in re.findall(r"\$(\w+)", str(waiting.pop())):
            if name == parameter:
                return True
            if name not in seen:
                seen.add(name)
                waiting.append(str(parameters.get(name)))
    return False
