"""One module imported, and every number of it beside torch's: of the module itself, and of the one built again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

import archcost
from archcost.costs.timeline import timeline
from archcost.importers.examples import BatchAxes, batch_axes_of
from archcost.importers.torch_module import tensors_of
from archcost.pytorch.tracker import Tracker
from tests.collections.compare import convolution_backward, fused_again, summed

BATCHES = (2, 5)


class Holder(nn.Module):
    """A module whose forward is a function of itself and its inputs, with these parts."""

    def __init__(self, function: Callable[..., Any], **parts: Any) -> None:
        super().__init__()
        self.function = function
        for name, part in parts.items():
            if isinstance(part, Tensor) and not isinstance(part, nn.Parameter):
                self.register_buffer(name, part)
            else:
                setattr(self, name, part)

    def forward(self, *inputs: Any, **named: Any) -> Any:
        return self.function(self, *inputs, **named)


def held(
    module: nn.Module,
    *inputs: Any,
    peak: bool = True,
    off: int = 0,
    unbatched: Sequence[str] = (),
    batch_dims: Mapping[str, int] | None = None,
    **named: Any,
) -> archcost.ModelSpec:
    """The spec of the module, after every comparison.

    `peak` says whether that of a step is compared too, `off` by how many bytes the two are known to differ at most.
    """
    before = state_of(module)
    spec = archcost.from_torch(module, *inputs, unbatched=unbatched, batch_dims=batch_dims, **named)
    places = batch_axes_of(module, inputs, named, unbatched, batch_dims or {})
    assert state_of(module) == before, "the module was changed"
    assert archcost.loads(spec.to_yaml()) == spec
    rebuilt = archcost.pytorch.build(spec)
    rebuilt.train(module.training)
    assert shapes_of(rebuilt.parameters()) == shapes_of(module.parameters())
    for batch in BATCHES if spec.has_batch else (1,):
        graph = archcost.build(spec, batch)
        cost = archcost.cost(graph)
        assert cost.unknown == ()
        assert cost.parameters == sum(each.numel() for each in module.parameters())
        assert cost.buffers == sum(each.numel() for each in module.buffers())
        trained = sum(each.numel() for each in module.parameters() if each.requires_grad)
        assert cost.trainable_parameters == trained
        given, keyed = of_batch(inputs, batch, places), of_batch(named, batch, places)
        returned = tensors_of(module(*given, **keyed))
        ours = [kind.shape for kind in graph.returned]
        assert ours == [tuple(tensor.shape) for tensor in returned]
        assert [tuple(each.shape) for each in tensors_of(rebuilt(*tensors_of([given, keyed])))] == ours
        forward = cost.flops.forward.contraction
        backward = cost.flops.backward.contraction - fused_again(cost)
        assert (forward, backward) == counted(module, given, keyed)
        assert (forward, backward) == counted(rebuilt, tuple(tensors_of([given, keyed])), {})
        if peak:
            line = timeline(graph, archcost.Run(optimizer="none"), "cpu", out_of_place=True)
            assert abs(line.peak - tracked(module, given, keyed)) <= off
    return spec


def of_batch(value: Any, batch: int, places: BatchAxes) -> Any:
    """The same values for every sample."""
    if isinstance(value, Tensor):
        axis = places.get(id(value), 0 if value.dim() else None)
        if axis is None:
            return value.clone()
        return value.narrow(axis, 0, 1).expand(*value.shape[:axis], batch, *value.shape[axis + 1 :]).clone()
    if isinstance(value, Mapping):
        return {key: of_batch(entry, batch, places) for key, entry in value.items()}  # pyright: ignore
    if isinstance(value, (list, tuple)):
        return type(value)(of_batch(entry, batch, places) for entry in value)  # pyright: ignore
    return value


def state_of(module: nn.Module) -> dict[str, Any]:
    """Every attribute of every module in it: tensors, modules and hooks by identity, others as they are."""
    return {
        f"{path}.{key}": {name: id(entry) for name, entry in value.items()} if isinstance(value, dict) else id(value)
        for path, each in module.named_modules()
        for key, value in vars(each).items()
    }


def shapes_of(tensors: Iterable[Tensor]) -> list[tuple[int, ...]]:
    return sorted(tuple(tensor.shape) for tensor in tensors)


def counted(module: nn.Module, inputs: Any, named: Any) -> tuple[int, int]:
    """FLOPs of FlopCounterMode forward, and backward from the sum of the outputs, on the CPU.

    There it does not see fused attention and LSTMs of oneDNN, so both are composed.
    """
    mapping: Any = {torch.ops.aten.convolution_backward: convolution_backward}
    counter = FlopCounterMode(display=False, custom_mapping=mapping)
    composed = torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH)
    with composed, torch.backends.mkldnn.flags(enabled=False), counter:
        results = tensors_of(module(*inputs, **named))
        forward = counter.get_total_flops()
        loss = summed(results)
        if loss is not None:
            loss.backward()
    module.zero_grad()
    return forward, counter.get_total_flops() - forward


def tracked(module: nn.Module, inputs: Any, named: Any) -> int:
    """Bytes of tensors at the worst moment of a step without an optimizer, on the CPU."""
    tracker = Tracker()
    tracker.hold([*module.parameters(), *module.buffers(), *tensors_of([inputs, named])])
    tracker.mark("step")
    with tracker.watching():
        results = tensors_of(module(*inputs, **named))
        loss = summed(results)
        if loss is not None:
            loss.backward()
    module.zero_grad()
    return tracker.peak
