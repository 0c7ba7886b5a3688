"""What an optimizer keeps from step to step, and makes in one, as storages of a timeline."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

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
from archcost.passes.run import Run
from archcost.terms.autograd import Device


def kept_state(learned: Sequence[Held], run: Run, device: Device) -> Iterator[Held]:
    """What the optimizer keeps from step to step."""
    if run.optimizer == "none":
        return
    impl = implementation(run, device)
    tensors = [weight.tensor for weight in learned]
    works_on = optimized(tensors, run)
    states = {tensor: state(run.optimizer, tensor, impl, device) for tensor in dict.fromkeys(works_on)}
    for weight, tensor in zip(learned, works_on, strict=True):
        for own in states[tensor]:
            yield Held(weight.owner, "optimizer_state", f"{own.what} of {weight.what}", own.tensor)
    for weight, own in zip(learned, master_weights(tensors, run), strict=False):
        yield Held(weight.owner, "optimizer_state", f"{own.what} of {weight.what}", own.tensor)
    each = [[tensor] for tensor in works_on] if run.optimizer_in_backward else [works_on]
    for alike in each:  # what one optimizer has, of which there is one a parameter where it steps in backward
        for own in shared_state(run.optimizer, alike):
            yield Held("optimizer", "optimizer_state", own.what, own.tensor)


def bursts(learned: Sequence[Held], run: Run, device: Device) -> Iterator[tuple[str, Sequence[Held]]]:
    """The temporaries of the optimizer's step, beside what is cast for it all along."""
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
    if cast and not parts:
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
