"""What Liger-Kernel's benchmarks measure of eager torch, written again: modules whose leaves are their parameters.

A benchmark has tensors that require a gradient and lie there from the start: here they are parameters of one module
with what is measured. `around` are bytes that lie there beside: the rival's layer, and a gradient made beforehand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

Ends = Literal["scalar", "made in the call", "made before"]
"""How backward begins: from a scalar, or with a gradient for each output, of which the caller has the tensor."""


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One call of a benchmark. `accumulates`: its gradients stay from call to call; `retains`: retain_graph=True."""

    module: nn.Module
    ends: Ends
    precision: Literal["fp32", "bf16"] = "fp32"
    accumulates: bool = True
    retains: bool = True
    around: int = 0
    workspaces: int = 0
    """Of cuBLAS: one in each thread that has multiplied matrices since the program began."""


@dataclass(frozen=True, slots=True)
class Config:
    """A row's: what varies, and what does not."""

    x: int
    mode: str
    provider: str
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def __getitem__(self, key: str) -> Any:
        return self.settings[key]


def leaf(*shape: int) -> nn.Parameter:
    return nn.Parameter(torch.empty(shape, device="meta"))


class Of(nn.Module):
    """A layer of leaves. What lies there without a gradient is a buffer."""

    def __init__(self, of: Callable[..., Any], leaves: list[nn.Parameter], *constants: Tensor, **layers: Any) -> None:
        super().__init__()
        self.of = of
        for index, each in enumerate(leaves):
            self.register_parameter(f"leaf{index}", each)
        for index, each in enumerate(constants):
            self.register_buffer(f"constant{index}", each)
        for name, layer in layers.items():
            setattr(self, name, layer)

    def forward(self, start: Tensor) -> Any:
        leaves = [getattr(self, name) for name, _ in self.named_parameters(recurse=False)]
        constants = [getattr(self, name) for name, _ in self.named_buffers(recurse=False)]
        return self.of(self, *leaves, *constants)


def integers(*shape: int) -> Tensor:
    return torch.zeros(shape, dtype=torch.int64, device="meta")


def cross_entropy(row: Config) -> Benchmark:
    rows = row["B"] * row["T"]
    module = Of(lambda self, x, labels: functional.cross_entropy(x, labels), [leaf(rows, row.x)], integers(rows))
    return Benchmark(module, "scalar", retains=False)


class RMSNorm(nn.Module):
    """As transformers writes Llama's."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(features, device="meta"))

    def forward(self, x: Tensor) -> Tensor:
        dtype = x.dtype
        x = x.to(torch.float32)
        variance = x.pow(2).mean(-1, keepdim=True)
        x = x * torch.rsqrt(variance + 1e-6)
        return self.weight * x.to(dtype)


def rms_norm(row: Config) -> Benchmark:
    """Features in bfloat16, and a weight in float32; so is what comes out."""
    x = nn.Parameter(torch.empty(row["M"], row.x, device="meta", dtype=torch.bfloat16))
    module = Of(lambda self, x: self.norm(x), [x], norm=RMSNorm(row.x))
    return Benchmark(module, "made before", around=4 * row.x)


def layer_norm(row: Config) -> Benchmark:
    norm = nn.LayerNorm(row.x, device="meta")
    module = Of(lambda self, x: self.norm(x), [leaf(row["M"], row.x)], norm=norm)
    return Benchmark(module, "made before", around=8 * row.x)


def group_norm(row: Config) -> Benchmark:
    norm = nn.GroupNorm(row.x // row["channels_per_group"], row.x, device="meta")
    module = Of(lambda self, x: self.norm(x), [leaf(row["M"], row.x, row["H"])], norm=norm)
    return Benchmark(module, "made before", around=8 * row.x)


def megatron_rms_norm(row: Config) -> Benchmark:
    """nn.RMSNorm in bfloat16, summed."""
    norm = nn.RMSNorm(row.x, eps=1e-6, device="meta")
    module = Of(lambda self, x: self.norm(x), [leaf(row["S"], row["B"], row.x)], norm=norm)
    return Benchmark(module, "scalar", "bf16", retains=False)


class GatedMLP(nn.Module):
    """As transformers writes Llama's."""

    def __init__(self, features: int, hidden: int, activation: str) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(features, hidden, bias=False, device="meta")
        self.up_proj = nn.Linear(features, hidden, bias=False, device="meta")
        self.down_proj = nn.Linear(hidden, features, bias=False, device="meta")
        self.act_fn = nn.SiLU() if activation == "silu" else nn.GELU(approximate="tanh")

    def forward(self, x: Tensor) -> Tensor:
        return self.down_proj(self.act_fn(self.gate_proj(x)) * self.up_proj(x))


def mlp(row: Config) -> Benchmark:
    """The gradient is made in the call, but for a backward that is measured by itself."""
    layer = GatedMLP(row["hidden_size"], row["intermediate_size"], row["hidden_act"])
    module = Of(lambda self, x: self.mlp(x), [leaf(row["bsz"], row.x, row["hidden_size"])], mlp=layer)
    ends: Ends = "made before" if row.mode == "backward" else "made in the call"
    return Benchmark(module, ends, "bf16", workspaces=2)


def embedding(row: Config) -> Benchmark:
    """Liger's table lies beside torch's."""
    table = nn.Embedding(row.x, row["D"], device="meta")
    module = Of(lambda self, words: self.table(words), [], integers(row["B"], row["T"]), table=table)
    return Benchmark(module, "made in the call", retains=False, around=4 * row.x * row["D"])


def kl_div(row: Config) -> Benchmark:
    rows = row["B"] * row["T"]
    target = torch.empty(rows, row.x, device="meta")
    module = Of(
        lambda self, x, target: functional.kl_div(x.log_softmax(-1), target, reduction="batchmean"),
        [leaf(rows, row.x)],
        target,
    )
    return Benchmark(module, "scalar")


def tvd(row: Config) -> Benchmark:
    """Half the sum of differences of two distributions, by the number of rows."""
    rows = row["B"] * row["T"]
    target = torch.empty(rows, row.x, device="meta")

    def of(self: Any, x: Tensor, target: Tensor) -> Tensor:
        halves = torch.abs(x.softmax(-1) - target) / 2.0
        return torch.sum(halves) / x.size(0)

    return Benchmark(Of(of, [leaf(rows, row.x)], target), "scalar")


def relu_squared(row: Config) -> Benchmark:
    module = Of(lambda self, x: torch.square(functional.relu(x)), [leaf(row.x)])
    ends: Ends = "made before" if row.mode == "backward" else "made in the call"
    return Benchmark(module, ends, "bf16")


def turned(x: Tensor) -> Tensor:
    first, second = x[..., : x.shape[-1] // 2], x[..., x.shape[-1] // 2 :]
    return torch.cat((-second, first), dim=-1)


def rope(row: Config) -> Benchmark:
    """Queries and keys seen with their heads before their positions; torch.autograd.grad keeps no gradients."""
    width, length = row.settings.get("hidden_size", row.x), row.settings.get("seq_len", row.x)
    queries, keys = row["num_q_heads"], row["num_kv_heads"]
    features = width // queries

    def of(self: Any, q: Tensor, k: Tensor, cosines: Tensor, sines: Tensor) -> tuple[Tensor, Tensor]:
        q, k = q.transpose(1, 2), k.transpose(1, 2)
        cosines, sines = cosines.unsqueeze(1), sines.unsqueeze(1)
        return (q * cosines) + (turned(q) * sines), (k * cosines) + (turned(k) * sines)

    angles = [torch.empty(1, length, features, device="meta") for _ in range(2)]
    leaves = [leaf(1, length, heads, features) for heads in (queries, keys)]
    around = 8 * length + 512  # positions, and the frequencies, of whose product the angles were made
    return Benchmark(Of(of, leaves, *angles), "made before", "bf16", accumulates=False, around=around, workspaces=1)


def llama4_rope(row: Config) -> Benchmark:
    """Pairs of features as complex numbers, which are turned in float32."""
    width, length = row.settings.get("hidden_size", row.x), row.settings.get("seq_len", row.x)
    queries, keys = row["num_q_heads"], row["num_kv_heads"]
    features = width // queries

    def pairs(x: Tensor) -> Tensor:
        return torch.view_as_complex(x.float().reshape(*x.shape[:-1], -1, 2))

    def of(self: Any, q: Tensor, k: Tensor, angles: Tensor) -> tuple[Tensor, Tensor]:
        first, second, turn = pairs(q), pairs(k), angles[:, :, None, :]
        q_out = torch.view_as_real(first * turn).flatten(3)
        k_out = torch.view_as_real(second * turn).flatten(3)
        return q_out.type_as(q), k_out.type_as(k)

    angles = torch.empty(1, length, features // 2, dtype=torch.complex64, device="meta")
    leaves = [leaf(1, length, heads, features) for heads in (queries, keys)]
    around = 8 * length + 512
    return Benchmark(Of(of, leaves, angles), "made before", "bf16", accumulates=False, around=around, workspaces=1)


class NeighborhoodAttention(nn.Module):
    """All scores are made, and those of others than neighbours masked."""

    def __init__(self, features: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q_proj = nn.Linear(features, features, device="meta")
        self.k_proj = nn.Linear(features, features, device="meta")
        self.v_proj = nn.Linear(features, features, device="meta")
        self.out_proj = nn.Linear(features, features, device="meta")

    def forward(self, x: Tensor) -> Tensor:
        batch, length, features = x.shape
        query, key, value = self.q_proj(x), self.k_proj(x), self.v_proj(x)
        query = query.view(batch, length, self.heads, -1).transpose(1, 2)
        key = key.view(batch, length, self.heads, -1).transpose(1, 2)
        value = value.view(batch, length, self.heads, -1).transpose(1, 2)
        scores = torch.matmul(query, key.transpose(-2, -1)) * 0.125
        mask = torch.zeros(length, length, device=x.device, dtype=torch.bool)
        scores = scores.masked_fill(~mask, float("-inf"))
        weights = torch.softmax(scores, dim=-1)
        mixed = torch.matmul(weights, value)
        mixed = mixed.transpose(1, 2).contiguous().view(batch, length, features)
        return self.out_proj(mixed)


def neighborhood_attention(row: Config) -> Benchmark:
    """Liger's layer lies beside torch's."""
    features, batch = row["hidden_size"], row["batch_size"]
    layer = NeighborhoodAttention(features, row["num_heads"])
    module = Of(lambda self, x: self.attention(x), [leaf(batch, row.x, features)], attention=layer)
    around = 4 * 4 * (features * features + features)
    return Benchmark(module, "made before", around=around, workspaces=2)


KERNELS: dict[str, Callable[[Config], Benchmark]] = {
    "cross_entropy": cross_entropy,
    "embedding": embedding,
    "geglu": mlp,
    "fused_neighborhood_attention": neighborhood_attention,
    "group_norm": group_norm,
    "kl_div": kl_div,
    "layer_norm": layer_norm,
    "llama4_rope": llama4_rope,
    "megatron_rms_norm": megatron_rms_norm,
    "relu_squared": relu_squared,
    "rms_norm": rms_norm,
    "rope": rope,
    "tiled_geglu": mlp,
    "tiled_swiglu": mlp,
    "tvd": tvd,
}
