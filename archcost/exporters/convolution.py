"""Convolutions and patches of images in ONNX."""

from __future__ import annotations

from archcost.errors import ArchcostError
from archcost.exporters.emit import Part, draws
from archcost.exporters.shape import PAD_MODES, cut
from archcost.layers import (
    Conv1d,
    Conv2d,
    Conv3d,
    ConvTranspose1d,
    ConvTranspose2d,
    ConvTranspose3d,
    DeformConv2d,
    DynamicConv1d,
    DynamicConv2d,
    DynamicConv3d,
    DynamicConvTranspose1d,
    DynamicConvTranspose2d,
    DynamicConvTranspose3d,
    Fold,
    Unfold,
)
from archcost.layers.checks import per_axis


def bias(part: Part) -> tuple[str, ...]:
    return (part.weight("bias"),) if part.has("bias") else ()


@draws(Conv1d, Conv2d, Conv3d)
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


@draws(ConvTranspose1d, ConvTranspose2d, ConvTranspose3d)
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


def for_groups(part: Part) -> int:
    """How many groups there are is an attribute, so the batch cannot decide it."""
    groups = part.layer.plain(part.node.input_types).groups
    if part.carries_batch(groups):
        raise ArchcostError(
            "ONNX has the number of groups written out, and the batch decides how many there are",
            expected="a batch that is known",
            found="any batch",
            hint="--batch N",
        )
    return groups


@draws(DynamicConv1d, DynamicConv2d, DynamicConv3d)
def dynamic_conv(part: Part) -> str:
    plain = part.layer.plain(part.node.input_types)
    before, after = zip(*plain.paddings(), strict=True)
    return part.draw(
        "Conv",
        *part.inputs,
        strides=plain.strides(),
        pads=(*before, *after),
        dilations=plain.dilations(),
        group=for_groups(part),
    )


@draws(DynamicConvTranspose1d, DynamicConvTranspose2d, DynamicConvTranspose3d)
def dynamic_conv_transpose(part: Part) -> str:
    plain = part.layer.plain(part.node.input_types)
    return part.draw(
        "ConvTranspose",
        *part.inputs,
        strides=plain.strides(),
        pads=plain.paddings() * 2,
        output_padding=plain.output_paddings(),
        dilations=plain.dilations(),
        group=for_groups(part),
    )


@draws(Unfold)
def unfold(part: Part) -> str:
    """A slice for each value of the kernel, side by side behind the channels: ONNX has no operator for it."""
    layer = part.layer
    batch, channels, *sizes = part.source.shape
    pads = per_axis(layer.padding, 2, "padding")
    tensor = part.inputs[0]
    if any(pads):
        tensor = part.draw("Pad", tensor, part.integers(0, 0, *pads, 0, 0, *pads), part.number(0))
    positions = layer.positions(tuple(sizes))
    kernels, dilations, strides = (
        per_axis(given, 2, "") for given in (layer.kernel_size, layer.dilation, layer.stride)
    )
    patches: list[str] = []
    for row in range(kernels[0]):
        for column in range(kernels[1]):
            piece = tensor
            for axis, first in enumerate((row, column)):
                start = first * dilations[axis]
                stop = start + (positions[axis] - 1) * strides[axis] + 1
                piece = cut(part, piece, axis + 2, start, stop, strides[axis])
            patches.append(part.draw("Unsqueeze", piece, part.integers(2)))
    together = part.draw("Concat", *patches, axis=2)
    return part.reshape(together, (batch, channels, len(patches), *positions), part.result.shape)


@draws(Fold)
def fold(part: Part) -> str:
    layer = part.layer
    return part.draw(
        "Col2Im",
        part.inputs[0],
        part.integers(*part.result.shape[2:]),
        part.integers(*per_axis(layer.kernel_size, 2, "kernel_size")),
        dilations=per_axis(layer.dilation, 2, "dilation"),
        pads=per_axis(layer.padding, 2, "padding") * 2,
        strides=per_axis(layer.stride, 2, "stride"),
    )


@draws(DeformConv2d)
def deform_conv(part: Part) -> str:
    """A bias stands before the mask."""
    layer = part.layer
    images, offsets, *masks = part.inputs
    absent = ("",) if masks and not part.has("bias") else ()
    groups = part.node.input_types[1].shape[1] // (2 * layer.kernels()[0] * layer.kernels()[1])
    return part.draw(
        "DeformConv",
        images,
        part.weight(),
        offsets,
        *bias(part),
        *absent,
        *masks,
        kernel_shape=layer.kernels(),
        strides=layer.strides(),
        pads=per_axis(layer.padding, 2, "padding") * 2,
        dilations=layer.dilations(),
        group=layer.groups,
        offset_group=groups,
    )
