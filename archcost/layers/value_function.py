"""Functions of each value alone: what one formula says is all that they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, NamedTuple, TypeVar

from archcost.errors import ShapeError
from archcost.layers.base import Layer
from archcost.layers.card import Card
from archcost.layers.checks import require_floating
from archcost.layers.complex_operations import complex_operations
from archcost.layers.derivative import made_and_dropped, operations, read, written
from archcost.layers.fields import Flag
from archcost.layers.memory_order import value_by_value
from archcost.layers.rows import row
from archcost.layers.rules import Autograd, Call, Placement
from archcost.tensors import Tensors, TensorType
from archcost.terms.autograd import INPUT, OUTPUT, Own, Saved, Setting, excess
from archcost.work import Elementwise, Work

Integers = Literal["refused", "kept", "float32"]
"""What becomes of integers: an error, integers, or floats as torch makes them."""

COMPLEX = frozenset(["x", "y", "dy"])

REFERENCES: dict[str, Saved] = {"x": INPUT, "y": OUTPUT}


class Formula(NamedTuple):
    """y of x, and the gradient of x: expressions as `derivative` reads them.

    `saved` names what torch keeps, where that is not what backward reads. `is_composed` says that torch runs backward
    operator by operator, where it has no kernel for it.
    """

    forward: str
    backward: str
    saved: str | None = None
    is_composed: bool = False

    @property
    def kept(self) -> str:
        return "".join(read(self.backward)) if self.saved is None else self.saved

    def __str__(self) -> str:
        return f"y = {written(self.forward)}; dx = {written(self.backward)}"


class Written:
    """A formula as the docstring of a class, put into words when somebody asks for it."""

    def __init__(self, formula: Formula) -> None:
        self.formula = formula

    def __get__(self, instance: object, owner: type) -> str:
        return f"{self.formula}."


def require_numbers(tensor: TensorType) -> None:
    if tensor.dtype == "bool":
        raise ShapeError("needs numbers", expected="integers or floats", found=str(tensor), hint="cast")


class ValueFunction(Layer):
    """One value in, one value out."""

    formula: ClassVar[Formula]
    complex_formula: ClassVar[Formula | None] = None
    """That of complex numbers, where conjugates are taken; without one they are refused."""
    integers: ClassVar[Integers] = "refused"

    def chosen(self) -> Formula:
        """The formula, where the fields choose between several."""
        return self.formula

    def output_types(self, inputs: Tensors) -> Tensors:
        return (TensorType(inputs[0].shape, self.result_dtype(inputs[0])),)

    def result_dtype(self, source: TensorType) -> str:
        """Raises ShapeError for values that the function has no result for."""
        if self.integers == "refused":
            require_floating((source,))
        elif self.integers == "kept":
            require_numbers(source)
        elif not source.is_floating:
            return "float32"
        return source.dtype

    def rule(self, source: TensorType) -> Formula:
        """The formula of values of that kind."""
        return self.complex_formula or self.chosen() if source.is_complex else self.chosen()

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        formula = self.rule(inputs[0])
        if inputs[0].is_complex:
            counts = [complex_operations(text, COMPLEX) for text in (formula.forward, formula.backward)]
            return (Elementwise(inputs[0].numel, counts[0], {0: counts[1]}, self.type),)
        backward = operations(formula.backward)
        return (Elementwise(inputs[0].numel, operations(formula.forward), {0: backward}, self.type),)

    def autograd(self, call: Call) -> Autograd:
        return Autograd(self.saved(call), call.inputs, backward=self.factors(call))

    def placement(self, call: Call) -> Placement:
        return value_by_value(call, None)

    def saved(self, call: Call) -> tuple[Saved, ...]:
        return tuple([REFERENCES[name] for name in self.rule(call.source).kept])

    def factors(self, call: Call) -> tuple[Own, ...]:
        """The tensors between the operators of a composed backward."""
        formula = self.rule(call.source)
        count = made_and_dropped(formula.backward) if formula.is_composed else 0
        return excess("factors of the gradient", count * call.source.numel, call.source.dtype)


class OverwritingFunction(ValueFunction):
    """`inplace: true` overwrites the input. Where backward works from the input, torch then keeps a copy of it, or the
    result if backward can work from that.
    """

    inplace: Flag = False

    def output_types(self, inputs: Tensors) -> Tensors:
        outputs = super().output_types(inputs)
        if self.inplace and outputs != inputs:
            raise ShapeError("inplace needs a result like the input", expected=str(outputs[0]), found=str(inputs[0]))
        return outputs

    def saved(self, call: Call) -> tuple[Saved, ...]:
        saved = super().saved(call)
        if not self.inplace or INPUT not in saved:
            return saved
        return (OUTPUT,) if "y" in read(self.chosen().backward) else (Own("copy of the input", call.source),)

    def placement(self, call: Call) -> Placement:
        return value_by_value(call, 0 if self.inplace else None)

    def overwrites(self, setting: Setting) -> bool:
        return self.inplace


class Activation(OverwritingFunction):
    """One whose module in torch has `inplace`, so that a network may be asked to overwrite wherever it can."""


Base = TypeVar("Base", bound=ValueFunction)


def function(
    module: str,
    base: type[Base],
    name: str,
    type_: str,
    formula: Formula,
    card: Card,
    integers: Integers = "refused",
    fields: Mapping[str, tuple[Any, Any]] = {},
    prefix: str | None = None,
) -> type[Base]:
    """A row of the table in `module`, whose formula says what the layer is."""
    said = {"formula": formula, "integers": integers, "prefix": prefix or type_, "positional": tuple(fields)}
    return row(module, base, name, type_, Written(formula), card, fields, **said)
