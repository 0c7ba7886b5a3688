"""Attention as one operation: every query looks at all keys, and takes a mean of their values."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from archcost.errors import ShapeError
from archcost.layers.attention.composition import KEY, MASK, QUERY, VALUE, Composition
from archcost.layers.base import Arity, Layer
from archcost.layers.broadcasting import together
from archcost.layers.card import Card, onnx
from archcost.layers.checks import require_floating
from archcost.layers.dtypes import IN_16_BITS
from archcost.layers.fields import Flag, Number, Size
from archcost.layers.rules import Autograd, Call, NewView, Placement, Quirk, Timing, own_storage
from archcost.tensors import DTYPE_BYTES, Tensors, TensorType
from archcost.terms.autograd import OUTPUT, Gradient, Input, Own, Saved, Setting, excess, statistic
from archcost.terms.expressions import Step
from archcost.terms.memory_format import like, strides_of
from archcost.work import Contraction, Elementwise, Shared, Work

TILE = 32
"""Rows that CUDA's memory-efficient attention keeps sums of at once (kAlignLSE)."""

_SEEDS: Mapping[bool, tuple[Saved, ...]] = {
    True: (Own("seed and offset", TensorType((2,), "int64")), Own("unused", TensorType((), "int64"))),
    False: (Own("seed", TensorType((), "int64")), Own("offset", TensorType((), "int64"))),
}
"""Of random numbers, whether any are drawn or not: of flash attention, and of the memory-efficient one."""


class ScaledDotProductAttention(Layer):
    """softmax(q·kᵀ·scale + mask)·v (torch.nn.functional.scaled_dot_product_attention).

    Inputs: query (B, H, T, D), key (B, H, S, D), value (B, H, S, Dv) and, where there is one, a mask of bool or of the
    query's dtype that stretches to (B, H, T, S). With `enable_gqa` key and value may have fewer heads, of which each
    serves several of the query's. H may be missing; with `backend: math` any axes may stand before the last two, at
    least one. Every score is counted, those that a mask or `is_causal` hides too.

    `backend` is torch's own word for how it is done (torch.nn.attention.SDPBackend). `math` is the composition of two
    products and a softmax: it keeps the scores, and its backward costs twice the MACs of forward. `fused` is one kernel
    that keeps the sum of each row's exponentials instead and works the scores out again in backward, 2.5 times the MACs
    of forward whichever gradients are wanted: what torch chooses wherever it can, and so the default. Which it is has
    to be declared because FLOPs are counted before there is a device. Where the CPU has no fused kernel (dropout,
    values of another size than keys, a mask that learns or lacks the heads' axis, values that do not lie in rows), what
    is kept there is what the composition keeps; so it is in torch 2.13 wherever H is missing.

    `window` says how many positions a query sees at most, itself included, where `is_causal` or the mask hides those
    before. No count changes by it: it is what a cache of keys and values has to keep.
    """

    type: Literal["scaled_dot_product_attention"] = "scaled_dot_product_attention"
    prefix: ClassVar[str] = "attention"
    arity: ClassVar[Arity] = Arity(3, 4)
    card: ClassVar[Card] = Card(
        torch=None,
        calls=("scaled_dot_product_attention",),
        onnx=onnx("Attention"),
        autocast=IN_16_BITS,
        promotion="first",
        fvcore="nothing",
        time="attention",
        blas=False,
    )
    quirks: ClassVar[frozenset[Quirk]] = frozenset(["composed"])
    dropout_p: Annotated[float, Field(strict=True, ge=0, lt=1)] = 0.0
    is_causal: Flag = False
    scale: Number | None = None
    enable_gqa: Flag = False
    window: Size | None = None
    backend: Literal["fused", "math"] = "fused"

    def output_types(self, inputs: Tensors) -> Tensors:
        query, key, value = inputs[:3]
        self._check_axes(inputs[:3])
        require_floating(inputs[:3])
        leading, heads, features = query.shape[:-2], query.shape[-3], query.shape[-1]
        serves = query.rank == 4 and heads % key.shape[-3] == 0
        groups = key.shape[-3] if self.enable_gqa and serves else heads
        wanted = TensorType((*leading[:-1], groups, key.shape[-2], features), query.dtype)
        if key != wanted:
            raise ShapeError(
                "the second input must be the keys",
                expected=str(wanted),
                found=str(key),
                hint="enable_gqa: true" if heads > key.shape[-3] and serves and not self.enable_gqa else None,
            )
        wanted = TensorType((*key.shape[:-1], value.shape[-1]), query.dtype)
        if value != wanted:
            raise ShapeError("the third input must be the values", expected=str(wanted), found=str(value))
        if len(inputs) > 3:
            self._check_mask(inputs[3], TensorType((*query.shape[:-1], key.shape[-2]), query.dtype))
        return (TensorType((*query.shape[:-1], value.shape[-1]), query.dtype),)

    def _check_axes(self, inputs: Tensors) -> None:
        for tensor in inputs:
            if self.backend == "fused" and tensor.rank not in (3, 4):
                raise ShapeError(
                    "needs 3 or 4 axes",
                    expected="(batch, heads, positions, features), or without the heads",
                    found=str(tensor),
                    hint="backend: math",
                )
            if tensor.rank < 3 or tensor.rank != inputs[0].rank:
                raise ShapeError(
                    "needs as many axes in all inputs, 3 at least",
                    expected="(batch, …, positions, features)",
                    found=together(inputs),
                )

    def _check_mask(self, mask: TensorType, scores: TensorType) -> None:
        if self.is_causal:
            raise ShapeError("is_causal leaves no room for a mask", expected="3 inputs", found=f"a mask {mask}")
        fits = all(size in (1, whole) for size, whole in zip(mask.shape[::-1], scores.shape[::-1], strict=False))
        if not 2 <= mask.rank <= scores.rank or not fits or mask.dtype not in ("bool", scores.dtype):
            raise ShapeError(
                "the mask does not fit the scores",
                expected=f"{scores}, bool or {scores.dtype}, or 1 where it stretches",
                found=str(mask),
            )

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        """A score: scaled, maximum, difference, exp, sum, division, and 1 for a mask, 2 for dropout; backward, for
        query and key together, 4 for the softmax, 1 for the scale and 1 for dropout. Fused, the scores first again: 3.
        """
        query, key, value = inputs[:3]
        count = prod(query.shape[:-1]) * key.shape[-2]
        scores, mean = count * query.shape[-1], count * value.shape[-1]
        masked, dropped = len(inputs) > 3, self.dropout_p > 0
        floating = tuple(index for index, tensor in enumerate(inputs) if tensor.is_floating)
        softmax = Elementwise(count, 6 + masked + 2 * dropped, {}, "scaled, softmax")
        if self.backend == "fused":
            again = Elementwise(count, 3 + masked + 5 + dropped, {})
            return (
                Contraction(scores, ()),
                Contraction(mean, ()),
                softmax,
                Shared(Contraction(3 * scores), floating, "scores again, and two gradients of their products"),
                Shared(Contraction(2 * mean), floating, "two gradients of the means' products"),
                Shared(again, floating, "scores again, softmax backward"),
            )
        before = tuple(index for index in floating if index != VALUE)
        backward = Elementwise(count, 5 + dropped, {})
        return (
            Contraction(scores, (QUERY, KEY)),
            Contraction(mean, (VALUE,)),
            softmax,
            Shared(Contraction(mean), before, "gradient of the scores"),
            Shared(backward, before, "softmax backward"),
        )

    def timing(self, inputs: Tensors, outputs: Tensors) -> Timing:
        query, key = inputs[QUERY].shape, inputs[KEY].shape
        return Timing(self.card.time, (query[-2], key[-2], query[-1]))

    def runs_fused(self, call: Call) -> bool:
        """Whether torch's choice is a fused kernel (aten/src/ATen/native/transformers/sdp_utils_cpp.cpp).

        Torch 2.13 composes attention over three axes, 2.14 gives them a fourth. The CPU's kernel takes no dropout,
        values as wide as keys, rows without gaps between their values, and no mask whose gradient is wanted. CUDA's
        take them all, some by a copy.
        """
        inputs, setting = call.inputs, call.setting
        known = inputs[QUERY].rank == 4 or setting.since("2.14")
        if self.backend == "math" or not known or setting.device == "cuda":
            return self.backend == "fused" and known
        in_rows = all(
            tensor.shape[-1] == 1 or strides_of(tensor.shape, setting.layout(index))[-1] == 1
            for index, tensor in enumerate(inputs)
        )
        lacks_heads = len(inputs) > MASK and inputs[QUERY].rank == 4 and inputs[MASK].rank == 3
        masks = MASK in setting.needs or lacks_heads
        drops = setting.training and self.dropout_p > 0
        return in_rows and not masks and not drops and inputs[VALUE].shape[-1] == inputs[KEY].shape[-1]

    def autograd(self, call: Call) -> Autograd:
        """Fused: inputs, output, and of each row the logarithm of its sum, in float32 or wider; on CUDA a seed too. All
        three gradients are made, wanted or not.

        CUDA's flash attention takes 16 bits and no mask, and else its memory-efficient one, whose rows are counted in
        whole tiles of 32 (torch's own fake kernels in torch/_meta_registrations.py).
        """
        gradients = self._gradients(call)
        if not self.runs_fused(call):
            return self._composition(call).autograd(gradients)
        query, *others = call.inputs
        is_cuda = call.setting.device == "cuda"
        is_flash = DTYPE_BYTES[query.dtype] == 2 and len(call.inputs) <= MASK
        *leading, positions, _ = query.shape
        shape = (*leading, -(-positions // TILE) * TILE if is_cuda and not is_flash else positions)
        rows = statistic(shape, query.dtype, Setting(call.setting.needs, device="cuda"))
        saved: list[Saved] = [Input(QUERY), Input(KEY), Input(VALUE), OUTPUT, Own("log-sum-exp", rows)]
        if len(call.inputs) > MASK:
            mask = others[-1]
            as_numbers = Own("mask as numbers", TensorType(mask.shape, query.dtype))
            saved.append(as_numbers if mask.dtype == "bool" else Input(MASK))
        if is_cuda:
            saved += _SEEDS[is_flash]
        unwanted = sum([tensor.numel for index, tensor in enumerate(call.inputs[:MASK]) if not call.needs(index)])
        backward = excess("unwanted gradients", unwanted, query.dtype)
        return Autograd(tuple(saved), gradients, backward=backward, saves_for_nobody=True)

    def placement(self, call: Call) -> Placement:
        """A fused kernel's output lies as the queries do."""
        layout = like(call.result.shape, [(call.source.shape, call.layout)]) if self.runs_fused(call) else None
        return own_storage(call, (layout,))._replace(is_view=self._is_raised(call))

    def _gradients(self, call: Call) -> tuple[Gradient | NewView, ...]:
        """Key's and value's come as views of the composition's products; a fused kernel's never do. Where torch works
        on views with a fourth axis, all are seen without it.
        """
        if self._is_raised(call):
            return tuple(map(NewView, call.inputs))
        if self._composition(call).is_cast:
            return call.inputs
        viewed = set[int]() if self.runs_fused(call) else {KEY, VALUE}
        if call.inputs[-1].rank < call.source.rank:
            viewed.add(MASK)
        return tuple([NewView(each) if index in viewed else each for index, each in enumerate(call.inputs)])

    def _composition(self, call: Call) -> Composition:
        return Composition(call, self.dropout_p > 0, self.is_causal, self.enable_gqa)

    def _is_raised(self, call: Call) -> bool:
        """Whether torch works on views with a fourth axis, and returns one without it."""
        return call.source.rank == 3 and call.setting.since("2.14")

    def windows(self, inputs: Tensors, outputs: Tensors) -> None:
        """Every position sees every other: no receptive field is followed."""
        return

    def working(self, inputs: Tensors, outputs: Tensors) -> tuple[Step, ...]:
        *leading, positions, features = inputs[QUERY].shape
        letters = ["B", "H"] if len(leading) == 2 else ["B", *(f"H_{number}" for number in range(1, len(leading)))]
        values = {**dict(zip(letters, leading, strict=True)), "T": positions, "S": inputs[KEY].shape[-2]}
        values |= {"D": features, "D_v": inputs[VALUE].shape[-1]}
        scores = "*".join([*letters, "T", "S"])
        note = "a score is D products, a mean takes S products a value"
        macs = Step("MACs", f"{scores}*D + {scores}*D_v", values, note)
        if values["D_v"] == features:
            return (macs,)
        return (Step(f"output axis {len(leading) + 1}", "D_v", values, "as wide as the values"), macs)
