"""`verify --measure`: real steps beside the timeline. What is kept by each layer, what lives at the worst moments.

Tensors are held against two witnesses: the tracker, under which torch adds the gradients of a fork out of place (the
timeline is then played so, too), and the trace of a step that nothing watches. All that is allocated is held against
the allocator of the device.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from archcost.costs.phases import PhasePeak, by_phase, requested_by_phase
from archcost.costs.program import Role
from archcost.costs.timeline import Timeline, timeline
from archcost.errors import ArchcostError
from archcost.estimates.memory_demand import Played, changes
from archcost.graph import ModelGraph, Port
from archcost.graph import build as build_graph
from archcost.hardware.allocator import simulate
from archcost.passes.gradients import gradients_needed
from archcost.passes.order import in_precision
from archcost.passes.run import Run
from archcost.passes.storages import Storage, kept
from archcost.pytorch.build import require_device
from archcost.pytorch.checks import TORCH, TOTAL, Check, compare
from archcost.pytorch.machine import kernels_of
from archcost.pytorch.measure import Measured, Phase, measure
from archcost.pytorch.saved import LayerSaved
from archcost.spec import ModelSpec
from archcost.terms.autograd import Device
from archcost.terms.torch_releases import installed

TENSORS = 0.005
"""Relative: by how much a peak of tensors may be off."""

ALLOCATED = 0.05
"""Relative: by how much a peak of the allocator may be off."""

HEADROOM = 1.25
"""What torch's libraries and the measuring take beside what is predicted: that it must fit so many times."""

UNKNOWN_ROOM = 4 * 2**30
"""Bytes to count on where the system does not tell how many are free."""

WORKSPACE = 4096 * 1024 * 2 + 16 * 1024 * 8
"""Bytes of cuBLAS for each thread that multiplies matrices (parseChosenWorkspaceSize in CublasHandlePool.cpp)."""

WORKSPACE_HOPPER = 4096 * 8 * 1024
"""The same from compute capability 9 on."""

ROLES: Mapping[str, tuple[Role, ...]] = {
    "weights": ("weights",),
    "gradients": ("gradients",),
    "optimizer_state": ("optimizer_state",),
    "buffers": ("buffers",),
    "inputs": ("inputs",),
    "activations and temporaries": ("activations", "temporaries"),
}
"""The last two are one here: whether a copy that goes with its layer is the one or the other is a matter of words."""


def check_memory(spec: ModelSpec, run: Run, device: str = "cpu", batch: int = 1) -> tuple[Check, ...]:
    """One step of the network, predicted and measured.

    Raises ArchcostError for settings that no step can have. A step that this machine or torch cannot run gives checks
    without a witness.
    """
    require_device(device)
    require_no_offload(run)
    if run.torch != installed():
        raise ArchcostError(
            "a step can be measured by the torch that is installed",
            expected=f"torch {installed()}",
            found=f"the rules of torch {run.torch}",
        )
    kind = kernels_of(device)
    threads = torch.get_num_threads() if kind == "cpu" else None
    predicted = Predicted.of(build_graph(spec, batch), run, kind, threads)
    refusal = _refusal(predicted, device)
    if refusal is not None:
        return tuple(_silent(predicted, device, refusal))
    try:
        measured = measure(predicted.line.graph, run, predicted.line.segments, device)
    except ArchcostError as error:
        return tuple(_silent(predicted, device, " ".join(str(error).split())))
    return tuple(checks(predicted, measured, device))


def require_no_offload(run: Run) -> None:
    """Raises ArchcostError where something is offloaded: steps that are measured here have all of it on the device."""
    if run.offloaded:
        raise ArchcostError(
            "a step with something offloaded is not measured", expected="offload none", found=f"offload {run.offload}"
        )


@dataclass(frozen=True, slots=True)
class Predicted:
    """The predicted step: of tensors, with kernels' own memory, and as it is under a dispatch mode."""

    line: Timeline
    with_kernels: Timeline
    watched: Timeline

    @classmethod
    def of(cls, graph: ModelGraph, run: Run, device: Device, threads: int | None) -> Predicted:
        return cls(
            timeline(graph, run, device),
            timeline(graph, run, device, threads=threads),
            timeline(graph, run, device, out_of_place=True),
        )

    @property
    def requested(self) -> int:
        return max(requested_by_phase(self.with_kernels).values())


def checks(predicted: Predicted, measured: Measured, device: str) -> Iterator[Check]:
    """The checks of one step, beginning with the saved tensors of each layer."""
    yield from _saved_checks(predicted.line, measured, device)
    watched: dict[str, PhasePeak] = {phase.name: phase for phase in by_phase(predicted.watched)}
    by = f"tracker of {TORCH} on {device}"
    worst = max(watched.values(), key=lambda phase: phase.peak)
    total = check_within("peak_bytes", TOTAL, worst.peak, measured.peak, by, TENSORS)
    yield total
    for phase in measured.phases:
        yield check_within("peak_bytes", phase.name, watched[phase.name].peak, phase.peak, by, TENSORS)
    yield from role_checks(worst, measured.worst, total, by)
    if measured.unwatched is None:
        yield from _cuda_checks(predicted.line, measured, device)
        return
    pairs = (
        ("peak_bytes", predicted.line, measured.unwatched.tensors, "unwatched trace", TENSORS),
        ("allocated_bytes", predicted.with_kernels, measured.unwatched.allocator, "allocator", ALLOCATED),
    )
    for quantity, line, found, witness, tolerance in pairs:
        ours = {str(name): nbytes for name, nbytes in requested_by_phase(line).items()}
        by = f"{witness} of {TORCH} on {device}"
        theirs = {phase.name: found[phase.name] for phase in measured.phases}
        yield check_within(quantity, TOTAL, max(ours.values()), max(theirs.values()), by, tolerance)
        for name, nbytes in theirs.items():
            yield check_within(quantity, name, ours[name], nbytes, by, tolerance)


def _cuda_checks(line: Timeline, measured: Measured, device: str) -> Iterator[Check]:
    """The allocator's numbers on a GPU, without workspaces of convolutions. Not yet compared with a real card."""
    hopper = torch.cuda.get_device_capability(device)[0] >= 9
    played = simulate(changes(Played.of(line), line.requested, WORKSPACE_HOPPER if hopper else WORKSPACE))
    by = f"{TORCH} on {torch.cuda.get_device_name(device)}"
    assert measured.reserved_peak is not None
    yield check_within("allocated_bytes", TOTAL, played.allocated, measured.allocator_peak, by, ALLOCATED)
    yield check_within("reserved_bytes", TOTAL, played.reserved, measured.reserved_peak, by, ALLOCATED)


def check_within(quantity: str, scope: str, ours: int, theirs: int, by: str, tolerance: float) -> Check:
    """Equal, or within the tolerance, and then by how much it is off."""
    if ours == theirs:
        return compare(quantity, scope, ours, theirs, by)
    off = (ours - theirs) / theirs if theirs else float("inf")
    return Check(quantity, scope, ours, theirs, by, abs(off) <= tolerance, f"{100 * off:+.3f} %, of {tolerance:.1%}")


def _saved_checks(line: Timeline, measured: Measured, device: str) -> Iterator[Check]:
    """Saved storages by name and size, each counted once, without recomputation."""
    run = line.run
    cast = in_precision(line.graph, run, line.device)
    predicted = kept(cast, run.trains, line.device, run.mode != "infer", run.torch)
    by = f"saved tensors of {TORCH} on {device}"
    named = _known_names(line.graph)
    layers = {node.name: _as_saved(predicted.saved.get(node.name, ()), named) for node in line.graph.nodes}
    whole = sum(storage.nbytes for storage in predicted.storages)
    if run.autocast is not None and _shares_weights(line.graph):
        yield Check("saved_bytes", TOTAL, whole, None, by, None, "autocast's copies of a shared weight have no name")
    else:
        yield compare("saved_bytes", TOTAL, whole, measured.saved.nbytes, by)
    for name, ours in layers.items():
        theirs = measured.saved.layers[name]
        check = compare("saved_bytes", name, _nbytes(ours), _nbytes(theirs), by)
        if check.agrees and ours != theirs:
            said = f"other storages: {_storages_text(ours)}, and by the witness {_storages_text(theirs)}"
            check = Check("saved_bytes", name, _nbytes(ours), _nbytes(theirs), by, False, said)
        yield check


def _shares_weights(graph: ModelGraph) -> bool:
    """Whether several layers work with one weight."""
    given = [port for node in graph.nodes for port in node.given.values()]
    return any(node.shared for node in graph.nodes) or len(set(given)) < len(given)


def _known_names(graph: ModelGraph) -> frozenset[str]:
    """The storages that the witness can name; autocast's copies are not among them."""
    outputs = [str(Port(node.name, index)) for node in graph.nodes for index in range(len(node.output_types))]
    weights = [f"{node.name}.{weight.name}" for node in graph.nodes for weight in node.own_weights]
    return frozenset([*graph.inputs, *outputs, *weights])


def _as_saved(storages: tuple[Storage, ...], named: frozenset[str]) -> LayerSaved:
    names = {_name(storage): storage.nbytes for storage in storages if storage.role != "saved"}
    own = [storage.nbytes for storage in storages if storage.role == "saved"]
    own += [nbytes for name, nbytes in names.items() if name not in named]
    return LayerSaved({name: size for name, size in names.items() if name in named}, tuple(sorted(own)))


def _name(storage: Storage) -> str:
    match storage.role:
        case "input":
            return storage.owner
        case "output":
            return str(Port(storage.owner, int(storage.what.removeprefix("output") or 0)))
        case _:
            return f"{storage.owner}.{storage.what}"


def _nbytes(saved: LayerSaved) -> int:
    return sum(saved.shared.values()) + sum(saved.own)


def _storages_text(saved: LayerSaved) -> str:
    return ", ".join([*sorted(saved.shared), *(f"{nbytes:,} bytes" for nbytes in saved.own)]) or "nothing"


def role_checks(worst: PhasePeak, found: Phase, total: Check, by: str) -> Iterator[Check]:
    """Bytes by role at the peak, where it is the same moment on both sides, within the peak's tolerance."""
    for scope, roles in ROLES.items():
        ours = sum(worst.roles[role] for role in roles)
        if not total.agrees or worst.name != found.name:
            said = "the peaks fall on different moments" if worst.name != found.name else "the peaks differ"
            yield Check("role_bytes", scope, ours, None, by, None, said)
            continue
        theirs = sum(found.roles[role] for role in roles if role not in ("workspace", "kv_cache"))
        off = abs(ours - theirs) / found.peak
        said = None if ours == theirs else f"{100 * off:.3f} % of the peak"
        yield Check("role_bytes", scope, ours, theirs, by, off <= TENSORS, said)


def _refusal(predicted: Predicted, device: str) -> str | None:
    """Why the step must not be tried."""
    line = predicted.line
    needed, room = int(predicted.requested * HEADROOM), free_memory(device)
    if needed > room:
        return f"{needed:,} bytes are needed to measure it, and {room:,} are free"
    if line.device == "cpu" and line.run.trains:
        return _crash(line.graph)
    return None


def _crash(graph: ModelGraph) -> str | None:
    """Torch 2.13's CPU kernel reads a gradient that is not there: group norm's backward, channels last."""
    found = kept(graph)
    needs, layouts = gradients_needed(graph), found.layouts
    for node in graph.nodes:
        turned = node.layer.type == "group_norm" and layouts[node.inputs[0]] is not None
        if turned and needs[node.name].operands and 0 not in needs[node.name].operands:
            return f"{node.name}: torch's group norm crashes on channels last where its input needs no gradient"
    return None


def free_memory(device: str) -> int:
    """Bytes that a step may take without pushing others out."""
    if torch.device(device).type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    table = Path("/proc/meminfo")
    if not table.exists():
        return UNKNOWN_ROOM
    lines = dict(line.split(":", 1) for line in table.read_text().splitlines())
    free = int(lines["MemAvailable"].split()[0]) * 1024
    limit = Path("/sys/fs/cgroup/memory.max")
    if limit.exists() and limit.read_text().strip().isdigit():
        used = int(Path("/sys/fs/cgroup/memory.current").read_text())
        free = min(free, int(limit.read_text()) - used)
    return free


def _silent(predicted: Predicted, device: str, reason: str) -> Iterator[Check]:
    by = f"{TORCH} on {device}"
    yield Check("peak_bytes", TOTAL, predicted.line.peak, None, by, None, reason)
    yield Check("allocated_bytes", TOTAL, predicted.requested, None, by, None, reason)
