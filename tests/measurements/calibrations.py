"""Fits written as the calibrations that ship: `hardware/calibrations/DEVICE--ENGINE--….yaml`."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from math import log
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple, cast, get_args

import archcost.hardware as profiles
from archcost.costs.kernel import Kernel
from archcost.hardware import calibration
from archcost.hardware.profile import HardwareProfile
from archcost.terms.time_classes import BROADER, CONTRACTIONS, TimeClass
from archcost.times.bound import paces
from archcost.times.roof import spend
from tests.measurements.fitting import (
    BACK,
    ONE_FOR_BOTH,
    Constants,
    Errors,
    Fit,
    Seen,
    Usual,
    band_of,
    errors,
    usual_of,
)

FOLDER = Path(calibration.__file__).parent / "calibrations"

RUNNING = [name for name in get_args(TimeClass) if name not in ("free", "unknown")]
"""Classes that take time."""


class Head(NamedTuple):
    """What a calibration says of itself. `dispatch` are seconds."""

    device: str
    engine: str
    version: str
    precision: str
    modes: tuple[str, ...]
    fuses: tuple[str, ...]
    source: str
    dispatch: float = 8e-6

    @property
    def path(self) -> Path:
        words = (self.device, self.engine, self.version.replace(" ", "-"), self.precision, *self.modes)
        return FOLDER / f"{'--'.join(words)}.yaml"


class Result(NamedTuple):
    head: Head
    text: str
    errors: Errors
    band: tuple[float, float]
    runs: int
    families: int
    ratios: tuple[tuple[str, float], ...] = ()
    """By network, predicted without its family over measured."""
    bounds: tuple[float, float] = (0.0, 0.0)
    """Of the data sheet alone: the share of runs between them, and the upper over the lower in the median."""

    def __str__(self) -> str:
        found = self.errors
        told = f"{self.runs} runs of {self.families} families, left out: median {found.median:.1%}, p90 {found.p90:.1%}"
        low, high = self.band
        far = f"beyond 2 {found.beyond_factor_two:.1%}, band {low:.2f} to {high:.2f} holds {found.inside_band:.1%}"
        return f"{self.head.path.name}: {told}, {far}"


def fitted(head: Head, runs: Sequence[Seen], power: float = 8.0) -> Result:
    """Fitted to all runs; errors and band are those of runs whose family was left out."""
    profile = profiles.load(head.device)
    rates = profile.rates.known()
    dtype = {"amp-fp16": "float16", "amp-bf16": "bfloat16", "bf16": "bfloat16", "fp32": "float32"}[head.precision]
    fit = Fit(float(rates[dtype].amount), float(profile.memory.bandwidth.amount), power=power)
    constants, left_out = fit.fitted(runs), fit.left_out(runs)
    band = band_of(left_out, runs)
    found = errors(left_out, runs, band)
    families = len({run.family for run in runs})
    ratios = tuple([(run.name, float(told / run.seconds)) for run, told in zip(runs, left_out, strict=True)])
    told = text(head, fit, constants, runs, families, found, band)
    return Result(head, told, found, band, len(runs), families, ratios, _bounds(runs, profile, dtype))


def _bounds(runs: Sequence[Seen], profile: HardwareProfile, dtype: str) -> tuple[float, float]:
    inside, widths = 0, []
    for run in runs:
        low, high = (sum(times) for times in zip(*_ends(run, profile, dtype), strict=True))
        inside += low <= run.seconds <= high
        widths.append(high / low)
    return inside / len(runs), median(widths)


def _ends(run: Seen, profile: HardwareProfile, dtype: str) -> Iterator[tuple[float, float]]:
    for part, times in run.parts.items():
        kind = cast("TimeClass", part.kind.removesuffix(BACK))
        kernel = Kernel(kind, round(part.flops), round(part.nbytes), dtype, part.launches)
        found = paces(kernel, profile, allows_tf32=False)
        assert found is not None
        yield times * spend(kernel, found[0]).seconds, times * spend(kernel, found[2]).seconds


def write(result: Result) -> None:
    FOLDER.mkdir(exist_ok=True)
    result.head.path.write_text(result.text)
    calibration.read(result.head.path)


def text(
    head: Head,
    fit: Fit,
    constants: Constants,
    runs: Sequence[Seen],
    families: int,
    found: Errors,
    band: tuple[float, float],
) -> str:
    # A class that no network has is as usual: one without a pace would take no time.
    forward = {name: _share(name, constants) for name in RUNNING}
    both = [name for name in RUNNING if name not in ONE_FOR_BOTH] if "train" in head.modes else []
    backward = {name: _share(name + BACK, constants) for name in both}
    lines = [
        *_pairs(
            device=head.device,
            engine=head.engine,
            version=head.version,
            precision=head.precision,
            modes=f"[{', '.join(head.modes)}]",
            status="public",
            runs=len(runs),
            families=families,
            fuses=f"[{', '.join(head.fuses)}]",
            dispatch=f"{head.dispatch * 1e6:g} us",
            band=f"[{band[0]:.3f}, {band[1]:.3f}]",
        ),
        "source: >-",
        *(f"  {line}" for line in head.source.splitlines()),
        "errors:",
        *(f"  {name}: {value:.4f}" for name, value in found._asdict().items()),
        *_classes("classes", forward, fit),
        *(_classes("backward", backward, fit) if backward else []),
    ]
    return "\n".join(lines) + "\n"


def _share(kind: str, constants: Constants) -> Usual:
    """As fitted, or that of the broader class, or the usual one."""
    name, back = kind.removesuffix(BACK), kind[len(kind.removesuffix(BACK)) :]
    broader = BROADER.get(cast("TimeClass", name))
    return constants.shares.get(kind) or constants.shares.get(f"{broader}{back}") or usual_of(kind)


def _pairs(**fields: Any) -> list[str]:
    return [f"{name}: {value}" for name, value in fields.items()]


def _classes(title: str, shares: Mapping[str, Usual], fit: Fit) -> list[str]:
    lines = [f"{title}:"]
    for name in sorted(shares):
        share = shares[name]
        rate = f"rate: {share.rate * fit.rate / 1e12:.4g} TFLOP/s, " if name in CONTRACTIONS else ""
        bandwidth = f"bandwidth: {share.bandwidth * fit.bandwidth / 1e9:.4g} GB/s"
        lines.append(f"  {name}: {{{rate}{bandwidth}, floor: {fit.floor * 1e6:g} us}}")
    return lines


WORST = 8


def page(introduction: str, results: Sequence[Result]) -> str:
    """Markdown: errors of families left out, bounds of the data sheets, and the networks that are furthest off."""
    lines = [introduction, ""]
    lines.append("| run | networks | median | 90th percentile | beyond a factor of two | in the band |")
    lines.append("|---|---|---|---|---|---|")
    for each in results:
        off = each.errors
        shares = (off.median, off.p90, off.beyond_factor_two, off.inside_band)
        told = " | ".join(f"{round(share, 4):.1%}" for share in shares)
        lines.append(f"| {_name(each)} | {each.runs} | {told} |")
    lines += ["", "Bounds of the data sheet alone, as for a card without runs:", ""]
    lines += ["| run | between them | upper over lower, median |", "|---|---|---|"]
    lines += [f"| {_name(each)} | {each.bounds[0]:.1%} | {each.bounds[1]:.2f} |" for each in results]
    lines += ["", "The networks that are furthest off, predicted over measured:", "", "| run | network | ratio |"]
    lines.append("|---|---|---|")
    for each in results:
        worst = sorted(each.ratios, key=lambda pair: -abs(log(pair[1])))[:WORST]
        lines += [f"| {_name(each)} | {network} | {ratio:.2f} |" for network, ratio in worst]
    return "\n".join(lines) + "\n"


def _name(result: Result) -> str:
    head = result.head
    return f"{head.device}, {head.version} {head.engine}, {head.precision}"


def command(what: str | None, results: Callable[[Path], Iterable[Result]], to: Path, introduction: str) -> None:
    """The program of a table: `results` of a folder of specs are printed, and with --write kept."""
    parser = argparse.ArgumentParser(description=what, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--specs", type=Path, required=True)
    parser.add_argument("--write", action="store_true", help="the calibrations that ship")
    asked = parser.parse_args()
    found = list(results(asked.specs))
    for result in found:
        print(result)
        if asked.write:
            write(result)
    if asked.write:
        to.write_text(page(introduction, found), encoding="utf-8")
