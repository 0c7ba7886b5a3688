"""Names of Keras, torch, ONNX and everyday speech for layer types and their fields → an entry as a spec writes it.

Only for messages: nothing here is read as a spec. Keras' names and arguments are those of the classes of
`keras.layers` in Keras 3 (https://keras.io/api/layers/), ONNX's those of its operators
(https://onnx.ai/onnx/operators/); torch's names are on the layers' cards.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from archcost.files.values import as_list, spell
from archcost.layers import LAYERS, TYPES

INFERRED = ("in_channels", "in_features", "num_features", "num_channels", "input_size", "embed_dim")
"""What torch asks for and a spec leaves out, since the input says it."""

ADVICE = {
    "input": "no layer: input: [3, 224, 224] at the top of the file, channels first",
    "inputlayer": "no layer: input: [3, 224, 224] at the top of the file, channels first",
    "output": "no layer: what no layer reads is returned, or outputs: [name] at the end of the file",
    "sequential": "no layer: the entries of layers follow each other, and blocks have a name",
    "depthwiseconv2d": "{type: conv2d, out_channels: C, kernel_size: 3, groups: C}, where C channels go in",
    "separableconv2d": "{type: conv2d, out_channels: C, kernel_size: 3, groups: C}, where C channels go in, "
    "then {type: conv2d, out_channels: 64, kernel_size: 1}",
    "bidirectional": "{type: lstm, hidden_size: 64, bidirectional: true}",
    "zeropadding2d": "{type: pad, pad: [1, 1, 1, 1]}, or padding in the convolution behind it",
    "zeropad2d": "{type: pad, pad: [1, 1, 1, 1]}, or padding in the convolution behind it",
    "maxout": "{type: maximum, inputs: [a, b]}",
    "average": "{type: add, inputs: [a, b]}, then {type: scale, factor: 0.5}",
    "lambda": "the layer types that it is made of, or {type: opaque} for what has no rule",
    "transformerencoderlayer": "a block of multi_head_attention, add, layer_norm and linear: archcost show bert_base",
    "globalaveragepooling1d": "{type: mean, dim: 1} over positions, or {type: adaptive_avg_pool1d, output_size: 1}",
}
"""What stands for no one layer, or needs words."""

MEANT = {
    # Keras' classes, where dropping capitals and underscores does not make a type of them
    "dense": "linear",
    "conv1dtranspose": "conv_transpose1d",
    "conv2dtranspose": "conv_transpose2d",
    "conv3dtranspose": "conv_transpose3d",
    "maxpooling1d": "max_pool1d",
    "maxpooling2d": "max_pool2d",
    "maxpooling3d": "max_pool3d",
    "averagepooling1d": "avg_pool1d",
    "averagepooling2d": "avg_pool2d",
    "averagepooling3d": "avg_pool3d",
    "globalaveragepooling2d": "adaptive_avg_pool2d",
    "globalaveragepooling3d": "adaptive_avg_pool3d",
    "globalmaxpooling1d": "adaptive_max_pool1d",
    "globalmaxpooling2d": "adaptive_max_pool2d",
    "globalmaxpooling3d": "adaptive_max_pool3d",
    "batchnormalization": "batch_norm2d",
    "layernormalization": "layer_norm",
    "groupnormalization": "group_norm",
    "rmsnormalization": "rms_norm",
    "spatialdropout1d": "dropout1d",
    "spatialdropout2d": "dropout2d",
    "spatialdropout3d": "dropout3d",
    "upsampling1d": "upsample",
    "upsampling2d": "upsample",
    "upsampling3d": "upsample",
    "concatenate": "concat",
    "multiply": "mul",
    "subtract": "sub",
    "simplernn": "rnn",
    # ONNX's operators
    "gemm": "linear",
    "conv": "conv2d",
    "convtranspose": "conv_transpose2d",
    "maxpool": "max_pool2d",
    "averagepool": "avg_pool2d",
    "globalaveragepool": "adaptive_avg_pool2d",
    "globalmaxpool": "adaptive_max_pool2d",
    "instancenormalization": "instance_norm2d",
    "clip": "clamp",
    "resize": "upsample",
    # torch's losses and functions, and what people say
    "l1loss": "l1_penalty",
    "cat": "concat",
    "swish": "silu",
    "sdpa": "scaled_dot_product_attention",
    "attention": "multi_head_attention",
    "selfattention": "multi_head_attention",
    "mha": "multi_head_attention",
    "fc": "linear",
    "fullyconnected": "linear",
    "mlp": "linear",
    "convolution": "conv2d",
    "conv2dlayer": "conv2d",
    "deconv": "conv_transpose2d",
    "deconv2d": "conv_transpose2d",
    "upconv": "conv_transpose2d",
    "pool": "max_pool2d",
    "pooling": "max_pool2d",
    "avgpool": "avg_pool2d",
    "adaptiveavgpool": "adaptive_avg_pool2d",
    "gap": "adaptive_avg_pool2d",
    "globalavgpool": "adaptive_avg_pool2d",
    "globalavgpool2d": "adaptive_avg_pool2d",
    "bn": "batch_norm2d",
    "batchnorm": "batch_norm2d",
    "ln": "layer_norm",
    "gn": "group_norm",
    "instancenorm": "instance_norm2d",
    "lrn": "local_response_norm",
    "residual": "add",
    "skip": "add",
    "shortcut": "add",
    "merge": "add",
}
"""By a name in small letters without marks, the type that it means."""

FIELDS: Mapping[str, tuple[str, ...]] = {
    # Keras
    "filters": ("out_channels",),
    "units": ("out_features", "hidden_size"),
    "strides": ("stride",),
    "pool_size": ("kernel_size",),
    "dilation_rate": ("dilation",),
    "use_bias": ("bias",),
    "rate": ("p",),
    "epsilon": ("eps",),
    "axis": ("dim",),
    "target_shape": ("shape",),
    "input_dim": ("num_embeddings",),
    "output_dim": ("embedding_dim",),
    "groups": ("num_groups",),
    "interpolation": ("mode",),
    "alpha": ("negative_slope",),
    # ONNX
    "kernel_shape": ("kernel_size",),
    "pads": ("padding",),
    "dilations": ("dilation",),
    "group": ("groups",),
    # and what people say
    "kernel": ("kernel_size",),
    "channels": ("out_channels",),
    "features": ("out_features",),
    "out": ("out_channels", "out_features"),
    "size": ("kernel_size", "out_features"),
    "hidden": ("hidden_size", "out_features"),
    "output_size": ("out_features",),
    "heads": ("num_heads",),
    "dropout": ("p",),
    "dropout_rate": ("p", "dropout"),
    "prob": ("p",),
    "vocab_size": ("num_embeddings",),
}
"""By another's name of a field, ours: the first that the layer has."""

COSTS_NOTHING = re.compile(
    r"\w+_(initializer|regularizer|constraint)|data_format|device|seed|momentum|center|scale|key_dim|keepdims"
    r"|return_sequences|return_state|noise_shape|mask_zero|recurrent_dropout|recurrent_activation"
)
"""Fields of Keras' and torch's that change neither shapes nor costs, or that a layer here decides by itself."""

ACTIVATIONS = {"softmax": "{type: softmax, dim: -1}", "swish": "{type: silu}", "linear": ""}
"""Of Keras' `activation`, those that are not simply a type."""


def squash(name: str) -> str:
    """`nn.MaxPool2d`, `MaxPool2D` and `max_pool2d` are one name."""
    return re.sub(r"[^a-z0-9]", "", name.rpartition(".")[2].lower())


def meant(name: str, axes: int | None = None) -> str | None:
    """The layer type that a name of another library means; None where there is no telling.

    `axes` are those of the network's input without batch and channels: two for images.
    """
    word = squash(name[:100])
    types = {squash(type_): type_ for type_ in TYPES}
    found = types.get(word) or types.get(word.removesuffix("loss")) or MEANT.get(word) or _by_card(name)
    if found is None or squash(found) == word or re.search("[0-9]", word):
        return found
    other_axes = re.sub("2d$", f"{axes}d", found)  # `Conv` and `bn` do not say over how many axes
    return other_axes if axes is not None and other_axes in TYPES else found


def _by_card(name: str) -> str | None:
    """A type by what its card says torch and ONNX call it."""
    last = name.rpartition(".")[2]
    if not re.fullmatch(r"[A-Za-z]\w{1,60}", last):
        return None
    for type_ in LAYERS:
        card = LAYERS[type_].card
        torch_name = (card.torch or "").rpartition(".")[2]
        if last in (torch_name, *card.calls) or (card.onnx and card.onnx.operator == last):
            return type_
    return None


def field_meant(field: str, layer_type: str) -> str | None:
    """The field of a layer type that another library's name for one means."""
    known = TYPES[layer_type].model_fields
    if field in known:
        return None
    return next((ours for ours in FIELDS.get(field, ()) if ours in known), None)


def is_foreign(field: str, layer_type: str) -> bool:
    """Whether a field is none of the layer's, and known of another library."""
    if field in TYPES[layer_type].model_fields or field in INFERRED:
        return False
    known = field in ("activation", "input_shape") or COSTS_NOTHING.fullmatch(field)
    return bool(known) or field_meant(field, layer_type) is not None


def rewritten(entry: Mapping[str, Any], layer_type: str) -> str:
    """The entry as a spec writes it, as one line: fields renamed, what is not needed left out, and a layer of its own
    for an activation.
    """
    known = TYPES[layer_type].model_fields
    fields: dict[str, Any] = {}
    for field, value in list(entry.items())[:30]:
        ours = field if field in known else field_meant(field, layer_type)
        if ours and field not in ("type", "activation"):
            fields[ours] = value
    pads = as_list(entry.get("pads"))  # of ONNX: where each axis begins, then where each ends
    if pads and pads[: len(pads) // 2] == pads[len(pads) // 2 :]:
        fields["padding"] = pads[: len(pads) // 2]
    fields = _converted(fields, layer_type, str(entry.get("type", "")))
    missing = {name: "…" for name, field in known.items() if field.is_required() and name not in fields}
    first = _entry({"type": layer_type, **fields, **missing})
    return ", then ".join([first, *_behind(entry, layer_type)])


def _converted(fields: dict[str, Any], layer_type: str, written: str) -> dict[str, Any]:
    """Values that mean something else there, and defaults of Keras'."""
    fields = dict(fields)
    word = squash(written)
    is_keras_pool = word in ("maxpool2d", "maxpool1d", "maxpool3d") or "pooling" in word
    if layer_type.startswith(("max_pool", "avg_pool")) and is_keras_pool:
        fields.setdefault("kernel_size", 2)
    if layer_type.startswith("adaptive_"):
        fields["output_size"] = fields.get("output_size", 1)
    if word.startswith("upsampling"):
        fields.setdefault("scale_factor", fields.pop("size", 2))
    if layer_type in ("softmax", "log_softmax"):
        fields.setdefault("dim", -1)
    if word == "permute" and (dims := as_list(fields.get("dims"))):
        fields["dims"] = [0, *dims]
    return _with_padding(fields, layer_type)


def _with_padding(fields: dict[str, Any], layer_type: str) -> dict[str, Any]:
    """`padding: same` and `valid` as numbers, so that the output is as large as Keras'."""
    padding = fields.get("padding")
    if not isinstance(padding, str) or padding.lower() not in ("same", "valid"):
        return fields
    without = {key: value for key, value in fields.items() if key != "padding"}
    if padding.lower() == "valid":
        return without
    kernel, stride = _single(fields.get("kernel_size")), _single(fields.get("stride", 1))
    if layer_type.startswith(("max_pool", "avg_pool")):
        return {**without, "ceil_mode": True} if "stride" not in fields or kernel == stride else without
    if layer_type.startswith("conv_transpose") and kernel and stride and kernel >= stride:
        half = -(-(kernel - stride) // 2)
        more = {"output_padding": 2 * half - (kernel - stride)}
        return {**without, **({"padding": half} if half else {}), **({} if not more["output_padding"] else more)}
    if stride == 1:
        return {**without, "padding": "same"}
    return {**without, "padding": kernel // 2} if kernel and kernel % 2 else {**without, "padding": "…"}


def _single(value: Any) -> int | None:
    """The size along all axes, where it is one."""
    entries = as_list(value)
    alike = entries is not None and len({*map(repr, entries)}) == 1
    one = entries[0] if entries is not None and alike else value
    return one if type(one) is int else None


def _behind(entry: Mapping[str, Any], layer_type: str) -> list[str]:
    """The layers that stand behind one: Keras' `activation`, and the flattening that its global pools do."""
    activation = entry.get("activation")
    written = str(entry.get("type", ""))
    behind = ["{type: flatten}"] if squash(written).startswith("global") and layer_type.startswith("adaptive") else []
    if not isinstance(activation, str):
        return behind
    type_ = meant(activation)
    told = ACTIVATIONS.get(squash(activation), f"{{type: {type_}}}" if type_ else "a layer for the activation")
    return [*behind, told] if told else behind


def _entry(fields: Mapping[str, Any]) -> str:
    pairs = [f"{key}: {value if isinstance(value, str) else spell(value)}" for key, value in fields.items()]
    return "{" + shorten_each(pairs) + "}"


def shorten_each(pairs: list[str]) -> str:
    return ", ".join(pair if len(pair) <= 60 else pair[:59] + "…" for pair in pairs)
