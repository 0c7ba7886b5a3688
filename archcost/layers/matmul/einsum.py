"""Sums of products along named axes."""

from __future__ import annotations

import re
from dataclasses import replace
from math import prod
from typing import Annotated, ClassVar, Literal, NamedTuple

from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

from archcost.errors import ShapeError
from archcost.layers.base import Arity, Layer
from archcost.layers.broadcasting import (
    broadcast,
    broadcast_shape,
    complex_pairs,
    conjugated_products,
    pairs,
    summed_back,
    unsummed,
)
from archcost.layers.card import Card, onnx
from archcost.layers.checks import require_floating
from archcost.layers.matmul.product import product_card
from archcost.layers.rules import Autograd, Call, NewView, Placement, Precision, Quirk, own_storage
from archcost.tensors import Tensors, TensorType
from archcost.terms.autograd import Device, Input, Own, Saved, Setting, excess
from archcost.terms.expressions import Step
from archcost.terms.memory_format import Layout, Shape, Strides, laid, like, strides_of, view
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
    card: ClassVar[Card] = product_card(
        None, ("einsum",), onnx("Einsum", equation="equation"), "nothing", promotion="promoted"
    )
    quirks: ClassVar[frozenset[Quirk]] = frozenset(["composed", "stops early"])
    takes_complex: ClassVar[bool] = True
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

    def precision(self, inputs: Tensors, device: Device) -> Precision:
        """The CPU's list has the product of matrices alone, of which torch composes it where it sums."""
        given = super().precision(inputs, device)
        return given if device == "cuda" or self._sums(inputs) else given._replace(treatment="as given")

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
            products = pairs(multiplied, outputs[0], (1, 1), "multiplied")
            return (complex_pairs(multiplied, outputs[0], "multiplied") if outputs[0].is_complex else products,)
        return (Contraction(prod(self._sizes(inputs).values()) * inputs[0].real_macs, (0, 1)),)

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

    def autograd(self, call: Call) -> Autograd:
        """Each is kept for the other's gradient, in the form in which it was multiplied; copies that nobody keeps are
        dropped. Without a sum, gradients are made for every value before they are summed up.
        """
        multiplied = self._multiplied(call.inputs)
        gradients = tuple(map(NewView, call.inputs))
        if multiplied is not None:
            whole = broadcast(multiplied)
            numel = unsummed(multiplied, whole, call.setting)
            saved = tuple([Input(index) for index in (0, 1) if call.needs(1 - index)])
            if whole.is_complex:
                alone = replace(call, inputs=multiplied, outputs=(whole,))
                worked = summed_back(alone, during=conjugated_products(alone))
                return Autograd(saved, gradients, backward=worked.backward)
            return Autograd(saved, gradients, backward=excess("products before they are summed", numel, whole.dtype))
        kept: list[Saved] = []
        dropped: list[Own] = []
        for index in (0, 1):
            copied = self._copied(call.inputs, call.setting, index)
            if call.needs(1 - index):
                kept.append(self._copy(call.inputs, index) if copied else Input(index))
            elif copied:
                dropped.append(self._copy(call.inputs, index))
        return Autograd(tuple(kept), gradients, tuple(dropped))

    def placement(self, call: Call) -> Placement:
        """The product's rows and columns in the order of the result: a view of a stack of products, its axes apart
        again. Products value by value are none.
        """
        return own_storage(call, (self._layout(call),))._replace(is_view=bool(self._axes().summed))

    def _layout(self, call: Call) -> Layout:
        result, seen = call.result, self._seen(call.inputs, call.setting)
        if seen is not None:
            layout = like(broadcast_shape(tuple([TensorType(shape) for shape, _ in seen])), seen)
            return None if layout is None else laid(result.shape, layout[: result.rank])
        axes, sizes = self._axes(), self._sizes(call.inputs)
        strides: dict[str, int] = {}
        step = 1
        own = axes.columns + axes.rows if self._swaps else axes.rows + axes.columns
        for letter in reversed(axes.batch + own):
            strides[letter] = step
            step *= sizes[letter]
        return laid(result.shape, tuple([strides[letter] for letter in self.terms[2]]))

    def windows(self, inputs: Tensors, outputs: Tensors) -> None:
        """Axes of two tensors meet, so no receptive field is followed."""
        return

    def working(self, inputs: Tensors, outputs: Tensors) -> tuple[Step, ...]:
        sizes = {f"n_{letter}": size for letter, size in self._sizes(inputs).items()}
        axes = [Step(f"output axis {axis}", f"n_{letter}", sizes) for axis, letter in enumerate(self.terms[2])]
        if self._multiplied(inputs) is not None:
            return tuple(axes)
        each = "4*" if inputs[0].is_complex else ""
        return (*axes, Step("MACs", each + "*".join(sizes), sizes, "a product for each combination of the letters"))


LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
"""In torch's order."""
