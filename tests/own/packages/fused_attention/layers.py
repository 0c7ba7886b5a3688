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
    Own,
    ShapeError,
    Shared,
    Step,
    Tensors,
    TensorType,
    Work,
    onnx,
    register_layer,
)


@register_layer
class Attend(Layer):
    """Attention of the library fused_attention. Outputs: values (…, n, d), and the logarithms of sums (…, n)."""

    type: Literal["attend"] = "attend"
    arity: ClassVar[Arity] = Arity(3, 3)
    card: ClassVar[Card] = Card(
        torch="fused_attention.kernels:attend",
        calls=("fused_attention::attend",),
        onnx=onnx("fused_attention::Attend", causal="causal"),
        autocast=AS_GIVEN,
        promotion="named",  # as output_types says for what arrives
        fvcore="nothing",
        time="attention",
        blas=False,
    )
    causal: Flag = False

    def output_types(self, inputs: Tensors) -> Tensors:
        query, key, value = inputs
        if query.shape[:-2] != key.shape[:-2] or query.shape[-1] != key.shape[-1] or key.shape != value.shape:
            raise ShapeError("query, key and value do not fit", expected=str(query), found=f"{key}, {value}")
        return (query, TensorType(query.shape[:-1], "float32"))

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        """Scores and means: a MAC for each feature of each pair; 4 operations a score. Backward makes all three
        gradients, whichever are wanted: it works the scores out again and has four products more, 5 operations a score,
        and 2 a value for the sums of rows.
        """
        query, key, _ = inputs
        pairs = query.numel // query.shape[-1] * key.shape[-2]
        macs, every = pairs * query.shape[-1], (0, 1, 2)
        return (
            Contraction(2 * macs, ()),
            Elementwise(pairs, 4, {}, "softmax"),
            Shared(Contraction(5 * macs, ()), every, "scores and gradients"),
            Shared(Elementwise(pairs, 5, {}), every, "softmax, backwards"),
            Shared(Elementwise(query.numel, 2, {}), every, "sums of rows"),
        )

    def working(self, inputs: Tensors, outputs: Tensors) -> tuple[Step, ...]:
        sizes = {"N": inputs[0].numel, "m": inputs[1].shape[-2]}
        return (Step("MACs", "2*N*m", sizes, "each value of a query meets every key, for scores and for means"),)

    def autograd(self, call: Call) -> Autograd:
        """A gradient that nobody wants is made and dropped."""
        unwanted = [tensor for index, tensor in enumerate(call.inputs) if not call.needs(index)]
        return Autograd(
            (Input(0), Input(1), Input(2), Output(0), Output(1)),
            call.inputs,
            backward=tuple([Own("gradient for nobody", tensor) for tensor in unwanted]),
        )
