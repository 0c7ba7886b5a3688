"""Attention as one operation: every query looks at all keys, and takes a mean of their values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from archcost.errors import ShapeError
from archcost.layers.base import Arity, Flag, Layer, Number, require_floating
from archcost.layers.broadcasting import together
from archcost.layers.dtypes import IN_16_BITS, Autocast, Outcome
from archcost.layers.rules import Quirk
from archcost.tensors import DTYPE_BYTES, Tensors, TensorType
from archcost.terms.autograd import OUTPUT, Input, Own, Saved, Scratch, Setting, excess, statistic
from archcost.terms.expressions import Step
from archcost.terms.memory_format import Layout, like, strides_of, view
from archcost.terms.time_classes import TimeClass
from archcost.work import Contraction, Elementwise, Shared, Work

QUERY, KEY, VALUE, MASK = range(4)
SCORES = frozenset({QUERY, KEY, MASK})
"""Inputs whose gradient comes by way of that of the scores."""

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
    """

    type: Literal["scaled_dot_product_attention"] = "scaled_dot_product_attention"
    prefix: ClassVar[str] = "attention"
    arity: ClassVar[Arity] = Arity(3, 4)
    autocast: ClassVar[Autocast] = IN_16_BITS
    time_class: ClassVar[TimeClass] = "attention"
    comes_out: ClassVar[Outcome] = "first"
    quirks: ClassVar[frozenset[Quirk]] = frozenset(["composed"])
    dropout_p: Annotated[float, Field(strict=True, ge=0, lt=1)] = 0.0
    is_causal: Flag = False
    scale: Number | None = None
    enable_gqa: Flag = False
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

    def extents(self, inputs: Tensors, outputs: Tensors) -> tuple[int, ...]:
        query, key = inputs[QUERY].shape, inputs[KEY].shape
        return query[-2], key[-2], query[-1]

    def runs_fused(self, inputs: Tensors, setting: Setting) -> bool:
        """Whether torch's choice is a fused kernel (aten/src/ATen/native/transformers/sdp_utils_cpp.cpp).

        Torch 2.13 composes attention over three axes, 2.14 gives them a fourth. The CPU's kernel takes no dropout,
        values as wide as keys, rows without gaps between their values, and no mask whose gradient is wanted. CUDA's
        take them all, some by a copy.
        """
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

    def keeps(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Saved, ...]:
        """Fused: inputs, output, and of each row the logarithm of its sum, in float32 or wider; on CUDA a seed too.

        CUDA's flash attention takes 16 bits and no mask, and else its memory-efficient one, whose rows are counted in
        whole tiles of 32 (torch's own fake kernels in torch/_meta_registrations.py).
        """
        if not self.runs_fused(inputs, setting):
            return _Composed(self, inputs, setting).keeps()
        *leading, positions, _ = inputs[QUERY].shape
        in_tiles = setting.device == "cuda" and not self._is_flash(inputs)
        shape = (*leading, -(-positions // TILE) * TILE if in_tiles else positions)
        rows = statistic(shape, inputs[QUERY].dtype, Setting(setting.needs, device="cuda"))
        kept: list[Saved] = [Input(QUERY), Input(KEY), Input(VALUE), OUTPUT, Own("log-sum-exp", rows)]
        if len(inputs) > 3:
            kept.append(self._mask_as_float(inputs) or Input(MASK))
        if setting.device == "cuda":
            kept += _SEEDS[self._is_flash(inputs)]
        return tuple(kept)

    def _is_flash(self, inputs: Tensors) -> bool:
        """On CUDA."""
        return DTYPE_BYTES[inputs[QUERY].dtype] == 2 and len(inputs) <= MASK

    def _mask_as_float(self, inputs: Tensors) -> Own | None:
        """The additive mask that torch makes of one of bool."""
        if inputs[MASK].dtype != "bool":
            return None
        return Own("mask as numbers", TensorType(inputs[MASK].shape, inputs[QUERY].dtype))

    def layouts(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Layout, ...]:
        """A fused kernel's output lies as the queries do."""
        if not self.runs_fused(inputs, setting):
            return (None,)
        return (like(outputs[0].shape, [(inputs[QUERY].shape, setting.layout(QUERY))]),)

    def scratch(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> Scratch:
        """Fused: all three gradients are made, wanted or not."""
        if not self.runs_fused(inputs, setting):
            return _Composed(self, inputs, setting).scratch()
        unwanted = sum(tensor.numel for index, tensor in enumerate(inputs[:3]) if index not in setting.needs)
        forward = self.unkept(inputs, outputs, setting)
        return Scratch(forward, excess("unwanted gradients", unwanted, inputs[QUERY].dtype))

    def viewed_gradients(self, inputs: Tensors, setting: Setting) -> tuple[bool, ...]:
        if self._is_raised(inputs, setting):
            return (True,) * len(inputs)
        return _Composed(self, inputs, setting).viewed_gradients()

    def is_view(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> bool:
        return self._is_raised(inputs, setting)

    def _is_raised(self, inputs: Tensors, setting: Setting) -> bool:
        """Whether torch works on views with a fourth axis, and returns one without it."""
        return inputs[QUERY].rank == 3 and setting.since("2.14")

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


@dataclass(frozen=True)
class _Composed:
    """Torch's composition (`_scaled_dot_product_attention_math` in native/transformers/attention.cpp), in bytes.

    The CPU works on float32 copies of 16-bit inputs. Query and key are both multiplied by the root of the scale, heads
    that serve several are repeated, and matrices are copied where the product finds no view of them.
    """

    layer: ScaledDotProductAttention
    inputs: Tensors
    setting: Setting

    @property
    def wants_scores(self) -> bool:
        return bool(SCORES & self.setting.needs)

    @property
    def drops(self) -> bool:
        return self.setting.training and self.layer.dropout_p > 0

    @property
    def dtype(self) -> str:
        """Of the composition."""
        dtype = self.inputs[QUERY].dtype
        return "float32" if dtype in ("float16", "bfloat16") else dtype

    @property
    def is_cast(self) -> bool:
        return self.dtype != self.inputs[QUERY].dtype

    @property
    def repeats(self) -> bool:
        return self.layer.enable_gqa and self.inputs[QUERY].shape[-3] != self.inputs[KEY].shape[-3]

    def whole(self, index: int) -> TensorType:
        """An input as it is multiplied: with every head."""
        return TensorType((*self.inputs[QUERY].shape[:-2], *self.inputs[index].shape[-2:]), self.dtype)

    @property
    def scores(self) -> TensorType:
        return TensorType((*self.inputs[QUERY].shape[:-1], self.inputs[KEY].shape[-2]), self.dtype)

    def copied(self, index: int) -> bool:
        """Whether the product finds no view of its matrices."""
        whole, layout = self.whole(index), self.setting.layout(index)
        if self.repeats and index != QUERY:
            return False  # repeated heads lie row-major
        if index != VALUE or self.is_cast:
            layout = like(whole.shape, [(whole.shape, layout)])
        if index == KEY:
            strides = strides_of(whole.shape, layout)
            shape, layout = (*whole.shape[:-2], *whole.shape[:-3:-1]), (*strides[:-2], *strides[:-3:-1])
        else:
            shape = whole.shape
        return view(shape, layout, (prod(shape[:-2]), *shape[-2:])) is None

    def keeps(self) -> tuple[Saved, ...]:
        needs = self.setting.needs
        kept: list[Saved] = []
        if KEY in needs:
            kept.append(Own("scaled query", self.whole(QUERY)))
        if QUERY in needs:
            kept.append(Own("scaled key", self.whole(KEY)))
        if self.wants_scores or (VALUE in needs and not self.drops):
            kept.append(Own("probabilities", self.scores))
        if self.drops and self.wants_scores:
            kept.append(Own("mask", self.scores))
        if self.drops and VALUE in needs:
            kept.append(Own("probabilities that are left", self.scores))
        if self.wants_scores:
            made = self.repeats or self.is_cast or self.copied(VALUE)
            kept.append(Own("values", self.whole(VALUE)) if made else Input(VALUE))
        return tuple(kept)

    def scratch(self) -> Scratch:
        output = TensorType((*self.inputs[QUERY].shape[:-1], self.inputs[VALUE].shape[-1]), self.inputs[QUERY].dtype)
        kept = sum(own.tensor.nbytes for own in self.keeps() if isinstance(own, Own)) if self.setting.needs else 0
        size = DTYPE_BYTES[output.dtype]
        wanted = (self.inputs[index] for index in self.setting.needs if isinstance(index, int))
        given = sum(tensor.nbytes for tensor in wanted)
        return Scratch(
            excess("scores and scaled inputs", (self.forward(output) - output.nbytes - kept) // size, output.dtype),
            excess("gradients of the scores", (self.backward(output) - given) // size, output.dtype),
        )

    def forward(self, output: TensorType) -> int:
        """The worst moment, in bytes."""
        needs = self.setting.needs
        query, key, value = (self.whole(index).nbytes for index in (QUERY, KEY, VALUE))
        scores = self.scores.nbytes
        held = query + self.mask_bytes  # local variables, until torch's function returns
        if self.is_cast:
            held += sum(self.inputs[index].numel for index in (QUERY, KEY, VALUE)) * DTYPE_BYTES[self.dtype]
        if self.repeats:
            held += key + value
        copies = [self.whole(index).nbytes if self.copied(index) else 0 for index in (QUERY, KEY, VALUE)]
        moments = [held + key + copies[QUERY] + copies[KEY] + scores]
        if KEY in needs:
            held += copies[QUERY]
        if QUERY in needs:
            held += key
        moments.append(held + 2 * scores)
        if self.drops:
            moments.append(held + 3 * scores)
            held += 2 * scores if self.wants_scores else 0
        result = TensorType(output.shape, self.dtype).nbytes
        held += scores + copies[VALUE] + result
        moments.append(held)
        if self.is_cast:
            if not self.wants_scores:
                held -= copies[VALUE]
            moments.append(held + output.nbytes + self.scores.numel * DTYPE_BYTES[output.dtype])
        return max(moments)

    @property
    def mask_bytes(self) -> int:
        """Of the mask that torch makes of one of bool, or of `is_causal`."""
        if self.layer.is_causal:
            return prod(self.scores.shape[-2:]) * DTYPE_BYTES[self.dtype]
        if len(self.inputs) < 4 or self.inputs[MASK].dtype != "bool":
            return 0
        return self.inputs[MASK].numel * DTYPE_BYTES[self.inputs[QUERY].dtype]

    def backward(self, output: TensorType) -> int:
        """The worst moment, in bytes, beyond what was there when the gradient arrived; kept tensors go one by one."""
        needs = self.setting.needs
        scores, arrived = self.scores.nbytes, output.nbytes
        query, key, value = (self.whole(index).nbytes for index in (QUERY, KEY, VALUE))
        kept = {own.what: own.tensor.nbytes for own in self.keeps() if isinstance(own, Own)}
        live = value if VALUE in needs else 0
        cast = TensorType(output.shape, self.dtype).nbytes if self.is_cast else 0
        moments = [cast]
        if self.is_cast:
            moments.append(cast - arrived + live + (scores if self.wants_scores else 0))
        else:
            moments.append(live + (scores if self.wants_scores else 0))
        live -= arrived + kept.get("values", 0) + kept.get("probabilities that are left", 0)
        if self.wants_scores:
            if self.drops:
                moments.append(live + 2 * scores)
                live -= kept["mask"]
            moments.append(live + 2 * scores)
            live -= kept["probabilities"]
            live += (query if QUERY in needs else 0) + (key if KEY in needs else 0)
            moments.append(live + scores)
            live -= kept.get("scaled query", 0) + kept.get("scaled key", 0)
            moments += [live + key if KEY in needs else 0, live + query if QUERY in needs else 0]
        return max(moments)

    def viewed_gradients(self) -> tuple[bool, ...]:
        """Key's and value's come as views of the products' results; a fused kernel's never do."""
        viewed = not self.is_cast and not self.layer.runs_fused(self.inputs, self.setting)
        mask = not self.is_cast and len(self.inputs) > 3 and self.inputs[MASK].rank < self.scores.rank
        return (False, viewed, viewed, mask)[: len(self.inputs)]
