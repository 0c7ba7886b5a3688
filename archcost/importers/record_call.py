"""Recording one call of torch: as the layer that a rule proposes, or as the operators that it dispatches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from archcost.importers.author_formulas import formulas_of
from archcost.importers.function_mode import SEEN_IN_PLACE, SETTERS, VALUELESS, base_of
from archcost.importers.identity import storage_of
from archcost.importers.local_tensors import Dispatched
from archcost.importers.own_calls import own_rule
from archcost.importers.recorder import Overwrite, Recorder
from archcost.importers.tensor_subclasses import own_operator, wrapper_in
from archcost.importers.torch import COMPOSITES, RULES
from archcost.importers.torch.proposal import Rule
from archcost.importers.trace import tensors_in

IMAGE_RANKS = (4, 5)
"""Ranks of image tensors: CPU kernels may return them channels last, where the meta device returns row-major ones."""


def assigned_values(name: str, args: Any, kwargs: Any) -> Overwrite:
    """What a method such as `copy_` or `index_put_` writes, and over how many places."""
    target, *given = args
    if name != "index_put_":
        return Overwrite(list(tensors_in((given, kwargs))), target.numel())
    indices: Sequence[Tensor | None] = given[0]
    picked = {axis: tensor for axis, tensor in enumerate(indices) if tensor is not None}
    return Overwrite([given[1], *picked.values()], given[1].numel(), tuple(picked))


class Call:
    """A call that is about to run: its arguments, and the tensor that it changes if it works in place."""

    def __init__(self, args: Any, kwargs: Any, inplace: bool, record: Recorder) -> None:
        self.args = args
        self.kwargs = kwargs
        self.inplace = inplace
        self.record = record
        self.whole = record.base_of_view(args[0]) if inplace else None

    def write(self, rule: Rule, result: Any, places: bool = False) -> bool:
        """Record the call's result by a rule. False where the rule has no layer for it, so that nothing is recorded."""
        results = tuple(tensors_in(result))
        if any(made.numel() for made in results):
            return self._write(rule, results, result, places)
        if any(made.requires_grad for made in results):  # of no value, and a gradient goes back through it all the same
            self._write(rule, results, result, places)
        return True

    def _write(self, rule: Rule, results: tuple[Tensor, ...], result: Any, places: bool) -> bool:
        idle = not self.inplace and all(any(made is given for given in tensors_in(self.args)) for made in results)
        if idle and not (rule is RULES["contiguous"] and results[0].dim() in IMAGE_RANKS):
            return True  # torch had nothing to do, and returned what it was given
        on_view = self.whole is not None and self.whole is not self.args[0]
        in_part = self.whole is not None and self.whole.numel() != self.args[0].numel()
        detached = without_gradient()
        detached_write = self.whole is not None and detached and self.whole.requires_grad
        flag = {"inplace": True} if self.inplace and rule.takes_inplace and (detached_write or not in_part) else {}
        named = {key: value for key, value in self.kwargs.items() if key != "inplace"}
        try:
            proposal = rule.function(result, *self.args, **named, **flag)
        except TypeError:  # arguments that the rule does not know
            return False
        if idle and proposal is None:
            return True
        if proposal is None or not self.record.write(proposal, results, detached, places):
            return False
        if detached_write:  # to autograd the tensor stays what it was
            if not flag:
                self.record.overwrite(results[0], results[0], Overwrite([], results[0].numel()), True)
            return True
        if on_view and self.whole is not None:  # the result, written over that part of what it is a view of
            written = Overwrite(results, results[0].numel(), in_place=bool(flag))
            self.record.overwrite(results[0], self.whole, written, detached)
        elif self.inplace:
            self.record.overwritten[storage_of(results[0])] = len(self.record.entries)
        return True


class OperatorMode(TorchDispatchMode):
    """Records every ATen operator that one call dispatches, each by its own rule, or as opaque."""

    def __init__(self, record: Recorder) -> None:
        super().__init__()  # pyright: ignore[reportUnknownMemberType]
        self.record = record
        self.dispatched: list[Dispatched] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = self._dispatch(func, types, args, kwargs)
        self.dispatched.append(Dispatched(func._schema.name, tensors_in(result), len(self.record.entries)))
        return result

    def _dispatch(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        kwargs = kwargs or {}
        wrapper = wrapper_in(args, kwargs)
        if wrapper is not None:
            with self:
                return own_operator(wrapper)(func, types, args, kwargs)
        full = func._schema.name
        namespace, _, name = full.partition("::")
        reads = list(tensors_in((args, kwargs)))
        known = any(self.record.find(tensor) is not None for tensor in reads)
        if name in COMPOSITES and namespace == "aten" and known:
            with self:
                return COMPOSITES[name](*args, **kwargs)
        base, inplace = base_of(name)
        if known and namespace == "aten" and name in SEEN_IN_PLACE:
            with self:
                seen = getattr(torch.ops.aten, base)(*args, **kwargs)
            result = func(*args, **kwargs)
            self.record.register_place(result, self.record.reference(seen))
            return result
        call = Call(args, kwargs, known and (inplace or name in SETTERS), self.record)
        result = func(*args, **kwargs)
        results = tuple(tensors_in(result))
        if not known or not results or name in VALUELESS:
            return result
        if namespace == "aten" and name in SETTERS:
            assert call.whole is not None
            self.record.overwrite(args[0], call.whole, assigned_values(name, args, kwargs), without_gradient())
            return result
        ours = RULES.get(f"{namespace}::{base}") or (RULES.get(base) if namespace == "aten" else None)
        rule = ours or own_rule(full)
        if rule is None or not call.write(rule, result, places=True):
            self.record.opaque(full, reads, results, places=True, detached=without_gradient())
            self.record.note_formulas(formulas_of(func, args, kwargs), full)
        return result


class ScriptedOperatorMode(OperatorMode):
    """The same inside a TorchScript function, which detaches its arguments since it has a backward of its own."""

    def _dispatch(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        ref = self.record.find(args[0]) if func is torch.ops.aten.detach.default else None
        if ref is None:
            return super()._dispatch(func, types, args, kwargs)
        result = func(*args)
        self.record.register_place(result, ref)
        return result


class VmapOperatorMode(OperatorMode):
    """The same under torch.vmap: it stays active over several calls, which no function mode sees meanwhile."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        with torch._C.DisableTorchFunction():  # pyright: ignore[reportPrivateUsage]
            return super().__torch_dispatch__(func, types, args, kwargs)


def without_gradient() -> bool:
    """Whether autograd is off, as under torch.no_grad."""
    return not torch.is_grad_enabled()
