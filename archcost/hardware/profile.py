"""`HardwareProfile`: what is known of one device. Every figure has its unit in its text, a source and a date."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, field_validator
from pydantic_core import PydanticCustomError

from archcost.errors import ArchcostError, nearest
from archcost.files.result import Result
from archcost.files.values import spell
from archcost.hardware.memory_types import MemoryType
from archcost.units import UNITS, Quantity, parse_quantity, show_in

FROZEN = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True)

Text = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=2_000)]
Name = Annotated[str, StringConstraints(strict=True, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=100)]
Key = Annotated[str, StringConstraints(strict=True, pattern=r"^[a-z][a-z0-9_]*$", max_length=100)]


def _as_text(date: Any) -> Any:
    """`2022` is a number to YAML."""
    return str(date) if isinstance(date, int) and not isinstance(date, bool) else date


Date = Annotated[
    str, BeforeValidator(_as_text), StringConstraints(strict=True, pattern=r"^(19|20)\d\d(-[01]\d(-[0-3]\d)?)?$")
]
"""A year, a month (2022-10) or a day."""

Verified = Literal["A", "B", "C", "derived"]
"""A: a document of the vendor, or a page that quotes it, was read. B: another page was read. C: recalled, not looked
up. derived: worked out from other figures, as the source says. Of a whole profile, B allows for recalled figures."""

Kind = Literal["gpu", "tpu", "soc", "cpu", "microcontroller"]


class Source(BaseModel):
    """A source of figures: what it is, the date on which it was read, and how reliable that is."""

    model_config = FROZEN

    text: Text
    date: Date
    verified: Verified


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


class Rates(BaseModel):
    """Dense peak rates. A dtype that the device has no rate for is left out."""

    model_config = FROZEN

    float64: FloatRate | None = None
    float32: FloatRate | None = None
    tf32: FloatRate | None = None
    float16: FloatRate | None = None
    bfloat16: FloatRate | None = None
    float8: FloatRate | None = None
    int8: IntegerRate | None = None

    def known(self) -> dict[str, FloatRate]:
        return {dtype: rate for dtype in Rates.model_fields if (rate := getattr(self, dtype)) is not None}


class Memory(BaseModel):
    """The memory that tensors live in: nominal, and what is left of it for programs; bandwidth by the data sheet."""

    model_config = FROZEN

    type: TypeOfMemory
    nominal: Size
    usable: Size | None = None
    bandwidth: Bandwidth
    bus: BusWidth | None = None
    data_rate: DataRate | None = None

    @property
    def capacity(self) -> int:
        """Bytes: usable where that is known, else nominal."""
        return int((self.usable or self.nominal).amount)


class Links(BaseModel):
    """Bandwidths of links, in one direction: to devices of the same node, to the host's memory, to other nodes."""

    model_config = FROZEN

    peer: Bandwidth | None = None
    host: Bandwidth | None = None
    network: Bandwidth | None = None


class SeenRates(BaseModel):
    """Matrix products, by dtype."""

    model_config = FROZEN

    float32: Spread | None = None
    tf32: Spread | None = None
    float16: Spread | None = None
    bfloat16: Spread | None = None
    float8: Spread | None = None


class Seen(BaseModel):
    """Parts of the nominal rates that public measurements reached."""

    model_config = FROZEN

    matmul: SeenRates | None = None
    stream: Spread | None = None


class HardwareProfile(Result, BaseModel):
    """The profile of one device. A figure that is not known is None; none has a default."""

    model_config = FROZEN

    name: Name
    title: Text
    vendor: Text
    kind: Kind
    year: Annotated[int, Field(strict=True, ge=1970, le=2100)]
    architecture: Text | None = None
    line: Text | None = None
    """GeForce, say: what shares an architecture but not its rates."""

    verified: Verified
    notes: Text | None = None
    sources: dict[Key, Source] = Field(min_length=1)
    board: Board | None = None
    processors: Processors | None = None
    rates: Rates
    sparsity: Sparsity | None = None
    memory: Memory
    flash: Size | None = None
    """Of a microcontroller: weights live there, activations in `memory`."""

    cache: Size | None = None
    """The last level before memory."""

    links: Links = Links()
    tdp: Power | None = None
    price: Price | None = None
    context: Reserve | None = None
    """What the driver takes for a process before its first tensor."""

    workspace: Reserve | None = None
    """What torch keeps for the library of matrix products, a thread and stream: a training step has two of it."""

    seen: Seen = Seen()

    @property
    def headline(self) -> str:
        return f"{self.name}: {self.title}"

    def rate(self, dtype: str) -> int | float:
        """Dense FLOP/s (OP/s for int8) at the peak. Raises ArchcostError where the profile has none."""
        known = self.rates.known()
        if dtype not in known:
            raise ArchcostError(
                f"{self.name} has no rate for {dtype}",
                expected=f"one of {', '.join(known)}" if known else "a profile with rates",
                found=dtype,
                hint="a precision that the device computes in, or another device: archcost hardware list",
            )
        return known[dtype].amount

    def figures(self) -> Iterator[tuple[str, Origin]]:
        """Every figure with its dotted path, in the order of the fields."""
        yield from _figures(self, "")

    def source(self, figure: Origin) -> Source:
        return self.sources[figure.source]

    def date(self, figure: Origin) -> str:
        """The figure's own, or that of its source."""
        return figure.date or self.source(figure).date

    def to_dict(self) -> dict[str, Any]:
        head = ("name", "title", "vendor", "kind", "year", "architecture", "line", "verified", "notes")
        return {
            "schema": "archcost.hardware/1",
            **{field: getattr(self, field) for field in head},
            "figures": {path: self._figure_dict(figure) for path, figure in self.figures()},
            "unknown": self.unknown(),
        }

    def unknown(self) -> list[str]:
        """Figures that a profile could have and this one has not."""
        given = {path for path, _ in self.figures()}
        return [path for path in OPTIONAL if path not in given]

    def _figure_dict(self, figure: Origin) -> dict[str, Any]:
        source = self.source(figure)
        told: dict[str, Any] = figure.model_dump(mode="json", exclude={"source", "date"}, exclude_none=True)
        if isinstance(figure, Figure):
            told |= {"amount": figure.amount, "unit": figure.dimension}
        return told | {"source": source.text, "date": self.date(figure), "verified": source.verified}


OPTIONAL = (
    "processors", "memory.usable", "cache", "links.peer", "links.host", "links.network", "tdp", "price", "context",
    "workspace",
)  # fmt: skip


def _figures(value: BaseModel, prefix: str) -> Iterator[tuple[str, Origin]]:
    for field in type(value).model_fields:
        inner = getattr(value, field)
        if isinstance(inner, Origin):
            yield prefix + field, inner
        elif isinstance(inner, BaseModel):
            yield from _figures(inner, f"{prefix}{field}.")
