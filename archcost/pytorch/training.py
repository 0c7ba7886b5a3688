"""One step of training or inference, as everybody writes it, so that what the caller holds is known.

out = network(**inputs)
loss = loss_of(out, target)
loss.backward()
optimizer.step()
optimizer.zero_grad(set_to_none=not run.keep_gradients)
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from inspect import signature
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import Optimizer

from archcost.errors import ArchcostError
from archcost.graph import ModelGraph
from archcost.graph.loss import scores_of
from archcost.layers import WeightedLayer
from archcost.passes.optimizer import ALONE, Option, method
from archcost.passes.run import Run
from archcost.pytorch.build import build, zeros
from archcost.pytorch.checkpointed import Checkpointed
from archcost.pytorch.network import as_tuple, module_at, real_numbers
from archcost.pytorch.token_losses import WithHead, in_float32, loss_of_scores, without_head
from archcost.spec import ModelSpec
from archcost.spec.loss import read_loss

Begins = Callable[[str], None]
"""Told the phase that begins: `forward`, `backward` or `optimizer`."""

Comparison = Callable[[Tensor, Tensor], Tensor]
"""Of an output and what it is compared with."""

COMPARED: dict[str, Comparison] = {
    "cross_entropy": functional.cross_entropy,
    "mse": functional.mse_loss,
    "l1": functional.l1_loss,
}

OPTIMIZERS: dict[str, Callable[..., Optimizer]] = {
    "sgd": partial(torch.optim.SGD, lr=1e-3),
    "sgd-momentum": partial(torch.optim.SGD, lr=1e-3, momentum=0.9),
    "adam": partial(torch.optim.Adam, lr=1e-3),
    "adamw": partial(torch.optim.AdamW, lr=1e-3),
    "adafactor": partial(torch.optim.Adafactor, lr=1e-3),
    "rmsprop": partial(torch.optim.RMSprop, lr=1e-3),
    "adagrad": partial(torch.optim.Adagrad, lr=1e-3),
    "nadam": partial(torch.optim.NAdam, lr=1e-3),
    "adadelta": partial(torch.optim.Adadelta, lr=1e-3),
    "adamax": partial(torch.optim.Adamax, lr=1e-3),
    "rprop": partial(torch.optim.Rprop, lr=1e-3),
    "radam": partial(torch.optim.RAdam, lr=1e-3),
}

GIVEN: dict[Option, dict[str, Any]] = {
    "nesterov": {"nesterov": True},
    "weight_decay": {"weight_decay": 1e-4},
    "amsgrad": {"amsgrad": True},
    "centered": {"centered": True},
    "momentum": {"momentum": 0.9},
}
"""What torch is given for an option of ours."""

IMPLS: dict[str | None, dict[str, bool]] = {
    None: {},
    "loop": {"foreach": False},
    "foreach": {"foreach": True},
    "fused": {"fused": True},
}


@dataclass(frozen=True, slots=True)
class Training:
    """All that outlives a step. `forward` is the network, or what runs it with checkpoints.

    `masters` are float32 copies of the trained parameters, in their order, where the optimizer works on such.
    """

    run: Run
    loss: str
    network: nn.Module
    forward: Callable[..., Any]
    inputs: Mapping[str, Tensor]
    target: Tensor | None
    optimizer: Optimizer | None
    masters: tuple[nn.Parameter, ...]
    results: Callable[[Any], Sequence[Tensor]] = as_tuple
    """The tensors in what forward returns, of which the loss is made."""
    compared: Comparison | None = None
    """Of an output and the target, where it is not `COMPARED` of the loss."""

    @contextmanager
    def forward_context(self) -> Generator[None]:
        """Autograd and autocast as the run wants them."""
        dtype = torch_dtype(self.run.autocast)
        device = next(iter(self.inputs.values())).device.type
        with torch.set_grad_enabled(self.run.mode != "infer"), torch.autocast(device, dtype, enabled=dtype is not None):
            yield

    @property
    def optimizer_state(self) -> list[Tensor]:
        """The masters, and the tensors that the optimizer keeps."""
        if self.optimizer is None:
            return []
        each = self.optimizer
        states: Iterable[dict[str, Any]] = each.states if isinstance(each, OneEach) else each.state.values()
        return [*self.masters, *(value for state in states for value in state.values() if isinstance(value, Tensor))]


def prepare(graph: ModelGraph, run: Run, segments: Sequence[Sequence[str]], device: str) -> Training:
    """The network built, its inputs and target made, the optimizer at its parameters; nothing has run yet.

    Raises ArchcostError for what torch does not have.
    """
    spec = graph.spec
    network = build(spec, device)
    for node in graph.nodes:
        module, inplace = module_at(network, node.name), getattr(node.layer, "inplace", None)
        if inplace is not None and hasattr(module, "inplace"):
            module.inplace = inplace
    dtype = torch_dtype(run.weight_dtype)
    if dtype is not None:  # where `to` would drop imaginary parts
        network = network.bfloat16() if dtype == torch.bfloat16 else network.half()
        for node in graph.nodes:
            if isinstance(node.layer, WeightedLayer) and node.layer.keep_float32:
                module_at(network, node.name).float()
    network.train(run.trains)
    inputs = {
        name: _filled(tensor).to(_kept(tensor, dtype)) for name, tensor in zeros(spec, graph.batch, device).items()
    }
    asked = read_loss(spec.loss)
    loss = asked.name if run.trains else "none"
    target = None
    if loss in COMPARED:
        target = _labels(graph, device) if asked.by_token else _target(spec, graph.batch, dtype, device)
    learns = trained(network) if loss != "none" else []
    masters = tuple(nn.Parameter(weight.detach().float()) for weight in learns) if run.master_weights else ()
    optimizer = optimizer_of(run, masters or learns)
    reentrant = frozenset([each.names[0] for each in graph.checkpoints if each.reentrant])
    made, head, compared = network, None, None
    if target is not None and asked.takes_head:
        made, head = without_head(network, graph)
    elif target is not None and asked.has_options:
        compared = loss_of_scores(asked, scores_of(graph).turned is not None)
    forward: Callable[..., Any] = Checkpointed(made, segments, reentrant) if segments else made
    if compared is not None and asked.float32 and asked.shifted == "logits":
        forward = in_float32(forward, scores_of(graph).output)
    if head is not None and target is not None:
        forward = WithHead(forward, head, scores_of(graph).output, asked, target)
    return Training(run, loss, made, forward, inputs, target, optimizer, masters, compared=compared)


def step(training: Training, begins: Begins) -> None:
    """One step. Every parameter's gradient is None before and after, or zeros under `keep_gradients`.

    `out` and `loss` stay bound until the function returns or, with accumulation, until the next micro-batch binds
    them anew: during its forward pass the previous ones still live. The loss is not divided by the number of
    micro-batches, and each is given the same inputs.
    """
    run, learnt = training.run, False
    for _ in range(run.accumulation if run.trains else 1):
        begins("forward")
        with training.forward_context():
            out = training.forward(**training.inputs)
            loss = loss_of(training.loss, training.results(out), training.target, training.compared)
        if loss is not None and loss.requires_grad:
            begins("backward")
            with _stepping(training):
                loss.backward()  # pyright: ignore[reportUnknownMemberType]
            learnt = True
    if training.optimizer is not None and learnt and not run.optimizer_in_backward:
        begins("optimizer")
        _update(training, training.optimizer)
    training.network.zero_grad(set_to_none=not run.keep_gradients)


def loss_of(
    loss: str, results: Sequence[Tensor], target: Tensor | None, compared: Comparison | None = None
) -> Tensor | None:
    """The outputs' loss; scalars that the network computes, such as a penalty, are added. None where there is none.

    `sum` sums every floating output, and adds the sums in the order of the outputs. Complex ones are always summed, as
    the real numbers that they are.
    """
    total = None
    for result in results:
        if loss == "none" or not (result.is_floating_point() or result.is_complex()):
            continue
        numbers, wanted = real_numbers(result), None if result.is_complex() else target
        if numbers.dim() > 0:
            numbers = numbers.sum() if wanted is None else (compared or COMPARED[loss])(numbers, wanted)
        total = numbers if total is None else total + numbers
    return total


def _update(training: Training, optimizer: Optimizer) -> None:
    """The optimizer's step with master weights: gradients in float32, the step, new weights in 16 bits."""
    if training.run.clip_norm:
        nn.utils.clip_grad_norm_(trained(training.network), 1.0)
    pairs = list(zip(training.masters, trained(training.network), strict=True)) if training.masters else []
    for master, weight in pairs:
        master.grad = None if weight.grad is None else weight.grad.float()
    optimizer.step()
    with torch.no_grad():
        for master, weight in pairs:
            weight.copy_(master)
    optimizer.zero_grad(set_to_none=bool(pairs) or not training.run.keep_gradients)


@contextmanager
def _stepping(training: Training) -> Generator[None]:
    """Backward with an optimizer for each parameter, which steps when its gradient is there, and drops it."""
    each = training.optimizer
    if not isinstance(each, OneEach):
        yield
        return
    handles: list[Any] = []
    for weight, optimizer, master in zip(trained(training.network), each.optimizers, each.masters, strict=True):

        def use(weight: Tensor, optimizer: Optimizer = optimizer, master: nn.Parameter | None = master) -> None:
            if master is not None:
                master.grad = None if weight.grad is None else weight.grad.float()
            optimizer.step()
            if master is not None:
                with torch.no_grad():
                    weight.copy_(master)
                master.grad = None
            weight.grad = None

        handles.append(weight.register_post_accumulate_grad_hook(use))  # pyright: ignore[reportUnknownMemberType]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def trained(network: nn.Module) -> list[nn.Parameter]:
    return [parameter for parameter in network.parameters() if parameter.requires_grad]


def torch_dtype(name: str | None) -> torch.dtype | None:
    return None if name is None else getattr(torch, name)


def optimizer_of(run: Run, parameters: Sequence[nn.Parameter]) -> Optimizer | None:
    name, options = method(run.optimizer)
    if name == "none" or not parameters:
        return None
    if run.optimizer_in_backward:
        return OneEach(run, parameters)
    if name == "muon":
        return MuonAndAdamW(parameters, IMPLS[run.optimizer_impl])
    if name not in OPTIMIZERS:
        known = ["none", *OPTIMIZERS, "muon"]
        raise ArchcostError(f"{name} cannot be measured: torch does not have it", expected=", ".join(known))
    if alone := options.intersection(ALONE):
        raise ArchcostError(f"{name}:{min(alone)} cannot be measured: torch does not have it", expected=name)
    if run.optimizer_impl == "fused" and "fused" not in signature(OPTIMIZERS[name]).parameters:
        raise ArchcostError(f"torch's {name} has no fused form", expected="loop or foreach", found="fused")
    given = {key: value for option in options for key, value in GIVEN[option].items()}
    return OPTIMIZERS[name](parameters, **IMPLS[run.optimizer_impl], **given)


class OneEach(Optimizer):
    """An optimizer for each parameter, for steps in backward."""

    def __init__(self, run: Run, parameters: Sequence[nn.Parameter]) -> None:
        super().__init__(parameters, {})
        alone = replace(run, optimizer_in_backward=False)
        self.optimizers = [
            each for each in (optimizer_of(alone, [weight]) for weight in parameters) if each is not None
        ]
        self.masters = [weight if run.master_weights else None for weight in parameters]

    @property
    def states(self) -> list[dict[str, Any]]:
        return [state for each in self.optimizers for state in each.state.values()]


class MuonAndAdamW(Optimizer):
    """Muon over the matrices, AdamW over all else: torch's Muon takes no other parameters."""

    def __init__(self, parameters: Sequence[nn.Parameter], form: dict[str, bool]) -> None:
        super().__init__(parameters, {})
        matrices = [each for each in parameters if each.dim() == 2]
        others = [each for each in parameters if each.dim() != 2]
        self.both: list[Optimizer] = [torch.optim.Muon(matrices)] if matrices else []
        if others:
            self.both.append(OPTIMIZERS["adamw"](others, **form))

    def step(self, closure: Any = None) -> Any:
        for each in self.both:
            each.step(closure)
            self.state.update(each.state)


def _filled(tensor: Tensor) -> Tensor:
    """Random floats. Integers stay 0, which is a valid label or index wherever there is one."""
    return tensor.normal_() if tensor.is_floating_point() or tensor.is_complex() else tensor


def _kept(tensor: Tensor, dtype: torch.dtype | None) -> torch.dtype:
    return dtype if dtype is not None and tensor.is_floating_point() else tensor.dtype


def _labels(graph: ModelGraph, device: str) -> Tensor:
    """A label for each token."""
    *tokens, classes = scores_of(graph).tensor.shape
    return torch.randint(classes, tokens, device=device)


def _target(spec: ModelSpec, batch: int, dtype: torch.dtype | None, device: str) -> Tensor:
    """Labels, or floats like the output: of the one output with axes, whose shape the meta device tells."""
    with torch.no_grad():
        results = as_tuple(build(spec, "meta").eval()(**zeros(spec, batch, "meta")))
    compared = next(result for result in results if result.dim() > 0)
    if read_loss(spec.loss).name != "cross_entropy":
        return torch.randn(compared.shape, dtype=dtype or compared.dtype, device=device)
    samples, classes, *rest = compared.shape
    return torch.randint(classes, (samples, *rest), device=device)
