"""Convolutions, linear layers and embeddings in ONNX."""

from __future__ import annotations

from archcost.exporters.emit import Part, Rendering

PAD_MODES = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}
"""Torch's words for padding, and ONNX's."""


def bias(part: Part) -> tuple[str, ...]:
    return (part.weight("bias"),) if part.has("bias") else ()


def conv(part: Part) -> str:
    """Where the border is not of zeros, padded first, as torch does."""
    layer, tensor = part.layer, part.inputs[0]
    before, after = zip(*layer.paddings(), strict=True)
    if layer.padding_mode != "zeros":
        pads = part.integers(0, 0, *before, 0, 0, *after)
        tensor = part.draw("Pad", tensor, pads, mode=PAD_MODES[layer.padding_mode])
        before = after = (0,) * layer.ndim
    return part.draw(
        "Conv",
        tensor,
        part.weight(),
        *bias(part),
        kernel_shape=layer.kernels(),
        strides=layer.strides(),
        pads=(*before, *after),
        dilations=layer.dilations(),
        group=layer.groups,
    )


def conv_transpose(part: Part) -> str:
    layer = part.layer
    return part.draw(
        "ConvTranspose",
        part.inputs[0],
        part.weight(),
        *bias(part),
        kernel_shape=layer.kernels(),
        strides=layer.strides(),
        pads=layer.paddings() * 2,
        output_padding=layer.output_paddings(),
        dilations=layer.dilations(),
        group=layer.groups,
    )


def linear(part: Part) -> str:
    """Gemm for matrices; with more axes the weight is turned, as torch turns it, and the bias added."""
    if part.source.rank == 2:
        return part.draw("Gemm", part.inputs[0], part.weight(), *bias(part), transB=1)
    turned = part.draw("Transpose", part.weight(), perm=(1, 0))
    product = part.draw("MatMul", part.inputs[0], turned)
    return part.draw("Add", product, *bias(part)) if part.has("bias") else product


def embedding(part: Part) -> str:
    return part.draw("Gather", part.weight(), part.inputs[0], axis=0)


RENDERINGS: dict[str, Rendering] = {
    **dict.fromkeys(("conv1d", "conv2d", "conv3d"), conv),
    **dict.fromkeys(("conv_transpose1d", "conv_transpose2d", "conv_transpose3d"), conv_transpose),
    "linear": linear,
    "embedding": embedding,
}
