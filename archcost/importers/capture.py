"""A module's forward pass, written down call by call.

A call in the tables of `calls` is a layer. One that is not is looked into: a function written in Python is run with its
inner calls in sight, an operator of C++ is run under a dispatch mode that sees the operators beneath. What is left is
opaque.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import BackwardCFunction

from archcost.importers.author_formulas import formulas_of
from archcost.importers.autocast_regions import RegionTracker
from archcost.importers.casts import RequestedCast, requested_cast
from archcost.importers.constants import PRODUCTS, ConstantProducts
from archcost.importers.dtype_origins import DtypeOrigins
from archcost.importers.function_mode import (
    CASTS,
    FACTORIES,
    FEW_VALUES,
    MOST_CONSTANT_VALUES,
    MOST_VALUES,
    SEEN_IN_PLACE,
    SETTERS,
    CallMode,
    base_of,
    is_composed,
    is_whole,
    largest_result,
    make_constant,
    masks_to_indices,
    unoverridden,
    where_mask,
)
from archcost.importers.identity import storage_of
from archcost.importers.local_tensors import local_tensors
from archcost.importers.opaque import OutOfSightError
from archcost.importers.own_calls import OwnCall, note_refused, own_rule
from archcost.importers.record_call import (
    Call,
    OperatorMode,
    ScriptedOperatorMode,
    VmapOperatorMode,
    assigned_values,
    without_gradient,
)
from archcost.importers.recorded import AutocastRegion
from archcost.importers.recorder import Overwrite, Recorder
from archcost.importers.torch import COMPOSITES, RULES
from archcost.importers.torch.indexing import seen_at
from archcost.importers.torch.loss import TAKEN_AS_ONE
from archcost.importers.torch.proposal import Proposal
from archcost.importers.trace import (
    SHAPE_FOLLOWS,
    CallResult,
    ConstantRead,
    RecordedCast,
    Step,
    Trace,
    are_mixed,
    shape_of,
    tensors_in,
)
from archcost.importers.unintercepted_calls import Scripted


class Capture(CallMode):
    """The mode of the first run: records every call. `originals` maps the identity of each of the module's own weights
    to the meta tensor that stands for it.
    """

    def __init__(self, record: Recorder, originals: Mapping[int, Tensor], regions: RegionTracker) -> None:
        super().__init__(originals)
        self.record = record
        self.regions = regions
        self.trace = Trace()
        self.stand_ins: dict[int, Tensor] = dict(originals)
        self.held: list[Tensor] = []
        self.vmap_mode: VmapOperatorMode | None = None
        self.products = ConstantProducts(record, self._record_product)
        self.origins = DtypeOrigins(record)

    def _run_operators(self, func: Any, args: Any, kwargs: Any) -> Any:
        with OperatorMode(self.record):
            return func(*args, **kwargs)

    def _in_vmap(self, name: str, func: Any, args: Any, kwargs: Any) -> Any:
        """Operators are recorded until the next call outside of torch.vmap, to have those that end it as well."""
        if self.vmap_mode is None:
            self.record.register_all_places()
            self.vmap_mode = VmapOperatorMode(self.record)
            self.vmap_mode.__enter__()
        return super()._in_vmap(name, func, args, kwargs)

    def _leave_vmap(self) -> None:
        if self.vmap_mode is not None:
            self.vmap_mode.__exit__(None, None, None)  # pyright: ignore[reportUnknownMemberType]
            self.vmap_mode = None

    def __exit__(self, *error: Any) -> None:
        self._leave_vmap()
        super().__exit__(*error)  # pyright: ignore[reportUnknownMemberType]

    def release(self) -> None:
        """Drop all references to tensors, when the module has run."""
        self.held.clear()
        self.stand_ins.clear()
        self.origins.release()
        self.record.release()

    def _dtype_queried(self, tensor: Tensor) -> None:
        self.trace.asks_for_dtypes = True
        self.origins.queried(tensor)

    def _on_call(self, name: str, func: Any, args: Any, kwargs: Any) -> Any:
        self._leave_vmap()
        entries = self.record.entries
        step, constants = self.trace.start(name, len(entries)), len(self.record.constants)
        self.record.region = self.regions.current
        result = self._record_step(step, func, args, kwargs)
        step.end = len(entries)
        step.results = tuple(
            [CallResult(self.record.refs.get(id(made)), shape_of(made), made.dtype) for made in tensors_in(result)]
        )
        if len(self.record.constants) > constants:
            step.constants = tuple(self._constant_arguments(self.record.constants[constants:], args, kwargs))
        return result

    def _constant_arguments(
        self, constants: Sequence[tuple[int, int]], args: Any, kwargs: Any
    ) -> Iterator[ConstantRead]:
        """The arguments that were recorded as constants during the call."""
        made = dict(constants)
        for place, tensor in enumerate(tensors_in((args, kwargs))):
            entry = made.get(storage_of(self.stand_ins.get(id(tensor), tensor)))
            if entry is not None:
                self.trace.makes_floats |= tensor.is_floating_point()
                yield ConstantRead(place, entry, self.origins.of_constants.get(id(tensor)))

    def _record_step(self, step: Step, func: Any, args: Any, kwargs: Any) -> Any:
        name, given = step.name, tensors_in((args, kwargs))
        known = any(self.record.find(tensor) is not None for tensor in given)
        if name in FACTORIES:
            step.kind = "passed" if known else "made"
            return args[0] if known else self.origins.noted(make_constant(func, args, kwargs), kwargs.get("dtype"))
        args = masks_to_indices(name, args)
        if name == "setitem":
            step.kind = "set"
            return self._assign(*args)
        if name in CASTS and (cast := requested_cast(name, args, kwargs)):
            step.kind = "cast"
            if known:
                return self._record_cast(step, args[0], cast)
            return self.origins.noted(cast.of(args[0]), cast.dtype, cast.like)
        if known and isinstance(kwargs.get("out"), Tensor):
            return self._call_with_out(step, func, args, **kwargs)
        if name in COMPOSITES and known:
            step.kind = "composite"
            self.record.assume(name)
            with self:
                return COMPOSITES[name](*args, **kwargs)
        named = args
        args, kwargs = self._without_values(step, given, known, func, args, kwargs)
        if not known:
            return self._call_on_constants(step, given, func, args, kwargs)
        result = self._record_call(step, func, args, kwargs)
        if name in SHAPE_FOLLOWS and step.kind == "called":
            is_new = isinstance(result, Tensor) and all(result is not each for each in given)
            step.same_shape = is_new and result.is_meta  # one that has values may be looked at
        if name.endswith("_") and named[0] is not args[0]:
            self._replace(named[0], args[0])
        return result

    def _without_values(
        self, step: Step, given: Sequence[Tensor], known: bool, func: Any, args: Any, kwargs: Any
    ) -> tuple[Any, Any]:
        """The arguments; meta tensors in place of constants beside others, and where the result would be large."""
        if are_mixed(given):
            return self._emptied(args), self._emptied(kwargs)
        if given and not given[0].is_meta and sum(tensor.numel() for tensor in given) > FEW_VALUES:
            largest = MOST_VALUES if known else MOST_CONSTANT_VALUES
            step.drops_values = largest_result(func, args, kwargs) > largest
            if step.drops_values:
                return self._emptied(args, scalars=True), self._emptied(kwargs, scalars=True)
        return args, kwargs

    def _call_on_constants(self, step: Step, given: Sequence[Tensor], func: Any, args: Any, kwargs: Any) -> Any:
        step.kind = "free"
        result = func(*args, **kwargs)
        if step.name in PRODUCTS:
            self.products.note(step.name, func, args, kwargs, result)
        self.origins.hand_on(given, result)
        return result

    def _note_dtype_source(self, result: Tensor, source: Tensor) -> None:
        self.origins.note(result, source)

    def _record_cast(self, step: Step, source: Tensor, cast: RequestedCast) -> Tensor:
        """Record a cast, also one that does nothing to float32: in another precision it may do something."""
        result = cast.of(source)
        is_same = cast.dtype in (None, source.dtype)
        if is_same and cast.copy:
            self.record.write(Proposal("clone", (source,)), (result,), without_gradient())
            return result
        asked, is_named, is_sure = self.origins.asked_for(cast, result.dtype)
        is_own = asked is source and is_sure and not is_named
        if is_same and (cast.dtype is None or not result.is_floating_point() or is_own):
            return source
        result = source.clone() if result is source else result
        if not self.record.write(
            Proposal("cast", (source,), {"dtype": self.record.float32_type(result).dtype}),
            (result,),
            without_gradient(),
        ):
            self.record.opaque("aten::_to_copy", (source,), (result,))
        elif result.is_floating_point():
            like = None if asked is None or cast.is_named else self.record.find(asked)
            step.cast = RecordedCast(len(self.record.entries) - 1, is_named, like, is_sure)
        return result

    def _call_with_out(self, step: Step, func: Any, args: Any, *, out: Tensor, **kwargs: Any) -> Tensor:
        """A call with `out=`: a new tensor becomes the result; one that is recorded already is written over."""
        step.kind = "into"
        with self:
            result = func(*args, **kwargs)
            if self.record.find(out) is not None:
                step.kind = "over"
                return out.copy_(result)
        self._replace(out, result)
        return out

    def _replace(self, constant: Tensor, changed: Tensor) -> None:
        """A constant now holds values of the network: what is read of it is `changed`."""
        ref = self.record.find(changed)
        if ref is not None:
            self.record.register(constant, ref)
            self.stand_ins[id(constant)] = changed

    def _assign(self, target: Tensor, index: Any, value: Any) -> None:
        """`target[index] = value`."""
        named, given = target, list(tensors_in([target, index, value]))
        known = any(self.record.find(tensor) is not None for tensor in given)
        if any(tensor.is_meta for tensor in given):
            index, value, target = self._emptied(index), self._emptied(value), self._emptied(target, scalars=True)
        if not known:
            torch.Tensor.__setitem__(target, index, value)
            return
        whole = self.record.base_of_view(target)
        masks = [tensor for tensor in tensors_in([index]) if tensor.dtype == torch.bool]
        if masks and (len(masks) > 1 or not isinstance(index, Tensor)):
            raise OutOfSightError(
                "a mask among other indices has no rule", expected="x[mask] = y", found=f"{target.shape}"
            )
        if masks:
            with self:
                filled = where_mask(target, masks[0], value)
            if not (target.requires_grad and without_gradient()):
                self.record.register(target, self.record.reference(filled))
        else:
            written = self._overwrite_of(target, index, value)
            torch.Tensor.__setitem__(target, index, value)
            self.record.overwrite(target, whole, written, without_gradient())
        self.stand_ins.pop(id(target), None)
        if named is not target:
            self._replace(named, target)

    def _overwrite_of(self, target: Tensor, index: Any, value: Any) -> Overwrite:
        values = list(tensors_in([value]))
        with torch.no_grad():
            seen, tensors = seen_at(target.detach(), index)
            picked = {axis: tensor for axis, tensor in enumerate(tensors) if tensor is not None}
            if not picked:
                return Overwrite(values, seen.numel())
            place = torch.ops.aten.index.Tensor(seen, tensors)
        if seen.shape == target.shape:
            number = [torch.zeros((), dtype=target.dtype, device="meta")]
            return Overwrite([*(values or number), *picked.values()], place.numel(), tuple(picked))
        return Overwrite(values, place.numel())  # a view, and indices within it: as if they were a part

    def _record_call(self, step: Step, func: Any, args: Any, kwargs: Any) -> Any:
        name = step.name
        base, inplace = base_of(name)
        if name in SEEN_IN_PLACE:
            with self:
                seen = getattr(args[0], base)(*args[1:], **kwargs)
            result = func(*args, **kwargs)
            self.record.register(result, self.record.reference(seen))
            return result
        if inplace and self.record.is_batch_counter(args[0]):
            return func(*args, **kwargs)
        if inplace or name.endswith("_"):
            self.stand_ins.pop(id(args[0]), None)
        if name in SETTERS:
            whole = self.record.base_of_view(args[0])
            result = func(*args, **kwargs)
            self.record.overwrite(args[0], whole, assigned_values(name, args, kwargs), without_gradient())
            return result
        rule = RULES.get(base) or own_rule(base)
        if rule is not None:
            call = Call(args, kwargs, inplace or bool(kwargs.get("inplace")), self.record)
            is_theirs = isinstance(func, OwnCall) or "::" in name
            result = self._run_whole(func, args, kwargs) if is_theirs else func(*args, **kwargs)
            if call.write(rule, result):
                return result
            note_refused(self.record, base)
        if is_whole(func):
            return self._record_opaque(name, func, args, kwargs)
        if is_composed(func):
            step.kind = "composed"
            with self:
                return unoverridden(func)(*args, **kwargs)
        with self._taken_as_one(name):
            return self._record_operators_beneath(step, func, args, kwargs)

    @contextmanager
    def _taken_as_one(self, name: str) -> Generator[None]:
        """A call that autocast knows by its name, where it composes others: a region of its own."""
        around, devices = self.record.region, TAKEN_AS_ONE.get(name, ())
        if devices and (around is None or around.dtype != "off"):
            device = devices[0] if len(devices) == 1 else None
            self.record.region = AutocastRegion("float32", device, len(self.trace.steps))
        try:
            yield
        finally:
            self.record.region = around

    def _record_opaque(self, name: str, func: Any, args: Any, kwargs: Any) -> Any:
        """An operator of somebody's library that has no rule, with what autograd keeps for it."""
        first, given = len(self.record.entries), tensors_in((args, kwargs))
        saved: list[Tensor] = []

        def pack(tensor: Tensor) -> Tensor:
            saved.append(tensor)
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            result = self._run_whole(func, args, kwargs)
        made = tensors_in(result)
        if any(each.numel() for each in made):
            self.record.opaque(name, given, made, detached=without_gradient())
            self.record.note_saved(first, saved)
            with self.paused():
                self.record.note_formulas(formulas_of(func, args, kwargs), name)
        return result

    def _run_whole(self, func: Any, args: Any, kwargs: Any) -> Any:
        """The result of a call that is one layer, whatever it calls; Functions in it are applied, and need no layer."""
        with self.paused():
            result = func(*args, **kwargs)
        nodes = [made.grad_fn for made in tensors_in(result)]
        self.record.functions += [node for node in nodes if isinstance(node, BackwardCFunction)]
        return result

    def _record_operators_beneath(self, step: Step, func: Any, args: Any, kwargs: Any) -> Any:
        """Record the operators that a call dispatches, and which tensors autograd saves meanwhile."""
        first, constants = len(self.record.entries), len(self.record.constants)
        saved: list[Tensor] = []

        def pack(tensor: Tensor) -> Tensor:
            saved.append(tensor)
            return tensor

        seen = ScriptedOperatorMode(self.record) if isinstance(func, Scripted) else OperatorMode(self.record)
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor), seen:
            result = func(*args, **kwargs)
        self.record.note_saved(first, saved)
        self.record.follow_weights(self.record.constants[constants:], tensors_in((args, kwargs)))
        if len(self.record.entries) > first + 1 and not step.name.endswith("_"):
            step.locals = tuple(local_tensors(lambda: func(*args, **kwargs), seen.dispatched, self.record))
        return result

    def _record_product(self, name: str, func: Any, args: Any, kwargs: Any) -> Any:
        rule = RULES.get(name)
        result = func(*args, **kwargs)
        if rule is not None and Call(args, kwargs, False, self.record).write(rule, result):
            return result
        with OperatorMode(self.record):
            return func(*args, **kwargs)

    def _stand_in_for(self, tensor: Tensor) -> Tensor:
        if id(tensor) not in self.stand_ins:
            self.record.refuse_new(tensor)
            self.held.append(tensor)
            twin = self.stand_ins[id(tensor)] = self.products.without_values(tensor)
            ref = self.record.find(tensor)
            if ref is not None:
                self.record.register(twin, ref)
        return self.stand_ins[id(tensor)]
