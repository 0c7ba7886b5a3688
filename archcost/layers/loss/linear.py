"""Cross entropy with the linear layer before it in one operator, which never holds the scores of all rows at once."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import model_validator
from pydantic_core import PydanticCustomError

from archcost.errors import ShapeError
from archcost.layers.base import Arity, Weight, WeightedLayer
from archcost.layers.card import Card
from archcost.layers.checks import require_floating
from archcost.layers.dtypes import AS_GIVEN
from archcost.layers.fields import Flag, Size, WeightReference
from archcost.layers.loss.chunked_by_liger import liger_moments
from archcost.layers.loss.chunked_by_torch import AccumulationDtype, Policy, Settings, torch_moments
from archcost.layers.rules import Autograd, Call, Precision, Timing
from archcost.tensors import Tensors, TensorType
from archcost.terms.autograd import Device, Own, beyond, worst_moment
from archcost.terms.expressions import Step
from archcost.terms.time_classes import is_unaligned
from archcost.work import Contraction, Elementwise, Reduction, Work


class LinearCrossEntropy(WeightedLayer):
    """−log softmax(x·Wᵀ + b) at the label, chunk by chunk of rows; forward works out all gradients and keeps them.

    Inputs: features (rows, in), labels (rows) int64, and perhaps a weight for each class. Weight (out, in).

    `method` is `torch`: torch.nn.functional.linear_cross_entropy with `options`, whose fields are the last five here
    (torch.nn.LinearCrossEntropyOptions), in nn/modules/linear_cross_entropy.py. Or it is `liger`: Liger-Kernel's
    LigerFusedLinearCrossEntropyFunction (ops/fused_linear_cross_entropy.py in 0.8), whose products autocast
    lowers to `product_dtype`.
    """

    type: Literal["linear_cross_entropy"] = "linear_cross_entropy"
    prefix: ClassVar[str] = "loss"
    arity: ClassVar[Arity] = Arity(2, 3)
    untouched: ClassVar[frozenset[int]] = frozenset([1, 2])
    card: ClassVar[Card] = Card(
        torch=None,
        calls=(),
        onnx=None,
        autocast=AS_GIVEN,
        promotion="named",
        fvcore="nothing",
        time="product",
        blas=True,
    )
    out_features: Size
    bias: Flag = False
    weight: WeightReference | None = None
    reduction: Literal["mean", "sum"] = "mean"
    method: Literal["torch", "liger"] = "torch"
    product_dtype: Literal["bfloat16", "float16"] | None = None
    batch_chunk_size: Size | None = None
    chunking_method: str | None = "auto"
    acc_policy: Policy = "auto"
    acc_dtype: AccumulationDtype | None = None
    allow_retain_graph: Flag = False

    @model_validator(mode="after")
    def _options_are_torchs(self) -> Self:
        problem = Settings.of(self).problem()
        if problem is not None:
            raise PydanticCustomError("chunking", "Input should be {expected}", {"expected": problem})
        return self

    @property
    def shared_weight(self) -> str | None:
        return self.weight

    def output_types(self, inputs: Tensors) -> Tensors:
        rows, labels, *weight = inputs
        require_floating((rows,))
        if rows.rank != 2:
            raise ShapeError("needs rows of features", expected="(rows, features)", found=str(rows))
        wanted = TensorType(rows.shape[:1], "int64")
        if labels != wanted:
            raise ShapeError("the second input must be the labels", expected=str(wanted), found=str(labels))
        of_classes = TensorType((self.out_features,), rows.dtype)
        if weight and weight[0] != of_classes:
            raise ShapeError("the third input weighs classes", expected=str(of_classes), found=str(weight[0]))
        return (TensorType((), "float32" if self.method == "liger" else rows.dtype),)

    def weights(self, inputs: Tensors) -> tuple[Weight, ...]:
        matrix = Weight("weight", (self.out_features, inputs[0].shape[-1]))
        return (matrix, Weight("bias", (self.out_features,))) if self.bias else (matrix,)

    def precision(self, inputs: Tensors, device: Device) -> Precision:
        """Nothing is cast that the features do not ask for."""
        return super().precision(inputs, device)._replace(operands=1)

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        """Those of the linear layer and of cross entropy, wherever they are worked out: forward has all products."""
        rows, features = inputs[0].shape
        scores = rows * self.out_features
        product = Contraction(scores * features * inputs[0].real_macs)
        added = (Elementwise(scores, 1, {"bias": 1}, "bias added"),) if self.bias else ()
        picked = Reduction(rows, 1 if len(inputs) == 2 else 3, {}, "picked and averaged")
        return (product, *added, Reduction(scores, 5, {0: 3}, "log_softmax"), picked)

    def lowered(self, dtype: str) -> LinearCrossEntropy:
        """Liger's products are torch's own calls; torch's operator writes them where they belong, and casts nothing."""
        return self.model_copy(update={"product_dtype": dtype}) if self.method == "liger" else self

    def timing(self, inputs: Tensors, outputs: Tensors) -> Timing:
        features = inputs[0].shape[-1]
        unaligned = is_unaligned(inputs[0].dtype, features, self.out_features)
        return Timing("unaligned product" if unaligned else self.card.time, (self.out_features, features))

    def autograd(self, call: Call) -> Autograd:
        """The gradients that forward has made are kept, and backward hands them out as they are, or scaled copies.

        Torch's operator puts out its gradients beside the loss, and before 2.14 torch.library makes zeros in backward
        in place of a gradient for each of them.
        """
        made = self._made(call)
        moments = torch_moments(self, call) if self.method == "torch" else liger_moments(self, call)
        kept = (*[own.tensor for own in made.values()], call.result)
        forward = beyond("scores of a chunk and what is made of them", worst_moment(moments), kept)
        gradients = (call.source, *[None] * (len(call.inputs) - 1))
        if self.method == "liger":
            one = (Own("a one to compare with", TensorType((), "float32")),)
            return Autograd(tuple(made.values()), gradients, forward, one, ready=made)
        zeros = (
            ()
            if call.setting.since("2.14")
            else tuple([Own(f"zeros for the {own.what}", own.tensor) for own in made.values()])
        )
        same = call.setting.weights in (None, call.source.dtype)
        saved = tuple(made.values())
        if self.allow_retain_graph:  # what is kept stays as attributes of `ctx`
            return Autograd(saved, gradients, forward, zeros, outlives=saved)
        ready = {key: own for key, own in made.items() if same or key == 0}
        return Autograd(saved, gradients, forward, zeros, ready=ready)

    def _made(self, call: Call) -> dict[int | str, Own]:
        """By operand, the gradient that forward makes of it."""
        dtype = call.source.dtype if self.method == "torch" else call.setting.weights or call.source.dtype
        made: dict[int | str, Own] = {}
        if call.needs(0) or (self.method == "liger" and call.setting.needs):
            made[0] = Own("gradient of the features", call.source)
        for weight in self.weights(call.inputs):
            if call.needs(weight.name):
                made[weight.name] = Own(f"gradient of the {weight.name}", TensorType(weight.shape, dtype))
        return made

    def windows(self, inputs: Tensors, outputs: Tensors) -> None:
        return None

    def working(self, inputs: Tensors, outputs: Tensors) -> tuple[Step, ...]:
        rows, features = inputs[0].shape
        values = {"rows": rows, "n_in": features, "n_out": self.out_features}
        formula = "(n_in + 1)*n_out" if self.bias else "n_in*n_out"
        macs = Step("MACs", "rows*n_in*n_out", values, "every score is one sum of n_in products")
        return (Step("parameters", formula, values), macs)
