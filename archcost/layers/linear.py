"""The fully connected layer, and the one of two inputs."""

from __future__ import annotations

from math import prod
from typing import ClassVar, Literal

from archcost.errors import ShapeError
from archcost.layers.base import Arity, Weight, WeightedLayer
from archcost.layers.card import Card
from archcost.layers.checks import require_floating
from archcost.layers.dtypes import IN_16_BITS, IN_FLOAT32_ON_CUDA
from archcost.layers.fields import Flag, Size, WeightReference
from archcost.layers.rules import Autograd, Call, NewView, Placement, Quirk, Timing, own_storage
from archcost.tensors import Tensors, TensorType
from archcost.terms.autograd import INPUT, Input, Own, Saved, Stored
from archcost.terms.expressions import Step
from archcost.terms.memory_format import is_row_major, view
from archcost.terms.time_classes import is_unaligned
from archcost.terms.windows import Rules, whole_last
from archcost.work import Contraction, Elementwise, Work


class Linear(WeightedLayer):
    """(…, in) → (…, out); weight (out, in); MACs rows·in·out (torch.nn.Linear)."""

    prefix: ClassVar[str] = "fc"
    positional: ClassVar[tuple[str, ...]] = ("out_features",)
    card: ClassVar[Card] = Card(
        torch="nn.Linear",
        calls=("linear",),
        onnx=None,
        autocast=IN_16_BITS,
        promotion="first",
        fvcore="macs",
        time="product",
        blas=True,
    )
    quirks: ClassVar[frozenset[Quirk]] = frozenset(["weight gradient is view", "sums bias gradient"])
    """Torch multiplies by `weight.t()`, whose backward turns the product around again."""

    type: Literal["linear"] = "linear"
    takes_complex: ClassVar[bool] = True
    out_features: Size
    bias: Flag = True
    weight: WeightReference | None = None

    @property
    def shared_weight(self) -> str | None:
        return self.weight

    def output_types(self, inputs: Tensors) -> Tensors:
        require_floating(inputs)
        if inputs[0].rank < 2:
            raise ShapeError("needs features", expected="(batch, …, features)", found=str(inputs[0]))
        return (TensorType((*inputs[0].shape[:-1], self.out_features), inputs[0].dtype),)

    def weights(self, inputs: Tensors) -> tuple[Weight, ...]:
        matrix = Weight("weight", (self.out_features, inputs[0].shape[-1]))
        return (matrix, Weight("bias", (self.out_features,))) if self.bias else (matrix,)

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        matrix = Contraction(outputs[0].numel * inputs[0].shape[-1] * inputs[0].real_macs)
        added = Elementwise(outputs[0].reals, 1, {"bias": 1}, "bias added")
        return (matrix, added) if self.bias else (matrix,)

    def timing(self, inputs: Tensors, outputs: Tensors) -> Timing:
        """By columns and depth. Rows grow with the batch, and what few of them leave idle is the launch's."""
        features = inputs[0].shape[-1]
        unaligned = is_unaligned(inputs[0].dtype, features, self.out_features)
        return Timing("unaligned product" if unaligned else self.card.time, (self.out_features, features))

    def autograd(self, call: Call) -> Autograd:
        """Each operand is kept for the other's gradient, the input as the matrix that is multiplied.

        Where the weight is frozen, torch takes the input as a stack of matrices. Without autograd it is not, as a rule:
        its transpose asks for a gradient under `no_grad` too, and torch makes a matrix of the input as it would for
        that (`should_fold` in native/LinearAlgebra.cpp). Where there is no view of either, it is a copy.
        """
        source = call.source
        rows = TensorType((source.numel // source.shape[-1], source.shape[-1]), source.dtype)
        copied = source.rank > 2 and view(source.shape, call.layout, rows.shape) is None
        matrix = Own("rows of the input", rows) if copied else INPUT
        weight = (Stored("weight"),) if call.needs(0) else ()
        # The gradient of a matrix, where the input is none.
        gradients = (NewView(source) if source.rank > 2 else source,)
        if call.needs("weight"):
            return Autograd((*weight, matrix), gradients)
        if not call.setting.needs and not call.setting.training:
            return Autograd((), gradients, (matrix,) if isinstance(matrix, Own) else ())
        stack = (prod(source.shape[:-2]), *source.shape[-2:])
        is_copy = source.rank > 3 and view(source.shape, call.layout, stack) is None
        return Autograd(weight, gradients, (Own("matrices of the input", source),) if is_copy else ())

    def placement(self, call: Call) -> Placement:
        """With a bias torch takes row-major values as a matrix, and sees the result in the shape that is wanted."""
        is_view = self.bias and call.source.rank > 2 and is_row_major(call.source.shape, call.layout)
        return own_storage(call)._replace(is_view=is_view)

    def windows(self, inputs: Tensors, outputs: Tensors) -> Rules:
        return whole_last(outputs[0].rank)

    def working(self, inputs: Tensors, outputs: Tensors) -> tuple[Step, ...]:
        features = inputs[0].shape[-1]
        values = {"rows": inputs[0].numel // features, "n_in": features, "n_out": self.out_features}
        formula = "(n_in + 1)*n_out" if self.bias else "n_in*n_out"
        each = "4*" if inputs[0].is_complex else ""
        macs = Step("MACs", f"{each}rows*n_in*n_out", values, "every output value is one sum of n_in products")
        return (Step("parameters", formula, values), macs)


class Bilinear(WeightedLayer):
    """(…, in1), (…, in2) → (…, out), each output value x1ᵀ·A·x2 with a matrix of its own (torch.nn.Bilinear).

    Weight (out, in1, in2). Torch goes from one output to the next: x1·A, then the sum of its products with x2
    (`_trilinear` in aten/src/ATen/native/Linear.cpp). Of the gradients that of x1 multiplies what arrives with the
    matrices before it sums, that of the weight with x1, and that of x2 its products with A.
    """

    type: Literal["bilinear"] = "bilinear"
    prefix: ClassVar[str] = "bilinear"
    arity: ClassVar[Arity] = Arity(2, 2)
    positional: ClassVar[tuple[str, ...]] = ("out_features",)
    card: ClassVar[Card] = Card(
        torch=None,
        calls=(),
        onnx=None,
        autocast=IN_FLOAT32_ON_CUDA,  # the widest, and its weight is float32
        promotion="first",
        fvcore="nothing",
        time="batched product",
        blas=True,
    )
    quirks: ClassVar[frozenset[Quirk]] = frozenset(["sums bias gradient"])
    out_features: Size
    bias: Flag = True

    def output_types(self, inputs: Tensors) -> Tensors:
        require_floating(inputs)
        for tensor in inputs:
            if tensor.rank < 2:
                raise ShapeError("needs features", expected="(batch, …, features)", found=str(tensor))
        if inputs[0].shape[:-1] != inputs[1].shape[:-1]:
            expected, found = f"the leading axes of {inputs[0]}", str(inputs[1])
            raise ShapeError("inputs have different rows", expected=expected, found=found)
        return (TensorType((*inputs[0].shape[:-1], self.out_features), inputs[0].dtype),)

    def weights(self, inputs: Tensors) -> tuple[Weight, ...]:
        matrices = Weight("weight", (self.out_features, inputs[0].shape[-1], inputs[1].shape[-1]))
        return (matrices, Weight("bias", (self.out_features,))) if self.bias else (matrices,)

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        results, (first, second) = outputs[0].numel, (inputs[0].shape[-1], inputs[1].shape[-1])
        added = (Elementwise(results, 1, {"bias": 1}, "bias added"),) if self.bias else ()
        return (
            Contraction(results * first * second, (0, 1, "weight")),
            Contraction(results * second, ()),
            Elementwise(results * first * second, 0, {0: 1}, "products of the gradient"),
            Elementwise(results * first, 0, {"weight": 1}, "products of the gradient"),
            Elementwise(results * second, 0, {1: 1}, "products of the gradient"),
            *added,
        )

    def autograd(self, call: Call) -> Autograd:
        """Each is kept for the others' gradients, an input as rows: by a view where there is one, else by a copy."""
        saved: list[Saved] = [Stored("weight")] if call.needs(0) or call.needs(1) else []
        dropped: list[Own] = []
        for index, source in enumerate(call.inputs):
            rows = (source.numel // source.shape[-1], source.shape[-1])
            is_copied = source.rank > 2 and view(source.shape, call.setting.layout(index), rows) is None
            copy = Own(f"rows of input {index + 1}", TensorType(rows, source.dtype))
            if call.needs("weight") or call.needs(1 - index):
                saved.append(copy if is_copied else Input(index))
            elif is_copied:
                dropped.append(copy)
        before = (Own("before the bias", call.result),) if self.bias else ()
        return Autograd(tuple(saved), tuple(map(NewView, call.inputs)), forward=(*dropped, *before))

    def placement(self, call: Call) -> Placement:
        return own_storage(call)._replace(is_view=not self.bias)

    def windows(self, inputs: Tensors, outputs: Tensors) -> None:
        """Rows of two tensors meet, so no receptive field is followed."""
        return

    def working(self, inputs: Tensors, outputs: Tensors) -> tuple[Step, ...]:
        first, second = inputs[0].shape[-1], inputs[1].shape[-1]
        values = {"rows": inputs[0].numel // first, "n_1": first, "n_2": second, "n_out": self.out_features}
        formula = "(n_1*n_2 + 1)*n_out" if self.bias else "n_1*n_2*n_out"
        macs = Step("MACs", "rows*n_out*(n_1 + 1)*n_2", values, "x1·A, and its sum with x2")
        return (Step("parameters", formula, values), macs)
