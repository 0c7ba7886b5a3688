"""Learned tensors by themselves: class tokens, position embeddings, layer scales."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from archcost.errors import ShapeError
from archcost.formulas import Step
from archcost.keeping import PASSED_ON, Gradient, Saved, Setting
from archcost.layers.base import Arity, Layer, Size, Weight, WeightedLayer
from archcost.layouts import Layout, laid, strides_of
from archcost.tensors import Tensors, TensorType
from archcost.work import Copy, Elementwise, Work


class Parameter(WeightedLayer):
    """The weight itself, of this whole shape: `[1, 197, 768]` stretches over every batch (torch.nn.Parameter).

    It reads nothing, and puts out no tensor of its own. What arrives as its gradient is the weight's.
    """

    type: Literal["parameter"] = "parameter"
    prefix: ClassVar[str] = "parameter"
    arity: ClassVar[Arity] = Arity(0, 0)
    shape: Annotated[tuple[Size, ...], Field(max_length=64)]

    def output_types(self, inputs: Tensors) -> Tensors:
        return (TensorType(self.shape),)

    def weights(self, inputs: Tensors) -> tuple[Weight, ...]:
        return (Weight("weight", self.shape, dtype="float32"),)

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        return (Copy(outputs[0].numel, 0, {}, "nothing moved"),)

    def keeps(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Saved, ...]:
        return ()

    def aliases(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[int | str | None, ...]:
        return ("weight",)

    def windows(self, inputs: Tensors, outputs: Tensors) -> None:
        """It looks at no input."""
        return

    def working(self, inputs: Tensors, outputs: Tensors) -> tuple[Step, ...]:
        values = {f"n_{axis}": size for axis, size in enumerate(self.shape)}
        axes = [Step(f"output axis {axis}", f"n_{axis}", values) for axis in range(len(self.shape))]
        return (*axes, Step("parameters", "*".join(values) or "1", values))


class ExpandBatch(Layer):
    """(1, …) seen once for each sample of the second input (`tensor.expand(len(other), …)` in torch)."""

    type: Literal["expand_batch"] = "expand_batch"
    prefix: ClassVar[str] = "expand"
    arity: ClassVar[Arity] = Arity(2, 2)

    def output_types(self, inputs: Tensors) -> Tensors:
        one, other = inputs
        if not one.rank or not other.rank or one.shape[0] not in (1, other.shape[0]):
            raise ShapeError("the first input must have a batch of 1", expected="(1, …)", found=str(one))
        return (TensorType((other.shape[0], *one.shape[1:]), one.dtype),)

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        """Nothing; backward sums the gradients of the samples up."""
        summed = 1 if inputs[0] != outputs[0] else 0
        return (Elementwise(outputs[0].numel, 0, {0: summed}, "samples repeated"),)

    def keeps(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Saved, ...]:
        return ()

    def aliases(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[int | str | None, ...]:
        return (0,)

    def layouts(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Layout, ...]:
        if inputs[0] == outputs[0]:
            return (setting.layout(0),)
        return (laid(outputs[0].shape, (0, *strides_of(inputs[0].shape, setting.layout(0))[1:])),)

    def gradients(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Gradient, ...]:
        """The second input only says how many samples there are."""
        return (PASSED_ON if inputs[0] == outputs[0] else inputs[0], None)

    def working(self, inputs: Tensors, outputs: Tensors) -> tuple[Step, ...]:
        return (Step("output axis 0", "B", {"B": outputs[0].shape[0]}, "the samples of the second input"),)
