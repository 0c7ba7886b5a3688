"""Routing to experts in torch, in equal shares whatever was chosen, so that as many rows are read as archcost says."""

from __future__ import annotations

from torch import Tensor, nn

from archcost.layers import ExpertRoute
from archcost.pytorch.layers.base import Factory, Inputs


class EqualShares(nn.Module):
    def __init__(self, num_experts: int) -> None:
        super().__init__()
        self.num_experts = num_experts

    def forward(self, choices: Tensor) -> tuple[Tensor, Tensor]:
        order = choices.flatten().argsort(stable=True)
        tokens = (order // choices.shape[-1]).view(self.num_experts, -1)
        return tokens, order.argsort().view(choices.shape)

    def extra_repr(self) -> str:
        return f"num_experts={self.num_experts}"


def expert_route(layer: ExpertRoute, inputs: Inputs) -> nn.Module:
    return EqualShares(layer.num_experts)


FACTORIES: dict[str, Factory] = {"expert_route": expert_route}
