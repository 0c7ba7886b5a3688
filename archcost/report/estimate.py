"""What a step takes on a device: the verdict, the ladder from tensors to the device's number, and what it rests on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

from archcost.estimates import Estimate
from archcost.estimates.devices import caches, torch_device
from archcost.hardware.overheads import room
from archcost.report import off_card, times
from archcost.report.document import Cell, Column, Document, Facts, Part, Table, one_line
from archcost.report.settings import settings
from archcost.report.timeline import alive_row, recomputed_flops
from archcost.times import link
from archcost.units import count, size

LARGEST = 3

LadderRow = tuple[str, int, str]
"""Its name with a sign before it, bytes, and what it is."""

UNKNOWN = {
    "memory.reserved_bytes": "reserved (torch caches blocks on NVIDIA's and AMD's GPUs only)",
    "memory.max_batch": "the largest batch (with recompute auto each batch is a search of its own)",
    "memory.context_bytes": "context (not in the profile)",
    "offload.link.bytes_per_second": "how fast the link to the host is (not in the profile)",
}
ASSUMED = "outputs and loss held until the end of the step"
ASSUMED_IN_TRAINING = "the second step or a later one (optimizer state exists), gradients {} before forward"


def document(estimate: Estimate) -> Document:
    data = estimate.to_dict()
    parts = (
        verdict(estimate),
        ladder(estimate),
        _roles(estimate),
        f"The {LARGEST} largest tensors there:",
        _largest(estimate),
        *off_card_of(estimate),
        Facts(tuple(_facts(estimate, data["memory"]["band"]))),
        *_time(estimate),
    )
    title = f"{estimate.network}, batch {count(estimate.batch)}, on {estimate.hardware.name}: {settings(estimate.line)}"
    return Document(one_line(title), parts, _data(data))


def verdict(estimate: Estimate) -> str:
    """Whether it fits, by how much, and the largest batch."""
    needed, (safe, most) = estimate.demand.needed, estimate.limits
    largest = _largest_batch(estimate)
    if estimate.verdict == "fits":
        return f"Fits, with {size(safe - needed)} to spare.{largest}"
    if estimate.verdict == "tight":
        beyond, below = size(needed - safe), size(most - needed)
        why = "fragmentation of memory and cuDNN's workspaces may make it fail"
        return f"Tight: {beyond} above what is safe, {below} below what does not fit; {why}.{largest}"
    weights = sum(estimate.by_role[role] for role in ("weights", "buffers"))
    stored = estimate.demand.flash
    if stored > (flash := _flash_bytes(estimate)):
        return f"Does not fit: the weights alone, {size(stored)}, are more than the {size(flash)} of flash."
    if weights - stored > estimate.capacity:
        alone = f"the weights alone, {size(weights)}, are more than its {size(estimate.capacity)}"
        return f"Does not fit: {alone}, so no batch fits."
    least = " at the least" if caches(estimate.hardware) else ""
    return f"Does not fit: {size(needed - most)} too much{least}.{largest}"


def _largest_batch(estimate: Estimate) -> str:
    safe, tight = estimate.max_batch, estimate.max_batch_tight
    if safe is None or tight is None or not estimate.line.graph.spec.has_batch:
        return ""
    if not tight:
        return " Not even one sample fits."
    most = f" Up to {count(tight)} it is tight." if tight > safe else ""
    return f" The largest batch that fits is {count(safe)}.{most}" if safe else f" No batch is safe.{most}"


def _flash_bytes(estimate: Estimate) -> int:
    flash = estimate.hardware.flash
    return 0 if flash is None else int(flash.amount)


def _reserved_fits(estimate: Estimate) -> bool:
    """Whether what the allocator would reserve fits into the memory, so that its fragmentation is known."""
    reserved = estimate.demand.reserved
    return reserved is not None and reserved <= room(estimate.hardware)


def _total(estimate: Estimate) -> int:
    """What the device shows, or what it would have to hold at the least."""
    demand, reserved = estimate.demand, estimate.demand.reserved
    held = reserved if reserved is not None and _reserved_fits(estimate) else demand.allocated
    return held + (estimate.context or 0)


def _free_bytes(estimate: Estimate) -> int:
    return estimate.capacity - _total(estimate)


def ladder(estimate: Estimate) -> Table:
    """The table that leads from the bytes of tensors to the memory that the device shows."""
    columns = (Column("memory"), Column("bytes", "right"), Column("", "right"), Column("which is"))
    return Table(columns, tuple((name, nbytes, size(nbytes), what) for name, nbytes, what in _ladder_rows(estimate)))


def _ladder_rows(estimate: Estimate) -> Iterator[LadderRow]:
    """Lines with + and − lead from one line with = to the next."""
    demand, workspace, context, free = estimate.demand, estimate.workspace, estimate.context, _free_bytes(estimate)
    yield "tensors", estimate.peak, f"at {estimate.line.highest}"
    if demand.flash:
        yield "− weights", demand.flash, f"in flash, which has {size(_flash_bytes(estimate))}"
    if workspace:
        on_cpu = torch_device(estimate.hardware) == "cpu"
        kept = "the CPU's kernels' own" if on_cpu else "the library of matrix products"
        yield "+ workspaces", workspace, kept
    rounding = demand.allocated + demand.flash - estimate.peak - workspace
    if rounding:
        yield "+ rounding", rounding, "to 512 B, and large blocks kept whole"
    said_by = "torch.cuda.max_memory_allocated()" if caches(estimate.hardware) else "asked of the allocator"
    yield "= allocated", demand.allocated, said_by
    if demand.reserved is not None and _reserved_fits(estimate):
        yield "+ fragmentation", demand.reserved - demand.allocated, "free parts of the allocator's segments"
        yield "= reserved", demand.reserved, "torch.cuda.max_memory_reserved()"
    if context is not None:
        yield "+ context", context, "the driver's own, by the profile"
        yield (
            "= in all",
            _total(estimate),
            "what the driver shows" if _reserved_fits(estimate) else "without fragmentation",
        )
    has_limits = estimate.verdict != "fits" and caches(estimate.hardware)
    unused = "left for fragmentation and cuDNN's workspaces" if has_limits else "headroom"
    yield ("+ free" if free >= 0 else "− too much"), abs(free), unused if free >= 0 else "what is missing"
    yield "= capacity", estimate.capacity, estimate.hardware.memory.capacity_is


def _roles(estimate: Estimate) -> Table:
    roles = [(role, nbytes) for role, nbytes in estimate.by_role.items() if nbytes]
    rows = tuple((role.replace("_", " "), nbytes, size(nbytes)) for role, nbytes in roles)
    columns = (Column("tensors at the peak"), Column("bytes", "right"), Column("", "right"))
    return Table(columns, rows, ("together", estimate.peak, size(estimate.peak)))


def _largest(estimate: Estimate) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for alive in estimate.line.alive[:LARGEST]:
        _, tensor, shape, why = alive_row(alive)
        rows.append((size(alive.held.nbytes), tensor, shape, why))
    return Table((Column("size", "right"), Column("tensor"), Column("shape"), Column("why it is there")), tuple(rows))


def off_card_of(estimate: Estimate) -> Iterator[Part]:
    """What is offloaded and what it moves, where there is such a thing."""
    found = estimate.line.offloaded
    if found is not None:
        yield from off_card.parts(found, link.sentence(found, estimate.hardware))


def _time(estimate: Estimate) -> Iterator[Part]:
    if estimate.time is not None:
        yield from times.parts(estimate.time)
    else:
        yield times.unknown_sentence(estimate.time_notes)


def _facts(estimate: Estimate, band: list[int] | None) -> Iterator[tuple[str, str]]:
    if caches(estimate.hardware):
        safe, most = map(size, estimate.limits)
        yield "limits", f"{safe} of tensors and workspaces are safe, {most} may do, by what real cards ran and refused"
    if estimate.demand.reserved is not None and not _reserved_fits(estimate):
        yield "reserved", f"{size(estimate.demand.reserved)}, if memory had no end"
    if estimate.integer_macs:
        yield "integer MACs", f"{count(estimate.integer_macs)} in a forward pass"
    if estimate.line.segments:
        yield "recomputed", f"{recomputed_flops(estimate.line)} FLOPs of forward, done again in backward"
    unknown = [UNKNOWN[name] for name in estimate.unknown if name in UNKNOWN]  # the band has a line of its own
    if unknown:
        yield "not known", ", ".join(unknown)
    if opaque := estimate.line.graph.unknown:
        yield "lower bound", f"what is made and dropped in {', '.join(opaque)} meanwhile is not known"
    before = "zeroed" if estimate.run.keep_gradients else "None"
    mode = ASSUMED_IN_TRAINING.format(before) if estimate.run.trains else _inference(estimate)
    assumed = f"{mode}, eager PyTorch {estimate.run.torch}, {ASSUMED}"
    yield "exact under assumptions", ", ".join((assumed, *estimate.line.graph.assumptions))
    on_cpu = torch_device(estimate.hardware) == "cpu"
    seen = "the steps that were measured on a CPU" if on_cpu else "nine in ten runs of others on real cards"
    text = f"{size(band[0])} to {size(band[1])} allocated, by {seen}" if band else None
    yield "band", text or "not yet measured on such a device"


def _inference(estimate: Estimate) -> str:
    """Evaluation mode, and where tokens leave keys and values, that these are kept."""
    if not estimate.line.keeps_cache:
        return "evaluation mode"
    return "evaluation mode, keys and values kept for the next token (--no-cache: none, as in a plain forward)"


def _data(data: dict[str, Any]) -> Table:
    """Every number of the JSON by its name; one that is not known is empty."""
    memory = data["memory"]
    plain = {name: value for name, value in memory.items() if name not in ("by_role", "band")}
    settled = {name: value for name, value in data.items() if isinstance(value, str | int) and name != "schema"}
    roles = {f"by_role.{role}": nbytes for role, nbytes in memory["by_role"].items()}
    low, high = memory["band"] or (None, None)
    away = {f"offload.{name}": value for name, value in _flat(data.get("offload", {}))}
    rows = {**settled, **plain, **roles, "band.low": low, "band.high": high, **away, **_times(data["time"])}
    return Table((Column("quantity"), Column("value")), tuple(rows.items()))


def _flat(data: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Cell]]:
    """Numbers of nested objects under names with dots."""
    for name, value in data.items():
        if isinstance(value, dict):
            yield from _flat(cast("dict[str, Any]", value), f"{before}{name}.")
        elif not isinstance(value, list):
            yield f"{before}{name}", value


def _times(data: dict[str, Any]) -> dict[str, Cell]:
    """Time as rows of csv: of the step, of its phases and of its slowest layers."""
    low, high = data["band"] or (None, None)
    numbers = {name: value for name, value in data.items() if name != "band" and not isinstance(value, list | dict)}
    slowest = {f"slowest.{layer['name']}": layer["seconds"] for layer in data["slowest"]}
    return {f"time.{name}": value for name, value in {**numbers, "band.low": low, "band.high": high, **slowest}.items()}
