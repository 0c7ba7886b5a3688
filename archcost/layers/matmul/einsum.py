"""Sums of products along named axes."""

from __future__ import annotations

import re
from math import prod
from typing import Annotated, ClassVar, Literal, NamedTuple

from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

from archcost.errors import ShapeError
from archcost.layers.base import Arity, Layer, require_floating
from archcost.layers.broadcasting import broadcast, broadcast_shape, pairs, unsummed
from archcost.layers.dtypes import IN_16_BITS, Autocast, Outcome, Treatment
from archcost.layers.rules import Quirk
from archcost.tensors import Tensors, TensorType
from archcost.terms.autograd import Device, Input, Own, Saved, Scratch, Setting, excess
from archcost.terms.expressions import Step
from archcost.terms.memory_format import Layout, Shape, Strides, laid, like, strides_of, view
from archcost.terms.time_classes import TimeClass
from archcost.work import Contraction, Work

_EQUATION = re.compile(r"([a-zA-Z]+),([a-zA-Z]+)->([a-zA-Z]*)")


def check_equation(value: object) -> str:
    """Two operands and a result, every letter once in each; what only one operand has is in the result."""
    text = value.replace(" ", "") if isinstance(value, str) else ""
    match = _EQUATION.fullmatch(text)
    terms = [set(term) for term in match.groups()] if match else []
    if match is None or any(len(term) != len(text) for term, text in zip(terms, match.groups(), strict=True)):
        raise PydanticCustomError("equation", "Input should be an equation such as bhtd,bhsd->bhts")
    left, right, result = terms
    if not (left ^ right) <= result <= (left | right):
        raise PydanticCustomError(
            "equation", "Input should sum over no letters but those of both operands, as in bhtd,bhsd->bhts"
        )
    return text


class _Axes(NamedTuple):
    """Letters by what becomes of them: of both and kept, of the first alone, of the second alone, summed over."""

    batch: str
    rows: str
    columns: str
    summed: str


class Einsum(Layer):
    """Two tensors, multiplied and summed over the letters that the result leaves out (torch.einsum).

    Torch turns the operands into stacks of matrices (`sumproduct_pair` in aten/src/ATen/native/Linear.cpp): by a view
    where there is one, else by a copy, which may then be kept. Where it sums over no letter of more than one value, it
    multiplies value by value. Sums over letters of one operand are not einsum's here.
    """

    type: Literal["einsum"] = "einsum"
    prefix: ClassVar[str] = "einsum"
    arity: ClassVar[Arity] = Arity(2, 2)
    autocast: ClassVar[Autocast] = IN_16_BITS
    time_class: ClassVar[TimeClass] = "batched product"
    comes_out: ClassVar[Outcome] = "promoted"
    quirks: ClassVar[frozenset[Quirk]] = frozenset(["composed", "stops early"])
    equation: Annotated[str, BeforeValidator(check_equation)]

    @property
    def terms(self) -> tuple[str, str, str]:
        left, rest = self.equation.split(",")
        right, result = rest.split("->")
        return left, right, result

    def _axes(self) -> _Axes:
        left, right, result = self.terms
        order = result + "".join(sorted(set(left + right) - set(result), key=LETTERS.index))
        return _Axes(
            "".join(letter for letter in order if letter in left and letter in right and letter in result),
            "".join(letter for letter in order if letter not in right),
            "".join(letter for letter in order if letter not in left),
            "".join(letter for letter in order if letter not in result),
        )

    @property
    def _swaps(self) -> bool:
        """Torch multiplies the operands in the order that lets the result end with the right one's axes."""
        left, right, result = self.terms
        return bool(result) and result[-1] in left and result[-1] not in right

    def _sizes(self, inputs: Tensors) -> dict[str, int]:
        sizes: dict[str, int] = {}
        for term, tensor in zip(self.terms, inputs, strict=False):
            sizes |= zip(term, tensor.shape, strict=True)
        return sizes

    def treatment(self, inputs: Tensors, device: Device) -> Treatment:
        """The CPU's list has the product of matrices alone, of which torch composes it where it sums."""
        return super().treatment(inputs, device) if device == "cuda" or self._sums(inputs) else "as given"

    def output_types(self, inputs: Tensors) -> Tensors:
        require_floating(inputs)
        if inputs[0].dtype != inputs[1].dtype:
            raise ShapeError("inputs have different dtypes", expected=inputs[0].dtype, found=inputs[1].dtype)
        known: dict[str, int] = {}
        for term, tensor in zip(self.terms, inputs, strict=False):
            if len(term) != tensor.rank:
                raise ShapeError(
                    "equation has another number of axes", expected=f"an axis a letter of {term}", found=str(tensor)
                )
            for letter, size in zip(term, tensor.shape, strict=True):
                if known.setdefault(letter, size) != size:
                    wanted, found = str(known[letter]), f"{size} in {tensor}"
                    raise ShapeError(f"equation gives {letter} two sizes", expected=wanted, found=found)
        return (TensorType(tuple(known[letter] for letter in self.terms[2]), inputs[0].dtype),)

    def _sums(self, inputs: Tensors) -> bool:
        sizes = self._sizes(inputs)
        return any(sizes[letter] > 1 for letter in self._axes().summed)

    def _seen(self, inputs: Tensors, setting: Setting) -> list[tuple[Shape, Strides]] | None:
        """Both operands as they are multiplied value by value; None where there is a sum.

        The result's letters come first, then those summed over, of a single value each; a missing letter is a 1.
        """
        if self._sums(inputs):
            return None
        sizes, summed = self._sizes(inputs), self._axes().summed
        seen: list[tuple[Shape, Strides]] = []
        for index, (term, tensor) in enumerate(zip(self.terms, inputs, strict=False)):
            strides = dict(zip(term, strides_of(tensor.shape, setting.layout(index)), strict=True))
            letters = self.terms[2] + summed
            shape = tuple(sizes[letter] if letter in term else 1 for letter in letters)
            seen.append((shape, tuple(strides.get(letter, 0) for letter in letters)))
        return seen

    def _multiplied(self, inputs: Tensors) -> Tensors | None:
        """The types of those."""
        seen = self._seen(inputs, Setting(frozenset()))
        if seen is None:
            return None
        return tuple(TensorType(shape, tensor.dtype) for (shape, _), tensor in zip(seen, inputs, strict=True))

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        """Sums of products. Without a sum a product a value, both ways, and a sum where an operand is repeated."""
        multiplied = self._multiplied(inputs)
        if multiplied is not None:
            return (pairs(multiplied, outputs[0], (1, 1), "multiplied"),)
        return (Contraction(prod(self._sizes(inputs).values()), (0, 1)),)

    def _matrices(self, inputs: Tensors, index: int) -> tuple[str, tuple[int, ...]]:
        """The letters of an operand in the order in which it is multiplied, and its stack's three sizes."""
        axes, sizes = self._axes(), self._sizes(inputs)
        own = axes.columns if index else axes.rows
        is_left = index == int(self._swaps)
        groups = (axes.batch, own, axes.summed) if is_left else (axes.batch, axes.summed, own)
        return "".join(groups), tuple(prod(sizes[letter] for letter in group) for group in groups)

    def _copied(self, inputs: Tensors, setting: Setting, index: int) -> bool:
        letters, stack = self._matrices(inputs, index)
        tensor, term = inputs[index], self.terms[index]
        strides = strides_of(tensor.shape, setting.layout(index))
        order = [term.index(letter) for letter in letters]
        shape = tuple(tensor.shape[axis] for axis in order)
        return view(shape, tuple(strides[axis] for axis in order), stack) is None

    def _copy(self, inputs: Tensors, index: int) -> Own:
        """Named by the input: both may be copied, to the same shape."""
        matrices = TensorType(self._matrices(inputs, index)[1], inputs[index].dtype)
        return Own(f"matrices of input {index + 1}", matrices)

    def keeps(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Saved, ...]:
        """Each for the other's gradient, in the form in which it was multiplied."""
        kept = (index for index in (0, 1) if 1 - index in setting.needs)
        if self._multiplied(inputs) is not None:
            return tuple(Input(index) for index in kept)
        return tuple(self._copy(inputs, i) if self._copied(inputs, setting, i) else Input(i) for i in kept)

    def scratch(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> Scratch:
        """Copies that nobody keeps. Without a sum, gradients before they are summed up."""
        multiplied = self._multiplied(inputs)
        if multiplied is not None:
            whole = broadcast(multiplied)
            numel = unsummed(multiplied, whole, setting)
            return Scratch(backward=excess("products before they are summed", numel, whole.dtype))
        dropped = (i for i in (0, 1) if 1 - i not in setting.needs and self._copied(inputs, setting, i))
        return Scratch(tuple(self._copy(inputs, index) for index in dropped))

    def is_view(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> bool:
        """A stack of products, its axes apart again and in the result's order; products value by value are none."""
        return bool(self._axes().summed)

    def layouts(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Layout, ...]:
        """The product's rows and columns, in the order of the result."""
        seen = self._seen(inputs, setting)
        if seen is not None:
            rank, whole = outputs[0].rank, broadcast_shape(tuple(TensorType(shape) for shape, _ in seen))
            layout = like(whole, seen)
            return (None if layout is None else laid(outputs[0].shape, layout[:rank]),)
        axes, sizes = self._axes(), self._sizes(inputs)
        strides: dict[str, int] = {}
        step = 1
        own = axes.columns + axes.rows if self._swaps else axes.rows + axes.columns
        for letter in reversed(axes.batch + own):
            strides[letter] = step
            step *= sizes[letter]
        return (laid(outputs[0].shape, tuple(strides[letter] for letter in self.terms[2])),)

    def viewed_gradients(self, inputs: Tensors, setting: Setting) -> tuple[bool, ...]:
        return (True, True)

    def windows(self, inputs: Tensors, outputs: Tensors) -> None:
        """Axes of two tensors meet, so no receptive field is followed."""
        return

    def working(self, inputs: Tensors, outputs: Tensors) -> tuple[Step, ...]:
        sizes = {f"n_{letter}": size for letter, size in self._sizes(inputs).items()}
        axes = [Step(f"output axis {axis}", f"n_{letter}", sizes) for axis, letter in enumerate(self.terms[2])]
        if self._multiplied(inputs) is not None:
            return tuple(axes)
        return (*axes, Step("MACs", "*".join(sizes), sizes, "a product for each combination of the letters"))


LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
"""In torch's order."""
