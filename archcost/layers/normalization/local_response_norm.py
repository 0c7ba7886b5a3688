"""The norm of AlexNet's time, over neighbouring channels."""

from __future__ import annotations

from math import prod
from typing import ClassVar, Literal

from pydantic import Field

from archcost.errors import ShapeError
from archcost.layers.base import Layer
from archcost.layers.card import Card, onnx
from archcost.layers.checks import require_floating
from archcost.layers.dtypes import Autocast
from archcost.layers.fields import Number, Size
from archcost.layers.memory_order import value_by_value
from archcost.layers.rules import Autograd, Call, Placement, Precision, Quirk
from archcost.tensors import DTYPE_BYTES, Tensors, TensorType
from archcost.terms.autograd import INPUT, Device, Own, excess
from archcost.work import Elementwise, Reduction, Work


class LocalResponseNorm(Layer):
    """b_c = a_c / (k + α/n·Σ a_j²)^β over the n channels around c, clipped at the ends (torch.nn.LocalResponseNorm).

    Krizhevsky et al. 2012 do not divide α by n; torch and Caffe do. Write α·n here for the paper's α.
    """

    prefix: ClassVar[str] = "lrn"
    type: Literal["local_response_norm"] = "local_response_norm"
    positional: ClassVar[tuple[str, ...]] = ("size",)
    card: ClassVar[Card] = Card(
        torch="nn.LocalResponseNorm",
        calls=("local_response_norm",),
        onnx=onnx("LRN", size="size", alpha="alpha", beta="beta", bias="k"),
        autocast=Autocast("float32 out", "float32 out"),
        promotion="first",
        fvcore="nothing",
        time="response norm",
        blas=False,
    )
    quirks: ClassVar[frozenset[Quirk]] = frozenset(["composed", "stops early"])
    size: Size = Field(description="channels in a window; the paper's n")
    alpha: Number = 1e-4
    beta: Number = 0.75
    k: Number = 1.0

    def precision(self, inputs: Tensors, device: Device) -> Precision:
        """Torch composes it: of the power, raised on a GPU; of avg_pool3d, raised on a CPU, where there are images."""
        given = super().precision(inputs, device)
        return given._replace(treatment="as given") if device == "cpu" and inputs[0].rank == 3 else given

    def output_types(self, inputs: Tensors) -> Tensors:
        require_floating(inputs)
        if inputs[0].rank < 3:
            raise ShapeError("needs at least 3 axes", expected="(batch, channels, length, …)", found=str(inputs[0]))
        return inputs

    def terms(self, inputs: Tensors) -> int:
        """Squares added over all windows, those outside the channels left out."""
        batch, channels, *sizes = inputs[0].shape
        before, after = self.size // 2, (self.size - 1) // 2
        clipped = _reach(channels, before) + _reach(channels, after) + channels
        return batch * prod(sizes) * clipped

    def autograd(self, call: Call) -> Autograd:
        """Torch pads the squares, averages them, and divides by a power: the padded squares, its base and its value.

        Under autocast base and divisor are float32 as the output is; the squares are on a CPU, but not on a GPU.
        """
        squares = self._padded(call.source if call.setting.device == "cuda" else call.result)
        saved = (INPUT, Own("padded squares", squares), Own("base", call.result), Own("divisor", call.result))
        return Autograd(saved, call.inputs, self._forward(call), self._backward(call))

    def _forward(self, call: Call) -> tuple[Own, ...]:
        """Where nobody keeps them, the squares' means, scaled and raised by k, or the padded squares; narrow ones
        beside their copy in float32.
        """
        if call.setting.needs:
            return ()
        source, result = call.source, call.result
        narrow = self._padded(source).nbytes if result.dtype != source.dtype else 0
        made = max(2 * result.nbytes, self._padded(result).nbytes + narrow)
        return excess("squares and their means", made // DTYPE_BYTES[source.dtype], source.dtype)

    def _backward(self, call: Call) -> tuple[Own, ...]:
        """That of the quotient makes three tensors for the divisor's gradient, and has what was kept around it.
        By the time of the padded squares' gradient, base, divisor and what arrived are gone.
        """
        source, result = call.source, call.result
        made = max(4 * result.nbytes - source.nbytes, self._padded(result).nbytes - 2 * result.nbytes)
        return excess("gradients of divisor and squares", made // DTYPE_BYTES[source.dtype], source.dtype)

    def placement(self, call: Call) -> Placement:
        return value_by_value(call)

    def _padded(self, source: TensorType) -> TensorType:
        batch, channels, *sizes = source.shape
        return TensorType((batch, channels + self.size - 1, *sizes), source.dtype)

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        """A value: square, scale, power, division (4), and an addition a term; backward 7 and an addition a term.

        dx = dy·d^−β − 2αβ/n·x·Σ dy·y/d: a power and products (5), a scale, a difference, and the sum.
        """
        return (
            Elementwise(inputs[0].numel, 4, {0: 7}, "square, scale, power, division"),
            Reduction(self.terms(inputs), 1, {0: 1}, "squares added over the window"),
        )


def _reach(channels: int, reach: int) -> int:
    """Σ over channels of min(reach, channels before it), the neighbours on one side."""
    full = min(reach, channels)
    return reach * (channels - full) + full * (full - 1) // 2
