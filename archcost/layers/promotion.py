"""Layers that work on tensors of several dtypes at once, by torch's type promotion (TensorIterator)."""

from __future__ import annotations

from functools import reduce
from typing import ClassVar

from archcost.layers.dtypes import AS_GIVEN, Autocast, Outcome
from archcost.layers.memory_order import ValueByValue
from archcost.tensors import DTYPE_BYTES, Tensors, TensorType, promoted
from archcost.terms.autograd import Gradient, Handed, Scratch, Setting, excess
from archcost.terms.time_classes import TimeClass


class Promoting(ValueByValue):
    """A result of several values, in the dtype to which theirs are promoted.

    Backward works out each gradient for every value of the result, and in a dtype that need not be the input's. Then
    autograd's engine sums and casts them, one after the other (validate_outputs in torch/csrc/autograd/engine.cpp).
    """

    autocast: ClassVar[Autocast] = AS_GIVEN
    time_class: ClassVar[TimeClass] = "elementwise"
    comes_out: ClassVar[Outcome] = "promoted"

    def scratch_of_one_dtype(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> Scratch:
        """`scratch` where nothing is cast."""
        raise NotImplementedError

    def passes_on(self, index: int) -> bool:
        """Whether the gradient of that input is the one that arrived, but for sums and casts."""
        return False

    def worked_out(self, inputs: Tensors, outputs: Tensors) -> tuple[str, ...]:
        """For each input the dtype in which its gradient is worked out: that of the one that arrives."""
        return (outputs[0].dtype,) * len(inputs)

    def like_what_arrived(self, setting: Setting) -> int:
        """How many of the tensors that backward makes and drops have the dtype of what arrived."""
        return 0

    def scratch(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> Scratch:
        """With the gradients that are cast, beside those they become."""
        plain = self.scratch_of_one_dtype(inputs, outputs, setting)
        dtypes = {tensor.dtype for tensor in (*inputs, *outputs) if tensor.is_floating}
        needed = [index for index in range(len(inputs)) if index in setting.needs]
        if len(dtypes) < 2 or not needed:
            return plain
        (output,), worked = outputs, self.worked_out(inputs, outputs)
        raw = {index: 0 if self.passes_on(index) else _bytes(output, worked[index]) for index in needed}
        widest = reduce(promoted, worked)
        alike = tuple([_cast(tensor, widest) for tensor in inputs])
        one = self.scratch_of_one_dtype(alike, (_cast(output, widest),), setting)
        gradients = self.gradients(alike, (_cast(output, widest),), setting)
        given = {index: _given(gradients[index], widest) for index in needed}
        narrower = sum([_bytes(output, widest) - raw[index] for index in needed if raw[index]])
        narrower += self.like_what_arrived(setting) * (_bytes(output, widest) - output.nbytes)
        inside = sum([own.tensor.nbytes for own in one.backward]) + sum(given.values()) - narrower
        last = self.gradients(inputs, outputs, setting)
        handed = [index for index in needed if isinstance(last[index], Handed) and output.dtype == inputs[index].dtype]
        stays = sum([inputs[index].nbytes for index in needed if index not in handed])
        most = max(inside, _by_the_engine(inputs, output, worked, raw, needed))
        return Scratch(plain.forward, excess("gradients before they are cast", most - stays, "uint8"))


def _by_the_engine(
    inputs: Tensors, output: TensorType, worked: tuple[str, ...], raw: dict[int, int], needed: list[int]
) -> int:
    """The most bytes that there are while the gradients are summed and cast in turn."""
    live = most = sum(raw.values())
    for index in needed:
        tensor, dtype = inputs[index], worked[index]
        here = raw[index]
        for is_made, nbytes in (
            (tensor.shape != output.shape, _bytes(tensor, dtype)),
            (tensor.dtype != dtype, tensor.nbytes),
        ):
            if is_made:
                most = max(most, live + nbytes)
                live += nbytes - here
                here = nbytes
    return most


def _bytes(tensor: TensorType, dtype: str) -> int:
    return tensor.numel * DTYPE_BYTES[dtype]


def _cast(tensor: TensorType, dtype: str) -> TensorType:
    return TensorType(tensor.shape, dtype) if tensor.is_floating else tensor


def _given(gradient: Gradient, dtype: str) -> int:
    return _bytes(gradient, dtype) if isinstance(gradient, TensorType) else 0
