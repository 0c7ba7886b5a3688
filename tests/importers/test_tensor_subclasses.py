"""Quantised weights: tensors that are made of others, of which every byte is counted."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import archcost
from tests.importers.held import Holder


class Rows8(Tensor):
    """int8 values with a scale for each row, which look like floats. Functions of torch that it knows it works out."""

    @staticmethod
    def __new__(cls, data: Tensor, scale: Tensor) -> Any:  # pyright: ignore[reportMissingParameterType]
        return Tensor._make_wrapper_subclass(  # pyright: ignore
            cls, data.shape, dtype=scale.dtype, device=data.device, requires_grad=False
        )

    def __init__(self, data: Tensor, scale: Tensor) -> None:
        self.values, self.scale = data, scale

    def __tensor_flatten__(self) -> tuple[list[str], None]:
        return ["values", "scale"], None

    @classmethod
    def __tensor_unflatten__(cls, inner: Any, context: Any, size: Any, stride: Any) -> Any:
        return cls(inner["values"], inner["scale"])

    def floats(self) -> Tensor:
        return self.values.to(self.scale.dtype) * self.scale

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is functional.linear:
            x, weight, *rest = args
            return functional.linear(x, weight.floats(), *rest)
        with torch._C.DisableTorchFunctionSubclass():  # pyright: ignore
            return func(*args, **(kwargs or {}))

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        if name in ("detach", "clone", "alias"):
            return cls(args[0].values, args[0].scale)
        if name in ("t", "mm", "addmm", "mul", "embedding", "add"):
            plain = [each.floats() if isinstance(each, Rows8) else each for each in args]
            return func(*plain, **(kwargs or {}))
        raise NotImplementedError(name)


class Bare(Rows8):
    """The same by operators alone."""

    __torch_function__ = torch._C._disabled_torch_function_impl  # pyright: ignore


class Pairs(Rows8):
    """Two values of four bits a byte."""

    def floats(self) -> Tensor:
        both = torch.stack((self.values & 15, self.values >> 4), -1).flatten(1)  # pyright: ignore[reportOperatorIssue]
        return (both.to(self.scale.dtype) - 8) * self.scale


class Twice(Rows8):
    """A wrapper in a wrapper: the scales are such a tensor themselves."""

    def floats(self) -> Tensor:
        scale: Any = self.scale
        return self.values.to(scale.dtype) * scale.floats()


def parameter(tensor: Tensor) -> nn.Parameter:
    return nn.Parameter(tensor, requires_grad=False)


def bytes_of(weight: Any, rows: int, kind: torch.dtype) -> Any:
    return weight(torch.zeros(rows, 8, dtype=kind), torch.ones(rows, 1))


def with_weight(weight: Tensor, columns: int) -> nn.Linear:
    module = nn.Linear(columns, len(weight), bias=False)
    module.weight = parameter(weight)
    return module


@pytest.mark.parametrize(
    ("weight", "kind", "columns"),
    [(Rows8, torch.int8, 8), (Bare, torch.int8, 8), (Pairs, torch.uint8, 16)],
)
def test_bytes_and_flops(weight: Any, kind: torch.dtype, columns: int) -> None:
    first = nn.Linear(columns, columns)
    made = first, with_weight(weight(torch.zeros(6, 8, dtype=kind), torch.ones(6, 1)), columns)
    module = nn.Sequential(*made).eval()
    before = module[1].weight
    spec = archcost.from_torch(module, torch.zeros(2, columns))
    assert module[1].weight is before
    graph = archcost.build(spec, batch=5)
    cost = archcost.cost(graph)
    assert cost.unknown == ()
    assert cost.parameters == columns * columns + columns + 6 * 8 + 6
    assert cost.trainable_parameters == columns * columns + columns
    assert cost.flops.forward.contraction == 2 * 5 * columns * (columns + 6)
    # Both products' input gradients but for the first layer's, and the first layer's weight.
    assert cost.flops.backward.contraction == 2 * 5 * columns * 6 + 2 * 5 * columns * columns
    for precision, float_ in (("fp32", 4), ("bf16", 2)):
        roles = archcost.timeline(graph, archcost.Run(mode="infer", precision=precision)).moments[0].by_role
        assert roles["weights"] == 6 * 8 + float_ * (6 + columns * columns + columns)  # a byte each, and a float a row
    assert archcost.loads(spec.to_yaml()) == spec


def test_a_wrapper_of_wrappers() -> None:
    scale = Rows8(torch.zeros(6, 1, dtype=torch.int8), torch.ones(6, 1))
    module = nn.Sequential(with_weight(Twice(torch.zeros(6, 8, dtype=torch.int8), scale), 8), nn.ReLU())
    spec = archcost.from_torch(module, torch.zeros(2, 8))
    roles = archcost.timeline(archcost.build(spec), archcost.Run(mode="infer")).moments[0].by_role
    assert roles["weights"] == 6 * 8 + 6 + 4 * 6  # values, their scales, and the scales of these


@pytest.mark.parametrize("weight", [Rows8, Bare])
def test_a_function_that_the_class_does_not_know(weight: Any) -> None:
    """It goes by operators."""
    table = parameter(weight(torch.zeros(7, 8, dtype=torch.int8), torch.ones(7, 1)))
    module = Holder(lambda m, ids: m.f(functional.embedding(ids, m.table)), f=nn.Linear(8, 3), table=table)
    spec = archcost.from_torch(module, torch.zeros(1, 5, dtype=torch.int64))
    cost = archcost.cost(archcost.build(spec, batch=2))
    assert cost.unknown == ()
    assert cost.flops.forward.contraction == 2 * 2 * 5 * 8 * 3
    assert cost.parameters == 7 * 8 + 7 + 8 * 3 + 3


def test_a_buffer_that_is_made_of_others() -> None:
    held = Rows8(torch.zeros(8, 8, dtype=torch.int8), torch.ones(8, 1))
    module = Holder(lambda m, x: m.f(functional.linear(x, m.held)), f=nn.Linear(8, 3), held=held)
    cost = archcost.cost(archcost.build(archcost.from_torch(module, torch.zeros(1, 8))))
    assert (cost.buffers, cost.parameters) == (8 * 8 + 8, 8 * 3 + 3)


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.float8_e5m2])
def test_floats_of_eight_bits(dtype: torch.dtype) -> None:
    """They stay as they are in any precision, until they are cast."""
    codes = parameter(torch.zeros(6, 8).to(dtype))
    module = Holder(lambda m, x: functional.linear(m.f(x), m.codes.to(x.dtype)), f=nn.Linear(8, 8), codes=codes)
    spec = archcost.from_torch(module, torch.zeros(1, 8))
    graph = archcost.build(spec, batch=5)
    assert archcost.cost(graph).macs == 5 * 8 * (8 + 6)
    for precision, float_ in (("fp32", 4), ("bf16", 2)):
        roles = archcost.timeline(graph, archcost.Run(mode="infer", precision=precision)).moments[0].by_role
        assert roles["weights"] == 6 * 8 + float_ * (8 * 8 + 8)
    assert archcost.loads(spec.to_yaml()) == spec
    built = archcost.pytorch.build(spec)
    assert built(torch.zeros(5, 8)).shape == (5, 6)
    assert dict(built.named_parameters())["codes.weight"].dtype == dtype


def test_trained_floats_of_eight_bits_are_refused() -> None:
    codes = nn.Parameter(torch.zeros(6, 8).to(torch.float8_e4m3fn))
    module = Holder(lambda m, x: functional.linear(x, m.codes.to(x.dtype)), codes=codes)
    with pytest.raises(archcost.ArchcostError, match="codes cannot be declared"):
        archcost.from_torch(module, torch.zeros(1, 8))


def test_weights_that_torch_packs_away_are_refused() -> None:
    parts = nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 4)
    quantized: Any = torch.ao.quantization.quantize_dynamic(nn.Sequential(*parts).eval(), {nn.Linear})  # pyright: ignore
    with pytest.raises(archcost.ArchcostError, match="packed out of sight") as caught:
        archcost.from_torch(quantized, torch.zeros(1, 8))
    assert caught.value.layer == "0"


def test_an_operator_that_wants_values() -> None:
    """One without a rule for shapes alone is named, with the line that calls it."""
    module = Holder(lambda m, x: torch.fake_quantize_per_tensor_affine(m.f(x), 0.1, 0, 0, 255), f=nn.Linear(8, 3))
    with pytest.raises(archcost.ArchcostError, match="cannot run on shapes alone") as caught:
        archcost.from_torch(module, torch.zeros(1, 8))
    assert "fake_quantize" in str(caught.value.found)
    assert caught.value.place is not None
    assert caught.value.place.file == __file__
