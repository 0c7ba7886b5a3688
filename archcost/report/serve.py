"""Serving on a device: whether it fits, what it takes, and what each attention keeps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from archcost.report.document import Cell, Column, Document, Facts, Table, one_line
from archcost.serving import Serving
from archcost.serving.memory import CACHE_BYTES
from archcost.serving.speed import roof_of
from archcost.units import count, duration, size

KINDS = {
    "full": "every position",
    "window": "the last positions, as many as its window shows",
    "latent": "what keys and values are made of",
    "cross": "another sequence, once for all tokens",
}
ASSUMED = (
    "each sequence at its end; prompts in chunks of at most {chunk} tokens; of a prompt the last position alone goes "
    "through the head; what eager PyTorch makes in a step"
)


def document(serving: Serving) -> Document:
    parts = (
        verdict(serving),
        _memory(serving),
        "What is kept of a token:",
        _caches(serving),
        *((_times(serving),) if serving.per_token is not None else ()),
        Facts(tuple(_facts(serving))),
    )
    return Document(one_line(_title(serving)), parts, _data(serving.to_dict()))


def _title(serving: Serving) -> str:
    asked = serving.service
    what = f"{count(asked.concurrency)} × ({count(asked.prompt)} + {count(asked.new)}) tokens"
    return (
        f"{serving.network} on {serving.hardware.name}: {what}, weights {serving.weights}, cache {serving.cache.dtype}"
    )


def verdict(serving: Serving) -> str:
    """Whether it fits, and the largest that does."""
    needed, (safe, most) = serving.needed, serving.limits
    if serving.verdict == "fits":
        first = f"Fits, with {size(safe - needed)} to spare."
    elif serving.verdict == "tight":
        first = f"Tight: {size(needed - safe)} above what is safe, {size(most - needed)} below what does not fit."
    elif serving.memory.weights > most:
        return f"Does not fit: the weights alone are {size(serving.memory.weights)}, of {size(most)} that there are."
    else:
        first = f"Does not fit: {size(needed - most)} too much at the least."
    asked = serving.service
    sequences = f"{count(serving.max_concurrency)} sequences of {count(asked.context)} tokens fit at once"
    longest = f"{count(asked.concurrency)} of them may have {count(serving.max_context)} tokens each"
    return f"{first} Of such, {sequences}; {longest}{_by_table(serving)}."


def _by_table(serving: Serving) -> str:
    table = serving.memory.steps.most_positions
    return ", as many as its table of positions has" if table and table[0] == serving.max_context else ""


def _memory(serving: Serving) -> Table:
    columns = (Column("memory"), Column("bytes", "right"), Column("", "right"), Column("which is"))
    return Table(columns, tuple([(name, nbytes, size(nbytes), what) for name, nbytes, what in _rows(serving)]))


def _rows(serving: Serving) -> Iterator[tuple[str, int, str]]:
    asked, cache = serving.service, serving.cache
    yield "weights", serving.memory.weights, f"in {serving.weights}"
    blocks = f"{count(asked.concurrency)} × {count(asked.context)} tokens in blocks of {cache.block}"
    yield "+ cache", serving.kv_bytes, blocks
    if serving.state_bytes:
        yield "+ state", serving.state_bytes, "of a sequence, whatever its length"
    yield "+ activations", serving.activations, "of the larger step, made and dropped"
    if serving.workspace:
        yield "+ workspaces", serving.workspace, "the library of matrix products"
    yield "= needed", serving.needed, ""
    context = serving.context_bytes
    if context is not None:
        yield "+ context", context, "the driver's own, by the profile"
    free = serving.hardware.memory.capacity - serving.needed - (context or 0)
    yield ("+ free" if free >= 0 else "− too much"), abs(free), "headroom" if free >= 0 else "what is missing"
    memory = serving.hardware.memory
    yield "= capacity", memory.capacity, memory.capacity_is


def _caches(serving: Serving) -> Table:
    """A row for each kind of cache, equal ones together."""
    cache = serving.cache
    together: dict[tuple[str, int, int | None], int] = {}
    for each in serving.caches:
        key = (each.kind, each.elements, each.window)
        together[key] = together.get(key, 0) + cache.times.get(each.layer, 1)
    rows: list[tuple[Cell, ...]] = []
    for (kind, elements, window), layers in together.items():
        of_window = f"; {count(window)} of them" if window else ""
        rows.append((layers, elements, layers * elements * CACHE_BYTES[cache.dtype], f"{KINDS[kind]}{of_window}"))
    columns = (
        Column("attentions", "right"),
        Column("elements of each", "right"),
        Column("bytes", "right"),
        Column("of"),
    )
    return Table(columns, tuple(rows))


def _facts(serving: Serving) -> Iterator[tuple[str, str]]:
    cache = serving.cache
    yield "a token", f"{count(cache.per_token)} bytes of cache"
    if cache.per_token_beyond != cache.per_token:
        yield "", f"{count(cache.per_token_beyond)} bytes once the windows are full"
    if cache.per_sequence:
        yield "a sequence", f"{count(cache.per_sequence)} bytes, whatever its length"
    if any(each.kind == "latent" for each in serving.caches):
        expanded = sum(cache.times.get(each.layer, 1) * each.expanded for each in serving.caches)
        nbytes = count(expanded * CACHE_BYTES[cache.dtype])
        yield (
            "latent",
            f"as engines and transformers keep it; keys and values made of it are {nbytes} bytes (--no-latent)",
        )
    together: dict[int, list[str]] = {}
    for layer, nbytes in cache.states:
        together.setdefault(nbytes, []).append(layer)
    for nbytes, layers in together.items():
        number = sum(cache.times.get(layer, 1) for layer in layers)
        yield "state", f"{count(number)} × {count(nbytes)} bytes, as of {layers[0]}"
    if cache.states:
        yield "", "a step of one token scans a chunk of one: what engines run in its place has fewer products"
    if serving.memory.steps.share > 1:
        yield "experts", f"steps of tokens in multiples of {serving.memory.steps.share}, which they share equally"
    yield from _time_notes(serving)
    yield "exact under assumptions", ASSUMED.format(chunk=count(serving.service.chunk))


def _times(serving: Serving) -> Table:
    """Seconds and tokens a second, between their bounds where nothing else is known."""
    numbers = [Column(header, "right") for header in ("likely", "at the least", "at the most")]
    columns = (Column("time"), *numbers)
    rows: list[tuple[Cell, ...]] = []
    asked = serving.service
    named = (
        (f"to the first token of {count(asked.prompt)}", serving.first_token),
        (f"a token in {_many(asked.concurrency)}", serving.per_token),
    )
    for name, time in named:
        if time is not None:
            low, high = map(duration, time.band)
            rows.append((name, duration(time.step) if time.step else None, low, high, roof_of(time)))
    for rate in dict.fromkeys(filter(None, (serving.rate, serving.best_rate))):
        likely = None if rate.likely is None else f"{rate.likely:,.1f}"
        name = f"tokens a second in {_many(rate.sequences)}"
        rows.append((name, likely, f"{rate.low:,.1f}", f"{rate.high:,.1f}", rate.roof))
    many = serving.many_requests
    if many is not None:
        low, high = many.band
        name = f"tokens a second of an engine, {_many(many.sequences)}"
        rows.append((name, f"{many.likely:,.1f}", f"{low:,.1f}", f"{high:,.1f}", "requests all the time"))
    return Table((*columns, Column("waits for")), tuple(rows))


def _many(sequences: int) -> str:
    return f"{count(sequences)} sequence" + "s" * (sequences > 1)


def _time_notes(serving: Serving) -> Iterator[tuple[str, str]]:
    if serving.per_token is not None:
        yield "time is", f"{serving.per_token.status}, {serving.per_token.engine}"
    if serving.many_requests is not None:
        yield (
            "an engine",
            "by published runs of TensorRT-LLM in 8 and 4 bits, in as many sequences as there is room for",
        )
    for note in serving.time_notes:
        yield "note", note


def _plain(name: str, values: dict[str, Any]) -> dict[str, Cell]:
    return {f"{name}.{key}": inner for key, inner in values.items() if not isinstance(inner, list | dict)}


def _data(data: dict[str, Any]) -> Table:
    """Every number of the JSON by its name."""
    flat: dict[str, Cell] = {}
    for name, value in data.items():
        if isinstance(value, dict):
            flat |= _plain(name, cast("dict[str, Any]", value))
        elif name != "schema" and not isinstance(value, list):
            flat[name] = value
    return Table((Column("quantity"), Column("value")), tuple(flat.items()))
