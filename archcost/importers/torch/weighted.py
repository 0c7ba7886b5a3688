"""Layers with weights: products, convolutions, norms, tables, recurrent networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from torch import Tensor
from torch.nn import functional

from archcost.importers.torch.proposal import Proposal, RuleFunction, one, rule_for
from archcost.terms.torch_releases import installed


@rule_for("linear")
def linear(result: Tensor, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Proposal | None:
    if weight.dim() != 2:
        return None
    fields = {"out_features": weight.shape[0], "bias": bias is not None}
    return Proposal("linear", (x,), fields, {"weight": weight, "bias": bias})


def _convolution(ndim: int) -> RuleFunction:
    def rule(
        result: Tensor,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
    ) -> Proposal:
        fields = {
            "out_channels": weight.shape[0],
            "kernel_size": one(weight.shape[2:]),
            "stride": one(stride),
            "padding": one(padding),
            "dilation": one(dilation),
            "groups": groups,
            "bias": bias is not None,
        }
        return Proposal(f"conv{ndim}d", (x,), fields, {"weight": weight, "bias": bias})

    return rule


def _transposed(ndim: int) -> RuleFunction:
    def rule(
        result: Tensor,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        dilation: Any = 1,
    ) -> Proposal:
        fields = {
            "out_channels": weight.shape[1] * groups,
            "kernel_size": one(weight.shape[2:]),
            "stride": one(stride),
            "padding": one(padding),
            "output_padding": one(output_padding),
            "dilation": one(dilation),
            "groups": groups,
            "bias": bias is not None,
        }
        return Proposal(f"conv_transpose{ndim}d", (x,), fields, {"weight": weight, "bias": bias})

    return rule


for _ndim in (1, 2, 3):
    rule_for(f"conv{_ndim}d")(_convolution(_ndim))
    rule_for(f"conv_transpose{_ndim}d")(_transposed(_ndim))


@rule_for("aten::convolution")
def convolution(
    result: Tensor,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Any,
    padding: Any,
    dilation: Any,
    transposed: bool,
    output_padding: Any,
    groups: int,
) -> Proposal | None:
    ndim = weight.dim() - 2
    if transposed:
        return _transposed(ndim)(result, x, weight, bias, stride, padding, output_padding, groups, dilation)
    return _convolution(ndim)(result, x, weight, bias, stride, padding, dilation, groups)


@rule_for("embedding")
def embedding(
    result: Tensor,
    indices: Tensor,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Proposal | None:
    if max_norm is not None or sparse:
        return None
    fields = {"num_embeddings": weight.shape[0], "embedding_dim": weight.shape[1], "padding_idx": padding_idx}
    return Proposal("embedding", (indices,), fields, {"weight": weight})


@rule_for("torch.embedding", "aten::embedding")
def embedding_of_torch(
    result: Tensor, weight: Tensor, indices: Tensor, padding_idx: int = -1, *rest: bool
) -> Proposal | None:
    return embedding(result, indices, weight, None if padding_idx < 0 else padding_idx)


def _affine(weight: Tensor | None, bias: Tensor | None) -> dict[str, bool]:
    """A scale without a shift is told apart; without a scale there is nothing to tell."""
    return {"affine": weight is not None, **({"bias": False} if weight is not None and bias is None else {})}


@rule_for("batch_norm")
def batch_norm(
    result: Tensor,
    x: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float | None = 0.1,
    eps: float = 1e-5,
) -> Proposal | None:
    if (weight is None and bias is not None) or x.dim() > 5:
        return None
    fields: dict[str, Any] = {"eps": eps, "momentum": momentum, **_affine(weight, bias)}
    fields["track_running_stats"] = running_mean is not None
    if not training:
        fields["training"] = False
    weights = {"weight": weight, "bias": bias, "running_mean": running_mean, "running_var": running_var}
    return Proposal(f"batch_norm{max(x.dim() - 2, 1)}d", (x,), fields, weights)


@rule_for("torch.batch_norm")
def batch_norm_of_torch(
    result: Tensor,
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool = True,
) -> Proposal | None:
    return batch_norm(result, x, running_mean, running_var, weight, bias, training, momentum, eps)


@rule_for("instance_norm")
def instance_norm(
    result: Tensor,
    x: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Proposal | None:
    if not use_input_stats or (weight is None and bias is not None):
        return None
    fields: dict[str, Any] = {"eps": eps, "momentum": momentum, **_affine(weight, bias)}
    fields["track_running_stats"] = running_mean is not None
    weights = {"weight": weight, "bias": bias, "running_mean": running_mean, "running_var": running_var}
    return Proposal(f"instance_norm{x.dim() - 2}d", (x,), fields, weights)


@rule_for("layer_norm")
def layer_norm(
    result: Tensor,
    x: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    cudnn_enable: bool = True,
) -> Proposal | None:
    if weight is None and bias is not None:
        return None
    fields: dict[str, Any] = {"eps": eps, "elementwise_affine": weight is not None}
    fields["normalized_shape"] = list(normalized_shape)
    if weight is not None:
        fields["bias"] = bias is not None
    return Proposal("layer_norm", (x,), fields, {"weight": weight, "bias": bias})


@rule_for("rms_norm")
def rms_norm(
    result: Tensor,
    x: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    eps: float | None = None,
) -> Proposal:
    fields = {"eps": eps, "elementwise_affine": weight is not None, "normalized_shape": list(normalized_shape)}
    return Proposal("rms_norm", (x,), fields, {"weight": weight})


@rule_for("group_norm")
def group_norm(
    result: Tensor,
    x: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    cudnn_enabled: bool = True,
) -> Proposal | None:
    if weight is None and bias is not None:
        return None
    fields: dict[str, Any] = {"eps": eps, "num_groups": num_groups, **_affine(weight, bias)}
    return Proposal("group_norm", (x,), fields, {"weight": weight, "bias": bias})


@rule_for("local_response_norm")
def local_response_norm(
    result: Tensor, x: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Proposal:
    return Proposal("local_response_norm", (x,), {"size": size, "alpha": alpha, "beta": beta, "k": float(k)})


@rule_for("_weight_norm")
def weight_norm(result: Tensor, directions: Tensor, lengths: Tensor, dim: int = 0) -> Proposal | None:
    """With torch's own kernel for the first axis and the last; it composes the others, and -1, which is all of them."""
    if dim not in (0, directions.dim() - 1):
        return None
    return Proposal("weight_norm", (directions, lengths), {"dim": dim})


@rule_for("prelu")
def prelu(result: Tensor, x: Tensor, weight: Tensor) -> Proposal | None:
    if weight.dim() != 1:
        return None
    return Proposal("prelu", (x,), {"num_parameters": weight.numel()}, {"weight": weight})


def _recurrent(type_: str, **fixed: Any) -> RuleFunction:
    """Of a sequence. First states that are constants, such as the module's own zeros, are as good as none."""

    def rule(
        result: Any,
        x: Tensor,
        hx: Any,
        weights: Sequence[Tensor],
        has_biases: bool,
        num_layers: int,
        dropout: float,
        train: bool,
        bidirectional: bool,
        batch_first: bool,
    ) -> Proposal | None:
        first = tuple(cast("Sequence[Tensor]", hx)) if isinstance(hx, (list, tuple)) else (cast("Tensor", hx),)
        directions = 2 if bidirectional else 1
        projected = len(weights) == ((5 if has_biases else 3) * num_layers * directions) and type_ == "lstm"
        kinds = ("weight_ih", "weight_hh", *(("bias_ih", "bias_hh") if has_biases else ()))
        kinds += ("weight_hr",) if projected else ()
        if len(weights) != len(kinds) * num_layers * directions:
            return None
        fields = {
            "hidden_size": weights[0].shape[0] // {"lstm": 4, "gru": 3, "rnn": 1}[type_],
            "num_layers": num_layers,
            "bias": has_biases,
            "batch_first": batch_first,
            "bidirectional": bidirectional,
            **fixed,
        }
        if projected:
            fields["proj_size"] = weights[1].shape[1]
        if dropout and train and num_layers > 1:
            fields["dropout"] = float(dropout)
        ways = ("", "_reverse") if bidirectional else ("",)
        names = [f"{kind}_l{layer}{way}" for layer in range(num_layers) for way in ways for kind in kinds]
        return Proposal(type_, (x,), fields, dict(zip(names, weights, strict=True)), spared=first)

    return rule


rule_for("lstm")(_recurrent("lstm"))
rule_for("gru")(_recurrent("gru"))
rule_for("rnn_tanh")(_recurrent("rnn", nonlinearity="tanh"))
rule_for("rnn_relu")(_recurrent("rnn", nonlinearity="relu"))


@rule_for("scaled_dot_product_attention")
def attention(
    result: Tensor,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Proposal:
    fields: dict[str, Any] = {
        "dropout_p": float(dropout_p),
        "is_causal": is_causal,
        "scale": scale,
        "enable_gqa": enable_gqa,
    }
    fused = (4,) if installed() == "2.13" else (3, 4)
    if query.dim() not in fused:  # torch's fused kernels know no other
        fields["backend"] = "math"
    inputs = (query, key, value) if attn_mask is None else (query, key, value, attn_mask)
    return Proposal("scaled_dot_product_attention", inputs, fields)


MEANT: dict[Any, str] = {
    functional.unfold: "im2col",
    functional.fold: "col2im",
}
"""Functions whose name means something else elsewhere."""
