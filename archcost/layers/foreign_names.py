"""Names of Keras, ONNX and everyday speech for layer types and their fields, and which of ours each means.

Only for messages. Keras' names and arguments are those of the classes of `keras.layers` in Keras 3
(https://keras.io/api/layers/), ONNX's those of its operators (https://onnx.ai/onnx/operators/). Torch's names stand on
the layers' cards.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from archcost.errors import nearest
from archcost.layers.listed import index

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
    **dict.fromkeys(
        ["rescaling", "resizing", "normalization", "centercrop", "randomflip", "randomrotation", "randomzoom"],
        "leave it out: what is done to images before the network is no layer of it",
    ),
    **dict.fromkeys(
        ["gaussiannoise", "gaussiandropout", "masking"], "leave it out: it has no weights and no operations"
    ),
    "timedistributed": "the layer itself: linear and norms work on the last axis, whatever stands before it",
    "einsumdense": "{type: linear, out_features: …}, or {type: einsum, equation: …} with a parameter",
    "separableconv1d": "{type: conv1d, out_channels: C, kernel_size: 3, groups: C}, where C channels go in, "
    "then {type: conv1d, out_channels: 64, kernel_size: 1}",
    "depthwiseconv1d": "{type: conv1d, out_channels: C, kernel_size: 3, groups: C}, where C channels go in",
    "zeropadding1d": "{type: pad, pad: [1, 1]}, or padding in the convolution behind it",
    "zeropadding3d": "{type: pad, pad: [1, 1, 1, 1, 1, 1]}, or padding in the convolution behind it",
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
    **{f"convolution{n}d": f"conv{n}d" for n in (1, 2, 3)},
    **{f"convolution{n}dtranspose": f"conv_transpose{n}d" for n in (1, 2, 3)},
    **{f"adaptiveaveragepooling{n}d": f"adaptive_avg_pool{n}d" for n in (1, 2, 3)},
    **{f"adaptivemaxpooling{n}d": f"adaptive_max_pool{n}d" for n in (1, 2, 3)},
    **{f"globalavgpool{n}d": f"adaptive_avg_pool{n}d" for n in (1, 2, 3)},
    **{f"globalmaxpool{n}d": f"adaptive_max_pool{n}d" for n in (1, 2, 3)},
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


def type_named(name: str) -> str | None:
    """The layer type that a name means, if it is ours in another spelling or stands in a table."""
    word = squash(name[:100])
    types = {squash(type_): type_ for type_ in index()}
    return types.get(word) or types.get(word.removesuffix("loss")) or MEANT.get(word)


def class_named(name: str) -> str | None:
    """The class in `archcost.layers` that a name means, or the nearest."""
    layer_type = type_named(name)
    names = {type_: place.name for type_, place in index().items()}
    return names[layer_type] if layer_type else nearest(name, names.values(), count=1)
