"""Layers of one's own: registered by a decorator, found by the entry point group `archcost.layers`.

    @archcost.register_layer
    class Attention(Layer):
        type: Literal["my_attention"] = "my_attention"
        card: ClassVar[Card] = ...

Packages that bring layers are asked once in a process, and only where a type or a call is none of ours, or where all
types are listed: importing them takes time that most commands have no need to spend.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, NamedTuple, TypeVar, cast, get_args, overload

from archcost.errors import ArchcostError, first_line, line_of, shorten
from archcost.layers.base import Layer
from archcost.layers.card import Card, Counted, Onnx
from archcost.layers.dtypes import Autocast, Outcome, Treatment
from archcost.layers.guarded import guard
from archcost.layers.listed import PACKAGE, index
from archcost.terms.time_classes import TimeClass

GROUP = "archcost.layers"
"""The entry points that name modules with layers in them, or classes."""

Hook = Callable[..., Any] | str
"""A function, or `module:function` where it lies, so that torch or onnx is imported only when it is asked."""

COUNTED_ALIKE: tuple[Counted, ...] = ("nothing", "macs")
"""What fvcore may count of somebody else's layer: its other rules are about layers of ours."""


class OwnLayer(NamedTuple):
    """A class and the functions that came with it, for what its card does not say."""

    kind: type[Layer]
    call: Hook | None = None
    mirror: Hook | None = None
    onnx: Hook | None = None
    draw: Hook | None = None

    @property
    def type(self) -> str:
        return self.kind.model_fields["type"].default

    def hook(self, name: str) -> Callable[..., Any] | None:
        """The function of that name. Raises ArchcostError where it is not where it was said to be."""
        given: Hook | None = getattr(self, name)
        return named(given, f"{name}= of {class_name(self.kind)}") if isinstance(given, str) else given


@dataclass
class _Registered:
    layers: dict[str, OwnLayer] = field(default_factory=dict[str, OwnLayer])
    failures: list[ArchcostError] = field(default_factory=list[ArchcostError])
    asked: bool = False
    """Whether the packages that bring layers have been imported."""


_REGISTERED = _Registered()

Kind = TypeVar("Kind", bound=type[Layer])


@overload
def register_layer(kind: Kind, /) -> Kind: ...


@overload
def register_layer(
    *, call: Hook | None = None, mirror: Hook | None = None, onnx: Hook | None = None, draw: Hook | None = None
) -> Callable[[Kind], Kind]: ...


def register_layer(
    kind: Any = None,
    /,
    *,
    call: Hook | None = None,
    mirror: Hook | None = None,
    onnx: Hook | None = None,
    draw: Hook | None = None,
) -> Any:
    """Make a layer class one that specs can name and importers find: a decorator, bare or with what its card does not
    say.

    Each of these is a function or `"module:function"`, imported when it is needed. `call(result, *arguments)` returns
    an `archcost.extend.Proposal` for a call of torch, or None; `mirror(layer, inputs)` makes the torch module that
    proves it; `onnx(call)` reads an operator; `draw(part)` writes some.
    Raises ArchcostError where the type, a call or an operator has a class already, or the card is none.
    """

    def register(kind: Kind) -> Kind:
        _add(OwnLayer(kind, call, mirror, onnx, draw))
        return kind

    return register if kind is None else register(kind)


def find(type_: str) -> type[Layer] | None:
    """The class of a type, in a package that was not asked yet if need be. Raises ArchcostError where a package that
    may have it cannot be imported.
    """
    if type_ not in _REGISTERED.layers:
        _ask_packages()
        if type_ not in _REGISTERED.layers:
            require_whole()
            return None
    return _REGISTERED.layers[type_].kind


def registered() -> Mapping[str, OwnLayer]:
    """All of them by type. Raises ArchcostError where a package cannot be imported."""
    _ask_packages()
    require_whole()
    return dict(sorted(_REGISTERED.layers.items()))


def heard() -> Mapping[str, OwnLayer]:
    """By the names of the calls that they are heard as, of those packages that could be imported."""
    _ask_packages()
    return {name: own for own in _REGISTERED.layers.values() for name in own.kind.card.calls}


def require_whole() -> None:
    """Raises ArchcostError where a package that brings layers could not be imported."""
    for failure in _REGISTERED.failures:
        raise failure


def of_class(kind: type[Layer]) -> OwnLayer | None:
    """What was registered with a class; None of a class of ours."""
    return next((own for own in _REGISTERED.layers.values() if own.kind is kind), None)


def class_name(kind: type[Any]) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def named(place: str, where: str) -> Any:
    """What lies at `module:name`, or `module:Class.name`. Raises ArchcostError."""
    module, _, name = place.partition(":")
    try:
        found: Any = import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except Exception as error:
        raise ArchcostError(
            f"{where} cannot be imported", expected="module:name", found=f"{place}: {_told(error)}"
        ) from error
    return found


def forget(type_: str) -> None:
    """Take a type out again, as tests and notebooks may want."""
    _REGISTERED.layers.pop(type_, None)


def _add(own: OwnLayer) -> None:
    _check_class(own.kind)
    _check_free(own)
    if not own.kind.prefix:
        own.kind.prefix = own.type
    guard(own.kind)
    _REGISTERED.layers[own.type] = own


def _check_class(kind: Any) -> None:
    if not (isinstance(kind, type) and issubclass(kind, Layer)):
        raise ArchcostError(
            "not a layer class", expected="a class below archcost.extend.Layer", found=shorten(cast("object", kind))
        )
    type_: Any = kind.model_fields["type"].default
    if not (isinstance(type_, str) and re.fullmatch(r"[a-z]\w*", type_, re.ASCII)):
        raise ArchcostError(
            f"{class_name(kind)} has no type",
            expected='a word of small letters, digits and _: type: Literal["my_layer"] = "my_layer"',
            found=shorten(type_),
        )
    problem = _problem_of_card(getattr(kind, "card", None), kind)
    if problem is not None:
        expected, found = problem
        raise ArchcostError(f"the card of {class_name(kind)} cannot be read", expected=expected, found=shorten(found))


def _problem_of_card(card: Any, kind: type[Layer]) -> tuple[str, Any] | None:
    """What is expected and what was found."""
    if not isinstance(card, Card):
        return "card: ClassVar[Card] = Card(…)", card
    treatments = get_args(Treatment)
    if not isinstance(card.autocast, Autocast) or not {*card.autocast} <= {*treatments}:  # pyright: ignore[reportUnnecessaryIsInstance]
        return f"autocast: Autocast of {', '.join(treatments)}", card.autocast
    words = (("promotion", get_args(Outcome)), ("fvcore", COUNTED_ALIKE), ("time", get_args(TimeClass)))
    for name, known in words:
        if getattr(card, name) not in known:
            return f"{name}: {', '.join(known)}", getattr(card, name)
    if not isinstance(card.calls, tuple) or not all(map(_is_own_call, card.calls)):  # pyright: ignore[reportUnnecessaryIsInstance]
        return "calls: operators as my_library::name, and functions or classes as my_package.module.name", card.calls
    if card.onnx is not None and not (isinstance(card.onnx, Onnx) and "::" in card.onnx.operator):  # pyright: ignore[reportUnnecessaryIsInstance]
        return "onnx: None, or onnx(…) of an operator with its domain in front, as my.domain::Name", card.onnx
    if card.onnx is not None and not {*card.onnx.attributes.values()} <= kind.model_fields.keys():
        return "onnx: attributes that are fields of the layer", ", ".join(card.onnx.attributes.values())
    if card.torch is not None and not re.fullmatch(r"[\w.]+(:[\w.]+)?", str(card.torch)):
        return "torch: None, nn.Module, torch.function, functional.function, Tensor.method, or module:name", card.torch
    return None


def _is_own_call(name: Any) -> bool:
    return isinstance(name, str) and ("::" in name or "." in name) and not name.startswith("aten::")


def _check_free(own: OwnLayer) -> None:
    """A class that is defined once more, as in a notebook, takes its own place."""
    card = own.kind.card
    if own.type in index():
        place = index()[own.type]
        raise _taken(f"the layer type {own.type}", own, f"{PACKAGE}.{place.module}.{place.name}")
    for other in _REGISTERED.layers.values():
        if class_name(other.kind) == class_name(own.kind):
            continue
        if other.type == own.type:
            raise _taken(f"the layer type {own.type}", own, class_name(other.kind))
        for name in other.kind.card.calls:
            if name in card.calls:
                raise _taken(f"the call {name}", own, class_name(other.kind))
        operator = other.kind.card.onnx.operator if other.kind.card.onnx else None
        if operator is not None and card.onnx is not None and card.onnx.operator == operator:
            raise _taken(f"the ONNX operator {operator}", own, class_name(other.kind))


def _taken(what: str, own: OwnLayer, other: str) -> ArchcostError:
    return ArchcostError(f"{what} has two classes: {class_name(own.kind)} and {other}", expected="one class for each")


def _ask_packages() -> None:
    """Import the packages that bring layers, once. What fails is told when it matters."""
    if _REGISTERED.asked:
        return
    _REGISTERED.asked = True
    from importlib.metadata import entry_points

    for found in sorted(entry_points(group=GROUP)):
        try:
            given: Any = found.load()
            if isinstance(given, type) and of_class(given) is None:
                register_layer(given)
        except (Exception, SystemExit) as error:
            _REGISTERED.failures.append(
                ArchcostError(
                    f"the layers of {_package_of(found)} cannot be imported",
                    expected=f"a module or class at {found.value}",
                    found=_told(error),
                    hint="mend the package, or uninstall it",
                )
            )


def _package_of(found: Any) -> str:
    distribution = f" of the package {found.dist.name} {found.dist.version}" if found.dist else ""
    return f"{found.name}, an entry point{distribution}" if distribution else found.name


def _told(error: BaseException) -> str:
    """What an error says, in one line, and where it was raised."""
    if isinstance(error, ArchcostError):
        return "; ".join(str(part) for part in (error.problem, error.found) if part)
    place = line_of(error)
    at = f" at {place.file}:{place.line}" if place else ""
    return f"{type(error).__name__}: {first_line(error)}{at}"
