"""The layer types as a list, and one of them in full."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from archcost.costs.layer_types import SETTINGS, Example, Keeping, LayerType, LayerTypes, MadeAndDropped
from archcost.report.document import Cell, Column, Document, Facts, Part, Table

COUNTED = ("for example", "on", "work", "each", "forward", "input gradient", "weight gradients")
KEPT = ("for example", "on", "result", *SETTINGS)
DROPPED = ("for example", "on", "hands on", "forward", "without gradients", "backward")

LONGEST = 100
"""Characters of an example's fields in a table."""

PROMOTION = {
    "first": "of the first input",
    "last": "of the last input",
    "promoted": "to which torch promotes those of the inputs",
    "weight": "of the weight",
    "named": "that the layer says",
}


def document(shown: LayerType | LayerTypes) -> Document:
    return _one(shown) if isinstance(shown, LayerType) else _all(shown)


def _all(types: LayerTypes) -> Document:
    rows: list[tuple[Cell, ...]] = []
    for each in types.types:
        card = each.kind.card
        rows.append((each.type, each.family, card.torch or "", card.onnx.operator if card.onnx else ""))
    table = Table(tuple(map(Column, ("type", "family", "in torch", "in ONNX"))), tuple(rows))
    return Document("The layers that a spec can name", (table, "archcost layers TYPE shows one in full."), table)


def _one(shown: LayerType) -> Document:
    card = shown.kind.card
    facts = {
        "family": shown.family,
        "in torch": card.torch or "by a function of archcost's own",
        "heard as": ", ".join(card.calls),
        "in ONNX": card.onnx.operator if card.onnx else "",
        "fields": ", ".join(
            f"{name}: {json.dumps(value, default=str, ensure_ascii=False)}" for name, value in shown.fields.items()
        ),
        "autocast": f"{card.autocast.cpu} on a CPU, {card.autocast.cuda} on a GPU",
        "results have the dtype": PROMOTION[card.promotion],
        "fvcore counts": card.fvcore,
        "in time": card.time,
    }
    parts: list[Part] = [shown.description, Facts(tuple((name, text) for name, text in facts.items() if text))]
    if shown.counting:
        parts.append(f"Operations: {shown.counting}")
    counted = Table(_columns(COUNTED), tuple(counted_rows(shown.examples)))
    if counted.rows:
        parts.append(counted)
    kept, dropped = tuple(kept_rows(shown.examples)), tuple(dropped_rows(shown.examples))
    if kept:
        parts += ["Kept for backward:", Table(_columns(KEPT), kept)]
    if dropped:
        parts += ["Made and dropped:", Table(_columns(DROPPED), dropped)]
    return Document(shown.type, tuple(parts), counted)


def _columns(names: Iterable[str]) -> tuple[Column, ...]:
    return tuple(map(Column, names))


def counted_rows(examples: Iterable[Example]) -> Iterable[tuple[str, ...]]:
    """A line for each piece of work, of the first example of each kind of arithmetic."""
    seen: set[object] = set()
    for example in examples:
        work = example.work
        if work not in seen:
            seen.add(work)
            heads = [(fields(example), shapes(example)), *[("", "")] * (len(work) - 1)]
            yield from ((*head, *amount) for head, amount in zip(heads, work, strict=True))


def kept_rows(examples: Iterable[Example]) -> Iterable[tuple[str, ...]]:
    """The first example of each way of keeping. An empty cell is as under `keeps`."""
    for example, keeping in _ways(examples, lambda each: each.keeping):
        first, *others = [cell for _, cell in keeping.kept]
        cells = (first, *("" if cell == first else cell for cell in others))
        yield (fields(example), shapes(example), keeping.result, *cells)


def dropped_rows(examples: Iterable[Example]) -> Iterable[tuple[str, ...]]:
    """The first example of each way that differs from a new tensor for every input and nothing made and dropped."""
    for example, made in _ways(examples, lambda each: each.made_and_dropped):
        if any(made.words):
            yield (fields(example), shapes(example), *(cell for _, cell in made))


Way = TypeVar("Way", Keeping, MadeAndDropped)


def _ways(examples: Iterable[Example], of: Callable[[Example], Way]) -> Iterator[tuple[Example, Way]]:
    """Examples that have a gradient, each with its way, where the words of that are new."""
    seen: set[tuple[str, ...]] = set()
    for example in examples:
        if example.has_gradient and (way := of(example)).words not in seen:
            seen.add(way.words)
            yield example, way


def fields(example: Example) -> str:
    """Those that are not at their defaults, cut where they are as long as a layer's whole backward; JSON has it all."""
    text = ", ".join(f"{name}: {json.dumps(value)}" for name, value in example.fields.items())
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def shapes(example: Example) -> str:
    return ", ".join(map(str, example.inputs))
