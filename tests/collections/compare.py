"""One module: imported, and its numbers beside those of torch, which runs the same module."""

from __future__ import annotations

import re
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map
from torch.utils.flop_counter import FlopCounterMode, conv_flop_count

import archcost
from archcost.costs.timeline import timeline
from archcost.errors import ArchcostError
from archcost.importers.torch_module import ValuesWantedError, from_torch
from archcost.layers import ScaledDotProductAttention
from tests.collections.finding import BATCH, PRECISIONS, Finding
from tests.collections.step import tracked
from tests.collections.tensors import summed, tensors_of

Make = Callable[[], nn.Module]


class Subject(NamedTuple):
    """A model by name: how it is made, and examples of its inputs, of a batch of 1.

    Those of `named` that stand in `unbatched` have no batch axis; each run gets them as they are here.
    """

    name: str
    make: Make
    inputs: Sequence[Any] = ()
    named: Mapping[str, Any] = {}
    unbatched: tuple[str, ...] = ()
    on_meta: bool = True
    """Made there, where it can be; some that can are another module there."""


def compare(subject: Subject, runs: int = 0, precisions: Sequence[str] = PRECISIONS) -> Finding:
    """A module of at most `runs` FLOPs forward is also run on the CPU in each precision, for its peak."""
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    try:
        module = made(subject.make) if subject.on_meta else subject.make()
    except Exception as error:
        return Finding(subject.name, "not made", _said(error))
    begin = time.perf_counter()
    try:
        module, spec = imported(module, subject)
        seconds = round(time.perf_counter() - begin, 3)
        graph = archcost.build(spec, batch=BATCH if any(each.batched for each in spec.inputs.values()) else 1)
        cost = archcost.cost(graph)
    except Exception as error:
        return Finding(subject.name, "failed", _ours(error))
    parameters = sum(each.numel() for each in module.parameters())
    buffers = sum(each.numel() for each in module.buffers())  # some register more while they run
    opaque = tuple(sorted({str(entry.op) for entry in spec.layers if entry.type == "opaque"}))  # pyright: ignore
    try:
        forward, backward = counted(module, subject)
    except Exception as error:
        return Finding(subject.name, "not counted", _said(error), len(spec.layers), seconds, {}, opaque)
    flops = cost.flops
    parts = {
        "parameters": (cost.parameters, parameters),
        "buffers": (cost.buffers, buffers),
        "forward": (flops.forward.contraction, forward),
        "backward": (flops.backward.contraction - fused_again(cost), backward),
    }
    equal = all(ours == theirs for ours, theirs in parts.values())
    why = "" if archcost.loads(spec.to_yaml()) == spec else "saved and loaded, it is another"
    status = "unknown" if opaque else "equal" if equal and not why else "differs"
    found = Finding(subject.name, status, why, len(spec.layers), seconds, parts, opaque)
    return _with_peaks(found, subject, graph, precisions) if forward <= runs and not opaque else found


def made(make: Callable[[], nn.Module]) -> nn.Module:
    """On the meta device, unless its code looks at values while it is made."""
    try:
        with torch.device("meta"):
            return make()
    except (NotImplementedError, RuntimeError):
        return make()


def imported(module: nn.Module, subject: Subject) -> tuple[nn.Module, archcost.ModelSpec]:
    """As for a NETWORK of the command line: once more with values, where the module's own code looks at them."""
    option: dict[str, Any] = {"unbatched": subject.unbatched} if subject.unbatched else {}
    try:
        return module, from_torch(module, *subject.inputs, **option, **subject.named)
    except ValuesWantedError:
        module = subject.make()
        return module, from_torch(module, *subject.inputs, **option, **subject.named)


def _short(text: str) -> str:
    """On one line, files from their package on."""
    return re.sub(r"\S*/site-packages/", "", " ".join(text.split()))[:300]


def _ours(error: Exception) -> str:
    """What archcost says; what it does not say itself is a fault of its own."""
    return _short(str(error)) if isinstance(error, ArchcostError) else f"a fault: {_said(error)}"


def _said(error: Exception) -> str:
    return _short(f"{type(error).__name__}: {(str(error).strip().splitlines() or [''])[0]}")


def fused_again(cost: archcost.ModelCost) -> int:
    """FLOPs that fused attention has in backward and composed attention, which the meta device makes, has not.

    The scores worked out again, and gradients that nobody wants: of the query, the key and the values (and of the
    scores, for the first two), each a product as large as one of the two forward.
    """
    again = 0
    for layer in cost.layers:
        attention = layer.node.layer
        if isinstance(attention, ScaledDotProductAttention) and attention.backend == "fused" and layer.needs.inputs:
            query, _, values = (kind.shape for kind in layer.node.facts.input_types[:3])
            wanted = set(layer.needs.inputs)
            scores = layer.flops.forward.contraction * query[-1] // (query[-1] + values[-1])
            weighted = layer.flops.forward.contraction - scores
            composed = scores * len(wanted & {0, 1}) + weighted * (bool(wanted & {0, 1}) + (2 in wanted))
            again += layer.flops.backward.contraction - composed
    return again


def counted(module: nn.Module, subject: Subject) -> tuple[int, int]:
    """FLOPs of FlopCounterMode on the meta device, forward and backward from the sum of the floating outputs.

    Where forward looks at values, it counts on the CPU, where fused attention and recurrent layers, which it does not
    see, are composed.
    """
    try:
        return _count(module.to("meta"), subject, "meta")
    except (RuntimeError, NotImplementedError):
        math = torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH)
        with math, torch.backends.mkldnn.flags(enabled=False):
            return _count(subject.make(), subject, "cpu")


def _count(module: nn.Module, subject: Subject, device: str) -> tuple[int, int]:
    if hasattr(module, "set_experts_implementation"):
        module.set_experts_implementation("batched_mm")  # grouped products are not counted, and these are as many
    counter = FlopCounterMode(display=False, custom_mapping={torch.ops.aten.convolution_backward: convolution_backward})
    inputs, named = placed(subject, device)
    with counter:
        results = tensors_of(module(*inputs, **named))
        forward = counter.get_total_flops()
        loss = summed(results)
        if loss is not None:
            loss.backward()
    return forward, counter.get_total_flops() - forward


def placed(subject: Subject, device: str) -> tuple[list[Any], dict[str, Any]]:
    """Its inputs at the batch of all counts: copies of a sample, and as they are where they have no batch."""
    inputs = [_placed(value, device) for value in subject.inputs]
    return inputs, {
        name: _moved(value, device) if name in subject.unbatched else _placed(value, device)
        for name, value in subject.named.items()
    }


def _moved(value: Any, device: str) -> Any:
    return tree_map(lambda leaf: leaf.to(device) if isinstance(leaf, Tensor) else leaf, value)


def _placed(value: Any, device: str) -> Any:
    if isinstance(value, Tensor):
        sample = torch.zeros_like(value[:1], device="cpu") if value.is_meta else value[:1]
        return sample.repeat(BATCH, *(1,) * (value.dim() - 1)).to(device)
    if isinstance(value, dict):
        return {key: _placed(entry, device) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_placed(entry, device) for entry in value)
    return value


def _with_peaks(found: Finding, subject: Subject, graph: archcost.ModelGraph, precisions: Sequence[str]) -> Finding:
    """Bytes of live tensors at the worst moment of a step, by precision: ours, and the tracker's."""
    peaks: dict[str, tuple[int, int]] = {}
    not_run: dict[str, str] = {}
    refused: dict[str, str] = {}
    for precision in precisions:
        try:
            seen = tracked(subject.make, placed(subject, "cpu"), precision)
        except Exception as error:  # no CPU kernel for this dtype, two dtypes that do not go together, zeros
            not_run[precision] = _said(error)
            continue
        try:
            run = archcost.Run(optimizer="none", precision=precision)  # pyright: ignore[reportArgumentType]
            peaks[precision] = (timeline(graph, run, "cpu", out_of_place=True).peak, seen)
        except Exception as error:
            refused[precision] = _ours(error)
    return replace(found, peaks=peaks, not_run=not_run, refused=refused)


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
