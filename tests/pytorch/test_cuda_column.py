"""CUDA's column, beside torch's own CUDA build on fake tensors: the same storages, and extra bytes to the byte.

No card is needed and no driver, but a build for CUDA, which is large: `make test-newest`.
"""

from __future__ import annotations

import logging
from itertools import product

import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.autograd.graph import saved_tensors_hooks

from archcost.layers import LAYERS, ScaledDotProductAttention
from archcost.layers.rules import Call
from archcost.passes.storages import ask
from archcost.tensors import TensorType
from archcost.terms.autograd import Input, Output, Own, Setting
from tests.layers.cuda_witness import reason_to_read
from tests.pytorch.cuda_column import ORDERS, PRECISIONS, ROWS, Asked, Kept, arriving, identity, keeps, needed, ruled
from tests.pytorch.test_saved import refused, refuses

if not torch.backends.cuda.is_built():
    pytest.skip("this build of torch has no CUDA: make test-newest", allow_module_level=True)

logging.getLogger("torch._subclasses.fake_tensor").setLevel(logging.CRITICAL)  # it logs what torch refuses


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("type_", LAYERS)
def test_rows(type_: str, precision: Asked) -> None:
    """Training and evaluation, each operand needing its gradient or not, values in every order."""
    for row in ROWS:
        if row.layer.type != type_ or reason_to_read(row):
            continue
        for training, needs, order in product((True, False), needed(row), ORDERS):
            if refused(row, order) or refuses(row, arriving(row, precision)):
                continue
            measured, layouts = keeps(row, precision, training, needs, order)
            layer = measured.layers["layer"]
            found = Kept(frozenset(layer.shared), layer.own)
            assert ruled(row, precision, training, needs, layouts, measured.places) == found, (
                row,
                training,
                needs,
                order,
            )


KERNELS = {
    "flash": torch.ops.aten._scaled_dot_product_flash_attention,
    "memory-efficient": torch.ops.aten._scaled_dot_product_efficient_attention,
}


@pytest.mark.parametrize(("kernel", "dtype"), [("flash", "bfloat16"), ("memory-efficient", "float32")])
def test_fused_attention_by_name(kernel: str, dtype: str) -> None:
    """Which of them runs, torch decides by the card."""
    layer = ScaledDotProductAttention()
    query, key = TensorType((2, 3, 37, 8), dtype), TensorType((2, 3, 11, 8), dtype)
    types = (query, key, key)
    saved: list[Tensor] = []
    with FakeTensorMode():
        given = [
            torch.empty(tensor.shape, dtype=getattr(torch, dtype), device="cuda").requires_grad_().clone()
            for tensor in types
        ]
        with saved_tensors_hooks(lambda tensor: saved.append(tensor.detach()) or tensor, lambda tensor: tensor):
            result = KERNELS[kernel](*given) if kernel == "flash" else KERNELS[kernel](*given, None, True)
    names = {identity(tensor): index for index, tensor in enumerate((*given, result[0]))}
    found = {identity(tensor): tensor.untyped_storage().nbytes() for tensor in saved}
    rules = ask(layer, Call(types, layer.output_types(types), Setting(frozenset({0, 1, 2}), device="cuda"))).saved
    assert {names[place] for place in found if place in names} == {
        3 if isinstance(reference, Output) else reference.index
        for reference in rules
        if isinstance(reference, Input | Output)
    }
    assert sorted(nbytes for place, nbytes in found.items() if place not in names) == sorted(
        reference.tensor.nbytes for reference in rules if isinstance(reference, Own)
    )
