"""A row built in torch: its module, and tensors in the orders in which a network may bring them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import torch
from torch import Tensor, nn

from archcost.layers.rules import Call
from archcost.passes.layer_rules import ask
from archcost.pytorch.layers import FACTORIES
from archcost.tensors import TensorType
from archcost.terms.autograd import Setting
from archcost.testing.rows import Row
from archcost.work import Operand

ORDERS = ("row-major", "piece", "permuted", "channels last")
"""How the values of inputs lie: in order, as a slice of a larger tensor, two axes turned, the channels last."""


def given(tensor: TensorType, order: str, needs: bool) -> Tensor:
    """Values in a storage of their own, that no leaf owns: a leaf may not be overwritten in place."""
    dtype = getattr(torch, tensor.dtype)
    if not tensor.is_floating:
        return torch.zeros(tensor.shape, dtype=dtype)
    rank = tensor.rank
    values = torch.rand(tensor.shape, dtype=dtype)
    if order == "permuted" and rank > 2:
        values = values.transpose(1, -1).contiguous().transpose(1, -1)
    if order == "channels last" and rank > 2:
        values = values.movedim(1, -1).contiguous().movedim(-1, 1)
    if order == "piece" and rank > 1:
        values = torch.cat([values, values], dim=1)
    held = values.requires_grad_(needs).clone()
    return held[:, : tensor.shape[1]] if order == "piece" and rank > 1 else held


def on_meta(row: Row, requires_grad: bool = False) -> list[Tensor]:
    """The row's inputs without values. A copy, since a leaf may not be overwritten in place."""
    leaves = [
        torch.zeros(tensor.shape, dtype=getattr(torch, tensor.dtype), device="meta") for tensor in row.input_types
    ]
    if not requires_grad:
        return leaves
    pairs = zip(leaves, row.input_types, strict=True)
    return [leaf.requires_grad_().clone() if tensor.is_floating else leaf for leaf, tensor in pairs]


def module_on_meta(row: Row) -> nn.Module:
    """In training mode where torch will train on a tensor of this shape."""
    inputs = on_meta(row)
    with torch.device("meta"):
        module = FACTORIES[row.layer.type](row.layer, tuple(inputs))
    return module.to(inputs[0].dtype) if inputs and inputs[0].is_complex() else module


def module_of(row: Row, training: bool, needs: frozenset[Operand], dtype: torch.dtype = torch.float32) -> nn.Module:
    torch.manual_seed(0)  # pyright: ignore[reportUnknownMemberType]
    inputs = tuple(given(tensor, "row-major", False) for tensor in row.input_types)
    is_complex = bool(inputs) and inputs[0].is_complex()
    module = FACTORIES[row.layer.type](row.layer, inputs).to(inputs[0].dtype if is_complex else dtype).train(training)
    for name, parameter in module.named_parameters():
        parameter.requires_grad_((parameter.is_floating_point() or parameter.is_complex()) and name in needs)
    return module


def needed(row: Row) -> Iterator[frozenset[Operand]]:
    """All, inputs alone, weights alone, each alone, none."""
    floats = [index for index, tensor in enumerate(row.input_types) if tensor.is_floating]
    inputs = frozenset[Operand](index for index in floats if index not in row.layer.untouched)
    weights = frozenset[Operand](w.name for w in row.layer.weights(row.input_types) if not w.is_buffer)
    yield from dict.fromkeys(
        [
            inputs | weights,
            inputs,
            weights,
            *(frozenset((one,)) for one in sorted(inputs | weights, key=str)),
            frozenset(),
        ]
    )


def wanted(row: Row) -> Iterator[frozenset[Operand]]:
    """Every choice of operands; none of a layer through which nothing flows back."""
    outputs = row.output_types
    if not any(tensor.is_floating for tensor in outputs):
        yield frozenset()
        return
    gradients = ask(row.layer, Call(row.input_types, outputs, Setting(frozenset()))).passing.gradients
    operands: list[Operand] = [
        index for index, tensor in enumerate(row.input_types) if tensor.is_floating and gradients[index] is not None
    ]
    if getattr(row.layer, "trainable", True):  # nobody trains quantised weights
        operands += [weight.name for weight in row.layer.weights(row.input_types) if not weight.is_buffer]
    for count in range(len(operands) + 1):
        yield from map(frozenset, combinations(operands, count))
