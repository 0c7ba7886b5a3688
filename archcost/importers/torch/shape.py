"""Views, copies, and values moved to other places, where a card does not say all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from archcost.importers.torch.proposal import Proposal, composite, finite, is_number, listed, rule_for, samples_in


@rule_for("view", "reshape", "view_as", "reshape_as", "_unsafe_view", "_reshape_alias", "ravel")
def reshape(result: Tensor, x: Tensor, *given: Any, shape: Any = None) -> Proposal | None:
    if result.dtype != x.dtype:
        return None  # the bits seen as another dtype
    before, after = tuple(x.shape), tuple(result.shape)
    from_batch = [index for index, size in enumerate(after) if samples_in(size)]
    if len(from_batch) > 1:
        return None
    if before and len(after) > 1 and after[0] == before[0] and from_batch in ([], [0]):
        return Proposal("reshape", (x,), {"shape": list(after[1:])})
    return Proposal("view", (x,), {"shape": [-1 if index in from_batch else size for index, size in enumerate(after)]})


@rule_for("flatten")
def flatten(result: Tensor, x: Tensor, start_dim: int = 0, end_dim: int = -1) -> Proposal | None:
    return Proposal("flatten", (x,), {"start_dim": start_dim, "end_dim": end_dim})


@rule_for("unflatten")
def unflatten(result: Tensor, x: Tensor, dim: int, sizes: Sequence[int]) -> Proposal | None:
    if any(map(samples_in, sizes)):
        return reshape(result, x)
    return Proposal("unflatten", (x,), {"dim": dim, "unflattened_size": list(sizes)})


@rule_for("permute")
def permute(result: Tensor, x: Tensor, *dims: Any) -> Proposal:
    return Proposal("permute", (x,), {"dims": list(listed(dims))})


@rule_for("t", "get:T", "get:mT", "numpy_T")
def turned(result: Tensor, x: Tensor) -> Proposal | None:
    return Proposal("transpose", (x,), {"dim0": -2, "dim1": -1}) if x.dim() == 2 or result.dim() != 2 else None


@composite("movedim", "moveaxis")
def movedim(x: Tensor, source: Any, destination: Any) -> Tensor:
    from_ = [axis % x.dim() for axis in listed((source,))]
    to = [axis % x.dim() for axis in listed((destination,))]
    rest = iter([axis for axis in range(x.dim()) if axis not in from_])
    return x.permute([from_[to.index(axis)] if axis in to else next(rest) for axis in range(x.dim())])


@rule_for("squeeze")
def squeeze(result: Tensor, x: Tensor, *dims: Any, dim: Any = None) -> Proposal | None:
    named = listed(dims) if dims else (dim if dim is None or isinstance(dim, int) else tuple(dim))
    if isinstance(named, tuple) and len(named) == 1:
        named = named[0]
    if named is None:
        named = tuple(axis for axis, size in enumerate(x.shape) if size == 1)
        if not named:
            return Proposal("identity", (x,))
    return Proposal("squeeze", (x,), {"dim": named})


@rule_for("expand", "expand_as", "broadcast_to")
def expand(result: Tensor, x: Tensor, *sizes: Any, **named: Any) -> Proposal | None:
    after = tuple(result.shape)
    before = (1,) * (len(after) - x.dim()) + tuple(x.shape)
    new = len(after) - x.dim()
    grown = [axis for axis, size in enumerate(after) if samples_in(size) and before[axis] != size]
    sizes = tuple(-1 if axis >= new and size == before[axis] else size for axis, size in enumerate(after))
    if not grown:
        return Proposal("expand", (x,), {"size": list(sizes)})
    if len(grown) > 1:
        return None
    if new == 0 and grown == [0] and after[1:] == before[1:] and samples_in(after[0]) == 1:
        return Proposal("expand_batch", (x,), sized=True)
    counted = [samples_in(size) if axis == grown[0] else size for axis, size in enumerate(sizes)]
    return Proposal("expand_batch", (x,), {"size": counted, "dim": grown[0]}, sized=True)


@rule_for("tile")
def tile(result: Tensor, x: Tensor, *dims: Any, **named: Any) -> Proposal | None:
    times = listed(dims) if dims else tuple(next(iter(named.values())))
    times = (1,) * (x.dim() - len(times)) + times
    of_batch = [axis for axis, number in enumerate(times) if samples_in(number)]
    if len(of_batch) > 1:
        return None
    counted = {"dims": [samples_in(number) or number for number in times]}
    if not of_batch:
        return Proposal("tile", (x,), counted)
    return Proposal("tile", (x,), counted | ({"dim": of_batch[0]} if of_batch[0] else {}), sized=True)


@rule_for("repeat_interleave")
def repeat_interleave(result: Tensor, x: Tensor, repeats: Any, dim: int | None = None, **named: Any) -> Proposal | None:
    if not isinstance(repeats, int) or dim is None:
        return None
    return Proposal("repeat_interleave", (x,), {"repeats": repeats, "dim": dim})


@rule_for("unsafe_split", "unsafe_split_with_sizes")
def unsafe_split(result: Any, x: Tensor, split_size: Any, dim: int = 0) -> Proposal:
    proposal = split(result, x, split_size, dim)
    return replace(proposal, fields={**proposal.fields, "unsafe": True}) if proposal.type == "split" else proposal


@rule_for("split")
def split(result: Any, x: Tensor, split_size: Any, dim: int = 0) -> Proposal:
    size = split_size if isinstance(split_size, int) else list(split_size)
    if isinstance(size, int) and samples_in(size):
        return Proposal("chunk", (x,), {"chunks": len(result), "dim": dim})
    return Proposal("split", (x,), {"split_size": size, "dim": dim})


@rule_for("select")
def select(result: Tensor, x: Tensor, dim: int, index: int) -> Proposal | None:
    return Proposal("select", (x,), {"dim": dim, "index": index})


@rule_for("slice")
def slice_(
    result: Tensor, x: Tensor, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> Proposal | None:
    size = x.shape[dim]
    taken = range(size)[start:end:step]
    fields: dict[str, Any] = {"dim": dim}
    if taken.start:
        fields["start"] = taken.start
    if taken.stop < size:
        fields["stop"] = taken.stop
    return Proposal("slice", (x,), {**fields, "step": step} if step != 1 else fields)


@composite("narrow")
def narrow(x: Tensor, dim: int, start: int, length: int) -> Tensor:
    return torch.ops.aten.slice.Tensor(x, dim, start, start + length, 1)


@composite("iter")
def rows(x: Tensor) -> Any:
    """Looping over a tensor unbinds it."""
    return iter(x.unbind(0))


@rule_for("cat")
def concat(result: Tensor, tensors: Sequence[Tensor], dim: int = 0, **named: Any) -> Proposal:
    filled = [tensor for tensor in tensors if tensor.numel() or (tensor.requires_grad and tensor.dim() == result.dim())]
    return Proposal("concat", filled, {"dim": named.get("axis", dim)})


@rule_for("stack")
def stack(result: Tensor, tensors: Sequence[Tensor], dim: int = 0) -> Proposal:
    return Proposal("stack", tuple(tensors), {"dim": dim})


@rule_for("roll")
def roll(result: Tensor, x: Tensor, shifts: Any, dims: Any = None) -> Proposal | None:
    if dims is None:
        return None
    return Proposal("roll", (x,), {"shifts": list(listed((shifts,))), "dims": list(listed((dims,)))})


@rule_for("flip")
def flip(result: Tensor, x: Tensor, *dims: Any, **named: Any) -> Proposal:
    return Proposal("flip", (x,), {"dims": list(listed(dims) if dims else listed(tuple(named.values())))})


@rule_for("pad", "constant_pad_nd")
def pad(result: Tensor, x: Tensor, pad: Sequence[int], mode: str = "constant", value: Any = None) -> Proposal | None:
    if is_number(mode):
        mode, value = "constant", mode
    fields: dict[str, Any] = {"pad": [int(each) for each in pad], "mode": mode}
    if value:
        fields["value"] = finite(value)
    return Proposal("pad", (x,), fields)


@rule_for("contiguous")
def contiguous(result: Tensor, x: Tensor, memory_format: Any = torch.contiguous_format) -> Proposal | None:
    return Proposal("contiguous", (x,)) if memory_format == torch.contiguous_format else None


@rule_for("clone")
def clone(result: Tensor, x: Tensor, *, memory_format: Any = torch.preserve_format) -> Proposal | None:
    if memory_format == torch.preserve_format or (memory_format == torch.contiguous_format and x.is_contiguous()):
        return Proposal("clone", (x,))
    return Proposal("contiguous", (x,)) if memory_format == torch.contiguous_format else None


@rule_for("get:data")
def data(result: Tensor, x: Tensor) -> Proposal:
    return Proposal("detach", (x,), {"data": True})


@rule_for(
    *("to", "float", "double", "half", "bfloat16", "int", "long", "bool", "short", "char", "byte", "type", "type_as"),
    "aten::_to_copy",
)
def cast_(result: Tensor, x: Tensor, *given: Any, **named: Any) -> Proposal:
    if result.dtype == x.dtype:
        return Proposal("clone", (x,))
    return Proposal("cast", (x,), {"dtype": str(result.dtype).removeprefix("torch.")})


@rule_for("as_strided")
def strided(
    result: Tensor, x: Tensor, size: Sequence[Any], stride: Sequence[Any], storage_offset: int | None = None
) -> Proposal | None:
    """With the batch in the first axis of both alone; samples may lie one behind the other, or side by side."""
    first = x.shape[0] if x.dim() and samples_in(x.shape[0]) else None
    sizes = [-1 if first and axis == 0 and each == first else int(each) for axis, each in enumerate(size)]
    steps = [int(each) for each in stride]
    side_by_side = [axis for axis, each in enumerate(steps) if first and each and each % first == 0]
    strides = [each // first if first and axis in side_by_side else each for axis, each in enumerate(steps)]
    begin = 0 if storage_offset is None else int(storage_offset) - int(x.storage_offset())
    if begin < 0 or any(samples_in(number) for number in (begin, *sizes, *strides)):
        return None
    fields = {"size": sizes, "stride": strides, "batch_strides": side_by_side, "storage_offset": begin}
    return Proposal("as_strided", (x,), fields)
