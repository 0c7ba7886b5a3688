"""What the rules say lives while a layer runs and what its backward hands on, beside a tracker of torch's tensors.

The tracker is asked of one layer: live tensors at the worst moment, forward and backward, and what backward gives.
Nobody but autograd holds the layer's outputs and the gradients that arrive. What an operator allocates within itself
no tracker sees.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.autograd.graph import get_gradient_edge

from archcost.layers.parameter import Parameter
from archcost.layers.rules import Call
from archcost.passes.layer_rules import ask
from archcost.pytorch.network import as_tuple
from archcost.pytorch.tracker import Tracker
from archcost.tensors import TensorType
from archcost.terms.autograd import Gradient, Handed, Own, Setting
from archcost.terms.memory_format import laid
from archcost.testing.built import given, module_of
from archcost.testing.by_hand import same
from archcost.testing.kept import in_words
from archcost.testing.rows import Row
from archcost.work import Operand


@dataclass(frozen=True, slots=True)
class Given:
    """The gradient of one operand. `arrived` is the floating output from which it came on, None for a new tensor.

    `nbytes` are those of its storage; `key` tells storages apart.
    """

    arrived: int | None
    nbytes: int
    is_view: bool
    key: int


@dataclass(frozen=True, slots=True)
class Worked:
    """Bytes above those alive before: at forward's worst moment and at its end, and at backward's worst moment.

    Backward begins when the gradients have arrived.
    """

    peak: int
    end: int
    peak_backward: int = 0
    given: Mapping[Operand, Given] = field(default_factory=dict[Operand, Given])


@dataclass(slots=True)
class _Beginning:
    """What is known when the gradients have arrived: their storages, and the level."""

    tracker: Tracker
    keys: list[int] = field(default_factory=list[int])
    level: int = 0


class _Arriving(torch.autograd.Function):
    """Stands for the rest of the network: makes a dense gradient for each output, lying as the output does."""

    @staticmethod
    def forward(ctx: Any, beginning: _Beginning, *outputs: Tensor) -> Tensor:
        ctx.beginning = beginning
        ctx.like = [torch.empty_like(output, device="meta") for output in outputs]
        return torch.zeros(())

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Any, ...]:
        beginning: _Beginning = ctx.beginning
        arriving = [torch.empty_like(tensor, device="cpu").fill_(1) for tensor in ctx.like]
        beginning.keys = [beginning.tracker.see(tensor, None).key for tensor in arriving]
        beginning.tracker.mark("backward")
        beginning.level = beginning.tracker.live
        return (None, *arriving)


def work(module: nn.Module, inputs: Sequence[Tensor], needs: frozenset[Operand]) -> Worked:
    """One pass forward, and backward when some operand needs a gradient."""
    tracker = Tracker()
    tracker.hold([*inputs, *module.parameters(), *module.buffers()])
    operands = {index: tensor for index, tensor in enumerate(inputs) if index in needs}
    operands |= {name: parameter for name, parameter in module.named_parameters() if name in needs}
    edges = {operand: get_gradient_edge(tensor) for operand, tensor in operands.items()}
    beginning = _Beginning(tracker)
    with tracker.watching():
        tracker.mark("forward")
        before = tracker.live
        outputs = as_tuple(module(*inputs))
        peak, end = tracker.peak - before, tracker.live - before
        if not needs:
            return Worked(peak, end)
        floating = [output for output in outputs if output.is_floating_point() or output.is_complex()]
        total = cast("Tensor", _Arriving.apply(beginning, *floating))  # pyright: ignore[reportUnknownMemberType]
        del floating
        del outputs
        gradients = torch.autograd.grad(total, list(edges.values()))
        peak_backward = tracker.peak - beginning.level
        columns = zip(edges, gradients, strict=True)
        given = {operand: _given(tracker, gradient, beginning.keys) for operand, gradient in columns}
    return Worked(peak, end, peak_backward, given)


def _given(tracker: Tracker, gradient: Tensor, arrived: Sequence[int]) -> Given:
    storage = tracker.see(gradient, None)
    place = arrived.index(storage.key) if storage.key in arrived else None
    return Given(place, storage.nbytes, gradient._is_view(), storage.key)  # pyright: ignore[reportPrivateUsage]


class Watched(NamedTuple):
    """What a layer makes beside its rules only because a dispatch mode is on."""

    forward: int = 0
    backward: int = 0


def by_the_layer(row: Row, setting: Setting) -> Watched:
    """What its rule `watched` says."""
    return Watched(backward=nbytes(row.layer.watched(Call(row.input_types, row.output_types, setting))))


TellsViews = Callable[[Row, Operand], bool]
"""Whether the layer's rules tell if the gradient of that operand is a view."""


def every_input(row: Row, operand: Operand) -> bool:
    return isinstance(operand, int)


def check(
    row: Row,
    needs: frozenset[Operand],
    training: bool,
    order: str,
    dtype: torch.dtype = torch.float32,
    watched: Callable[[Row, Setting], Watched] = by_the_layer,
    tells_views: TellsViews = every_input,
) -> None:
    """Every byte of forward and backward, and every gradient, of one pass."""
    types = row.input_types
    inputs = [given(tensor, order, index in needs) for index, tensor in enumerate(types)]
    layouts = tuple(laid(tuple(tensor.shape), tensor.stride()) for tensor in inputs)
    setting = Setting(needs, training, "cpu", layouts)
    where, more = in_words(setting), watched(row, setting)
    worked = work(module_of(row, training, needs, dtype), inputs, needs)
    answers = ask(row.layer, Call(types, row.output_types, setting))
    new = sum(tensor.nbytes for tensor, alias in zip(answers.allocated, answers.aliases, strict=True) if alias is None)
    new += nbytes([kept for kept in answers.saved if isinstance(kept, Own)])
    passing, scratch = answers.passing, answers.passing.scratch
    same(f"bytes after forward, {where}", new, worked.end, "by torch")
    same(
        f"bytes at forward's worst, {where}", new + max(nbytes(scratch.forward), more.forward), worked.peak, "by torch"
    )
    if not needs:
        return
    check_gradients(row, worked, setting, tells_views)
    peak = made(worked, passing.ready) + max(nbytes(scratch.backward), more.backward)
    if "composed" in row.layer.quirks and not scratch.backward and worked.peak_backward <= peak:
        return  # some of what was kept may be gone before the last gradient is made; the rules hold it until the end
    same(f"bytes at backward's worst, {where}", peak, worked.peak_backward, "by torch")


def check_gradients(row: Row, worked: Worked, setting: Setting, tells_views: TellsViews) -> None:
    """An input's as its rule says; a weight's is one new tensor of its size."""
    passing = ask(row.layer, Call(row.input_types, row.output_types, setting)).passing
    dtype = next((tensor.dtype for tensor in row.input_types if tensor.is_floating), "float32")
    sizes = {weight.name: TensorType(weight.shape, dtype).nbytes for weight in row.layer.weights(row.input_types)}
    for operand, gradient in worked.given.items():
        what = f"gradient of {operand}, {in_words(setting)}"
        if isinstance(row.layer, Parameter):
            same(what, 0, gradient.arrived, "by torch")  # the weight is the output
        elif isinstance(operand, str):
            same(what, (None, sizes[operand]), (gradient.arrived, gradient.nbytes), "by torch")
        else:
            same(what, told(passing.gradients[operand]), seen(gradient), "by torch")
        if gradient.arrived is None and tells_views(row, operand):
            viewed = passing.viewed[operand] if isinstance(operand, int) else _is_turned(row)
            same(f"whether it is a view: {what}", viewed, gradient.is_view, "by torch")


def _is_turned(row: Row) -> bool:
    return "weight gradient is view" in row.layer.quirks


def told(gradient: Gradient) -> tuple[int | None, bool | int]:
    """The output whose gradient it is, and whether it is a view; of a new tensor None, and its bytes."""
    if gradient is None:
        return None, 0
    return (gradient.output, gradient.is_view) if isinstance(gradient, Handed) else (None, gradient.nbytes)


def seen(gradient: Given) -> tuple[int | None, bool | int]:
    """Whether it is a view counts only for one that arrived."""
    return (gradient.arrived, gradient.nbytes if gradient.arrived is None else gradient.is_view)


def made(worked: Worked, ready: Collection[Operand] = ()) -> int:
    """Bytes of the gradients that did not arrive, each storage once. Those that are `ready` forward has made."""
    new = [given for operand, given in worked.given.items() if given.arrived is None and operand not in ready]
    return sum({given.key: given.nbytes for given in new}.values())


def nbytes(tensors: Sequence[Own]) -> int:
    return sum(own.tensor.nbytes for own in tensors)
