"""Kernels of networks so small that FLOPs and bytes of each are worked out by hand. All is float32."""

from __future__ import annotations

from dataclasses import replace

import pytest

import archcost
from archcost.costs.kernel import Kernel
from archcost.costs.kernels import LayerKernels, kernels
from archcost.costs.timeline import timeline
from archcost.passes.run import Run
from archcost.terms.autograd import Device
from tests.costs.timelines import Entry, fc, layer, played

LOOP = Run(optimizer="sgd-momentum", optimizer_impl="loop", torch="2.13")


def conv(name: str, out_channels: int, **fields: object) -> Entry:
    return {"type": "conv2d", "name": name, "out_channels": out_channels, "kernel_size": 3, "padding": 1, **fields}


def by_layer(*layers: Entry, shape: list[int], run: Run = LOOP, device: Device = "cuda") -> dict[str, LayerKernels]:
    return {each.name: each for each in kernels(played(shape, *layers, run=run, device=device)).layers}


def test_a_convolution_first_in_the_network() -> None:
    """Two images 3×8×8: 384 values, 1,536 B; output 2·8·64 = 1,024 values, 4,096 B; weight 8·27 = 216, 864 B;
    bias 32 B.

    1,024 outputs of 27 products: 55,296 FLOPs. No gradient of the images is wanted. A tile of 16 beside 8
    kernels and 27 values under each: 3 and 43/27 times as long. Weight and bias are gone
    through for both images: 2·896 B.
    """
    found = by_layer(conv("conv", 8), shape=[3, 8, 8])["conv"]
    stretch = (1 + 16 / 8) * (1 + 16 / 27)
    product = Kernel("stem", 55296, 1536 + 864 + 32 + 4096, "float32", 1, stretch, 2 * 896)
    assert found.forward == (product,)
    assert found.backward_input == ()
    assert found.backward_weight == (product, Kernel("reduction", 0, 4096, "float32"))
    (on_a_cpu,) = by_layer(conv("conv", 8), shape=[3, 8, 8], device="cpu")["conv"].forward
    assert on_a_cpu.stretch == 1.0


def test_a_convolution_behind_another() -> None:
    """8 channels in: 4,096 B in, weight 8·72·4 = 2,304 B, output 4,096 B; 1,024·72·2 FLOPs for each product."""
    found = by_layer(conv("first", 8), conv("conv", 8, bias=False), shape=[3, 8, 8])["conv"]
    for half in (found.forward, found.backward_input, found.backward_weight):
        assert [(each.kind, each.flops, each.nbytes) for each in half] == [
            ("convolution 3x3", 147456, 4096 + 2304 + 4096)
        ]


def test_a_linear() -> None:
    """Of two rows 7 → 5: input 56 B, weight 140 B, bias 20 B, output 40 B; 2·2·7·5 FLOPs."""
    found = by_layer(fc("first", 7), fc("fc", 5), shape=[3])["fc"]
    assert [(each.kind, each.flops, each.nbytes) for each in found.backward_input] == [("product", 140, 256)]
    assert [(each.kind, each.flops, each.nbytes) for each in found.backward_weight] == [
        ("product", 140, 256),
        ("reduction", 0, 40),
    ]


def test_batch_norm_reads_its_input_again_and_has_few_channels() -> None:
    """4,096 B arrive, lie there, and are given. One block a channel: 8 channels take as long as 40."""
    found = by_layer(conv("conv", 8), layer("batch_norm2d", "norm"), shape=[3, 8, 8])["norm"]
    (back,) = found.backward_input
    assert (back.kind, back.nbytes, back.stretch) == ("batch norm", 3 * 4096, 5.0)
    assert found.backward_weight == ()
    (forward,) = by_layer(conv("conv", 8), layer("batch_norm2d", "norm"), shape=[3, 8, 8], run=INFER)["norm"].forward
    assert forward.stretch == 1.0  # with statistics that stand it is a product and a sum a value


INFER = Run(mode="infer", torch="2.13")


def test_weights_are_gone_through_once_for_all_rows_of_a_product() -> None:
    (forward,) = by_layer(fc("fc", 5), shape=[3])["fc"].forward
    assert forward.reread == 0


def test_an_embedding_reads_the_rows_that_it_picks() -> None:
    """Two samples of 3 indices, 48 B; 6 rows of 4 values are read and written, 96 B each; the table has 400 B."""
    table = layer("embedding", "table", num_embeddings=25, embedding_dim=4)
    inputs = {"tokens": {"shape": [3], "dtype": "int64"}}
    spec = archcost.ModelSpec.model_validate({"name": "n", "inputs": inputs, "layers": [table]})
    (forward,) = kernels(timeline(archcost.build(spec, 2), LOOP, "cpu")).layers[0].forward
    assert forward.nbytes == 48 + 96 + 96


def test_blocks_of_32_mib_are_fresh() -> None:
    """1,024 rows of 8,192 values: 32 MiB come out, and arrive for the input; the weight's gradient is 8,192·1 B·4."""
    found = by_layer(fc("first", 8192), layer("relu", "relu"), shape=[512, 1])
    assert found["first"].fresh == (32 * 2**20, 0)
    assert found["relu"].fresh == (32 * 2**20, 32 * 2**20)
    assert by_layer(fc("first", 8191), shape=[512, 1])["first"].fresh == (0, 0)


def test_an_activation_reads_what_it_kept_and_in_place_no_more() -> None:
    for inplace in (False, True):
        layers = (conv("conv", 8), layer("relu", "relu", inplace=inplace))
        (back,) = by_layer(*layers, shape=[3, 8, 8])["relu"].backward_input
        assert (back.kind, back.nbytes) == ("elementwise", 3 * 4096)


def test_gradients_that_meet_are_added() -> None:
    """The output of `fc` is read three times: two additions, each of two tensors of 40 B read and one written. A sum
    hands on what arrives.
    """
    layers = (fc("fc", 5), layer("relu", "a", "fc"), layer("relu", "b", "fc"), layer("add", "sum", "a", "b"))
    found = by_layer(*layers, layer("add", "all", "sum", "fc"), shape=[3])
    assert found["fc"].backward_input == (Kernel("elementwise", 20, 2 * 3 * 40, "float32", 2),)
    assert found["sum"].backward_input == ()


def test_a_stretched_operand_gets_a_product_that_is_added_up() -> None:
    """A gate of one value a channel times 4,096 B: both operands were kept and read, what arrives too (4,096 B + 64 B +
    4,096 B), gradients of 4,096 B and 64 B are written, and the product for the gate comes and goes: 8,192 B.
    """
    layers = (
        conv("conv", 8),
        layer("adaptive_avg_pool2d", "pool", "conv", output_size=1),
        layer("mul", "gated", "conv", "pool"),
    )
    (back,) = by_layer(*layers, shape=[3, 8, 8])["gated"].backward_input
    assert back.nbytes == (4096 + 64 + 4096) + (4096 + 64) + 8192


def test_views_cost_nothing_but_parts_do() -> None:
    """A flattened map is the map. Half of it: zeros like the whole are written, then the half is put in."""
    found = by_layer(conv("conv", 8), layer("flatten", "flat"), shape=[3, 8, 8])["flat"]
    assert (found.forward, found.backward_input) == ((), ())
    layers = (conv("conv", 8), layer("slice", "half", dim=1, stop=4))
    found = by_layer(*layers, shape=[3, 8, 8])["half"]
    assert found.forward == ()
    (back,) = found.backward_input
    assert (back.kind, back.nbytes) == ("copy", 2048 + 2 * 4096)


@pytest.mark.parametrize(
    ("optimizer", "impl", "nbytes", "launches"),
    [
        # Two parameters of 15 and 5 values. Momentum: m·v (2 tensors), + g (3), w − v (3).
        ("sgd-momentum", "loop", 8 * 80, 2 * 3),
        ("sgd-momentum", "foreach", 8 * 80, 3),
        ("sgd", "loop", 3 * 80, 2),
        # Fused: weight, gradient and two moments read, weight and moments written.
        ("adamw", "fused", (4 + 3) * 80 + 2 * 2 * 4, 1),  # and a step counter each
        ("adamw", "foreach", 20 * 80, 8),
    ],
)
def test_optimizers(optimizer: str, impl: str, nbytes: int, launches: int) -> None:
    run = Run(optimizer=optimizer, optimizer_impl=impl, torch="2.13")  # pyright: ignore[reportArgumentType]
    (found,) = kernels(played([3], fc("fc", 5), run=run)).optimizer
    assert (found.kind, found.nbytes, found.launches) == ("optimizer", nbytes, launches)


AMP = Run(mode="infer", precision="amp-fp16", torch="2.13")


def on_gpu(*layers: Entry, shape: list[int], run: Run = AMP) -> dict[str, tuple[tuple[str, int], ...]]:
    """Class and bytes of each kernel of forward."""
    found = kernels(played(shape, *layers, run=run, device="cuda")).layers
    return {each.name: tuple((kernel.kind, kernel.nbytes) for kernel in each.forward) for each in found}


def test_images_are_turned_for_a_convolution_in_16_bits() -> None:
    """Two images 8×4×4 are 256 values, as much comes out; a weight 8·8·9 = 576. In 16 bits 512 + 512 + 1,152 B are
    moved, and to turn both there and back 2·(512 + 512). With their channels last there is nothing to turn.
    """
    layers = (conv("first", 8, bias=False), conv("conv", 8, bias=False))
    own = ("convolution 3x3", 512 + 512 + 1152)
    assert on_gpu(*layers, shape=[3, 4, 4])["conv"] == (own, ("transposition", 2 * (512 + 512)))
    assert on_gpu(*layers, shape=[3, 4, 4], run=replace(AMP, channels_last=True))["conv"] == (own,)


def test_what_is_not_turned_and_what_takes_longer() -> None:
    """A single position in rows of 16 values is a product as it lies; rows of 9 begin between words."""
    one = {"kernel_size": 1, "padding": 0}
    layers = (conv("first", 8, bias=False), conv("conv", 8, bias=False, **one))
    assert [kind for kind, _ in on_gpu(*layers, shape=[3, 4, 4])["conv"]] == ["convolution 1x1"]
    found = kernels(played([3, 3, 3], *layers, run=AMP, device="cuda")).layers
    turned = next(each.forward[1] for each in found if each.name == "conv")
    assert (turned.kind, turned.nbytes, turned.stretch) == ("transposition", 2 * (288 + 288), 2.0)


def test_a_slice_of_channels_is_copied_for_a_convolution() -> None:
    """The first 4 of 8 channels of two images 4×4, 128 values in 16 bits: 256 B read, and 256 written."""
    layers = (
        conv("first", 8, bias=False),
        layer("slice", "half", dim=1, start=0, stop=4),
        conv("depthwise", 4, groups=4, bias=False),
    )
    assert on_gpu(*layers, shape=[3, 4, 4])["depthwise"] == (
        ("depthwise", 256 + 256 + 4 * 9 * 2),
        ("strided", 2 * 256),
    )


def test_operands_in_other_orders_and_sizes() -> None:
    """Two samples of 3×5 values in float32, 120 B: added to themselves turned, and to one value a row (24 B)."""
    layers = (
        layer("permute", "turned", dims=[0, 2, 1]),
        layer("contiguous", "rows"),
        layer("mul", "crossed", "rows", "turned"),
        layer("mean", "means", "rows", dim=-1, keepdim=True),
        layer("mul", "scaled", "rows", "means"),
    )
    found = on_gpu(*layers, shape=[3, 5], run=replace(AMP, precision="fp32"))
    assert found["rows"] == (("strided", 240),)
    assert found["crossed"] == (("strided", 3 * 120),)
    assert found["scaled"] == (("broadcast", 120 + 40 + 120),)


def test_matrices_that_cannot_be_stacked_are_copied() -> None:
    """Heads of q (2, 5, 3·8) seen as (2, 3, 5, 8): their two leading axes are no run. q·qᵀ has rows of 5 values,
    which is not a multiple of 8. 240 values in float16 are copied, for each operand: 480 B read, and 480 written.
    """
    layers = (
        fc("fc", 24, bias=False),
        layer("reshape", "parts", shape=[5, 3, 8]),
        layer("permute", "heads", dims=[0, 2, 1, 3]),
        layer("transpose", "turned", dim0=2, dim1=3),
        layer("matmul", "scores", "heads", "turned"),
    )
    found = on_gpu(*layers, shape=[5, 8])["scores"]
    assert found == (("unaligned batched product", 480 + 480 + 2 * 3 * 25 * 2), ("strided", 960), ("strided", 960))


def test_attention_over_five_axes_is_composed() -> None:
    """(2, 2, 2, 4, 8) each, 256 values; scores 2·2·2·4·4 = 128. In float32, of copies."""
    layers = (
        layer("reshape", "q", shape=[2, 2, 4, 8]),
        layer("scaled_dot_product_attention", "attention", "q", "q", "q", backend="math"),
    )
    assert on_gpu(*layers, shape=[128])["attention"] == (
        ("float32 product", 1024 + 1024 + 512),
        ("float32 product", 512 + 1024 + 1024),
        ("softmax", 1024),
        ("elementwise", 2 * (1024 + 1024)),
        ("elementwise", 4 * 256 * (4 + 2)),
    )
