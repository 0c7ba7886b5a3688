"""`measure`: real steps of a network, and the most bytes that they hold.

Three witnesses. The tracker sees every tensor, who made it and when it goes, through a dispatch mode; under any such
mode autograd adds the gradients of a fork out of place, so that a peak at a fork reads high by one tensor. The
profiler's trace of an unwatched step has the same tensors without that bias, but no names. And it has the allocator's
own peak, with what kernels allocate for themselves.

Small things in the trace that no dispatch mode sees: 5,056 bytes for each checkpoint, the state of the CPU's random
number generator, kept from its forward to its backward, and as much again while it is recomputed; 8 bytes for a
Python number that meets a tensor. The 4-byte step counts of Adam and Adafactor, one a parameter, all see: they are
optimizer state.
"""

from __future__ import annotations

import gc
from bisect import bisect_left
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from typing import Any, Literal, NamedTuple, get_args

import torch
from torch import Tensor, nn

from archcost.errors import ArchcostError
from archcost.graph import ModelGraph
from archcost.passes.optimizer import method
from archcost.passes.run import Run
from archcost.pytorch.allocations import Peaks, peaks
from archcost.pytorch.build import REFUSALS, said
from archcost.pytorch.layers.base import scales_of
from archcost.pytorch.network import Network, module_at
from archcost.pytorch.saved import NetworkSaved, watch_network
from archcost.pytorch.tracker import Seen, Tracker
from archcost.pytorch.training import Training, prepare, step, trained

Role = Literal["weights", "gradients", "optimizer_state", "buffers", "inputs", "activations", "temporaries"]
"""`gradients` become a parameter's `.grad`, and count from when they are made; float32 copies of weights that the
optimizer works on are `optimizer_state`; `inputs` are those and the target. `activations` were made in the forward
of a layer (again, where it is recomputed) or in the loss, and outlive it; `temporaries` are all else."""

UNMEASURED = 2
"""Steps before the measured one: optimizer state is made in the first."""


def before_it_is_steady(run: Run) -> int:
    """How many steps of an optimizer are unlike those that follow: RAdam's second moment counts from the sixth on."""
    return 6 if method(run.optimizer).name == "radam" else UNMEASURED


@dataclass(frozen=True, slots=True)
class Phase:
    """The worst moment of `forward`, `backward` or `optimizer`, and the bytes of each role then."""

    name: str
    peak: int
    roles: Mapping[Role, int]
    alive: tuple[Seen, ...] = ()


@dataclass(frozen=True, slots=True)
class Measured:
    """One step. `phases` are those that it has, in order, as the tracker saw them.

    `unwatched` holds the peaks of the same phases in the profiler's trace; None on CUDA, where `allocator_peak` and
    `reserved_peak` are `max_memory_allocated` and `max_memory_reserved`. `reserved_peak` is None on a CPU.
    """

    phases: tuple[Phase, ...]
    saved: NetworkSaved
    unwatched: Peaks | None
    allocator_peak: int
    reserved_peak: int | None

    @property
    def worst(self) -> Phase:
        """The phase of the peak; the first of equals."""
        return max(self.phases, key=lambda phase: phase.peak)

    @property
    def peak(self) -> int:
        """The most bytes of live tensors."""
        return self.worst.peak


def measure(graph: ModelGraph, run: Run, segments: Sequence[Sequence[str]] = (), device: str = "cpu") -> Measured:
    """Build the network, run steps until they are alike, and measure the next two.

    `segments` are runs of layers that follow one another, each recomputed as one in backward. Raises ArchcostError for
    an optimizer that torch lacks, segments that do not fit, and what torch refuses to run.
    """
    try:
        training = prepare(graph, run, segments, device)
        saved = _saved(training)
        for _ in range(before_it_is_steady(run)):
            step(training, _ignore_phase)
        gc.collect()
        phases = track(training)
        gc.collect()
        if torch.device(device).type == "cuda":
            return Measured(phases, saved, None, *cuda_peaks(training, device))
        unwatched = peaks(lambda begins: step(training, begins), resident(training))
    except REFUSALS as error:
        raise ArchcostError("torch cannot run this step", found=said(error)).at(layer=graph.name) from None
    return Measured(phases, saved, unwatched, max(unwatched.allocator.values()), None)


def resident(training: Training) -> int:
    """Bytes that are there between two steps."""
    tracker = Tracker()
    _hold(tracker, training)
    return tracker.live


def track(training: Training) -> tuple[Phase, ...]:
    """A step of a network under the tracker, when the optimizer has its state."""
    assert isinstance(training.network, Network)
    return follow(training, _layers(training.network), Tracker())


def _layers(network: Network) -> list[nn.Module]:
    return [module_at(network, layer.name) for layer in network.steps]


def follow(training: Training, layers: Iterable[nn.Module], tracker: Tracker) -> tuple[Phase, ...]:
    """A step of any module under the tracker. Tensors made in one of `layers` that outlive it are activations."""
    watched = _Watched(tracker, _hold(tracker, training))
    with watched.over(layers, training.network), tracker.watching():
        step(training, tracker.mark)
    tracker.mark("end")
    return _phases(watched)


def _hold(tracker: Tracker, training: Training) -> dict[int, Role]:
    """Tell the tracker of all that outlives a step, and the role of each by its storage's key."""
    network = training.network
    target = [] if training.target is None else [training.target]
    held: dict[Role, Iterable[Tensor]] = {
        "buffers": network.buffers(),
        "weights": [*network.parameters(), *scales_of(network)],
        "gradients": [weight.grad for weight in network.parameters() if weight.grad is not None],
        "inputs": [*training.inputs.values(), *target],
        "optimizer_state": training.optimizer_state,
    }
    return {tracker.see(tensor, None).key: role for role, tensors in held.items() for tensor in tensors}


class _Window(NamedTuple):
    """A layer's forward, by the tracker's ticks: what it makes begins after the first and not after the last."""

    begins: int
    ends: int


@dataclass(slots=True)
class _Watched:
    """What the tracker cannot tell by itself: when layers run, and which tensors are gradients."""

    tracker: Tracker
    roles: dict[int, Role]
    windows: list[_Window] = field(default_factory=list[_Window])
    _began: int = 0

    @contextmanager
    def over(self, layers: Iterable[nn.Module], network: nn.Module) -> Generator[None]:
        handles: list[Any] = []
        for module in layers:
            handles.append(module.register_forward_pre_hook(self._layer_begins))
            # A recomputed layer may be left by an exception: torch stops when it has what it wanted.
            handles.append(module.register_forward_hook(self._layer_ends, always_call=True))
        seen = self._accumulated
        handles += [weight.register_post_accumulate_grad_hook(seen) for weight in trained(network)]  # pyright: ignore
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _layer_begins(self, module: nn.Module, given: Any) -> None:
        self._began = self.tracker.tick

    def _layer_ends(self, module: nn.Module, given: Any, results: Any) -> None:
        self.windows.append(_Window(self._began, self.tracker.tick))

    def _accumulated(self, weight: Tensor) -> None:
        assert weight.grad is not None
        self.roles[self.tracker.see(weight.grad, None).key] = "gradients"

    def role(self, seen: Seen) -> Role:
        if seen.key in self.roles:
            return self.roles[seen.key]
        index = bisect_left(self.windows, seen.begins, key=lambda window: window.begins) - 1
        ended = None
        if index >= 0 and seen.begins <= self.windows[index].ends:
            ended = self.windows[index].ends
        elif seen.moment == "forward":
            ended = next(tick for _, tick in self.tracker.moments if tick >= seen.begins)
        outlives = ended is not None and (seen.ends is None or seen.ends > ended)
        return "activations" if outlives else "temporaries"


def _phases(watched: _Watched) -> tuple[Phase, ...]:
    """The worst of each kind, in the order in which they first begin."""
    tracker = watched.tracker
    changes = [0] * (tracker.tick + 1)
    for seen in tracker.storages:
        changes[seen.begins] += seen.nbytes
        if seen.ends is not None:
            changes[seen.ends] -= seen.nbytes
    live = list(accumulate(changes))
    worst: dict[str, int] = {}
    for (moment, begins), (_, ends) in pairwise(tracker.moments):
        tick = max(range(begins, ends + 1), key=live.__getitem__)
        if moment not in worst or live[tick] > live[worst[moment]]:
            worst[moment] = tick
    return tuple(
        Phase(moment, live[tick], _by_role(watched, tick), tuple(tracker.alive_at(tick)))
        for moment, tick in worst.items()
    )


def _by_role(watched: _Watched, tick: int) -> dict[Role, int]:
    roles: dict[Role, int] = dict.fromkeys(get_args(Role), 0)
    for seen in watched.tracker.alive_at(tick):
        roles[watched.role(seen)] += seen.nbytes
    return roles


def _saved(training: Training) -> NetworkSaved:
    """What autograd keeps of one forward pass, nothing recomputed."""
    assert isinstance(training.network, Network)
    with training.forward_context():
        return watch_network(training.network, training.inputs)


def cuda_peaks(training: Training, device: str) -> tuple[int, int]:
    """`max_memory_allocated` and `max_memory_reserved` of one step."""
    torch.cuda.reset_peak_memory_stats(device)
    step(training, _ignore_phase)
    torch.cuda.synchronize(device)
    return torch.cuda.max_memory_allocated(device), torch.cuda.max_memory_reserved(device)


def _ignore_phase(phase: str) -> None:
    """Nobody listens."""
