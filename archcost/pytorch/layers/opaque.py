"""Operations of which only the shapes are known, and functions that bring their own backward, in torch: a
torch.autograd.Function that runs the mirrors of its layers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from archcost.errors import ArchcostError
from archcost.layers import Integers, Layer, Opaque, OwnBackward
from archcost.pytorch.layers.base import Inputs, mirrors
from archcost.pytorch.layers.parameter import Made
from archcost.pytorch.shared_weights import lend


class Applied(nn.Module):
    """Takes the inputs of the layer, and returns those that its forward returns."""

    def __init__(self, layer: OwnBackward, steps: Sequence[nn.Module]) -> None:
        super().__init__()
        self.layer = layer
        self.steps = nn.ModuleList(steps)
        self.apply_function = _function(layer, self._gradients)

    def forward(self, *tensors: Tensor) -> Any:
        return self.apply_function(*tensors)

    def _gradients(self, values: dict[str, Tensor]) -> list[Tensor | None]:
        """Of each argument, from what arrived and what was kept. Each tensor goes as the layer says."""
        last = _last(self.layer)
        for number, (layer, module) in enumerate(zip(self.layer.backward, self.steps, strict=True)):
            _run(layer, module.forward, values)  # not a call, which hooks would take for one of forward's
            for name in [name for name in values if last.get(name, -1) <= number]:
                del values[name]
        return [None if name is None else values[name] for name in self.layer.gives]

    def extra_repr(self) -> str:
        return self.layer.op


def _run(layer: Layer, module: Callable[..., Any], values: dict[str, Tensor]) -> None:
    given: Mapping[str, str] = getattr(layer, "given", {})
    result = module(*[values[name] for name in (*layer.inputs, *given.values())])
    results = (result,) if isinstance(result, Tensor) else tuple(result)
    values.update({_name(str(layer.name), index): tensor for index, tensor in enumerate(results)})


def _name(stem: str, index: int) -> str:
    return f"{stem}:{index}" if index else stem


def _last(layer: OwnBackward) -> dict[str, int]:
    """By name the last of backward's layers that needs a tensor there."""
    last: dict[str, int] = {}
    for number, inner in enumerate(layer.backward):
        needed = (*inner.inputs, *getattr(inner, "given", {}).values(), *layer.holds.get(str(inner.name), ()))
        last |= dict.fromkeys(needed, number)
    return last | dict.fromkeys([name for name in layer.gives if name is not None], len(layer.backward))


def _function(layer: OwnBackward, gradients: Callable[[dict[str, Tensor]], list[Tensor | None]]) -> Callable[..., Any]:
    last = _last(layer)

    class Own(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *tensors: Tensor) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
            ctx.save_for_backward(*[tensors[index] for index in layer.kept])
            ctx.held = {_name("input", index): tensors[index] for index in layer.held}
            ctx.others = [(tensor.shape, tensor.dtype, tensor.device) for tensor in tensors]
            ctx.set_materialize_grads(layer.fills)
            made = [tensors[index] if index < layer.arguments else tensors[index].detach() for index in layer.returns]
            return tuple(made) if len(made) > 1 else made[0]

        @staticmethod
        def backward(ctx: Any, *grads: Tensor | None) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
            values = {
                _name("input", index): torch.empty((), dtype=dtype, device=device).expand(shape)
                for index, (shape, dtype, device) in enumerate(ctx.others)
                if _name("input", index) in last  # of which the size is all that anybody asks for
            }
            values |= {_name("input", index): kept for index, kept in zip(layer.kept, ctx.saved_tensors, strict=True)}
            values |= ctx.held
            values |= {_name("grad", index): grad for index, grad in enumerate(grads) if grad is not None}
            given = gradients(values)
            return (*given, *[None] * (len(ctx.others) - len(given)))

    return Own.apply  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]


@mirrors(OwnBackward)
def own_backward(layer: OwnBackward, inputs: Inputs) -> nn.Module:
    """Raises ArchcostError where it is not known what backward does."""
    if layer.unknown is not None:
        raise ArchcostError(
            "a function whose backward is not known cannot be built",
            expected="layers that say what they compute",
            found=f"{layer.op}: {layer.unknown}",
        )
    from archcost.pytorch.layers import FACTORIES  # of which this one is

    values = {_name("input", index): tensor.to("meta") for index, tensor in enumerate(inputs)}
    values |= {_name("grad", index): inputs[which].to("meta") for index, which in enumerate(layer.returns)}
    steps: list[nn.Module] = []
    for inner in layer.backward:
        given = {name: values[reference] for name, reference in getattr(inner, "given", {}).items()}
        arriving = tuple([values[name] for name in inner.inputs])
        steps.append(lend(FACTORIES[inner.type](inner, arriving), given))
        with torch.no_grad(), torch.device("meta"):
            sketch = lend(FACTORIES[inner.type](inner, arriving), given)
            _run(inner, sketch.forward, values)
    return Applied(layer, steps)


@mirrors(Opaque)
def opaque(layer: Opaque, inputs: Inputs) -> nn.Module:
    """Raises ArchcostError."""
    raise ArchcostError(
        "an opaque layer cannot be built",
        expected="layers that say what they compute",
        found=f"{layer.op}, of which only shapes were observed",
    )


class StoodIn(nn.Module):
    """Zeros in place of integers, on whose values no cost depends."""

    def __init__(self, shapes: tuple[tuple[int, ...], ...], dtypes: tuple[str, ...], dims: tuple[int | None, ...]):
        super().__init__()
        columns = zip(shapes, dtypes, dims, strict=True)
        self.made = nn.ModuleList([Made(shape, dtype, dim or 0) for shape, dtype, dim in columns])
        self.dims = dims

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        pairs = zip(self.made, self.dims, strict=True)
        return tuple([made() if dim is None else made(tensors[-1]) for made, dim in pairs])


@mirrors(Integers)
def integers(layer: Integers, inputs: Inputs) -> nn.Module:
    return StoodIn(layer.shapes, layer.dtypes, layer.batch_dims or (None,) * len(layer.shapes))
