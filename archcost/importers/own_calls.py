"""Calls that are layers which others have registered: operators, functions, classes of modules and Functions.

A function mode hears an operator by itself. Python functions, forward of a module's class and `apply` of a
`torch.autograd.Function` are made to ask it, as functions of torch do.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial, wraps
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch._ops import OpOverloadPacket
from torch.autograd import Function
from torch.overrides import handle_torch_function

from archcost.errors import ArchcostError, first_line, line_of
from archcost.importers.function_apply import Applied, Plain, apply_replaced
from archcost.importers.identity import type_of
from archcost.importers.recorder import Recorder
from archcost.importers.torch.proposal import Proposal, Rule
from archcost.importers.trace import tensors_in
from archcost.layers import Layer, own


@dataclass(frozen=True, slots=True)
class OwnCall:
    """A call of somebody's Python in the form of a torch function, so that the mode intercepts it."""

    name: str
    run: Callable[..., Any] = field(compare=False)
    inside: Callable[..., Any] = field(compare=False)
    """The same where it is no layer after all, so that its own calls are to be heard."""

    @property
    def __name__(self) -> str:
        return self.name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.run(*args, **kwargs)


def own_rule(name: str) -> Rule | None:
    """The rule for a call by this name. Raises ArchcostError for an operator of nobody known, where a package that may
    know it cannot be imported.
    """
    if "::" not in name and "." not in name:
        return None
    registered = own.heard().get(name)
    if registered is None:
        if "::" in name and not name.startswith(("aten::", "prim")):
            own.require_whole()
        return None
    written = registered.hook("call")
    return Rule(_checked(registered, written) if written else partial(_by_names, registered, name), False)


def note_refused(record: Recorder, name: str) -> None:
    """Say that a call by this name was no such layer, whose card names it: its author will want to know."""
    registered = own.heard().get(name)
    if registered is None:
        return
    why = "its rules give other shapes, dtypes or weights than torch, or it takes other arguments"
    text = f"{name} is not read as {registered.type}: {why}"
    if text not in record.assumptions:
        record.assumptions.append(text)


def _checked(registered: own.OwnLayer, function: Callable[..., Any]) -> Callable[..., Proposal | None]:
    where = f"call= of {own.class_name(registered.kind)}"

    def rule(result: Any, *arguments: Any, **named: Any) -> Proposal | None:
        try:
            proposal = function(result, *arguments, **named)
        except ArchcostError:
            raise
        except Exception as error:
            place = line_of(error)
            at = f" at {place.file}:{place.line}" if place else ""
            found = f"{type(error).__name__}: {first_line(error)}{at}"
            raise ArchcostError(f"{where} fails", expected="a Proposal, or None", found=found) from error
        if proposal is None or isinstance(proposal, Proposal):
            return proposal
        raise ArchcostError(f"{where} gives no answer", expected="a Proposal, or None", found=type(proposal).__name__)

    return rule


def _by_names(registered: own.OwnLayer, name: str, result: Any, *arguments: Any, **named: Any) -> Proposal | None:
    """Tensors are inputs, or weights where the layer has weights of these names; everything else are its fields.

    Of a module the weights are its own, and the fields its attributes of the same names.
    """
    target = _target(name)
    is_module = _is_below(target, nn.Module)
    given = _bound(target, arguments, named)
    if given is None:
        return None
    tensors = {key: value for key, value in given.items() if isinstance(value, Tensor)}
    kind = registered.kind
    if not {*_fields(kind)}.isdisjoint(tensors):
        return None  # what is a number to the layer may not be a tensor
    if is_module:
        module: nn.Module = arguments[0]
        own_tensors = {**dict(module.named_parameters()), **dict(module.named_buffers())}
        fields = {key: getattr(module, key) for key in _fields(kind) if hasattr(module, key)}
    else:
        own_tensors = {}
        fields = {key: value for key, value in given.items() if key not in tensors}
    known = {key: _as_field(kind, key, value) for key, value in fields.items() if key in _fields(kind)}
    if any(value is not None for key, value in fields.items() if key not in known):
        return None  # an argument that the layer knows nothing of
    names = _weight_names(kind, known, tensors)
    weights = {key: own_tensors.get(key, tensors.get(key)) for key in names}
    inputs = [value for key, value in tensors.items() if key not in names]
    return Proposal(registered.type, inputs, known, {key: value for key, value in weights.items() if value is not None})


def _fields(kind: type[Layer]) -> list[str]:
    return [name for name in kind.model_fields if name not in ("type", "name", "inputs", "trainable", "given")]


def _as_field(kind: type[Layer], name: str, value: Any) -> Any:
    annotation = kind.model_fields[name].annotation
    if annotation is bool and not isinstance(value, bool):
        return value is not None and (isinstance(value, Tensor) or bool(value))
    if isinstance(value, int) and not isinstance(value, bool) and annotation is float:
        return float(value)
    return str(value).removeprefix("torch.") if isinstance(value, torch.dtype) else value


def _weight_names(kind: type[Layer], fields: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> list[str]:
    """Which weights the layer has, asked with the tensors of other names as its inputs."""
    try:
        layer = kind.model_validate({"type": kind.model_fields["type"].default, **fields})
        types = {name: type_of(tensor) for name, tensor in tensors.items()}
        most = layer.arity.most
        inputs = tuple([types[name] for name in tensors][:most])
        return [weight.name for weight in layer.weights(inputs)]
    except (ValueError, ArchcostError):
        return []


def _bound(target: Any, arguments: Sequence[Any], named: Mapping[str, Any]) -> dict[str, Any] | None:
    """The arguments by name, lists of tensors written out; None where they do not fit."""
    try:
        signature = _signature(target)
        given = signature.bind(*arguments, **named).arguments
    except (TypeError, ValueError):
        return None
    flat: dict[str, Any] = {}
    for name, value in given.items():
        kind = signature.parameters[name].kind
        if kind is inspect.Parameter.VAR_KEYWORD:
            flat |= value
            continue
        tensors = tensors_in(value)
        if isinstance(value, (list, tuple)) and tensors:
            flat |= {f"{name}[{place}]": tensor for place, tensor in enumerate(tensors)}
        elif not isinstance(value, nn.Module):
            flat[name] = value
    return flat


def _signature(target: Any) -> inspect.Signature:
    if _is_below(target, nn.Module):
        return inspect.signature(target.forward)
    if _is_below(target, Function):
        whole = inspect.signature(target.forward)
        with_context = target.setup_context is Function.setup_context
        return whole.replace(parameters=[*whole.parameters.values()][with_context:])
    if not isinstance(target, OpOverloadPacket):
        return inspect.signature(target)
    schema: Any = getattr(cast("Any", target), target.overloads()[0])._schema
    kinds: Any = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return inspect.Signature(
        [
            inspect.Parameter(each.name, kinds[each.kwarg_only], default=each.default_value)
            if each.has_default_value()
            else inspect.Parameter(each.name, kinds[each.kwarg_only])
            for each in schema.arguments
        ]
    )


def _is_below(target: Any, kind: type[Any]) -> bool:
    return isinstance(target, type) and issubclass(cast("type[Any]", target), kind)


def _target(name: str) -> Any:
    """What a card's call is the name of, if it is there."""
    if "::" in name:
        library, _, operator = name.partition("::")
        return getattr(getattr(torch.ops, library), operator, None)
    parts = name.split(".")
    for length in range(len(parts) - 1, 0, -1):
        module = sys.modules.get(".".join(parts[:length]))
        if module is None:
            continue
        found: Any = module
        for part in parts[length:]:
            found = getattr(found, part, None)
        return found
    return None


def _asks(call: OwnCall) -> Callable[..., Any]:
    @wraps(call.run)
    def asking(*args: Any, **kwargs: Any) -> Any:
        if not torch._C._is_torch_function_mode_enabled():  # pyright: ignore[reportPrivateUsage]
            return call.run(*args, **kwargs)
        return handle_torch_function(cast("Any", call), (), *args, **kwargs)

    return asking


@contextmanager
def intercepted() -> Generator[None]:
    """Functions and modules that are registered layers are calls which a function mode hears."""
    with ExitStack() as stack:
        for name in own.heard():
            target: Any = None if "::" in name else _target(name)
            if _is_below(target, nn.Module):
                forward = target.forward
                stack.enter_context(_replaced(target, "forward", _asks(OwnCall(name, forward, forward))))
            elif inspect.isroutine(target):
                asking = _asks(OwnCall(name, target, target))
                for home, attribute in _holders(target):
                    stack.enter_context(_replaced(home, attribute, asking))
        yield


def _holders(function: Any) -> Iterator[tuple[Any, str]]:
    """The modules that have a function, and by which name."""
    for module in [*sys.modules.values()]:
        for name, held in [*getattr(module, "__dict__", {}).items()]:
            if held is function:
                yield module, name


@contextmanager
def _replaced(home: Any, name: str, value: Any) -> Generator[None]:
    before, is_own = getattr(home, name), name in vars(home)
    setattr(home, name, value)
    try:
        yield
    finally:
        if is_own:
            setattr(home, name, before)
        else:
            delattr(home, name)


def registered_first(applied: Applied) -> Applied:
    """Functions that are registered layers ask the mode; all others are `applied`."""
    functions = {target: name for name in own.heard() if inspect.isclass(target := _target(name))}

    def apply(cls: Any, plain: Plain, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        if cls not in functions:
            return applied(cls, plain, args, kwargs)

        def inside(*given: Any, **named: Any) -> Any:
            return applied(cls, plain, given, named)

        return _asks(OwnCall(functions[cls], plain, inside))(*args, **kwargs)

    return apply


@contextmanager
def functions_intercepted() -> Generator[None]:
    """The same of Functions, in a run in which no others are followed."""
    with apply_replaced(registered_first(lambda cls, plain, args, kwargs: plain(*args, **kwargs))):
        yield
