"""How long one layer takes: alone, and yet as in the midst of a network.

Before each timed call the caches are emptied; then a twin of the layer runs, which brings the code back, and what the
layer before would just have written is written again. So weights, and what was kept for backward, come from memory,
and what has just been made is as warm as its size allows. Values are random: some kernels are faster on zeros.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from archcost.layers import Flatten, Layer
from archcost.pytorch.layers import FACTORIES
from archcost.pytorch.network import as_tuple
from archcost.tensors import TensorType
from archcost.terms.memory_format import Layout
from archcost.times.operators import Operator

EVICTED = 24 * 2**20
"""Bytes that are read between two calls: more than the caches near a core hold, and most of what cores share."""

EVICTED_ON_CUDA = 512 * 2**20

PRIMED = 31 * 2**20
"""The C library keeps given back blocks up to the size of the largest that it has seen given back, below 32 MiB. By
its second step a network has given back large ones; memory from the system is touched for the first time each time."""

SHORT = 1e-3
"""Seconds. A layer that takes longer does not notice that its code was evicted, and needs no twin."""


class Sample(NamedTuple):
    """Seconds of one call; `backward` is None where there is none."""

    forward: float
    backward: float | None


Mark = Any
"""A moment: seconds of a clock, or an event in a GPU's queue."""


class Bench:
    """A bench on which layers are timed one after the other."""

    def __init__(self, device: str = "cpu") -> None:
        self.device = device
        self.on_cuda = torch.device(device).type == "cuda"
        alone = torch.get_num_threads() == 1 and not self.on_cuda
        # One thread's own time stands still while others have the core; that of several is on the wall.
        self._now: Callable[[], float] = time.thread_time if alone else time.perf_counter
        primed = torch.empty(PRIMED, dtype=torch.uint8)
        del primed
        self._room = torch.ones((EVICTED_ON_CUDA if self.on_cuda else EVICTED) // 4, device=device)
        self._calling = 0.0
        self._calling = self._cost_of_asking()

    def time(self, operator: Operator, repeats: int) -> list[Sample]:
        """The first call is not counted. Raises what torch raises where it cannot run the layer."""
        subject, twin = Subject.of(operator, self.device), None
        samples: list[Sample] = []
        for _ in range(repeats + 1):
            samples.append(self._sample(subject, twin))
            if twin is None and samples[-1].forward < SHORT:
                twin = subject.twin()
        return samples[1:]

    def wall(self, work: Callable[[], object]) -> float:
        """Seconds until it is done."""
        began = self._mark()
        work()
        return self._since(began)

    def phases(self, work: Callable[[Callable[[str], None]], object]) -> dict[str, float]:
        """Seconds by the name that is told when each begins; those of one name together."""
        marks: list[tuple[str, Mark]] = []

        def begins(name: str) -> None:
            marks.append((name, self._mark()))

        work(begins)
        begins("")
        found: dict[str, float] = {}
        for (name, begun), (_, ended) in pairwise(marks):
            found[name] = found.get(name, 0.0) + self._between(begun, ended)
        return found

    def cold(self, work: Callable[[], object]) -> float:
        """The same with empty caches."""
        self._evict()
        return self.wall(work)

    def host(self, work: Callable[[], object]) -> float:
        """Seconds of the host alone, until it has asked for all."""
        if self.on_cuda:
            torch.cuda.synchronize(self.device)
        began = self._now()
        work()
        return self._now() - began

    def _sample(self, subject: Subject, twin: Subject | None) -> Sample:
        self._evict()
        spare = twin.forward(twin.arriving()) if twin else None
        inputs = subject.arriving()
        began = self._mark()
        passed = subject.forward(inputs)
        forward = self._since(began)
        if not passed.differentiable:
            return Sample(forward, None)
        self._evict()
        if twin and spare:
            twin.backward(spare, twin.returning(spare))
        gradients = subject.returning(passed)
        marks = self._marks_of_backward(passed)
        subject.backward(passed, gradients)
        return Sample(forward, max(self._since(marks[0]) - self._calling, 0.0))

    def _marks_of_backward(self, passed: Passed) -> list[Mark]:
        """When autograd comes to the layer: what it does before, a network has done once for all of its layers."""
        marks: list[Mark] = []

        def note(arrived: object) -> None:
            marks.append(self._mark())

        for output in passed.outputs:
            assert output.grad_fn is not None
            output.grad_fn.register_prehook(note)
        return marks

    def _mark(self) -> Mark:
        """On a GPU an event in its queue: emptying the caches keeps it busy until the host has asked for all."""
        if not self.on_cuda:
            return self._now()
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event

    def _since(self, began: Mark) -> float:
        return self._between(began, self._mark())

    def _between(self, began: Mark, ended: Mark) -> float:
        if not self.on_cuda:
            return ended - began
        ended.synchronize()
        return began.elapsed_time(ended) / 1e3

    def _evict(self) -> None:
        self._room.sum()

    def _cost_of_asking(self) -> float:
        """Seconds of a call of autograd with almost nothing to do, which a network makes once for all its layers."""
        nothing = Operator(Flatten(), (TensorType((2, 8, 8)),), needs=frozenset({0}))
        return median(sample.backward or 0.0 for sample in self.time(nothing, 25))


@dataclass(frozen=True, slots=True)
class Passed:
    """A forward pass: which of the outputs lead back to what."""

    outputs: Sequence[Tensor]
    wanted: Sequence[Tensor]

    @property
    def differentiable(self) -> bool:
        return bool(self.outputs and self.wanted)


@dataclass(frozen=True, slots=True)
class Subject:
    """A layer's module and what it is given."""

    module: nn.Module
    sources: Sequence[Tensor]
    needs: frozenset[int | str]
    learns: bool
    upstream: list[Tensor]
    """Gradients of the outputs, made with the first pass."""

    @classmethod
    def of(cls, operator: Operator, device: str = "cpu") -> Subject:
        layouts = operator.layouts or (None,) * len(operator.inputs)
        columns = zip(operator.inputs, layouts, strict=True)
        sources = [_filled(tensor, layout, operator.layer).to(device) for tensor, layout in columns]
        with torch.device(device):
            module = FACTORIES[operator.layer.type](operator.layer, tuple(source.to("meta") for source in sources))
        if sources and (sources[0].is_floating_point() or sources[0].is_complex()):
            module.to(sources[0].dtype)
        module.requires_grad_(any(isinstance(each, str) for each in operator.needs)).train(operator.trains)
        for index, source in enumerate(sources):
            source.requires_grad_(index in operator.needs)
        return cls(module, sources, operator.needs, operator.trains and bool(operator.needs), [])

    def twin(self) -> Subject:
        sources = [source.detach().clone().requires_grad_(source.requires_grad) for source in self.sources]
        return Subject(copy.deepcopy(self.module), sources, self.needs, self.learns, [])

    def arriving(self) -> list[Tensor]:
        """Just written, and no leaves of autograd's, which could not be overwritten."""
        with torch.set_grad_enabled(self.learns):
            return [source.clone() for source in self.sources]

    def forward(self, inputs: Sequence[Tensor]) -> Passed:
        with torch.set_grad_enabled(self.learns):
            outputs = as_tuple(self.module(*inputs))
        # Not of `inputs`: what the layer overwrites is its result afterwards.
        wanted = [each for each in (*self.sources, *self.module.parameters()) if each.requires_grad]
        return Passed([each for each in outputs if each.requires_grad], wanted)

    def returning(self, passed: Passed) -> list[Tensor]:
        if not self.upstream:
            self.upstream.extend(torch.randn_like(each) for each in passed.outputs)
        return [each.clone() for each in self.upstream]

    def backward(self, passed: Passed, gradients: Sequence[Tensor]) -> None:
        torch.autograd.grad(passed.outputs, passed.wanted, gradients, allow_unused=True)


def _filled(tensor: TensorType, layout: Layout, layer: Layer) -> Tensor:
    """Random floats, and integers that are valid as indices; in the order in which they lie in the network."""
    dtype: torch.dtype = getattr(torch, tensor.dtype)
    made = torch.empty(tensor.shape, dtype=dtype)
    if layout is not None:  # what lies in several places at once, or with gaps, gets a place for each value
        made = torch.empty_like(torch.empty_strided(tensor.shape, layout, dtype=dtype))
    if dtype.is_floating_point or dtype.is_complex:
        made.normal_()
        # How long a maximum takes depends on the values, and it is mostly taken of what a ReLU gave.
        return made.relu_() if layer.type.startswith("max_pool") else made
    most = getattr(layer, "num_embeddings", 1)
    return made.copy_(torch.randint(most, tensor.shape))
