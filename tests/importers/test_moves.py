"""Moves to another device, parameters of integers, and tensors without values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import archcost
from tests.importers.held import Holder, held

Way = Callable[[Tensor], Tensor]


@pytest.mark.parametrize(
    "way",
    [
        lambda x: x.cpu(),
        lambda x: x.to("cpu", non_blocking=True),
        lambda x: x.to(x.device),
        lambda x: x.to(x),
        lambda x: x.type("torch.FloatTensor"),
        lambda x: x if x.is_cuda else x.to(device="cpu", dtype=torch.float32),
        lambda x: x + torch.arange(5, device=x.device).cpu(),
        lambda x: x.to("cpu", torch.float32, False, True),  # copied
        lambda x: x.to(x.device, copy=True),
    ],
)
def test_a_move_is_none(way: Way) -> None:
    held(Holder(lambda m, x: m.f(way(x)).relu(), f=nn.Linear(5, 3)), torch.zeros(1, 5))


@pytest.mark.parametrize(
    "way",
    [
        lambda x: x.cuda(),
        lambda x: x.cuda(0, non_blocking=True),
        lambda x: x.to("cuda:1"),
        lambda x: x.to(0),
        lambda x: x.pin_memory(),
        lambda x: x.type(torch.cuda.FloatTensor),
        lambda x: x + torch.zeros(5, device="cuda"),
        lambda x: x + torch.zeros_like(x, device="cuda"),
    ],
)
def test_a_move_to_a_device_that_is_not_here(way: Way) -> None:
    """Torch runs none of these without a GPU: 3 * 5 products of 2 FLOPs for each of 7 samples."""
    spec = archcost.from_torch(Holder(lambda m, x: m.f(way(x)), f=nn.Linear(5, 3)), torch.zeros(1, 5))
    cost = archcost.cost(archcost.build(spec, batch=7))
    assert (cost.unknown, cost.flops.forward.contraction) == ((), 2 * 3 * 5 * 7)
    assert not {"clone", "opaque"} & {layer.type for layer in spec.layers}  # pyright: ignore


def test_values_of_constants_on_a_device_are_known() -> None:
    def chosen(m: Any, x: Tensor) -> Tensor:
        steps = torch.arange(3, device="cuda")
        return m.f(x) if int(steps.sum()) == 3 else x

    spec = archcost.from_torch(Holder(chosen, f=nn.Linear(5, 3)), torch.zeros(1, 5))
    assert [layer.type for layer in spec.layers] == ["linear"]  # pyright: ignore


def integers(dtype: torch.dtype, *shape: int) -> nn.Parameter:
    return nn.Parameter(torch.zeros(shape, dtype=dtype), requires_grad=False)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.bool])
def test_parameters_of_integers(dtype: torch.dtype) -> None:
    module = Holder(lambda m, x: m.f(x) * m.code.to(x.dtype), f=nn.Linear(5, 3), code=integers(dtype, 3))
    spec = held(module, torch.zeros(1, 5))
    code = next(layer for layer in spec.layers if layer.name == "code")  # pyright: ignore
    assert (code.type, code.dtype, code.trainable) == ("parameter", str(dtype)[6:], False)  # pyright: ignore
    built = dict(archcost.pytorch.build(spec).named_parameters())
    assert built["code.weight"].dtype == dtype


def test_four_bits_packed_into_bytes() -> None:
    def spread(m: Any, x: Tensor) -> Tensor:
        both = torch.stack((m.packed & 15, m.packed >> 4), -1).flatten(1)
        return functional.linear(x, (both.to(x.dtype) - 8) * m.scale)

    module = Holder(spread, packed=integers(torch.uint8, 6, 5), scale=nn.Parameter(torch.ones(6, 1)))
    spec = archcost.from_torch(module, torch.zeros(1, 10))
    for precision, scale in (("fp32", 4), ("bf16", 2)):
        weights = archcost.timeline(archcost.build(spec), archcost.Run(mode="infer", precision=precision))
        assert weights.moments[0].by_role["weights"] == 6 * 5 + scale * 6  # a byte for two values, and a float a row


def test_a_table_of_integers_as_a_parameter() -> None:
    def read(m: Any, ids: Tensor) -> Tensor:
        return m.f(functional.embedding(ids, m.table).to(torch.float32) * m.scale)

    parts: dict[str, Any] = {"table": integers(torch.int8, 7, 5), "scale": nn.Parameter(torch.ones(5))}
    module = Holder(read, **parts, f=nn.Linear(5, 3))
    spec = archcost.from_torch(module, torch.zeros(1, 4, dtype=torch.int64))
    assert archcost.cost(archcost.build(spec)).parameters == 7 * 5 + 5 + 5 * 3 + 3
    lines = archcost.timeline(archcost.build(spec), archcost.Run(mode="infer")).moments[0]
    assert lines.by_role["weights"] == 7 * 5 + 4 * (5 + 5 * 3 + 3)


@pytest.mark.parametrize(
    "part", [nn.Parameter(torch.empty(0)), nn.Parameter(torch.empty(4, 0)), torch.empty(0), integers(torch.int8, 0, 2)]
)
def test_a_weight_without_values(part: Tensor) -> None:
    """It counts nothing, and its name is still in the state dict."""
    spec = held(Holder(lambda m, x: m.f(x), f=nn.Linear(5, 3), nothing=part), torch.zeros(1, 5))
    assert any(name.startswith("nothing.") for name in archcost.pytorch.build(spec).state_dict())


@pytest.mark.parametrize(
    "way",
    [
        lambda m, x: m.f(torch.cat([torch.empty(0, 5), x])),
        lambda m, x: m.f(torch.cat([x[:, :0], x], 1)),
        lambda m, x: m.f(x + x[:, :0].sum(1, keepdim=True)),
        lambda m, x: m.f(x) + m.prompt.sum(),
        lambda m, x: m.f(torch.cat([m.prompt.expand(len(x), 0), x], 1)),  # the gradient of x is asked for
    ],
)
def test_tensors_without_values_on_the_way(way: Callable[..., Tensor]) -> None:
    parts: dict[str, Any] = {"f": nn.Linear(5, 3), "prompt": nn.Parameter(torch.empty(1, 0))}
    held(Holder(way, **parts), torch.zeros(1, 5), peak=False)


def test_a_gradient_through_no_values_is_refused() -> None:
    module = Holder(lambda m, x: m.g(m.f(x)), f=nn.Linear(5, 0), g=nn.Linear(0, 3))
    with pytest.raises(archcost.ArchcostError, match="a gradient goes back through a tensor without values"):
        archcost.from_torch(module, torch.zeros(1, 5))


def test_what_is_joined_and_has_no_values_is_left_out() -> None:
    """As rotary embeddings of the whole of a head do: what they pass by is empty."""

    def forward(m: Any, x: Tensor) -> Tensor:
        y = m.f(x)
        return m.g(torch.cat([y[:, :7] * 2, y[:, 7:]], 1))

    spec = held(Holder(forward, f=nn.Linear(5, 7), g=nn.Linear(7, 3)), torch.zeros(1, 5), peak=False)
    assert any("has no values is left out" in each for each in spec.assumptions)


@pytest.mark.parametrize("example", [torch.zeros(0, 5), torch.zeros(2, 0), torch.zeros(0, 5, dtype=torch.int64)])
def test_an_example_without_values_is_refused(example: Tensor) -> None:
    with pytest.raises(archcost.ArchcostError, match="example input1 cannot be an input"):
        archcost.from_torch(Holder(lambda m, x: m.f(x), f=nn.Linear(5, 3)), example)


def test_a_parameter_of_integers_is_not_trained() -> None:
    text = "name: n\ninput: [3]\nlayers: [{type: parameter, shape: [3], dtype: int8}]"
    with pytest.raises(archcost.ArchcostError, match="trainable: false"):
        archcost.loads(text)
