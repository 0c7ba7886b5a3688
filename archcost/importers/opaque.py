"""Layers for what no rule proposes: constants, and operations of which only the shapes of the results are known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from archcost.errors import ArchcostError
from archcost.importers.torch.proposal import samples_in
from archcost.layers import LAYERS, Layer
from archcost.tensors import COMPUTED_BYTES, TensorType


class OutOfSightError(ArchcostError):
    """A tensor depends on the network's values, and the call that made it was not intercepted."""


def constant_of(kind: TensorType) -> tuple[Layer, bool]:
    """A `constant` layer of this type, and whether one of its axes is the batch. Raises OutOfSightError."""
    scaled = [axis for axis, size in enumerate(kind.shape) if samples_in(size)]
    if kind.dtype not in COMPUTED_BYTES:
        raise OutOfSightError("a constant cannot be declared", expected=", ".join(COMPUTED_BYTES), found=str(kind))
    if len(scaled) > 1:
        raise OutOfSightError(
            "a constant cannot be declared", expected="at most one axis of the batch", found=str(kind)
        )
    shape = tuple(samples_in(size) or size for size in kind.shape)
    fields: dict[str, Any] = {"type": "constant", "shape": shape, "dtype": kind.dtype}
    if scaled:
        fields["dim"] = scaled[0]
    return LAYERS["constant"].model_validate(fields), bool(scaled)


PRODUCTS = frozenset(
    ["mv", "dot", "vdot", "addmm", "addmv", "addr", "addbmm", "baddbmm", "convolution", "_convolution", "einsum"]
)
"""Operators whose MACs are MACs of integers too: without a rule for them, nobody knows how many."""


def operation_of(op: str, kinds: Sequence[TensorType], floats: bool) -> tuple[Layer, bool]:
    """An `opaque` layer for an operation with results of these types, and whether any has the batch as an axis.

    Without `floats` among inputs and results it is `integers`, which has no FLOPs, unless it multiplies and adds up.
    Raises OutOfSightError.
    """
    scaled = [[axis for axis, size in enumerate(kind.shape) if samples_in(size)] for kind in kinds]
    type_ = "opaque" if floats or op.rpartition("::")[2].partition(".")[0] in PRODUCTS else "integers"
    fields = {
        "type": type_,
        "op": op,
        "shapes": [[samples_in(size) or size for size in kind.shape] for kind in kinds],
        "dtypes": [kind.dtype for kind in kinds],
        "batch_dims": [axes[0] if axes else None for axes in scaled],
    }
    if any(len(axes) > 1 for axes in scaled):
        raise OutOfSightError(
            f"{op} has no rule, and what it makes cannot be declared",
            expected="shapes with the batch in one axis",
            found=", ".join(map(str, kinds)),
        )
    try:
        return LAYERS[type_].model_validate(fields), any(scaled)
    except ValidationError as error:
        found = f"{', '.join(map(str, kinds))}"[:200]
        raise OutOfSightError(f"{op} has no rule, and what it makes cannot be declared", found=found) from error
