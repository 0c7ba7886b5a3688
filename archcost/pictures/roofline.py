"""The roofline of a device, with the layers of a step on it (Williams, Waterman and Patterson, CACM 2009)."""

# matplotlib does not say what its keywords are.
# pyright: reportUnknownMemberType=false
from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from math import hypot, log10
from typing import TYPE_CHECKING, NamedTuple

from archcost.estimates import Estimate
from archcost.hardware.profile import HardwareProfile
from archcost.pictures.picture import Picture, no_data
from archcost.report.settings import settings
from archcost.terms.time_classes import CONTRACTIONS, TimeClass
from archcost.times.result import Part, StepTime
from archcost.units import duration

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_NUMBERED = 8
AWAY = 0.028
"""Shares of the width from a mark to its number, and between numbers."""

AROUND = [(across * ring, up * ring) for ring in (1, 2, 3) for across, up in
          ((1, 1), (-1, 1), (1, -1), (-1, -1), (0, 1.4), (0, -1.4), (1.4, 0), (-1.4, 0))]  # fmt: skip
"""Where a number may stand, the nearest first."""

_NORMS = ("batch norm", "layer norm", "response norm")
_POOLS = ("max pooling", "average pooling", "adaptive pooling")


def class_of(kind: TimeClass) -> str:
    """A few classes of those by which layers are timed."""
    if kind in CONTRACTIONS:
        return "products" if "product" in kind or kind in ("attention", "recurrent") else "convolutions"
    if kind in _NORMS:
        return "normalizations"
    return "poolings" if kind in _POOLS else "values, copies and others"


@dataclass(frozen=True, slots=True)
class Mark:
    """Equal parts of layers: forward, or one half of backward."""

    names: tuple[str, ...]
    kind: str
    half: str
    intensity: float
    rate: float
    """FLOP/s that are reached."""
    seconds: float
    """Of all of them, each run once."""

    @property
    def others(self) -> str:
        """`and 3 more, forward`: what stands behind the first name."""
        more = f" and {len(self.names) - 1} more" if len(self.names) > 1 else ""
        return f"{more}, {self.half}"

    @property
    def label(self) -> str:
        return f"{next(iter(self.names))}{self.others}"


class Roofs(NamedTuple):
    bandwidth: float
    rates: Mapping[str, float]
    """FLOP/s by dtype."""


class Roofline(NamedTuple):
    marks: tuple[Mark, ...]
    """The slowest first."""
    roofs: Roofs
    without_flops: int
    """Parts that compute nothing, copies, say: there is no place for them."""
    whole: float
    """Seconds of all parts."""


def picture(estimate: Estimate) -> Picture:
    """Raises ArchcostError where nothing is known of the time, or nothing computes."""
    found = roofline(estimate)
    name, device = estimate.network, estimate.hardware.name
    title = f"{name}, batch {estimate.batch:,}, on {device}: {settings(estimate.line)}"
    rates = ", ".join(f"{dtype} {rate / 1e12:.4g} TFLOP/s" for dtype, rate in found.roofs.rates.items())
    slowest = "; ".join(f"{mark.label} {_share(mark, found)}" for mark in found.marks[:3])
    description = (
        f"Roofs of the data sheet: {found.roofs.bandwidth / 1e9:.5g} GB/s, {rates}. The most of the time of the layers "
        f"takes {slowest}. {_basis(estimate)}"
    )
    return Picture("roofline", name, title, description, partial(_draw, found, estimate, title))


def _share(mark: Mark, found: Roofline) -> str:
    return f"{mark.seconds / found.whole:.1%}"


def _basis(estimate: Estimate) -> str:
    time = estimate.time
    if time is None or time.status == "bound":
        return "Times are typical ones of a data sheet: no run of such a device is known."
    return f"Times are {time.status}: {time.engine}."


def roofline(estimate: Estimate) -> Roofline:
    time, profile = estimate.time, estimate.hardware
    if profile.memory.bandwidth is None:
        raise no_data("roofline", estimate.network, f"a data sheet of {profile.name}", "a device with a bandwidth")
    if time is None:
        raise no_data(
            "roofline",
            estimate.network,
            f"a time: {'; '.join(estimate.time_notes)}",
            "a precision that the device has a rate for",
            f"archcost hardware show {profile.name}",
        )
    marks, without = _marks(time)
    if not marks:
        raise no_data("roofline", estimate.network, "a layer that computes something", "FLOPs that take time")
    whole = sum(part.seconds for layer in time.layers for part in layer.parts)
    return Roofline(marks, _roofs(estimate.run.matmul_dtype, profile), without, whole)


def _marks(time: StepTime) -> tuple[tuple[Mark, ...], int]:
    alike: dict[tuple[str, str, int, int, float], list[tuple[str, Part]]] = defaultdict(list)
    without = 0
    for layer in time.layers:
        for half, part in zip(("forward", "backward, input", "backward, weights"), layer.parts, strict=True):
            if part.flops and part.nbytes and part.seconds:
                alike[class_of(layer.kind), half, part.flops, part.nbytes, part.seconds].append((layer.name, part))
            elif part.launches:
                without += 1
    marks = [
        Mark(
            tuple(name for name, _ in parts),
            kind,
            half,
            flops / nbytes,
            flops / seconds,
            sum(part.seconds for _, part in parts),
        )
        for (kind, half, flops, nbytes, seconds), parts in alike.items()
    ]
    return tuple(sorted(marks, key=lambda mark: -mark.seconds)), without


def _roofs(dtype: str, profile: HardwareProfile) -> Roofs:
    """Of the dtype that products are in, and of float32, in which all else is computed; TF32 beside it."""
    known = profile.rates.known()
    wanted = dict.fromkeys((dtype, *(("tf32",) if dtype == "float32" else ()), "float32"))
    rates = {each: float(known[each].amount) for each in wanted if each in known}
    return Roofs(profile.memory.rate, rates)


def _draw(found: Roofline, estimate: Estimate, title: str) -> Figure:
    from archcost.pictures.style import BLUE, GREEN, GREY, ORANGE, VERMILLION, canvas, prefixed, shortened, told

    looks = {
        "convolutions": ("o", BLUE),
        "products": ("s", GREEN),
        "normalizations": ("^", ORANGE),
        "poolings": ("D", VERMILLION),
        "values, copies and others": ("v", GREY),
    }
    figure = canvas(9.4, 5.0)
    axes = figure.add_subplot()
    axes.set_title(told(title))
    axes.set_xscale("log")
    axes.set_yscale("log")
    xs, ys = [mark.intensity for mark in found.marks], [mark.rate for mark in found.marks]
    bandwidth, rates = found.roofs
    ridges = [rate / bandwidth for rate in rates.values()]
    low, high = min([*xs, *ridges]) / 3, max([*xs, *ridges]) * 4
    top = max([*rates.values(), *ys])
    axes.set_xlim(low, high)
    axes.set_ylim(min(*ys, low * bandwidth) / 2, top * 3)
    ridge = max(ridges, default=high)
    axes.plot([low, ridge], [low * bandwidth, ridge * bandwidth], color="black", linewidth=1.4, gid="bandwidth")
    axes.annotate(
        f"{bandwidth / 1e9:.5g} GB/s", (ridge / 3, ridge / 3 * bandwidth), xytext=(-8, 6), textcoords="offset points",
        fontsize=8, ha="right",
    )  # fmt: skip
    names: dict[float, list[str]] = {}
    for dtype, rate in rates.items():
        names.setdefault(rate, []).append(dtype)
    for style, (rate, dtypes) in zip(("-", "--", ":"), names.items(), strict=False):
        is_lower = any(rate < other < 1.7 * rate for other in names)  # else two names stand on each other
        axes.plot([rate / bandwidth, high], [rate, rate], color="black", linewidth=1.4, linestyle=style, gid=dtypes[0])
        axes.annotate(
            f"{', '.join(dtypes)}: {prefixed(rate)}FLOP/s", (high, rate), xytext=(-2, -4 if is_lower else 3),
            va="top" if is_lower else "bottom", textcoords="offset points", ha="right", fontsize=8,
        )  # fmt: skip
    for kind, (marker, colour) in looks.items():
        for ahead in (True, False):
            of_kind = [mark for mark in found.marks if mark.kind == kind and (mark.half == "forward") == ahead]
            if of_kind:
                axes.scatter(
                    [mark.intensity for mark in of_kind],
                    [mark.rate for mark in of_kind],
                    s=[(22 + 500 * mark.seconds / found.whole) * (1 if ahead else 2) for mark in of_kind],
                    marker=marker,
                    facecolor=colour if ahead else "none",
                    edgecolor="black" if ahead else colour,
                    linewidth=0.6 if ahead else 1.2,
                    label=f"{kind}, {'forward' if ahead else 'backward'}",
                    zorder=3 if ahead else 4,  # a ring around what it would hide
                    gid=f"{kind}-{'forward' if ahead else 'backward'}",
                )
    _number(found, axes)
    axes.set_xlabel("FLOPs for each byte that is read or written")
    axes.set_ylabel("FLOP/s")
    axes.yaxis.set_major_formatter(lambda rate, _: prefixed(rate))
    axes.xaxis.set_major_formatter(lambda each, _: f"{each:g}")
    axes.grid(True, which="major", color="#E5E5E5", linewidth=0.6, zorder=0)
    legend = figure.legend(loc="outside right upper", alignment="left", markerscale=0.7)
    for handle in legend.legend_handles:
        if handle is not None and hasattr(handle, "set_sizes"):
            handle.set_sizes([30])  # pyright: ignore[reportAttributeAccessIssue]
    slowest: list[str] = []
    for number, mark in enumerate(found.marks[:MOST_NUMBERED], 1):
        name = shortened(next(iter(mark.names)), 60)
        slowest.append(f"{number} {name}{mark.others}: {_share(mark, found)}, {duration(mark.seconds)}")
    notes = [*slowest, "", _basis(estimate), "Marks are as large as their share of the time of all layers."]
    if found.without_flops:
        notes.append(f"{found.without_flops:,} parts compute nothing, as copies do, and have no place here.")
    figure.supxlabel("\n".join(map(told, notes)), fontsize=7.2, x=0.01, ha="left")
    figure.set_size_inches(9.4, 5.0 + 0.13 * len(notes))
    return figure


def _number(found: Roofline, axes: Axes) -> None:
    """The slowest are named under the picture. Numbers stand beside their marks, where no other stands."""
    low, high = (log10(end) for end in axes.get_xlim())
    bottom, top = (log10(end) for end in axes.get_ylim())
    taken: list[tuple[float, float]] = []
    for number, mark in enumerate(found.marks[:MOST_NUMBERED], 1):
        x, y = (log10(mark.intensity) - low) / (high - low), (log10(mark.rate) - bottom) / (top - bottom)
        places = [(x + across * AWAY, y + up * 1.6 * AWAY) for across, up in AROUND]
        free = [at for at in places if all(hypot(at[0] - b[0], (at[1] - b[1]) / 1.6) > 0.9 * AWAY for b in taken)]
        at = (free or places)[0]
        is_far = hypot(at[0] - x, (at[1] - y) / 1.6) > 1.6 * AWAY
        taken.append(at)
        axes.annotate(
            str(number), (x, y), xytext=at, xycoords="axes fraction", textcoords="axes fraction", fontsize=8,
            fontweight="bold", ha="center", va="center", zorder=5, gid=f"number-{number}",
            arrowprops={"arrowstyle": "-", "linewidth": 0.5, "shrinkA": 4, "shrinkB": 2} if is_far else None,
        )  # fmt: skip
