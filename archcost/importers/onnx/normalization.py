"""Norms. Their scale and shift are the layer's own where the file holds them as weights."""

from __future__ import annotations

from math import prod

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
    return call.weighted(
        f"batch_norm{ndim}d",
        value,
        {**own, **statistics},
        eps=call.real("epsilon", 1e-5),
        momentum=round(1 - call.real("momentum", 0.9), 6),
        affine=is_affine,
        track_running_stats=bool(statistics),
    )


def layer_norm(call: Call) -> Result:
    axis = call.axis(default=-1)
    is_affine, own = affine(call)
    return call.weighted(
        "layer_norm",
        call[0],
        own,
        eps=call.real("epsilon", 1e-5),
        elementwise_affine=is_affine,
        bias="bias" in own,
        **_normalized(call, axis),
    )


def _normalized(call: Call, axis: int) -> dict[str, list[int]]:
    shape = call[0].shape[axis:]
    return {} if len(shape) == 1 else {"normalized_shape": list(shape)}


def rms_norm(call: Call) -> Result:
    axis = call.axis(default=-1)
    own = {"weight": call[1]} if call[1].is_own else {}
    return call.weighted(
        "rms_norm",
        call[0],
        own,
        eps=call.real("epsilon", 1e-5),
        elementwise_affine=bool(own),
        **_normalized(call, axis),
    )


def group_norm(call: Call) -> Result:
    """Before version 21 a scale and a shift for each group, which torch has not."""
    is_affine, own = affine(call)
    if is_affine and any(value.tensor.numel != call[0].shape[1] for value in own.values()):
        raise UnsupportedError("a scale for each group")
    return call.weighted(
        "group_norm",
        call[0],
        own,
        num_groups=call.integer("num_groups"),
        eps=call.real("epsilon", 1e-5),
        affine=is_affine,
    )


def instance_norm(call: Call) -> Result:
    """With one position alone, which torch refuses, a group norm of as many groups as channels."""
    value = call[0]
    is_affine, own = affine(call)
    eps = call.real("epsilon", 1e-5)
    if 3 <= value.rank <= 5 and prod(value.shape[2:]) > 1:
        return call.weighted(f"instance_norm{value.rank - 2}d", value, own, eps=eps, affine=is_affine)
    return call.weighted("group_norm", value, own, num_groups=value.shape[1], eps=eps, affine=is_affine)


RULES: dict[str, Rule] = {
    "BatchNormalization": batch_norm,
    "LayerNormalization": layer_norm,
    "RMSNormalization": rms_norm,
    "GroupNormalization": group_norm,
    "InstanceNormalization": instance_norm,
}
