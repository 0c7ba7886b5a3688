"""Segmentors as mmsegmentation 0.30 puts them together, written anew: a backbone, a head, and one more for training.

They return the loss and the logits. mmsegmentation keeps no logits, but the torch of its runs did until backward: it
saved the input of log_softmax (`grad, result, dim, self` in derivatives.yaml), which torch no longer does.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as functional
from torch import Tensor, nn


class ConvModule(nn.Sequential):
    """Convolution, batch norm and, unless told otherwise, relu in place."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1, dilation: int = 1, relu: bool = True
    ) -> None:
        padding = dilation * (kernel // 2)
        layers: list[nn.Module] = [
            nn.Conv2d(inputs, outputs, kernel, stride, padding, dilation, bias=False),
            nn.BatchNorm2d(outputs),
        ]
        super().__init__(*layers, *([nn.ReLU(inplace=True)] if relu else []))


class Residual(nn.Module):
    def __init__(self, body: nn.Sequential, shortcut: nn.Module | None) -> None:
        super().__init__()
        self.body, self.shortcut, self.relu = body, shortcut, nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        out = self.body(x)
        out += x if self.shortcut is None else self.shortcut(x)
        return self.relu(out)


DEPTHS = {18: (2, 2, 2, 2), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}


class ResNet(nn.Module):
    """`deep`: ResNetV1c, whose stem is three convolutions. The last two stages keep their size and are dilated."""

    def __init__(self, depth: int, deep: bool) -> None:
        super().__init__()
        wide = 1 if depth < 50 else 4
        stem = (ConvModule(3, 32, 3, 2), ConvModule(32, 32, 3), ConvModule(32, 64, 3))
        self.stem = nn.Sequential(*stem) if deep else ConvModule(3, 64, 7, 2)
        self.pool = nn.MaxPool2d(3, 2, 1)
        inputs, stages = 64, list[nn.Module]()
        for index, (blocks, stride, dilation) in enumerate(zip(DEPTHS[depth], (1, 2, 1, 1), (1, 1, 2, 4), strict=True)):
            width, stage = 64 * 2**index, list[nn.Module]()
            for block in range(blocks):
                step = 1 if block else stride
                dilated = dilation if block or dilation == 1 else dilation // 2
                outputs = width * wide
                changes = not block and (step != 1 or inputs != outputs)
                shortcut = ConvModule(inputs, outputs, 1, step, relu=False) if changes else None
                body = _bottleneck(inputs, width, step, dilated) if wide == 4 else _basic(inputs, width, step, dilated)
                stage.append(Residual(body, shortcut))
                inputs = outputs
            stages.append(nn.Sequential(*stage))
        self.stages = nn.ModuleList(stages)

    def forward(self, x: Tensor) -> list[Tensor]:
        x = self.pool(self.stem(x))
        outputs: list[Tensor] = []
        for stage in self.stages:
            x = stage(x)
            outputs.append(x)
        return outputs


def _bottleneck(inputs: int, width: int, stride: int, dilation: int) -> nn.Sequential:
    last = ConvModule(width, 4 * width, relu=False)
    return nn.Sequential(ConvModule(inputs, width), ConvModule(width, width, 3, stride, dilation), last)


def _basic(inputs: int, width: int, stride: int, dilation: int) -> nn.Sequential:
    return nn.Sequential(ConvModule(inputs, width, 3, stride, dilation), ConvModule(width, width, 3, relu=False))


class UNet(nn.Module):
    """Five stages of two convolutions, and back again by bilinear interpolation."""

    def __init__(self) -> None:
        super().__init__()
        widths = [64 * 2**index for index in range(5)]
        pairs = list(pairwise(widths))
        self.first = _twice(3, 64)
        self.down = nn.ModuleList([nn.Sequential(nn.MaxPool2d(2), _twice(one, other)) for one, other in pairs])
        self.up = nn.ModuleList([ConvModule(other, one) for one, other in reversed(pairs)])
        self.join = nn.ModuleList([_twice(2 * one, one) for one, _ in reversed(pairs)])

    def forward(self, x: Tensor) -> list[Tensor]:
        skips = [self.first(x)]
        for down in self.down:
            skips.append(down(skips[-1]))
        x = skips[-1]
        outputs = [x]
        for up, join, skip in zip(self.up, self.join, reversed(skips[:-1]), strict=True):
            wider = functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
            x = join(torch.cat([skip, up(wider)], dim=1))
            outputs.append(x)
        return outputs


def _twice(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(ConvModule(inputs, outputs, 3), ConvModule(outputs, outputs, 3))


class Head(nn.Module):
    """What classifies each position of one of the backbone's outputs."""

    def __init__(self, index: int, channels: int, classes: int) -> None:
        super().__init__()
        self.index = index
        self.dropout, self.classify = nn.Dropout2d(0.1), nn.Conv2d(channels, classes, 1)

    def forward(self, features: list[Tensor]) -> Tensor:
        return self.classify(self.dropout(self.decode(features[self.index])))

    def decode(self, x: Tensor) -> Tensor:
        raise NotImplementedError


class FCNHead(Head):
    def __init__(self, index: int, inputs: int, channels: int, classes: int) -> None:
        super().__init__(index, channels, classes)
        self.conv = ConvModule(inputs, channels, 3)

    def decode(self, x: Tensor) -> Tensor:
        return self.conv(x)


class ASPPHead(Head):
    def __init__(self, index: int, inputs: int, channels: int, classes: int) -> None:
        super().__init__(index, channels, classes)
        self.pooled = nn.Sequential(nn.AdaptiveAvgPool2d(1), ConvModule(inputs, channels))
        others = [ConvModule(inputs, channels, 3, dilation=dilation) for dilation in (12, 24, 36)]
        self.branches = nn.ModuleList([ConvModule(inputs, channels), *others])
        self.join = ConvModule(5 * channels, channels, 3)

    def decode(self, x: Tensor) -> Tensor:
        outputs = [_resized(self.pooled(x), x.shape[2:])]
        outputs.extend(branch(x) for branch in self.branches)
        return self.join(torch.cat(outputs, dim=1))


class PSPHead(Head):
    def __init__(self, index: int, inputs: int, channels: int, classes: int) -> None:
        super().__init__(index, channels, classes)
        pools = [nn.Sequential(nn.AdaptiveAvgPool2d(size), ConvModule(inputs, channels)) for size in (1, 2, 3, 6)]
        self.pools = nn.ModuleList(pools)
        self.join = ConvModule(inputs + 4 * channels, channels, 3)

    def decode(self, x: Tensor) -> Tensor:
        outputs = [x]
        outputs.extend(_resized(pool(x), x.shape[2:]) for pool in self.pools)
        return self.join(torch.cat(outputs, dim=1))


def _resized(x: Tensor, size: Sequence[int]) -> Tensor:
    return functional.interpolate(x, size=size, mode="bilinear", align_corners=False)


class Segmentor(nn.Module):
    def __init__(self, backbone: nn.Module, head: Head, auxiliary: Head) -> None:
        super().__init__()
        self.backbone, self.head, self.auxiliary = backbone, head, auxiliary

    def forward(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        features = self.backbone(images)
        first, main = self._loss(self.head(features), labels)
        second, other = self._loss(self.auxiliary(features), labels)
        return first + 0.4 * second, main, other

    def _loss(self, logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        logits = _resized(logits, labels.shape[1:])
        return functional.cross_entropy(logits, labels, reduction="none", ignore_index=255).mean(), logits


HEADS: dict[str, type[ASPPHead] | type[FCNHead] | type[PSPHead]] = {
    "fcn": FCNHead,
    "pspnet": PSPHead,
    "deeplabv3": ASPPHead,
}


def of_resnet(head: str, depth: int, deep: bool, classes: int) -> Segmentor:
    outputs, channels = (512, 128) if depth < 50 else (2048, 512)
    auxiliary = FCNHead(2, outputs // 2, channels // 2, classes)
    return Segmentor(ResNet(depth, deep), HEADS[head](3, outputs, channels, classes), auxiliary)


def of_unet(head: str, classes: int) -> Segmentor:
    channels = 64 if head == "fcn" else 16
    return Segmentor(UNet(), HEADS[head](4, 64, channels, classes), FCNHead(3, 128, 64, classes))
