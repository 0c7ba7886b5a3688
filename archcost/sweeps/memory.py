"""Memory of a step at many batches: what `estimate` says of each, worked out for all at once."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from archcost.estimates.batches import Growth
from archcost.estimates.verdict import Limits, limits
from archcost.hardware.profile import HardwareProfile
from archcost.sweeps.envelope import Integers, Sizes, most_alive
from archcost.sweeps.kernels import Piece, alike, each, pieces


def peaks(grown: Growth, batches: Integers) -> Integers:
    """Bytes of live tensors at the worst moment; the batches, in rising order, are of two samples and more."""
    counted = np.array([held.role != "workspace" for held in grown.line.storages])
    return most_alive(grown.line.events, Sizes(_base(grown) * counted, _slope(grown) * counted, {}), batches)


def stored(grown: Growth, profile: HardwareProfile) -> int:
    """Bytes of weights in flash."""
    if profile.flash is None or grown.trains:
        return 0
    return sum([grown.base[each] for each in grown.played.weights])


def verdicts(needed: Integers, grown: Growth, profile: HardwareProfile) -> NDArray[np.int8]:
    """Places in VERDICTS."""
    bound = bounds(stored(grown, profile), profile)
    return (needed > bound.safe).astype(np.int8) + (needed > bound.most).astype(np.int8)


def requested(grown: Growth, threads: int | None, batches: Integers) -> Integers:
    """The peaks with libraries' workspaces and with what a CPU's kernels allocate for themselves."""
    base, slope = _base(grown), _slope(grown)
    if threads is None or not len(batches):
        return most_alive(grown.line.events, Sizes(base, slope, {}), batches)
    own = _kernels(grown, threads, batches)
    most = np.zeros(len(batches), np.int64)
    for first, beyond in pairwise([*own.turns, int(batches[-1]) + 1]):
        here = slice(*np.searchsorted(batches, [first, beyond]).tolist())
        for storage, piece in own.at(first):
            base[storage], slope[storage] = piece.base, piece.slope
        odd = {storage: values[here] for storage, values in own.odd.items()}
        most[here] = most_alive(grown.line.events, Sizes(base, slope, odd), batches[here])
    return most


def bounds(flash: int, profile: HardwareProfile) -> Limits:
    """Of what is needed beside those bytes in flash: nothing fits where there are too many of them."""
    if not flash:
        return limits(profile)
    free = profile.memory.capacity if profile.flash and flash <= profile.flash.amount else -1
    return Limits(free, free)


class _Kernels(NamedTuple):
    """Memory of CPU kernels by storage: lines, or bytes at each batch where there are too many. `turns` are batches at
    which a line changes."""

    lines: dict[int, list[Piece]]
    odd: dict[int, Integers]
    turns: list[int]

    def at(self, batch: int) -> list[tuple[int, Piece]]:
        return [
            (storage, next(piece for piece in reversed(lines) if piece.start <= batch))
            for storage, lines in self.lines.items()
        ]


def _kernels(grown: Growth, threads: int, batches: Integers) -> _Kernels:
    first, last = int(batches[0]), int(batches[-1])
    found = _Kernels({}, {}, [])
    for run, storages in alike(list(grown.kernels.items())):
        lines = pieces(run, threads, first, last)
        if lines is None:
            found.odd.update(dict.fromkeys(storages, each(run, threads, batches)))
        else:
            found.lines.update(dict.fromkeys(storages, lines))
    found.turns.extend(sorted({first, *(piece.start for lines in found.lines.values() for piece in lines)}))
    return found


def _base(grown: Growth) -> Integers:
    return np.array(grown.base, np.int64)


def _slope(grown: Growth) -> Integers:
    return np.array(grown.slope, np.int64)
