"""Views, copies, and values moved to other places."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor

from archcost.importers.torch.proposal import Proposal, composite, finite, is_number, listed, rule_for, samples_in


@rule_for("view", "reshape", "view_as", "reshape_as", "_unsafe_view", "_reshape_alias", "aten::view", "ravel")
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


@rule_for("transpose", "swapaxes", "swapdims", "transpose_")
def transpose(result: Tensor, x: Tensor, dim0: int, dim1: int) -> Proposal:
    return Proposal("transpose", (x,), {"dim0": dim0, "dim1": dim1})


@rule_for("t", "get:T", "get:mT", "get:H", "get:mH", "adjoint", "numpy_T")
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


@rule_for("unsqueeze")
def unsqueeze(result: Tensor, x: Tensor, dim: int) -> Proposal:
    return Proposal("unsqueeze", (x,), {"dim": dim})


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


@rule_for("tile", "repeat")
def tile(result: Tensor, x: Tensor, *dims: Any, **named: Any) -> Proposal | None:
    times = listed(dims) if dims else tuple(next(iter(named.values())))
    times = (1,) * (x.dim() - len(times)) + times
    if len(times) != x.dim():
        return None
    if samples_in(times[0]):
        return Proposal("tile", (x,), {"dims": [samples_in(times[0]), *times[1:]]}, sized=True)
    return Proposal("tile", (x,), {"dims": list(times)})


@rule_for("repeat_interleave")
def repeat_interleave(result: Tensor, x: Tensor, repeats: Any, dim: int | None = None, **named: Any) -> Proposal | None:
    if not isinstance(repeats, int) or dim is None:
        return None
    return Proposal("repeat_interleave", (x,), {"repeats": repeats, "dim": dim})


@rule_for("chunk")
def chunk(result: Any, x: Tensor, chunks: int, dim: int = 0) -> Proposal:
    return Proposal("chunk", (x,), {"chunks": chunks, "dim": dim})


@rule_for("unsafe_split", "unsafe_split_with_sizes")
def unsafe_split(result: Any, x: Tensor, split_size: Any, dim: int = 0) -> Proposal | None:
    proposal = split(result, x, split_size, dim)
    return (
        proposal
        if proposal is None or proposal.type != "split"
        else Proposal("split", (x,), {**proposal.fields, "unsafe": True})
    )


@rule_for("split", "split_with_sizes")
def split(result: Any, x: Tensor, split_size: Any, dim: int = 0) -> Proposal | None:
    size = split_size if isinstance(split_size, int) else list(split_size)
    if isinstance(size, int) and samples_in(size):
        return Proposal("chunk", (x,), {"chunks": len(result), "dim": dim})
    return Proposal("split", (x,), {"split_size": size, "dim": dim})


@rule_for("unbind")
def unbind(result: Any, x: Tensor, dim: int = 0) -> Proposal | None:
    return Proposal("unbind", (x,), {"dim": dim})


@rule_for("select")
def select(result: Tensor, x: Tensor, dim: int, index: int) -> Proposal | None:
    return Proposal("select", (x,), {"dim": dim, "index": index})


@rule_for("aten::slice", "slice")
def slice_(
    result: Tensor, x: Tensor, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> Proposal | None:
    size = x.shape[dim]
    begin, stop, step = range(size)[start:end:step].start, range(size)[start:end:step].stop, step
    fields: dict[str, Any] = {"dim": dim}
    if begin:
        fields["start"] = begin
    if stop < size:
        fields["stop"] = stop
    return Proposal("slice", (x,), {**fields, "step": step} if step != 1 else fields)


@composite("narrow")
def narrow(x: Tensor, dim: int, start: int, length: int) -> Tensor:
    return torch.ops.aten.slice.Tensor(x, dim, start, start + length, 1)


@composite("iter")
def rows(x: Tensor) -> Any:
    """Looping over a tensor unbinds it."""
    return iter(x.unbind(0))


@composite("getitem")
def getitem(x: Tensor, index: Any) -> Any:
    seen, tensors = seen_at(x, index)
    if tensors:
        return torch.ops.aten.index.Tensor(seen, tensors)
    return torch.ops.aten.alias.default(x) if seen is x else seen


def seen_at(x: Tensor, index: Any) -> tuple[Tensor, list[Tensor | None]]:
    """As python_variable_indexing.cpp does: integers and slices one after the other, and the tensors, by axis."""
    entries = list(cast("tuple[Any, ...]", index)) if isinstance(index, tuple) else [index]
    if any(isinstance(entry, (list, tuple)) for entry in entries):
        entries = [torch.tensor(entry) if isinstance(entry, (list, tuple)) else entry for entry in entries]
    taken = sum(entry is not None and entry is not Ellipsis for entry in entries)
    taken += sum(entry.dim() - 1 for entry in entries if isinstance(entry, Tensor) and entry.dtype == torch.bool)
    result, axis = x, 0
    tensors: list[Tensor | None] = []
    for entry in entries:
        if entry is None:
            result = result.unsqueeze(axis)
            axis += 1
        elif entry is Ellipsis:
            axis += x.dim() - taken
        elif isinstance(entry, slice):
            if entry != slice(None):
                steps = range(result.shape[axis])[entry]
                result = torch.ops.aten.slice.Tensor(result, axis, steps.start, steps.stop, steps.step)
            axis += 1
        elif isinstance(entry, Tensor) and not (entry.dim() == 0 and not entry.is_meta and entry.dtype != torch.bool):
            tensors += [None] * (axis - len(tensors)) + [entry]
            axis += 1
        else:
            result = result.select(axis, int(entry))
    return result, tensors


@rule_for("alias", "aten::alias")
def alias(result: Tensor, x: Tensor) -> Proposal:
    return Proposal("identity", (x,))


@rule_for("aten::index", "index")
def index(result: Tensor, x: Tensor, indices: Sequence[Tensor | None]) -> Proposal | None:
    given = {axis: entry for axis, entry in enumerate(indices) if entry is not None}
    if any(entry.dtype == torch.bool for entry in given.values()):
        return None
    return Proposal("index", (x, *given.values()), {"dims": list(given)})


@rule_for("index_select")
def index_select(result: Tensor, x: Tensor, dim: int, index: Tensor) -> Proposal:
    return Proposal("index_select", (x, index), {"dim": dim})


@rule_for("gather", "take_along_dim")
def gather(result: Tensor, x: Tensor, *given: Any, dim: Any = None, index: Any = None, **named: Any) -> Proposal | None:
    for value in given:
        dim, index = (value, index) if isinstance(value, int) else (dim, value)
    return Proposal("gather", (x, index), {"dim": dim}) if isinstance(dim, int) else None


@rule_for("cat", "concat", "concatenate")
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


@rule_for("detach", "detach_")
def detach(result: Tensor, x: Tensor) -> Proposal:
    return Proposal("detach", (x,))


@rule_for("get:data")
def data(result: Tensor, x: Tensor) -> Proposal:
    return Proposal("detach", (x,), {"data": True})


@rule_for(
    "to", "float", "double", "half", "bfloat16", "int", "long", "bool", "short", "char", "byte", "type", "type_as"
)
def cast_(result: Tensor, x: Tensor, *given: Any, **named: Any) -> Proposal:
    if result.dtype == x.dtype:
        return Proposal("clone", (x,))
    return Proposal("cast", (x,), {"dtype": str(result.dtype).removeprefix("torch.")})


rule_for("aten::_to_copy")(cast_)


@rule_for("pixel_shuffle")
def pixel_shuffle(result: Tensor, x: Tensor, upscale_factor: int) -> Proposal:
    return Proposal("pixel_shuffle", (x,), {"upscale_factor": upscale_factor})


@rule_for("pixel_unshuffle")
def pixel_unshuffle(result: Tensor, x: Tensor, downscale_factor: int) -> Proposal:
    return Proposal("pixel_unshuffle", (x,), {"downscale_factor": downscale_factor})


@rule_for("grid_sample")
def grid_sample(
    result: Tensor,
    x: Tensor,
    grid: Tensor,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool | None = None,
) -> Proposal:
    fields = {"mode": mode, "padding_mode": padding_mode, "align_corners": bool(align_corners)}
    return Proposal("grid_sample", (x, grid), fields)
