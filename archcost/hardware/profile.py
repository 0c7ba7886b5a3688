"""`HardwareProfile`: what is known of one device. Every figure has its unit in its text, a source and a date."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, StringConstraints

from archcost.errors import ArchcostError
from archcost.files.result import Result
from archcost.hardware.figures import (
    FROZEN,
    Bandwidth,
    Board,
    BusWidth,
    DataRate,
    Date,
    Figure,
    FloatRate,
    IntegerRate,
    Key,
    Origin,
    Power,
    Price,
    Processors,
    Reserve,
    Size,
    SizeAsAsked,
    Sparsity,
    Spread,
    Text,
    TypeOfMemory,
)

Name = Annotated[str, StringConstraints(strict=True, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=100)]

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
    """The memory that tensors live in: nominal, and what is left of it for programs; bandwidth by the data sheet.

    A device without a data sheet has neither type nor bandwidth; a file says both.
    """

    model_config = FROZEN

    type: TypeOfMemory | None
    nominal: Size
    usable: Size | None = None
    bandwidth: Bandwidth | None
    bus: BusWidth | None = None
    data_rate: DataRate | None = None

    @property
    def capacity(self) -> int:
        """Bytes: usable where that is known, else nominal."""
        return int((self.usable or self.nominal).amount)

    @property
    def capacity_is(self) -> str:
        """What `capacity` is, for whoever reads it."""
        if isinstance(self.nominal, SizeAsAsked):
            return f"{self.nominal.value} as asked for; of a real card less is usable"
        return "usable memory" if self.usable else "nominal memory; usable is not stated"

    @property
    def rate(self) -> float:
        """Bytes per second, of a device with a data sheet."""
        assert self.bandwidth is not None
        return float(self.bandwidth.amount)


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
    year: Annotated[int, Field(strict=True, ge=1970, le=2100)] | None
    architecture: Text | None = None
    line: Text | None = None
    """GeForce, say: what shares an architecture but not its rates."""

    like: Name | None = None
    """The device that it is but for its memory, whose runs hold for it."""

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

    @property
    def timed_as(self) -> str:
        """The name under which its runs are known."""
        return self.like or self.name

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
