"""`Calibration`: how fast a device really is with one engine and precision, class by class, fitted to runs.

One YAML file each in `calibrations/`, or one that a user has measured. Rates are absolute and in the units of their
text, so a file says what it means without the profile of the device.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from archcost.errors import Place, SpecError
from archcost.files.parse import parse, read_text
from archcost.files.values import as_mapping, spell
from archcost.hardware.figures import Text
from archcost.hardware.mistakes import place
from archcost.hardware.profile import Name
from archcost.terms.time_classes import Fuses, TimeClass
from archcost.units import UNITS, parse_quantity

FROZEN = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

FOLDER = Path(__file__).parent / "calibrations"

Modes = Literal["infer", "train"]


def _amount(dimension: str) -> BeforeValidator:
    def read(value: Any) -> float:
        if isinstance(value, float):
            return value
        found = parse_quantity(value) if isinstance(value, str) else None
        known = UNITS[dimension]
        if found is None or found.unit not in known or found.number < 0:
            expected = f"a number and a unit: {', '.join(known)}"
            raise PydanticCustomError(
                "told", "{problem}", {"problem": "wrong quantity", "expected": expected, "found": spell(value)}
            )
        return float(found.amount(dimension))

    return BeforeValidator(read)


Rate = Annotated[float, _amount("FLOP/s"), Field(gt=0)]
BytesPerSecond = Annotated[float, _amount("B/s"), Field(gt=0)]
Seconds = Annotated[float, _amount("s"), Field(ge=0)]
Watts = Annotated[float, _amount("W"), Field(gt=0)]


class Pace(BaseModel):
    """Of one class: its share of the matrix or vector units, what it moves a second, what a launch takes at the least
    on the device, and how fast it goes through its weights for each sample.
    """

    model_config = FROZEN

    rate: Rate | None = None
    bandwidth: BytesPerSecond | None = None
    floor: Seconds = 0.0
    reread: BytesPerSecond | None = None


class Measured(NamedTuple):
    """A timed layer: the median seconds of its calls, and their spread as a share of the median."""

    forward: Seconds
    backward: Seconds
    spread: Annotated[float, Field(ge=0)]


class Errors(BaseModel):
    """Errors |predicted / measured − 1| of runs whose family of networks was left out of the fit."""

    model_config = FROZEN

    median: float
    p90: float
    beyond_factor_two: Annotated[float, Field(ge=0, le=1)]
    inside_band: Annotated[float, Field(ge=0, le=1)]


class Calibration(BaseModel):
    """Constants of a device × engine × precision. `band` are factors of the predicted time, which hold nine in ten."""

    model_config = FROZEN
    EAGER: ClassVar[str] = "eager"

    device: Name
    engine: Text
    """`eager`, `eager-nhwc`, `compiled`, `ncnn` and so on: what `--engine` asks for."""
    version: Text
    """Of the engine, in words: `torch 2.9`. The label of an answer is this and the engine."""
    precision: Text
    modes: tuple[Modes, ...] = Field(min_length=1)
    status: Literal["public", "calibrated"]
    source: Text
    runs: Annotated[int, Field(ge=1)]
    families: Annotated[int, Field(ge=1)]
    processor: Text | None = None
    """What the system calls the device that was measured."""
    threads: Annotated[int, Field(ge=1)] | None = None
    fuses: tuple[Fuses, ...] = ("attention",)
    """What the engine makes one kernel of."""
    dispatch: Seconds
    """Of one launch, on the host. A GPU's host runs ahead of it; a CPU has done its work when the call returns."""
    classes: Mapping[TimeClass, Pace]
    backward: Mapping[TimeClass, Pace] = {}
    """Where backward of a class has its own; else forward's."""
    inference: Mapping[TimeClass, Pace] = {}
    """Where forward of a class has its own in inference, as a batch norm whose statistics stand."""
    optimizers: Mapping[Text, Pace] = {}
    """By what a run calls it (`adam`), and else by the class."""
    overlaps: bool = True
    """Whether a kernel computes while it moves; else it takes the sum of both."""
    first_touch: BytesPerSecond | None = None
    """Of memory that a C library fetches anew from the system, which a CPU pays for as it is written."""
    points: Mapping[Text, Measured] = {}
    """The layers that the constants were fitted to."""
    operators: Mapping[Text, Measured] = {}
    """Layers of networks that were timed for themselves, and take the time that they took."""
    operators_band: tuple[Annotated[float, Field(gt=0, le=1)], Annotated[float, Field(ge=1)]] = (0.8, 1.25)
    """In place of `band` where all of a step was timed."""
    band: tuple[Annotated[float, Field(gt=0, le=1)], Annotated[float, Field(ge=1)]]
    errors: Errors | None = None
    power: Watts | None = None
    """Drawn while it runs, where that was measured: the energy of an inference is so much a second."""
    borrowed: tuple[Name, ...] = ()
    """The devices whose constants these are, where the device has no runs of its own."""
    relatives: Errors | None = None
    """Of the same runs, as the device's nearest relatives predict them, without any run of its own."""

    @property
    def chooses_dtypes(self) -> bool:
        """Whether the engine computes in whatever it likes: what folds into weights has them rounded anyway."""
        return "weights" in self.fuses

    @property
    def release(self) -> tuple[int, ...]:
        """Numbers of its version: torch 2.10 is newer than torch 2.9."""
        words = "".join([letter if letter.isdigit() else " " for letter in self.version]).split()
        return tuple(map(int, words))

    @property
    def label(self) -> str:
        return f"{self.version} {self.engine}"


def read(path: Path) -> Calibration:
    """A calibration in a file. Raises SpecError with the place of the mistake."""
    return loads(read_text(path), str(path))


def loads(text: str, file: str) -> Calibration:
    """A calibration from the text of its file. Raises SpecError with the place of the mistake."""
    tree, marks = parse(text, file)
    if as_mapping(tree) is None:
        raise SpecError(
            "not a calibration",
            expected="a mapping with device, engine, precision, classes and so on",
            found=spell(tree),
            place=Place(file, 1, 1),
        )
    try:
        return Calibration.model_validate(tree)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        told = first.get("ctx", {}) if first["type"] == "told" else {}
        where = tuple(step for step in first["loc"] if step != "[key]")
        raise SpecError(
            told.get("problem", f"wrong value for {where[-1] if where else 'the file'!r}"),
            expected=told.get("expected", first["msg"].removeprefix("Input should be ")),
            found=told.get("found", spell(first["input"])),
            layer=".".join(map(str, where)) or None,
            place=place(marks, where, file),
        ) from None


@cache
def shipped() -> tuple[Calibration, ...]:
    """The calibrations that ship with the package, in the order of their files."""
    return tuple([read(path) for path in sorted(FOLDER.glob("*.yaml"))])


@cache
def of(device: str, engine: str) -> tuple[Calibration, ...]:
    """The shipped calibrations of a device with an engine. Names of files start with both, so only those are read."""
    found = [read(path) for path in sorted(FOLDER.glob(f"{device}--{engine}--*.yaml"))]
    return tuple([each for each in found if (each.device, each.engine) == (device, engine)])


@cache
def of_engine(engine: str, precision: str) -> tuple[Calibration, ...]:
    """Of every device: names of files are device--engine and so on with the precision in it, so that only those are
    read.
    """
    found = [read(path) for path in sorted(FOLDER.glob(f"*--{engine}--*{precision}*.yaml"))]
    return tuple([each for each in found if (each.engine, each.precision) == (engine, precision)])
