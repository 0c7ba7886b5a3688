"""`LifetimeMode`: the second run of a module, which shows when each tensor is released, and the dtype of each cast.

Weak references tell after which call a tensor is released: as in eager torch, when no variable of forward, no attribute
and no argument refers to it. Nothing requires a gradient, so autograd keeps none alive. Weights are bfloat16, so that a
cast to a dtype by name differs from one to the dtype of another tensor.
"""

from __future__ import annotations

import weakref
from collections.abc import Collection, Mapping
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from archcost.importers.autocast_regions import RegionTracker
from archcost.importers.casts import requested_cast
from archcost.importers.function_mode import CallMode, make_constant, masks_to_indices, unoverridden, where_mask
from archcost.importers.recorded import AutocastRegion, Ref
from archcost.importers.torch import COMPOSITES
from archcost.importers.trace import Step, Trace, are_mixed, shape_of, tensors_in


class DivergedError(BaseException):
    """The module makes other calls than in the first run. A BaseException, so that no module catches it."""


class Release(NamedTuple):
    """That a recorded tensor was released, and the number of the call that was last begun by then."""

    ref: Ref
    step: int


class LifetimeMode(CallMode):
    """Makes every call as the first run made it, by its `trace`. `originals` are those of Capture."""

    has_gradients = False

    def __init__(self, trace: Trace, originals: Mapping[int, Tensor], regions: RegionTracker) -> None:
        super().__init__(originals)
        self.steps = trace.steps
        self.replays = not trace.has_to_do_with_dtypes
        self.open = regions
        self.regions: dict[int, AutocastRegion | None] = {}
        """The module's own autocast, by the number of the call."""
        self.now = -1
        self.releases: list[Release] = []
        self.living: dict[int, Ref] = {}
        """Tensors that are alive, by identity."""
        self.dtypes: dict[int, torch.dtype] = {}
        """The dtype of a cast's result, by the number of the call."""
        self.constants: dict[int, torch.dtype] = {}
        """The dtype of a constant, by its entry."""
        self.dtype_sources: dict[int, Ref] = {}
        """The tensor that was last asked for the dtype of a cast, by the number of the call."""
        self._references: dict[int, weakref.ref[Any]] = {}
        self._stand_ins: dict[int, Tensor] = dict(originals)
        self._originals: dict[int, weakref.ref[Tensor]] = {}
        self.replaced: dict[Ref, int] = {}
        self._waiting: list[weakref.ref[Any]] = []
        self._last_queried: dict[torch.dtype, Ref | None] = {}

    def finished(self) -> bool:
        """Whether all calls of the first run were made."""
        return self.now == len(self.steps) - 1

    def remaining(self, owned: Collection[Tensor]) -> dict[Ref, Any]:
        """Tensors that are still alive, as weak references, without those that replaced a weight. Ends the tracking."""
        replacing = {id(tensor) for tensor in owned}
        remaining = {ref: self._references[key]() for key, ref in self.living.items() if key not in replacing}
        self._references.clear()
        order = sorted(remaining, key=lambda ref: (str(ref.key).zfill(12), ref.output))
        return {ref: weakref.ref(remaining[ref]) for ref in order}

    def await_release(self, remaining: Mapping[Ref, Any]) -> None:
        """Note in `replaced` during which call of this run each of these, left from the run before, is released."""
        for ref, reference in remaining.items():
            self._waiting.append(weakref.ref(reference(), partial(self._note_replaced, ref)))

    def _note_replaced(self, ref: Ref, _: Any) -> None:
        self.replaced[ref] = self.now

    def _run_operators(self, func: Any, args: Any, kwargs: Any) -> Any:
        return func(*args, **kwargs)

    def _dtype_queried(self, tensor: Tensor) -> None:
        self._last_queried[tensor.dtype] = self.living.get(id(tensor))

    def _on_call(self, name: str, func: Any, args: Any, kwargs: Any) -> Any:
        self.now += 1
        if self.now >= len(self.steps) or self.steps[self.now].name != name:
            raise DivergedError
        number, step = self.now, self.steps[self.now]
        if self.open.current is not None:
            self.regions[number] = self.open.current
        given = tensors_in((args, kwargs))
        for place, entry, _ in step.constants:
            self.constants[entry] = given[place].dtype
            self._track_storage(given[place], Ref("entry", entry))
        result = self._replay(step, func, args, kwargs)
        made = tensors_in(result)
        if [shape_of(tensor) for tensor in made] != [each.shape for each in step.results]:
            raise DivergedError
        if step.cast is not None:
            self.dtypes[number] = made[0].dtype
            dtype_sources = self._last_queried.get(made[0].dtype)
            if dtype_sources is not None:
                self.dtype_sources[number] = dtype_sources
        for tensor, each in zip(made, step.results, strict=True):
            if each.ref is not None and each.ref.kind == "entry":
                self._track(tensor, each.ref)
        if name.endswith("_") and given and made and not given[0].is_meta and made[0].is_meta:
            self._replace(given[0], made[0])
        return result

    def _track(self, tensor: Tensor, ref: Ref) -> None:
        key = id(tensor)
        if key not in self.living:
            self._references[key] = weakref.ref(tensor, partial(self._released, key))
        self.living[key] = ref

    def _track_storage(self, constant: Tensor, ref: Ref) -> None:
        """Track the storage of a constant, which may be read through views."""
        storage: Any = constant.untyped_storage()
        key = id(storage)
        if key not in self.living:
            self.living[key] = ref
            self._references[key] = weakref.ref(storage, partial(self._released, key))

    def _released(self, key: int, _: Any) -> None:
        self.releases.append(Release(self.living.pop(key), self.now))
        del self._references[key]

    def _replace(self, constant: Tensor, changed: Tensor) -> None:
        """A constant now holds values of the network: what is read of it is `changed`."""
        ref = self.living.pop(id(changed), None)
        self._references.pop(id(changed), None)
        self._stand_in_for(constant)
        self._stand_ins[id(constant)] = changed
        if ref is not None:
            self._track(constant, ref)

    def _replay(self, step: Step, func: Any, args: Any, kwargs: Any) -> Any:
        if step.kind == "made":
            return make_constant(func, args, kwargs)
        if step.kind == "passed":
            return args[0]
        if step.kind == "cast":
            cast = requested_cast(step.name, args, kwargs)
            if cast is None:
                raise DivergedError
            result = cast.of(args[0])
            told_apart = result is args[0] and step.cast is not None  # in another precision it may be a copy
            return args[0].clone() if told_apart else result
        args = masks_to_indices(step.name, args)
        if step.kind == "composite":
            with self:
                return COMPOSITES[step.name](*args, **kwargs)
        if step.kind in ("into", "over"):
            return self._call_with_out(step, func, args, **kwargs)
        if step.drops_values or are_mixed(tensors_in((args, kwargs))):
            args, kwargs = self._emptied(args, step.drops_values), self._emptied(kwargs, step.drops_values)
        if step.kind == "set":
            return self._assign(*args)
        if step.kind == "composed":
            with self:
                return unoverridden(func)(*args, **kwargs)
        if self.replays and step.same_shape:  # a tensor like that of the first run, and no kernel is asked again
            return torch.empty(step.results[0].shape, dtype=step.results[0].dtype, device="meta")
        return func(*args, **kwargs)

    def _call_with_out(self, step: Step, func: Any, args: Any, *, out: Tensor, **kwargs: Any) -> Tensor:
        with self:
            result = func(*args, **kwargs)
            if step.kind == "over":
                return out.copy_(result)
        self._replace(out, result)
        return out

    def _assign(self, target: Tensor, index: Any, value: Any) -> None:
        masks = [tensor for tensor in tensors_in([index]) if tensor.dtype == torch.bool]
        if masks and target.is_meta:
            with self:
                where_mask(target, masks[0], value)
            return
        torch.Tensor.__setitem__(target, index, value)

    def _stand_in_for(self, tensor: Tensor) -> Tensor:
        key = id(tensor)
        if key not in self._stand_ins:
            self._stand_ins[key] = tensor.detach().to("meta")
            self._originals[key] = weakref.ref(tensor, partial(self._forget_stand_in, key))
        return self._stand_ins[key]

    def _forget_stand_in(self, key: int, _: Any) -> None:
        self._stand_ins.pop(key, None)
        self._originals.pop(key, None)
