"""The layers that a calibration times: for each class sizes as networks have them, from small to large.

They are multiples of 32 where those of networks are: others run at other rates.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from archcost.spec import ModelSpec

QUICK = 3
"""Of each class where few seconds are wanted."""


class Probe(NamedTuple):
    """One layer with its inputs, batch first. `first` is one behind which nothing is trained: no gradient of inputs.
    `infers` has it run as in inference.
    """

    layer: dict[str, Any]
    inputs: tuple[tuple[int, ...], ...]
    first: bool = False
    dtype: str = "float32"
    infers: bool = False

    def spec(self) -> ModelSpec:
        """A network of it alone, behind a layer each that has its input's gradient computed."""
        names = [f"x{index}" for index in range(len(self.inputs))]
        inputs = {
            name: {"shape": list(shape[1:]), "dtype": self.dtype}
            for name, shape in zip(names, self.inputs, strict=True)
        }
        behind = [] if self.first or self.dtype != "float32" else names
        layers: list[dict[str, Any]] = [{"type": "prelu", "name": f"{name}_given", "inputs": [name]} for name in behind]
        layers.append({**self.layer, "name": "probe", "inputs": [each["name"] for each in layers] or names})
        return ModelSpec.model_validate({"name": "probe", "inputs": inputs, "layers": layers, "loss": "sum"})

    @property
    def batch(self) -> int:
        return self.inputs[0][0]


def probes(quick: bool = False) -> Iterator[Probe]:
    """All of them in turns, the first of each class first; `quick` has a few of each."""
    classes = [list(each)[: QUICK if quick else None] for each in _classes()]
    for turn in range(max(map(len, classes))):
        yield from (each[turn] for each in classes if turn < len(each))


def _classes() -> Iterator[Iterator[Probe]]:
    yield (_conv(*each) for each in ONE_BY_ONE)
    yield (_conv(b, c, n, out, kernel_size=3, padding=1) for b, c, n, out in THREE_BY_THREE)
    yield (_conv(*each[:4], **each[4]) for each in OTHER_CONVOLUTIONS)
    yield (_conv(*each[:4], **each[4])._replace(first=True) for each in STEMS)
    yield (_conv(b, c, n, c, groups=c, kernel_size=k, padding=k // 2) for b, c, n, k in DEPTHWISE)
    yield (_conv(b, c, n, c, groups=c, kernel_size=k, stride=2, padding=k // 2) for b, c, n, k in DEPTHWISE_STRIDED)
    yield (_conv(b, c, n, c, groups=c, kernel_size=k, padding=k // 2) for b, c, n, k in DEPTHWISE_WIDE)
    yield (
        _conv(b, c, n, c, groups=c, kernel_size=k, stride=2, padding=k // 2) for b, c, n, k in DEPTHWISE_WIDE_STRIDED
    )
    yield (_conv(b, c, n, o, groups=g, kernel_size=k, padding=k // 2) for b, c, n, o, k, g in GROUPED)
    yield (_conv(*each[:4], type="conv_transpose2d", **each[4]) for each in TRANSPOSED)
    yield (Probe({"type": "linear", "out_features": out}, ((*rows, into),)) for rows, into, out in PRODUCTS)
    yield (Probe({"type": "matmul"}, (left, right)) for left, right in BATCHED_PRODUCTS)
    yield (Probe({"type": "scaled_dot_product_attention"}, (shape,) * 3) for shape in ATTENTION)
    yield (Probe({"type": kind, "hidden_size": h}, ((b, t, n),)) for kind, b, t, n, h in RECURRENT)
    yield (Probe(layer, (shape,) * count) for layer, shape, count in ELEMENTWISE)
    yield (Probe({"type": kind}, (shape,)) for kind, shape in TRANSCENDENTAL)
    yield (Probe({"type": "batch_norm2d"}, (shape,)) for shape in BATCH_NORMS)
    yield (Probe({"type": "batch_norm2d"}, (shape,), infers=True) for shape in BATCH_NORMS)
    yield (Probe({"type": "layer_norm", "normalized_shape": [shape[-1]]}, (shape,)) for shape in LAYER_NORMS)
    yield (Probe({"type": "local_response_norm", "size": 5}, (shape,)) for shape in RESPONSE_NORMS)
    yield (Probe({"type": "softmax", "dim": -1}, (shape,)) for shape in SOFTMAX)
    yield (Probe({"type": "max_pool2d", "kernel_size": k, "stride": s}, (shape,)) for k, s, shape in POOLS)
    yield (Probe({"type": "avg_pool2d", "kernel_size": k, "stride": s}, (shape,)) for k, s, shape in POOLS)
    yield (Probe({"type": "adaptive_avg_pool2d", "output_size": n}, (shape,)) for n, shape in ADAPTIVE)
    yield (Probe({"type": kind, "dim": -1}, (shape,)) for kind, shape in REDUCTIONS)
    yield (Probe({"type": "upsample", "scale_factor": 2, "mode": mode}, (shape,)) for mode, shape in INTERPOLATIONS)
    yield (Probe(layer, shapes) for layer, shapes in COPIES)
    yield (
        Probe({"type": "embedding", "num_embeddings": count, "embedding_dim": dim}, (shape,), dtype="int64")
        for count, dim, shape in GATHERS
    )
    yield (Probe({"type": "dropout", "p": p}, (shape,)) for p, shape in DROPOUTS)


def _conv(batch: int, channels: int, size: int, out: int, **fields: Any) -> Probe:
    layer = {"type": "conv2d", "out_channels": out, "kernel_size": 1, "bias": False, **fields}
    return Probe(layer, ((batch, channels, size, size),))


ONE_BY_ONE = (
    (3, 64, 56, 128),
    (3, 512, 7, 320),
    (3, 96, 28, 32),
    (3, 256, 16, 96),
    (3, 1024, 4, 256),
    (3, 160, 14, 640),
    (3, 32, 80, 160),
    (6, 512, 3, 192),
    (3, 384, 14, 1536),
    (6, 128, 8, 512),
    (3, 768, 7, 128),
    (6, 256, 4, 1024),
    (3, 1536, 2, 512),
    (32, 384, 4, 192),
    (20, 64, 28, 96),
)
THREE_BY_THREE = (
    (3, 64, 56, 64),
    (3, 256, 14, 256),
    (3, 512, 7, 512),
    (3, 128, 28, 32),
    (3, 32, 80, 64),
    (6, 160, 8, 320),
    (3, 512, 4, 512),
    (6, 16, 32, 32),
    (3, 96, 56, 192),
    (6, 32, 16, 16),
    (3, 320, 2, 320),
    (32, 384, 4, 384),
    (32, 320, 2, 512),
    (20, 64, 14, 64),
)
Sized = tuple[int, int, int, int, dict[str, Any]]

OTHER_CONVOLUTIONS: tuple[Sized, ...] = (
    (3, 64, 56, 128, {"kernel_size": 3, "stride": 2, "padding": 1}),
    (3, 32, 28, 96, {"kernel_size": 5, "padding": 2}),
    (3, 256, 14, 512, {"kernel_size": 3, "stride": 2, "padding": 1}),
    (3, 256, 28, 512, {"kernel_size": 1, "stride": 2}),
    (3, 128, 16, 128, {"kernel_size": [1, 7], "padding": [0, 3]}),
    (3, 96, 28, 256, {"kernel_size": 5, "padding": 2}),
    (6, 64, 32, 128, {"kernel_size": 4, "stride": 2, "padding": 1}),
    (3, 192, 20, 384, {"kernel_size": 2, "stride": 2}),
    (6, 16, 28, 32, {"kernel_size": 5}),
    (3, 32, 40, 64, {"kernel_size": 7, "padding": 3}),
    (6, 128, 8, 256, {"kernel_size": 3, "stride": 2, "padding": 1}),
    (32, 160, 8, 320, {"kernel_size": 3, "stride": 2, "padding": 1}),
)
STEMS: tuple[Sized, ...] = (
    (3, 3, 160, 32, {"kernel_size": 3, "stride": 2, "padding": 1}),
    (3, 3, 128, 64, {"kernel_size": 7, "stride": 2, "padding": 3}),
    (6, 3, 40, 64, {"kernel_size": 3, "padding": 1}),
    (3, 1, 128, 64, {"kernel_size": 3}),
    (3, 3, 192, 96, {"kernel_size": 11, "stride": 4}),
    (3, 3, 160, 192, {"kernel_size": 16, "stride": 16}),
    (6, 3, 32, 32, {"kernel_size": 5}),
    (6, 3, 32, 16, {"kernel_size": 3, "padding": 1}),
)
DEPTHWISE = (
    (3, 96, 40, 3),
    (3, 384, 14, 3),
    (3, 32, 112, 3),
    (6, 128, 12, 3),
    (3, 896, 7, 3),
    (6, 256, 6, 3),
    (6, 896, 3, 3),
)
DEPTHWISE_WIDE = ((3, 640, 7, 5), (3, 160, 28, 5), (3, 192, 28, 7), (6, 96, 14, 5), (3, 896, 4, 5))
DEPTHWISE_STRIDED = (
    (3, 96, 56, 3),
    (3, 384, 14, 3),
    (3, 64, 112, 3),
    (6, 128, 12, 3),
    (6, 256, 6, 3),
    (3, 160, 28, 3),
)
DEPTHWISE_WIDE_STRIDED = ((3, 256, 28, 5), (6, 128, 14, 5), (3, 640, 14, 5), (6, 384, 6, 5))
GROUPED = (
    (3, 128, 28, 128, 3, 32),
    (3, 256, 14, 256, 3, 32),
    (3, 240, 14, 240, 1, 3),
    (3, 96, 28, 192, 3, 2),
    (3, 512, 7, 512, 3, 32),
    (6, 64, 8, 64, 3, 4),
)
TRANSPOSED: tuple[Sized, ...] = (
    (3, 64, 28, 32, {"kernel_size": 2, "stride": 2}),
    (6, 128, 10, 64, {"kernel_size": 4, "stride": 2, "padding": 1}),
    (3, 256, 14, 128, {"kernel_size": 3, "stride": 2}),
    (3, 32, 56, 32, {"kernel_size": 2, "stride": 2}),
    (6, 32, 14, 16, {"kernel_size": 5, "stride": 2, "padding": 2}),
    (6, 320, 4, 160, {"kernel_size": 4, "stride": 2, "padding": 1}),
)
PRODUCTS = (
    ((64,), 512, 512),
    ((3, 64), 384, 1536),
    ((6,), 2048, 1024),
    ((3, 100), 1024, 1024),
    ((12,), 4096, 1024),
    ((3, 160), 768, 320),
    ((128,), 128, 64),
    ((512,), 1024, 128),
    ((3,), 3072, 3072),
    ((32,), 64, 32),
    ((1,), 2048, 2048),
    ((48,), 1024, 320),
    ((3,), 1280, 1000),
)
BATCHED_PRODUCTS = (
    ((3, 8, 160, 64), (3, 8, 64, 160)),
    ((3, 4, 64, 64), (3, 4, 64, 32)),
    ((1, 16, 100, 100), (1, 16, 100, 64)),
    ((12, 3, 49, 32), (12, 3, 32, 49)),
)
ATTENTION = ((3, 8, 160, 64), (3, 4, 64, 64), (1, 16, 100, 64), (12, 3, 49, 32), (1, 8, 320, 32))
RECURRENT = (
    ("lstm", 6, 32, 128, 256),
    ("lstm", 3, 64, 64, 128),
    ("lstm", 12, 20, 320, 320),
    ("gru", 6, 32, 128, 256),
)
TINY, SMALL, MIDDLE, LARGE = (3, 32, 4, 4), (3, 64, 14, 14), (3, 64, 56, 56), (6, 96, 64, 64)
ELEMENTWISE: tuple[tuple[dict[str, Any], tuple[int, ...], int], ...] = (
    ({"type": "relu"}, MIDDLE, 1),
    ({"type": "add"}, SMALL, 2),
    ({"type": "relu", "inplace": True}, LARGE, 1),
    ({"type": "mul"}, MIDDLE, 2),
    ({"type": "relu"}, SMALL, 1),
    ({"type": "add"}, LARGE, 2),
    ({"type": "relu6"}, MIDDLE, 1),
    ({"type": "relu"}, LARGE, 1),
    ({"type": "relu"}, TINY, 1),
    ({"type": "add"}, MIDDLE, 2),
)
TRANSCENDENTAL = (
    ("gelu", MIDDLE),
    ("silu", SMALL),
    ("sigmoid", LARGE),
    ("gelu", SMALL),
    ("silu", LARGE),
    ("sigmoid", TINY),
)
BATCH_NORMS = (
    MIDDLE,
    (3, 512, 7, 7),
    LARGE,
    SMALL,
    (3, 1024, 14, 14),
    (3, 32, 112, 112),
    (6, 896, 3, 3),
    (6, 256, 4, 4),
    (3, 1536, 2, 2),
    (3, 256, 28, 28),
    (32, 64, 14, 14),
)
LAYER_NORMS = ((3, 160, 384), (3, 64, 768), (1, 100, 1024), (3, 784, 96), (3, 320, 320), (6, 20, 128))
RESPONSE_NORMS = ((3, 64, 28, 28), (3, 96, 40, 40), (1, 192, 20, 20))
SOFTMAX = ((3, 8, 160, 160), (32, 1000), (1, 16, 320, 320), (64, 10))
POOLS = ((2, 2, MIDDLE), (3, 2, LARGE), (3, 1, SMALL), (2, 2, LARGE), (3, 2, (3, 256, 28, 28)), (2, 2, SMALL))
ADAPTIVE = ((1, (3, 512, 7, 7)), (1, MIDDLE), (7, (3, 128, 14, 14)), (1, (6, 896, 3, 3)))
REDUCTIONS = (("mean", (3, 160, 384)), ("sum", LARGE), ("mean", SMALL))
INTERPOLATIONS = (("nearest", MIDDLE), ("bilinear", MIDDLE), ("nearest", (6, 32, 8, 8)), ("bilinear", SMALL))
COPIES: tuple[tuple[dict[str, Any], tuple[tuple[int, ...], ...]], ...] = (
    ({"type": "concat", "dim": 1}, (MIDDLE, (3, 32, 56, 56))),
    ({"type": "pad", "pad": [1, 1, 1, 1]}, (MIDDLE,)),
    ({"type": "concat", "dim": 1}, (SMALL, SMALL)),
    ({"type": "concat", "dim": 1}, (LARGE, LARGE)),
)
GATHERS = ((8192, 512, (3, 160)), (2048, 320, (3, 64)), (512, 768, (6, 32)))
DROPOUTS = ((0.2, MIDDLE), (0.5, SMALL), (0.1, (3, 160, 384)), (0.5, (64, 4096)), (0.1, SMALL))
