"""What torch keeps on CUDA and what comes out, asked of fake tensors: no card, no driver, no memory.

`FakeTensorMode` runs the operators of a CUDA tensor by their rules of shape alone. A CUDA build of torch does so with
autograd, and hooks see what is saved for backward; a CPU build lacks the device's half of autograd and can be asked
under `no_grad` alone, which tells shapes and dtypes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Literal
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from archcost.graph import Node, Port
from archcost.layers.rules import Call
from archcost.layers.shape.copy import Cast, CastLike
from archcost.passes.order import in_precision
from archcost.passes.precision import AutocastCopy
from archcost.passes.run import Run
from archcost.passes.storages import ask, weights_dtype
from archcost.pytorch import saved
from archcost.pytorch.layers import FACTORIES
from archcost.pytorch.network import as_tuple
from archcost.tensors import TensorType
from archcost.terms.autograd import Input, Output, Own, Setting, Stored
from archcost.terms.memory_format import Layout, laid
from archcost.testing.autocast import alone, autocast
from archcost.work import Operand
from tests.layers import every_built_row
from tests.layers.keeping_variants import VARIANTS
from tests.layers.rows import Row

ROWS = (*every_built_row(), *VARIANTS)
Asked = Literal["fp32", "bf16", "amp-bf16", "amp-bf16 of 16 bits"]
PRECISIONS: tuple[Asked, ...] = ("fp32", "bf16", "amp-bf16", "amp-bf16 of 16 bits")
"""The last: under autocast, and what arrives is bfloat16 already, as behind a product. Weights are float32."""
ORDERS = ("row-major", "piece", "permuted", "channels last")


@dataclass(frozen=True)
class Kept:
    """Names of the storages that others have a hand on as well, and bytes of those that live for backward alone."""

    shared: frozenset[str]
    own: tuple[int, ...]


def arriving(row: Row, precision: Asked) -> tuple[TensorType, ...]:
    if precision in ("fp32", "amp-bf16"):
        return row.input_types
    return tuple(TensorType(t.shape, "bfloat16") if t.is_real else t for t in row.input_types)


def weights_of(precision: Asked) -> torch.dtype:
    return torch.bfloat16 if precision == "bf16" else torch.float32


def faked(tensor: TensorType, order: str, needs: bool) -> Tensor:
    """Inside a fake mode. In a storage of its own, that no leaf owns: a leaf may not be overwritten in place."""
    values = torch.empty(tensor.shape, dtype=getattr(torch, tensor.dtype), device="cuda")
    if not tensor.is_floating:
        return values
    if order == "permuted" and tensor.rank > 2:
        values = values.transpose(1, -1).contiguous().transpose(1, -1)
    if order == "channels last" and tensor.rank > 2:
        values = values.movedim(1, -1).contiguous().movedim(-1, 1)
    if order == "piece" and tensor.rank > 1:
        values = torch.cat([values, values], dim=1)
    held = values.requires_grad_(needs).clone()
    return held[:, : tensor.shape[1]] if order == "piece" and tensor.rank > 1 else held


def real_module(row: Row) -> nn.Module:
    """As it is made anywhere, on the CPU."""
    inputs = tuple(torch.zeros(t.shape, dtype=getattr(torch, t.dtype)) for t in row.input_types)
    return FACTORIES[row.layer.type](row.layer, inputs)


def move(module: nn.Module, needs: frozenset[Operand], dtype: torch.dtype) -> None:
    """Inside a fake mode: every weight and buffer becomes a fake one. `Module.to` swaps them, which fakes refuse."""
    for prefix, part in list(module.named_modules()):
        dotted = f"{prefix}." if prefix else ""
        for name, weight in list(part.named_parameters(recurse=False)):
            made = torch.empty(weight.shape, dtype=dtype if weight.is_floating_point() else weight.dtype, device="cuda")
            wanted = made.is_floating_point() and dotted + name in needs
            setattr(part, name, nn.Parameter(made, requires_grad=wanted))
        for name, buffer in list(part.named_buffers(recurse=False)):
            kept = dtype if buffer.is_floating_point() else buffer.dtype
            setattr(part, name, torch.empty(buffer.shape, dtype=kept, device="cuda"))


def casting(precision: Asked) -> AbstractContextManager[None]:
    return autocast("cuda", torch.bfloat16) if precision.startswith("amp") else nullcontext()


def identity(tensor: Tensor) -> int:
    """Of the storage: a fake one has no address."""
    return tensor.untyped_storage()._cdata  # pyright: ignore[reportPrivateUsage]


def keeps(
    row: Row, precision: Asked, training: bool, needs: frozenset[Operand], order: str
) -> tuple[saved.NetworkSaved, tuple[Layout, ...]]:
    """What torch keeps of one pass, and how its inputs lay."""
    module = real_module(row).train(training)
    with FakeTensorMode(allow_non_fake_inputs=True), patch.object(saved, "address", identity):
        move(module, needs, weights_of(precision))
        types = arriving(row, precision)
        inputs = [faked(tensor, order, index in needs) for index, tensor in enumerate(types)]
        layouts = tuple([laid(tuple(tensor.shape), tensor.stride()) for tensor in inputs])
        with casting(precision):
            return saved.watch(module, inputs), layouts


def made(row: Row, precision: Asked, training: bool) -> list[tuple[tuple[int, ...], torch.dtype]]:
    """Shapes and dtypes that come out, under `no_grad`."""
    module = real_module(row).train(training)
    with FakeTensorMode(allow_non_fake_inputs=True), torch.no_grad(), casting(precision):
        move(module, frozenset(), weights_of(precision))
        results = as_tuple(module(*[faked(tensor, "row-major", False) for tensor in arriving(row, precision)]))
        return [(tuple(result.shape), result.dtype) for result in results]


def ruled_outputs(row: Row, precision: Asked) -> tuple[TensorType, ...]:
    """What comes out by the rules; of a cast that is none, what arrives."""
    if isinstance(row.layer, Cast | CastLike):
        run = Run(precision="amp-bf16" if precision == "amp-bf16 of 16 bits" else precision)
        graph = in_precision(alone(row, arriving(row, precision)), run, "cuda")
        return graph.nodes[-1].output_types if graph.nodes else arriving(row, precision)[:1]
    return _node(row, precision, (None,) * len(row.input_types))[0].output_types


def ruled(
    row: Row,
    precision: Asked,
    training: bool,
    needs: frozenset[Operand],
    layouts: tuple[Layout, ...],
    places: dict[str, str],
) -> Kept:
    """The rules' column, by the names that the witness gives its storages."""
    if isinstance(row.layer, Cast | CastLike):  # one to the dtype that arrives is no layer at all
        return Kept(frozenset(), ())
    node, copies, layouts = _node(row, precision, layouts)
    setting = Setting(needs, training, "cuda", layouts, weights_dtype(node))
    shared: set[str] = set()
    own: dict[str, int] = {}
    answers = ask(node.layer, Call(node.input_types, node.output_types, setting))
    for reference in answers.saved:
        match reference:
            case Input(index) if index in answers.passing.outlives:
                continue  # an attribute of `ctx`, which no hook sees
            case Input(index) if index in copies:
                own[f"copy of input {index}"] = node.input_types[index].nbytes
            case Input(index):
                shared.add(places[str(index)])
            case Output(index):
                shared.add(places[str(Port("layer", index))])
            case Stored(name):
                weight = next(weight for weight in node.weights if weight.name == name)
                if weight.cast is None:
                    shared.add(f"layer.{name}")
                else:
                    own[f"copy of {name}"] = TensorType(weight.shape, weight.cast).nbytes
            case Own(what, tensor):
                own[f"own {len(own)} {what}"] = tensor.nbytes
    return Kept(frozenset(shared), tuple(sorted(own.values())))


def _node(row: Row, precision: Asked, layouts: tuple[Layout, ...]) -> tuple[Node, frozenset[int], tuple[Layout, ...]]:
    """The layer in the graph of the run; which of its inputs are autocast's copies; and how its inputs lie."""
    run = Run(precision="amp-bf16" if precision == "amp-bf16 of 16 bits" else precision)
    graph = in_precision(alone(row, arriving(row, precision)), run, "cuda")
    (node,) = [node for node in graph.nodes if node.name == "layer"]
    made_by = {each.name: each for each in graph.nodes}
    lying: list[Layout] = []
    copies: set[int] = set()
    for index, (port, layout) in enumerate(zip(node.inputs, layouts, strict=True)):
        maker = made_by.get(port.producer)
        if maker is not None and isinstance(maker.layer, AutocastCopy):
            copies.add(index)
            setting = Setting(frozenset(), layouts=(layout,))
            layout = ask(maker.layer, Call(maker.input_types, maker.output_types, setting)).layouts[0]
        lying.append(layout)
    return node, frozenset(copies), tuple(lying)


def needed(row: Row) -> Iterator[frozenset[Operand]]:
    """All, inputs alone, weights alone, each alone, none."""
    inputs = frozenset[Operand](index for index, tensor in enumerate(row.input_types) if tensor.is_floating)
    weights = frozenset[Operand](w.name for w in row.layer.weights(row.input_types) if not w.is_buffer)
    alone = [frozenset((one,)) for one in sorted(inputs | weights, key=str)]
    yield from dict.fromkeys([inputs | weights, inputs, weights, *alone, frozenset()])
