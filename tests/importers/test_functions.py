"""Functions with a backward of their own, in modules: what they cost and keep, beside torch's counter and tracker."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn import functional

import archcost
from archcost.errors import ArchcostError
from archcost.layers import OwnBackward
from tests.importers.held import Holder, held, tracked

Apply = Callable[..., Any]


class Spike(Function):
    """A step, whose slope is a smooth stand-in."""

    @staticmethod
    def forward(ctx: Any, v: Tensor) -> Tensor:
        ctx.save_for_backward(v)
        return (v > 0.5).to(v.dtype)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        (v,) = ctx.saved_tensors
        return g / (1 + 4 * v.abs()).square()


spike: Apply = Spike.apply  # a name that was taken before any import


class Straight(Function):
    @staticmethod
    def forward(ctx: Any, v: Tensor) -> Tensor:
        return (v * 31).to(torch.int8).float() / 31

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        return g


class LeanGelu(Function):
    """Bloom's: keeps its input alone, and works out the rest again, under names that live until it returns."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x * 0.5 * (1.0 + torch.tanh(0.79788456 * x * (1 + 0.044715 * x * x)))

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        (x,) = ctx.saved_tensors
        tanh = torch.tanh(0.79788456 * x * (1 + 0.044715 * x * x))
        slope = 0.5 * x * ((1 - tanh * tanh) * (0.79788456 + 0.1070322243 * x * x)) + 0.5 * (1 + tanh)
        return slope * g


class Hadamard(Function):
    """LoHa's product of two low-rank products (peft): two of them are made again in backward."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor, c: Tensor, d: Tensor, scale: Tensor) -> Tensor:
        ctx.save_for_backward(a, b, c, d, scale)
        return ((a @ b) * (c @ d)) * scale

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        a, b, c, d, scale = ctx.saved_tensors
        g = g * scale
        part = g * (c @ d)
        of_a, of_b = part @ b.T, a.T @ part
        part = g * (a @ b)
        return of_a, of_b, part @ d.T, c.T @ part, None


class Masked(Function):
    """Fake quantisation: what backward needs is an attribute of ctx, which lives as long as the loss."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, step: float) -> Tensor:
        q = torch.round(x / step)
        ctx.mask = (q > -8) & (q < 7)
        return q.clamp(-8, 7) * step

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        return g * ctx.mask, None


class Reverse(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, by: float) -> Tensor:
        ctx.by = by
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        return g.neg() * ctx.by, None


class Same(Function):
    """Returns its argument as it is, and clips the gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        return g.clamp(-1, 1)


class Two(Function):
    """Two outputs; each gradient is worked out where it is wanted."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor) -> Any:
        ctx.save_for_backward(x, w)
        y = x @ w
        return y, y.sigmoid()

    @staticmethod
    def backward(ctx: Any, g: Tensor, h: Tensor) -> Any:
        x, w = ctx.saved_tensors
        s = (x @ w).sigmoid()
        t = g + h * s * (1 - s)
        return t @ w.t() if ctx.needs_input_grad[0] else None, x.t() @ t if ctx.needs_input_grad[1] else None


class Line(Function):
    @staticmethod
    def forward(x: Tensor, w: Tensor, b: Tensor) -> Tensor:
        return functional.linear(x, w, b)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.save_for_backward(*inputs[:2])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> Any:
        x, w = ctx.saved_tensors
        return g @ w, g.t() @ x, g.sum(0)


class Doubled(Function):
    """Writes over its argument, and says so."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        x.mul_(2).add_(1)
        ctx.mark_dirty(x)
        return x

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        return g * 2


class KeepsResult(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        y = x.exp()
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        return g * ctx.saved_tensors[0]


class RunningProduct(Function):
    """Writes into its own copy step by step, below autograd."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor) -> Tensor:
        c = b.clone()
        for t in range(1, c.shape[1]):
            c[:, t].add_(a[:, t] * c[:, t - 1])
        ctx.save_for_backward(a, c)
        return c

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        a, c = ctx.saved_tensors
        return g * c, g * a


class Attention(Function):
    """Scores are made again in backward."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        o = torch.softmax(q @ k.transpose(-1, -2), -1) @ v
        ctx.save_for_backward(q, k, v, o)
        return o

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        q, k, v, o = ctx.saved_tensors
        p = torch.softmax(q @ k.transpose(-1, -2), -1)
        of_v = p.transpose(-1, -2) @ g
        of_p = g @ v.transpose(-1, -2)
        of_s = p * (of_p - (g * o).sum(-1, keepdim=True))
        return of_s @ k, of_s.transpose(-1, -2) @ q, of_v


class Outer(Function):
    """Functions within: in forward autograd does not see them, and in backward neither."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return LeanGelu.apply(x) + 1

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        return Straight.apply(g) * g


def attend(x: Tensor) -> Tensor:
    heads = x.view(-1, 5, 8)
    return Attention.apply(heads, heads * 2, heads).reshape(-1, 40)


BETWEEN: dict[str, Apply] = {
    "spike": spike,
    "spike twice": lambda x: spike(spike(x)) + x,
    "straight": Straight.apply,
    "gelu": LeanGelu.apply,
    "relu behind": lambda x: torch.relu(LeanGelu.apply(x)),
    "masked": lambda x: Masked.apply(x, 0.1),
    "reverse": lambda x: Reverse.apply(x, 0.5),
    "same": Same.apply,
    "doubled": Doubled.apply,
    "result": KeepsResult.apply,
    "attention": attend,
    "outer": Outer.apply,
}


@pytest.mark.parametrize("name", BETWEEN)
def test_between_two_layers(name: str) -> None:
    module = Holder(lambda m, x: m.b(BETWEEN[name](m.a(x))), a=nn.Linear(12, 40), b=nn.Linear(40, 6))
    held(module, torch.zeros(200, 12))


def of_weights(m: Any, x: Tensor) -> Tensor:
    return functional.linear(m.a(x), Hadamard.apply(*m.p, torch.tensor(0.5)))


def factors() -> nn.ParameterList:
    return nn.ParameterList([nn.Parameter(torch.zeros(shape)) for shape in ((20, 4), (4, 20), (20, 4), (4, 20))])


WEIGHTED: dict[str, Apply] = {
    "loha": lambda: Holder(of_weights, a=nn.Linear(20, 20), p=factors()),
    "two outputs": lambda: Holder(
        lambda m, x: torch.mul(*Two.apply(m.a(x), m.w)), a=nn.Linear(20, 20), w=nn.Parameter(torch.zeros(20, 30))
    ),
    "one of them read": lambda: Holder(
        lambda m, x: Two.apply(m.a(x), m.w)[0], a=nn.Linear(20, 20), w=nn.Parameter(torch.zeros(20, 30))
    ),
    "one gradient wanted": lambda: Holder(lambda m, x: Two.apply(x, m.w)[1], w=nn.Parameter(torch.zeros(20, 30))),
    "line": lambda: Holder(
        lambda m, x: Line.apply(m.a(x), m.b.weight, m.b.bias), a=nn.Linear(20, 20), b=nn.Linear(20, 30)
    ),
    "weights straight through": lambda: Holder(
        lambda m, x: functional.linear(m.a(x), Straight.apply(m.b.weight), m.b.bias),
        a=nn.Linear(20, 20),
        b=nn.Linear(20, 30),
    ),
}


@pytest.mark.parametrize("name", WEIGHTED)
def test_with_weights(name: str) -> None:
    held(WEIGHTED[name](), torch.zeros(64, 20))


def test_what_writes_in_place_below_autograd() -> None:
    held(Holder(lambda m, x: RunningProduct.apply(m.a(x).sigmoid(), x), a=nn.Linear(8, 8)), torch.zeros(16, 4, 8))


def read(module: nn.Module, *inputs: Tensor) -> tuple[archcost.ModelSpec, OwnBackward]:
    spec = archcost.from_torch(module, *inputs)
    (own,) = [layer for layer in spec.layers if isinstance(layer, OwnBackward)]
    return spec, own


class Refuses(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x * 2

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        raise NotImplementedError("no way back")


class AsksAutograd(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.sin()

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        with torch.enable_grad():
            x = ctx.saved_tensors[0].detach().requires_grad_()
            return torch.autograd.grad(x.sin(), x, g)


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (Refuses, "NotImplementedError: no way back"),
        (AsksAutograd, "OutOfSightError: its backward calls torch.autograd itself (grad)"),
    ],
)
def test_a_backward_that_cannot_be_followed_is_unknown_with_its_line(function: Any, reason: str) -> None:
    module = Holder(lambda m, x: m.b(function.apply(m.a(x))), a=nn.Linear(12, 40), b=nn.Linear(40, 6))
    spec, own = read(module, torch.zeros(1, 12))
    graph = archcost.build(spec)
    assert own.unknown is not None
    assert own.unknown.startswith(f"{reason} (test_functions.py:")
    assert archcost.cost(graph).unknown == ("function1",)
    assert [*graph.assumptions] == [f"what the backward of {own.op} does is not known: {own.unknown}"]
    with pytest.raises(ArchcostError, match="a function whose backward is not known cannot be built"):
        archcost.pytorch.build(spec)


def test_a_function_is_as_it_was_afterwards() -> None:
    apply, materialize = Function.apply, torch.autograd.function.FunctionCtx.set_materialize_grads
    held(Holder(lambda m, x: spike(m.a(x)), a=nn.Linear(3, 5)), torch.zeros(2, 3))
    assert Function.apply == apply
    assert torch.autograd.function.FunctionCtx.set_materialize_grads is materialize
    x = torch.ones(3, requires_grad=True)
    spike(x).sum().backward()
    assert x.grad is not None
    assert torch.equal(x.grad, torch.full((3,), 1 / 25))  # 1/(1 + 4)²


def test_nothing_is_written_where_no_gradient_is_wanted() -> None:
    module = Holder(lambda m, x: m.a(spike(x)), a=nn.Linear(3, 5))
    assert [layer.type for layer in archcost.from_torch(module, torch.zeros(2, 3)).layers] == [
        "gt",
        "cast_like",
        "linear",
    ]


class Convolved(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor, settings: Any) -> Tensor:
        ctx.save_for_backward(x, w)
        ctx.settings = settings
        return functional.conv2d(x, w, None, *settings)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        x, w = ctx.saved_tensors
        of_x = torch.nn.grad.conv2d_input(x.shape, w, g, *ctx.settings)
        return of_x, torch.nn.grad.conv2d_weight(x, w.shape, g, *ctx.settings), None


@pytest.mark.parametrize(("stride", "padding", "dilation"), [(1, 1, 1), (2, 1, 1), (2, 0, 2)])
def test_gradients_of_a_convolution(stride: int, padding: int, dilation: int) -> None:
    """Torch makes a single value besides, whose 4 bytes lend their shape."""
    module = Holder(
        lambda m, x: Convolved.apply(m.a(x), m.w, (stride, padding, dilation)),
        a=nn.Conv2d(3, 6, 3),
        w=nn.Parameter(torch.zeros(8, 6, 3, 3)),
    )
    held(module, torch.zeros(2, 3, 17, 14), off=4)


def test_the_weights_of_a_convolution_in_groups_get_their_gradient_group_by_group() -> None:
    """2 MACs each: of x 4·6·9·9 places, 4 channels of 8 and 9 of the kernel; of w as many."""
    module = Holder(
        lambda m, x: Convolved.apply(m.a(x), m.w, (1, 1, 1, 2)),
        a=nn.Linear(9, 9),
        w=nn.Parameter(torch.zeros(8, 3, 3, 3)),
    )
    graph = archcost.build(archcost.from_torch(module, torch.zeros(1, 6, 9, 9)), batch=4)
    own = next(layer for layer in archcost.cost(graph).layers if layer.type == "function")
    assert own.flops.backward.contraction == 2 * 2 * (4 * 8 * 9 * 9 * 3 * 9)


class Several(Function):
    """What is no tensor has a place among backward's arguments."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Any:
        ctx.save_for_backward(x)
        return x * 2, None, 3, x.sin()

    @staticmethod
    def backward(ctx: Any, g: Tensor, none: None, three: None, h: Tensor) -> Any:
        return g * 2 + h * ctx.saved_tensors[0].cos()


class OnTheWay(Function):
    """Backward works in float32, whatever arrives, and writes over what it has made."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return (x.float() * 2).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        wide = g.float() * ctx.saved_tensors[0].float()
        made = torch.zeros_like(g)
        made += wide.mul_(2).to(g.dtype)
        return made


@pytest.mark.parametrize("apply", [lambda x: sum(Several.apply(x)[::3]), OnTheWay.apply])
def test_what_else_a_function_may_do(apply: Apply) -> None:
    held(Holder(lambda m, x: m.b(apply(m.a(x))), a=nn.Linear(12, 40), b=nn.Linear(40, 6)), torch.zeros(200, 12))


PRECISE: dict[str, Apply] = {"spike": spike, "gelu": LeanGelu.apply, "on the way": OnTheWay.apply}


@pytest.mark.parametrize("name", PRECISE)
def test_in_bfloat16(name: str) -> None:
    module = Holder(lambda m, x: m.b(PRECISE[name](m.a(x))), a=nn.Linear(12, 40), b=nn.Linear(40, 6))
    graph = archcost.build(archcost.from_torch(module, torch.zeros(1, 12)), batch=200)
    run = archcost.Run(precision="bf16", optimizer="none")
    played = archcost.timeline(graph, run, "cpu", out_of_place=True).peak
    assert played == tracked(module.bfloat16(), (torch.zeros(200, 12, dtype=torch.bfloat16),), {})


class UnderAutocast(Function):
    @staticmethod
    @torch.amp.custom_fwd(device_type="cpu")  # pyright: ignore[reportUntypedFunctionDecorator]
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x * 2

    @staticmethod
    @torch.amp.custom_bwd(device_type="cpu")  # pyright: ignore[reportUntypedFunctionDecorator]
    def backward(ctx: Any, g: Tensor) -> Any:
        return g * 2


def test_backward_may_run_under_the_autocast_of_forward() -> None:
    module = Holder(lambda m, x: UnderAutocast.apply(m.a(x)), a=nn.Linear(3, 5))
    _, own = read(module, torch.zeros(1, 3))
    assert own.ambient


def test_a_lazy_module_runs_its_functions_too() -> None:
    module = Holder(lambda m, x: spike(m.a(x)), a=nn.LazyLinear(5))
    _, own = read(module, torch.zeros(1, 3))
    assert own.op == "Spike"
