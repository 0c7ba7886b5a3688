"""What no batch and no checkpoint makes smaller: weights and, in training, their gradients and optimizer state.

Where that alone is more than a device holds, nothing else needs to be tried.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from archcost.costs.off_card import offloadable_weights
from archcost.costs.optimizer_storages import bursts, kept_state, leaves, step_in_backward
from archcost.costs.optimizers import forms
from archcost.costs.program import Held
from archcost.costs.timeline import Timeline, learned
from archcost.estimates.verdict import limits
from archcost.graph import ModelGraph
from archcost.hardware.profile import HardwareProfile
from archcost.passes.layer_rules import weight_type
from archcost.passes.run import OptimizerImpl, Run
from archcost.tensors import TensorType, nbytes
from archcost.terms.autograd import Device


def no_batch_fits(line: Timeline, profile: HardwareProfile) -> bool:
    """What the step of any batch needs is more than may do there. Without that nothing is said."""
    return exceeds(lasting(line) + stepping(line, line.run), line.run, profile, limits(profile).most)


def stored(line: Timeline) -> int:
    """Bytes of weights and buffers that are on the device all along."""
    away = offloadable_weights(line.program) if "weights" in line.run.offloaded else ()
    roles, resident = ("weights", "buffers"), [each for each in line.program.resident if each not in away]
    return sum([line.sizes[each] for each in resident if line.storages[each].role in roles])


def lasting(line: Timeline) -> int:
    """Bytes of weights and buffers, and of the gradients that backward leaves to the optimizer: none where it steps
    with each as it comes.
    """
    if line.run.optimizer_in_backward:
        return stored(line)
    step = next(mark.event for mark in line.marks if mark.phase in ("optimizer", "after"))
    gone = {~event for event in line.events[:step] if event < 0}
    stay = [event for event in line.events[:step] if event >= 0 and event not in gone]
    return stored(line) + sum([line.sizes[each] for each in stay if line.storages[each].role == "gradients"])


def stepping(line: Timeline, run: Run) -> int:
    """Bytes of the optimizer's state, and of what it makes and drops at the worst moment of its step.

    `run` differs from that of the line in its optimizer at the most.
    """
    return _stepping(learned(line.program), run, run.optimizer_impl, line.device) if run.trains else 0


def _stepping(trained: Sequence[Held], run: Run, form: OptimizerImpl | None, device: Device) -> int:
    run = replace(run, optimizer_impl=form)
    state = sum(nbytes([held.tensor for held in kept_state(trained, run, device)]))
    if run.optimizer_in_backward:
        parts = [part for weight in trained for part in step_in_backward(weight, run, device)]
    else:
        parts = list(bursts(trained, run, device))
    return state + max([sum([held.nbytes for held in part]) for _, part in parts], default=0)


def least(graph: ModelGraph, run: Run, device: Device) -> int:
    """Bytes that a step keeps with any checkpoints and any form of its optimizer, without playing it: weights and
    buffers, gradients and optimizer state of what trains. A weight that gets no gradient counts as if it did.
    """
    kept = Counter(_weights(graph, run))
    total = sum([tensor.nbytes * number for (tensor, _), number in kept.items()])
    total = 0 if "weights" in run.offloaded else total  # but for two layers'
    if not run.trains:
        return total
    trained = {tensor: number for (tensor, trains), number in kept.items() if trains}
    wait = {} if run.optimizer_in_backward else {each: trained[each] for each in trained if not leaves(each, run)}
    gradients = sum([each.nbytes * number for each, number in wait.items()])
    return total + gradients + min([_state(trained, run, form, device) for form in forms(run.optimizer, device)])


def _state(trained: Mapping[TensorType, int], run: Run, form: OptimizerImpl, device: Device) -> int:
    """Bytes of the optimizer's state for so many weights of each kind, without what it has once for all."""
    run = replace(run, optimizer_impl=form)
    each = {tensor: kept_state([Held("", "weights", "weight", tensor)], run, device) for tensor in trained}
    return sum([sum([held.nbytes for held in state]) * trained[tensor] for tensor, state in each.items()])


def _weights(graph: ModelGraph, run: Run) -> Iterator[tuple[TensorType, bool]]:
    """Each as it is kept in the run's dtype, and whether it trains."""
    for node in graph.nodes:
        for weight in node.own_weights:
            tensor = weight_type(weight, node)
            if tensor.is_floating and weight.dtype is None:
                tensor = tensor._replace(dtype=run.weight_dtype or tensor.dtype)
            yield tensor, node.trainable and not weight.is_buffer and tensor.is_floating


def exceeds(least: int, run: Run, profile: HardwareProfile, limit: int) -> bool:
    """Whether so many bytes that stay are more than the limit, or, in inference, than the flash that holds them."""
    if profile.flash is not None and not run.trains:
        return least > int(profile.flash.amount)
    return least > limit


def rests_on_step(line: Timeline) -> bool:
    """Whether most lives in the optimizer's step, beside nothing of the passes but what the network returned.

    No checkpoint makes that less.
    """
    if line.highest.phase != "optimizer" or line.run.optimizer_in_backward:
        return False
    step = next(mark.event for mark in line.marks if mark.phase == "optimizer")
    gone = {~event for event in line.events[:step] if event < 0}
    left = {event for event in line.events[:step] if event >= 0 and line.storages[event].role == "activations"} - gone
    return left <= set(line.program.returned)
