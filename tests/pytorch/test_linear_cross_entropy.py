"""The linear layer and cross entropy in one operator: what it holds, beside a tracker of torch's tensors.

Torch's own is registered as an operator, in which a tracker sees nothing: the function behind it is called here.
"""

from __future__ import annotations

from itertools import product
from typing import Any, Literal

import pytest
import torch

from archcost.layers import LinearCrossEntropy
from archcost.layers.loss.chunked_by_torch import Settings, resolved
from archcost.layers.rules import Call
from archcost.passes.layer_rules import ask
from archcost.pytorch.tracker import Tracker
from archcost.tensors import TensorType
from archcost.terms.autograd import Own, Setting
from archcost.testing.temporaries import nbytes
from archcost.work import Operand

SIZES = [(24, 8, 50), (80, 16, 1000), (13, 30, 7), (11, 64, 65)]
"""Rows, features and classes."""
POLICIES: tuple[Literal["auto", "accurate", "balanced", "compact"], ...] = ("auto", "accurate", "balanced", "compact")


def told(layer: LinearCrossEntropy, rows: torch.Tensor, needs: frozenset[Operand]) -> tuple[int, int]:
    """Bytes at forward's worst, and at its end, by the layer's rules."""
    dtype = str(rows.dtype).removeprefix("torch.")
    source, labels = TensorType(tuple(rows.shape), dtype), TensorType((len(rows),), "int64")
    outputs = layer.output_types((source, labels))
    answers = ask(layer, Call((source, labels), outputs, Setting(needs)))
    new = outputs[0].nbytes + nbytes([kept for kept in answers.saved if isinstance(kept, Own)])
    return new + nbytes(answers.passing.scratch.forward), new


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("policy", POLICIES)
def test_what_the_function_of_torch_holds(policy: Any, dtype: str) -> None:
    from torch.nn.modules.linear_cross_entropy import (
        _linear_cross_entropy_batch_chunked_accumulator as accumulator,  # pyright: ignore
    )

    function: Any = accumulator
    is_later = Setting(frozenset()).since("2.14")
    if policy == "balanced" and is_later:
        return  # which has no such policy
    acc: Any = None if policy == "auto" else "float32"
    for (rows, features, classes), (of_rows, of_weight, bias) in product(SIZES, product((True, False), repeat=3)):
        layer = LinearCrossEntropy(out_features=classes, bias=bias, acc_policy=policy, acc_dtype=acc)
        kind = getattr(torch, dtype)
        x, weight = torch.randn(rows, features, dtype=kind), torch.randn(classes, features, dtype=kind)
        added = torch.randn(classes, dtype=kind) if bias else None
        labels = torch.randint(classes, (rows,))
        found = resolved(Settings.of(layer), rows, features, classes, dtype, "cpu", is_later)
        options: Any = torch.nn.LinearCrossEntropyOptions(acc_policy=policy, acc_dtype=acc and torch.float32)
        theirs = options._adjust(rows, features, classes, kind, x.device)
        chosen = (theirs.batch_chunk_size, theirs.acc_policy, str(theirs.acc_dtype).removeprefix("torch."))
        assert (found.chunk, found.policy, found.dtype) == chosen
        tracker = Tracker()
        tracker.hold([x, weight, labels, *([added] if added is not None else [])])
        before = tracker.live
        with tracker.watching():
            tracker.mark("forward")
            settings = ("mean", -100, 0.0, *chosen[:2], getattr(torch, found.dtype))
            made = function(x, weight, labels, added, None, *settings, of_rows, of_weight, bias and of_weight)
            end = tracker.live - before
            del made
        needs = {0: of_rows, "weight": of_weight, "bias": bias and of_weight}
        expected = told(layer, x, frozenset([key for key, wanted in needs.items() if wanted]))
        case = (rows, features, classes, of_rows, of_weight, bias)
        assert end == expected[1], case
        assert tracker.peak - before - expected[0] in ((0, 4) if is_later else (0,)), case  # one number more
