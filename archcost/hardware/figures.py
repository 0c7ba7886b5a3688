"""Figures of a device: each a value with its unit in its text, and the key of its source."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, field_validator
from pydantic_core import PydanticCustomError

from archcost.errors import nearest
from archcost.files.values import spell
from archcost.hardware.memory_types import MemoryType
from archcost.units import UNITS, Quantity, parse_quantity, show_in

FROZEN = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True)

Text = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=2_000)]
Key = Annotated[str, StringConstraints(strict=True, pattern=r"^[a-z][a-z0-9_]*$", max_length=100)]


def _as_text(date: Any) -> Any:
    """`2022` is a number to YAML."""
    return str(date) if isinstance(date, int) and not isinstance(date, bool) else date


Date = Annotated[
    str, BeforeValidator(_as_text), StringConstraints(strict=True, pattern=r"^(19|20)\d\d(-[01]\d(-[0-3]\d)?)?$")
]
"""A year, a month (2022-10) or a day."""


class Origin(BaseModel):
    """What every figure has beside its value: the key of its source, and a date where it has one of its own."""

    model_config = FROZEN

    source: Key
    date: Date | None = None


class Figure(Origin):
    """A number with its unit, as written. `amount` is the number in bytes, B/s, FLOP/s, OP/s, bit, bit/s, W or USD."""

    dimension: ClassVar[str]
    units: ClassVar[tuple[str, ...]] = ()
    """Those that may be written, where they are not all of the dimension."""

    most: ClassVar[float]
    """Beyond it, a figure is a slip of the pen: about a thousand times what was built so far."""

    value: str

    @field_validator("value", mode="before")
    @classmethod
    def _check(cls, value: Any) -> Any:
        cls.quantity(value)
        return value

    @classmethod
    def quantity(cls, text: object) -> Quantity:
        """The text read. Raises PydanticCustomError with what is wrong with it."""
        known = cls.units or tuple(UNITS[cls.dimension])
        expected = f"a number and a unit: {', '.join(known)}"
        read = parse_quantity(text) if isinstance(text, str) else None
        if read is None:
            raise _problem("not a quantity", expected, spell(text))
        if read.unit not in known:
            hint = _binary(read) if known == Size.units else nearest(read.unit, known, count=1)
            raise _problem("wrong unit", expected, spell(text), hint)
        amount = read.amount(cls.dimension)
        if amount <= 0:
            hint = "leave out what the device has not, or what is not known" if amount == 0 else None
            raise _problem("not a positive number", f"more than 0 {read.unit}", spell(text), hint)
        if amount > cls.most:
            raise _problem(
                "too large to be true",
                f"at most {show_in(cls.most, read.unit, cls.dimension)} {read.unit}",
                spell(text),
            )
        return read

    @cached_property
    def amount(self) -> int | float:
        return self.quantity(self.value).amount(self.dimension)


def _problem(problem: str, expected: str, found: str, hint: str | None = None) -> PydanticCustomError:
    return PydanticCustomError(
        "told",
        "{problem}",
        {"problem": problem, "expected": expected, "found": found} | ({"hint": hint} if hint else {}),
    )


def _binary(read: Quantity) -> str | None:
    """Memory is sold in GB of 2^30 bytes."""
    if read.unit not in ("kB", "MB", "GB", "TB"):
        return nearest(read.unit, Size.units, count=1)
    number = f"{float(read.number):.6g}"
    return f"{number} {read.unit[0].upper()}iB: what is sold as a {read.unit} of memory has 2^10, not 10^3, as its step"


class Size(Figure):
    """Bytes of a memory. The unit is binary, as memories are, whatever the box says."""

    dimension = "B"
    units = ("KiB", "MiB", "GiB", "TiB")
    most = 2**50


class SizeAsAsked(Size):
    """Bytes of a memory that somebody named, in the unit that they wrote: a decimal one is taken at its word."""

    units = ("GB", "TB", "GiB", "TiB")


class Reserve(Figure):
    """Bytes that something takes out of a memory."""

    dimension = "B"
    most = 2**50


class Bandwidth(Figure):
    """Bytes per second, decimal, in one direction."""

    dimension = "B/s"
    most = 1e17


class FloatRate(Figure):
    """Dense FLOP/s at the peak, and the type that sums are kept in. `sparse` is the rate with 2:4 sparsity."""

    dimension = "FLOP/s"
    most = 1e18
    accumulate: Literal["float16", "float32", "float64"]
    sparse: str | None = None

    @field_validator("sparse", mode="before")
    @classmethod
    def _check_sparse(cls, value: Any) -> Any:
        if value is not None:
            cls.quantity(value)
        return value

    @cached_property
    def sparse_amount(self) -> int | float | None:
        return None if self.sparse is None else self.quantity(self.sparse).amount(self.dimension)


class IntegerRate(FloatRate):
    """Dense OP/s at the peak."""

    dimension = "OP/s"
    accumulate: Literal["int16", "int32"]  # pyright: ignore[reportIncompatibleVariableOverride]


class BusWidth(Figure):
    dimension = "bit"
    most = 2**20


class DataRate(Figure):
    """Bits per second of one pin."""

    dimension = "bit/s"
    most = 1e12


class Power(Figure):
    dimension = "W"
    most = 1e6


class Processors(Figure):
    """Multiprocessors, compute units or cores: what a kernel's tiles are dealt out to."""

    dimension = "processors"
    most = 1e7


class Price(Figure):
    """The price at launch, before tax, with its date."""

    dimension = "USD"
    most = 1e8
    date: Date  # pyright: ignore[reportIncompatibleVariableOverride, reportGeneralTypeIssues]


class Sparsity(Origin):
    """Whether matrix units run twice as fast on weights of which two in four are zero."""

    value: Literal["none", "2:4"]


class TypeOfMemory(Origin):
    value: MemoryType


class Board(Origin):
    """The board or module that this device is one of several of. The profile's figures are one device's."""

    value: Text
    devices: Annotated[int, Field(strict=True, ge=2, le=64)]


Share = Annotated[float, Field(gt=0, le=1.0)]


class Spread(Origin):
    """What part of the peak was seen in measurements: 10th, 50th and 90th percentile."""

    value: tuple[Share, Share, Share]
