"""What the CPU's kernels allocate for themselves: the rule by hand, and beside torch's profiler."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from archcost.costs.cpu_call import Call
from archcost.costs.cpu_kernels import own_memory
from archcost.layers import LAYERS
from archcost.tensors import TensorType
from tests.pytorch.kernel_memory import AVX512, BFLOAT16, REASON, measured

needs_avx512 = pytest.mark.skipif(not AVX512, reason=REASON)
needs_bfloat16 = pytest.mark.skipif(not BFLOAT16, reason="bfloat16 without AVX512_BF16 is computed otherwise")

TRAINED = (0, "weight", "bias")
FIRST = ("weight", "bias")
FROZEN = (0,)
OF_A_TARGET = ("mse", "smooth_l1", "huber", "bce_with_logits", "soft_margin")


def call(
    type_: str, shape: tuple[int, ...], needs: Any = TRAINED, dtype: str = "float32", threads: int = 1, **fields: Any
) -> Call:
    layer = LAYERS[type_].model_validate(fields)
    inputs = (TensorType(shape, dtype),) * (2 if type_ in OF_A_TARGET else 1)
    return Call(layer, inputs, layer.output_types(inputs), needs, threads)


def conv(
    shape: tuple[int, ...],
    out_channels: int,
    kernel_size: int,
    stride: int = 1,
    padding: int = 0,
    *,
    needs: Any = TRAINED,
    dtype: str = "float32",
    threads: int = 1,
    kind: str = "conv2d",
    **fields: Any,
) -> Call:
    fields |= {"out_channels": out_channels, "kernel_size": kernel_size, "stride": stride, "padding": padding}
    return call(kind, shape, needs, dtype, threads, **fields)


def test_a_convolution_by_hand() -> None:
    # Forward: input and weight in blocks, each as large as in rows, and the output in blocks beside nothing.
    small = conv((2, 64, 8, 8), 128, 3, padding=1)
    source, product, weight = 2 * 64 * 8 * 8 * 4, 2 * 128 * 8 * 8 * 4, 128 * 64 * 3 * 3 * 4
    assert own_memory(small, "forward") == source + weight
    # Backward: the worst is the weight's gradient in blocks and in rows, the source's gradient being there.
    assert own_memory(small, "backward") == weight
    # With large images it is the three in blocks while the source's gradient is there, less the one in rows.
    large = conv((8, 64, 56, 56), 64, 3, padding=1)
    image = 8 * 64 * 56 * 56 * 4
    assert own_memory(large, "backward") == 2 * image
    assert source + product < weight


def test_channels_are_padded_to_whole_blocks() -> None:
    # 20 channels lie in 32, 40 features in 48; the output in blocks is 48/40 of that in rows.
    odd = conv((2, 20, 16, 16), 40, 3, padding=1)
    source, result, rows = 2 * 32 * 256 * 4, 2 * 48 * 256 * 4, 2 * 40 * 256 * 4
    assert own_memory(odd, "forward") == source + 32 * 48 * 9 * 4 + result - rows
    # The first layer's three channels are read as they lie: only features are padded, and nothing is reordered.
    first = conv((2, 3, 32, 32), 64, 7, 2, 3, needs=FIRST)
    assert own_memory(first, "forward") == 2 * 64 * 16 * 16 * 4
    assert own_memory(first, "backward") == 2 * 64 * 16 * 16 * 4


def test_one_thread_leaves_a_small_batch_of_pointwise_kernels_to_torch() -> None:
    """And a single small image whatever the threads: then its windows are written out."""
    assert own_memory(conv((2, 64, 28, 28), 64, 1), "forward") == 0
    assert own_memory(conv((2, 64, 28, 28), 64, 1, threads=2), "forward") == (2 * 64 * 28 * 28 + 64 * 64) * 4
    assert own_memory(conv((1, 16, 14, 14), 16, 3, padding=1, threads=2), "forward") == 16 * 9 * 14 * 14 * 4


def test_other_layers_by_hand() -> None:
    image = 4 * 64 * 28 * 28 * 4
    assert own_memory(call("batch_norm2d", (4, 64, 28, 28)), "backward") == image
    assert own_memory(call("batch_norm2d", (4, 64, 28, 28), FIRST), "backward") == 0
    assert own_memory(call("upsample", (4, 64, 28, 28), FROZEN, scale_factor=2.0), "forward") == image + 4 * image
    smaller = call("upsample", (2, 3, 7, 11), FROZEN, size=(3, 5), mode="bilinear", antialias=True)
    # The image of width 5, and in each of 5 windows 7 weights (to both sides ⌈11/5⌉) and four numbers of 8 bytes.
    assert own_memory(smaller, "forward") == 2 * 3 * 7 * 5 * 4 + 5 * (7 * 4 + 4 * 8)
    assert own_memory(call("linear", (8, 4096), out_features=1000), "forward") == 0
    assert own_memory(call("relu", (8, 4096), FROZEN), "forward") == 0


@needs_avx512
def test_a_piece_of_a_gradient_is_copied_whole() -> None:
    """The second half of the channels' gradient, as a concatenation hands it out."""
    given = conv((2, 64, 28, 28), 64, 3, padding=1)._replace(pieced=True)
    image = 2 * 64 * 28 * 28 * 4
    assert own_memory(given, "backward") == 3 * image
    assert measured(given).backward == pytest.approx(3 * image, abs=30_000)


class Row(NamedTuple):
    call: Call
    exact: bool = True
    """To within what padding of a bias and barriers between threads take; else to a sixth of what the layer holds."""

    @property
    def marks(self) -> tuple[pytest.MarkDecorator, ...]:
        return (needs_bfloat16,) if self.call.is_half else ()

    def __str__(self) -> str:
        type_, threads = self.call.layer.type, self.call.threads
        return f"{type_}-{'x'.join(map(str, self.call.inputs[0].shape))}-{self.call.inputs[0].dtype}-{threads}"


BF16: dict[str, Any] = {"dtype": "bfloat16"}
ROWS = [
    Row(conv((2, 64, 28, 28), 64, 3, padding=1)),
    Row(conv((2, 64, 28, 28), 64, 3, padding=1, needs=FIRST)),
    Row(conv((2, 64, 28, 28), 64, 3, padding=1, needs=FROZEN)),
    Row(conv((2, 64, 56, 56), 64, 3, padding=1, threads=2)),
    Row(conv((2, 512, 7, 7), 512, 3, padding=1, threads=2)),
    Row(conv((8, 192, 14, 14), 384, 5, padding=2)),
    Row(conv((2, 24, 28, 28), 40, 3, padding=1)),
    Row(conv((2, 3, 64, 64), 64, 7, 2, 3, needs=FIRST)),
    Row(conv((2, 3, 224, 224), 96, 11, 4, 2, needs=FIRST)),
    Row(conv((2, 3, 64, 64), 64, 3, padding=1)),
    Row(conv((8, 1, 32, 32), 6, 5)),
    Row(conv((8, 6, 28, 28), 16, 5)),
    Row(conv((2, 64, 28, 28), 256, 1)),
    Row(conv((2, 256, 28, 28), 64, 1, threads=2)),
    Row(conv((16, 64, 28, 28), 64, 1)),
    Row(conv((8, 64, 56, 56), 128, 3, 2, 1), exact=False),
    Row(conv((8, 64, 56, 56), 128, 1, 2, threads=2), exact=False),
    Row(conv((2, 64, 28, 28), 64, 3, padding=2, dilation=2)),
    Row(conv((2, 64, 28, 28), 64, 3, 2, 2, dilation=2)),
    Row(conv((2, 96, 28, 28), 96, 3, padding=1, groups=96)),
    Row(conv((2, 96, 28, 28), 96, 5, padding=2, groups=96)),
    Row(conv((2, 96, 27, 27), 256, 5, padding=2, groups=2)),
    Row(conv((2, 128, 28, 28), 128, 3, padding=1, groups=16)),
    Row(conv((2, 128, 28, 28), 128, 3, padding=1, groups=32, threads=2)),
    Row(conv((2, 20, 28, 28), 30, 3, padding=1, groups=5, threads=2)),
    Row(conv((1, 16, 14, 14), 16, 3, padding=1, threads=2)),
    Row(conv((2, 64, 100), 128, 3, padding=1, kind="conv1d")),
    Row(conv((2, 32, 8, 14, 14), 64, 3, padding=1, kind="conv3d")),
    Row(conv((2, 64, 28, 28), 32, 2, 2, kind="conv_transpose2d")),
    Row(conv((2, 64, 28, 28), 32, 3, 1, 1, kind="conv_transpose2d")),
    Row(conv((2, 64, 28, 28), 32, 3, 1, 1, kind="conv_transpose2d", bias=False)),
    Row(conv((8, 16, 10, 10), 6, 5, kind="conv_transpose2d")),
    Row(conv((2, 64, 28, 28), 64, 3, 2, 1, kind="conv_transpose2d"), exact=False),
    Row(conv((2, 64, 28, 28), 64, 3, padding=1, **BF16), exact=False),
    Row(conv((2, 64, 56, 56), 64, 3, padding=1, threads=2, **BF16), exact=False),
    Row(conv((2, 512, 7, 7), 512, 3, padding=1, threads=2, **BF16), exact=False),
    Row(conv((8, 64, 56, 56), 128, 3, 2, 1, **BF16), exact=False),
    Row(conv((2, 3, 64, 64), 64, 7, 2, 3, needs=FIRST, **BF16), exact=False),
    Row(conv((2, 256, 28, 28), 64, 1, threads=2, **BF16), exact=False),
    Row(conv((2, 64, 28, 28), 256, 1, **BF16)),
    Row(conv((2, 96, 28, 28), 96, 3, padding=1, groups=96, **BF16)),
    Row(conv((2, 64, 28, 28), 32, 3, 1, 1, kind="conv_transpose2d", **BF16), exact=False),
    Row(call("linear", (8, 4096), out_features=1000)),
    Row(call("linear", (8, 50, 256), out_features=512)),
    Row(call("batch_norm2d", (4, 64, 28, 28))),
    Row(call("batch_norm2d", (4, 64, 28, 28), FIRST)),
    Row(call("batch_norm2d", (4, 64, 28, 28), training=False)),
    Row(call("batch_norm1d", (32, 640)), exact=False),
    Row(call("batch_norm2d", (4, 64, 28, 28), **BF16)),
    Row(call("instance_norm2d", (4, 64, 28, 28), FROZEN)),
    Row(call("group_norm", (4, 64, 28, 28), num_groups=8)),
    Row(call("layer_norm", (4, 50, 256))),
    Row(call("logsumexp", (4, 50, 256), dim=-1)),
    Row(call("rms_norm", (4, 50, 256))),
    Row(call("max_pool2d", (4, 64, 28, 28), FROZEN, kernel_size=3)),
    Row(call("max_pool3d", (4, 16, 8, 14, 14), FROZEN, kernel_size=2)),
    Row(call("avg_pool2d", (4, 64, 28, 28), FROZEN, kernel_size=2)),
    Row(call("adaptive_avg_pool2d", (4, 64, 28, 28), FROZEN, output_size=7)),
    Row(call("adaptive_avg_pool2d", (4, 64, 28, 28), FROZEN, output_size=1)),
    Row(call("adaptive_avg_pool2d", (4, 64, 28, 28), FROZEN, output_size=1, **BF16)),
    Row(call("adaptive_max_pool2d", (4, 64, 28, 28), FROZEN, output_size=7)),
    Row(call("upsample", (4, 64, 28, 28), FROZEN, scale_factor=2.0)),
    Row(call("upsample", (2, 64, 32, 32), FROZEN, scale_factor=2.0, mode="bilinear")),
    Row(call("upsample", (2, 64, 33, 33), FROZEN, scale_factor=2.0, mode="bilinear")),
    Row(call("upsample", (4, 64, 28, 28), FROZEN, scale_factor=2.0, mode="bicubic")),
    Row(call("upsample", (2, 3, 7, 11), FROZEN, size=(3, 5), mode="bilinear", antialias=True)),
    Row(call("upsample", (2, 3, 7, 11), FROZEN, size=(20, 13), mode="bicubic", antialias=True)),
    Row(call("upsample", (2, 3, 7, 11), FROZEN, size=(9, 11), mode="bicubic", antialias=True)),
    Row(call("upsample", (2, 8, 8, 16, 16), FROZEN, scale_factor=2.0, mode="trilinear")),
    Row(call("softmax", (64, 1000), FROZEN, dim=1)),
    Row(call("log_softmax", (64, 1000), FROZEN, dim=1)),
    Row(call("gelu", (64, 1000), FROZEN)),
    Row(call("dropout", (64, 1000), FROZEN)),
    Row(call("local_response_norm", (4, 64, 28, 28), FROZEN, size=5)),
    Row(call("mean", (4, 64, 28, 28), FROZEN, dim=(2, 3), **BF16)),
    *[Row(call(type_, (64, 1000), (0,))) for type_ in OF_A_TARGET],
    *[Row(call(type_, (64, 1000), (0,), reduction="none")) for type_ in OF_A_TARGET],
]


@needs_avx512
@pytest.mark.parametrize("row", [pytest.param(row, marks=row.marks) for row in ROWS], ids=str)
def test_beside_torch(row: Row) -> None:
    given = row.call
    found = measured(given)
    weights = sum(weight.numel for weight in given.layer.weights(given.inputs))
    held = given.inputs[0].nbytes + given.outputs[0].nbytes + weights * given.inputs[0].nbytes // given.inputs[0].numel
    for rule, nbytes in zip((own_memory(given, "forward"), own_memory(given, "backward")), found, strict=True):
        allowed = 30_000 if row.exact else (held + nbytes) // 6
        assert rule == pytest.approx(nbytes, abs=allowed)


@needs_avx512
@needs_bfloat16
@pytest.mark.parametrize("shape", [(8, 4096, 1000), (2, 400, 120), (8, 84, 10), (2, 84, 10), (64, 256, 64)], ids=str)
@pytest.mark.parametrize("threads", [1, 2])
def test_a_matrix_product_of_16_bits_packs_panels(shape: tuple[int, int, int], threads: int) -> None:
    """On one thread every byte; on two a bound."""
    rows, features, out = shape
    given = call("linear", (rows, features), TRAINED, "bfloat16", threads, out_features=out)
    found = measured(given)
    rules = own_memory(given, "forward"), own_memory(given, "backward")
    if threads == 1:
        assert rules == found
    for rule, nbytes in zip(rules, found, strict=True):
        assert nbytes <= rule <= 2 * nbytes


def test_a_matrix_product_of_16_bits_by_hand() -> None:
    # Sums of 8 rows by 64 columns in float32, 1,024 more, and the weight's 4,096 rows packed 1,024 at a time.
    given = call("linear", (8, 4096), TRAINED, "bfloat16", out_features=1000)
    assert own_memory(given, "forward") == 8 * 64 * 4 + 1024 + 1024 * 64 * 2
    # The weight's gradient: 1,000 rows in four parts, 8 samples padded to 32, the output's gradient turned.
    assert own_memory(given, "backward") == 250 * 64 * 4 + 1024 + 32 * 64 * 2 + 250 * 32 * 2 + 128


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize(("positions", "keys"), [(11, 13), (200, 40), (800, 600)])
def test_fused_attention(positions: int, keys: int, dtype: str) -> None:
    """A block of 32, 64 or 256 queries and 512 keys for each thread."""
    query, key = TensorType((1, 2, positions, 8), dtype), TensorType((1, 2, keys, 8), dtype)
    inputs = (query, key, key)
    attention = Call(LAYERS["scaled_dot_product_attention"](), inputs, (query,), (), 2)
    assert measured(attention).forward == own_memory(attention, "forward")


def test_fused_attention_by_hand() -> None:
    # 200 queries in blocks of 64: scores, two numbers a row, 5 sums a row, of 4 B, for each of 3 threads.
    query, key = TensorType((1, 2, 200, 5)), TensorType((1, 2, 40, 5))
    attention = Call(LAYERS["scaled_dot_product_attention"](), (query, key, key), (query,), (0, 1, 2), 3)
    assert own_memory(attention, "forward") == 3 * (64 * 40 + 2 * 64 + 64 * 5) * 4
    assert own_memory(attention, "backward") == 3 * (2 * 64 * 40 + 64) * 4
    composed = LAYERS["scaled_dot_product_attention"].model_validate({"backend": "math"})
    assert own_memory(attention._replace(layer=composed), "forward") == 0
