"""Modules of torch and patterns of the field: attention, recurrence, norms, tokens, windows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

import archcost
from archcost.costs.timeline import timeline
from tests.importers.held import Holder, held, tracked
from tests.importers.peaks import ours, theirs

both_modes = pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])


def types_of(spec: archcost.ModelSpec) -> list[str]:
    return [layer.type for layer in spec.layers]  # pyright: ignore


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 3, bias=False)
        self.depth = nn.Conv2d(6, 6, 3, groups=3, padding=1)
        self.norm = nn.BatchNorm2d(6)
        self.drop = nn.Dropout(0.1)
        self.head = nn.Linear(6, 7)

    def forward(self, image: Tensor) -> Tensor:
        x = functional.relu(self.norm(self.conv(image)), inplace=True)
        x = functional.max_pool2d(self.depth(x) + x, 2)
        return self.head(self.drop(functional.adaptive_avg_pool2d(x, 1).flatten(1)))


@both_modes
def test_convolutions(training: bool) -> None:
    spec = held(Net().train(training), torch.zeros(1, 3, 9, 9))
    assert spec.inputs["image"].shape == (3, 9, 9)
    assert spec.layers[1].training is training  # pyright: ignore
    assert ("dropout" in types_of(spec)) is training  # in evaluation it hands on what it is given


@both_modes
def test_attention(training: bool) -> None:
    class Attending(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attn = nn.MultiheadAttention(6, 2, batch_first=True)

        def forward(self, x: Tensor) -> Tensor:
            return self.attn(x, x, x, need_weights=False)[0]

    held(Attending().train(training), torch.zeros(1, 5, 6))


@both_modes
@pytest.mark.parametrize("norm_first", [True, False])
def test_an_encoder_layer(training: bool, norm_first: bool) -> None:
    """In evaluation torch would take a path of its own, unless a gradient is wanted: it is, of the weights."""
    layer = nn.TransformerEncoderLayer(6, 2, 11, batch_first=True, norm_first=norm_first, dropout=0.0)
    held(layer.train(training), torch.zeros(1, 5, 6))


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
def test_recurrent(kind: Any) -> None:
    class Reading(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cells = kind(3, 5, num_layers=2, batch_first=True, bidirectional=True)
            self.head = nn.Linear(10, 2)

        def forward(self, x: Tensor) -> Tensor:
            states, _ = self.cells(x)
            return self.head(states[:, -1])

    spec = held(Reading(), torch.zeros(1, 7, 3), peak=False)  # recurrent layers have kernels of their own
    assert types_of(spec)[0] == kind.__name__.lower()


class StandardConv(nn.Conv2d):
    """Weights made free of mean and of variance 1 in each filter, by batch norm as timm does it."""

    def forward(self, x: Tensor) -> Tensor:
        flat = self.weight.reshape(1, self.out_channels, -1)
        weight = functional.batch_norm(flat, None, None, training=True, momentum=0.0).reshape_as(self.weight)
        return functional.conv2d(x, weight, self.bias, self.stride, self.padding)


class GainedConv(nn.Conv2d):
    """The same with a scale for each filter, and no shift."""

    def __init__(self, *args: int) -> None:
        super().__init__(*args)
        self.gain = nn.Parameter(torch.ones(self.out_channels))

    def forward(self, x: Tensor) -> Tensor:
        flat = self.weight.reshape(1, self.out_channels, -1)
        weight = functional.batch_norm(flat, None, None, weight=self.gain, training=True, momentum=0.0)
        return functional.conv2d(x, weight.reshape_as(self.weight), self.bias, self.stride, self.padding)


class CentredConv(nn.Conv2d):
    def forward(self, x: Tensor) -> Tensor:
        mean = self.weight.mean((1, 2, 3), keepdim=True)
        std = self.weight.std((1, 2, 3), keepdim=True)
        return functional.conv2d(x, (self.weight - mean) / (std + 1e-5), self.bias)


@pytest.mark.parametrize("kind", [StandardConv, GainedConv, CentredConv])
def test_weights_that_are_computed(kind: type[nn.Conv2d]) -> None:
    held(nn.Sequential(kind(2, 5, 3), nn.ReLU(), kind(5, 3, 3)), torch.zeros(1, 2, 7, 7))


def test_norms_without_a_shift() -> None:
    norms = nn.BatchNorm2d(6, bias=False), nn.GroupNorm(2, 6, bias=False), nn.InstanceNorm2d(6, affine=True, bias=False)
    spec = held(nn.Sequential(nn.Conv2d(2, 6, 3), *norms), torch.zeros(1, 2, 7, 7))
    assert [getattr(layer, "bias", None) for layer in spec.layers] == [True, False, False, False]


def smoothed(m: Holder, image: Tensor) -> Tensor:
    return functional.interpolate(m.conv(image), size=(3, 5), mode="bicubic", antialias=True)


def test_an_image_made_smaller() -> None:
    held(Holder(smoothed, conv=nn.Conv2d(2, 3, 3)), torch.zeros(1, 2, 13, 11))


def in_blocks(m: Holder, x: Tensor) -> Tensor:
    """Attention within blocks of positions, as nested transformers have it, and once more over all of them."""
    blocks = m.inner(x).unflatten(1, (2, 3)).unflatten(3, (2, 3)).transpose(2, 3)
    inside = functional.scaled_dot_product_attention(blocks, blocks * 2, blocks + 1)
    whole = inside.transpose(2, 3).flatten(3).flatten(1, 2)
    return functional.scaled_dot_product_attention(whole, whole * 2, whole + 1)


def test_attention_of_other_axes() -> None:
    """But for the peak: what torch's composition lets go of before its end is held until then."""
    held(Holder(in_blocks, inner=nn.Linear(5, 6)), torch.zeros(1, 6, 5), peak=False)


class Tokens(nn.Module):
    """A vision transformer's beginning: patches, a class token for each sample, positions."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 6, 2, 2)
        self.token = nn.Parameter(torch.zeros(1, 1, 6))
        self.positions = nn.Parameter(torch.zeros(1, 10, 6))
        self.head = nn.Linear(6, 5)

    def forward(self, image: Tensor) -> Tensor:
        x = self.patches(image).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], dim=1)
        x = x + self.positions
        return self.head(x[:, 0])


def test_a_class_token() -> None:
    held(Tokens(), torch.zeros(1, 3, 6, 6))


class Windows(nn.Module):
    """Swin's windows: the batch folded into axis 0 with the windows, and back."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        batch, height, width, channels = x.shape
        x = torch.roll(x, (-1, -1), (1, 2)).view(batch, height // 2, 2, width // 2, 2, channels)
        windows = x.permute(0, 1, 3, 2, 4, 5).reshape(-1, 4, channels)
        windows = self.inner(windows)
        x = windows.view(-1, height // 2, width // 2, 2, 2, channels)
        return x.permute(0, 1, 3, 2, 4, 5).reshape(batch, height, width, channels)


def test_windows() -> None:
    held(Windows(), torch.zeros(1, 4, 6, 3))


class Masked(nn.Module):
    """Scores of later positions are masked, by positions that torch.arange gives."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(11, 6)
        self.q, self.k = nn.Linear(6, 6), nn.Linear(6, 6)

    def forward(self, ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        batch, time = ids.shape
        if attention_mask is None:
            attention_mask = torch.ones(batch, time)
        x = self.table(ids)
        scores = self.q(x) @ self.k(x).transpose(1, 2) * 6**-0.5
        causal = torch.arange(time)[None, :] <= torch.arange(time)[:, None]
        mask = causal[None] & (attention_mask[:, None, :] > 0)
        return scores.masked_fill(~mask, float("-inf")).softmax(-1) @ x


def test_masks() -> None:
    spec = held(Masked(), torch.zeros(1, 5, dtype=torch.int64))
    assert spec.inputs["ids"].dtype == "int64"


def test_masks_that_are_given() -> None:
    mask = torch.ones(1, 5, dtype=torch.int64)
    spec = held(Masked(), torch.zeros(1, 5, dtype=torch.int64), attention_mask=mask)
    assert list(spec.inputs) == ["ids", "attention_mask"]


def test_a_branch_on_the_values_of_integers() -> None:
    """What is all ones is no mask: as the example has it."""

    def forward(m: Any, x: Tensor, mask: Tensor) -> Tensor:
        y = m.f(x)
        return y if bool((mask == 1).all()) else m.g(y)

    def make() -> Holder:
        return Holder(forward, f=nn.Linear(3, 5), g=nn.Linear(5, 2))

    none = held(make(), torch.zeros(1, 3), torch.ones(1, 4, dtype=torch.int64))
    some = held(make(), torch.zeros(1, 3), torch.zeros(1, 4, dtype=torch.int64))
    assert [each.outputs for each in (none, some)] == [("f",), ("g",)]


class Squared(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:  # pyright: ignore
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # pyright: ignore
        (x,) = ctx.saved_tensors
        return 2 * x * gradient


def test_a_function_with_a_backward_of_its_own() -> None:
    """Forward runs without autograd; behind it stands the layer that has the backward."""
    module = Holder(lambda m, x: m.g(Squared.apply(m.f(x))), f=nn.Linear(3, 5), g=nn.Linear(5, 2))
    assert types_of(held(module, torch.zeros(1, 3))) == ["linear", "detach", "mul", "function", "linear"]


def test_a_loop_over_a_list() -> None:
    class Deep(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.ModuleList(nn.Linear(5, 5) for _ in range(3))
            self.scales = nn.ParameterList(nn.Parameter(torch.ones(5)) for _ in range(3))

        def forward(self, x: Tensor) -> Tensor:
            for layer, scale in zip(self.layers, self.scales, strict=True):
                x = x + layer(x).tanh() * scale
            return x

    spec = held(Deep(), torch.zeros(1, 5))
    assert [layer.name for layer in spec.layers if layer.type == "linear"] == ["layers.0", "layers.1", "layers.2"]  # pyright: ignore


def test_products_of_the_batch_are_reshaped_by_numbers() -> None:
    def forward(m: Any, x: Tensor) -> Tensor:
        batch, time, width = x.shape
        folded = m.f(x.reshape(batch * time, width))
        return folded.view(batch, time, 5).sum(1)

    make: Callable[[], Holder] = lambda: Holder(forward, f=nn.Linear(3, 5))  # noqa: E731
    held(make(), torch.zeros(1, 7, 3))


@pytest.mark.parametrize("reentrant", [True, False])
def test_a_checkpoint_is_imported_as_what_it_runs(reentrant: bool) -> None:
    def forward(m: Any, x: Tensor) -> Tensor:
        return m.g(checkpoint(m.f, m.e(x), use_reentrant=reentrant))

    module = Holder(forward, e=nn.Linear(3, 3), f=nn.Linear(3, 5), g=nn.Linear(5, 2))
    cost = archcost.cost(archcost.build(archcost.from_torch(module, torch.zeros(1, 3)), 2))
    assert [layer.name for layer in cost.layers] == ["e", "f", "g"]
    assert cost.flops.forward.contraction == 136  # 2 * (2*3*3 + 2*3*5 + 2*5*2)


def test_a_reentrant_checkpoint_of_what_has_no_gradient_trains_nothing() -> None:
    """As torch warns: "None of the inputs have requires_grad=True. Gradients will be None"."""

    def forward(m: Any, x: Tensor) -> Tensor:
        return m.g(checkpoint(m.f, x, use_reentrant=True))

    module = Holder(forward, f=nn.Linear(3, 5), g=nn.Linear(5, 2))
    cost = archcost.cost(archcost.build(archcost.from_torch(module, torch.zeros(1, 3)), 2))
    assert cost.flops.forward.contraction == 100  # 2 * (2*3*5 + 2*5*2)
    assert cost.flops.backward.contraction == 40  # 2*2*5*2, for the weight of g


def test_two_copies_of_one_shape_are_two() -> None:
    """Heads of 5 features at 5 positions: queries and turned keys are copied to the same shape, and both kept."""

    def scores(self: Any, x: Tensor) -> Tensor:
        query, key = (each(x).view(-1, 5, 2, 5).transpose(1, 2) for each in (self.query, self.key))
        return query @ key.transpose(2, 3)

    held(Holder(scores, query=nn.Linear(7, 10), key=nn.Linear(7, 10)), torch.zeros(1, 5, 7))


def test_two_copies_of_one_shape_in_einsum() -> None:
    def scores(self: Any, x: Tensor) -> Tensor:
        query, key = (each(x).view(-1, 5, 2, 5) for each in (self.query, self.key))
        return torch.einsum("bthd,bshd->bhts", query, key)

    held(Holder(scores, query=nn.Linear(7, 10), key=nn.Linear(7, 10)), torch.zeros(1, 5, 7))


class Experts(nn.Module):
    """Rows of features, each group of them times a matrix of its own."""

    def __init__(self, count: int, columns: int = 12) -> None:
        super().__init__()
        self.wide = nn.Linear(7, 8)
        self.matrices = nn.Parameter(torch.ones(count, 8, columns))

    def forward(self, x: Tensor) -> Tensor:
        rows = self.wide(x.flatten(0, 1))
        ends = torch.linspace(1, len(rows), len(self.matrices)).to(torch.int32)
        products = functional.grouped_mm(rows, self.matrices, offs=ends)
        return products * products


@pytest.mark.parametrize("count", [3, 4])
def test_products_in_groups_of_rows(count: int) -> None:
    """6 rows a sample, which 3 experts share evenly and 4 do not. Torch's counter does not see them. Torch takes the
    sum's gradient, which lies in one place, for none of its own: hence the squares.
    """
    module = Experts(count)
    graph = archcost.build(archcost.from_torch(module, torch.zeros(1, 6, 7)), 2)
    assert archcost.cost(graph).flops.forward.contraction == 3648  # 2 * (2*6*7*8 + 2*6*8*12)
    line = timeline(graph, archcost.Run(optimizer="none"), "cpu", out_of_place=True)
    assert line.peak == tracked(module, (torch.zeros(2, 6, 7),), {})


@pytest.mark.parametrize("precision", ["bf16", "amp-bf16"])
def test_products_in_groups_of_rows_are_on_no_list_of_autocasts(precision: str) -> None:
    """So rows that autocast has lowered have to be cast back for them."""

    class Widened(Experts):
        def forward(self, x: Tensor) -> Tensor:
            rows = self.wide(x.flatten(0, 1)).to(self.matrices.dtype)
            ends = torch.linspace(1, len(rows), len(self.matrices)).to(torch.int32)
            return functional.grouped_mm(rows, self.matrices, offs=ends).exp()

    images = torch.zeros(2, 6, 7)
    found = ours(archcost.from_torch(Widened(3, 16), torch.zeros(1, 6, 7)), 2, "train", precision)
    assert found == theirs(lambda: Widened(3, 16), (images,), "train", precision)


def halved_where(x: Tensor, other: Tensor) -> Tensor:
    return x.masked_fill_(torch.ones(50, dtype=torch.bool), 0.5)


OVERWRITING: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "relu": lambda x, other: functional.relu(x, inplace=True),
    "silu": lambda x, other: functional.silu(x, inplace=True),
    "dropout": lambda x, other: functional.dropout(x, 0.5, True, inplace=True),
    "add": lambda x, other: x.add_(other),
    "mul": lambda x, other: x.mul_(other),
    "by a number": lambda x, other: x.mul_(2.0),
    "masked_fill": halved_where,
    "twice": lambda x, other: functional.relu(x.mul_(2.0), inplace=True),
}


@pytest.mark.parametrize("way", OVERWRITING)
def test_overwriting_a_view(way: str) -> None:
    """A linear layer of three axes returns a view of its product, and autograd's backward of what overwrites a view
    makes the whole anew, and copies.
    """

    def forward(self: Any, x: Tensor) -> Tensor:
        return self.head(OVERWRITING[way](self.wide(x), self.other(x)))

    parts = {"wide": nn.Linear(6, 50), "other": nn.Linear(6, 50), "head": nn.Linear(50, 3)}
    held(Holder(forward, **parts), torch.zeros(1, 5, 6))


def test_overwriting_what_an_instance_norm_returns() -> None:
    norm = nn.InstanceNorm2d(8, affine=True)
    held(nn.Sequential(nn.Conv2d(3, 8, 3), norm, nn.ReLU(inplace=True), nn.Conv2d(8, 4, 3)), torch.zeros(1, 3, 9, 9))


def test_a_convolution_of_images_with_their_channels_last() -> None:
    """Its weight gradient comes with its channels last too, and autograd keeps a copy in the weight's order."""

    def forward(self: Any, x: Tensor) -> Tensor:
        return self.conv(self.norm(x).permute(0, 3, 1, 2)).flatten(2)

    held(Holder(forward, norm=nn.LayerNorm(5), conv=nn.Conv2d(5, 70, 3)), torch.zeros(1, 4, 4, 5))


@pytest.mark.parametrize("frozen", [True, False])
def test_what_nobody_reads_goes_at_once(frozen: bool) -> None:
    """And with it what autograd kept for it. The worst moment is in forward, in the midst of what is frozen."""

    def forward(self: Any, x: Tensor) -> Tensor:
        self.aside(x).exp()
        return self.head(self.wide(x).exp().mean(1))

    aside = nn.Linear(6, 50).requires_grad_(not frozen)
    held(
        Holder(forward, aside=aside, wide=nn.Linear(6, 50).requires_grad_(False), head=nn.Linear(50, 3)),
        torch.zeros(1, 5, 6),
    )
