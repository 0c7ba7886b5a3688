"""What the rules say of optimizers, beside torch's own: state and temporaries of a step, to the byte."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import import_module
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode

from archcost.costs.optimizers import (
    forms,
    implementation,
    master_gradients,
    master_weights,
    optimized,
    state,
    step,
)
from archcost.passes.run import OptimizerImpl, Run
from archcost.pytorch.tracker import Tracker
from archcost.pytorch.training import IMPLS, MuonAndAdamW
from archcost.tensors import TensorType
from archcost.terms.autograd import Device, Own

MOMENTUM, DECAY = {"lr": 0.1, "momentum": 0.9}, {"weight_decay": 0.01}
OPTIMIZERS: dict[str, tuple[Any, dict[str, Any]]] = {
    "sgd": (torch.optim.SGD, {"lr": 0.1}),
    "sgd:weight_decay": (torch.optim.SGD, {"lr": 0.1, **DECAY}),
    "sgd-momentum": (torch.optim.SGD, MOMENTUM),
    "sgd-momentum:weight_decay": (torch.optim.SGD, {**MOMENTUM, **DECAY}),
    "sgd-momentum:nesterov": (torch.optim.SGD, {**MOMENTUM, "nesterov": True}),
    "sgd-momentum:nesterov,weight_decay": (torch.optim.SGD, {**MOMENTUM, **DECAY, "nesterov": True}),
    "adam": (torch.optim.Adam, {}),
    "adam:amsgrad,weight_decay": (torch.optim.Adam, {"amsgrad": True, **DECAY}),
    "adamw": (torch.optim.AdamW, {}),
    "adamw:amsgrad": (torch.optim.AdamW, {"amsgrad": True}),
    "adafactor": (torch.optim.Adafactor, {}),
    "rmsprop": (torch.optim.RMSprop, {}),
    "rmsprop:centered,momentum,weight_decay": (torch.optim.RMSprop, {"centered": True, "momentum": 0.9, **DECAY}),
    "adagrad": (torch.optim.Adagrad, {}),
    "adagrad:weight_decay": (torch.optim.Adagrad, DECAY),
    "adadelta": (torch.optim.Adadelta, {}),
    "adadelta:weight_decay": (torch.optim.Adadelta, DECAY),
    "adamax": (torch.optim.Adamax, {}),
    "adamax:weight_decay": (torch.optim.Adamax, DECAY),
    "rprop": (torch.optim.Rprop, {}),
    "nadam": (torch.optim.NAdam, {}),
    "nadam:weight_decay": (torch.optim.NAdam, DECAY),
    "radam": (torch.optim.RAdam, {}),
    "radam:weight_decay": (torch.optim.RAdam, DECAY),
}
NAMES = {
    "momentum_buffer": "momentum",
    "exp_avg": "first moment",
    "exp_avg_sq": "second moment",
    "variance": "second moment",
    "row_var": "row factor",
    "col_var": "column factor",
    "step": "step",
    "max_exp_avg_sq": "largest second moment",
    "square_avg": "second moment",
    "grad_avg": "mean gradient",
    "sum": "sum of squares",
    "acc_delta": "squared updates",
    "exp_inf": "largest gradient",
    "prev": "gradient before",
    "step_size": "step sizes",
    "mu_product": "product of momenta",
}
FORMS_OF_TORCH = [(name, form) for name in OPTIMIZERS for form in forms(name, "cpu")]

# What dominates stands last, first, or between: temporaries of a parameter live on into the next one's.
SHAPES = {
    "ends large": [(), (3,), (5, 7), (2, 3, 5, 7), (11, 13), (2,), (17, 19, 3, 3)],
    "begins large": [(23, 29, 3, 3), (2,), (), (5, 7), (31,), (1, 1), (3, 2, 1)],
    "vectors": [(7,), (101,), (3,), ()],
    "tall": [(1009, 1), (11, 1), (1, 13)],
    "a scalar": [()],
}
SETTLED = 6
DTYPES = [("float32",), ("bfloat16",), ("float16",), ("float64",), ("float32", "bfloat16"), ("bfloat16", "float32")]


def make(name: str, form: OptimizerImpl | None, parameters: Sequence[Tensor]) -> torch.optim.Optimizer:
    """Without a form torch chooses."""
    kind, settings = OPTIMIZERS[name]
    chosen: dict[OptimizerImpl | None, dict[str, bool]] = {
        None: {},
        "loop": {"foreach": False},
        "foreach": {"foreach": True},
        "fused": {"fused": True},
    }
    return kind(parameters, **settings, **chosen[form])


def parameters_of(types: Sequence[TensorType], device: str = "cpu") -> list[nn.Parameter]:
    return [nn.Parameter(torch.ones(kind.shape, dtype=getattr(torch, kind.dtype), device=device)) for kind in types]


def alternating(shapes: Sequence[tuple[int, ...]], *dtypes: str) -> list[TensorType]:
    return [TensorType(shape, dtypes[index % len(dtypes)]) for index, shape in enumerate(shapes)]


def most(name: str, form: OptimizerImpl, types: Sequence[TensorType], device: Device = "cpu") -> int:
    return max((burst.nbytes for burst in step(name, form, types, device)), default=0)


def state_on(device: str, optimizer: torch.optim.Optimizer, parameter: Tensor) -> set[Own]:
    kept = optimizer.state[parameter].items()
    return {Own(NAMES[key], type_of(value)) for key, value in kept if value.device.type == device}


def settled_step(
    optimizer: torch.optim.Optimizer,
    parameters: Sequence[Tensor],
    take: Callable[[], Any] | None = None,
    besides: Sequence[Tensor] = (),
) -> int:
    """The most bytes beyond what was there before, of a step in the steady state: after the sixth of RAdam."""
    take = take or optimizer.step
    for parameter in parameters:
        parameter.grad = torch.ones_like(parameter)
    for _ in range(SETTLED):
        take()
    tracker = Tracker()
    tracker.hold([*parameters, *besides, *(parameter.grad for parameter in parameters if parameter.grad is not None)])
    tracker.hold([tensor for kept in optimizer.state.values() for tensor in kept.values()])
    before = tracker.live
    tracker.mark("step")
    with tracker.watching():
        take()
    assert tracker.live == before, "a step in the steady state leaves nothing behind"
    return tracker.peak - before


def type_of(tensor: Tensor) -> TensorType:
    return TensorType(tuple(tensor.shape), str(tensor.dtype).removeprefix("torch."))


@pytest.mark.parametrize("dtypes", DTYPES, ids="-".join)
@pytest.mark.parametrize(("name", "form"), FORMS_OF_TORCH)
def test_state_and_temporaries_to_the_byte(name: str, form: OptimizerImpl, dtypes: tuple[str, ...]) -> None:
    for case, shapes in SHAPES.items():
        types = alternating(shapes, *dtypes)
        parameters = parameters_of(types)
        optimizer = make(name, form, parameters)
        assert settled_step(optimizer, parameters) == most(name, form, types), case
        for parameter, kind in zip(parameters, types, strict=True):
            assert set(state(name, kind, form, "cpu")) == state_on("cpu", optimizer, parameter), (case, kind)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_form_that_torch_chooses_on_a_cpu(name: str) -> None:
    types = alternating(SHAPES["ends large"], "float32")
    parameters = parameters_of(types)
    chosen = implementation(Run(optimizer=name), "cpu")
    assert settled_step(make(name, None, parameters), parameters) == most(name, chosen, types)


@pytest.mark.parametrize("form", ["loop", "foreach", "fused"])
@pytest.mark.parametrize("name", ["adam", "adamw"])
def test_adam_on_fake_cuda(name: str, form: OptimizerImpl) -> None:
    """Where the step counter is kept, and what is made."""
    types = alternating(SHAPES["ends large"], "float32", "bfloat16")
    with FakeTensorMode():
        parameters = parameters_of(types, "cuda")
        optimizer = make(name, form, parameters)
        assert settled_step(optimizer, parameters) == most(name, form, types, "cuda")
        for parameter, kind in zip(parameters, types, strict=True):
            assert set(state(name, kind, form, "cuda")) == state_on("cuda", optimizer, parameter)


@pytest.mark.parametrize("form", ["loop", "foreach", "fused"])
@pytest.mark.parametrize("dtypes", [("float32",), ("bfloat16",), ("float32", "bfloat16")], ids="-".join)
def test_muon_to_the_byte(form: OptimizerImpl, dtypes: tuple[str, ...]) -> None:
    """Over the matrices, and AdamW over all else."""
    for case, shapes in {**SHAPES, "square": [(16, 16), (3,), (8, 16)], "wide": [(4, 64), (64, 4)]}.items():
        types = alternating(shapes, *dtypes)
        parameters = parameters_of(types)
        optimizer = MuonAndAdamW(parameters, IMPLS[form])
        assert settled_step(optimizer, parameters) == most("muon", form, types), case
        for parameter, kind in zip(parameters, types, strict=True):
            assert set(state("muon", kind, form, "cpu")) == state_on("cpu", optimizer, parameter), (case, kind)


@pytest.mark.parametrize("form", ["loop", "foreach"])
def test_adafactor_on_fake_cuda(form: OptimizerImpl) -> None:
    """Its state is made before its step asks for a norm's value, which fake tensors lack."""
    types = alternating(SHAPES["ends large"], "float32", "bfloat16")
    with FakeTensorMode():
        parameters = parameters_of(types, "cuda")
        optimizer = make("adafactor", form, parameters)
        for parameter in parameters:
            parameter.grad = torch.ones_like(parameter)
        with suppress(DataDependentOutputException):
            optimizer.step()
        for parameter, kind in zip(parameters, types, strict=True):
            assert set(state("adafactor", kind, form, "cuda")) == state_on("cuda", optimizer, parameter)


def test_the_form_that_torch_chooses_on_cuda() -> None:
    """Read, not run: of fake tensors torch does not know that lists can hold them."""
    asks = "_default_to_fused_or_foreach"
    modules = [import_module(f"torch.optim.{name}") for name in ("sgd", "adam", "_adafactor", "optimizer")]
    assert [hasattr(module, asks) for module in modules[:3]] == [True, True, False]
    supported = vars(modules[3])["_get_foreach_kernels_supported_devices"]()
    assert [device in supported for device in ("cuda", "cpu")] == [True, False]
    assert implementation(Run(optimizer="adam"), "cuda") == "foreach"
    assert implementation(Run(optimizer="adafactor"), "cuda") == "loop"


@pytest.mark.parametrize("form", ["loop", "foreach", "fused"])
def test_master_weights(form: OptimizerImpl) -> None:
    """A step over float32 copies: gradients cast before it, copied back after it."""
    run = Run(precision="bf16", master_weights=True, optimizer="adam", optimizer_impl=form)
    types = alternating(SHAPES["ends large"], "bfloat16")
    parameters = parameters_of(types)
    masters = [parameter.detach().float() for parameter in parameters]
    assert [Own("master weight", type_of(master)) for master in masters] == list(master_weights(types, run))
    optimizer = make("adam", form, masters)

    def step_over_copies() -> None:
        for parameter, master in zip(parameters, masters, strict=True):
            assert parameter.grad is not None
            master.grad = parameter.grad.float()
        optimizer.step()
        for parameter, master in zip(parameters, masters, strict=True):
            parameter.data.copy_(master)
            master.grad = None

    measured = settled_step(optimizer, parameters, step_over_copies, masters)
    gradients = sum(own.tensor.nbytes for own in master_gradients(types, run))
    assert measured == gradients + most("adam", form, optimized(types, run))
    for master, kind in zip(masters, optimized(types, run), strict=True):
        assert set(state("adam", kind, form, "cpu")) == state_on("cpu", optimizer, master)
