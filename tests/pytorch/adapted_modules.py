"""Linear layers and convolutions with adapters, written in torch as PEFT 0.21 runs them, under its names."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

RANK, FACTOR = 2, 1.5


def only(module: nn.Module | nn.Parameter) -> nn.Module:
    """PEFT keeps what belongs to an adapter under the adapter's name."""
    held = nn.ParameterDict if isinstance(module, nn.Parameter) else nn.ModuleDict
    return held({"default": module})


class Adapted(nn.Module):
    """A frozen layer, and the dtype in which its adapter is."""

    def __init__(self, base: nn.Module) -> None:
        super().__init__()
        self.base_layer = base.requires_grad_(False)

    def pick(self, name: str) -> nn.Module:
        return cast("nn.Module", getattr(self, name)["default"])


class Lora(Adapted):
    def __init__(self, base: nn.Module, dropout: float = 0.0) -> None:
        super().__init__(base)
        self.lora_dropout = only(nn.Dropout(dropout) if dropout else nn.Identity())
        if isinstance(base, nn.Conv2d):
            same = base.kernel_size, base.stride, base.padding
            self.lora_A = only(nn.Conv2d(base.in_channels, RANK, *same, bias=False))  # pyright: ignore
            self.lora_B = only(nn.Conv2d(RANK, base.out_channels, 1, groups=base.groups, bias=False))
        else:
            assert isinstance(base, nn.Linear)
            self.lora_A = only(nn.Linear(base.in_features, RANK, bias=False))
            self.lora_B = only(nn.Linear(RANK, base.out_features, bias=False))

    def narrow(self, x: Tensor) -> Tensor:
        weight = self.pick("lora_A").weight
        assert isinstance(weight, Tensor)
        return x if x.dtype == weight.dtype else x.to(weight.dtype)

    def forward(self, x: Tensor) -> Tensor:
        result = self.base_layer(x)
        dtype = result.dtype
        x = self.narrow(x)
        result = result + self.pick("lora_B")(self.pick("lora_A")(self.pick("lora_dropout")(x))) * FACTOR
        return result.to(dtype)


class Magnitude(nn.Module):
    """The trained magnitudes, and what is added to the layer's result."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(outputs))

    @staticmethod
    def product(first: nn.Module, second: nn.Module, features: int, like: Tensor) -> Tensor:
        identity = torch.eye(features, dtype=like.dtype)
        return second(first(identity)).T

    @staticmethod
    def norm(weight: Tensor, delta: Tensor) -> Tensor:
        weight = weight + FACTOR * delta
        return torch.linalg.norm(weight, dim=1).to(weight.dtype)

    def forward(
        self, x: Tensor, first: nn.Module, second: nn.Module, base: nn.Linear, base_result: Tensor | None
    ) -> Tensor:
        held = cast("nn.Linear", first).weight
        delta = self.product(first, second, base.in_features, held)
        delta = delta.to(x.dtype)
        magnitude = self.weight
        weight = base.weight
        weight = weight.to(x.dtype)
        norm = self.norm(weight, delta.detach())
        norm = norm.detach()
        scale = (magnitude / norm).view(1, -1)
        result = second(first(x))
        if base_result is None:
            base_result = functional.linear(x, weight)
        elif base.bias is not None:  # pyright: ignore[reportUnnecessaryComparison]
            bias = base.bias
            base_result = base_result - bias
        return (scale - 1) * base_result + scale * result * FACTOR


class Dora(Lora):
    def __init__(self, base: nn.Linear, dropout: float = 0.0) -> None:
        super().__init__(base, dropout)
        self.lora_magnitude_vector = only(Magnitude(base.out_features))

    def forward(self, x: Tensor) -> Tensor:
        result = self.base_layer(x)
        dtype = result.dtype
        x = self.narrow(x)
        result = self.with_magnitude(x, result)
        return result.to(dtype)

    def with_magnitude(self, x: Tensor, result: Tensor) -> Tensor:
        drop, base_result = self.pick("lora_dropout"), None
        if isinstance(drop, nn.Identity):
            base_result = result
        else:
            x = drop(x)
        magnitude = self.pick("lora_magnitude_vector")
        return result + magnitude(x, self.pick("lora_A"), self.pick("lora_B"), self.base_layer, base_result)


class Ia3(Adapted):
    def __init__(self, base: nn.Linear, is_fed: bool) -> None:
        super().__init__(base)
        self.is_fed = is_fed
        shape = (1, base.in_features) if is_fed else (base.out_features, 1)
        self.ia3_l = only(nn.Parameter(torch.ones(shape)))

    def forward(self, x: Tensor) -> Tensor:
        dtype = x.dtype
        factors = 1 * cast("Tensor", self.ia3_l["default"]).flatten()  # pyright: ignore
        if self.is_fed:
            x = x.to(factors.dtype)
            inner = (x * factors).to(dtype)
            return self.base_layer(inner)
        result = self.base_layer(x)
        return (result * factors).to(result.dtype)
