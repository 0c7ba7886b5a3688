"""Weights of few bits: how linear layers keep frozen weights, as fields of a spec and as a command line has it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field, ValidationError
from pydantic_core import PydanticCustomError

from archcost.errors import SpecError, nearest, shorten
from archcost.files.parse import plain_scalar
from archcost.files.values import as_mapping
from archcost.layers.fields import Flag, Size
from archcost.spec.adapters import Patterns
from archcost.spec.sections import FROZEN

WordOfWeights = Literal["int8", "fp8", "nf4", "fp4", "int4"]
WORDS: tuple[WordOfWeights, ...] = ("int8", "fp8", "nf4", "fp4", "int4")
CODES_OF_TABLES = ("nf4", "fp4")
BLOCK_SIZES = (32, 64, 128, 256, 512, 1024, 2048, 4096)
"""Of what bitsandbytes quantises in 4 bits (`quantize_4bit` in its functional.py)."""
LISTS = ("layers", "exclude")
FLAGS = ("double", "keep_input")
OPTIONS: Mapping[str, tuple[str, ...]] = {
    "int8": (*LISTS, "others"),
    "fp8": (*LISTS, "others"),
    "nf4": ("group", *FLAGS, "compute", *LISTS, "others"),
    "fp4": ("group", *FLAGS, "compute", *LISTS, "others"),
    "int4": ("group", *LISTS, "others"),
}


class Quantized(BaseModel):
    """Linear layers whose weight is kept in few bits: in `nf4`, `fp4` and `int8` as bitsandbytes has it, the last by
    LLM.int8(), in `int4` as HQQ, in `fp8` as torchao's weight-only floats.
    """

    model_config = FROZEN

    type: WordOfWeights
    group: Size | None = None
    """How many values share a scale; 64 where nothing is said. In `int8` and `fp8` each row has one."""
    double: Flag = False
    """Whether the scales are bytes themselves (bitsandbytes' `bnb_4bit_use_double_quant`)."""
    keep_input: Flag = False
    """Whether what goes into a layer of 4 bits is kept for nothing, as bitsandbytes before 0.44 kept it."""
    compute: Literal["float32", "bfloat16", "float16"] | None = None
    """In which dtype weights of 4 bits are multiplied (`bnb_4bit_compute_dtype`); else that of the run."""
    layers: Patterns = ()
    """Linear layers by their names. Where none is named, all but the head, and those that share a weight."""
    exclude: Patterns = ()
    """Layers that are left as they are, though `layers` means them."""
    others: Literal["float32"] | None = None
    """`float32`: all other weights stay in it in a run in 16 bits (PEFT's `prepare_model_for_kbit_training`)."""

    def __str__(self) -> str:
        """As the command line takes it."""
        given = self.model_dump(exclude_defaults=True, mode="json")
        words = [key if key in FLAGS else f"{key}={given[key]}" for key in given if key != "type" and key not in LISTS]
        words += [f"{key}={','.join(given[key])}" for key in LISTS if key in given]
        return f"{self.type}:{','.join(words)}" if words else self.type


def fields_of(text: str) -> dict[str, Any]:
    """`nf4:group=64,double,layers=q_proj,v_proj` as a mapping. A word without `=` is a flag, or continues a list.

    Raises SpecError for words that are none of an option.
    """
    kind, colon, options = text.partition(":")
    fields: dict[str, Any] = {"type": kind}
    last = ""
    for word in options.split(",") if colon else ():
        key, equals, value = word.partition("=")
        if not equals and word in FLAGS and word not in fields:
            fields[word] = True
        elif not equals and last in LISTS and word:
            fields[last].append(word)
        elif not equals or not value or key in fields:
            problem = f"{shorten(key)} stands twice" if key in fields else "an option without a value"
            raise SpecError(problem, expected="nf4:group=64,double", found=shorten(text))
        else:
            last = key
            fields[key] = [value] if key in LISTS else plain_scalar(value)
    return fields


def quantized_of(given: str | Mapping[str, Any] | Quantized) -> Quantized:
    """What a text or fields say. Raises SpecError for what no library has."""
    if isinstance(given, Quantized):
        return given
    fields = fields_of(given) if isinstance(given, str) else dict(given)
    told = shorten(given if isinstance(given, str) else ", ".join(f"{key}: {value}" for key, value in fields.items()))
    kind = fields.get("type")
    if kind not in WORDS:
        hint = nearest(str(kind).lower(), WORDS)
        raise SpecError("unknown format of weights", expected=", ".join(WORDS), found=shorten(str(kind)), hint=hint)
    known = OPTIONS[kind]
    for key in fields:
        if key != "type" and key not in known:
            problem = f"{kind} has no option {shorten(key)}"
            raise SpecError(problem, expected=", ".join(known), found=told, hint=_why(kind, key, known))
    group = fields.get("group")
    if group is not None and kind in CODES_OF_TABLES and group not in BLOCK_SIZES:
        expected = f"{', '.join(map(str, BLOCK_SIZES[:-1]))} or {BLOCK_SIZES[-1]}, as bitsandbytes has them"
        raise SpecError("no such size of groups", expected=expected, found=f"group={shorten(str(group))}")
    try:
        return Quantized.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        expected = first["msg"].removeprefix("Input should be ")
        found = f"{first['loc'][0]}={shorten(str(first['input']))}" if first["loc"] else told
        raise SpecError(f"weights in {kind} are told wrongly", expected=expected, found=found) from None


def _why(kind: str, key: str, known: tuple[str, ...]) -> str | None:
    if key in ("group", "double"):
        return f"{kind} has one scale for each row" if kind in ("int8", "fp8") else "nf4 or fp4"
    return nearest(key, known)


def _checked(value: Any) -> Any:
    given = value if isinstance(value, str | Quantized) else as_mapping(value)
    if given is None:
        raise PydanticCustomError("weights", "Input should be nf4, or a mapping with type: nf4 or another format")
    try:
        return quantized_of(given)
    except SpecError as error:
        told = f"Input should be {error.expected}: {error.problem}"
        raise PydanticCustomError("weights", "{told}", {"told": told}) from None


def _as_several(value: Any) -> Any:
    return (value,) if isinstance(value, str | Quantized) or as_mapping(value) is not None else value


OneQuantized = Annotated[Quantized, BeforeValidator(_checked)]
SeveralQuantized = Annotated[tuple[OneQuantized, ...], BeforeValidator(_as_several), Field(max_length=100)]
"""One format, or a list of them, each for layers of its own."""
