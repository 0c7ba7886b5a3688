"""Linear layers whose frozen weight is kept in few bits, and made floats again each time that it is multiplied.

Gradients go through them to their input, as an adapter beside a quantised weight needs it. What each makes and drops,
and what it keeps for backward, is that of the library that it is named after.
"""

from __future__ import annotations

from math import prod
from typing import ClassVar, Literal

from archcost.errors import ShapeError
from archcost.layers.base import Weight, WeightedLayer
from archcost.layers.card import Card
from archcost.layers.checks import require_floating
from archcost.layers.dtypes import AS_GIVEN, IN_16_BITS, Autocast, Outcome
from archcost.layers.fields import Flag, FloatingDtype, Size
from archcost.layers.rules import Autograd, Call, NewView, Placement, Timing, own_storage
from archcost.tensors import Tensors, TensorType
from archcost.terms.autograd import INPUT, Device, Moment, Own, Saved, Stored, beyond, worst_moment
from archcost.terms.expressions import Step
from archcost.terms.memory_format import is_row_major, view
from archcost.terms.time_classes import is_unaligned
from archcost.terms.windows import Rules, whole_last
from archcost.work import Contraction, Elementwise, Operand, Work

MADE = "dequantised weight"


def card(autocast: Autocast, promotion: Outcome = "first") -> Card:
    return Card(
        torch=None,
        calls=(),
        onnx=None,
        autocast=autocast,
        promotion=promotion,
        fvcore="nothing",
        time="product",
        blas=True,
    )


def scale(name: str, shape: tuple[int, ...], dtype: str | None) -> Weight:
    return Weight(name, shape, is_buffer=True, dtype=dtype, is_scale=True)


class FrozenLinear(WeightedLayer):
    """(…, in) → (…, out) by a weight (out, in) of few bits, which nobody trains."""

    prefix: ClassVar[str] = "fc"
    trainable: Literal[False] = False  # pyright: ignore[reportIncompatibleVariableOverride]
    weight_dtype: ClassVar[str]
    operations: ClassVar[int]
    """What it takes to make a float of a value."""
    makes_again: ClassVar[bool] = True
    """Whether backward makes the weight a second time."""
    out_features: Size
    bias: Flag = True

    def scales(self, features: int) -> tuple[Weight, ...]:
        """What is kept beside the weight. Raises ShapeError where the weight cannot be divided so."""
        raise NotImplementedError

    def matrix(self, features: int, dtype: str) -> TensorType:
        """The weight as it is multiplied."""
        return TensorType((self.out_features, features), dtype)

    def output_types(self, inputs: Tensors) -> Tensors:
        require_floating(inputs)
        if inputs[0].rank < 2:
            raise ShapeError("needs features", expected="(batch, …, features)", found=str(inputs[0]))
        self.scales(inputs[0].shape[-1])
        return (TensorType((*inputs[0].shape[:-1], self.out_features), inputs[0].dtype),)

    def weights(self, inputs: Tensors) -> tuple[Weight, ...]:
        features = inputs[0].shape[-1]
        return (
            Weight("weight", (self.out_features, features), dtype=self.weight_dtype),
            *((Weight("bias", (self.out_features,)),) if self.bias else ()),
            *self.scales(features),
        )

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        features = inputs[0].shape[-1]
        again: dict[Operand, int] = {0: self.operations} if self.makes_again else {}
        return (
            Contraction(outputs[0].numel * features, (0,)),
            Elementwise(self.out_features * features, self.operations, again, "weights scaled back"),
            *((Elementwise(outputs[0].numel, 1, {}, "bias added"),) if self.bias else ()),
        )

    def timing(self, inputs: Tensors, outputs: Tensors) -> Timing:
        features = inputs[0].shape[-1]
        unaligned = is_unaligned(inputs[0].dtype, features, self.out_features)
        kind = "unaligned product" if unaligned else self.card.time
        made = self.matrix(features, inputs[0].dtype)
        return Timing(kind, (self.out_features, features), (made, made if self.makes_again else None))

    def windows(self, inputs: Tensors, outputs: Tensors) -> Rules:
        return whole_last(outputs[0].rank)

    def working(self, inputs: Tensors, outputs: Tensors) -> tuple[Step, ...]:
        features = inputs[0].shape[-1]
        values = {"rows": inputs[0].numel // features, "n_in": features, "n_out": self.out_features}
        formula = "(n_in + 1)*n_out" if self.bias else "n_in*n_out"
        macs = Step("MACs", "rows*n_in*n_out", values, "of floats: every output value is one sum of n_in products")
        axis = Step(f"output axis {inputs[0].rank - 1}", "n_out", values, "as out_features says")
        return (axis, Step("parameters", formula, values), macs)


def _rows(call: Call) -> TensorType:
    return TensorType((call.source.numel // call.source.shape[-1], call.source.shape[-1]), call.source.dtype)


def _stacked(call: Call, dtype: str) -> Tensors:
    """The copy that torch makes of an input of which there is no view as a stack of matrices (`matmul`)."""
    source = call.source
    stack = (prod(source.shape[:-2]), *source.shape[-2:])
    is_copy = source.rank > 3 and view(source.shape, call.layout, stack) is None
    return (TensorType(source.shape, dtype),) if is_copy else ()


class Linear4bit(FrozenLinear):
    """A linear layer whose weight is two values a byte, as bitsandbytes has it (its `Linear4bit`).

    Each `block_size` values, row after row, share their largest one in float32 (absmax); with `double_quant` these are
    bytes around their mean, each 256 of them with a float32 of their own. Beside them lie the tables of the 16 and the
    256 values that a code stands for. Forward makes the whole weight in `compute_dtype`, multiplies and drops it; so
    does backward, which needs nothing else. What arrives is cast to `compute_dtype`, and the result back; where that is
    not said it is the dtype of what arrives, and under autocast that of autocast. A GPU has kernels that multiply a few
    rows without making the weight. Two operations a scale that is a byte, one a value. With `keep_input` what arrives
    is kept though nothing needs it, as long as anything leads back to it: so did bitsandbytes before 0.44.
    """

    type: Literal["linear_4bit"] = "linear_4bit"
    card: ClassVar[Card] = card(AS_GIVEN)
    weight_dtype: ClassVar[str] = "uint4"
    operations: ClassVar[int] = 1
    quant_type: Literal["nf4", "fp4"] = "nf4"
    block_size: Literal[32, 64, 128, 256, 512, 1024, 2048, 4096] = 64
    double_quant: Flag = False
    compute_dtype: FloatingDtype | None = None
    keep_input: Flag = False

    casts_itself: ClassVar[bool] = True

    def computes_in(self, arrives: str, autocast: str | None) -> str:
        return self.compute_dtype or autocast or arrives

    def blocks(self, features: int) -> int:
        return -(-self.out_features * features // self.block_size)

    def scales(self, features: int) -> tuple[Weight, ...]:
        blocks = self.blocks(features)
        absmax = scale("absmax", (blocks,), "uint8" if self.double_quant else "float32")
        code = scale("code", (16,), "float32")
        if not self.double_quant:
            return (absmax, code)
        nested = scale("nested_absmax", (-(-blocks // NESTED),), "float32")
        return (absmax, code, nested, scale("nested_code", (256,), "float32"), scale("offset", (), "float32"))

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        if not self.double_quant:
            return super().work(inputs, outputs)
        blocks = self.blocks(inputs[0].shape[-1])
        return (*super().work(inputs, outputs), Elementwise(blocks, 2, {0: 2}, "scales scaled back"))

    def timing(self, inputs: Tensors, outputs: Tensors) -> Timing:
        made = self.matrix(inputs[0].shape[-1], inputs[0].dtype)
        forward = None if self._in_one_kernel(inputs[0], "cuda") else made
        return super().timing(inputs, outputs)._replace(unpacked=(forward, made))

    def _in_one_kernel(self, source: TensorType, device: Device) -> bool:
        """Up to four rows a GPU multiplies by codes (`_GEMM_4BIT_CUSTOM_FLOOR_M` in its backends/cuda/ops.py)."""
        features = source.shape[-1]
        return device == "cuda" and source.numel <= FEW_ROWS * features and features % self.block_size == 0

    def autograd(self, call: Call) -> Autograd:
        source, result, features = call.source, call.result, call.source.shape[-1]
        weight = self.matrix(features, source.dtype)
        absmax = (TensorType((self.blocks(features),)),) if self.double_quant else ()
        kept = absmax * (2 if call.setting.device == "cuda" else 1)  # before and after the mean is added
        moment: Moment = (*kept, weight, *_stacked(call, source.dtype), result)
        if self._in_one_kernel(source, call.setting.device):
            moment = (result,)
        again: tuple[Moment, ...] = ((*absmax, *absmax), (*absmax, weight), (weight, source))
        scales = [Stored(each.name) for each in self.scales(features)]
        kept_input = (INPUT,) if self.keep_input else ()
        return Autograd(
            (Stored("weight"), *scales, *kept_input) if call.needs(0) else (),
            (source,),
            beyond(MADE, moment, (result,)),
            beyond(MADE, worst_moment(again), (source,)),
            outlives=(0,) if self.keep_input else (),
        )

    def placement(self, call: Call) -> Placement:
        """As a linear layer has it."""
        is_view = self.bias and call.source.rank > 2 and is_row_major(call.source.shape, call.layout)
        return own_storage(call)._replace(is_view=is_view)


FEW_ROWS = 4
NESTED = 256
"""How many scales of bytes share a float32 (`quantize_4bit` in bitsandbytes' functional.py)."""


class Linear8bit(FrozenLinear):
    """A linear layer whose weight is bytes, with a float32 for each row (LLM.int8(), bitsandbytes' `Linear8bitLt`).

    Forward makes bytes of what arrives, too, row by row, multiplies bytes by bytes in int32, and scales the sums, in
    float16 and then in the dtype of what arrives. Backward makes the weight in that dtype and multiplies by it. What
    arrives is kept though nothing needs it, as long as anything leads back to it. Columns with values above
    `threshold`, which are multiplied apart in 16 bits, depend on the values: none are counted.
    """

    type: Literal["linear_8bit"] = "linear_8bit"
    card: ClassVar[Card] = card(AS_GIVEN)
    assumption: ClassVar[str] = "linear_8bit: no column of what arrives has values above the threshold"
    weight_dtype: ClassVar[str] = "int8"
    operations: ClassVar[int] = 1
    threshold: float = 6.0

    def scales(self, features: int) -> tuple[Weight, ...]:
        return (scale("scale", (self.out_features,), "float32"),)

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        """What arrives is compared, divided and rounded; sums are multiplied by the scales of row and column."""
        (product, weights, *bias) = super().work(inputs, outputs)
        assert isinstance(weights, Elementwise)
        return (
            product,
            Elementwise(inputs[0].numel, 3, {}, "quantised"),
            Elementwise(outputs[0].numel, 2, {}, "sums scaled back"),
            weights._replace(operations=0),
            *bias,
        )

    def timing(self, inputs: Tensors, outputs: Tensors) -> Timing:
        made = self.matrix(inputs[0].shape[-1], inputs[0].dtype)
        return super().timing(inputs, outputs)._replace(unpacked=(None, made))

    def autograd(self, call: Call) -> Autograd:
        source, result, features = call.source, call.result, call.source.shape[-1]
        rows = _rows(call)
        half = TensorType(rows.shape, "float16")
        copied = source.rank > 2 and view(source.shape, call.layout, rows.shape) is None
        flat = Own("rows of the input", rows)
        at_hand: Tensors = (half,) if source.dtype != "float16" else ()
        codes = (TensorType(rows.shape, "int8"), TensorType(rows.shape[:1], "float32"))
        found: Tensors = (half, TensorType(rows.shape, "bool")) if self.threshold else ()
        sums, narrow = TensorType(result.shape, "int32"), TensorType(result.shape, "float16")
        moments: tuple[Moment, ...] = (
            (*at_hand, *codes, *found),
            (*codes, sums, narrow, *((result,) if result.dtype != "float16" else ())),
        )
        kept = (flat.tensor,) if copied else ()
        held = [(*moment, *kept) for moment in moments]
        given = (result, *kept) if call.needs(0) else (result,)
        forward = beyond("products of bytes", worst_moment(held), given)
        weight, scales = self.matrix(features, source.dtype), TensorType((self.out_features,))
        again: tuple[Moment, ...] = ((weight, scales), (weight, source))
        gradients = beyond(MADE, worst_moment(again), (source,))
        if not call.needs(0):
            return Autograd((), (source,), forward, gradients)
        saved: tuple[Saved, ...] = (flat if copied else INPUT,)
        return Autograd(saved, (NewView(source),), forward, gradients, outlives=() if copied else (0,))

    def placement(self, call: Call) -> Placement:
        return own_storage(call)._replace(is_view=call.source.rank > 2)


class HqqLinear(FrozenLinear):
    """A linear layer whose weight is two values a byte, in groups with a scale and a zero point each (`HQQLinear`).

    Each `group_size` values, row after row, have both in `compute_dtype`: where that is not said in the dtype of what
    arrives, and under autocast in that of autocast, in which the result comes out. Forward makes the whole weight,
    multiplies and drops it, and so does backward; what arrives is kept though nothing needs it. Two operations a value:
    a difference and a product, each of which makes a tensor as large as the weight (`Quantizer.dequantize`).
    """

    type: Literal["hqq_linear"] = "hqq_linear"
    card: ClassVar[Card] = card(AS_GIVEN, "named")
    weight_dtype: ClassVar[str] = "uint4"
    operations: ClassVar[int] = 2
    group_size: Size = 64
    compute_dtype: FloatingDtype | None = None

    def weights(self, inputs: Tensors) -> tuple[Weight, ...]:
        """The bias in the dtype of the scales."""
        found = super().weights(inputs)
        return tuple(
            [each._replace(dtype=self.compute_dtype, is_scale=True) if each.name == "bias" else each for each in found]
        )

    def lowered(self, dtype: str) -> HqqLinear:
        return self if self.compute_dtype else self.model_copy(update={"compute_dtype": dtype})

    def output_types(self, inputs: Tensors) -> Tensors:
        (result,) = super().output_types(inputs)
        return (result._replace(dtype=self.compute_dtype or result.dtype),)

    def scales(self, features: int) -> tuple[Weight, ...]:
        numel = self.out_features * features
        if numel % (2 * self.group_size):
            raise ShapeError(
                "the weight cannot be divided into groups, two values of two groups in a byte",
                expected=f"a size of groups of which an even number are {self.out_features}×{features} values",
                found=f"groups of {self.group_size}",
                hint="another size, or leave this layer out",
            )
        groups = (numel // self.group_size, 1)
        return (scale("scale", groups, self.compute_dtype), scale("zero", groups, self.compute_dtype))

    def autograd(self, call: Call) -> Autograd:
        source, result = call.source, call.result
        weight = self.matrix(source.shape[-1], result.dtype)
        cast = (TensorType(source.shape, result.dtype),) if source.dtype != result.dtype else ()
        nibbles = TensorType((weight.numel // 2,), "uint8")
        unpacked: tuple[Moment, ...] = ((weight, nibbles, nibbles), (weight, weight, weight))
        forward = worst_moment((*unpacked, (weight, *cast, *_stacked(call, result.dtype), result)))
        backward = worst_moment((*unpacked, (weight, *(cast or (source,))), (*cast, source)))
        saved: tuple[Saved, ...] = (INPUT,) if call.needs(0) else ()
        return Autograd(saved, (source,), beyond(MADE, forward, (result,)), beyond(MADE, backward, (source,)))


class WeightOnlyLinear(FrozenLinear):
    """A linear layer whose weight is floats of 8 bits, with a float32 for each row (torchao's Float8WeightOnlyConfig).

    Forward makes the weight in float32, scales it and casts it to the dtype of what arrives
    (`_dequantize_affine_float8`). To autograd that is a weight like any other, and it is kept for backward.
    """

    type: Literal["weight_only_linear"] = "weight_only_linear"
    card: ClassVar[Card] = card(IN_16_BITS, "named")
    makes_again: ClassVar[bool] = False
    weight_dtype: ClassVar[str] = "float8_e4m3fn"
    operations: ClassVar[int] = 1

    widens: Flag = False
    """Whether a bias of float32 makes the sum float32, as it does under autocast."""

    def lowered(self, dtype: str) -> WeightOnlyLinear:
        return self.model_copy(update={"widens": True}) if self.bias else self

    def output_types(self, inputs: Tensors) -> Tensors:
        (result,) = super().output_types(inputs)
        return (result._replace(dtype="float32" if self.widens else result.dtype),)

    def scales(self, features: int) -> tuple[Weight, ...]:
        return (scale("scale", (self.out_features, 1), "float32"),)

    def autograd(self, call: Call) -> Autograd:
        source, result = call.source, call.result
        weight = self.matrix(source.shape[-1], source.dtype)
        wide = TensorType(weight.shape)
        made = (weight,) if source.dtype != "float32" else ()
        kept = (weight,) if call.needs(0) else ()
        product = result._replace(dtype=source.dtype)
        added = (*kept, product, result) if self.bias else ()
        held = (weight, *_stacked(call, source.dtype), product)
        forward = beyond(MADE, worst_moment(((wide, wide, *made), held, added)), (result, *kept))
        gradients = (NewView(source) if source.rank > 2 else source,)
        return Autograd((Own(MADE, weight),) if call.needs(0) else (), gradients, forward)
