"""A module's forward pass, written down call by call.

A call in the tables of `calls` is a layer. One that is not is looked into: a function written in Python is run with its
inner calls in sight, an operator of C++ is run under a dispatch mode that sees the operators beneath. What is left is
opaque.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from archcost.importers.autocast_regions import Regions
from archcost.importers.casts import Spelled, Variable, Wanted, spelled, variable_assigned, wanted
from archcost.importers.constants import PRODUCTS, Products
from archcost.importers.function_mode import (
    CASTS,
    FACTORIES,
    LARGEST_CONSTANT,
    LARGEST_REAL,
    SETTERS,
    SMALL,
    Following,
    base_of,
    is_composed,
    make_constant,
    over_mask,
    size_made,
    unchecked,
    with_places,
)
from archcost.importers.identity import storage_of
from archcost.importers.opaque import OutOfSightError
from archcost.importers.record_call import Below, Beneath, Call, Scripting, put, without_gradient
from archcost.importers.recorded import Ref
from archcost.importers.recorder import Record, Written
from archcost.importers.torch import COMPOSITES, LEAVES
from archcost.importers.torch.proposal import Drawn
from archcost.importers.torch.shaping import seen_at
from archcost.importers.trace import SHAPED, Made, Recasting, Standing, Step, Trace, are_mixed, shape_of, tensors_in
from archcost.importers.unintercepted_calls import Scripted


class Capture(Following):
    """Writes into `record`. `originals` are the module's real weights, by identity, with those that stand for them."""

    def __init__(self, record: Record, originals: Mapping[int, Tensor], regions: Regions) -> None:
        super().__init__(originals)
        self.record = record
        self.regions = regions
        self.trace = Trace()
        self.twins: dict[int, Tensor] = dict(originals)
        self.held: list[Tensor] = []
        self.below: Below | None = None
        self.products = Products(record, self._follow_product)
        self.dtypes: dict[torch.dtype, Tensor] = {}
        """By dtype the tensor that was asked for it last."""
        self.variables: dict[Variable, Tensor] = {}
        """By variable the tensor whose dtype it holds."""
        self.likes: dict[int, Ref] = {}
        """By constant, as long as it is there, the tensor of the network whose dtype it was given."""

    def _beneath(self, func: Any, args: Any, kwargs: Any) -> Any:
        with Beneath(self.record):
            return func(*args, **kwargs)

    def _transformed(self, name: str, func: Any, args: Any, kwargs: Any) -> Any:
        """Operators are seen until the next call that is none of torch.vmap's, so those too that it ends with."""
        if self.below is None:
            self.record.place_all()
            self.below = Below(self.record)
            self.below.__enter__()
        return super()._transformed(name, func, args, kwargs)

    def _surface(self) -> None:
        if self.below is not None:
            self.below.__exit__(None, None, None)  # pyright: ignore[reportUnknownMemberType]
            self.below = None

    def __exit__(self, *error: Any) -> None:
        self._surface()
        super().__exit__(*error)  # pyright: ignore[reportUnknownMemberType]

    def let_go(self) -> None:
        """Of all tensors, once the module has run."""
        for known in (self.held, self.twins, self.dtypes, self.variables):
            known.clear()
        self.record.let_go()

    def _asked(self, tensor: Tensor) -> None:
        self.dtypes[tensor.dtype] = tensor
        self.trace.asks_for_dtypes = True
        variable = variable_assigned()
        if variable is not None:
            self.variables[variable] = tensor

    def _heard(self, name: str, func: Any, args: Any, kwargs: Any) -> Any:
        self._surface()
        entries = self.record.entries
        step, constants = self.trace.start(name, len(entries)), len(self.record.constants)
        self.record.region = self.regions.current
        result = self._taken(step, func, args, kwargs)
        step.end = len(entries)
        step.results = tuple(
            [Made(self.record.refs.get(id(made)), shape_of(made), made.dtype) for made in tensors_in(result)]
        )
        if len(self.record.constants) > constants:
            step.constants = tuple(self._constants(self.record.constants[constants:], args, kwargs))
        return result

    def _constants(self, constants: Sequence[tuple[int, int]], args: Any, kwargs: Any) -> Iterator[Standing]:
        """Arguments that became constants while the step was taken."""
        made = dict(constants)
        for place, tensor in enumerate(tensors_in((args, kwargs))):
            entry = made.get(storage_of(self.twins.get(id(tensor), tensor)))
            if entry is not None:
                self.trace.makes_floats |= tensor.is_floating_point()
                yield Standing(place, entry, self.likes.get(id(tensor)))

    def _taken(self, step: Step, func: Any, args: Any, kwargs: Any) -> Any:
        name, given = step.name, tensors_in((args, kwargs))
        live = any(self.record.find(tensor) is not None for tensor in given)
        if name in FACTORIES:
            step.kind = "passed" if live else "made"
            return args[0] if live else self._made(make_constant(func, args, kwargs), kwargs.get("dtype"))
        args = with_places(name, args)
        if name == "setitem":
            step.kind = "set"
            return self._set(*args)
        if name in CASTS and (cast := wanted(name, args, kwargs)):
            step.kind = "cast"
            return self._cast(step, args[0], cast) if live else self._made(cast.of(args[0]), cast.dtype, cast.like)
        if live and isinstance(kwargs.get("out"), Tensor):
            return self._into(step, func, args, **kwargs)
        if name in COMPOSITES and live:
            step.kind = "composite"
            self.record.assume(name)
            with self:
                return COMPOSITES[name](*args, **kwargs)
        named = args
        if are_mixed(given):
            args, kwargs = self._mapped(args), self._mapped(kwargs)
        elif given and not given[0].is_meta and sum(tensor.numel() for tensor in given) > SMALL:
            largest = LARGEST_REAL if live else LARGEST_CONSTANT
            step.sketched = size_made(func, args, kwargs) > largest
            if step.sketched:
                args, kwargs = self._mapped(args, scalars=True), self._mapped(kwargs, scalars=True)
        if not live:
            step.kind = "free"
            result = func(*args, **kwargs)
            if name in PRODUCTS:
                self.products.note(name, func, args, kwargs, result)
            likes = [self.likes[id(tensor)] for tensor in given if id(tensor) in self.likes]
            if likes and isinstance(result, Tensor) and result.is_floating_point():
                self._remember(result, likes[0])
            return result
        result = self._call(step, func, args, kwargs)
        if name in SHAPED and step.kind == "called":
            is_new = isinstance(result, Tensor) and all(result is not each for each in given)
            step.is_shaped = is_new and result.is_meta  # one that has values may be looked at
        if name.endswith("_") and named[0] is not args[0]:
            self._replace(named[0], args[0])
        return result

    def _like(self, result: Tensor, source: Tensor) -> None:
        ref = self.record.find(source) or self.likes.get(id(source))
        if ref is not None and result.is_floating_point() and result.dtype == source.dtype:
            self._remember(result, ref)

    def _made(self, constant: Any, dtype: torch.dtype | None, like: Tensor | None = None) -> Any:
        """A constant; where its dtype was asked of a tensor before, of which."""
        asked = like if like is not None else self.dtypes.get(dtype) if dtype is not None else None
        if isinstance(constant, Tensor) and asked is not None:
            self._like(constant, asked)
        return constant

    def _remember(self, constant: Tensor, like: Ref) -> None:
        key = id(constant)
        self.likes[key] = like
        weakref.finalize(constant, self.likes.pop, key, None)

    def _cast(self, step: Step, source: Tensor, cast: Wanted) -> Tensor:
        """A cast is a layer wherever it may matter in some precision, also where it does nothing to float32."""
        result = cast.of(source)
        is_same = cast.dtype in (None, source.dtype)
        if is_same and cast.copy:
            self.record.write(Drawn("clone", (source,)), (result,), without_gradient())
            return result
        how = spelled() if cast.like is None and cast.dtype is not None and not cast.is_named else Spelled()
        is_named = cast.is_named or how.by_name
        known = cast.like if cast.like is not None else self.variables.get(how.variable) if how.variable else None
        asked = known if known is not None else self.dtypes.get(result.dtype)
        is_sure = known is not None or how.by_question
        is_own = asked is source and is_sure and not is_named
        if is_same and (cast.dtype is None or not result.is_floating_point() or is_own):
            return source
        result = source.clone() if result is source else result
        if not self.record.write(
            Drawn("cast", (source,), {"dtype": self.record.kind(result).dtype}), (result,), without_gradient()
        ):
            self.record.opaque("aten::_to_copy", (source,), (result,))
        elif result.is_floating_point():
            like = None if asked is None or cast.is_named else self.record.find(asked)
            step.cast = Recasting(len(self.record.entries) - 1, is_named, like, is_sure)
        return result

    def _into(self, step: Step, func: Any, args: Any, *, out: Tensor, **kwargs: Any) -> Tensor:
        """`out=`: what was made for it is the result, and anything else is written over."""
        step.kind = "into"
        with self:
            result = func(*args, **kwargs)
            if self.record.find(out) is not None:
                step.kind = "over"
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
            with self:
                filled = over_mask(target, masks[0], value)
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

    def _call(self, step: Step, func: Any, args: Any, kwargs: Any) -> Any:
        name = step.name
        base, inplace = base_of(name)
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
            step.kind = "composed"
            with self:
                return unchecked(func)(*args, **kwargs)
        return self._looked_into(func, args, kwargs)

    def _looked_into(self, func: Any, args: Any, kwargs: Any) -> Any:
        """What lies beneath the call, and what autograd keeps of it."""
        first = len(self.record.entries)
        saved: list[Tensor] = []

        def pack(tensor: Tensor) -> Tensor:
            saved.append(tensor)
            return tensor

        seen = Scripting(self.record) if isinstance(func, Scripted) else Beneath(self.record)
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor), seen:
            result = func(*args, **kwargs)
        self.record.keep(first, saved)
        return result

    def _follow_product(self, name: str, func: Any, args: Any, kwargs: Any) -> Any:
        leaf = LEAVES.get(name)
        result = func(*args, **kwargs)
        if leaf is not None and Call(args, kwargs, False, self.record).write(leaf, result):
            return result
        with Beneath(self.record):
            return func(*args, **kwargs)

    def _twin(self, tensor: Tensor) -> Tensor:
        if id(tensor) not in self.twins:
            self.record.refuse_new(tensor)
            self.held.append(tensor)
            twin = self.twins[id(tensor)] = self.products.without_values(tensor)
            ref = self.record.find(tensor)
            if ref is not None:
                self.record.know(twin, ref)
        return self.twins[id(tensor)]
