"""The words in which a layer says what it is in time: layers of one class run at about the same share of a roof."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

Contraction = Literal[
    "product",
    "batched product",
    "attention",
    "convolution 1x1",
    "convolution 3x3",
    "convolution",
    "stem",
    "depthwise",
    "depthwise strided",
    "depthwise wide",
    "depthwise channels-last",
    "grouped convolution",
    "wide grouped convolution",
    "many-grouped convolution",
    "unaligned product",
    "unaligned batched product",
    "unaligned convolution",
    "float32 product",
    "transposed convolution",
    "recurrent",
]
"""Classes whose work are products and sums of them; that of all others is bound by bytes and by values."""

TimeClass = Literal[
    Contraction,
    "elementwise",
    "transcendental",
    "broadcast",
    "strided",
    "transposition",
    "batch norm",
    "layer norm",
    "response norm",
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
`unknown` is timed as nothing and makes every sum a lower bound. `unaligned` are products in 16 bits whose rows are no
multiple of 16 bytes, as matrix units want them. `depthwise wide` has kernels beyond 3 x 3, on a GPU beyond 5 x 5; of
groups, `wide` are those of 64 channels and more, `many-grouped` is 32 groups and more. `float32 product` is any
contraction in float32 in a run of 16 bits. Values are `strided` where they are read or written across rows, and
`broadcast` where one operand is repeated; a `transposition` moves the channels of images last for a convolution, and
back.
"""

BROADER: Mapping[TimeClass, TimeClass] = {
    "wide grouped convolution": "grouped convolution",
    "many-grouped convolution": "grouped convolution",
    "unaligned product": "product",
    "unaligned batched product": "batched product",
    "unaligned convolution": "convolution",
    "convolution 1x1": "convolution",
    "convolution 3x3": "convolution",
    "depthwise strided": "depthwise",
    "depthwise wide": "depthwise",
    "response norm": "layer norm",
    "depthwise channels-last": "depthwise",
    "transcendental": "elementwise",
    "broadcast": "elementwise",
    "strided": "copy",
    "transposition": "copy",
}
"""Which class answers for one that was not timed."""

CONTRACTIONS: frozenset[TimeClass] = frozenset(get_args(Contraction))

CONVOLUTIONS: frozenset[TimeClass] = frozenset(
    [
        "convolution 1x1",
        "convolution 3x3",
        "convolution",
        "stem",
        "grouped convolution",
        "wide grouped convolution",
        "many-grouped convolution",
        "unaligned convolution",
    ]
)
"""Those that matrix units compute."""


Fuses = Literal["attention", "attention in 16 bits", "elementwise", "weights"]
"""What an engine makes one kernel of: the two products and the softmax of attention; all between two products; what can
be folded into the weights of a product, or clipped before it is written. `attention in 16 bits` is no kernel: what
attention there is none for is composed in the dtype that arrives, and not in float32.
"""


ALIGNED = 8
"""Values of 16 bits that a matrix unit reads at once: 16 bytes (NVIDIA, Matrix Multiplication Background)."""


def is_unaligned(dtype: str, *extents: int) -> bool:
    """Whether rows of so many values in 16 bits do not start where matrix units read."""
    return dtype in ("float16", "bfloat16") and any(extent % ALIGNED for extent in extents)
