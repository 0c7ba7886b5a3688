"""Two layers with one weight."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, cast

from torch import Tensor, nn
from torch.nn import functional

from archcost.errors import ArchcostError
from archcost.pytorch.network import weight_of

TRANSPOSED: dict[type[nn.Module], Callable[..., Tensor]] = {
    nn.ConvTranspose1d: functional.conv_transpose1d,
    nn.ConvTranspose2d: functional.conv_transpose2d,
    nn.ConvTranspose3d: functional.conv_transpose3d,
}


class Borrowing(nn.Module):
    """A layer whose weight is given at every call. Its bias is its own."""

    def __init__(self, bias: nn.Parameter | None, operation: Callable[[Tensor, Tensor, Tensor | None], Tensor]) -> None:
        super().__init__()
        self.register_parameter("bias", bias)
        self.operation = operation

    def forward(self, tensor: Tensor, weight: Tensor) -> Tensor:
        return self.operation(tensor, weight, cast("nn.Parameter | None", self.bias))


def share(module: Any, owner: nn.Module, transposed: bool) -> nn.Module:
    """`module` with the weight of `owner`: the same parameter, or its transpose taken at every call.

    Raises ArchcostError when the shapes differ.
    """
    weight = getattr(owner, "weight", None)
    if not isinstance(weight, nn.Parameter):
        raise ArchcostError("shares the weight of a layer that has none of its own", found=type(owner).__name__)
    given = weight.transpose(0, 1).shape if transposed else weight.shape
    if given != weight_of(module).shape:
        raise ArchcostError(
            "the shared weight has another shape", expected=str(tuple(weight_of(module).shape)), found=str(tuple(given))
        )
    if not transposed:
        module.weight = weight
        return module
    bias = getattr(module, "bias", None)
    operation = _operation(module)
    del module.weight
    if bias is not None:
        del module.bias
    return Borrowing(bias, operation)


def _operation(module: Any) -> Callable[[Tensor, Tensor, Tensor | None], Tensor]:
    """The layer as a function of its input, weight and bias."""
    if isinstance(module, nn.Embedding):
        return lambda indices, weight, bias: functional.embedding(indices, weight, module.padding_idx)
    if isinstance(module, nn.Linear):
        return functional.linear
    if type(module) in TRANSPOSED:
        return partial(
            TRANSPOSED[type(module)],
            stride=module.stride,
            padding=module.padding,
            output_padding=module.output_padding,
            groups=module.groups,
            dilation=module.dilation,
        )
    return module._conv_forward
