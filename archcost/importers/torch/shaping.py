"""Views, copies, and values moved to other places."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor

from archcost.importers.torch.proposal import Drawn, composite, finite, is_number, leaf, listed, one, samples_in


@leaf("view", "reshape", "view_as", "reshape_as", "_unsafe_view", "_reshape_alias", "aten::view", "ravel")
def reshape(result: Tensor, x: Tensor, *given: Any, shape: Any = None) -> Drawn | None:
    if result.dtype != x.dtype:
        return None  # the bits seen as another dtype
    before, after = tuple(x.shape), tuple(result.shape)
    from_batch = [index for index, size in enumerate(after) if samples_in(size)]
    if len(from_batch) > 1:
        return None
    if before and len(after) > 1 and after[0] == before[0] and from_batch in ([], [0]):
        return Drawn("reshape", (x,), {"shape": list(after[1:])})
    return Drawn("view", (x,), {"shape": [-1 if index in from_batch else size for index, size in enumerate(after)]})


@leaf("flatten")
def flatten(result: Tensor, x: Tensor, start_dim: int = 0, end_dim: int = -1) -> Drawn | None:
    return Drawn("flatten", (x,), {"start_dim": start_dim, "end_dim": end_dim})


@leaf("unflatten")
def unflatten(result: Tensor, x: Tensor, dim: int, sizes: Sequence[int]) -> Drawn | None:
    if any(map(samples_in, sizes)):
        return reshape(result, x)
    return Drawn("unflatten", (x,), {"dim": dim, "unflattened_size": list(sizes)})


@leaf("permute")
def permute(result: Tensor, x: Tensor, *dims: Any) -> Drawn:
    return Drawn("permute", (x,), {"dims": list(listed(dims))})


@leaf("transpose", "swapaxes", "swapdims", "transpose_")
def transpose(result: Tensor, x: Tensor, dim0: int, dim1: int) -> Drawn:
    return Drawn("transpose", (x,), {"dim0": dim0, "dim1": dim1})


@leaf("t", "get:T", "get:mT", "get:H", "get:mH", "adjoint", "numpy_T")
def turned(result: Tensor, x: Tensor) -> Drawn | None:
    return Drawn("transpose", (x,), {"dim0": -2, "dim1": -1}) if x.dim() == 2 or result.dim() != 2 else None


@composite("movedim", "moveaxis")
def movedim(x: Tensor, source: Any, destination: Any) -> Tensor:
    from_ = [axis % x.dim() for axis in listed((source,))]
    to = [axis % x.dim() for axis in listed((destination,))]
    rest = iter([axis for axis in range(x.dim()) if axis not in from_])
    return x.permute([from_[to.index(axis)] if axis in to else next(rest) for axis in range(x.dim())])


@leaf("squeeze")
def squeeze(result: Tensor, x: Tensor, *dims: Any, dim: Any = None) -> Drawn | None:
    named = listed(dims) if dims else (dim if dim is None or isinstance(dim, int) else tuple(dim))
    if isinstance(named, tuple) and len(named) == 1:
        named = named[0]
    if named is None:
        named = tuple(axis for axis, size in enumerate(x.shape) if size == 1)
        if not named:
            return Drawn("identity", (x,))
    return Drawn("squeeze", (x,), {"dim": named})


@leaf("unsqueeze")
def unsqueeze(result: Tensor, x: Tensor, dim: int) -> Drawn:
    return Drawn("unsqueeze", (x,), {"dim": dim})


@leaf("expand", "expand_as", "broadcast_to")
def expand(result: Tensor, x: Tensor, *sizes: Any, **named: Any) -> Drawn | None:
    after = tuple(result.shape)
    before = (1,) * (len(after) - x.dim()) + tuple(x.shape)
    new = len(after) - x.dim()
    grown = [axis for axis, size in enumerate(after) if samples_in(size) and before[axis] != size]
    sizes = tuple(-1 if axis >= new and size == before[axis] else size for axis, size in enumerate(after))
    if not grown:
        return Drawn("expand", (x,), {"size": list(sizes)})
    if len(grown) > 1:
        return None
    if new == 0 and grown == [0] and after[1:] == before[1:] and samples_in(after[0]) == 1:
        return Drawn("expand_batch", (x,), sized=True)
    counted = [samples_in(size) if axis == grown[0] else size for axis, size in enumerate(sizes)]
    return Drawn("expand_batch", (x,), {"size": counted, "dim": grown[0]}, sized=True)


@leaf("tile", "repeat")
def tile(result: Tensor, x: Tensor, *dims: Any, **named: Any) -> Drawn | None:
    times = listed(dims) if dims else tuple(next(iter(named.values())))
    times = (1,) * (x.dim() - len(times)) + times
    if len(times) != x.dim():
        return None
    if samples_in(times[0]):
        return Drawn("tile", (x,), {"dims": [samples_in(times[0]), *times[1:]]}, sized=True)
    return Drawn("tile", (x,), {"dims": list(times)})


@leaf("repeat_interleave")
def repeat_interleave(result: Tensor, x: Tensor, repeats: Any, dim: int | None = None, **named: Any) -> Drawn | None:
    if not isinstance(repeats, int) or dim is None:
        return None
    return Drawn("repeat_interleave", (x,), {"repeats": repeats, "dim": dim})


@leaf("chunk")
def chunk(result: Any, x: Tensor, chunks: int, dim: int = 0) -> Drawn:
    return Drawn("chunk", (x,), {"chunks": chunks, "dim": dim})


@leaf("unsafe_split", "unsafe_split_with_sizes")
def unsafe_split(result: Any, x: Tensor, split_size: Any, dim: int = 0) -> Drawn | None:
    drawn = split(result, x, split_size, dim)
    return drawn if drawn is None or drawn.type != "split" else Drawn("split", (x,), {**drawn.fields, "unsafe": True})


@leaf("split", "split_with_sizes")
def split(result: Any, x: Tensor, split_size: Any, dim: int = 0) -> Drawn | None:
    size = split_size if isinstance(split_size, int) else list(split_size)
    if isinstance(size, int) and samples_in(size):
        return Drawn("chunk", (x,), {"chunks": len(result), "dim": dim})
    return Drawn("split", (x,), {"split_size": size, "dim": dim})


@leaf("unbind")
def unbind(result: Any, x: Tensor, dim: int = 0) -> Drawn | None:
    return Drawn("unbind", (x,), {"dim": dim})


@leaf("select")
def select(result: Tensor, x: Tensor, dim: int, index: int) -> Drawn | None:
    return Drawn("select", (x,), {"dim": dim, "index": index})


@leaf("aten::slice", "slice")
def slice_(
    result: Tensor, x: Tensor, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> Drawn | None:
    size = x.shape[dim]
    begin, stop, step = range(size)[start:end:step].start, range(size)[start:end:step].stop, step
    fields: dict[str, Any] = {"dim": dim}
    if begin:
        fields["start"] = begin
    if stop < size:
        fields["stop"] = stop
    return Drawn("slice", (x,), {**fields, "step": step} if step != 1 else fields)


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


@leaf("alias", "aten::alias")
def alias(result: Tensor, x: Tensor) -> Drawn:
    return Drawn("identity", (x,))


@leaf("aten::index", "index")
def index(result: Tensor, x: Tensor, indices: Sequence[Tensor | None]) -> Drawn | None:
    given = {axis: entry for axis, entry in enumerate(indices) if entry is not None}
    if any(entry.dtype == torch.bool for entry in given.values()):
        return None
    return Drawn("index", (x, *given.values()), {"dims": list(given)})


@leaf("index_select")
def index_select(result: Tensor, x: Tensor, dim: int, index: Tensor) -> Drawn:
    return Drawn("index_select", (x, index), {"dim": dim})


@leaf("gather", "take_along_dim")
def gather(result: Tensor, x: Tensor, *given: Any, dim: Any = None, index: Any = None, **named: Any) -> Drawn | None:
    for value in given:
        dim, index = (value, index) if isinstance(value, int) else (dim, value)
    return Drawn("gather", (x, index), {"dim": dim}) if isinstance(dim, int) else None


@leaf("cat", "concat", "concatenate")
def concat(result: Tensor, tensors: Sequence[Tensor], dim: int = 0, **named: Any) -> Drawn:
    filled = [tensor for tensor in tensors if tensor.numel() or (tensor.requires_grad and tensor.dim() == result.dim())]
    return Drawn("concat", filled, {"dim": named.get("axis", dim)})


@leaf("stack")
def stack(result: Tensor, tensors: Sequence[Tensor], dim: int = 0) -> Drawn:
    return Drawn("stack", tuple(tensors), {"dim": dim})


@leaf("roll")
def roll(result: Tensor, x: Tensor, shifts: Any, dims: Any = None) -> Drawn | None:
    if dims is None:
        return None
    return Drawn("roll", (x,), {"shifts": list(listed((shifts,))), "dims": list(listed((dims,)))})


@leaf("flip")
def flip(result: Tensor, x: Tensor, *dims: Any, **named: Any) -> Drawn:
    return Drawn("flip", (x,), {"dims": list(listed(dims) if dims else listed(tuple(named.values())))})


@leaf("pad", "constant_pad_nd")
def pad(result: Tensor, x: Tensor, pad: Sequence[int], mode: str = "constant", value: Any = None) -> Drawn | None:
    if is_number(mode):
        mode, value = "constant", mode
    fields: dict[str, Any] = {"pad": [int(each) for each in pad], "mode": mode}
    if value:
        fields["value"] = finite(value)
    return Drawn("pad", (x,), fields)


@leaf("contiguous")
def contiguous(result: Tensor, x: Tensor, memory_format: Any = torch.contiguous_format) -> Drawn | None:
    return Drawn("contiguous", (x,)) if memory_format == torch.contiguous_format else None


@leaf("clone")
def clone(result: Tensor, x: Tensor, *, memory_format: Any = torch.preserve_format) -> Drawn | None:
    if memory_format == torch.preserve_format or (memory_format == torch.contiguous_format and x.is_contiguous()):
        return Drawn("clone", (x,))
    return Drawn("contiguous", (x,)) if memory_format == torch.contiguous_format else None


@leaf("detach", "detach_")
def detach(result: Tensor, x: Tensor) -> Drawn:
    return Drawn("detach", (x,))


@leaf("get:data")
def data(result: Tensor, x: Tensor) -> Drawn:
    return Drawn("detach", (x,), {"data": True})


@leaf("to", "float", "double", "half", "bfloat16", "int", "long", "bool", "short", "char", "byte", "type", "type_as")
def cast_(result: Tensor, x: Tensor, *given: Any, **named: Any) -> Drawn:
    if result.dtype == x.dtype:
        return Drawn("clone", (x,))
    return Drawn("cast", (x,), {"dtype": str(result.dtype).removeprefix("torch.")})


leaf("aten::_to_copy")(cast_)


@leaf("pixel_shuffle")
def pixel_shuffle(result: Tensor, x: Tensor, upscale_factor: int) -> Drawn:
    return Drawn("pixel_shuffle", (x,), {"upscale_factor": upscale_factor})


@leaf("pixel_unshuffle")
def pixel_unshuffle(result: Tensor, x: Tensor, downscale_factor: int) -> Drawn:
    return Drawn("pixel_unshuffle", (x,), {"downscale_factor": downscale_factor})


@leaf("interpolate")
def interpolate(
    result: Tensor,
    x: Tensor,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Drawn | None:
    fields: dict[str, Any] = {"size": one(tuple(result.shape[2:])), "mode": mode}
    if antialias:
        fields["antialias"] = True
    if align_corners is not None and mode in ("linear", "bilinear", "bicubic", "trilinear"):
        fields["align_corners"] = align_corners
    return Drawn("upsample", (x,), fields)


@leaf("im2col")
def im2col(
    result: Tensor, x: Tensor, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
) -> Drawn | None:
    fields = {
        "kernel_size": one(kernel_size),
        "dilation": one(dilation),
        "padding": one(padding),
        "stride": one(stride),
    }
    return Drawn("unfold", (x,), fields)


@leaf("col2im")
def col2im(
    result: Tensor,
    x: Tensor,
    output_size: Any,
    kernel_size: Any,
    dilation: Any = 1,
    padding: Any = 0,
    stride: Any = 1,
) -> Drawn | None:
    fields = {
        "kernel_size": one(kernel_size),
        "dilation": one(dilation),
        "padding": one(padding),
        "stride": one(stride),
    }
    return Drawn("fold", (x,), {**fields, "output_size": one(output_size)})


@leaf("grid_sample")
def grid_sample(
    result: Tensor,
    x: Tensor,
    grid: Tensor,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool | None = None,
) -> Drawn:
    fields = {"mode": mode, "padding_mode": padding_mode, "align_corners": bool(align_corners)}
    return Drawn("grid_sample", (x, grid), fields)
