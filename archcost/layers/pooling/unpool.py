"""Unpooling by kept indices."""

from __future__ import annotations

from typing import ClassVar

from archcost.errors import ShapeError
from archcost.layers.base import Arity
from archcost.layers.card import Card
from archcost.layers.checks import per_axis, require_images, require_positive
from archcost.layers.dtypes import IN_FLOAT32_ON_CPU
from archcost.layers.fields import Sizes
from archcost.layers.pooling.pool import Slid
from archcost.layers.rules import Autograd, Call, NewView
from archcost.layers.symbols import AXES, asked_for
from archcost.layers.twins import twins
from archcost.tensors import Tensors, TensorType
from archcost.terms.autograd import Input, Own
from archcost.terms.expressions import Step
from archcost.terms.windows import Rules, Window
from archcost.work import Gather, Work


def card(name: str, ndim: int) -> Card:
    return Card(
        torch=f"nn.{name}",
        calls=(),
        onnx=None,
        autocast=IN_FLOAT32_ON_CPU,
        promotion="first",
        fvcore="nothing",
        time="gather",
        blas=False,
    )


class MaxUnpool(Slid):
    """Values put back where the pool took them from, zeros elsewhere. Inputs: pooled values and their indices.

    Size (n−1)·stride − 2·padding + kernel, or `output_size` within one stride of it (torch.nn.MaxUnpool2d).
    """

    prefix: ClassVar[str] = "unpool"
    arity: ClassVar[Arity] = Arity(2, 2)
    keeps_channels_last: ClassVar[frozenset[int]] = frozenset([2])
    output_size: Sizes | None = None

    def output_types(self, inputs: Tensors) -> Tensors:
        pooled, indices = inputs
        require_images(pooled, self.ndim)
        if indices.dtype != "int64" or indices.shape != pooled.shape:
            raise ShapeError(
                "the second input must be the indices of the pool",
                expected=f"{TensorType(pooled.shape, 'int64')}",
                found=str(indices),
                hint="return_indices: true on the pool, and inputs: [this, pool:1]",
            )
        columns = list(zip(pooled.shape[2:], self.kernels(), self.strides(), self.paddings(), strict=True))
        sizes = tuple((n - 1) * s - 2 * p + k for n, k, s, p in columns)
        if self.output_size is not None:
            wanted = per_axis(self.output_size, self.ndim, "output_size")
            for size, want, stride in zip(sizes, wanted, self.strides(), strict=True):
                if not size - stride < want < size + stride:
                    raise ShapeError(
                        "output_size is out of reach",
                        expected=f"more than {size - stride} and less than {size + stride}",
                        found=str(want),
                    )
            sizes = wanted
        require_positive(sizes, inputs, "less padding")
        return (TensorType((*pooled.shape[:2], *sizes), pooled.dtype),)

    def autograd(self, call: Call) -> Autograd:
        """It keeps where the values were put.

        Torch 2.13's backward reads row by row a gradient that lies as the output does; 2.14's sees it as a view.
        """
        is_read = call.setting.since("2.14") or self.placement(call).layouts[0] is None
        backward = () if is_read else (Own("row-major gradient", call.result),)
        return Autograd((Input(1),), tuple(map(NewView, call.inputs)), backward=backward)

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        """No arithmetic either way: backward picks each value's gradient up by its index."""
        return (Gather(inputs[0].numel, 0, {}, "values put back by index"),)

    def windows(self, inputs: Tensors, outputs: Tensors) -> Rules:
        columns = zip(self.kernels(), self.strides(), self.paddings(), strict=True)
        return tuple(Window.spreading(*column) for column in columns)

    def working(self, inputs: Tensors, outputs: Tensors) -> tuple[Step, ...]:
        if self.output_size is not None:
            return asked_for(outputs[0].shape[2:], "as output_size says, within a stride of the usual size")
        columns = zip(
            AXES[self.ndim], inputs[0].shape[2:], self.kernels(), self.strides(), self.paddings(), strict=True
        )
        return tuple(
            Step(
                f"output {axis}",
                f"({axis}_in - 1)*s_{axis} - 2*p_{axis} + k_{axis}",
                {f"{axis}_in": size, f"k_{axis}": kernel, f"s_{axis}": stride, f"p_{axis}": padding},
            )
            for axis, size, kernel, stride, padding in columns
        )


MaxUnpool1d, MaxUnpool2d, MaxUnpool3d = twins(__name__, MaxUnpool, "MaxUnpool", card)
