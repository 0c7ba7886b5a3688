"""Applications of `torch.autograd.Function` in a module: their backward is run and recorded, too.

The calls of its forward are recorded like others that are made without autograd. After them comes a layer `function`,
whose field `backward` lists the layers of the Function's backward, recorded by a recorder of its own.
"""

from __future__ import annotations

import inspect
import weakref
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from os.path import basename
from typing import Any, cast

import torch
from torch import Tensor
from torch.autograd import function as autograd_function

from archcost.errors import line_of
from archcost.importers.autocast_regions import RegionTracker
from archcost.importers.capture import Capture
from archcost.importers.function_apply import Plain, apply_replaced
from archcost.importers.function_mode import FACTORIES, VALUELESS, name_of
from archcost.importers.identity import place_of
from archcost.importers.lazy_weights import MuteRecorder
from archcost.importers.opaque import OutOfSightError
from archcost.importers.own_calls import registered_first
from archcost.importers.recorded import Entry, Ref
from archcost.importers.recorder import Recorder
from archcost.importers.second_run import Findings, set_dtypes
from archcost.importers.trace import tensors_in
from archcost.layers.opaque.function import OwnBackward, written
from archcost.layers.shape.copy import WEIGHTS

INPUTS, SIZING = "input", "sizing"
AUTOGRAD: frozenset[Any] = frozenset([torch.autograd.grad, torch.autograd.backward, Tensor.backward])  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType, reportUnknownMemberType]


@contextmanager
def functions_followed(capture: Capture) -> Generator[None]:
    """Every Function that is applied meanwhile is recorded by the recorder of `capture`; one that is a registered layer
    is a call like others.
    """
    context: Any = autograd_function.FunctionCtx
    fill = context.set_materialize_grads
    following = _FunctionInterceptor(capture)

    def set_materialize_grads(ctx: Any, value: bool) -> None:
        fill(ctx, value)
        following.zero_fills[id(ctx)] = value

    context.set_materialize_grads = set_materialize_grads
    try:
        with apply_replaced(registered_first(following.apply)):
            yield
    finally:
        context.set_materialize_grads = fill


class _FunctionInterceptor:
    def __init__(self, capture: Capture) -> None:
        self.capture = capture
        self.record = capture.record
        self.zero_fills: dict[int, bool] = {}
        """By the identity of a `ctx`, what it was told by `set_materialize_grads`."""

    def apply(self, cls: Any, plain: Plain, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        given = [each for each in args if isinstance(each, Tensor)]
        wanted = [index for index, each in enumerate(args) if isinstance(each, Tensor) and each.requires_grad]
        is_blind = isinstance(self.record, MuteRecorder)
        if is_blind or self.capture.is_paused or not torch.is_grad_enabled() or not wanted:
            return plain(*args, **kwargs)
        with self.capture.paused():
            arguments = [self.record.reference(args[index]) for index in wanted]
        apart, self.record.in_function = self.record.in_function, True
        try:
            result: Any = plain(*args, **kwargs)
        finally:
            self.record.in_function = apart
        with self.capture.paused():
            returned = _as_tuple(result)
            ctx = _context(cls, tensors_in(returned))
            if ctx is not None:
                self.record.functions.append(ctx)
                _FunctionCall(self, ctx, wanted, arguments, given, returned).write(cls)
        return result


def _as_tuple(result: Any) -> Sequence[Any]:
    return cast("Sequence[Any]", result) if isinstance(result, tuple) else (result,)


def _context(cls: Any, outputs: Iterable[Tensor]) -> Any:
    """The `ctx` of the application with these outputs; None where no gradient leads to it."""
    for output in outputs:
        node: Any = output.grad_fn
        for candidate in (node, *[following for following, _ in getattr(node, "next_functions", ())]):
            if isinstance(candidate, cls._backward_cls):
                return candidate
    return None


def _is_ambient(cls: Any) -> bool:
    """Whether backward runs under forward's autocast, by torch.amp.custom_fwd and custom_bwd."""
    forward, backward = _closure_variables(cls.forward), _closure_variables(cls.backward)
    return "bwd" in backward and "cast_inputs" in forward and forward["cast_inputs"] is None


def _closure_variables(function: Any) -> Mapping[str, Any]:
    """The variables that a function captures from the one that made it, by name."""
    return inspect.getclosurevars(function).nonlocals if inspect.isfunction(function) else {}


class _FunctionCall:
    """One application of a Function, after its forward. `wanted` are positions of arguments that require a gradient."""

    def __init__(
        self,
        following: _FunctionInterceptor,
        ctx: Any,
        wanted: Sequence[int],
        arguments: Sequence[Ref],
        given: Sequence[Tensor],
        returned: Sequence[Any],
    ) -> None:
        self.record = following.record
        self.capture = following.capture
        self.zero_fills = following.zero_fills.pop(id(ctx), True)
        self.ctx = ctx
        self.wanted = wanted
        self.arguments = len(arguments)
        self.returned = returned
        """What forward returned. Backward has an argument for each, None for what is no tensor."""
        self.outputs = tensors_in(returned)
        self.reads: list[Ref] = list(arguments)
        self.lying = {place_of(each): each for each in (*given, *self.outputs) if each.is_meta}
        """Arguments and outputs by where they lie, since a saved tensor may be another object."""
        self.known: dict[str, Tensor] = {}
        """The layer's inputs that backward may read, by name."""
        self.captured: list[int] = []
        """Inputs that backward reads and `ctx` does not hold."""

    def write(self, cls: Any) -> None:
        returns = [self._index(output) for output in self.outputs]
        kept = [
            self._input(each) for each in cast("Sequence[Tensor | None]", self.ctx.saved_tensors) if each is not None
        ]
        attributes = cast("dict[str, Any]", vars(self.ctx))
        held = [self._input(each) for each in tensors_in(attributes)]
        fields: dict[str, Any] = {
            "op": cls.__name__,
            "arguments": self.arguments,
            "returns": returns,
            "fills": self.zero_fills,
        }
        backward = self._backward()
        fields |= {"kept": tuple(dict.fromkeys(kept)), "held": tuple(dict.fromkeys((*held, *self.captured)))}
        layer = OwnBackward.model_validate({**fields, **backward, "ambient": _is_ambient(cls)})
        made = self.record.add(layer, tuple(self.reads))
        for index, output in enumerate(self.outputs):
            ref = made._replace(output=index)
            if output.is_floating_point() and not output.requires_grad:
                ref = self.record.detach(ref)
            self.record.register(output, ref)

    def _index(self, tensor: Tensor) -> int:
        """The number of the layer's input that a tensor is; it is added where it was none."""
        if self.record.find(tensor) is None and tensor.is_meta and place_of(tensor) in self.lying:
            tensor = self.lying[place_of(tensor)]
        ref = self.record.reference(tensor if self.record.find(tensor) else tensor.detach())
        if ref not in self.reads:
            self.reads.append(ref)
        return self.reads.index(ref)

    def _input(self, tensor: Tensor) -> int:
        index = self._index(tensor)
        self.known.setdefault(written(INPUTS, index), tensor)
        return index

    def _backward(self) -> dict[str, Any]:
        """The fields of the layer that describe backward."""
        arriving = [self._output_gradient(each) for each in self.returned]
        tensors = [grad for grad, each in zip(arriving, self.returned, strict=True) if isinstance(each, Tensor)]
        grads = {written("grad", index): grad for index, grad in enumerate(tensors) if grad is not None}
        own = _BackwardRecorder({**grads, **self.known}, self._name_of_captured)
        try:
            with torch.no_grad(), _BackwardCapture(own, self.capture.stand_ins, RegionTracker()) as heard:
                result = self.ctx.apply(*arriving)
            given = _as_tuple(result)
            refs = [None if given[index] is None else own.reference(given[index]) for index in self.wanted]
            set_dtypes(own.entries, Findings(None), heard.trace.steps)
        except Exception as error:
            place, said = line_of(error), str(error).strip().partition("\n")[0]
            where = f" ({basename(place.file)}:{place.line})" if place else ""
            return {"unknown": f"{type(error).__name__}: {said[:300]}{where}"}
        return _BackwardFields(own, self._sizing).fields(refs)

    def _output_gradient(self, returned: Any) -> Tensor | None:
        """The gradient of an output that backward is called with; None where it would get none."""
        if not isinstance(returned, Tensor) or not (returned.requires_grad or self.zero_fills):
            return None
        return torch.empty(returned.shape, dtype=returned.dtype, device="meta")

    def _name_of_captured(self, tensor: Tensor) -> str | None:
        """The input's name of a tensor that backward reads and `ctx` does not hold; None of a constant."""
        if self.record.find(tensor) is None:
            return None
        self.captured.append(self._index(tensor))
        return written(INPUTS, self.captured[-1])

    def _sizing(self) -> str:
        """The name of the input that is read for the size of the batch."""
        if self.record.batch_ref not in self.reads:
            self.reads.append(self.record.batch_ref)
        return written(INPUTS, self.reads.index(self.record.batch_ref))


class _BackwardRecorder(Recorder):
    """A recorder that references no tensor: `ends` says after how many entries each is released."""

    def require_heard(self, tensor: Tensor) -> None:
        """Arguments of backward may be results of other Functions."""

    def __init__(self, inputs: Mapping[str, Tensor], captured: Callable[[Tensor], str | None]) -> None:
        self.ends: dict[Ref, int] = {}
        self.run_again: dict[int, weakref.ref[Tensor]] = {}
        self.captured = captured
        self.following: dict[int, weakref.ref[Tensor]] = {}
        """Constants that were made in the dtype of another tensor."""
        super().__init__(inputs, {})
        self.batch_first = Ref("input", SIZING)
        for name, tensor in inputs.items():
            if tensor.is_meta:
                self.register_place(tensor, Ref("input", name))

    def register(self, tensor: Tensor, ref: Ref) -> None:
        key = id(tensor)
        if key in self.refs:
            self._note_end(self.refs[key])
        self.refs[key] = ref
        self.known_since[key] = len(self.entries)
        place = place_of(tensor) if tensor.is_meta else None

        def gone(_: weakref.ref[Tensor]) -> None:
            self._note_end(self.refs.pop(key))
            self.run_again.pop(key)
            self.places.pop(place, None)

        self.run_again[key] = weakref.ref(tensor, gone)

    def _note_end(self, ref: Ref) -> None:
        self.ends[ref] = max(self.ends.get(ref, 0), len(self.entries))

    def reference(self, tensor: Tensor, detached: bool = False) -> Ref:
        """Autograd is off throughout, so nothing is detached."""
        if self.find(tensor) is None and (name := self.captured(tensor)) is not None:
            self.register(tensor, Ref("input", name))
        return super().reference(tensor)

    def _constant(self, tensor: Tensor) -> Ref:
        ref = super()._constant(tensor)
        made = self.following.get(id(tensor))
        if made is not None and made() is tensor and tensor.dtype == torch.float32:
            number = cast("int", ref.key)
            layer = self.entries[number].layer.model_copy(update={"dtype": WEIGHTS})
            self.entries[number] = replace(self.entries[number], layer=layer)
        return ref


class _BackwardCapture(Capture):
    """The mode that records a backward. It may not call autograd itself, as those calls are not intercepted."""

    record: _BackwardRecorder

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in AUTOGRAD:
            raise OutOfSightError(f"its backward calls torch.autograd itself ({func.__name__})")
        named: dict[str, Any] = kwargs or {}
        result = super().__torch_function__(func, types, args, named)
        if isinstance(result, Tensor) and self._follows(name_of(func), named.get("dtype")):
            self.record.following[id(result)] = weakref.ref(result)
        return result

    def _follows(self, name: str, dtype: torch.dtype | None) -> bool:
        """Whether a call makes a constant in the dtype of another tensor: like it, or in a dtype asked of it."""
        return (name in VALUELESS and dtype is None) or (
            name in VALUELESS | FACTORIES and dtype in self.origins.last_queried
        )


class _BackwardFields:
    """The recorded backward as fields of the layer `function`."""

    def __init__(self, own: _BackwardRecorder, batch_ref: Callable[[], str]) -> None:
        self.own = own
        self.batch_ref = batch_ref
        self.names: list[str] = []
        counts: Counter[str] = Counter()
        for entry in own.entries:
            counts[entry.layer.prefix] += 1
            self.names.append(f"{entry.layer.prefix}{counts[entry.layer.prefix]}")

    def fields(self, gives: Sequence[Ref | None]) -> dict[str, Any]:
        layers = [self._layer(number, entry) for number, entry in enumerate(self.own.entries)]
        named = [None if ref is None else self._name(ref) for ref in gives]
        fields: dict[str, Any] = {"backward": tuple(layers), "gives": tuple(named)}
        return fields | ({"holds": holds} if (holds := self._holds()) else {})

    def _layer(self, number: int, entry: Entry) -> Any:
        given = {slot: self._name(ref) for slot, ref in entry.weights.items()}
        update: dict[str, Any] = {"name": self.names[number], "inputs": tuple(map(self._name, entry.reads))}
        return entry.layer.model_copy(update=update | ({"given": given} if given else {}))

    def _name(self, ref: Ref) -> str:
        if ref.kind == "input":
            return self.batch_ref() if ref.key == SIZING else str(ref.key)
        return written(self.names[cast("int", ref.key)], ref.output)

    def _holds(self) -> dict[str, tuple[str, ...]]:
        """Tensors that stay alive after their last reader, by the layer until which they do."""
        last: dict[str, int] = {}
        for number, entry in enumerate(self.own.entries):
            for ref in (Ref("entry", number), *entry.reads, *entry.weights.values()):
                last[self._name(ref)] = number
        holds: dict[str, tuple[str, ...]] = {}
        for ref, end in self.own.ends.items():
            if ref.kind == "entry" and end - 1 > last[self._name(ref)]:
                until = self.names[end - 1]
                holds[until] = (*holds.get(until, ()), self._name(ref))
        return holds
