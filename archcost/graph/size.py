"""How large a network is, before it is written out: more than a limit is refused before any work is done."""

from __future__ import annotations

from archcost.files.values import Path
from archcost.graph.parameters import Parameters
from archcost.layers import TYPES, Composite, Declared
from archcost.spec.evaluation import LimitError, Values
from archcost.spec.model import BlockUse, Entry, LayerTemplate, ModelSpec, Repeat

MOST_LAYERS = 200_000
"""The most layers and connections of a network. More is a mistake (a repeat of 10^12), and is refused before any
work is done.
"""


class Size:
    """The number of layers and connections of one spec. A block is counted once for equal values of its parameters."""

    def __init__(self, spec: ModelSpec, parameters: Parameters) -> None:
        self._spec = spec
        self._parameters = parameters
        self._counts: dict[tuple[str, int], int] = {}

    def count(self, entries: tuple[Entry, ...], values: Values, path: Path) -> int:
        """How many layers and connections the entries expand to. Raises LimitError where they are too many."""
        total = 0
        for index, entry in enumerate(entries):
            at = (*path, index)
            name = entry.name or "repeat"
            if isinstance(entry, Repeat):
                rounds = self._parameters.repeat_count(entry, name, values, at)
                # A round of nothing still costs the walk a round.
                total += rounds * max(1, self.count(entry.layers, values, (*at, "layers"))) if rounds else 0
            elif isinstance(entry, BlockUse):
                total += (
                    1
                    + len(entry.inputs)
                    + self._count_block(entry.block, self._parameters.bind(entry, values, name, at))
                )
            else:
                kind = TYPES[entry.type]
                is_composite = issubclass(kind, Composite)
                total += kind.most_parts if is_composite else max(1, len(entry.inputs)) + _count_given(entry)
            if total > MOST_LAYERS:
                raise LimitError(
                    "the network is too large",
                    expected=f"at most {MOST_LAYERS:,} layers and connections",
                    found=f"{total:,} or more",
                ).at(layer=name, place=self._spec.source.place(at))
        return total

    def _count_block(self, block: str, values: Values) -> int:
        key = (block, id(values))
        if key not in self._counts:
            self._counts[key] = self.count(self._spec.blocks[block].layers, values, ("blocks", block, "layers"))
        return self._counts[key]


def _count_given(entry: Declared | LayerTemplate) -> int:
    """How many weights a layer is given by other layers; each is a connection."""
    given = entry.fields.get("given", {}) if isinstance(entry, LayerTemplate) else getattr(entry, "given", {})
    return len(given)
