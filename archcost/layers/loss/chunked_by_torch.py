"""What torch's chunked F.linear_cross_entropy holds while it runs (`_linear_cross_entropy_batch_chunked_accumulator` in
torch/nn/modules/linear_cross_entropy.py), and how its options choose a chunk (linear_cross_entropy_options.py there).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from archcost.layers.rules import Call
from archcost.tensors import DTYPE_BYTES, TensorType
from archcost.terms.autograd import Device, Moment

if TYPE_CHECKING:
    from archcost.layers.loss.linear import LinearCrossEntropy

Policy = Literal["auto", "accurate", "balanced", "compact"]
AccumulationDtype = Literal["float16", "bfloat16", "float32", "float64"]
NARROW = ("float16", "bfloat16")


@dataclass(frozen=True, slots=True)
class Settings:
    """The options as they are given."""

    batch_chunk_size: int | None
    chunking_method: str | None
    acc_policy: Policy
    acc_dtype: str | None

    @classmethod
    def of(cls, layer: LinearCrossEntropy) -> Settings:
        return cls(layer.batch_chunk_size, layer.chunking_method, layer.acc_policy, layer.acc_dtype)

    def problem(self) -> str | None:
        """What the options should be, where they are none."""
        method = self.chunking_method
        if method is None or method == "auto":
            return None
        name, colon, factor = method.partition(":")
        number = factor if colon else "1"
        if name == "aspect_ratio" and number.isascii() and number.isdigit() and 0 < int(number[:10]) < 2**31:
            return None if self.batch_chunk_size is None else "batch_chunk_size or chunking_method, not both"
        return "a chunking_method of auto, aspect_ratio, aspect_ratio:N or null"


@dataclass(frozen=True, slots=True)
class Resolved:
    """The options for tensors of one size on one device (`_adjust`)."""

    chunk: int
    policy: Policy
    dtype: str
    """That of accumulation."""


def resolved(
    given: Settings, rows: int, features: int, classes: int, dtype: str, device: Device, since_2_14: bool
) -> Resolved:
    on_cpu_narrow = device == "cpu" and dtype in NARROW
    policy, method = given.acc_policy, given.chunking_method
    if method == "auto":
        automatic = "aspect_ratio" if on_cpu_narrow or since_2_14 else "aspect_ratio:2"
        method = None if given.batch_chunk_size is not None else automatic
    if policy == "auto":
        policy = "accurate" if on_cpu_narrow else "compact"
    chunk = rows if given.batch_chunk_size is None else min(given.batch_chunk_size, rows)
    if method is not None:
        chunk = _by_aspect_ratio(rows, features, classes, int(method.partition(":")[2] or 1))
        if since_2_14 and given.chunking_method == "auto" and policy == "compact":
            chunk = min(chunk, _power_of_two_within(rows * classes // (4 * features)))
    widened = given.acc_policy == "auto" and dtype in NARROW
    return Resolved(max(1, chunk), policy, given.acc_dtype or ("float32" if widened else dtype))


def _power_of_two_within(number: int) -> int:
    return 1 << (number.bit_length() - 1) if number >= 1 else 1


def _by_aspect_ratio(rows: int, features: int, classes: int, factor: int) -> int:
    target = -(-rows // -(-classes // features))
    return min((1 << (target - 1).bit_length()) // factor, rows)


def torch_moments(layer: LinearCrossEntropy, call: Call) -> Iterator[Moment]:
    """All that lives at a moment beside the operands."""
    source, needs = call.source, call.setting.needs
    (rows, features), classes, dtype = source.shape, layer.out_features, source.dtype
    on_gpu = call.setting.device == "cuda"
    later = call.setting.since("2.14")
    found = resolved(Settings.of(layer), rows, features, classes, dtype, call.setting.device, later)
    chunk, accumulated, policy = found.chunk, found.dtype, found.policy
    wide, frugal = dtype != accumulated, policy in ("balanced", "compact")
    scored = accumulated if not wide or not (dtype == "float16" and frugal) else dtype
    given = dtype if not wide or frugal else accumulated  # in which the features' gradient is worked out
    weighed = accumulated if wide else dtype
    denominated = "float32" if later and dtype == "float16" else accumulated
    summed = accumulated if dtype == "float16" and wide else dtype
    of_input, of_weight, of_bias = 0 in needs, "weight" in needs, "bias" in needs
    cast_weight = wide and (not on_gpu or (of_input and given == scored))
    weight_dtype = scored if cast_weight else dtype
    staged = of_weight and not (policy == "compact" and (on_gpu or scored == dtype))
    input_staged = of_input and not on_gpu and given != weight_dtype
    input_cast = wide and (of_weight or (not on_gpu and dtype != scored))
    lowered_for_input = on_gpu and of_input and scored != given
    lowered = lowered_for_input or (of_weight and not staged and scored != dtype)
    fits = classes * DTYPE_BYTES[scored] >= features * DTYPE_BYTES[dtype]
    picks_anew = of_weight and (not staged and not fits if wide else classes < features)

    def one(shape: tuple[int, ...], kind: str, when: bool = True) -> Moment:
        return (TensorType(shape, kind),) if when else ()

    lasting = [
        *one((chunk, classes), scored),
        *one((chunk,), scored),
        *one((), summed),
        *one((rows, features), given, of_input),
        *one((classes, features), dtype, of_weight),
        *one((classes,), dtype, of_bias),
        *one((classes, features), accumulated, staged),
        *one((classes, features), weight_dtype, weight_dtype != dtype),
        *one((classes,), scored, layer.bias and scored != dtype),
        *one((rows,), "bool"),
        *one((rows,), "int64"),
        *one((rows,), weighed),
    ]
    yield (*lasting, *one((rows,), "bool", weighed != "bool"))
    lasting += [
        *one((chunk, features), accumulated, input_cast),
    ]
    sums, lowered_before, picked_before = (), (), ()
    """What variables of the loop still name of the chunk before."""
    for number, size in enumerate(_sizes(rows, chunk)):
        before = (*lowered_before, *picked_before)
        yield (*lasting, *sums, *before, *one((size,), scored), *one((size,), weighed, scored != weighed))
        yield (*lasting, *sums, *before, *one((size,), weighed), *one((), weighed))
        yield (*lasting, *sums, *before, *one((size,), denominated))
        sums = one((size,), denominated)
        lasting += one((classes,), accumulated, of_bias and wide and number == 0)
        yield (*lasting, *sums, *before, *one((classes,), accumulated, of_bias))
        lower = one((size, classes), dtype, lowered)
        if of_input:
            lasting += one((chunk, features), weight_dtype, input_staged and number == 0)
            at_first = lower if lowered_for_input else ()
            yield (*lasting, *sums, *before, *at_first)
            lowered_before = at_first
            into = weight_dtype if input_staged else given
            taken = (*one((size, features), weight_dtype), *one((size,), into, into != weighed))
            yield (*lasting, *sums, *lowered_before, *picked_before, *taken)
        if of_weight:
            widened = staged and not on_gpu and scored != accumulated
            lasting += one((chunk, classes), accumulated, widened and number == 0)
            picked = one((size, features), dtype, picks_anew)
            yield (*lasting, *sums, *lower, *picked_before, *picked)
            picked_before = picked
        yield (*lasting, *sums, *lower, *picked_before, *one((classes,), dtype, of_bias and wide))
    ended = (*lasting, *sums, *lowered_before, *picked_before)
    yield (*ended, *one((rows, features), dtype, of_input and given != dtype), *one((), dtype, summed != dtype))


def _sizes(rows: int, chunk: int) -> tuple[int, ...]:
    """Of the first chunk, of one behind it, and of the last: what lies between is as the second."""
    last = (rows - 1) % chunk + 1
    return (chunk, chunk, last)[-min(3, -(-rows // chunk)) :] if rows > chunk else (chunk,)
