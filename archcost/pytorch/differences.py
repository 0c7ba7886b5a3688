"""Known differences: where a witness is wrong, why, and by exactly how much."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch.utils.flop_counter import sdpa_backward_flop_count  # pyright: ignore[reportUnknownVariableType]

from archcost.layers import Layer, ScaledDotProductAttention
from archcost.layers.convolution.dynamic import DynamicConvolution, DynamicTransposedConvolution
from archcost.pytorch.checks import Check
from archcost.pytorch.counters import Pass


@dataclass(frozen=True, slots=True)
class KnownDifference:
    """`excess` is how much too much the witness counts for one layer, from what it counts elsewhere."""

    name: str
    quantity: str
    what: str
    why: str
    fault_of: str
    seen_in: str
    excess: Callable[[Layer, Pass], int]


def _grouped_weight_gradient(layer: Layer, counted: Pass) -> int:
    """A weight gradient costs as much as forward; it is counted `groups` times."""
    groups: int = getattr(layer, "groups", 1)
    trains = counted.trains_weight
    if isinstance(layer, (DynamicConvolution, DynamicTransposedConvolution)):
        x, kernels, *_ = counted.inputs
        each = layer.group_channels if isinstance(layer, DynamicTransposedConvolution) else kernels.shape[1]
        groups, trains = x.shape[1] // each, kernels.requires_grad
    return (groups - 1) * counted.forward if trains and counted.backward else 0


def _attention_on_meta(layer: Layer, counted: Pass) -> int:
    """What torch's own rule for fused kernels says, beside what was counted of the composition."""
    if not (isinstance(layer, ScaledDotProductAttention) and layer.backend == "fused" and counted.backward):
        return 0
    query, key, value = (tensor.shape for tensor in counted.inputs[:3])
    return counted.backward - sdpa_backward_flop_count(counted.shapes[0], query, key, value)


def _complex(counted: Pass, flops: int) -> int:
    """A MAC of complex numbers is four of real ones, and is counted as one."""
    return -3 * flops if any(tensor.is_complex() for tensor in counted.inputs) else 0


def complex_macs(quantity: str, excess: Callable[[Layer, Pass], int]) -> KnownDifference:
    return KnownDifference(
        name="complex_macs",
        quantity=quantity,
        what="a MAC of complex numbers is counted as one, and is four of real ones",
        why="the counter's formulas look at shapes alone",
        fault_of="torch.utils.flop_counter.flop_registry",
        seen_in="torch 2.13.0",
        excess=excess,
    )


COMPLEX_FORWARD = complex_macs("flops_forward", lambda layer, counted: _complex(counted, counted.forward))
COMPLEX_BACKWARD = complex_macs("flops_backward", lambda layer, counted: _complex(counted, counted.backward))

KNOWN_DIFFERENCES = (
    KnownDifference(
        name="grouped_weight_gradient",
        quantity="flops_backward",
        what="the weight gradient of a grouped convolution is counted `groups` times",
        why="its channels are multiplied all with all, though only those of one group meet",
        fault_of="torch.utils.flop_counter.conv_backward_flop",
        seen_in="torch 2.13.0",
        excess=_grouped_weight_gradient,
    ),
    KnownDifference(
        name="attention_composed_on_meta",
        quantity="flops_backward",
        what="fused attention works its scores out again in backward, which is not counted",
        why="the meta device has no fused kernel, and takes torch's composition of two products and a softmax",
        fault_of="torch.nn.functional.scaled_dot_product_attention",
        seen_in="torch 2.13.0",
        excess=_attention_on_meta,
    ),
    COMPLEX_FORWARD,
    COMPLEX_BACKWARD,
)


def corrected(check: Check, excess: dict[KnownDifference, int]) -> Check:
    """The check with the known differences taken off the witness, where it does not agree without."""
    if check.agrees or not excess:
        return check
    assert isinstance(check.witness, int)
    witness = check.witness - sum(excess.values())
    named = "; ".join(f"{known.name}: {known.what} ({known.fault_of}, {known.seen_in})" for known in excess)
    too_much = sum(excess.values())
    off = f"{too_much:,} too much" if too_much > 0 else f"{-too_much:,} too few"
    reason = f"{named}; {check.witness:,} as counted, {off}"
    return Check(check.quantity, check.scope, check.archcost, witness, check.by, check.archcost == witness, reason)
