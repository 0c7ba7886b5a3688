"""Functions of torch that few networks call: each is heard as its layers, and comes to what torch counts and keeps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import archcost
from archcost.pytorch import verify


class Around(nn.Module):
    """A linear layer, and a function of what it gives and of weights of its own."""

    def __init__(self, function: Callable[[Any, Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function
        self.linear = nn.Linear(8, 8)
        self.row = nn.Parameter(torch.rand(8))
        self.matrices = nn.Parameter(torch.rand(5, 8, 8))
        self.edges: Tensor
        self.register_buffer("edges", torch.arange(5.0))

    def forward(self, x: Tensor) -> Tensor:
        return self.function(self, self.linear(x))


CALLS: dict[str, tuple[Callable[[Any, Tensor], Tensor], str]] = {
    "matmul of a vector": (lambda net, x: x @ net.row, "view mv view"),
    "dot": (lambda net, x: torch.dot(x.flatten(), x.flatten()), "flatten flatten dot"),
    "addmv": (lambda net, x: torch.addmv(net.row, net.matrices[0], x[0, 0]), "select select select addmv"),
    "cdist by pairs": (lambda net, x: torch.cdist(x, net.matrices[0][None]), "select unsqueeze cdist"),
    "cdist by a product": (
        lambda net, x: torch.cdist(x.flatten(0, 1), net.matrices.flatten(0, 1)),
        "flatten flatten cdist",
    ),
    "bilinear": (lambda net, x: functional.bilinear(x, x, net.matrices), "bilinear"),
    "lerp of a number": (lambda net, x: torch.lerp(x, net.row, 0.3), "lerp"),
    "lerp of a gate": (lambda net, x: torch.lerp(x, net.row, x.sigmoid()), "sigmoid lerp"),
    "lerp in place": (lambda net, x: (x * 2).lerp_(x, 0.5), "scale lerp"),
    "power of a tensor": (lambda net, x: net.row**x, "pow_tensor"),
    "difference with a factor": (lambda net, x: torch.sub(x, net.row, alpha=0.5), "sub"),
    "atan2": (lambda net, x: torch.atan2(x, net.row), "atan2"),
    "logaddexp": (lambda net, x: torch.logaddexp(x, net.row), "logaddexp"),
    "hypot": (lambda net, x: torch.hypot(x, net.row), "hypot"),
    "rounded quotient": (lambda net, x: torch.div(x, net.row, rounding_mode="floor"), "div"),
    "cross": (lambda net, x: torch.cross(x[..., :3], x[..., 3:6], dim=-1), "slice slice cross"),
    "exp2 in place": (lambda net, x: (x * 2).exp2_(), "scale exp2"),
    "decimals": (lambda net, x: x.round(decimals=2), "round"),
    "degrees": (lambda net, x: x.deg2rad(), "scale"),
    "searchsorted": (lambda net, x: x * torch.searchsorted(net.edges, x).float(), "searchsorted cast mul"),
    "norm of the largest": (lambda net, x: x.norm(float("inf"), dim=-1), "norm"),
    "distance of rows": (
        lambda net, x: functional.pairwise_distance(x, net.row.expand_as(x), p=3),
        "expand_batch sub scale norm",
    ),
    "cumprod": (lambda net, x: x.cumprod(1), "cumprod"),
    "cummax": (lambda net, x: x.cummax(1)[0], "cummax"),
    "logcumsumexp": (lambda net, x: x.logcumsumexp(1), "logcumsumexp"),
    "median": (lambda net, x: x.median(-1)[0], "median"),
    "median of all": (lambda net, x: x.median(), "median_all"),
    "kthvalue": (lambda net, x: x.kthvalue(2)[0], "kthvalue"),
    "aminmax": (lambda net, x: torch.aminmax(x, dim=1)[0], "aminmax"),
    "nansum": (lambda net, x: x.nansum(1), "nansum"),
    "count_nonzero": (lambda net, x: x * x.count_nonzero(1)[:, None], "count_nonzero unsqueeze mul"),
    "multinomial": (lambda net, x: x.softmax(-1).flatten(0, 1).multinomial(1), "softmax flatten multinomial"),
    "rrelu": (lambda net, x: functional.rrelu(x, training=True), "rrelu"),
    "repeat for each sample": (lambda net, x: net.row.repeat(x.shape[0], 6, 1) * x, "tile mul"),
    "unsqueezed in place": (lambda net, x: (x * 2).unsqueeze_(1), "scale unsqueeze"),
    "turned in place": (lambda net, x: (x * 2).transpose_(1, 2), "scale transpose"),
}


@pytest.mark.parametrize("call", CALLS)
def test_heard_and_verified(call: str) -> None:
    function, types = CALLS[call]
    net = Around(function)
    spec = archcost.from_torch(net, torch.rand(4, 6, 8))
    assert archcost.cost(archcost.build(spec, 4)).unknown == ()
    heard = [layer.type for layer in spec.layers if layer.type not in ("linear", "parameter", "buffer")]
    assert " ".join(heard) == types
    assert verify(net, torch.rand(4, 6, 8)).disagreements == ()


def test_quantiles_are_what_torch_makes_them_of() -> None:
    net = Around(lambda net, x: torch.quantile(x, 0.3, dim=1))
    spec = archcost.from_torch(net, torch.rand(4, 6, 8))
    assert archcost.cost(archcost.build(spec, 4)).unknown == ()
    assert {"sort", "gather", "lerp"} <= {layer.type for layer in spec.layers}
    assert verify(net, torch.rand(4, 6, 8)).disagreements == ()
