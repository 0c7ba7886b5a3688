"""`CallMode`: a TorchFunctionMode that intercepts every call of torch in a module's forward.

Calls arrive as they are written in Python (`linear`, `scaled_dot_product_attention`), with meta tensors, so loops,
branches on shapes and all Python between them simply run. `Capture` records the calls of the first run; `LifetimeMode`
makes the same calls in a second run, and sees when each tensor is released.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from operator import is_
from types import FunctionType
from typing import Any, cast

import torch
from torch import Tensor
from torch._ops import OpOverload, OpOverloadPacket
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_map_only

from archcost.importers.casts import DEVICE_MOVES
from archcost.importers.detection import masked_name
from archcost.importers.own_calls import OwnCall
from archcost.importers.tensor_subclasses import is_wrapper, own_rule, wrapper_in
from archcost.importers.torch import RULES
from archcost.importers.torch.convolution import MEANT
from archcost.importers.torch.proposal import samples_in
from archcost.importers.torch.recurrent import packed_name
from archcost.importers.trace import tensors_in
from archcost.importers.unintercepted_calls import GRADIENT_CALLS, gradients_taken, in_vmap

_ASKED = """
get:shape get:dtype get:requires_grad get:grad_fn get:grad get:is_leaf get:ndim get:_base get:layout get:names
get:_version get:itemsize get:nbytes get:is_sparse get:is_quantized get:is_nested get:is_mkldnn get:_grad get:output_nr
get:_backward_hooks get:retains_grad size dim ndimension numel nelement stride storage_offset is_floating_point
is_complex is_contiguous element_size get_device hash len format repr is_tensor is_same_size register_hook
requires_grad_ retain_grad is_signed data_ptr untyped_storage is_inference _set_grad_enabled
promote_types result_type can_cast
"""
QUERIES = frozenset(_ASKED.split())
"""Calls that only ask something of a tensor, and the switch of autograd that no_grad uses: none is recorded."""

GRADIENT_WANTED = ("requires_grad_", "set:requires_grad")
"""Calls by which a module has a tensor require a gradient, as transformers does below its checkpoints."""

CPU_ANSWERS: dict[str, Any] = {
    "get:device": torch.device("cpu"),
    "get:is_cuda": False,
    "get:is_cpu": True,
    "get:is_meta": False,
    "get:is_mps": False,
    "get:is_xla": False,
    "get:is_xpu": False,
    "_nested_tensor_from_mask_left_aligned": False,  # so that a transformer does without nested tensors
}
"""Answers to questions about the device, so that a module does what it would do on a CPU."""

_MADE = """
zeros ones full empty arange linspace logspace rand randn randint randperm eye tensor as_tensor scalar_tensor
tril_indices triu_indices hann_window hamming_window range
"""
FACTORIES = frozenset(_MADE.split())
VALUELESS = frozenset(
    [f"{name}_like" for name in ("zeros", "ones", "full", "empty", "rand", "randn", "randint")]
    + [f"new_{name}" for name in ("zeros", "ones", "full", "empty", "tensor", "empty_strided")]
)
"""Calls that make a tensor with the shape of another, and none of its values."""

SEEN_IN_PLACE = frozenset(["squeeze_", "unsqueeze_", "transpose_", "t_", "swapaxes_", "swapdims_"])
"""Methods that change how a tensor is seen, and none of its values: they are views that the tensor itself becomes."""

INPLACE_OPERATORS = {"iadd": "add", "isub": "sub", "imul": "mul", "itruediv": "div", "idiv": "div", "ipow": "pow"}
SETTERS = frozenset(["copy_", "zero_", "fill_", "normal_", "uniform_", "bernoulli_", "index_put_", "masked_scatter_"])
"""Methods that write over a tensor without reading it."""

CASTS = DEVICE_MOVES | frozenset(["to", "float", "double", "half", "bfloat16", "type", "type_as"])
"""Calls that return the tensor in another dtype or on another device, or the tensor itself."""

DTYPED = frozenset(["softmax", "log_softmax", "prod", "cumprod", "nansum"])
"""Calls with a `dtype`, to which the values are cast first (SoftMax.cpp)."""

MOST_VALUES = 2**22
"""Constants, and results computed of integers, keep their values up to this size, since a module may look at them."""

MOST_CONSTANT_VALUES = 2**26
"""The same of results that are computed of constants alone."""

FEW_VALUES = 2**10
"""Arguments with so few values are not checked for the size of the result."""


class CallMode(TorchFunctionMode):
    """Intercepts every call. Questions about a tensor are answered as if it were on a CPU."""

    is_paused = False
    has_gradients = True
    """Whether tensors may require one, so that autograd keeps others for it."""

    def __init__(self, originals: Mapping[int, Tensor]) -> None:
        super().__init__()
        self.wraps = any(is_wrapper(tensor) for tensor in originals.values())
        self.inside: list[Any] = []
        """Functions that the class of a wrapper tensor is computing at the moment."""

    @contextmanager
    def paused(self) -> Generator[None]:
        """No call is intercepted."""
        before, self.is_paused = self.is_paused, True
        try:
            yield
        finally:
            self.is_paused = before

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if self.is_paused:
            return func(*args, **kwargs)
        name = masked_name(packed_name(name_of(func), args), args)
        if in_vmap():
            return self._in_vmap(name, func, args, kwargs)
        if name in GRADIENT_CALLS:
            raise gradients_taken(GRADIENT_CALLS[name])
        wrapper = wrapper_in(args, kwargs) if self.wraps else None
        if name == "get:dtype" and wrapper is None:
            self._dtype_queried(args[0])
        if name in GRADIENT_WANTED and not self.has_gradients:
            return args[0] if name == "requires_grad_" else None
        if name in QUERIES or name.startswith("set:"):
            return func(*args, **kwargs)
        if name in CPU_ANSWERS:
            return CPU_ANSWERS[name]
        if wrapper is not None:
            return self._on_subclass(wrapper, func, types, args, kwargs)
        if name == "type" and len(args) + len(kwargs) == 1:
            return torch.empty(0, dtype=args[0].dtype, device="cpu").type()
        if name in VALUELESS:
            made = func(*args, **{**kwargs, "device": "meta" if args[0].is_meta else None})
            self._note_dtype_source(made, args[0])
            return made
        if name in DTYPED and is_recast(args, kwargs):
            rest = {key: value for key, value in kwargs.items() if key != "dtype"}
            with self:
                return func(args[0].to(kwargs["dtype"]), *args[1:], **rest)
        return self._on_call(name, func, args, kwargs)

    def _on_subclass(self, wrapper: Tensor, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        """A call on a wrapper tensor: its class computes it, and the calls that this makes are intercepted."""
        rule = own_rule(wrapper)
        if rule is None or func in self.inside:
            return self._run_operators(func, args, kwargs)
        self.inside.append(func)
        try:
            with self:
                return rule(func, types, args, kwargs)
        finally:
            self.inside.pop()

    def _in_vmap(self, name: str, func: Any, args: Any, kwargs: Any) -> Any:
        """A call inside torch.vmap, on one sample of many. The operator beneath it works on all of them."""
        if name in CPU_ANSWERS:
            return CPU_ANSWERS[name]
        if name in QUERIES or name.startswith("set:"):
            return func(*args, **kwargs)
        if name in FACTORIES | VALUELESS:
            return func(*args, **{**kwargs, "device": "meta"})
        return func(*self._emptied(args), **self._emptied(kwargs))

    def _run_operators(self, func: Any, args: Any, kwargs: Any) -> Any:
        """Make a call that is no layer, whose operators may be."""
        raise NotImplementedError

    def _dtype_queried(self, tensor: Tensor) -> None:
        """The module asks for the dtype of a tensor."""
        raise NotImplementedError

    def _note_dtype_source(self, result: Tensor, source: Tensor) -> None:
        """A constant was made with the shape and dtype of a tensor."""

    def _on_call(self, name: str, func: Any, args: Any, kwargs: Any) -> Any:
        """Make a call that returns or changes a tensor."""
        raise NotImplementedError

    def _stand_in_for(self, tensor: Tensor) -> Tensor:
        """The meta tensor that stands for a tensor with values in a call with other meta tensors."""
        raise NotImplementedError

    def _emptied(self, value: Any, scalars: bool = False) -> Any:
        """The arguments with meta tensors in place of those with values, as torch does not mix them, scalars apart."""
        if isinstance(value, Tensor):
            return value if value.is_meta or (value.dim() == 0 and not scalars) else self._stand_in_for(value)
        if isinstance(value, dict):
            return {key: self._emptied(entry, scalars) for key, entry in cast("dict[str, Any]", value).items()}
        if not isinstance(value, (list, tuple)):
            return value
        entries: list[Any] = [self._emptied(entry, scalars) for entry in cast("Sequence[Any]", value)]
        return entries if isinstance(value, list) else tuple(entries)


def is_recast(args: Any, kwargs: Any) -> bool:
    """Whether a call with a `dtype` casts floats to another floating dtype first."""
    dtype = kwargs.get("dtype")
    given = isinstance(dtype, torch.dtype) and dtype.is_floating_point and args and isinstance(args[0], Tensor)
    return bool(given and args[0].is_floating_point())


def masks_to_indices(name: str, args: Any) -> Any:
    """The arguments of an indexing with the indices where a mask is true, for masks whose values do not depend on the
    batch.
    """
    if name not in ("getitem", "setitem"):
        return args
    entries: tuple[Any, ...] = args[1] if isinstance(args[1], tuple) else (args[1],)
    placed = [places for entry in entries for places in _places(entry)]
    return (
        args if len(placed) == len(entries) and all(map(is_, placed, entries)) else (args[0], tuple(placed), *args[2:])
    )


def _places(entry: Any) -> Iterator[Any]:
    is_mask = isinstance(entry, Tensor) and entry.dtype == torch.bool and entry.dim() and not entry.is_meta
    if is_mask and not any(map(samples_in, entry.shape)):
        yield from entry.nonzero().unbind(1)
    else:
        yield entry


def where_mask(target: Tensor, mask: Tensor, value: Any) -> Tensor:
    """`target` with `value` where the mask is true."""
    wide = mask.reshape(*mask.shape, *(1,) * (target.dim() - mask.dim()))
    return torch.where(wide, torch.as_tensor(value, dtype=target.dtype, device="meta"), target)


NUMBERS = ("__float__", "__int__", "__bool__", "__complex__", "__index__")
"""Methods by which Python asks for a value. `float` without underscores is a cast."""

_NAMES: dict[Any, str] = {}


def name_of(func: Any) -> str:
    """`add` for torch.add, Tensor.add and Tensor.__add__; `add_` in place; `get:shape` for an attribute."""
    if func in _NAMES:
        return _NAMES[func]
    name = MEANT.get(func) or _operator_name(func) or getattr(func, "__name__", "") or str(func)
    if name in ("__get__", "__set__"):
        name = f"{name.strip('_')}:{func.__self__.__name__}"
    elif name.startswith("__") and name.endswith("__") and name not in NUMBERS:
        name = name[2:-2]
    elif func in (torch.embedding, torch.batch_norm, torch.instance_norm):
        name = f"torch.{name}"
    elif func is torch.Tensor.unfold:
        name = "windows"
    _NAMES[func] = name
    return name


def _operator_name(func: Any) -> str | None:
    """`library::name` of an operator that is none of torch's own, whatever it has in common with those."""
    if not isinstance(func, (OpOverload, OpOverloadPacket)):
        return None
    name = str(func._schema.name) if isinstance(func, OpOverload) else str(func._qualified_op_name)  # pyright: ignore[reportPrivateUsage]
    return None if name.startswith(OF_TORCH) else name


OF_TORCH = ("aten::", "prim::", "prims::", "quantized::")


def base_of(name: str) -> tuple[str, bool]:
    """The name of a call out of place, and whether this one works in place."""
    if name in INPLACE_OPERATORS:
        return INPLACE_OPERATORS[name], True
    if name.endswith("_") and name[:-1] in RULES:
        return name[:-1], True
    return name, False


@cache
def is_composed(func: Any) -> bool:
    """Whether it is a Python function of torch that checks for overrides before it calls others."""
    if isinstance(func, OwnCall):
        return True
    return isinstance(func, FunctionType) and any(name in func.__code__.co_names for name in CHECKS)


CHECKS = ("has_torch_function", "has_torch_function_unary", "has_torch_function_variadic")


def is_whole(func: Any) -> bool:
    """Whether it is an operator of somebody's library with kernels of its own: what it is composed of, if of anything,
    nobody sees.
    """
    name = _operator_name(func)
    if name is None:
        return False
    overload: Any = cast("Any", func if isinstance(func, OpOverload) else getattr(func, func.overloads()[0]))
    full = str(overload.name())
    return not torch._C._dispatch_has_kernel_for_dispatch_key(full, "CompositeImplicitAutograd")  # pyright: ignore


@cache
def unoverridden(func: FunctionType | OwnCall) -> Callable[..., Any]:
    """The function without its check for overrides, so that its body runs and the calls in it are intercepted."""
    if isinstance(func, OwnCall):
        return func.inside
    blind = {name: _never for name in CHECKS if name in func.__globals__}
    copy = FunctionType(
        func.__code__, {**func.__globals__, **blind}, func.__name__, func.__defaults__, func.__closure__
    )
    copy.__kwdefaults__ = func.__kwdefaults__
    return copy


def _never(*tensors: Any) -> bool:
    return False


def make_constant(func: Any, args: Any, kwargs: Any) -> Any:
    """Make a constant: with values up to MOST_VALUES, else on the meta device."""
    without = {key: value for key, value in kwargs.items() if key not in ("device", "pin_memory")}
    sketch = func(*args, **without, device="meta")
    device = kwargs.get("device")
    valueless = device is not None and torch.device(device).type == "meta"
    return sketch if valueless or sketch.numel() > MOST_VALUES else func(*args, **without, device="cpu")


def largest_result(func: Any, args: Any, kwargs: Any) -> int:
    """The number of elements of the largest result of a call; 0 where values decide it."""
    try:
        args, kwargs = tree_map_only(Tensor, lambda tensor: tensor.detach().to("meta"), (args, kwargs))
        sketch = func(*args, **kwargs)
    except (RuntimeError, NotImplementedError):
        return 0
    return max((tensor.numel() for tensor in tensors_in(sketch)), default=0)
