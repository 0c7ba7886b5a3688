"""Volumes as boxes seen from the side: height and width to one scale, channels to another."""

# matplotlib does not say what its keywords are.
# pyright: reportUnknownMemberType=false
from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial
from textwrap import wrap
from typing import TYPE_CHECKING, NamedTuple

from archcost.pictures.graph_text import FILLS, WHITE
from archcost.pictures.picture import Picture
from archcost.pictures.volumes import Link, Volume, Volumes, volumes
from archcost.spec.model import ModelSpec

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Point = tuple[float, float]

SLANT = 0.3
"""Of a width of 1, how far its end stands to the right and above."""

CUT = 1.25
"""Times the largest height: what would be longer is cut, and says so."""

MOST_READERS = 5

LABEL = 0.31
"""Inches that a name takes beside the next."""


class Scale(NamedTuple):
    """`pixel` is 1; lengths are in pixels."""

    channel: float
    tallest: float
    """The largest height."""

    @property
    def gap(self) -> float:
        return 0.09 * self.tallest


class Standing(NamedTuple):
    """A volume in its place: its left edge, its length, and the middles of its towers."""

    left: float
    length: float
    tall: float
    wide: float
    middles: tuple[float, ...]
    is_cut: bool

    @property
    def right(self) -> float:
        return self.left + self.length + SLANT * self.wide


def picture(spec: ModelSpec, depth: int | None) -> Picture:
    drawn = volumes(spec, depth)
    has_maps = any(volume.width > 1 for volume in drawn.volumes)
    axes = "height × width × channels" if has_maps else "positions × features"
    title = f"{spec.label}: its feature maps, {axes}"
    sizes = ", ".join(f"{volume.name} {volume.size}" + _times(volume) for volume in drawn.volumes)
    left_out = f" {_left_out(drawn)}" if drawn.left_out else ""
    return Picture("volumes", spec.label, title, f"In order: {sizes}.{left_out}", partial(_draw, drawn, title))


def _left_out(drawn: Volumes) -> str:
    return f"Left out: {drawn.left_out:,} layers whose output is no map or row of one sample."


def _times(volume: Volume) -> str:
    return f" ({volume.times} times)" if volume.times > 1 else ""


def scale_of(drawn: Sequence[Volume]) -> Scale:
    """Channels as long as lets all of them stand beside each other, and vectors no taller than maps."""
    maps = [volume for volume in drawn if not volume.is_vector]
    vectors = [volume.channels for volume in drawn if volume.is_vector]
    tallest = float(max((max(volume.height, volume.width) for volume in maps), default=1))
    if not maps:
        return Scale(1.0, float(max(vectors)))
    lengths = sorted(volume.channels / volume.towers for volume in maps)
    most = 8 * lengths[len(lengths) // 2]
    channel = 1.3 * tallest / sum(min(length, most) for length in lengths)
    return Scale(min([channel, *(1.1 * tallest / vector for vector in [max(vectors, default=0)] if vector)]), tallest)


def standing(drawn: Sequence[Volume], scale: Scale, least: float = 0.0) -> tuple[Standing, ...]:
    """Each behind the one before, at least so far from it that their names are apart."""
    apart = max((volume.height for volume in drawn if volume.towers > 1), default=0) / 2 + 1.2 * scale.gap
    x, placed = 0.0, list[Standing]()
    longest = CUT * scale.tallest
    for volume in drawn:
        length = volume.channels / volume.towers * scale.channel
        if volume.is_vector:
            tall, length, wide = length, 0.025 * scale.tallest, 0.025 * scale.tallest
        else:
            tall, wide = float(volume.height), float(volume.width)
        is_cut = max(length, tall if volume.is_vector else 0.0) > longest
        length, tall = min(length, longest), min(tall, longest) if volume.is_vector else tall
        length = max(length, 0.006 * scale.tallest)
        middles = (0.0,) if volume.towers == 1 else _spread(volume.towers, apart)
        placed.append(Standing(x, length, tall, wide, middles, is_cut))
        x = max(placed[-1].right + scale.gap, x + least)
    return tuple(placed)


def _spread(towers: int, apart: float) -> tuple[float, ...]:
    return tuple(apart * (towers - 1 - 2 * tower) for tower in range(towers))


def _draw(drawn: Volumes, title: str) -> Figure:
    from archcost.pictures.style import canvas, told

    scale = scale_of(drawn.volumes)
    width = min(13.0, max(7.0, 0.44 * len(drawn.volumes) + 1.2))
    placed = standing(drawn.volumes, scale)
    placed = standing(drawn.volumes, scale, LABEL * placed[-1].right / (width - 0.9))
    right = placed[-1].right
    top = max(max(each.middles) + each.tall / 2 + SLANT * each.wide for each in placed)
    bottom = min(min(each.middles) - each.tall / 2 for each in placed)
    inch = (width - 0.9) / right
    height = (top - bottom) * inch
    if height > 4.4:
        inch, height = inch * 4.4 / height, 4.4
    caption = wrap(_scales(scale, drawn), int(18 * width))
    longest = max(len(words) for volume in drawn.volumes for words in _words(volume))
    labels, ahead = 0.4 + 0.13 * len(caption) + 0.046 * max(longest, 12), 0.55 + 0.25 * bool(_arcs(drawn))
    figure = canvas(width, height + labels + ahead)
    figure.set_layout_engine("none")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    left = max(0.6, (width - right * inch) / 2)
    axes.set_xlim(-left / inch, (width - left) / inch)
    axes.set_ylim(bottom - labels / inch, top + ahead / inch)
    axes.text(0.01, 0.985, told(title), transform=axes.transAxes, fontsize=10, va="top")
    axes.text(0.01, 0.02, "\n".join(caption), transform=axes.transAxes, fontsize=7, va="bottom", color="#333333")
    for volume, stands in zip(drawn.volumes, placed, strict=True):
        for middle in stands.middles:
            _volume(axes, volume, stands, middle)
        _label(axes, volume, stands, bottom - 0.08 / inch)
    _links(axes, drawn, placed, top, inch)
    return figure


def _scales(scale: Scale, drawn: Volumes) -> str:
    words = "Heights and widths to one scale, channels to another"
    if any(not volume.is_vector for volume in drawn.volumes):
        words += f": {1 / scale.channel:.3g} channels are as long as one row is high"
    vectors = "; vectors stand upright" if any(volume.is_vector for volume in drawn.volumes) else ""
    cut = "; what has a wavy line is cut" if any(each.is_cut for each in standing(drawn.volumes, scale)) else ""
    return f"{words}{vectors}{cut}." + (f" {_left_out(drawn)}" if drawn.left_out else "")


PATTERNS = {"pooling": "/////", "upsampling": "\\\\\\\\\\"}


def _volume(axes: Axes, volume: Volume, stands: Standing, middle: float) -> None:
    """Front, top and right side, the window of the next layer not yet on it."""
    from matplotlib.patches import Polygon

    left, right = stands.left, stands.left + stands.length
    low, high, slant = middle - stands.tall / 2, middle + stands.tall / 2, SLANT * stands.wide
    colour = FILLS.get(volume.family, WHITE)
    faces = (
        ("front", 1.0, [(left, low), (right, low), (right, high), (left, high)]),
        ("top", 1.08, [(left, high), (right, high), (right + slant, high + slant), (left + slant, high + slant)]),
        ("side", 0.87, [(right, low), (right + slant, low + slant), (right + slant, high + slant), (right, high)]),
    )
    for name, light, corners in faces:
        axes.add_patch(
            Polygon(
                corners,
                closed=True,
                facecolor=_lit(colour, light),
                edgecolor="black",
                linewidth=0.5,
                zorder=3,
                hatch=PATTERNS.get(volume.family) if name == "side" else None,
                gid=f"{name}-{volume.name}",
            )
        )
    if stands.is_cut:
        at = (left + right) / 2
        upright = volume.is_vector
        wave = [(step / 12 - 0.5, 0.02 * (-1) ** step) for step in range(13)]
        size = stands.length * 3 if upright else stands.tall
        xs = [at + (x * size if upright else y * stands.length * 2) for x, y in wave]
        ys = [middle + (y * stands.tall if upright else x * size) for x, y in wave]
        axes.plot(xs, ys, color="white", linewidth=2.5, zorder=4)
        axes.plot(xs, ys, color="black", linewidth=0.8, zorder=5)


def _lit(colour: str, light: float) -> tuple[float, ...]:
    return tuple(min(1.0, int(colour[at : at + 2], 16) / 255 * light) for at in (1, 3, 5))


def _words(volume: Volume) -> tuple[str, str]:
    from archcost.pictures.style import shortened, told

    return told(shortened(volume.name, 28)), f"{volume.size}{_times(volume)}"


def _label(axes: Axes, volume: Volume, stands: Standing, y: float) -> None:
    x = stands.left + stands.length / 2
    axes.text(
        x, y, "\n".join(_words(volume)), rotation=50, rotation_mode="anchor",
        ha="right", va="top", fontsize=6.6, linespacing=1.05, gid=f"label-{volume.name}",
    )  # fmt: skip


def _arcs(drawn: Volumes) -> list[Link]:
    """Links that pass over other volumes, but for those of what nearly everything reads."""
    over = [link for link in drawn.links if link.target > link.source + 1]
    readers = Counter(link.source for link in over)
    return [link for link in over if readers[link.source] <= MOST_READERS]


def _links(axes: Axes, drawn: Volumes, placed: Sequence[Standing], top: float, inch: float) -> None:
    from matplotlib.patches import FancyArrowPatch

    for link in drawn.links:
        if link.target != link.source + 1:
            continue
        source, target = placed[link.source], placed[link.target]
        is_apart = drawn.volumes[link.target].is_apart
        for index, start in enumerate(source.middles):
            for other, end in enumerate(target.middles):
                if is_apart and len(source.middles) == len(target.middles) and index != other:
                    continue
                lift = SLANT * source.wide / 2
                axes.plot(
                    [source.right - SLANT * source.wide / 2, target.left], [start + lift, end], color="#333333",
                    linewidth=0.7, zorder=3.5, gid=f"link-{link.source}-{link.target}", marker="o", markersize=1.6,
                    markevery=[0],
                )  # fmt: skip
        _window(axes, drawn.volumes[link.target], source, target)
    for link in _arcs(drawn):
        source, target = placed[link.source], placed[link.target]
        start = (source.left + source.length / 2 + SLANT * source.wide, _roof(source))
        end = (target.left + target.length / 2 + SLANT * target.wide, _roof(target))
        axes.add_patch(
            FancyArrowPatch(
                start,
                end,
                connectionstyle="arc3,rad=-0.18",
                arrowstyle="-|>",
                mutation_scale=7,
                color="#333333",
                linewidth=0.8,
                linestyle="--" if link.is_indices else "-",
                zorder=2.5,
                shrinkA=1,
                shrinkB=1,
                gid=f"arc-{link.source}-{link.target}",
            )
        )


def _roof(stands: Standing) -> float:
    return max(stands.middles) + stands.tall / 2 + SLANT * stands.wide


def _window(axes: Axes, made: Volume, source: Standing, target: Standing) -> None:
    """The window of a layer on the side of what it reads, where it is large enough to be seen."""
    from matplotlib.patches import Polygon

    if made.kernel is None or made.is_vector or made.times > 1 or min(made.kernel) < 2:
        return
    tall, wide = made.kernel
    if tall < 0.02 * target.tall or tall > source.tall:
        return
    for middle in source.middles:
        x = source.left + source.length + SLANT * (source.wide - wide) / 2
        y = middle - tall / 2 + SLANT * (source.wide - wide) / 2
        slant = SLANT * wide
        corners = [(x, y), (x + slant, y + slant), (x + slant, y + slant + tall), (x, y + tall)]
        axes.add_patch(
            Polygon(corners, closed=True, fill=False, edgecolor="black", linewidth=0.7, zorder=4, gid="window")
        )
