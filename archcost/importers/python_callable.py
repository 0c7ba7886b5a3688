"""`package.module:callable` → `ModelSpec`: the caller's own Python is imported and run."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from archcost.errors import ArchcostError, first_line, line_of, listing, nearest, shorten
from archcost.importers.lengths import of_length
from archcost.spec import ModelSpec
from archcost.spec.overrides import parse_input
from archcost.terms.memory_format import Shape

if TYPE_CHECKING:
    from torch import nn


class CalledModule(NamedTuple):
    """The module of a callable, its spec, and the arguments of its forward. `make` makes the module again."""

    spec: ModelSpec
    module: nn.Module
    given: Sequence[Any]
    named: Mapping[str, Any]
    make: Callable[[], nn.Module]


def load_callable(network: str, args: Any = None, inputs: Sequence[str] = (), sequence: int | None = None) -> ModelSpec:
    """The network of the module that the callable returns: see `call`."""
    return call(network, args, inputs, sequence).spec


def call(network: str, args: Any = None, inputs: Sequence[str] = (), sequence: int | None = None) -> CalledModule:
    """The module that the callable returns, given `args`, imported with inputs of these shapes; of them those that
    hold tokens have the length `sequence`, where it is given.

    What the callable's code prints goes to standard error. Raises ArchcostError.
    """
    with printing_to_stderr():
        make = find_callable(network)
        positional, named = _arguments(args)
        if sequence is not None:
            inputs = of_length(inputs, sequence)
        if not inputs:
            raise ArchcostError(
                f"{network} needs inputs to be run with",
                expected="--input once for each input, per sample",
                found="none",
                hint="--input 3x224x224, or --input 128:int64",
            )
        _require_torch(network)
        return _import(network, make, positional, named, inputs)


def importable_from(folder: str | Path) -> None:
    """Modules that lie in a folder can be imported from now on."""
    if (absolute := os.path.abspath(folder)) not in sys.path:
        sys.path.insert(0, absolute)


def find_callable(network: str) -> Callable[..., Any]:
    """What `package.module:name` means. The current folder can be imported from, as with `python -m`."""
    module, _, name = network.partition(":")
    if "" not in sys.path:
        importable_from(os.getcwd())
    try:
        found: Any = import_module(module)
    except (Exception, SystemExit) as error:
        missing = isinstance(error, ModuleNotFoundError) and error.name in (module, module.partition(".")[0])
        raise ArchcostError(
            f"{module} cannot be imported",
            expected="a module that Python finds here, or in an installed package",
            found=f"{type(error).__name__}: {first_line(error)}",
        ).at(place=None if missing else line_of(error)) from error
    for word in name.split("."):
        if not hasattr(found, word):
            raise ArchcostError(
                f"{module} has no {name}",
                expected=f"the name of a callable in {module}",
                found=shorten(name),
                hint=nearest(word, [each for each in dir(found) if not each.startswith("_")]),
            )
        found = getattr(found, word)
    if not callable(found):
        raise ArchcostError(f"{network} cannot be called", expected="a class or a function", found=type(found).__name__)
    return cast("Callable[..., Any]", found)


def _arguments(args: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    if args is None:
        return (), {}
    if isinstance(args, dict):
        return (), cast("dict[str, Any]", args)
    if isinstance(args, (list, tuple)):
        return tuple(cast("Sequence[Any]", args)), {}
    raise ArchcostError("--args is no mapping and no list", expected='{"num_classes": 10}', found=shorten(args))


def _require_torch(network: str) -> None:
    try:
        import_module("torch")
    except ImportError:
        raise ArchcostError(
            f"{network} is followed by running it in torch", expected="torch", found="none", hint="pip install torch"
        ) from None


def _import(
    network: str, make: Callable[..., Any], positional: tuple[Any, ...], named: dict[str, Any], inputs: Sequence[str]
) -> CalledModule:
    import torch

    from archcost.importers.torch_module import ValuesWantedError, spec_from

    given: list[Any] = []
    keyed: dict[str, Any] = {}
    places: dict[int, int | None] = {}
    for text in inputs:
        word, equals, tensor = text.partition("=") if "=" in text else ("", "", text)
        kind = parse_input(tensor).alone()
        example = _example(text, kind.tensor(1).shape, getattr(torch, kind.dtype))
        places[id(example)] = kind.batch_axis
        if equals:
            keyed[word] = example
        else:
            given.append(example)
    name = network.rpartition(":")[2].rpartition(".")[2]
    title = f"{network}{_argument_text(positional, named)}"

    def again() -> nn.Module:
        return _called(network, make, positional, named)

    def imported(module: nn.Module) -> CalledModule:
        return CalledModule(spec_from(module, given, keyed, places, name, title), module, given, keyed, again)

    try:
        with torch.device("meta"):
            module = again()
        return imported(module)
    except (ValuesWantedError, _OnMetaError):  # with values, which take memory
        return imported(again())


def _example(text: str, shape: Shape, dtype: Any) -> Any:
    import torch

    try:
        return torch.zeros(shape, dtype=dtype)
    except RuntimeError as error:
        raise ArchcostError(
            "an input is too large to run the module with",
            expected="an example of it that memory holds",
            found=shorten(text),
        ) from error


class _OnMetaError(Exception):
    """A module cannot be made on the meta device."""


def _called(network: str, make: Callable[..., Any], positional: tuple[Any, ...], named: dict[str, Any]) -> nn.Module:
    import torch
    from torch import nn

    try:
        module = make(*positional, **named)
    except (Exception, SystemExit) as error:
        if "meta" in str(error) and torch.empty(0).is_meta:
            raise _OnMetaError from error
        raise ArchcostError(
            f"{network} fails",
            expected="a callable that makes a module of these arguments (--args)",
            found=f"{type(error).__name__}: {first_line(error)}",
        ).at(place=line_of(error)) from error
    if not isinstance(module, nn.Module):
        raise ArchcostError(
            f"{network} makes no module", expected="a torch.nn.Module", found=type(module).__name__
        ) from None
    return module


def _argument_text(positional: tuple[Any, ...], named: dict[str, Any]) -> str:
    """The arguments of the callable as they are written in a call, for a title."""
    if not positional and not named:
        return ""
    return f"({listing([*map(repr, positional), *(f'{key}={value!r}' for key, value in named.items())])})"


@contextlib.contextmanager
def printing_to_stderr() -> Generator[None]:
    """An import that prints must not be taken for archcost's output."""
    with contextlib.redirect_stdout(sys.stderr):
        yield
