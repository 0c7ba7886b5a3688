"""The layers of a network as a reader chose them: which columns, in which order, and only the first of these."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from archcost.costs.model import sum_amounts
from archcost.costs.timeline import Timeline
from archcost.errors import ArchcostError, listing, nearest, shorten
from archcost.files.result import Result
from archcost.report.grouping import NO_LAYER, Folded, Group, Seconds

TEXTS = ("name", "type", "inputs", "shape", "waits")
AMOUNTS: dict[str, Callable[[Group], int]] = {
    "parameters": lambda group: group.parameters,
    "trainable": lambda group: group.trainable_parameters,
    "buffers": lambda group: group.buffers,
    "macs": lambda group: group.macs,
    "flops": lambda group: group.flops.forward.contraction,
    "backward": lambda group: group.flops.backward.contraction,
}
TIMES: dict[str, Callable[[Seconds], float]] = {
    "forward-time": lambda seconds: seconds.forward,
    "backward-time": lambda seconds: seconds.backward,
    "time": lambda seconds: seconds.whole,
}
MEMORY = "memory"
NUMBERS = (*AMOUNTS, MEMORY, *TIMES)
SHARES = tuple(f"{word}%" for word in NUMBERS)
WORDS = (*TEXTS, *NUMBERS, *SHARES)
"""What a column may be; with % behind, a number's share of the total."""

ORDERS = ("name", *NUMBERS)

USUAL = ("name", "type", "shape", "parameters", "macs", "flops", "backward")
USUAL_WITH_TIME = ("name", "type", "shape", "parameters", "macs", *TIMES, "waits")


class Choice(NamedTuple):
    """`columns` are words of WORDS, and none the usual ones; `order` is one of ORDERS, and None that of the network."""

    columns: tuple[str, ...] = ()
    order: str | None = None
    top: int | None = None

    @property
    def words(self) -> tuple[str, ...]:
        return (*self.columns, self.order or "")

    @property
    def needs_time(self) -> bool:
        return any(word.removesuffix("%") in (*TIMES, "waits") for word in self.words)

    @property
    def needs_memory(self) -> bool:
        return any(word.removesuffix("%") == MEMORY for word in self.words)


def choice(columns: str | None, order: str | None, top: int | None) -> Choice:
    """Of columns with commas between. Raises ArchcostError for a word that is none, and for one that stands twice."""
    words = () if columns is None else tuple(columns.lower().replace(" ", "").split(","))
    for word in words:
        _require("column", word, WORDS)
    twice = [word for word in dict.fromkeys(words) if words.count(word) > 1]
    if twice:
        raise ArchcostError("a column stands twice", expected="each column once", found=listing(twice))
    if order is not None:
        _require("order", order, ORDERS)
    return Choice(words, order, top)


def _require(what: str, word: str, known: Sequence[str]) -> None:
    if word not in known:
        expected = ", ".join(each for each in known if not each.endswith("%"))
        shares = "; with % behind a number, its share of the total" if "macs%" in known else ""
        raise ArchcostError(
            f"no {what} {shorten(word)}", expected=expected + shares, found=shorten(word), hint=nearest(word, known)
        )


class Row(NamedTuple):
    """Groups of layers that stand in one row. `group` is None where they are no layers of the network."""

    name: str
    groups: tuple[str, ...]
    group: Group | None
    is_rest: bool = False


@dataclass(frozen=True, repr=False)
class ChosenLayers(Result):
    """A table of layers. `line` is the step whose memory is told, where it is."""

    folded: Folded
    choice: Choice
    line: Timeline | None

    @property
    def headline(self) -> str:
        return self.folded.headline

    @property
    def columns(self) -> tuple[str, ...]:
        """Those that were asked for, or the usual ones and, behind it, what the rows are sorted by with its share."""
        if self.choice.columns:
            return self.choice.columns
        usual = USUAL if self.folded.time is None else USUAL_WITH_TIME
        if self.folded.time is not None and not self.folded.time.trains:
            usual = tuple(word for word in usual if word not in ("forward-time", "backward-time"))
        order = self.choice.order
        if order not in NUMBERS:
            return usual
        words = usual if order in usual else (*usual, order)
        place = words.index(order) + 1
        return (*words[:place], f"{order}%", *words[place:])

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """All of them, in order."""
        groups, order = self.folded.groups, self.choice.order
        if order is None:
            return groups
        if order == "name":
            return tuple(sorted(groups, key=lambda group: group.name))
        sizes = {group.name: self.number(order, Row(group.name, (group.name,), group)) or 0 for group in groups}
        return tuple(sorted(groups, key=lambda group: -sizes[group.name]))

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """The first groups, a row for all others, and one for what is of no layer: together they are the whole."""
        shown = self.groups[: self.choice.top]
        rest = self.groups[len(shown) :]
        rows = [Row(group.name, (group.name,), group) for group in shown]
        if rest:
            layers = tuple([layer for group in rest for layer in group.layers])
            name = f"and {len(rest):,} more"
            amounts = sum_amounts(layer.amounts for layer in layers)
            names = tuple([group.name for group in rest])
            rows.append(Row(name, names, Group(amounts, name, layers), is_rest=True))
        beside = set(self.columns) - set(TEXTS) - {"waits"}
        is_known = any(self._has_beside(word.removesuffix("%")) for word in beside)
        return (*rows, Row("(beside the layers)", (NO_LAYER,), None)) if is_known else tuple(rows)

    def _has_beside(self, word: str) -> bool:
        if word == MEMORY:
            return NO_LAYER in self.memory
        return word in TIMES and NO_LAYER in self.seconds

    @cached_property
    def seconds(self) -> Mapping[str, Seconds]:
        return self.folded.seconds

    @cached_property
    def memory(self) -> Mapping[str, int]:
        """Bytes that are alive at the peak of the step, by the name of a group; they add up to the peak."""
        if self.line is None:
            return {}
        known = {layer.name: group.name for group in self.folded.groups for layer in group.layers}
        found: defaultdict[str, int] = defaultdict(int)
        for alive in self.line.alive:
            owner = alive.held.owner
            name = owner if owner in known else owner.partition(" (")[0]  # a copy in another dtype is its layer's
            found[known.get(name, NO_LAYER)] += self.line.sizes[alive.storage]
        return found

    def number(self, word: str, row: Row) -> float | None:
        """None where it is not known of any."""
        if word in AMOUNTS:
            return None if row.group is None else AMOUNTS[word](row.group)
        if word == MEMORY:
            return None if self.line is None else sum([self.memory.get(name, 0) for name in row.groups])
        if self.folded.time is None:
            return None
        return sum([TIMES[word](self.seconds[name]) for name in row.groups if name in self.seconds])

    def total(self, word: str) -> float | None:
        if word in AMOUNTS:
            return sum([AMOUNTS[word](group) for group in self.groups])
        known = [number for row in self.rows if (number := self.number(word, row)) is not None]
        return sum(known) if known else None

    def to_dict(self) -> dict[str, Any]:
        """That of the summary, with the rows of the table alone; what they leave out is told by its number."""
        data = self.folded.to_dict()
        by_name = {layer["name"]: layer for layer in data["layers"]}
        shown = self.groups[: self.choice.top]
        layers = [by_name[group.name] for group in shown]
        if self.line is not None:
            layers = [{**layer, "memory_bytes": self.memory.get(layer["name"], 0)} for layer in layers]
            beside = self.memory.get(NO_LAYER, 0)
            peak = {"peak_bytes": self.line.peak, "peak_at": str(self.line.highest), "beside_layers_bytes": beside}
            data |= {**self.line.run.to_dict(), "memory": peak}
        left_out = len(self.groups) - len(shown)
        return {**data, **({"layers_left_out": left_out} if left_out else {}), "layers": layers}
