"""Norms over the last axes, row by row."""

from __future__ import annotations

from math import prod
from typing import ClassVar, Literal

from archcost.errors import ShapeError
from archcost.layers.base import Weight, WeightedLayer
from archcost.layers.card import Card, onnx
from archcost.layers.checks import require_floating
from archcost.layers.fields import Flag, Number, Sizes
from archcost.layers.memory_order import of_images
from archcost.layers.normalization.norms import (
    STANDARDISE,
    STANDARDISE_BACKWARD,
    card,
    mean_and_scale,
    scale_and_shift,
)
from archcost.layers.rules import Autograd, Call, Placement, Quirk, Timing, own_storage
from archcost.tensors import DTYPE_BYTES, Tensors, TensorType
from archcost.terms.autograd import INPUT, Own, Saved, Stored, excess, statistic, worst
from archcost.terms.expressions import Step
from archcost.terms.memory_format import is_channels_last, like
from archcost.work import Reduction, Work


class FeatureNorm(WeightedLayer):
    """A norm over the last axes; `normalized_shape` defaults to the last axis alone and is checked when given."""

    positional: ClassVar[tuple[str, ...]] = ("normalized_shape",)

    normalized_shape: Sizes | None = None

    def normalized(self, inputs: Tensors) -> tuple[int, ...]:
        require_floating(inputs)
        shape = self.normalized_shape
        if shape is None:
            return inputs[0].shape[-1:]
        wanted = (shape,) if isinstance(shape, int) else shape
        if inputs[0].shape[1:][-len(wanted) :] != wanted:
            raise ShapeError(
                "normalized_shape is not the end of the input's shape",
                expected=f"input (batch, …, {', '.join(map(str, wanted))})",
                found=str(inputs[0]),
            )
        return wanted

    def rows(self, inputs: Tensors) -> tuple[int, ...]:
        """The axes in front of those, with a statistic for each."""
        return inputs[0].shape[: inputs[0].rank - len(self.normalized(inputs))]

    def output_types(self, inputs: Tensors) -> Tensors:
        self.normalized(inputs)
        return inputs


class LayerNorm(FeatureNorm):
    """Mean and variance of each row of features (torch.nn.LayerNorm)."""

    prefix: ClassVar[str] = "ln"
    type: Literal["layer_norm"] = "layer_norm"
    card: ClassVar[Card] = card("LayerNorm", ("layer_norm",), onnx("LayerNormalization"), "layer norm")
    eps: Number = 1e-5
    elementwise_affine: Flag = True
    bias: Flag = True

    def weights(self, inputs: Tensors) -> tuple[Weight, ...]:
        if not self.elementwise_affine:
            return ()
        shape = self.normalized(inputs)
        return (Weight("weight", shape), *((Weight("bias", shape),) if self.bias else ()))

    def timing(self, inputs: Tensors, outputs: Tensors) -> Timing:
        """By the length of a row: each is worked out by itself."""
        return Timing(self.card.time, (prod(self.normalized(inputs)),))

    def autograd(self, call: Call) -> Autograd:
        rows = self.rows(call.inputs)
        names = [weight.name for weight in self.weights(call.inputs)]
        saved = (INPUT, *(Stored(name) for name in names), *mean_and_scale(rows, call.source, call.setting))
        return Autograd(saved, call.inputs, saves_for_nobody=True)

    def copies_pieces(self, call: Call) -> bool:
        """In the kernel (`LayerNormBackwardKernelImpl` in native/cuda/layer_norm_kernel.cu)."""
        return call.setting.device == "cuda"

    def placement(self, call: Call) -> Placement:
        return own_storage(call)

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        """A value: mean, difference, square, sum, scale; backward two sums (3) and their combination (4)."""
        numel = inputs[0].numel
        standardise = Reduction(numel, STANDARDISE, {0: STANDARDISE_BACKWARD}, "standardised")
        return (standardise, *scale_and_shift(numel, self.elementwise_affine, self.elementwise_affine and self.bias))

    def working(self, inputs: Tensors, outputs: Tensors) -> tuple[Step, ...]:
        if not self.elementwise_affine:
            return ()
        values = {"N": prod(self.normalized(inputs))}
        formula, note = ("2*N", "a scale and a shift a feature") if self.bias else ("N", "a scale a feature")
        return (Step("parameters", formula, values, note),)


class RMSNorm(FeatureNorm):
    """Each row divided by the root of its mean square (torch.nn.RMSNorm)."""

    prefix: ClassVar[str] = "rms_norm"
    type: Literal["rms_norm"] = "rms_norm"
    card: ClassVar[Card] = card("RMSNorm", ("rms_norm",), onnx("RMSNormalization"), "nothing")
    quirks: ClassVar[frozenset[Quirk]] = frozenset(["composed", "stops early"])
    eps: Number | None = None
    elementwise_affine: Flag = True

    def weights(self, inputs: Tensors) -> tuple[Weight, ...]:
        return (Weight("weight", self.normalized(inputs)),) if self.elementwise_affine else ()

    def autograd(self, call: Call) -> Autograd:
        """On the CPU torch composes it of products, in float32 where the input has fewer bits
        (aten/src/ATen/native/layer_norm.cpp); on CUDA it is one kernel.
        """
        source, rows = call.source, self.rows(call.inputs)
        scale = (Stored("weight"),) if self.elementwise_affine else ()
        if self._is_fused(call):
            saved = (INPUT, *scale, Own("1/root", statistic(rows, source.dtype, call.setting)))
            return Autograd(saved, call.inputs, saves_for_nobody=True)
        dtype = "float32" if source.dtype in ("float16", "bfloat16") else source.dtype
        wide, roots = TensorType(source.shape, dtype), TensorType(rows, dtype)
        kept: list[Saved] = []
        if call.needs(0):
            kept += [INPUT if wide == source else Own("input in float32", wide), Own("1/root", roots), *scale]
        if call.needs("weight"):
            kept.append(Own("normalised input", wide))
        spared = sum([own.tensor.nbytes for own in kept if isinstance(own, Own)])
        forward = self._products(call, wide.nbytes, roots.nbytes) - source.nbytes - spared
        if call.needs(0):
            # Three factors of the squares' gradient, beside that of the product; what arrived, the roots and the
            # normalised input are gone.
            backward = 5 * wide.nbytes - 2 * source.nbytes - roots.nbytes - wide.nbytes * call.needs("weight")
        else:
            backward = 2 * wide.nbytes - source.nbytes if wide != source else wide.nbytes
        size = DTYPE_BYTES[source.dtype]
        return Autograd(
            tuple(kept),
            call.inputs,
            excess("products of the input", forward // size, source.dtype),
            excess("products of the gradient", backward // size, source.dtype),
        )

    def _products(self, call: Call, full: int, roots: int) -> int:
        """Bytes at the worst moment of forward, of which `full` are an input's in the wider dtype."""
        shape, narrow = call.source.shape, call.source.nbytes
        is_widened, is_turned = full != narrow, like(shape, [(shape, call.layout)]) != self.placement(call).layouts[0]
        steps = [full if is_widened else 0]
        steps += [full, roots, roots, -full - roots]  # squares, their means and the roots
        steps += [full]  # the normalised input, and its product with the weight
        steps += [full, 0 if call.needs("weight") else -full] if self.elementwise_affine else []
        steps += [full, -full] if is_turned else []  # made row-major
        steps += [0 if call.needs(0) else -full, narrow] if is_widened else []  # narrowed again
        return worst(steps)

    def placement(self, call: Call) -> Placement:
        return of_images(call)

    def copies_pieces(self, call: Call) -> bool:
        """As a layer norm's kernel does, which is this one's."""
        return self._is_fused(call)

    def _is_fused(self, call: Call) -> bool:
        """On CUDA torch has one kernel, but for images with their channels last and for a weight of another dtype."""
        mixed = self.elementwise_affine and call.setting.weights is not None
        images = call.source.rank > 3 and is_channels_last(call.source.shape, call.layout)
        return call.setting.device == "cuda" and not mixed and not images

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        """Square, sum, scale: 3 a value; backward a product and a sum, a product and a difference, a scale: 5."""
        numel = inputs[0].numel
        return (
            Reduction(numel, 3, {0: 5}, "divided by the root of the mean square"),
            *scale_and_shift(numel, self.elementwise_affine, False),
        )

    def working(self, inputs: Tensors, outputs: Tensors) -> tuple[Step, ...]:
        values = {"N": prod(self.normalized(inputs))}
        return (Step("parameters", "N", values, "a scale a feature"),) if self.elementwise_affine else ()
