"""The user's own module as a witness: it runs on copies of its weights, and is left as it was."""

from __future__ import annotations

import copy
import random
import sys
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FunctionType, ModuleType
from typing import Any, cast

import torch
from torch import Tensor, nn

from archcost.errors import ArchcostError, first_line, line_of
from archcost.tensors import TensorType

Path = str
"""Of a module within the whole, with dots; the whole itself is ''."""


@dataclass(frozen=True)
class Subject:
    """A module, and what its forward is called with. `remake` makes it again with values, where it has none."""

    module: nn.Module
    given: Sequence[Any]
    named: Mapping[str, Any] = field(default_factory=dict[str, Any])
    remake: Callable[[], nn.Module] | None = None

    @property
    def name(self) -> str:
        return type(self.module).__name__

    @property
    def tensors(self) -> list[Tensor]:
        """What forward is given, tensor by tensor, as often as it stands there."""
        return [*_tensors_given(list(self.given)), *_tensors_given(dict(self.named))]

    def with_values(self) -> Subject:
        """The module with weights that have values. Raises ArchcostError where there are none."""
        if not any(tensor.is_meta for tensor in (*self.module.parameters(), *self.module.buffers())):
            return self
        if self.remake is None:
            raise ArchcostError(
                "the module's weights are on the meta device, where nothing can be run",
                expected="a module with values, such as module.to_empty(device='cpu')",
                found="meta tensors",
                layer=self.name,
            )
        return Subject(self.remake(), self.given, self.named)

    def call_with(self, tensors: Sequence[Tensor]) -> tuple[list[Any], dict[str, Any]]:
        """Forward's arguments with these tensors in place of its own, in order."""
        others = iter(tensors)
        given = [_replaced(value, others) for value in self.given]
        return given, {key: _replaced(value, others) for key, value in self.named.items()}


def modules_of(module: nn.Module) -> dict[Path, nn.Module]:
    """Every module once, by its first path."""
    return dict(module.named_modules())  # pyright: ignore[reportUnknownArgumentType, reportUnknownMemberType]


def tensors_of(value: Any) -> list[Tensor]:
    """The tensors that can be reached in what forward returned, each once, in order: of tuples, lists, dicts,
    dataclasses and objects of any class.
    """
    found: list[Tensor] = []
    seen: dict[int, Any] = {}  # which holds them, so that no identity is used twice
    stack: list[Any] = [value]
    while stack:
        entry = stack.pop()
        if id(entry) in seen:
            continue
        seen[id(entry)] = entry
        if isinstance(entry, Tensor):
            found.append(entry)
        else:
            stack.extend(reversed(_entries(entry)))
    return found


def _entries(value: Any) -> list[Any]:
    if isinstance(value, (str, bytes, type, nn.Module, FunctionType, ModuleType)):
        return []
    if isinstance(value, Mapping):
        return list(cast("Mapping[Any, Any]", value).values())
    if isinstance(value, (list, tuple, set, frozenset)):
        return list(cast("Sequence[Any]", value))
    slots = [name for kind in type(value).__mro__ for name in _slots(kind)]
    attributes: dict[str, Any] = getattr(value, "__dict__", {})
    return [*attributes.values(), *(getattr(value, name) for name in slots if hasattr(value, name))]


def _slots(kind: type) -> Sequence[str]:
    slots: str | Sequence[str] = kind.__dict__.get("__slots__", ())
    return (slots,) if isinstance(slots, str) else tuple(slots)


def _tensors_given(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (Mapping, list, tuple)):
        for entry in _entries(value):
            yield from _tensors_given(entry)


def _replaced(value: Any, others: Iterator[Tensor]) -> Any:
    if isinstance(value, Tensor):
        return next(others)
    if isinstance(value, Mapping):
        return {key: _replaced(entry, others) for key, entry in cast("Mapping[Any, Any]", value).items()}
    if isinstance(value, (list, tuple)):
        entries = [_replaced(entry, others) for entry in cast("Sequence[Any]", value)]
        return entries if isinstance(value, list) else tuple(entries)
    return value


def inputs_like(
    examples: Sequence[Tensor], kinds: Sequence[TensorType], device: str, dtype: torch.dtype | None = None
) -> list[Tensor]:
    """Tensors of these shapes, in place of the examples: their values where they have that shape; else random floats,
    and of integers the first sample as often as needed. `dtype` is that of floats, None leaves it.
    """
    made: list[Tensor] = []
    for example, kind in zip(examples, kinds, strict=True):
        floats = example.is_floating_point() or example.is_complex()
        wanted = dtype if example.is_floating_point() and dtype is not None else example.dtype
        if device == "meta" or (example.is_meta and not floats):
            made.append(torch.zeros(kind.shape, dtype=wanted, device=device))
        elif tuple(example.shape) == kind.shape and not example.is_meta:
            made.append(example.detach().to(device, wanted, copy=True))
        elif floats:
            made.append(torch.randn(kind.shape, dtype=wanted, device=device))
        else:
            made.append(_first_sample(example, kind.shape).to(device, wanted, copy=True))
    return made


def _first_sample(example: Tensor, shape: Sequence[int]) -> Tensor:
    """The first sample repeated to the shape; zeros where the shapes differ in more than the number of samples."""
    others = [axis for axis, size in enumerate(shape) if axis < example.dim() and example.shape[axis] != size]
    if len(others) != 1 or example.dim() != len(shape):
        return torch.zeros(shape, dtype=example.dtype)
    return example.detach().narrow(others[0], 0, 1).expand(shape)


@contextmanager
def lent(module: nn.Module, device: str, dtype: torch.dtype | None = None) -> Generator[None]:
    """Copies on the device in place of every parameter, buffer and tensor among the modules' attributes.

    Floating parameters and buffers are turned into `dtype`, as `module.to(dtype)` does. Afterwards every module has the
    attributes that it had before, and lists, dicts and sets among them what they held; gradients and the state of the
    random numbers are as they were.
    """
    modules = list(modules_of(module).values())
    before = [(each, dict(vars(each))) for each in modules]
    containers: list[Any] = [value for _, kept in before for value in kept.values() if isinstance(value, CONTAINERS)]
    contents: list[Any] = [copy.copy(value) for value in containers]
    gradients = [(weight, weight.grad) for weight in module.parameters()]
    copies: dict[int, Tensor] = {}
    with _random_numbers_kept(device):
        try:
            for each in modules:
                for kind in ("_parameters", "_buffers"):
                    owned = cast("dict[str, Tensor | None]", vars(each)[kind])
                    vars(each)[kind] = {key: _copied(tensor, copies, device, dtype) for key, tensor in owned.items()}
            for each in modules:
                for key, value in list(vars(each).items()):
                    if key not in OWN:
                        vars(each)[key] = _with_copies(value, copies, device)
            yield
        finally:
            for each, attributes in before:
                vars(each).clear()
                vars(each).update(attributes)
            for container, content in zip(containers, contents, strict=True):
                container.clear()
                getattr(container, "extend" if isinstance(container, list) else "update")(content)
            for weight, gradient in gradients:
                weight.grad = gradient


CONTAINERS = (list, dict, set)

OWN = frozenset({"_parameters", "_buffers", "_modules"})
"""Attributes of every module: the first two are replaced by themselves."""


def _copied(tensor: Tensor | None, copies: dict[int, Tensor], device: str, dtype: torch.dtype | None) -> Tensor | None:
    """The copy of a tensor, one for each, so that tied weights stay tied."""
    if tensor is None:
        return None
    if id(tensor) not in copies:
        wanted = dtype if dtype is not None and tensor.is_floating_point() else tensor.dtype
        if device == "meta":
            made = torch.empty_like(tensor, device="meta", dtype=wanted)
            made = nn.Parameter(made, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else made
        elif type(tensor) in (Tensor, nn.Parameter):
            made = tensor.detach().to(device, wanted, copy=True)
            made = nn.Parameter(made, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else made
        else:  # a class of its own, which may hold more than values
            made = copy.deepcopy(tensor)
            made.data = made.data.to(device, wanted)
            made.grad = None
        copies[id(tensor)] = made
    return copies[id(tensor)]


def _with_copies(value: Any, copies: dict[int, Tensor], device: str) -> Any:
    """A tensor in an attribute is a weight under another name (`_flat_weights`), or one of its own."""
    if isinstance(value, Tensor):
        return _copied(value.detach() if id(value) not in copies else value, copies, device, None)
    if type(value) in (list, tuple):
        entries = [_with_copies(entry, copies, device) for entry in cast("Sequence[Any]", value)]
        return entries if type(value) is list else tuple(entries)
    if type(value) is dict:
        return {key: _with_copies(entry, copies, device) for key, entry in cast("dict[Any, Any]", value).items()}
    return value


@contextmanager
def _random_numbers_kept(device: str) -> Generator[None]:
    numpy: Any = sys.modules.get("numpy")
    states = random.getstate(), None if numpy is None else numpy.random.get_state()
    cuda = [torch.device(device)] if torch.device(device).type == "cuda" else []
    with torch.random.fork_rng(cuda):  # pyright: ignore[reportUnknownMemberType]
        try:
            yield
        finally:
            random.setstate(states[0])
            if numpy is not None:
                numpy.random.set_state(states[1])


NO_HINTS: Mapping[str, str] = {}


@contextmanager
def refusals_told(
    subject: Subject, doing: str, place: Callable[[], Path | None], hints: Mapping[str, str] = NO_HINTS
) -> Generator[None]:
    """What the module's own code raises, as one message with its line and its module, which `place` tells.

    `hints` say what to try, by a word of what was raised.
    """
    try:
        yield
    except ArchcostError:
        raise
    except (Exception, SystemExit) as error:
        inner = place()
        raise ArchcostError(
            f"the module fails when it is run {doing}",
            expected="a forward, and a backward, that torch can run with these inputs",
            found=f"{type(error).__name__}: {first_line(error)}",
            hint=next((hint for word, hint in hints.items() if word in str(error)), None),
            layer=f"{subject.name}.{inner}" if inner else subject.name,
            place=line_of(error),
        ) from error
