"""Writing over a part of a tensor: x[:, 0] = y."""

from __future__ import annotations

from math import prod
from typing import ClassVar, Literal, Self

from pydantic import model_validator
from pydantic_core import PydanticCustomError

from archcost.errors import ShapeError
from archcost.layers.base import Arity, Layer
from archcost.layers.broadcasting import broadcast_shape
from archcost.layers.card import Card
from archcost.layers.fields import Axis, Size
from archcost.layers.indexing.gather import picked, placing
from archcost.layers.rules import Autograd, Call, NewView, Placement
from archcost.layers.shape.views import summed_to
from archcost.tensors import Tensors, TensorType
from archcost.terms.autograd import PASSED_ON, Gradient, Input, Own, Setting, excess
from archcost.terms.windows import Rules
from archcost.work import Copy, Reduction, Work


class Write(Layer):
    """The first input, in its own storage, with other values in a part of it: those of the second (x[:, 0] = y).

    The second input is stretched over the part. `numel` is how many values are written for each position of axis 0, the
    batch; without it they are as many as the second input has. With no second input they are set to a number, without
    `numel` all of them. Further inputs are indices along the axes `dims`, as those of `index` (x[:, i] = y).
    """

    type: Literal["write"] = "write"
    prefix: ClassVar[str] = "write"
    arity: ClassVar[Arity] = Arity(1, None)
    takes_complex: ClassVar[bool] = True
    card: ClassVar[Card] = placing(None, time="copy")
    numel: Size | None = None
    dims: tuple[Axis, ...] = ()

    @model_validator(mode="after")
    def _says_once_how_many(self) -> Self:
        if self.dims and self.numel is not None:
            raise PydanticCustomError("written", "Input should have numel or dims, not both")
        return self

    def is_listed(self, inputs: Tensors) -> bool:
        return bool(self.dims) or len(inputs) > 2

    def is_all(self, inputs: Tensors) -> bool:
        """Whether all of the first input is written over, which torch does without a view of it."""
        whole, *read = inputs
        return self.numel is None and not self.is_listed(inputs) and all(part.shape == whole.shape for part in read)

    def place(self, inputs: Tensors) -> TensorType:
        """What is written over, in the shape to which the second input is stretched. Raises ShapeError."""
        whole, *read = inputs
        if self.is_listed(inputs):
            return picked(self.dims, whole, inputs[2:])
        part = read[0] if read else TensorType(())
        if self.numel is None:
            return TensorType(part.shape if read else whole.shape, whole.dtype)
        written = self.numel * prod(whole.shape[:1])
        times, rest = divmod(written, part.numel)
        if rest:
            raise ShapeError("values cannot be stretched", expected=f"a divisor of {written:,} values", found=str(part))
        return TensorType(part.shape if times == 1 else (times, *part.shape), whole.dtype)

    def output_types(self, inputs: Tensors) -> Tensors:
        whole, *read = inputs
        place = self.place(inputs)
        if self.is_listed(inputs):
            self._require_values(place, read[0])
        elif place.numel > whole.numel:
            raise ShapeError(
                "more is written than there is", expected=f"at most {whole.numel:,} values", found=f"{place.numel:,}"
            )
        return (whole,)

    def _require_values(self, place: TensorType, values: TensorType) -> None:
        if values.dtype != place.dtype or broadcast_shape((place, values)) != place.shape:
            raise ShapeError(
                "values cannot be put there", expected=f"{place}, or what stretches to it", found=str(values)
            )

    def placement(self, call: Call) -> Placement:
        return Placement((0,), (call.layout,))

    def overwrites(self, setting: Setting) -> bool:
        return True

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        """Free forward; backward sums the gradient of what was stretched, an addition a value written."""
        place = self.place(inputs)
        written = place.reals
        if len(inputs) < 2 or inputs[1].numel == place.numel:
            return (Copy(written, 0, {}, "values written"),)
        return (Reduction(written, 0, {1: 1}, "values written"),)

    def autograd(self, call: Call) -> Autograd:
        """It keeps indices. Backward gives what arrived with zeros in place of the part, and the part of it; `copy_`
        hands on all of it.
        """
        whole, *read = call.inputs
        saved = tuple([Input(index) for index in range(2, len(call.inputs))])
        if self.is_all(call.inputs) and read and read[0].dtype == whole.dtype:
            return Autograd(saved, (whole, PASSED_ON, *read[1:]))
        gradients: list[Gradient | NewView] = [*call.inputs]
        place = self.place(call.inputs)
        if read:
            gradients[1] = summed_to(read[0], place.rank)
        return Autograd(saved, tuple(gradients), backward=self.made(call, place))

    def made(self, call: Call, place: TensorType) -> tuple[Own, ...]:
        """Autograd copies what arrived, and then the part of it for the backward of what was written there (CopySlices
        in torch/csrc/autograd/functions/tensor.cpp). With indices and for all there is no such copy.
        """
        if not call.setting.needs or self.is_all(call.inputs):
            return ()
        whole, part = call.source, call.inputs[1] if len(call.inputs) > 1 else place
        summed = call.needs(1) and part.shape != place.shape
        if self.is_listed(call.inputs):
            unsummed = excess("gradient before it is summed", place.numel if summed else 0, part.dtype)
            return unsummed if call.needs(1) else (Own("zeros to put", part),)
        made = list(excess("gradient before it is summed", place.numel - part.numel if summed else 0, part.dtype))
        made.append(Own("zeros for the part", place) if call.needs(0) else Own("gradient of the whole", whole))
        if not call.needs(1) or part.dtype != whole.dtype:
            made.append(Own("gradient of the part", place))
        return tuple(made)

    def windows(self, inputs: Tensors, outputs: Tensors) -> Rules | None:
        """Where the part lies is not said."""
        return super().windows(inputs, outputs) if len(inputs) == 1 else None
