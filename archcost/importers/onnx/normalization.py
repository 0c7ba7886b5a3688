"""Norms. Their scale and shift are the layer's own where the file holds them as weights."""

from __future__ import annotations

from math import prod
from typing import Any

from archcost.importers.onnx.convolution import to_channels_first, to_channels_last
from archcost.importers.onnx_call import Call, Result, Rule
from archcost.importers.onnx_values import UnsupportedError, Value


def owned(call: Call, **values: Value | None) -> dict[str, Value]:
    """Weights of a layer, where one at least is its own; beside it, what stands for the others is given."""
    present = {name: value for name, value in values.items() if value is not None}
    if not any(value.is_own for value in present.values()):
        return {}
    return {name: value if value.is_own else call.standing(value) for name, value in present.items()}


def affine(call: Call) -> tuple[bool, dict[str, Value]]:
    """Whether there are a scale and a shift, and which."""
    own = owned(call, weight=call.get(1), bias=call.get(2))
    return bool(own), own


def batch_norm(call: Call) -> Result:
    """Statistics that are computed are taken for those of the batch, which the layer works out itself."""
    value = call[0]
    is_affine, own = affine(call)
    computed = call[3].ref is not None or call[4].ref is not None
    statistics = {} if computed else owned(call, running_mean=call[3], running_var=call[4])
    ndim = max(value.rank - 2, 1)
    if not 1 <= ndim <= 3:
        raise UnsupportedError(f"a batch norm of {value.rank} axes")
    (result,) = call.weighted(
        f"batch_norm{ndim}d",
        value,
        {**own, **statistics},
        eps=call.real("epsilon", 1e-5),
        momentum=round(1 - call.real("momentum", 0.9), 6),
        affine=is_affine,
        track_running_stats=bool(statistics),
    )
    return result, call[3], call[4], call[3], call[4]  # statistics that torch changes in place


def layer_norm(call: Call) -> Result:
    axis = call.axis(default=-1)
    return normalized(call, call[0], call.get(1), call.get(2), axis), *statistics_of(call, axis)


def normalized(call: Call, value: Value, scale: Value | None, shift: Value | None, axis: int) -> Value:
    """By its mean and deviation over the axes from `axis` on."""
    own = owned(call, weight=scale, bias=shift)
    (result,) = call.weighted(
        "layer_norm",
        value,
        own,
        eps=call.real("epsilon", 1e-5),
        elementwise_affine=bool(own),
        bias="bias" in own,
        **_axes(value, axis),
    )
    return result


def statistics_of(call: Call, axis: int) -> list[Value | None]:
    """Mean and 1/deviation, worked out again where the network reads them: no layer hands them out."""
    asked = [*call.node.outputs[1:3], "", ""][:2]
    if not any(asked):
        return []
    value = call.cast(call[0], "float32") if call.integer("stash_type", 1) == 1 else call[0]
    over: dict[str, Any] = {"dim": list(range(axis, value.rank)), "keepdim": True}
    mean = call.layer("mean", value, **over) if asked[0] else None
    if not asked[1]:
        return [mean]
    spread = call.layer("scale", call.layer("var", value, **over, correction=0), shift=call.real("epsilon", 1e-5))
    return [mean, call.layer("rsqrt", spread)]


def _axes(value: Value, axis: int) -> dict[str, list[int]]:
    shape = value.shape[axis:]
    return {} if len(shape) == 1 else {"normalized_shape": list(shape)}


def simplified(call: Call, value: Value, scale: Value, axis: int) -> Value:
    """By the root of its mean square over the axes from `axis` on."""
    own = {"weight": scale} if scale.is_own else {}
    (result,) = call.weighted(
        "rms_norm",
        value,
        own,
        eps=call.real("epsilon", 1e-5),
        elementwise_affine=bool(own),
        **_axes(value, axis),
    )
    return result


def rms_norm(call: Call) -> Value:
    return simplified(call, call[0], call[1], call.axis(default=-1))


def simplified_layer_norm(call: Call) -> Result:
    """Of onnxruntime, in ONNX's own domain."""
    if any(call.node.outputs[1:]):
        raise UnsupportedError("a norm that hands out its statistics")
    return rms_norm(call)


def skip_layer_norm(call: Call) -> Result:
    """Of a sum of two tensors, and a bias. Outputs: the result, two statistics, the sum."""
    total = _total(call, call.get(4))
    result = normalized(call, total, call.get(2), call.get(3), total.rank - 1)
    return result, *[*statistics_of(call.reading(total), total.rank - 1), None, None][:2], total


def skip_simplified_layer_norm(call: Call) -> Result:
    if any(call.node.outputs[1:3]):
        raise UnsupportedError("a norm that hands out its statistics")
    total = _total(call, call.get(3))
    return simplified(call, total, call[2], total.rank - 1), None, None, total


def _total(call: Call, bias: Value | None) -> Value:
    source = call[0] if bias is None else call.layer("add", call[0], bias)
    return call.layer("add", source, call[1])


def embed_layer_norm(call: Call) -> Result:
    """The norm of a word's, a position's and a segment's row. Outputs: the result, words a sample, the sum."""
    words, segments, table, places, kinds, scale, shift, mask, positions = (call.get(index) for index in range(9))
    if words is None or table is None or places is None or words.rank != 2:
        raise UnsupportedError("words of other than two axes, or without a table")
    total = _rows(call, table, words)
    if positions is None:
        run = call.layer("slice", call.standing(places), stop=words.shape[1], dim=0)
        total = call.layer("add", total, run)
    else:
        total = call.layer("add", total, _rows(call, places, positions))
    if kinds is not None and segments is not None:
        total = call.layer("add", total, _rows(call, kinds, segments))
    result = normalized(call.reading(total, epsilon=call.real("epsilon", 1e-12)), total, scale, shift, total.rank - 1)
    asked = call.node.outputs[1:2] != () and call.node.outputs[1] != ""
    return result, _counts(call, words, mask) if asked else None, total


def _rows(call: Call, table: Value, indices: Value) -> Value:
    fields = {"num_embeddings": table.shape[0], "embedding_dim": table.shape[1]}
    return call.weighted("embedding", indices, {"weight": table}, **fields)[0]


def _counts(call: Call, words: Value, mask: Value | None) -> Value:
    """How many words of each sample the mask keeps."""
    if mask is None:
        return Value(words.tensor._replace(shape=words.shape[:1], dtype="int32"))
    return call.cast(call.layer("sum", mask, dim=1), "int32")


def group_norm(call: Call) -> Value:
    """Before version 21 a scale and a shift for each group, which torch has not."""
    is_affine, own = affine(call)
    if is_affine and any(value.tensor.numel != call[0].shape[1] for value in own.values()):
        raise UnsupportedError("a scale for each group")
    (result,) = call.weighted(
        "group_norm",
        call[0],
        own,
        num_groups=call.integer("num_groups"),
        eps=call.real("epsilon", 1e-5),
        affine=is_affine,
    )
    return result


def instance_norm(call: Call) -> Result:
    """With one position alone, which torch refuses, a group norm of as many groups as channels."""
    value = call[0]
    is_affine, own = affine(call)
    eps = call.real("epsilon", 1e-5)
    if 3 <= value.rank <= 5 and prod(value.shape[2:]) > 1:
        return call.weighted(f"instance_norm{value.rank - 2}d", value, own, eps=eps, affine=is_affine)
    return call.weighted("group_norm", value, own, num_groups=value.shape[1], eps=eps, affine=is_affine)


def group_norm_of_images(call: Call) -> Result:
    """With the channels last unless told, an activation behind it, and a tensor and a bias added before. Outputs: the
    result, the sum.
    """
    total = call[0]
    if call.get(3) is not None:
        bias = call.get(4)
        beside = call[3]
        if beside.rank == 2:
            beside = call.reshape(beside, (beside.shape[0], 1, 1, beside.shape[1]))
        total = call.layer("add", total if bias is None else call.layer("add", total, bias), beside)
    is_last = call.flag("channels_last", default=True)
    source = to_channels_first(call, total) if is_last else total
    result = group_norm(call.reading(source, call[1], call[2], num_groups=call.integer("groups")))
    if call.integer("activation", 0):
        result = call.layer("silu", result)
    return to_channels_last(call, result) if is_last else result, total


RULES: dict[str, Rule] = {
    "BatchNormalization": batch_norm,
    "LayerNormalization": layer_norm,
    "RMSNormalization": rms_norm,
    "GroupNormalization": group_norm,
    "InstanceNormalization": instance_norm,
    "SimplifiedLayerNormalization": simplified_layer_norm,
    "com.microsoft::SkipLayerNormalization": skip_layer_norm,
    "com.microsoft::SkipSimplifiedLayerNormalization": skip_simplified_layer_norm,
    "com.microsoft::EmbedLayerNormalization": embed_layer_norm,
    **dict.fromkeys(("com.microsoft::GroupNorm", "com.microsoft::SkipGroupNorm"), group_norm_of_images),
}
