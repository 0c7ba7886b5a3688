"""The norm of AlexNet's time, over neighbouring channels."""

from __future__ import annotations

from math import prod
from typing import ClassVar, Literal

from pydantic import Field

from archcost.errors import ShapeError
from archcost.layers.base import Number, Size, require_floating
from archcost.layers.dtypes import Autocast, Outcome, Treatment
from archcost.layers.memory_order import ValueByValue
from archcost.layers.rules import Quirk
from archcost.tensors import DTYPE_BYTES, Tensors, TensorType
from archcost.terms.autograd import INPUT, Device, Own, Saved, Scratch, Setting, excess
from archcost.terms.time_classes import TimeClass
from archcost.work import Elementwise, Reduction, Work


class LocalResponseNorm(ValueByValue):
    """b_c = a_c / (k + α/n·Σ a_j²)^β over the n channels around c, clipped at the ends (torch.nn.LocalResponseNorm).

    Krizhevsky et al. 2012 do not divide α by n; torch and Caffe do. Write α·n here for the paper's α.
    """

    prefix: ClassVar[str] = "lrn"
    quirks: ClassVar[frozenset[Quirk]] = frozenset(["composed", "stops early"])
    type: Literal["local_response_norm"] = "local_response_norm"
    autocast: ClassVar[Autocast] = Autocast("float32 out", "float32 out")
    time_class: ClassVar[TimeClass] = "response norm"
    comes_out: ClassVar[Outcome] = "first"
    size: Size = Field(description="channels in a window; the paper's n")
    alpha: Number = 1e-4
    beta: Number = 0.75
    k: Number = 1.0

    def treatment(self, inputs: Tensors, device: Device) -> Treatment:
        """Torch composes it: of the power, raised on a GPU; of avg_pool3d, raised on a CPU, where there are images."""
        return "as given" if device == "cpu" and inputs[0].rank == 3 else super().treatment(inputs, device)

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

    def keeps(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Saved, ...]:
        """Torch pads the squares, averages them, and divides by a power: the padded squares, its base and its value.

        Under autocast base and divisor are float32 as the output is; the squares are on a CPU, but not on a GPU.
        """
        squares = self._padded(inputs[0] if setting.device == "cuda" else outputs[0])
        return (INPUT, Own("padded squares", squares), Own("base", outputs[0]), Own("divisor", outputs[0]))

    def scratch(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> Scratch:
        """Beside the output: the squares' means, scaled and raised by k, or the padded squares.

        Backward of the quotient makes three tensors for the divisor's gradient, and has what was kept around it.
        By the time of the padded squares' gradient, base, divisor and what arrived are gone.
        """
        source, result, padded = inputs[0], outputs[0], self._padded(outputs[0])
        size = DTYPE_BYTES[source.dtype]
        narrow = self._padded(source).nbytes if result.dtype != source.dtype else 0  # beside its copy in float32
        made = 0 if setting.needs else max(2 * result.nbytes, padded.nbytes + narrow)
        forward = excess("squares and their means", made // size, source.dtype)
        backward = max(4 * result.nbytes - source.nbytes, padded.nbytes - 2 * result.nbytes)
        return Scratch(forward, excess("gradients of divisor and squares", backward // size, source.dtype))

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
