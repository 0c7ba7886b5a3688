"""What a step keeps off the card, on the host or its disk, and what it moves over the link."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from archcost.costs.low_bit_states import is_paged
from archcost.costs.off_card import OffCard, offloadable_weights
from archcost.costs.optimizer_storages import paged_state, steps_on_host
from archcost.costs.optimizers import implementation, master_weights, optimized, shared_state, state
from archcost.costs.program import Held, Program
from archcost.passes.offload import Target
from archcost.passes.optimizer import method
from archcost.passes.run import Run
from archcost.tensors import TensorType, nbytes
from archcost.terms.autograd import Device

ROLES = ("weights", "gradients", "optimizer_state", "activations")

AT_A_TIME = 2
"""Tensors, or layers, that the host holds on their way to its disk: one that moves and one that is worked on."""

POLICIES: Mapping[str, str] = {
    "optimizer": "the optimizer's step runs on the host (as torchao's CPUOffloadOptimizer): gradients move there when "
    "backward has them, and updated weights back",
    "small": "parameters of fewer than 4,096 values are updated on the card",
    "gradients": "each gradient leaves the card when it is on the host",
    "weights": "weights of two layers are on the card at a time, fetched forward, in backward, and where it is "
    "computed again",
    "activations": "what autograd keeps of 1,024 bytes or more, weights and the loss's own left out, moves to the host "
    "at once, and comes back when its backward runs; of a checkpoint what goes into it",
    "nvme": "the host holds two of the largest at a time on their way to its disk",
    "paged": "states of parameters of 100,000 values or more are in memory that is paged (bitsandbytes): on the card "
    "one parameter's at a time; where there is room for them they stay, and nothing moves",
}


@dataclass(frozen=True, slots=True)
class Offloaded:
    """Bytes by role, of one step; `to_host` and `to_card` move over the link, `read` and `written` are the disk's.

    The host's are the most at a time. `steps_on_host` says that the optimizer's step is the host's work.
    """

    offload: str
    host: Mapping[str, int]
    nvme: Mapping[str, int]
    to_host: Mapping[str, int]
    to_card: Mapping[str, int]
    read: int
    written: int
    steps_on_host: bool
    policies: tuple[str, ...]

    @property
    def host_bytes(self) -> int:
        return sum(self.host.values())

    @property
    def nvme_bytes(self) -> int:
        return sum(self.nvme.values())

    def kept(self, role: str) -> int:
        """Bytes of that role that stay off the card from step to step."""
        return self.nvme.get(role) or self.host.get(role, 0)

    def to_dict(self) -> dict[str, Any]:
        return {
            "parts": self.offload,
            "host_bytes": self.host_bytes,
            "host_by_role": dict(self.host),
            "nvme_bytes": self.nvme_bytes,
            "nvme_by_role": dict(self.nvme),
            "moved_bytes": {"to_host": sum(self.to_host.values()), "to_card": sum(self.to_card.values())},
            "moved_by_role": {"to_host": dict(self.to_host), "to_card": dict(self.to_card)},
            "nvme_moved_bytes": {"read": self.read, "written": self.written},
            "steps_on_host": self.steps_on_host,
            "policies": list(self.policies),
        }


def offloaded(program: Program, trained: Iterable[Held], run: Run, device: Device, tape: OffCard) -> Offloaded | None:
    """Of a step that was played; None where all of it is on the card. `trained` are the parameters that learn."""
    parts = run.offloaded
    paged = "paged" in method(run.optimizer).options and run.trains and device == "cuda"
    if not parts and not paged:
        return None
    found = _Found(run)
    learns = list(trained)
    host_steps = [weight for weight in learns if steps_on_host(weight.tensor, run)]
    if "optimizer" in parts:
        found.optimizer(host_steps, parts["optimizer"])
    if "weights" in parts:
        found.weights(program, learns, tape, parts["weights"])
    if "activations" in parts:
        found.activations(tape, parts["activations"])
    if "gradients" in parts and "optimizer" not in parts:
        found.gradients(learns)
    if paged:
        found.paged(learns, device)
    return found.all_of_it(bool(host_steps), paged, len(host_steps) < len(learns))


class _Found:
    """As it adds up."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.host: dict[str, int] = {}
        self.nvme: dict[str, int] = {}
        self.to_host: dict[str, int] = {}
        self.to_card: dict[str, int] = {}
        self.read = self.written = 0

    def _keep(self, role: str, total: int, largest: int, target: Target) -> None:
        """On the host, or on its disk with some of it in passing."""
        if target == "nvme":
            self.nvme[role] = self.nvme.get(role, 0) + total
        held = min(total, AT_A_TIME * largest) if target == "nvme" else total
        self.host[role] = self.host.get(role, 0) + held

    def gradients(self, weights: Iterable[Held]) -> None:
        """In the weights' dtype, each backward anew."""
        total = sum([weight.nbytes for weight in weights])
        self.host["gradients"] = self.host.get("gradients", 0) + total
        self.to_host["gradients"] = total * self.run.accumulation

    def optimizer(self, weights: list[Held], target: Target) -> None:
        """One for each parameter, on the host's own form; without float32 copies it works on copies of the weights."""
        run = self.run
        states = [sum(nbytes(tuple(_host_state(weight.tensor, run)))) for weight in weights]
        self._keep("optimizer_state", sum(states), max(states, default=0), target)
        if target == "nvme":
            self.read += sum(states)
            self.written += sum(states)
        self.gradients(weights)
        if "weights" not in run.offloaded:
            total = sum([weight.nbytes for weight in weights])
            self.to_card["weights"] = total
            if not run.master_weights:
                self.host["weights"] = total

    def weights(self, program: Program, trained: list[Held], tape: OffCard, target: Target) -> None:
        away = offloadable_weights(program)
        total = sum([program.storages[each].nbytes for each in away])
        layers = [sum([program.storages[each].nbytes for each in op.weights if each in away]) for op in program.ops]
        self._keep("weights", total, max(layers, default=0), target)
        fetched = self._moved(tape, "weights", "card")
        self.to_card["weights"] = fetched
        if target == "nvme":
            self.read += fetched
            self.written += sum([weight.nbytes for weight in trained])
        if self.run.trains and "optimizer" not in self.run.offloaded:
            self.gradients(trained)

    def activations(self, tape: OffCard, target: Target) -> None:
        sizes = [held.nbytes for held in tape.held]
        live = most = 0
        for event in tape.events:
            live += sizes[event] if event >= 0 else -sizes[~event]
            most = max(most, live)
        self._keep("activations", most, max(sizes, default=0), target)
        self.to_host["activations"] = self._moved(tape, "activations", "host")
        self.to_card["activations"] = self._moved(tape, "activations", "card")
        if target == "nvme":
            self.written += self.to_host["activations"]
            self.read += self.to_card["activations"]

    def _moved(self, tape: OffCard, part: str, to: str) -> int:
        """Of all batches of a step, of which no more than two are played, both alike."""
        accumulation = self.run.accumulation if self.run.trains else 1
        total = sum([move.tensor.nbytes for move in tape.moves if (move.part, move.to) == (part, to)])
        return total * accumulation // min(accumulation, 2)

    def paged(self, trained: list[Held], device: Device) -> None:
        asked = method(self.run.optimizer)
        works_on = optimized([weight.tensor for weight in trained], self.run)
        lies = [tensor for tensor in works_on if is_paged(asked, tensor, device)]
        total = sum([own.tensor.nbytes for tensor in lies for own in paged_state(tensor, self.run, device)])
        for moved in (self.host, self.to_host, self.to_card):
            moved["optimizer_state"] = moved.get("optimizer_state", 0) + total

    def all_of_it(self, steps: bool, paged: bool, some_small: bool) -> Offloaded:
        parts = self.run.offloaded
        words = [*parts, *(["nvme"] if "nvme" in parts.values() else []), *(["paged"] if paged else [])]
        if "optimizer" in parts and some_small:
            words.insert(1 + words.index("optimizer"), "small")
        sentences = tuple([POLICIES[word] for word in words])
        host, nvme, to_host, to_card = map(_in_order, (self.host, self.nvme, self.to_host, self.to_card))
        return Offloaded(self.run.offload, host, nvme, to_host, to_card, self.read, self.written, steps, sentences)


def _in_order(found: Mapping[str, int]) -> dict[str, int]:
    return {role: found[role] for role in ROLES if role in found}


def _host_state(weight: TensorType, run: Run) -> Iterator[TensorType]:
    """What the host keeps for a parameter from step to step: float32 copies among it, where there are such."""
    (tensor,) = optimized([weight], run)
    form = implementation(Run(optimizer=run.optimizer), "cpu")
    for own in (*state(run.optimizer, tensor, form, "cpu"), *shared_state(run.optimizer, [tensor])):
        yield own.tensor
    for own in master_weights([weight], run):
        yield own.tensor
