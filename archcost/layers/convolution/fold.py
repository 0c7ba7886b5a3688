"""Images cut into patches that may overlap, and put together again."""

from __future__ import annotations

from math import prod
from typing import ClassVar, Literal

from archcost.errors import ShapeError
from archcost.layers.base import Layer
from archcost.layers.card import Card
from archcost.layers.checks import per_axis, require_floating, require_images, require_positive, require_rank
from archcost.layers.dtypes import AS_GIVEN
from archcost.layers.fields import Counts, Sizes
from archcost.layers.rules import Autograd, Call, Placement, own_storage
from archcost.layers.symbols import asked_for
from archcost.tensors import Tensors, TensorType
from archcost.terms.expressions import Step
from archcost.work import Gather, Reduction, Work


def larger(first: TensorType, second: TensorType) -> TensorType:
    return first if first.numel >= second.numel else second


def card(name: str, call: str) -> Card:
    return Card(
        torch=f"nn.{name}",
        calls=(call,),
        onnx=None,
        autocast=AS_GIVEN,
        promotion="first",
        fvcore="nothing",
        time="gather",
        blas=False,
    )


class Patches(Layer):
    """Torch makes results like the input and then resizes them (native/Col2Im.cpp, Im2Col.cpp).

    A storage never shrinks, so that of an output, and of a gradient, holds the larger of patches and image.
    """

    kernel_size: Sizes
    dilation: Sizes = 1
    padding: Counts = 0
    stride: Sizes = 1

    def positions(self, sizes: tuple[int, ...]) -> tuple[int, ...]:
        """How many patches fit along height and width."""
        return tuple((n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, d, p, s in self.columns(sizes))

    def columns(self, sizes: tuple[int, ...]) -> list[tuple[int, ...]]:
        """For each axis: size, kernel, dilation, padding, stride."""
        fields = {"kernel_size": self.kernel_size, "dilation": self.dilation, "padding": self.padding}
        given = [per_axis(value, 2, field) for field, value in {**fields, "stride": self.stride}.items()]
        return list(zip(sizes, *given, strict=True))

    def patch(self) -> int:
        return prod(per_axis(self.kernel_size, 2, "kernel_size"))

    def autograd(self, call: Call) -> Autograd:
        return Autograd((), (larger(call.source, call.result),))

    def placement(self, call: Call) -> Placement:
        return own_storage(call)._replace(allocated=(larger(call.result, call.source),))

    def windows(self, inputs: Tensors, outputs: Tensors) -> None:
        """Axes change their meaning, so the receptive field is not followed further."""
        return


class Unfold(Patches):
    """Patches of an image as columns: (C, H, W) → (C·k_H·k_W, patches), zeros beyond the edge (torch.nn.Unfold)."""

    type: Literal["unfold"] = "unfold"
    prefix: ClassVar[str] = "unfold"
    card: ClassVar[Card] = card("Unfold", "im2col")

    def output_types(self, inputs: Tensors) -> Tensors:
        require_images(inputs[0], 2)
        batch, channels, *sizes = inputs[0].shape
        positions = self.positions(tuple(sizes))
        require_positive(positions, inputs, "a smaller kernel_size or dilation, or more padding")
        return (TensorType((batch, channels * self.patch(), prod(positions)), inputs[0].dtype),)

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        """Free forward; backward adds up what comes from one place, an addition a value of the patches."""
        return (Gather(outputs[0].numel, 0, {0: 1}, "values copied into patches"),)

    def working(self, inputs: Tensors, outputs: Tensors) -> tuple[Step, ...]:
        _, channels, *sizes = inputs[0].shape
        (h, k_h, d_h, p_h, s_h), (w, k_w, d_w, p_w, s_w) = self.columns(tuple(sizes))
        along = "(({0}_in + 2*p_{0} - d_{0}*(k_{0} - 1) - 1)//s_{0} + 1)"
        values = {"H_in": h, "k_H": k_h, "d_H": d_h, "p_H": p_h, "s_H": s_h}
        values |= {"W_in": w, "k_W": k_w, "d_W": d_w, "p_W": p_w, "s_W": s_w}
        return (
            Step("output axis 1", "C*k_H*k_W", {"C": channels, "k_H": k_h, "k_W": k_w}),
            Step("output axis 2", f"{along.format('H')}*{along.format('W')}", values, "patches down and across"),
        )


class Fold(Patches):
    """Patches as columns added up into an image of `output_size` (torch.nn.Fold)."""

    type: Literal["fold"] = "fold"
    prefix: ClassVar[str] = "fold"
    card: ClassVar[Card] = card("Fold", "col2im")
    output_size: Sizes

    def output_types(self, inputs: Tensors) -> Tensors:
        require_rank(inputs[0], 3, "(batch, channels·kernel, patches)")
        require_floating(inputs)
        batch, rows, patches = inputs[0].shape
        sizes = per_axis(self.output_size, 2, "output_size")
        positions = self.positions(sizes)
        if min(positions) < 1 or rows % self.patch() or patches != prod(positions):
            raise ShapeError(
                "the patches do not make this image",
                expected=f"a multiple of {self.patch()} rows, and {'·'.join(map(str, positions))} patches",
                found=f"{rows} rows and {patches} patches",
            )
        return (TensorType((batch, rows // self.patch(), *sizes), inputs[0].dtype),)

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        """An addition a value of the patches; backward copies."""
        return (Reduction(inputs[0].numel, 1, {}, "patches added up"),)

    def working(self, inputs: Tensors, outputs: Tensors) -> tuple[Step, ...]:
        return asked_for(outputs[0].shape[2:], "as output_size says")
