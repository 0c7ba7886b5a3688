"""What forward does with dtypes and names: the peak of live tensors as torch runs the module, in each precision."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import archcost
from tests.importers.held import Holder
from tests.importers.peaks import ours, theirs

PRECISIONS = ("fp32", "bf16", "amp-bf16")
BATCH = 4
IMAGE = torch.zeros(BATCH, 16, 32)

Forward = Callable[[Any, Tensor], Any]


def net(forward: Forward) -> Callable[[], nn.Module]:
    """A module with two linear layers, a gain and a table of speeds, which runs this."""
    return lambda: Holder(
        forward,
        a=nn.Linear(32, 32),
        b=nn.Linear(32, 8),
        gain=nn.Parameter(torch.ones(32)),
        speeds=torch.arange(16.0),
    )


def rms_norm(m: Any, x: Tensor) -> Tensor:
    h = m.a(x)
    dtype = h.dtype
    h = h.to(torch.float32)
    h = h * torch.rsqrt(h.pow(2).mean(-1, keepdim=True) + 1e-6)
    return m.b(m.gain * h.to(dtype))


def rms_norm_that_looks_at_the_weights(m: Any, x: Tensor) -> Tensor:
    h = m.a(x)
    h = h * torch.rsqrt(h.to(torch.float32).pow(2).mean(-1, keepdim=True) + 1e-6)
    if m.gain.dtype in (torch.float16, torch.bfloat16):
        h = h.to(m.gain.dtype)
    return m.b(h * m.gain)


def casts_by_hand_where_narrow(m: Any, x: Tensor) -> Tensor:
    h = m.a(x)
    dtype, left, right = h.dtype, h, h.relu()
    if dtype in (torch.float16, torch.bfloat16):
        left, right = left.float(), right.float()
    found = (left * right).softmax(-1)
    if dtype in (torch.float16, torch.bfloat16):
        found = found.to(dtype)
    return m.b(found)


def softmax_in_float32(m: Any, x: Tensor) -> Tensor:
    h = m.a(x)
    return m.b(functional.softmax(h, dim=-1, dtype=torch.float32).to(h.dtype))


def sum_in_float32(m: Any, x: Tensor) -> Tensor:
    h = m.a(x)
    return m.b(h) * h.sum(-1, keepdim=True, dtype=torch.float32)


def mean_in_float32(m: Any, x: Tensor) -> Tensor:
    h = m.a(x)
    return m.b(h) * h.mean(-1, keepdim=True, dtype=torch.float32)


def type_as(m: Any, x: Tensor) -> Tensor:
    h = m.a(x)
    return m.b((h.float() * 2).type_as(h))


def half_and_back(m: Any, x: Tensor) -> Tensor:
    return m.b((m.a(x).half() * 2).to(m.b.weight.dtype))


def to_a_variable_after_another_cast(m: Any, x: Tensor) -> Tensor:
    h = m.a(x)
    dtype = h.dtype
    x = x.to(m.gain.dtype)
    return m.b((h + x * 2).to(dtype))


def rotary(m: Any, x: Tensor) -> Tensor:
    h = m.a(x)
    time = torch.arange(h.shape[1], device=h.device, dtype=torch.float32)
    angle = torch.outer(time, m.speeds.float())
    cosine, sine = angle.cos().to(h.dtype), angle.sin().to(h.dtype)
    left, right = h[..., :16], h[..., 16:]
    return m.b(torch.cat([left * cosine - right * sine, left * sine + right * cosine], -1))


def mask_of_the_same_dtype(m: Any, x: Tensor) -> Tensor:
    h = m.a(x)
    mask = torch.full((16, 32), -1e4, dtype=h.dtype, device=h.device).triu(1)
    return m.b((h + mask).softmax(-1))


def mask_of_float32(m: Any, x: Tensor) -> Tensor:
    h = m.a(x)
    mask = torch.zeros(16, 32, device=h.device)
    mask = mask.masked_fill(torch.ones(16, 32, dtype=torch.bool).triu(1), -1e4)
    return (h + mask).softmax(-1)


def in_place_after_a_cast(m: Any, x: Tensor) -> Tensor:
    h = m.a(x).float()
    h += 1
    return m.b(h.to(x.dtype))


def doubles(m: Any, x: Tensor) -> Tensor:
    return m.b(m.a(x).double().cumsum(1).float().to(x.dtype))


def products_out_of_autocast(m: Any, x: Tensor) -> Tensor:
    h = m.a(x).float()
    with torch.autocast(x.device.type, enabled=False):
        scores = torch.matmul(h, h.transpose(1, 2))
    return scores.softmax(-1)


def asks_whether_autocast_is_on(m: Any, x: Tensor) -> Tensor:
    h = m.a(x).float()
    if torch.is_autocast_enabled("cpu"):
        with torch.autocast("cpu", enabled=False):
            return torch.matmul(h, h.transpose(1, 2)).softmax(-1)
    return torch.matmul(h, h.transpose(1, 2)).softmax(-1)


def names(m: Any, x: Tensor) -> Tensor:
    first = m.a(x)
    second = first.relu()
    third = m.b(second)
    fourth = third * 2
    return fourth.sum(-1)


def one_name(m: Any, x: Tensor) -> Tensor:
    x = m.a(x)
    x = x.relu()
    return m.b(x)


def names_dropped(m: Any, x: Tensor) -> Tensor:
    first = m.a(x)
    second = first.exp()
    del first
    third = m.b(second)
    del second
    return third * 2


def closure(m: Any, x: Tensor) -> Tensor:
    h = m.a(x)

    def added(y: Tensor) -> Tensor:
        return y + h

    return m.b(h.relu().exp()) * 2 + added(x).sum()


def a_name_that_holds_a_graph(m: Any, x: Tensor) -> Tensor:
    encoded = m.a(x).relu().exp()
    codes = (encoded * 255).byte()
    return m.b(codes.to(x.dtype) / 255.0)


def kept_in_a_list(m: Any, x: Tensor) -> Tensor:
    h = m.a(x)
    m.seen = [h, h.exp()]
    return m.b(h)


def kept_and_returned(m: Any, x: Tensor) -> Any:
    m.last = m.a(x).relu()
    return m.b(m.last), m.last


class Slots:
    __slots__ = ("more", "y")

    def __init__(self, y: Tensor, more: Any) -> None:
        self.y = y
        self.more = more


def object_with_slots(m: Any, x: Tensor) -> Slots:
    h = m.a(x)
    return Slots(m.b(h), {"h": [h.relu()]})


def function_that_encloses(m: Any, x: Tensor) -> Any:
    h = m.a(x)
    return m.b(h), Slots(h, None)


FORWARDS = (
    rms_norm,
    rms_norm_that_looks_at_the_weights,
    casts_by_hand_where_narrow,
    softmax_in_float32,
    sum_in_float32,
    mean_in_float32,
    type_as,
    half_and_back,
    to_a_variable_after_another_cast,
    rotary,
    mask_of_the_same_dtype,
    mask_of_float32,
    in_place_after_a_cast,
    doubles,
    products_out_of_autocast,
    asks_whether_autocast_is_on,
    names,
    one_name,
    names_dropped,
    closure,
    a_name_that_holds_a_graph,
    kept_in_a_list,
    kept_and_returned,
    object_with_slots,
    function_that_encloses,
)


@pytest.mark.parametrize("forward", FORWARDS, ids=lambda forward: forward.__name__)
def test_a_module_as_torch_runs_it(forward: Forward) -> None:
    make = net(forward)
    for mode in ("train", "infer"):
        spec = archcost.from_torch(make().train(mode == "train"), IMAGE)
        assert archcost.loads(spec.to_yaml()) == spec
        assert spec.assumptions == ()
        for precision in PRECISIONS:
            found, expected = ours(spec, BATCH, mode, precision), theirs(make, (IMAGE,), mode, precision)
            assert (mode, precision, found) == (mode, precision, expected)


def test_a_cast_says_what_it_follows() -> None:
    layers = archcost.from_torch(net(rms_norm)(), IMAGE).to_dict()["layers"]
    assert [layer for layer in layers if layer["type"].startswith("cast")] == [
        {"type": "cast", "name": "cast1", "dtype": "float32"},
        {"type": "cast_like", "name": "cast2", "inputs": ["mul1", "a"]},
    ]


def dropped_at_random(m: Any, x: Tensor) -> Tensor:
    x = m.a(x)
    if torch.rand([]) > 0.3:
        x = x + m.a(x).relu()
    return m.b(x)


def dropped_by_python(m: Any, x: Tensor) -> Tensor:
    import random

    x = m.a(x)
    return m.b(x) if random.random() < 0.2 else m.b(x + 1)


@pytest.mark.parametrize("forward", [dropped_at_random, dropped_by_python])
def test_random_ways_are_noticed_and_told(forward: Forward) -> None:
    module = net(forward)()
    before = torch.get_rng_state()
    spec = archcost.from_torch(module, IMAGE)
    (told,) = spec.assumptions
    assert told == "forward went another way when it was run again; the numbers are those of its first run"
    assert torch.equal(torch.get_rng_state(), before), "the user's random numbers go on as before"
    assert told in archcost.cost(archcost.build(spec)).to_markdown()


def test_forward_that_fails_the_second_time() -> None:
    def once(m: Any, x: Tensor) -> Tensor:
        calls.append(1)
        if len(calls) > 1:
            raise RuntimeError("only once")
        return m.b(m.a(x))

    calls: list[int] = []
    (told,) = archcost.from_torch(net(once)(), IMAGE).assumptions
    assert told.startswith("forward fails when it is run again (RuntimeError: 'only once' at ")
    assert f"{__file__}:" in told


def test_a_module_that_keeps_everything_for_ever() -> None:
    def keeps(m: Any, x: Tensor) -> Tensor:
        h = m.a(x)
        kept.append(h)
        return m.b(h)

    kept: list[Tensor] = []
    spec = archcost.from_torch(net(keeps)(), IMAGE)
    assert spec.state == {"a": "b"}
    assert spec.assumptions == (
        "the module keeps tensors of every step; the numbers are of one that keeps those of the step before",
    )


def test_another_way_under_autocast_is_told() -> None:
    def asks(m: Any, x: Tensor) -> Tensor:
        x = m.a(x)
        return m.b(x.relu() if torch.is_autocast_enabled() else x)

    (told,) = archcost.from_torch(net(asks)(), IMAGE).assumptions
    assert told == "forward makes other calls where it finds autocast on; the numbers are of those without"


@pytest.mark.parametrize("casts", [False, True], ids=["two runs", "five runs"])
def test_what_is_printed_is_printed_once(casts: bool, capsys: pytest.CaptureFixture[str]) -> None:
    def speaks(m: Any, x: Tensor) -> Tensor:
        print("forward")
        x = m.a(x)
        return m.b(x.float().to(x.dtype) if casts and x.dtype != torch.float32 else x)

    archcost.from_torch(net(speaks)(), IMAGE)
    assert capsys.readouterr().out == "forward\n"


class LooksAtNumbers(nn.Module):
    """A way that integers of the example decide, worked out of sums of them."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(9, 8)
        self.head = nn.Linear(8, 4)

    def forward(self, ids: Tensor) -> Tensor:
        later = ids + 1
        if int(later.max()) > 5:
            later = later - 1
        return self.head(self.table(later))


def test_numbers_that_decide_are_there_in_the_second_run_too() -> None:
    spec = archcost.from_torch(LooksAtNumbers(), torch.zeros(1, 5, dtype=torch.int64))
    assert spec.assumptions == ()


class Adapted(nn.Module):
    """A base in bfloat16 that does not train, with two small layers in float32 beside it, as adapters are kept."""

    def __init__(self) -> None:
        super().__init__()
        self.base = nn.Linear(32, 32).to(torch.bfloat16).requires_grad_(False)
        self.down, self.up = nn.Linear(32, 4, bias=False), nn.Linear(4, 32, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        result = self.base(x)
        dtype = self.down.weight.dtype
        wide = x if x.dtype == dtype else x.to(dtype)
        return (result + 2.0 * self.up(self.down(wide))).to(result.dtype)


def test_weights_that_are_kept_in_float32_stay_so_in_16_bits() -> None:
    """Most of the module is in bfloat16, so a run in it is the module as it is. With all in float32 nothing is cast."""
    image = torch.zeros(BATCH, 16, 32)
    spec = archcost.from_torch(Adapted(), image)
    assert ours(spec, BATCH, "train", "bf16") == theirs(Adapted, [image.to(torch.bfloat16)], "train", "fp32")
    assert ours(spec, BATCH, "train", "fp32") == theirs(lambda: Adapted().float(), [image], "train", "fp32")
