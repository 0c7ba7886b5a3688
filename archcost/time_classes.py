"""The words in which a layer says what it is in time: layers of one class run at about the same share of a roof."""

from __future__ import annotations

from typing import Literal

TimeClass = Literal[
    "product",
    "batched product",
    "attention",
    "convolution 1x1",
    "convolution 3x3",
    "convolution",
    "stem",
    "depthwise",
    "depthwise strided",
    "grouped convolution",
    "transposed convolution",
    "recurrent",
    "elementwise",
    "transcendental",
    "batch norm",
    "layer norm",
    "softmax",
    "max pooling",
    "average pooling",
    "adaptive pooling",
    "reduction",
    "interpolation",
    "copy",
    "gather",
    "sort",
    "dropout",
    "optimizer",
    "free",
    "unknown",
]
"""`convolution` is that of no narrower class, `stem` one of few input channels, `free` runs nothing on the device,
`unknown` is timed as nothing and makes every sum a lower bound.
"""

CONTRACTIONS: frozenset[TimeClass] = frozenset(
    [
        "product",
        "batched product",
        "attention",
        "convolution 1x1",
        "convolution 3x3",
        "convolution",
        "stem",
        "depthwise",
        "depthwise strided",
        "grouped convolution",
        "transposed convolution",
        "recurrent",
    ]
)
"""Classes whose work are products and sums of them; that of all others is bound by bytes and by values."""
