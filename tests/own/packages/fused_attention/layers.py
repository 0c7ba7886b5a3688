"""What archcost knows of the kernel. Nothing here imports torch."""

from __future__ import annotations

from typing import ClassVar, Literal

from archcost.extend import (
    AS_GIVEN,
    Arity,
    Autograd,
    Call,
    Card,
    Contraction,
    Elementwise,
    Flag,
    Input,
    Layer,
    Output,
    ShapeError,
    Tensors,
    TensorType,
    Work,
    onnx,
    register_layer,
)


@register_layer
class Attend(Layer):
    """Attention of the library fused_attention. Outputs: values (…, n, d), and the logarithms of sums (…, n).

    Backward works the scores out again: of five products, one is made twice.
    """

    type: Literal["attend"] = "attend"
    arity: ClassVar[Arity] = Arity(3, 3)
    card: ClassVar[Card] = Card(
        torch="fused_attention.kernels:attend",
        calls=("fused_attention::attend",),
        onnx=onnx("fused_attention::Attend", causal="causal"),
        autocast=AS_GIVEN,
        promotion="first",
        fvcore="nothing",
        time="attention",
        blas=False,
    )
    causal: Flag = False

    def output_types(self, inputs: Tensors) -> Tensors:
        query, key, value = inputs
        if query.shape[:-2] != key.shape[:-2] or query.shape[-1] != key.shape[-1] or key.shape != value.shape:
            raise ShapeError("query, key and value do not fit", expected=str(query), found=f"{key}, {value}")
        return (query, TensorType(query.shape[:-1]))

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        """Scores and means: a MAC for each feature of each pair. Softmax: 4 operations a score."""
        query, key, _ = inputs
        pairs = query.numel // query.shape[-1] * key.shape[-2]
        macs = pairs * query.shape[-1]
        return (
            Contraction(macs, (0, 1)),
            Contraction(macs, (1, 2)),
            Elementwise(pairs, 4, {0: 2, 1: 2}, "softmax"),
        )

    def autograd(self, call: Call) -> Autograd:
        return Autograd((Input(0), Input(1), Input(2), Output(0), Output(1)), call.inputs)
