"""The mistakes of a network that is built: each is told once, and nothing that follows from one is told."""

from __future__ import annotations

from archcost.errors import SpecError, together
from archcost.files.values import Path
from archcost.graph.wiring import WiredLayer, Wiring

MOST_JUDGED = 1_000
"""Wrong layers after which no more is looked for."""


class Mistakes:
    """Those found so far, by the path of their entry: a layer of a block is wrong once, wherever the block is used."""

    def __init__(self, wiring: Wiring, file: str) -> None:
        self._file = file
        self._told: dict[Path, SpecError] = {("wiring", index): each for index, each in enumerate(wiring.mistakes)}
        self._unjudged = set(wiring.unjudged)
        self._wrong = 0

    def __bool__(self) -> bool:
        return bool(self._told)

    def behind(self, layer: WiredLayer) -> bool:
        """Whether the layer reads something of which a mistake keeps the shape unknown."""
        around = layer.within.sources if layer.within else ()
        reads = {port.producer for port in (*layer.reads, *layer.holds, *around)}
        if self._unjudged.isdisjoint(reads):
            return False
        self._unjudged.add(layer.name)
        return True

    def tell(self, layer: WiredLayer, error: SpecError) -> None:
        """Note the mistake of a layer. Raises all of them where they are too many to go on."""
        self._told.setdefault(layer.path, error)
        self._unjudged.add(layer.name)
        self._wrong += 1
        if self._wrong == MOST_JUDGED:
            raise self.together()

    def together(self) -> SpecError:
        """All of them as one error, in order of place: those of the spec's own file, then of those it extends."""
        return together(sorted(self._told.values(), key=self._place))

    def _place(self, error: SpecError) -> tuple[bool, str, int, int]:
        place = error.place
        return (place.file != self._file, place.file, place.line, place.column) if place else (False, "", 0, 0)
