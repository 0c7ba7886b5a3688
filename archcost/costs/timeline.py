"""`timeline`: the memory of one step, moment by moment: what is alive, whose it is and why.

In the steady state: optimizer state exists, gradients are None before forward. The caller holds the inputs and, until
the step's function returns, what the network returned and the loss.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, NamedTuple, get_args

from archcost.costs.checkpoint_segments import Segment, recomputed
from archcost.costs.choose_checkpoints import Choice
from archcost.costs.events import KernelRun, Mark, Phase, Tape, by_mark
from archcost.costs.off_card import OffCard
from archcost.costs.offloaded import Offloaded, offloaded
from archcost.costs.optimizer_storages import bursts, kept_state, leaves, step_in_backward
from archcost.costs.optimizers import implementation
from archcost.costs.program import ROLES, Held, Program, Role, program
from archcost.costs.reasons import Uses, why
from archcost.costs.recompute import located, own_checkpoints
from archcost.costs.simulate import Burst, Player
from archcost.errors import ArchcostError, listing
from archcost.files.result import Result
from archcost.graph import ModelGraph
from archcost.graph.given import graph_of
from archcost.graph.parameter_order import Owned
from archcost.passes.contract import Names, RunGraph
from archcost.passes.order import prepared
from archcost.passes.recompute import instead
from archcost.passes.run import Run
from archcost.spec.given import Network
from archcost.tensors import Tensors, TensorType, nbytes
from archcost.terms.autograd import Device

RNG_STATE = Held("checkpoint", "workspace", "state of the random numbers", TensorType((5056,), "uint8"))
"""Of the CPU's generator (torch.get_rng_state), kept by every checkpoint. Dispatch modes do not see it."""

DEFAULT = Run()


class Moment(NamedTuple):
    """A phase at a layer, and the most bytes that live in it, by role in the order of ROLES."""

    phase: Phase
    name: str
    peak: int
    roles: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.phase} {self.name}".strip()

    @property
    def by_role(self) -> dict[Role, int]:
        return dict(zip(ROLES, self.roles, strict=True))

    def to_dict(self) -> dict[str, Any]:
        return {"phase": self.phase, "name": self.name, "peak_bytes": self.peak, "by_role": self.by_role}


class Alive(NamedTuple):
    """A storage at a moment, by its number, and why it is there."""

    storage: int
    held: Held
    why: str

    def to_dict(self) -> dict[str, Any]:
        held = self.held
        return {
            "owner": held.owner,
            "what": held.what,
            "role": held.role,
            "shape": list(held.tensor.shape),
            "dtype": held.tensor.dtype,
            "bytes": held.nbytes,
            "why": self.why,
        }


@dataclass(frozen=True, repr=False)
class Timeline(Result):
    """One step. Bytes are those of tensors as they were asked for; `workspace` is left out of every peak."""

    graph: ModelGraph
    run: Run
    device: Device
    program: Program
    segments: tuple[Names, ...]
    """Layers that are computed again together, those that the module has chosen as well."""
    storages: tuple[Held, ...]
    events: tuple[int, ...]
    """The number of a storage that comes, ~number of one that goes."""
    marks: tuple[Mark, ...]
    kernels: Mapping[int, KernelRun]
    """By storage, whose kernels allocate it for themselves."""
    copies: Mapping[int, int]
    recomputed: tuple[int, ...]
    """Operations that run a second time, by number."""
    replayed: tuple[Segment, ...]
    """`segments` as operations."""
    off_card: OffCard
    """What was off the card, as it came and went."""

    @property
    def headline(self) -> str:
        where = f"{self.graph.name}, batch {self.graph.batch:,}, on {self.device}"
        return f"{where}, {self.run.precision}: peak of {self.peak:,} bytes at {self.highest}"

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """Of the storages, in bytes; nothing for workspaces."""
        held = zip(self.storages, self.requested, strict=True)
        return tuple([0 if each.role == "workspace" else nbytes for each, nbytes in held])

    @cached_property
    def requested(self) -> tuple[int, ...]:
        """Of the storages, in bytes, workspaces as well."""
        return tuple(nbytes(self.tensors))

    @property
    def tensors(self) -> Tensors:
        """Of the storages."""
        return tuple([held.tensor for held in self.storages])

    @property
    def keeps_cache(self) -> bool:
        """Whether anything is kept for a next token."""
        return any(held.role == "kv_cache" for held in self.program.storages)

    @property
    def peak(self) -> int:
        return self._highest[0]

    @property
    def recomputed_flops(self) -> int:
        """Contraction and elementwise FLOPs that forward does again."""
        return sum([self.program.ops[op].forward_flops for op in self.recomputed])

    @cached_property
    def moments(self) -> tuple[Moment, ...]:
        """Every phase at every layer, in order."""
        return tuple(_moments(self))

    @cached_property
    def highest(self) -> Moment:
        """The moment of the peak, the first of equals."""
        return self.moments[self.mark_at(self._highest[1])]

    @property
    def by_role(self) -> dict[Role, int]:
        """At the peak. Adds up to it."""
        return self.highest.by_role

    @cached_property
    def alive(self) -> tuple[Alive, ...]:
        """All that lives at the peak, the largest first."""
        return tuple(sorted(self.alive_at(self._highest[1]), key=lambda alive: -alive.held.nbytes))

    def alive_at(self, event: int) -> Iterator[Alive]:
        """What lives after that event, in the order in which it came."""
        living: dict[int, None] = {}
        for each in self.events[: event + 1]:
            if each >= 0:
                living[each] = None
            else:
                del living[~each]
        mark, uses = self.marks[self.mark_at(event)], Uses.of(self.program, self.replayed)
        for storage in living:
            held = self.storages[storage]
            if held.role != "workspace":
                first = self.copies.get(storage, storage)
                yield Alive(storage, held, why(self.program, uses, held, first, first != storage, mark))

    def mark_at(self, event: int) -> int:
        """The number of the moment in which that event falls."""
        return bisect_right(self.marks, event, key=lambda mark: mark.event) - 1

    def to_dict(self) -> dict[str, Any]:
        run = self.run
        return {
            "schema": "archcost.timeline/1",
            "network": self.graph.name,
            "title": self.graph.spec.title or self.graph.name,
            "batch": self.graph.batch,
            "device": self.device,
            **run.to_dict(),
            "optimizer_impl": implementation(run, self.device) if run.trains else None,
            "in_place": run.in_place,
            "loss": self.graph.spec.loss,
            "unknown": list(self.graph.unknown),
            "assumptions": list(self.graph.assumptions),
            "peak_bytes": self.peak,
            "peak_at": str(self.highest),
            "by_role": self.by_role,
            "recomputed_flops": self.recomputed_flops,
            **({} if self.offloaded is None else {"offload": self.offloaded.to_dict()}),
            "moments": [moment.to_dict() for moment in self.moments],
            "alive": [alive.to_dict() for alive in self.alive],
        }

    @cached_property
    def offloaded(self) -> Offloaded | None:
        """What is off the card, and what moves; None where all of it is on the card."""
        return offloaded(self.program, learned(self.program), self.run, self.device, self.off_card)

    @cached_property
    def _highest(self) -> tuple[int, int]:
        """The peak, and the event that reaches it first."""
        return highest(self.events, self.sizes)


def highest(events: Sequence[int], sizes: Sequence[int]) -> tuple[int, int]:
    """The most that lives at once, and the event that reaches it first."""
    live = most = at = 0
    for index, event in enumerate(events):
        if event < 0:
            live -= sizes[~event]
            continue
        live += sizes[event]
        if live > most:
            most, at = live, index
    return most, at


def timeline(
    graph: Network | ModelGraph,
    run: Run = DEFAULT,
    device: Device = "cpu",
    threads: int | None = None,
    out_of_place: bool = False,
    budget: int | None = None,
) -> Timeline:
    """Play one step of the network: of a graph; of a spec, or the name or file of one, at batch 1.

    `threads` are those of the CPU, and None leaves out what its kernels allocate for themselves; `out_of_place` adds
    gradients at forks as torch does while a dispatch mode watches; `budget` is the peak, in bytes of tensors, that
    `recompute: auto` keeps to. Raises ArchcostError for settings that do not suit each other or the network, and
    OverBudgetError.
    """
    return timelines(graph_of(graph), run, device, threads, out_of_place)(budget)


def timelines(
    graph: ModelGraph,
    run: Run,
    device: Device,
    threads: int | None = None,
    out_of_place: bool = False,
    written: Program | None = None,
) -> Callable[[int | None], Timeline]:
    """Budget → the step; what is the same for all budgets is worked out once. `written` is its program, where that of a
    run with other checkpoints is known, which is the same."""
    if device not in get_args(Device):
        raise ArchcostError(
            "kernels of that device are not known",
            expected=" or ".join(get_args(Device)),
            found=repr(device),
            hint="cuda stands for every accelerator",
        )
    ready = prepared(graph, run, device)
    written = written or program(ready)
    if written.root is not None:  # else there is no backward to refuse
        _refuse_spoiled(written)
    play = partial(_play, run=run, device=device, threads=threads, out_of_place=out_of_place)
    own = graph.checkpoints if run.trains else ()
    choice = Choice(_outside_the_loss(ready), written, play) if run.trains and run.recompute == "auto" else None

    def played(budget: int | None) -> Timeline:
        names = ready.recomputed if choice is None else choice.cheapest(_required(budget))
        found = tuple(sorted((*own_checkpoints(written, own), *located(written, names))))
        off_card = OffCard()
        tape = play(written, found, off_card=off_card)
        again = [index for segment in found for index, runs in recomputed(written.ops, segment) if runs]
        return Timeline(
            ready.network,
            run,
            device,
            written,
            (*names, *(each.names for each in own)),
            tuple(tape.storages),
            tuple(tape.events),
            tuple(tape.marks),
            tape.kernels,
            tape.copies,
            tuple(again),
            found,
            off_card,
        )

    return played


def _outside_the_loss(ready: RunGraph) -> ModelGraph:
    """The network without the layers that its loss runs, which are in no checkpoint."""
    left = tuple([node for node in ready.network.nodes if node.name not in ready.taken])
    return replace(ready.network, nodes=left) if ready.taken else ready.network


def _required(budget: int | None) -> int:
    if budget is None:
        raise ArchcostError(
            "recompute: auto looks for the checkpoints that fit a memory",
            expected="a budget in bytes: that of a device, or one's own",
            found="none",
        )
    return budget


def _play(
    written: Program,
    segments: Sequence[Segment],
    run: Run,
    device: Device,
    threads: int | None,
    out_of_place: bool,
    off_card: OffCard | None = None,
) -> Tape:
    on_cpu = device == "cpu"

    def update(place: int) -> Iterable[Burst] | None:
        weight = written.storages[place]
        if run.optimizer_in_backward:
            return step_in_backward(weight, run, device)
        return () if leaves(weight.tensor, run) else None

    player = Player(
        written,
        segments,
        out_of_place,
        RNG_STATE if on_cpu else None,
        threads if on_cpu else None,
        update if run.optimizer_in_backward or run.offloaded else None,
        run.offloaded,
        off_card or OffCard(),
    )
    trained = learned(written)
    if run.keep_gradients and run.trains:
        player.keep_gradients()
    player.keep(kept_state(trained, run, device))
    player.forward()
    if run.trains:
        player.backward()
        if run.accumulation > 1:  # all micro-batches after the first are alike
            player.next_micro_batch()
            player.forward()
            player.backward()
        if not run.optimizer_in_backward:
            player.optimize(bursts(trained, run, device))
    player.finish()
    return player.tape


def learned(written: Program) -> list[Held]:
    """The parameters that get a gradient, in the order in which the optimizer has them."""
    if written.root is None:
        return []
    trained = [written.storages[number] for number in sorted(written.parameters)]
    if not written.order:
        return trained
    places = {owned: place for place, owned in enumerate(written.order)}
    return sorted(trained, key=lambda held: places[Owned(held.owner, held.what)])


def _refuse_spoiled(written: Program) -> None:
    for name, keepers in written.spoiled.items():
        node = next(op.node for op in written.ops if op.name == name)
        raise ArchcostError(
            "overwrites what another layer keeps for its backward, which torch refuses",
            found=f"kept by {listing(keepers, 3)}",
            hint=instead(node),
            layer=name,
        )


def _moments(line: Timeline) -> Iterator[Moment]:
    """The peak of each moment, with its roles: those at the event that reaches it."""
    sizes = line.sizes
    column = {role: index for index, role in enumerate(ROLES)}
    columns = [column[held.role] for held in line.storages]
    roles = [0] * len(ROLES)
    live = 0
    for mark, events in by_mark(line.marks, line.events):
        most, at_most = live, tuple(roles)
        for event in events:
            storage = event if event >= 0 else ~event
            change = sizes[storage] if event >= 0 else -sizes[storage]
            live += change
            roles[columns[storage]] += change
            if live > most:
                most, at_most = live, tuple(roles)
        yield Moment(mark.phase, mark.name, most, at_most)
