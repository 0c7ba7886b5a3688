"""One module: imported, and its numbers beside those of torch, which runs the same module on the meta device."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode, conv_flop_count

import archcost
from archcost.errors import ArchcostError
from archcost.importers.torch_module import from_torch, tensors_of
from archcost.layers import ScaledDotProductAttention

BATCH = 2


class Subject(NamedTuple):
    """A model by name: how it is made, and examples of its inputs, of a batch of 1."""

    name: str
    make: Callable[[], nn.Module]
    inputs: Sequence[Any] = ()
    named: Mapping[str, Any] = {}


@dataclass(frozen=True)
class Finding:
    """`status` is equal, differs, unknown (opaque layers) or failed; `parts` is a count by quantity: ours, torch's."""

    name: str
    status: str
    why: str = ""
    layers: int = 0
    seconds: float = 0.0
    parts: Mapping[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])
    unknown: tuple[str, ...] = ()


def compare(subject: Subject) -> Finding:
    warnings.filterwarnings("ignore")
    try:
        module = subject.make()
    except Exception as error:
        return Finding(subject.name, "not built", f"{type(error).__name__}: {str(error).strip().splitlines()[:1]}")
    begin = time.perf_counter()
    try:
        spec = from_torch(module, *subject.inputs, **subject.named)
    except ArchcostError as error:
        return Finding(subject.name, "failed", " ".join(str(error).split())[:400])
    seconds = time.perf_counter() - begin
    try:
        cost = archcost.cost(archcost.build(spec, batch=BATCH))
    except ArchcostError as error:
        return Finding(subject.name, "failed", " ".join(str(error).split())[:400], len(spec.layers), seconds)
    opaque = tuple(sorted({str(getattr(entry, "op", "")) for entry in spec.layers if entry.type == "opaque"}))
    try:
        forward, backward = counted(module, subject)
    except Exception as error:
        return Finding(
            subject.name, "not counted", f"{type(error).__name__}: {str(error)[:300]}", len(spec.layers), seconds
        )
    parameters = sum(each.numel() for each in module.parameters())
    flops = cost.flops
    excess = fused_again(cost)
    parts = {
        "parameters": (cost.parameters, parameters),
        "buffers": (cost.buffers, sum(each.numel() for each in module.buffers())),
        "forward": (flops.forward.contraction, forward),
        "backward": (flops.backward.contraction - excess, backward),
    }
    equal = all(ours == theirs for ours, theirs in parts.values())
    status = "unknown" if opaque else "equal" if equal else "differs"
    return Finding(subject.name, status, "", len(spec.layers), seconds, parts, opaque)


def fused_again(cost: archcost.ModelCost) -> int:
    """FLOPs of the scores that fused attention works out again in backward; the meta device composes it."""
    again = 0
    for layer in cost.layers:
        attention = layer.node.layer
        if isinstance(attention, ScaledDotProductAttention) and attention.backend == "fused":
            composed = 2 * layer.flops.forward.contraction
            again += layer.flops.backward.contraction - composed if layer.needs.inputs else 0
    return again


def counted(module: nn.Module, subject: Subject) -> tuple[int, int]:
    """FLOPs of FlopCounterMode, forward and backward from the sum of the floating outputs."""
    module = module.to("meta")
    counter = FlopCounterMode(display=False, custom_mapping={torch.ops.aten.convolution_backward: convolution_backward})
    inputs, named = on_meta(list(subject.inputs)), on_meta(dict(subject.named))
    with counter:
        results = tensors_of(module(*inputs, **named))
        forward = counter.get_total_flops()
        losses = [result.sum() for result in results if result.requires_grad and result.is_floating_point()]
        if losses:
            torch.autograd.backward(losses)
    return forward, counter.get_total_flops() - forward


def on_meta(value: Any) -> Any:
    if isinstance(value, Tensor):
        return torch.zeros((BATCH, *value.shape[1:]), dtype=value.dtype, device="meta")
    if isinstance(value, dict):
        return {key: on_meta(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(on_meta(entry) for entry in value)
    return value


def convolution_backward(
    gradient: Sequence[int],
    inputs: Sequence[int],
    weight: Sequence[int],
    bias: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    transposed: bool,
    output_padding: Any,
    groups: int,
    mask: Sequence[bool],
    out_shape: Any = None,
) -> int:
    """Torch's rule, mended: it counts the weight gradient of a grouped convolution `groups` times."""
    forward = conv_flop_count(list(inputs), list(weight), list(gradient), transposed=transposed)
    return forward * (bool(mask[0]) + bool(mask[1]))
