"""Operators without a rule under autocast, beside torch: which dtype comes out, and which copies are made."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import nullcontext
from itertools import product

import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn import functional

import archcost
from archcost.errors import ArchcostError
from archcost.layers import Opaque
from archcost.layers.autocast_lists import LISTED
from archcost.passes.run import Run
from archcost.tensors import TensorType
from archcost.terms.autograd import Device
from archcost.testing.autocast import Answer, Copies, ask_rule, autocast, empty, name_of
from tests.layers.rows import Row

OPERATORS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "_cdist_forward": torch.cdist,
    "addcdiv": lambda a, b: torch.addcdiv(a, b, b),
    "addcmul": lambda a, b: torch.addcmul(a, b, b),
    "addmv": lambda a, b: torch.addmv(a[0, 0], a[0], b[0, 0]),
    "atan2": torch.atan2,
    "binary_cross_entropy": lambda a, b: functional.binary_cross_entropy(a, b),
    "binary_cross_entropy_with_logits": functional.binary_cross_entropy_with_logits,
    "cumprod": lambda a, b: torch.cumprod(a, 0),
    "dist": torch.dist,
    "dot": lambda a, b: torch.dot(a[0, 0], b[0, 0]),
    "erfinv": lambda a, b: torch.erfinv(a),
    "huber_loss": functional.huber_loss,
    "hypot": torch.hypot,
    "index_copy": lambda a, b: torch.index_copy(a, 0, torch.zeros(1, dtype=torch.int64, device=a.device), b[:1]),
    "index_put": lambda a, b: torch.index_put(a, (torch.zeros(1, dtype=torch.int64, device=a.device),), b[:1]),
    "linalg_vecdot": torch.linalg.vecdot,
    "logaddexp": torch.logaddexp,
    "pow": torch.pow,
    "renorm": lambda a, b: torch.renorm(a, 2, 0, 1.0),
    "smooth_l1_loss": functional.smooth_l1_loss,
    "trace": lambda a, b: torch.trace(a[0]),
    "xlogy": torch.xlogy,
}
ALONE = {"cumprod", "erfinv", "renorm", "trace"}
"""Operators of the first tensor alone."""


def ask_torch(name: str, types: tuple[TensorType, ...], device: Device) -> Answer:
    """Raises what torch raises."""
    with FakeTensorMode() if device == "cuda" else nullcontext(), torch.no_grad():
        tensors = [empty(tensor, device) for tensor in types]
        with autocast(device, torch.bfloat16), Copies() as copies:
            result = OPERATORS[name](tensors[0], tensors[-1])
    return Answer((name_of(result.dtype),), tuple(copies.made))


def kinds(answer: Answer) -> set[tuple[str, str]]:
    """From which dtype to which copies are made."""
    return {copy[:2] for copy in answer.copies}


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_what_comes_out_and_which_copies_are_made(device: Device) -> None:
    """Torch refuses unequal dtypes to some, and a CPU build runs some only on a CPU."""
    logging.getLogger("torch._subclasses.fake_tensor").setLevel(logging.CRITICAL)
    compared: set[str] = set()
    for name, dtypes in product(OPERATORS, product(["bfloat16", "float32"], repeat=2)):
        types = tuple(TensorType((3, 3, 3), dtype) for dtype in (dtypes[:1] if name in ALONE else dtypes))
        layer = Opaque(op=f"aten::{name}", shapes=((3, 3, 3),), dtypes=("float32",))
        row = Row(layer, tuple(tensor.shape for tensor in types), ((3, 3, 3),))
        try:
            expected = ask_torch(name, types, device)
        except RuntimeError:
            continue
        found = ask_rule(row, types, device, "amp-bf16")
        assert (name, types, found.dtypes, kinds(found)) == (name, types, expected.dtypes, kinds(expected))
        compared.add(name)
    assert len(compared) > len(OPERATORS) * 0.6


def test_what_torch_refuses_is_refused() -> None:
    spec = archcost.loads("""
name: loss
inputs: {x: {shape: [8]}, y: {shape: [8]}}
layers:
  - {type: sigmoid, inputs: [x]}
  - {type: opaque, name: bce, op: "aten::binary_cross_entropy", shapes: [[]], dtypes: [float32], inputs: [sigmoid1, y]}
""")
    graph = archcost.build(spec, batch=2)
    assert archcost.timeline(graph, Run(mode="infer", precision="amp-bf16"), "cpu").peak > 0
    with pytest.raises(ArchcostError, match="bce: torch refuses it under autocast"):
        archcost.timeline(graph, Run(mode="infer", precision="amp-bf16"), "cuda")
    with FakeTensorMode(), autocast("cuda", torch.bfloat16), pytest.raises(RuntimeError, match="unsafe to autocast"):
        OPERATORS["binary_cross_entropy"](torch.empty(2, device="cuda"), torch.empty(2, device="cuda"))


def test_in_place_nothing_is_cast_and_another_library_says_nothing() -> None:
    types = (TensorType((3,), "bfloat16"), TensorType((3,), "float32"))
    for op in ("aten::addcmul_", "torchvision::roi_align"):
        row = Row(Opaque(op=op, shapes=((3,),), dtypes=("float32",)), ((3,), (3,)), ((3,),))
        assert ask_rule(row, types, "cuda", "amp-bf16") == Answer(("bfloat16",), ())


def test_every_listed_operator_is_one_of_torch() -> None:
    assert [name for name in LISTED if not hasattr(torch.ops.aten, name)] == []
