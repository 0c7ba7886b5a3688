"""FLOPs of an operator by the formula that its author registered with torch's counter, for any batch.

A formula is asked for several batches, with meta tensors of those sizes, and answers with numbers; between them lies a
polynomial in the batch, which the spec keeps. Backward is run for each of them: what its operators cost together is
known if each that is none of torch's own has a formula, too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor
from torch._ops import OpOverload, OpOverloadPacket
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map
from torch.utils.flop_counter import flop_registry

from archcost.errors import first_line, line_of
from archcost.importers.torch.proposal import SAMPLES, samples_in
from archcost.importers.trace import tensors_in

BATCHES = (1, 2, 3)
"""Enough for a polynomial of the second degree; the batch of the run itself must lie on it."""

Coefficients = tuple[int, ...]
"""Of 1, the batch, and its square."""


class Formulas(NamedTuple):
    """What the formulas say; None of what nobody has a formula for. `problem`: why one that is there says nothing."""

    forward: Coefficients | None
    backward: Coefficients | None
    problem: str | None = None


NOTHING = Formulas(None, None)


class FormulaError(Exception):
    """A formula fails, or gives what is no polynomial of the batch."""


def formulas_of(func: Any, args: Any, kwargs: Any) -> Formulas:
    """For a call of an operator that is about to be recorded as opaque."""
    packet = _packet_of(func)
    if packet is None or packet not in _registry():
        return NOTHING
    try:
        forward = _polynomial(lambda batch: _forward(func, args, kwargs, batch))
    except FormulaError as error:
        return Formulas(None, None, str(error))
    try:
        backward = _polynomial(lambda batch: _backward(func, args, kwargs, batch))
    except FormulaError:
        backward = None
    return Formulas(forward, backward)


def _registry() -> Mapping[Any, Callable[..., Any]]:
    return cast("Any", flop_registry)


def _packet_of(func: Any) -> OpOverloadPacket[..., Any] | None:
    packet: Any = cast("Any", func).overloadpacket if isinstance(func, OpOverload) else func
    return cast("Any", packet) if isinstance(packet, OpOverloadPacket) else None


def _polynomial(flops: Callable[[int], int]) -> Coefficients:
    """The coefficients. Raises FormulaError."""
    known = [(batch, flops(batch)) for batch in BATCHES]
    (_, one), (_, two), (_, three) = known
    square = Fraction(three - 2 * two + one, 2)
    linear = two - one - 3 * square
    found = (one - linear - square, linear, square)
    if any(each.denominator != 1 for each in found):
        raise FormulaError("its formula gives no polynomial in the batch")
    coefficients = [int(each) for each in found]
    if sum(each * SAMPLES**power for power, each in enumerate(coefficients)) != flops(SAMPLES):
        raise FormulaError("its formula gives no polynomial in the batch")
    while len(coefficients) > 1 and not coefficients[-1]:
        coefficients.pop()
    if any(each < 0 for each in coefficients):
        raise FormulaError("its formula gives fewer FLOPs for more samples")
    return tuple(coefficients)


def _resized(value: Any, batch: int, needs: bool) -> Any:
    """The arguments for another batch, on the meta device."""

    def size(given: int) -> int:
        return samples_in(given) * batch or given

    def one(each: Any) -> Any:
        if isinstance(each, Tensor):
            made = torch.empty([*map(size, each.shape)], dtype=each.dtype, device="meta")
            return made.requires_grad_() if needs and each.is_floating_point() else made
        return size(each) if type(each) is int else each

    return tree_map(one, value)


def _told(packet: Any, args: Any, kwargs: Any, result: Any) -> int:
    """What a formula says. Raises FormulaError."""
    try:
        flops = _registry()[packet](*args, **kwargs, out_val=result)
    except Exception as error:
        place = line_of(error)
        at = f" at {place.file}:{place.line}" if place else ""
        raise FormulaError(f"its formula fails ({type(error).__name__}: {first_line(error)}{at})") from error
    if type(flops) is not int or flops < 0:
        raise FormulaError(f"its formula gives {flops!r:.40}, which is no number of FLOPs")
    return flops


def _forward(func: Any, args: Any, kwargs: Any, batch: int) -> int:
    given, named = _resized(args, batch, False), _resized(kwargs, batch, False)
    try:
        result = func(*given, **named)
    except Exception as error:
        raise FormulaError(f"it cannot be run for another batch ({first_line(error)})") from error
    return _told(_packet_of(func), given, named, result)


class _BackwardMode(TorchDispatchMode):
    """Adds up what the formulas of all operators say. Torch's own without a formula have no products, by its counter;
    of anybody else's nothing is known.
    """

    def __init__(self) -> None:
        super().__init__()  # pyright: ignore[reportUnknownMemberType]
        self.flops = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        named: dict[str, Any] = kwargs or {}
        result = func(*args, **named)
        packet = _packet_of(func)
        if packet in _registry():
            self.flops += _told(packet, args, named, result)
        elif not str(func._schema.name).startswith(("aten::", "prim")):
            raise FormulaError(f"{func._schema.name} has no formula")
        return result


def _backward(func: Any, args: Any, kwargs: Any, batch: int) -> int:
    """What the operators of its backward cost, every floating input wanting its gradient."""
    given, named = _resized(args, batch, True), _resized(kwargs, batch, True)
    try:
        with torch.enable_grad():
            results = [each for each in tensors_in(func(*given, **named)) if each.requires_grad]
            if not results:
                return 0
            gradients = [torch.empty_like(each) for each in results]
            with _BackwardMode() as mode:
                torch.autograd.backward(results, gradients)
    except FormulaError:
        raise
    except Exception as error:
        raise FormulaError(f"its backward cannot be run ({first_line(error)})") from error
    return mode.flops
