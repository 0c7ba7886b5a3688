"""Which calibration answers for a device, an engine, a precision and a mode."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

from archcost.errors import ArchcostError, listing, nearest, shorten
from archcost.hardware import calibration, library
from archcost.hardware.calibration import Calibration, Modes
from archcost.hardware.profile import HardwareProfile
from archcost.passes.run import Precision, Run
from archcost.terms.time_classes import Fuses
from archcost.terms.torch_releases import rules_of, version_here
from archcost.times.relatives import from_relatives
from archcost.times.training import from_inference

DEFAULT = "eager"
CHANNELS_LAST = "eager-nhwc"
"""Eager torch with images in channels-last."""
COMPILED = "compiled"
"""torch.compile."""

OTHER_DEVICE = 10.0
"""By how much a band is widened where a calibration is of another device: so far apart lie rates of one kind."""

OTHER_RELEASE = 1.35
"""The same for another release of torch. Of 287 networks on an RTX 3090, nine in ten kept within that between torch
1.13 and 2.4 (timm's tables); between releases with the same first number it is 1.1.
"""


OTHER_16_BITS: Mapping[Precision, Precision] = {
    "amp-fp16": "amp-bf16",
    "amp-bf16": "amp-fp16",
    "fp16": "bf16",
    "bf16": "fp16",
}
OTHER_DTYPE = 1.05
"""By how much a band is widened for the other dtype of 16 bits: of 623 networks on an RTX PRO 6000, 98 in 100 kept
within that between autocast's two (timm's tables).
"""


class Chosen(NamedTuple):
    """The calibration that answers, None for the data sheet alone, and why. `differs`: on what else it was made."""

    calibration: Calibration | None
    notes: tuple[str, ...] = ()
    differs: tuple[str, ...] = ()
    engine: str = DEFAULT
    """What was asked for."""

    @property
    def fuses(self) -> tuple[Fuses, ...]:
        """What the engine makes one kernel of."""
        if self.calibration is not None:
            return self.calibration.fuses
        return ("attention", "elementwise") if self.engine == COMPILED else ("attention",)


def run_by(run: Run, engine: str | None) -> Run:
    """The run as that engine has it: its images with their channels last, where its name says so."""
    return replace(run, channels_last=True) if engine is not None and engine.endswith(CHANNELS_LAST) else run


def choose(
    profile: HardwareProfile,
    run: Run,
    engine: str | None,
    given: Calibration | None = None,
    threads: int | None = None,
) -> Chosen:
    """One that was given, else the newest of the device that suits, else that of its nearest relatives. `threads` are
    those of a CPU that will run.

    Raises ArchcostError for an engine that no calibration has, and for a given one of another precision or mode.
    """
    if given is not None:
        return _the_users(given, profile, run, engine, threads)
    asked = engine or (CHANNELS_LAST if run.channels_last else DEFAULT)
    known = calibration.of(profile.timed_as, _engine_of(asked))
    suiting = [each for each in known if _is_asked(each, asked)]
    if engine is not None and not suiting:
        labels = [word for each in calibration.shipped() for word in (each.engine, each.label)]
        engines = {DEFAULT, CHANNELS_LAST, COMPILED, *labels}
        if engine not in engines:
            raise ArchcostError(
                f"no calibration of engine {shorten(engine)}",
                expected=listing(sorted(engines)),
                found=shorten(engine),
                hint=nearest(engine, engines),
            )
    for by in (_by_runs, _by_others):
        for precision in _equal_precisions(profile, run.precision):
            found = by(profile, run, asked, [each for each in suiting if each.precision == precision], precision)
            if found is not None:
                return found if precision == run.precision else _in_the_other(found, run.precision, precision)
    return Chosen(None, (_why(profile, asked, suiting),), engine=asked)


def _by_runs(
    profile: HardwareProfile, run: Run, asked: str, own: Sequence[Calibration], precision: str
) -> Chosen | None:
    """The newest shipped calibration of the device itself that suits."""
    suiting = [each for each in own if _mode(run) in each.modes]
    return Chosen(max(suiting, key=_release)) if suiting else None


def _by_others(
    profile: HardwareProfile, run: Run, asked: str, own: Sequence[Calibration], precision: str
) -> Chosen | None:
    """One derived from the device's inference and another's training, or from relatives."""
    return _from_relatives(_Itself(profile), run, asked, precision)


class _Itself:
    """A profile as a key: no other one, however equal, has what is remembered for it."""

    def __init__(self, profile: HardwareProfile) -> None:
        self.profile = profile

    def __hash__(self) -> int:
        return id(self.profile)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Itself) and other.profile is self.profile


@lru_cache(maxsize=256)
def _from_relatives(device: _Itself, run: Run, asked: str, precision: str) -> Chosen | None:
    profile = device.profile
    known = calibration.of(profile.timed_as, _engine_of(asked))
    own = [each for each in known if _is_asked(each, asked) and each.precision == precision]
    others = [each for each in calibration.of_engine(asked, precision) if _mode(run) in each.modes]
    inferred = [each for each in own if "infer" in each.modes] if run.trains else []
    found = from_inference(profile, max(inferred, key=_release), others) if inferred else None
    found = found or from_relatives(profile, run, others)
    return None if found is None else Chosen(found[0], (found[1],))


def _mode(run: Run) -> Modes:
    return "train" if run.trains else "infer"


def _equal_precisions(profile: HardwareProfile, precision: Precision) -> tuple[Precision, ...]:
    """The precision, and the other one of 16 bits where the device multiplies as fast in both."""
    rates = profile.rates.known()
    narrow = [rates.get(dtype) for dtype in ("float16", "bfloat16")]
    other = OTHER_16_BITS.get(precision)
    if other is None or narrow[0] is None or narrow[1] is None or narrow[0].amount != narrow[1].amount:
        return (precision,)
    return precision, other


def _in_the_other(found: Chosen, precision: str, other: str) -> Chosen:
    assert found.calibration is not None
    low, high = found.calibration.band
    band = (low / OTHER_DTYPE, high * OTHER_DTYPE)
    note = f"no runs in {precision} are known: those in {other}, which moves as many bytes and multiplies as fast"
    return Chosen(found.calibration.model_copy(update={"band": band}), (*found.notes, note))


def _the_users(
    given: Calibration, profile: HardwareProfile, run: Run, engine: str | None, threads: int | None
) -> Chosen:
    """The user's calibration, with a wider band where it was made on another device, engine or release."""
    _refuse_another_kind(given, profile, run, engine)
    differs: list[str] = []
    wider = 1.0
    if given.device != profile.timed_as:
        differs.append(f"of {given.device}, and not of {profile.name}")
        wider *= OTHER_DEVICE
    if given.status == "calibrated" and not _is_of_release(given, run):
        release = ".".join(map(str, _release(given)[:2]))
        differs.append(f"made with torch {release}, and not with {run.torch}")
        wider *= OTHER_RELEASE
    if threads is not None and given.threads is not None and threads != given.threads:
        differs.append(f"made with {given.threads} threads, and not with {threads}")
        wider *= max(threads, given.threads) / min(threads, given.threads)
    if not differs:
        return Chosen(given)
    bands = {
        name: (low / wider, high * wider)
        for name, (low, high) in (("band", given.band), ("operators_band", given.operators_band))
    }
    note = f"the calibration is {', '.join(differs)}: the band is {wider:g} times as wide to both sides"
    return Chosen(given.model_copy(update=bands), (note,), tuple(differs))


def _refuse_another_kind(given: Calibration, profile: HardwareProfile, run: Run, engine: str | None) -> None:
    """Raises ArchcostError for a calibration that no wider band would make one of what is asked."""
    mode = "train" if run.trains else "infer"
    if given.precision != run.precision or mode not in given.modes:
        raise ArchcostError(
            "the calibration is of another kind of run",
            expected=f"one for {mode} in {run.precision}",
            found=f"{listing(given.modes)} in {given.precision}",
            hint=f"archcost hardware calibrate --precision {run.precision} -o FILE",
        )
    kind = _kind(given)
    if kind is not None and kind != profile.kind:
        raise ArchcostError(
            "the calibration is of another kind of device",
            expected=f"one of a {profile.kind}, as {profile.name} is",
            found=f"one of {given.device}, a {kind}",
        )
    if engine is not None and not _is_asked(given, engine):
        raise ArchcostError(
            "the calibration is of another engine", expected=f"{given.engine}, {given.label}", found=shorten(engine)
        )


def _is_of_release(given: Calibration, run: Run) -> bool:
    """Whether it was made with the release whose rules hold, or with the very one that is installed."""
    here = version_here()
    same = {run.torch, here} if here is not None and rules_of(here) == run.torch else {run.torch}
    return _release(given)[:2] in [_numbers(each)[:2] for each in same]


def _kind(given: Calibration) -> str | None:
    """The kind of device that a calibration was made on; of one that does not ship, cpu where threads are named."""
    if given.device in library.names():
        return library.load(given.device).kind
    return None if given.threads is None else "cpu"


def _engine_of(asked: str) -> str:
    """The engine of a label: `eager` of torch 2.9 eager."""
    return asked.rpartition(" ")[2]


def _is_asked(found: Calibration, engine: str) -> bool:
    return engine in (found.engine, found.label)


def _release(found: Calibration) -> tuple[int, ...]:
    """torch 2.10 is newer than torch 2.9."""
    return _numbers(found.version)


def _numbers(version: str) -> tuple[int, ...]:
    words = "".join([letter if letter.isdigit() else " " for letter in version]).split()
    return tuple(map(int, words))


def _why(profile: HardwareProfile, engine: str, suiting: Sequence[Calibration]) -> str:
    if not suiting:
        return f"no runs of {profile.name} with engine {engine} are known: bounds of its data sheet"
    had = listing(sorted({f"{mode} in {each.precision}" for each in suiting for mode in each.modes}))
    return f"runs of {profile.name} are known for {had} only: bounds of its data sheet"
