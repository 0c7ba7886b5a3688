"""What an optimizer keeps from step to step, and makes in one, as storages of a timeline."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from archcost.costs.low_bit_states import is_paged
from archcost.costs.optimizers import (
    clipping,
    implementation,
    master_gradients,
    master_weights,
    optimized,
    shared_state,
    state,
    step,
)
from archcost.costs.program import Held
from archcost.passes.optimizer import method
from archcost.passes.run import Run
from archcost.tensors import TensorType
from archcost.terms.autograd import Device, Own


def kept_state(learned: Sequence[Held], run: Run, device: Device) -> Iterator[Held]:
    """What the optimizer keeps on the card from step to step: nothing for parameters whose step is the host's, and
    nothing that is paged.
    """
    if run.optimizer == "none":
        return
    learned = [weight for weight in learned if not steps_on_host(weight.tensor, run)]
    impl, asked = implementation(run, device), method(run.optimizer)
    tensors = [weight.tensor for weight in learned]
    works_on = optimized(tensors, run)
    states = {tensor: state(run.optimizer, tensor, impl, device) for tensor in dict.fromkeys(works_on)}
    for weight, tensor in zip(learned, works_on, strict=True):
        away = is_paged(asked, tensor, device)
        for own in states[tensor]:
            if away and own.tensor.numel >= tensor.numel:
                continue
            yield Held(weight.owner, "optimizer_state", f"{own.what} of {weight.what}", own.tensor)
    for weight, own in zip(learned, master_weights(tensors, run), strict=False):
        yield Held(weight.owner, "optimizer_state", f"{own.what} of {weight.what}", own.tensor)
    each = [[tensor] for tensor in works_on] if run.optimizer_in_backward else [works_on]
    for alike in each:  # what one optimizer has, of which there is one a parameter where it steps in backward
        for own in shared_state(run.optimizer, alike):
            yield Held("optimizer", "optimizer_state", own.what, own.tensor)


def bursts(learned: Sequence[Held], run: Run, device: Device) -> Iterator[tuple[str, Sequence[Held]]]:
    """The temporaries of the optimizer's step on the card, beside what is cast for it all along; of states that are
    paged those of one parameter after the other.
    """
    learned = [weight for weight in learned if not steps_on_host(weight.tensor, run)]
    if run.optimizer == "none" or not learned:
        return
    tensors = [weight.tensor for weight in learned]
    cast = [
        Held(weight.owner, "temporaries", f"{own.what} of {weight.what}", own.tensor)
        for weight, own in zip(learned, master_gradients(tensors, run), strict=False)
    ]
    if run.clip_norm:
        yield "clip", [Held("optimizer", "temporaries", own.what, own.tensor) for own in clipping(tensors)]
    parts = step(run.optimizer, implementation(run, device), optimized(tensors, run), device)
    paged = [
        (weight, paged_state(tensor, run, device))
        for weight, tensor in zip(learned, optimized(tensors, run), strict=True)
    ]
    for weight, own in paged:
        if own:
            held = [Held(weight.owner, "optimizer_state", f"{each.what} of {weight.what}", each.tensor) for each in own]
            yield f"{weight.owner}.{weight.what}", [*cast, *held]
    if cast and not parts and not any(own for _, own in paged):
        yield "", cast
    for burst in parts:
        owner = "optimizer" if burst.parameter is None else learned[burst.parameter].owner
        name = "" if burst.parameter is None else f"{owner}.{learned[burst.parameter].what}"
        yield name, [*cast, *(Held(owner, "temporaries", own.what, own.tensor) for own in burst.tensors)]


def step_in_backward(weight: Held, run: Run, device: Device) -> Iterator[tuple[str, Sequence[Held]]]:
    """The same of an optimizer that has this parameter alone."""
    name = f"{weight.owner}.{weight.what}"
    together = [held for _, each in bursts([weight], run, device) for held in each]
    yield name, [held._replace(owner=weight.owner) for held in together]


LEAST_ON_HOST = 4096
"""Values of a parameter whose step is the host's (`minimal_size` of torchao's CPUOffloadOptimizer)."""


def steps_on_host(weight: TensorType, run: Run) -> bool:
    """Whether a parameter is updated there: a large one, and any where the weights themselves lie there."""
    parts = run.offloaded
    return "optimizer" in parts and ("weights" in parts or weight.numel >= LEAST_ON_HOST)


def leaves(weight: TensorType, run: Run) -> bool:
    """Whether a parameter's gradient leaves the card as soon as it is there."""
    parts = run.offloaded
    return "weights" in parts or ("gradients" in parts and (steps_on_host(weight, run) or "optimizer" not in parts))


def paged_state(tensor: TensorType, run: Run, device: Device) -> tuple[Own, ...]:
    """Of a parameter what lies in memory that is paged: all that is kept in its shape."""
    if not is_paged(method(run.optimizer), tensor, device):
        return ()
    kept = state(run.optimizer, tensor, implementation(run, device), device)
    return tuple([own for own in kept if own.tensor.numel >= tensor.numel])
