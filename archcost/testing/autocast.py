"""Rows under autocast: really on the CPU, and on fake tensors of a GPU that nobody needs to have."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager, nullcontext
from itertools import cycle, islice, product
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from archcost.graph import ModelGraph, Node, Port
from archcost.graph.model_graph import Facts
from archcost.passes.order import in_precision
from archcost.passes.precision import AutocastCopy
from archcost.passes.run import Precision, Run
from archcost.pytorch.layers import FACTORIES
from archcost.pytorch.network import as_tuple
from archcost.spec import ModelSpec
from archcost.tensors import Tensors, TensorType
from archcost.terms.autograd import Device
from archcost.testing.rows import Row

Copy = tuple[str, str, int]
"""From which dtype, to which, of how many values."""


class Answer(NamedTuple):
    """The dtypes that come out, and the copies that are made on the way."""

    dtypes: tuple[str, ...]
    copies: tuple[Copy, ...]


FLOATS = ("bfloat16", "float32")


def name_of(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


class Copies(TorchDispatchMode):
    """Copies in another dtype that are made before or in an operator."""

    def __init__(self) -> None:
        super().__init__()  # pyright: ignore[reportUnknownMemberType]
        self.made: list[Copy] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if func is torch.ops.aten._to_copy.default and args[0].is_floating_point() and args[0].dtype != result.dtype:
            self.made.append((name_of(args[0].dtype), name_of(result.dtype), result.numel()))
        return result


@contextmanager
def autocast(device: Device, dtype: torch.dtype) -> Generator[None]:
    """Without torch's context manager, which asks for a GPU."""
    before = torch.is_autocast_enabled(device), torch.get_autocast_dtype(device)
    torch.set_autocast_dtype(device, dtype)
    torch.set_autocast_enabled(device, True)
    try:
        yield
    finally:
        torch.set_autocast_enabled(device, before[0])
        torch.set_autocast_dtype(device, before[1])


def mixtures(row: Row, dtypes: tuple[str, ...] = FLOATS) -> Iterator[Tensors]:
    """Each floating input in each of the dtypes; of many inputs all alike, and one and the other in turn."""
    floating = [index for index, tensor in enumerate(row.input_types) if tensor.is_real]
    choices = product(dtypes, repeat=len(floating))
    if len(floating) > 3:
        turns = dict.fromkeys([dtypes[:1], dtypes[-1:], dtypes, dtypes[::-1]])
        choices = (tuple(islice(cycle(turn), len(floating))) for turn in turns)
    for chosen in choices:
        dtype = dict(zip(floating, chosen, strict=True))
        yield tuple(tensor._replace(dtype=dtype.get(i, tensor.dtype)) for i, tensor in enumerate(row.input_types))


def empty(tensor: TensorType, device: str) -> Tensor:
    return torch.zeros(tensor.shape, dtype=getattr(torch, tensor.dtype), device=device)


def module_of(row: Row, device: Device, fake: FakeTensorMode) -> nn.Module:
    """In training mode, its weights in no gradient's need. For a GPU fake tensors stand for weights and buffers."""
    where = "cpu" if device == "cpu" else "meta"
    with torch.device(where):
        module = FACTORIES[row.layer.type](row.layer, tuple(empty(tensor, where) for tensor in row.input_types))
    if row.input_types and row.input_types[0].is_complex:
        module.to(getattr(torch, row.input_types[0].dtype))
    if device == "cpu":
        return module.requires_grad_(False)
    with fake:
        for part in module.modules():
            for name, weight in list(part.named_parameters(recurse=False)):
                held = torch.empty(weight.shape, dtype=weight.dtype, device=device)
                setattr(part, name, nn.Parameter(held, requires_grad=False))
            for name, buffer in list(part.named_buffers(recurse=False)):
                setattr(part, name, torch.empty(buffer.shape, dtype=buffer.dtype, device=device))
    return module


def ask_torch(module: nn.Module, types: Tensors, device: Device, dtype: str, fake: FakeTensorMode) -> Answer:
    """The dtypes that come out of a module under autocast, and the copies that are made. Raises what torch raises."""
    with fake if device == "cuda" else nullcontext(), torch.no_grad():
        given = [empty(tensor, device) for tensor in types]
        with autocast(device, getattr(torch, dtype)), Copies() as copies:
            results = as_tuple(module(*given))
    return Answer(tuple(name_of(result.dtype) for result in results), tuple(sorted(copies.made)))


def ask_rule(row: Row, types: Tensors, device: Device, precision: Precision) -> Answer:
    """The same by the layers' declarations."""
    nodes = in_precision(alone(row, types), Run(precision=precision), device).nodes
    if not nodes:  # a cast to what arrives
        return Answer((types[0].dtype,), ())
    *copies, node = nodes
    made = [(copy.input_types[0], copy.output_types[0]) for copy in copies if isinstance(copy.layer, AutocastCopy)]
    cast = [("float32", weight.cast, weight.numel) for weight in node.weights if weight.cast]
    copied = [(one.dtype, other.dtype, one.numel) for one, other in made]
    return Answer(tuple(tensor.dtype for tensor in node.output_types), tuple(sorted([*copied, *cast])))


def alone(row: Row, types: Tensors) -> ModelGraph:
    """The row as a network of one layer, whose inputs come in these dtypes."""
    layer, inputs = row.layer, row.input_types
    outputs = layer.output_types(inputs)
    facts = Facts.of(layer, inputs, outputs, layer.weights(inputs))
    ports = [Port(f"x{index}") for index in range(len(inputs))]
    spec = ModelSpec(name="row", inputs={"x": {"shape": ()}}, layers=())  # pyright: ignore[reportArgumentType]
    arriving = {port.producer: tensor for port, tensor in zip(ports, types, strict=True)}
    return ModelGraph(spec, 1, arriving, (Node("layer", layer, tuple(ports), facts, True),), (Port("layer"),))


def answer_of_torch(row: Row, types: Tensors, device: Device, dtype: str) -> Answer:
    """`ask_torch` of a module that is made for the row. Raises what torch raises."""
    fake = FakeTensorMode()
    return ask_torch(module_of(row, device, fake), types, device, dtype, fake)
