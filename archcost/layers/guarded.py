"""Rules of somebody else's layer, held to what a rule has to give.

Ours are tested row by row; a class from elsewhere may raise anything, or answer with what nobody can count. Either is
told in one message that names the class and the rule.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, cast

from archcost.errors import ArchcostError, first_line, line_of, shorten
from archcost.layers.base import Layer, Weight, WeightedLayer
from archcost.layers.rules import Autograd, Call, Placement, Precision, Timing
from archcost.tensors import ALL_BYTES, TensorType
from archcost.terms.autograd import Input, Output, Own, Stored
from archcost.terms.expressions import Step
from archcost.work import Contraction, Elementwise, Shared

Check = Callable[[Layer, tuple[Any, ...], Any], str | None]
"""What is wrong with an answer, given what was asked; None where nothing is."""


class RuleError(ArchcostError):
    """A rule of a layer class that others wrote fails, or gives what cannot be an answer."""


def guard(kind: type[Layer]) -> None:
    """Wrap the rules that the class has from elsewhere than archcost."""
    for rule, check in CHECKS.items():
        function = getattr(kind, rule)
        if not function.__module__.startswith("archcost."):
            setattr(kind, rule, _guarded(kind, rule, function, check))


def _guarded(kind: type[Layer], rule: str, function: Callable[..., Any], check: Check) -> Callable[..., Any]:
    where = f"{kind.__module__}.{kind.__qualname__}"

    @wraps(function)
    def asked(layer: Layer, *given: Any) -> Any:
        try:
            answer = function(layer, *given)
        except (ArchcostError, RecursionError):
            raise
        except Exception as error:
            place = line_of(error)
            at = f" at {place.file}:{place.line}" if place else ""
            raise RuleError(
                f"the rule {rule} of {where} fails",
                expected="an answer, or archcost.extend.ShapeError where the inputs do not suit",
                found=f"{type(error).__name__}: {first_line(error)}{at}",
            ) from error
        problem = check(layer, given, answer)
        if problem is not None:
            raise RuleError(f"the rule {rule} of {where} gives no answer", expected=problem, found=shorten(answer, 200))
        return answer

    asked.__module__ = "archcost.layers.guarded"  # so that a class below is not guarded twice for it
    return asked


def _is_shape(shape: Any, least: int) -> bool:
    return isinstance(shape, tuple) and all(
        type(size) is int and size >= least for size in cast("tuple[Any, ...]", shape)
    )


def _is_tensor(tensor: Any) -> bool:
    return isinstance(tensor, TensorType) and _is_shape(tensor.shape, 0) and tensor.dtype in ALL_BYTES


def _are(answer: Any, holds: Callable[[Any], bool]) -> bool:
    return isinstance(answer, tuple) and all(map(holds, cast("tuple[Any, ...]", answer)))


def _outputs(layer: Layer, given: tuple[Any, ...], answer: Any) -> str | None:
    if answer and _are(answer, _is_tensor):
        return None
    return "a tuple of TensorType, each with a tuple of integers and the name of a dtype"


def _weights(layer: Layer, given: tuple[Any, ...], answer: Any) -> str | None:
    def is_weight(weight: Any) -> bool:
        return isinstance(weight, Weight) and isinstance(weight.name, str) and _is_shape(weight.shape, 1)  # pyright: ignore[reportUnnecessaryIsInstance]

    if not _are(answer, is_weight):
        return "a tuple of Weight, each with a name and a tuple of integers from 1"
    if answer and not isinstance(layer, WeightedLayer):
        return "a class below WeightedLayer, for a layer with weights"
    names = [weight.name for weight in answer]
    return None if len(set(names)) == len(names) else "a name of its own for each weight"


def _work(layer: Layer, given: tuple[Any, ...], answer: Any) -> str | None:
    if not _are(answer, lambda part: isinstance(part, (Contraction, Elementwise, Shared))):
        return "a tuple of Contraction, Elementwise, Reduction, Gather, Copy and Shared"
    operands = {*range(len(given[0])), *(weight.name for weight in layer.weights(given[0]))}
    parts: Sequence[Contraction | Elementwise | Shared] = answer
    for part in parts:
        inner = part.part if isinstance(part, Shared) else part
        if isinstance(inner, Contraction):
            numbers: Sequence[Any] = (inner.macs,)
        else:
            numbers = (inner.numel, inner.operations, *inner.gradients.values())
        if not all(type(number) is int and number >= 0 for number in numbers):
            return "whole numbers from 0"
        if not {*part.operands} <= operands:
            return f"operands that it has: {', '.join(map(repr, sorted(operands, key=str)))}"
    return None


def _autograd(layer: Layer, given: tuple[Any, ...], answer: Any) -> str | None:
    call: Call = given[0]
    if not isinstance(answer, Autograd):
        return "Autograd(saved, gradients)"
    if len(answer.gradients) != len(call.inputs):
        return f"a gradient, or None, for each of {len(call.inputs)} inputs"
    weights = {weight.name for weight in layer.weights(call.inputs)}
    for kept in answer.saved:
        match kept:
            case Input(index):
                known = 0 <= index < len(call.inputs)
            case Output(index):
                known = 0 <= index < len(call.outputs)
            case Stored(name):
                known = name in weights
            case _:
                known = isinstance(kept, Own) and _is_tensor(kept.tensor)  # pyright: ignore[reportUnnecessaryIsInstance]
        if not known:
            return "what it keeps as Input, Output or Stored that it has, or Own"
    temporaries = (*answer.forward, *answer.backward)
    if not all(isinstance(own, Own) and _is_tensor(own.tensor) for own in temporaries):  # pyright: ignore[reportUnnecessaryIsInstance]
        return "temporaries as Own"
    return None


def _placement(layer: Layer, given: tuple[Any, ...], answer: Any) -> str | None:
    outputs = len(given[0].outputs)
    fits = isinstance(answer, Placement) and len(answer.aliases) == len(answer.layouts) == outputs
    return None if fits else f"Placement with an alias and a layout for each of {outputs} outputs"


def _of(kind: type[Any]) -> Check:
    return lambda layer, given, answer: None if isinstance(answer, kind) else kind.__name__


def _tensors(layer: Layer, given: tuple[Any, ...], answer: Any) -> str | None:
    return None if _are(answer, lambda own: isinstance(own, Own) and _is_tensor(own.tensor)) else "a tuple of Own"


def _windows(layer: Layer, given: tuple[Any, ...], answer: Any) -> str | None:
    return None if answer is None or isinstance(answer, tuple) else "a rule for each axis, or None"


def _working(layer: Layer, given: tuple[Any, ...], answer: Any) -> str | None:
    return None if _are(answer, lambda step: isinstance(step, Step)) else "a tuple of Step"


CHECKS: dict[str, Check] = {
    "output_types": _outputs,
    "weights": _weights,
    "work": _work,
    "autograd": _autograd,
    "placement": _placement,
    "overwrites": _of(bool),
    "precision": _of(Precision),
    "watched": _tensors,
    "timing": _of(Timing),
    "windows": _windows,
    "working": _working,
}
"""By the name of a rule."""
