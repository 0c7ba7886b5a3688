"""A row beside what torch makes of it on the meta device: shapes, dtypes, weights, and FLOPs by its counter."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from archcost.layers.rules import Call
from archcost.pytorch.flop_counter import flop_counter
from archcost.pytorch.layers.base import values_of
from archcost.pytorch.network import as_tuple, real_numbers
from archcost.terms.autograd import Setting
from archcost.testing.built import module_on_meta, on_meta
from archcost.testing.by_hand import same
from archcost.testing.rows import Row

BY = "by torch"


def shapes(row: Row) -> None:
    found = tuple(tuple(result.shape) for result in as_tuple(module_on_meta(row)(*on_meta(row))))
    same("output shapes", row.outputs, found, BY)


def dtypes(row: Row) -> None:
    found = [str(result.dtype).removeprefix("torch.") for result in as_tuple(module_on_meta(row)(*on_meta(row)))]
    same("output dtypes", [tensor.dtype for tensor in row.output_types], found, BY)


def weights(row: Row) -> None:
    module = module_on_meta(row)
    same("parameters", row.parameters, sum(values_of(weight) for weight in module.parameters()), BY)
    same("buffers", row.buffers, sum(buffer.numel() for buffer in module.buffers()), BY)


def forward_flops(row: Row) -> int:
    module, inputs = module_on_meta(row), on_meta(row)
    with flop_counter() as counter:
        module(*inputs)
    return counter.get_total_flops() * _real_macs(inputs)


def _real_macs(inputs: Sequence[Tensor]) -> int:
    """Of complex numbers one MAC is counted where there are four of real ones (KNOWN_DIFFERENCES)."""
    return 4 if any(tensor.is_complex() for tensor in inputs) else 1


def backward_flops(module: nn.Module, inputs: Sequence[Tensor]) -> int:
    results = [result for result in as_tuple(module(*inputs)) if result.requires_grad]
    with flop_counter() as counter:
        torch.autograd.backward([real_numbers(result).sum() for result in results])
    return counter.get_total_flops() * _real_macs(inputs)


def is_differentiable(row: Row) -> bool:
    """Nothing flows back through masks and indices."""
    return any(tensor.is_floating for tensor in row.input_types) and any(t.is_floating for t in row.output_types)


def _gives_gradients(row: Row) -> bool:
    """By the layer's rule. One that gives some where torch has no backward fails here."""
    call = Call(row.input_types, row.output_types, Setting(frozenset()))
    return bool(row.parameters) or any(gradient is not None for gradient in row.layer.autograd(call).gradients)


def flops(row: Row) -> None:
    """By the counter, where it has formulas for what the layer calls: it says nothing of an operator without one."""
    counted = forward_flops(row)
    if counted:
        same("FLOPs forward", 2 * row.macs, counted, "by torch's counter")
    if not is_differentiable(row) or not _gives_gradients(row):
        return
    of_inputs = backward_flops(module_on_meta(row).requires_grad_(False), on_meta(row, requires_grad=True))
    if counted and of_inputs:
        same("FLOPs of the inputs' gradients", 2 * row.macs_of_inputs, of_inputs, "by torch's counter")
    of_weights = backward_flops(module_on_meta(row), on_meta(row)) if row.parameters else 0
    if counted and of_weights:
        same("FLOPs of the weights' gradients", 2 * row.macs_of_weights, of_weights, "by torch's counter")


CHECKS = {"torch's shapes": shapes, "torch's dtypes": dtypes, "torch's weights": weights, "torch's FLOPs": flops}
