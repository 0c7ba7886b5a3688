"""Rotary embeddings: pairs of features turned by an angle that their position decides."""

from __future__ import annotations

from archcost.importers.onnx.attention.parts import by_heads, side_by_side
from archcost.importers.onnx_call import Call, Rule
from archcost.importers.onnx_values import UnsupportedError, Value
from archcost.tensors import TensorType


def rotary(call: Call) -> Value:
    """ONNX's: (B, H, T, d), or (B, T, H · d); cosines and sines of all positions, or of each sample's."""
    value, cosines, sines, positions = call[0], call[1], call[2], call.get(3)
    if positions is not None:
        cosines, sines = (rows_of(call, table, positions) for table in (cosines, sines))
    heads = call.integer("num_heads", 0)
    flat = value.rank == 3
    turned = rotated(
        call,
        by_heads(call, value, heads) if flat else value,
        cosines,
        sines,
        call.flag("interleaved"),
    )
    return side_by_side(call, turned) if flat else turned


def rotary_of_microsoft(call: Call) -> Value:
    """Cosines and sines of all positions; positions of each sample's values, or the first one."""
    value, positions, cosines, sines = call[0], call[1], call[2], call[3]
    if call.flag("is_packed_batching"):
        raise UnsupportedError("samples of different lengths behind one another")
    heads = call.integer("num_heads", 0)
    flat = value.rank == 3
    if flat and not heads:
        heads = value.shape[-1] // (call.integer("rotary_embedding_dim", 0) or 2 * cosines.shape[-1])
    apart = by_heads(call, value, heads) if flat else value
    if positions.tensor.numel == 1:
        positions = call.layer("add", positions, Value(TensorType((apart.shape[2],), positions.tensor.dtype)))
    cosines, sines = (rows_of(call, table, positions) for table in (cosines, sines))
    turned = rotated(call, apart, cosines, sines, call.flag("interleaved"))
    if call.real("scale", 1.0) != 1:
        turned = call.layer("scale", turned, factor=call.real("scale", 1.0))
    return side_by_side(call, turned) if flat else turned


def rows_of(call: Call, table: Value, positions: Value) -> Value:
    """Of each position."""
    indices = call.cast(positions, "int64")
    if indices.rank == 1:
        return call.layer("index_select", table, indices, dim=0)
    return call.layer("index", table, indices, dims=[0])


def rotated(call: Call, value: Value, cosines: Value, sines: Value, interleaved: bool) -> Value:
    """(B, H, T, d), of which the first features are turned: twice as many as there are angles (…, T, r / 2)."""
    half = cosines.shape[-1]
    rest = None
    if value.rank != 4 or 2 * half > value.shape[-1]:
        raise UnsupportedError(f"{half} angles for {value.tensor}")
    if 2 * half < value.shape[-1]:
        rest = call.layer("slice", value, start=2 * half, dim=3)
        value = call.layer("slice", value, stop=2 * half, dim=3)
    if interleaved:
        first, second = (call.layer("slice", value, start=start or None, step=2, dim=3) for start in (0, 1))
    else:
        first, second = call.layers("chunk", value, chunks=2, dim=3)
    cosines, sines = (call.layer("unsqueeze", each, dim=1) if each.rank == 3 else each for each in (cosines, sines))
    real = call.layer("sub", call.layer("mul", first, cosines), call.layer("mul", second, sines))
    other = call.layer("add", call.layer("mul", first, sines), call.layer("mul", second, cosines))
    if interleaved:
        result = call.layer("flatten", call.layer("stack", real, other, dim=-1), start_dim=3)
        return result if rest is None else call.layer("concat", result, rest, dim=3)
    return call.layer("concat", real, other, *(() if rest is None else (rest,)), dim=3)


RULES: dict[str, Rule] = {"RotaryEmbedding": rotary, "com.microsoft::RotaryEmbedding": rotary_of_microsoft}
