"""A module's forward pass followed call by call, at the level at which a person writes torch.

`Capture` is a TorchFunctionMode: every function, method and operator of torch that Python calls comes by, with real
(meta) tensors, so loops, branches on shapes and any Python between the calls simply run. A call in the tables of
`calls` is a layer. One that is not is looked into: a function written in Python is run with its inner calls in sight,
an operator of C++ is run under a dispatch mode that sees the operators beneath. What is left is opaque.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from types import FunctionType
from typing import Any, cast

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only

from archcost.importers.calls import COMPOSITES, LEAVES
from archcost.importers.calls.drawn import Leaf
from archcost.importers.calls.shaping import seen_at
from archcost.importers.calls.weighted import MEANT
from archcost.importers.moves import MOVES, type_named, without_device
from archcost.importers.record import OutOfSightError, Record, Written, storage_of

_ASKED = """
get:shape get:dtype get:requires_grad get:grad_fn get:grad get:is_leaf get:ndim get:_base get:layout get:names
get:_version get:itemsize get:nbytes get:is_sparse get:is_quantized get:is_nested get:is_mkldnn get:_grad get:output_nr
get:_backward_hooks get:retains_grad size dim ndimension numel nelement stride storage_offset is_floating_point
is_complex is_contiguous element_size get_device hash len format repr is_tensor is_same_size register_hook
requires_grad_ retain_grad is_signed data_ptr untyped_storage is_inference
"""
SILENT = frozenset(_ASKED.split())
"""Questions about a tensor that make none."""

AS_ON_CPU: dict[str, Any] = {
    "get:device": torch.device("cpu"),
    "get:is_cuda": False,
    "get:is_cpu": True,
    "get:is_meta": False,
    "get:is_mps": False,
    "get:is_xla": False,
    "get:is_xpu": False,
}
"""What a module hears about where its tensors are, so that it does as it would with values."""

_MADE = """
zeros ones full empty arange linspace logspace rand randn randint randperm eye tensor as_tensor scalar_tensor
tril_indices triu_indices hann_window hamming_window range
"""
FACTORIES = frozenset(_MADE.split())
VALUELESS = frozenset(
    [f"{name}_like" for name in ("zeros", "ones", "full", "empty", "rand", "randn", "randint")]
    + [f"new_{name}" for name in ("zeros", "ones", "full", "empty", "tensor", "empty_strided")]
)
"""Tensors that take a shape from another, and no values."""

INPLACE_OPERATORS = {"iadd": "add", "isub": "sub", "imul": "mul", "itruediv": "div", "idiv": "div", "ipow": "pow"}
SETTERS = frozenset(["copy_", "zero_", "fill_", "normal_", "uniform_", "bernoulli_", "index_put_", "masked_scatter_"])
"""Values that are overwritten, whatever they were."""

LARGEST_REAL = 2**22
"""Constants, and what is computed of integers, have values up to so many, since a module may look at them."""

LARGEST_CONSTANT = 2**26
"""What is computed of constants alone has values up to so many."""

SMALL = 2**10
"""Of so few values nothing too large is made."""


class Capture(TorchFunctionMode):
    """Writes into `record`. `originals` are the module's real weights, by identity, with those that stand for them."""

    def __init__(self, record: Record, originals: Mapping[int, Tensor]) -> None:
        super().__init__()
        self.record = record
        self.twins: dict[int, Tensor] = dict(originals)
        self.held: list[Tensor] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = name_of(func)
        if name in SILENT or name.startswith("set:"):
            return func(*args, **kwargs)
        if name in AS_ON_CPU:
            return AS_ON_CPU[name]
        if name in VALUELESS:
            return func(*args, **{**kwargs, "device": "meta" if args[0].is_meta else None})
        live = any(self.record.find(tensor) is not None for tensor in tensors_in((args, kwargs)))
        if name in FACTORIES:
            return args[0] if live else _make(func, args, kwargs)
        if name == "setitem":
            return self._set(*args)
        if name in MOVES:
            args, kwargs = without_device(name, args, kwargs)
            name, func = "to", torch.Tensor.to
        if name == "type":
            wanted = type_named(*args, **kwargs)
            if isinstance(wanted, str):
                return wanted
            args, kwargs = (args[0], wanted), {}
        if live and isinstance(kwargs.get("out"), Tensor):
            return self._into(func, args, **kwargs)
        if name in COMPOSITES and live:
            with self:
                return COMPOSITES[name](*args, **kwargs)
        given, named = list(tensors_in((args, kwargs))), args
        largest = LARGEST_REAL if live else LARGEST_CONSTANT
        if any(tensor.is_meta for tensor in given):
            args, kwargs = self._mapped(args), self._mapped(kwargs)
        elif sum(tensor.numel() for tensor in given) > SMALL and _makes(func, args, kwargs) > largest:
            args, kwargs = self._mapped(args, scalars=True), self._mapped(kwargs, scalars=True)
        if not live:
            return func(*args, **kwargs)
        result = self._call(name, func, args, kwargs)
        if name.endswith("_") and named[0] is not args[0]:
            self._replace(named[0], args[0])
        return result

    def _into(self, func: Any, args: Any, *, out: Tensor, **kwargs: Any) -> Tensor:
        """`out=`: what was made for it is the result, and anything else is written over."""
        with self:
            result = func(*args, **kwargs)
            if self.record.find(out) is not None:
                return out.copy_(result)
        self._replace(out, result)
        return out

    def _replace(self, constant: Tensor, changed: Tensor) -> None:
        """A constant that had values holds some of the network's from now on."""
        ref = self.record.find(changed)
        if ref is not None:
            self.record.know(constant, ref)
            self.twins[id(constant)] = changed

    def _set(self, target: Tensor, index: Any, value: Any) -> None:
        """`target[index] = value`."""
        named, given = target, list(tensors_in([target, index, value]))
        live = any(self.record.find(tensor) is not None for tensor in given)
        if any(tensor.is_meta for tensor in given):
            index, value, target = self._mapped(index), self._mapped(value), self._mapped(target, scalars=True)
        if not live:
            torch.Tensor.__setitem__(target, index, value)
            return
        whole = self.record.whole_of(target)
        masks = [tensor for tensor in tensors_in([index]) if tensor.dtype == torch.bool]
        if masks and (len(masks) > 1 or not isinstance(index, Tensor)):
            raise OutOfSightError(
                "a mask among other indices has no rule", expected="x[mask] = y", found=f"{target.shape}"
            )
        if masks:
            mask = masks[0]
            with self:
                wide = mask.reshape(*mask.shape, *(1,) * (target.dim() - mask.dim()))
                filled = torch.where(wide, torch.as_tensor(value, dtype=target.dtype, device="meta"), target)
            if not (target.requires_grad and without_gradient()):
                self.record.know(target, self.record.reference(filled))
        else:
            written = self._written(target, index, value)
            torch.Tensor.__setitem__(target, index, value)
            self.record.overwrite(target, whole, written, without_gradient())
        self.twins.pop(id(target), None)
        if named is not target:
            self._replace(named, target)

    def _written(self, target: Tensor, index: Any, value: Any) -> Written:
        values = list(tensors_in([value]))
        with torch.no_grad():
            seen, tensors = seen_at(target.detach(), index)
            picked = {axis: tensor for axis, tensor in enumerate(tensors) if tensor is not None}
            if not picked:
                return Written(values, seen.numel())
            place = torch.ops.aten.index.Tensor(seen, tensors)
        if seen.shape == target.shape:
            number = [torch.zeros((), dtype=target.dtype, device="meta")]
            return Written([*(values or number), *picked.values()], place.numel(), tuple(picked))
        return Written(values, place.numel())  # a view, and indices within it: as if they were a part

    def _call(self, name: str, func: Any, args: Any, kwargs: Any) -> Any:
        base, inplace = _base(name)
        if inplace and self.record.counts_batches(args[0]):
            return func(*args, **kwargs)
        if inplace or name.endswith("_"):
            self.twins.pop(id(args[0]), None)
        if name in SETTERS:
            whole = self.record.whole_of(args[0])
            result = func(*args, **kwargs)
            self.record.overwrite(args[0], whole, put(name, args, kwargs), without_gradient())
            return result
        leaf = LEAVES.get(base)
        if leaf is not None:
            call = Call(args, kwargs, inplace or bool(kwargs.get("inplace")), self.record)
            result = func(*args, **kwargs)
            if call.write(leaf, result):
                return result
        if is_composed(func):
            with self:
                return unchecked(func)(*args, **kwargs)
        with Beneath(self.record):
            return func(*args, **kwargs)

    def _mapped(self, value: Any, scalars: bool = False) -> Any:
        """Tensors that have values, without them: beside a tensor of the meta device torch takes scalars alone."""
        if isinstance(value, Tensor):
            return value if value.is_meta or (value.dim() == 0 and not scalars) else self._twin(value)
        if isinstance(value, dict):
            return {key: self._mapped(entry, scalars) for key, entry in cast("dict[str, Any]", value).items()}
        if not isinstance(value, (list, tuple)):
            return value
        entries: list[Any] = [self._mapped(entry, scalars) for entry in cast("Sequence[Any]", value)]
        return entries if isinstance(value, list) else tuple(entries)

    def _twin(self, tensor: Tensor) -> Tensor:
        if id(tensor) not in self.twins:
            self.record.refuse_new(tensor)
            self.held.append(tensor)
            twin = self.twins[id(tensor)] = tensor.detach().to("meta")
            ref = self.record.find(tensor)
            if ref is not None:
                self.record.know(twin, ref)
        return self.twins[id(tensor)]


def put(name: str, args: Any, kwargs: Any) -> Written:
    """What a method that sets values puts where."""
    target, *given = args
    if name != "index_put_":
        return Written(list(tensors_in((given, kwargs))), target.numel())
    indices: Sequence[Tensor | None] = given[0]
    picked = {axis: tensor for axis, tensor in enumerate(indices) if tensor is not None}
    return Written([given[1], *picked.values()], given[1].numel(), tuple(picked))


def _makes(func: Any, args: Any, kwargs: Any) -> int:
    """How many values the largest tensor has that a call on tensors with values would make; 0 if they decide."""
    try:
        args, kwargs = tree_map_only(Tensor, lambda tensor: tensor.detach().to("meta"), (args, kwargs))
        sketch = func(*args, **kwargs)
    except (RuntimeError, NotImplementedError):
        return 0
    return max((tensor.numel() for tensor in tensors_in(sketch)), default=0)


class Call:
    """One call, before it runs: what it is given, and what it changes if it works in place."""

    def __init__(self, args: Any, kwargs: Any, inplace: bool, record: Record) -> None:
        self.args = args
        self.kwargs = kwargs
        self.inplace = inplace
        self.record = record
        self.whole = record.whole_of(args[0]) if inplace else None

    def write(self, leaf: Leaf, result: Any, places: bool = False) -> bool:
        """Whether what the call returned is on the record: as a layer, or because nothing was done."""
        results = tuple(tensors_in(result))
        if any(made.numel() for made in results):
            return self._write(leaf, results, result, places)
        if any(made.requires_grad for made in results):  # of no value, and a gradient goes back through it all the same
            self._write(leaf, results, result, places)
        return True

    def _write(self, leaf: Leaf, results: tuple[Tensor, ...], result: Any, places: bool) -> bool:
        if not self.inplace and all(any(made is given for given in tensors_in(self.args)) for made in results):
            return True  # torch had nothing to do, and returned what it was given
        on_view = self.whole is not None and self.whole is not self.args[0]
        in_part = self.whole is not None and self.whole.numel() != self.args[0].numel()
        detached = without_gradient()
        unseen = self.whole is not None and detached and self.whole.requires_grad
        told = {"inplace": True} if self.inplace and leaf.takes_inplace and (unseen or not in_part) else {}
        named = {key: value for key, value in self.kwargs.items() if key != "inplace"}
        try:
            drawn = leaf.rule(result, *self.args, **named, **told)
        except TypeError:  # arguments that the rule does not know
            return False
        if drawn is None or not self.record.write(drawn, results, detached, places):
            return False
        if unseen:  # to autograd the tensor stays what it was
            if not told:
                self.record.overwrite(results[0], results[0], Written([], results[0].numel()), True)
            return True
        if on_view and self.whole is not None:  # the result, written over that part of what it is a view of
            written = Written(results, results[0].numel(), in_place=bool(told))
            self.record.overwrite(results[0], self.whole, written, detached)
        elif self.inplace:
            self.record.overwritten[storage_of(results[0])] = len(self.record.entries)
        return True


class Beneath(TorchDispatchMode):
    """The operators that one call of C++ consists of."""

    def __init__(self, record: Record) -> None:
        super().__init__()  # pyright: ignore[reportUnknownMemberType]
        self.record = record

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        full = func._schema.name
        namespace, _, name = full.partition("::")
        reads = list(tensors_in((args, kwargs)))
        live = any(self.record.find(tensor) is not None for tensor in reads)
        if name in COMPOSITES and namespace == "aten" and live:
            with self:
                return COMPOSITES[name](*args, **kwargs)
        base, inplace = _base(name)
        call = Call(args, kwargs, live and (inplace or name in SETTERS), self.record)
        result = func(*args, **kwargs)
        results = tuple(tensors_in(result))
        if not live or not results or name in VALUELESS:
            return result
        if namespace == "aten" and name in SETTERS:
            assert call.whole is not None
            self.record.overwrite(args[0], call.whole, put(name, args, kwargs), without_gradient())
            return result
        leaf = LEAVES.get(f"{namespace}::{base}") or (LEAVES.get(base) if namespace == "aten" else None)
        if leaf is None or not call.write(leaf, result, places=True):
            self.record.opaque(full, reads, results, places=True, detached=without_gradient())
        return result


_NAMES: dict[Any, str] = {}


def name_of(func: Any) -> str:
    """`add` for torch.add, Tensor.add and Tensor.__add__; `add_` in place; `get:shape` for an attribute."""
    if func in _NAMES:
        return _NAMES[func]
    name = MEANT.get(func) or getattr(func, "__name__", "") or str(func)
    if name in ("__get__", "__set__"):
        name = f"{name.strip('_')}:{func.__self__.__name__}"
    elif name.startswith("__") and name.endswith("__"):
        name = name[2:-2]
    elif func in (torch.embedding, torch.batch_norm, torch.instance_norm):
        name = f"torch.{name}"
    elif func is torch.Tensor.unfold:
        name = "windows"
    _NAMES[func] = name
    return name


def _base(name: str) -> tuple[str, bool]:
    """The name without what says that the call writes into its first argument."""
    if name in INPLACE_OPERATORS:
        return INPLACE_OPERATORS[name], True
    if name.endswith("_") and name[:-1] in LEAVES:
        return name[:-1], True
    return name, False


@cache
def is_composed(func: Any) -> bool:
    """Whether a function of Python asks first if somebody overrides it, and then calls others."""
    return isinstance(func, FunctionType) and any(name in func.__code__.co_names for name in CHECKS)


CHECKS = ("has_torch_function", "has_torch_function_unary", "has_torch_function_variadic")


@cache
def unchecked(func: FunctionType) -> Callable[..., Any]:
    """The same function, which asks nobody whether it is overridden: its body runs, and the calls in it come by."""
    blind = {name: _never for name in CHECKS if name in func.__globals__}
    copy = FunctionType(
        func.__code__, {**func.__globals__, **blind}, func.__name__, func.__defaults__, func.__closure__
    )
    copy.__kwdefaults__ = func.__kwdefaults__
    return copy


def without_gradient() -> bool:
    """Whether autograd looks away. In the forward of an autograd.Function it does, but its backward will come: that is
    taken to cost what autograd's own would.
    """
    if torch.is_grad_enabled():
        return False
    frame = inspect.currentframe()
    while frame is not None:
        first = frame.f_code.co_varnames[:1]
        if frame.f_code.co_name == "forward" and first and isinstance(frame.f_locals.get(first[0]), FunctionCtx):
            return False
        frame = frame.f_back
    return True


def _never(*tensors: Any) -> bool:
    return False


def tensors_in(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (list, tuple)):
        for entry in cast("Sequence[Any]", value):
            yield from tensors_in(entry)
    elif isinstance(value, dict):
        for entry in cast("dict[Any, Any]", value).values():
            yield from tensors_in(entry)


def _make(func: Any, args: Any, kwargs: Any) -> Any:
    """A constant: with its values where they are few, without where the batch asks for many or a device has none."""
    device = kwargs.pop("device", None)
    kwargs.pop("pin_memory", None)
    sketch = func(*args, **kwargs, device="meta")
    valueless = device is not None and torch.device(device).type == "meta"
    return sketch if valueless or sketch.numel() > LARGEST_REAL else func(*args, **kwargs, device="cpu")
