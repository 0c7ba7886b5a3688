"""What the rules say of optimizers, beside torch's own: state and temporaries of a step, to the byte."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from archcost.costs.optimizers import FORMS, state, step
from archcost.costs.run import Optimizer, OptimizerImpl
from archcost.keeping import Own
from archcost.pytorch.tracker import Tracker
from archcost.tensors import TensorType

OPTIMIZERS: dict[Optimizer, tuple[Any, dict[str, Any]]] = {
    "sgd": (torch.optim.SGD, {"lr": 0.1}),
    "sgd-momentum": (torch.optim.SGD, {"lr": 0.1, "momentum": 0.9}),
    "adam": (torch.optim.Adam, {}),
    "adamw": (torch.optim.AdamW, {}),
    "adafactor": (torch.optim.Adafactor, {}),
}
NAMES = {
    "momentum_buffer": "momentum",
    "exp_avg": "first moment",
    "exp_avg_sq": "second moment",
    "variance": "second moment",
    "row_var": "row factor",
    "col_var": "column factor",
    "step": "step",
}
FORMS_OF_TORCH = [(name, form) for name in OPTIMIZERS for form in FORMS[name]]

# What dominates stands last, first, or between: temporaries of a parameter live on into the next one's.
SHAPES = {
    "ends large": [(), (3,), (5, 7), (2, 3, 5, 7), (11, 13), (2,), (17, 19, 3, 3)],
    "begins large": [(23, 29, 3, 3), (2,), (), (5, 7), (31,), (1, 1), (3, 2, 1)],
    "vectors": [(7,), (101,), (3,), ()],
    "tall": [(1009, 1), (11, 1), (1, 13)],
    "a scalar": [()],
}
DTYPES = [("float32",), ("bfloat16",), ("float16",), ("float64",), ("float32", "bfloat16"), ("bfloat16", "float32")]


def make(name: Optimizer, form: OptimizerImpl, parameters: Sequence[Tensor]) -> torch.optim.Optimizer:
    kind, settings = OPTIMIZERS[name]
    return kind(parameters, **settings, **({"foreach": False} if form == "loop" else {form: True}))


def parameters_of(types: Sequence[TensorType]) -> list[nn.Parameter]:
    return [nn.Parameter(torch.rand(kind.shape).to(getattr(torch, kind.dtype))) for kind in types]


def third_step(optimizer: torch.optim.Optimizer, parameters: Sequence[Tensor]) -> int:
    """The most bytes beyond what was there before, of a step in the steady state."""
    for parameter in parameters:
        parameter.grad = torch.rand_like(parameter)
    for _ in range(2):
        optimizer.step()
    tracker = Tracker()
    tracker.hold([*parameters, *(parameter.grad for parameter in parameters if parameter.grad is not None)])
    tracker.hold([tensor for kept in optimizer.state.values() for tensor in kept.values()])
    before = tracker.live
    tracker.mark("step")
    with tracker.watching():
        optimizer.step()
    assert tracker.live == before, "a step in the steady state leaves nothing behind"
    return tracker.peak - before


def type_of(tensor: Tensor) -> TensorType:
    return TensorType(tuple(tensor.shape), str(tensor.dtype).removeprefix("torch."))


@pytest.mark.parametrize("dtypes", DTYPES, ids="-".join)
@pytest.mark.parametrize(("name", "form"), FORMS_OF_TORCH)
def test_state_and_temporaries_to_the_byte(name: Optimizer, form: OptimizerImpl, dtypes: tuple[str, ...]) -> None:
    for case, shapes in SHAPES.items():
        types = [TensorType(shape, dtypes[index % len(dtypes)]) for index, shape in enumerate(shapes)]
        parameters = parameters_of(types)
        optimizer = make(name, form, parameters)
        measured = third_step(optimizer, parameters)
        bursts = step(name, form, types, "cpu")
        assert max((burst.nbytes for burst in bursts), default=0) == measured, case
        for parameter, kind in zip(parameters, types, strict=True):
            kept = {Own(NAMES[key], type_of(value)) for key, value in optimizer.state[parameter].items()}
            assert set(state(name, kind, form, "cpu")) == kept, (case, kind)
