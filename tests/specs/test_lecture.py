"""The numbers of lecture 31 put right: each stated here by hand, and reproduced by the networks that ship.

The worked example behind the project. Letters and numbers (A1, B2, …) are those of the list of the lecture's claims.
"""

from __future__ import annotations

from itertools import groupby
from typing import Any, NamedTuple

import pytest

import archcost
from archcost.errors import ShapeError
from archcost.layers import BatchNorm2d, LocalResponseNorm, MaxPool2d
from tests.specs.variants import backward, costed, layers, macs, numel, variant, weights

MIB = 2**20


def parameters_of(network: str, name: str) -> int:
    (layer,) = [layer for layer in costed(network).layers if layer.name == name]
    return layer.parameters


# A. Counting rules -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("network", "layer", "expected"),
    [
        ("lenet5", "fc5", 48_120),  # (400 + 1)*120
        ("lenet5", "fc6", 10_164),  # (120 + 1)*84
        ("lenet5", "fc7", 850),  # (84 + 1)*10
        ("alexnet", "classifier.fc6", 37_752_832),  # (9216 + 1)*4096
        ("vgg_a", "fc6", 102_764_544),  # (25088 + 1)*4096
        ("vgg_a", "fc7", 16_781_312),  # (4096 + 1)*4096
        ("vgg_a", "fc8", 4_097_000),  # (4096 + 1)*1000
        ("vgg_a", "stage1.conv1", 1_792),  # A2: (3*3*3 + 1)*64, not (3*3 + 1)*64 = 640
        ("vgg_d", "stage1.conv2", 36_928),  # A4: (3*3*64 + 1)*64
        ("vgg_d", "stage2.conv1", 73_856),  # A4: (3*3*64 + 1)*128
    ],
)
def test_weights_of_one_layer(network: str, layer: str, expected: int):
    assert parameters_of(network, layer) == expected


def test_a3_convolutions_of_column_a():
    found = [layer.parameters for layer in layers(costed("vgg_a"), "conv2d")]
    assert found == [1_792, 73_856, 295_168, 590_080, 1_180_160, 2_359_808, 2_359_808, 2_359_808]
    assert sum(found) == 9_220_480


@pytest.mark.parametrize(
    ("network", "weight_layers", "share_of_fc"),
    [
        ("vgg_a", 11, 93.06),
        ("vgg_a_lrn", 11, 93.06),
        ("vgg_b", 13, 92.93),
        ("vgg_c", 16, 92.52),
        ("vgg_d", 16, 89.36),
        ("vgg_e", 19, 86.06),
    ],
)
def test_a6_a8_weight_layers_and_where_the_weights_are(network: str, weight_layers: int, share_of_fc: float):
    cost = costed(network)
    assert sum(layer.parameters > 0 for layer in cost.layers) == weight_layers
    dense = sum(layer.parameters for layer in layers(cost, "linear"))
    assert dense == 123_642_856  # 102,764,544 + 16,781,312 + 4,097,000
    assert round(100 * dense / cost.parameters, 2) == share_of_fc


def test_a7_biases_are_weights_too():
    cost = costed("vgg_d")
    assert weights(list(cost.layers)) == 138_344_128
    assert cost.biases == 13_416
    assert cost.parameters == 138_344_128 + 13_416


# B. The VGG table ------------------------------------------------------------------------------------------------


class Column(NamedTuple):
    depths: tuple[int, ...]
    parameters: int
    of_convolutions: int
    macs: int
    macs_of_convolutions: int
    forward: int
    backward: int
    activations: int
    top1_error: float
    top5_error: float


COLUMNS = {
    "vgg_a": Column(
        *((1, 1, 2, 2, 2), 132_863_336, 9_220_480, 7_609_090_048, 7_485_456_384),
        *(15_218_180_096, 30_262_951_936, 9_116_136, 29.6, 10.4),
    ),
    "vgg_a_lrn": Column(
        *((1, 1, 2, 2, 2), 132_863_336, 9_220_480, 7_609_090_048, 7_485_456_384),
        *(15_218_180_096, 30_262_951_936, 9_116_136, 29.7, 10.5),
    ),
    "vgg_b": Column(
        *((2, 2, 2, 2, 2), 133_047_848, 9_404_992, 11_308_466_176, 11_184_832_512),
        *(22_616_932_352, 45_060_456_448, 13_933_032, 28.7, 9.9),
    ),
    "vgg_c": Column(
        *((2, 2, 3, 3, 3), 133_638_952, 9_996_096, 11_770_888_192, 11_647_254_528),
        *(23_541_776_384, 46_910_144_512, 15_237_608, 27.3, 8.8),
    ),
    "vgg_d": Column(
        *((2, 2, 3, 3, 3), 138_357_544, 14_714_688, 15_470_264_320, 15_346_630_656),
        *(30_940_528_640, 61_707_649_024, 15_237_608, 25.6, 8.1),
    ),
    "vgg_e": Column(
        *((2, 2, 4, 4, 4), 143_667_240, 20_024_384, 19_632_062_464, 19_508_428_800),
        *(39_264_124_928, 78_354_841_600, 16_542_184, 25.5, 8.0),
    ),
}


@pytest.mark.parametrize(("network", "column"), COLUMNS.items())
def test_b1_b2_b5_a_column_of_the_table(network: str, column: Column):
    cost = costed(network)
    convolutions = layers(cost, "conv2d")
    stages = [len(list(group)) for _, group in groupby(layer.name.partition(".")[0] for layer in convolutions)]
    published = cost.graph.spec.published
    assert published is not None
    # Input, convolutions, pools and fully connected layers; ReLU in place.
    activations = 3 * 224 * 224 + numel(layers(cost, "conv2d", "max_pool2d", "linear"))
    found = Column(
        tuple(stages),
        cost.parameters,
        sum(layer.parameters for layer in convolutions),
        cost.macs,
        macs(convolutions),
        cost.flops.forward.contraction,
        cost.flops.backward.contraction,
        activations,
        published.top1_error or 0,
        published.top5_error or 0,
    )
    assert found == column


@pytest.mark.parametrize(("network", "pointwise"), [("vgg_b", []), ("vgg_c", ["stage3", "stage4", "stage5"])])
def test_b1_only_column_c_has_1x1_convolutions(network: str, pointwise: list[str]):
    small = [layer for layer in layers(costed(network), "conv2d") if layer.node.weights[0].shape[2:] == (1, 1)]
    assert [layer.name for layer in small] == [f"{stage}.conv3" for stage in pointwise]


def test_b2_backward_is_twice_forward_less_the_first_input_gradient():
    cost = costed("vgg_d")
    assert cost.layers[0].macs == 86_704_128  # 64*224*224 * 3*3*3
    assert cost.flops.backward_input.contraction == 30_940_528_640 - 2 * 86_704_128
    assert cost.flops.backward_weight.contraction == 30_940_528_640
    assert cost.flops.total.contraction == 92_648_177_664


def test_b3_sizes():
    cost = costed("vgg_d")
    assert [layer.output_shapes[0][2:] for layer in layers(cost, "max_pool2d")] == [
        *((112, 112), (56, 56), (28, 28), (14, 14), (7, 7))
    ]
    (flat,) = layers(cost, "flatten")
    assert flat.output_shapes == ((1, 25_088),)  # 7*7*512


def dense(network: str) -> dict[str, Any]:
    """The network with its fully connected layers as convolutions: 7x7, then 1x1 twice."""
    tree = variant(network).to_dict()
    kept = [entry for entry in tree["layers"] if entry.get("type") not in ("flatten", "linear")]
    heads = [
        {"type": "conv2d", "out_channels": channels, "kernel_size": kernel}
        for channels, kernel in ((4096, 7), (4096, 1), (1000, 1))
    ]
    return tree | {"layers": kept[:5] + heads}


@pytest.mark.parametrize(
    ("network", "size", "expected"),
    [
        ("vgg_a", 384, 26_448_887_808),
        ("vgg_d", 384, 49_551_114_240),  # convolutions 45,100,302,336 and, on a map of 6x6, 36 * 123,633,664
        ("vgg_e", 384, 61_781_704_704),
        ("vgg_d", 256, 20_539_113_472),  # convolutions 20,044,578,816 and, on a map of 2x2, 4 * 123,633,664
    ],
)
def test_b6_dense_evaluation(network: str, size: int, expected: int):
    spec = archcost.ModelSpec.model_validate(dense(network) | {"inputs": {"image": [3, size, size]}})
    cost = archcost.cost(archcost.build(spec))
    assert cost.macs == expected
    assert cost.parameters == COLUMNS[network].parameters  # the same weights, laid out otherwise


# C. AlexNet ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("network", "size", "maps"),
    [
        ("alexnet", 227, [55, 27, 27, 13, 13, 13, 13, 6]),  # (227 - 11)/4 + 1 = 55
        ("alexnet_torchvision", 224, [55, 27, 27, 13, 13, 13, 13, 6]),  # (224 + 4 - 11)/4 + 1 = 55.25
        ("alexnet", 224, [54, 26, 26, 12, 12, 12, 12, 5]),  # (224 - 11)/4 + 1 = 54.25
    ],
)
def test_c1_c4_sizes(network: str, size: int, maps: list[int]):
    cost = costed(network, (3, size, size))
    assert [layer.output_shapes[0][2] for layer in layers(cost, "conv2d", "max_pool2d")] == maps


ALEXNET = [
    ("conv1", 34_944, 34_944, 105_415_200, 105_415_200),
    ("conv2", 307_456, 614_656, 223_948_800, 447_897_600),
    ("conv3", 885_120, 885_120, 149_520_384, 149_520_384),
    ("conv4", 663_936, 1_327_488, 112_140_288, 224_280_576),
    ("conv5", 442_624, 884_992, 74_760_192, 149_520_384),
    ("classifier.fc6", 37_752_832, 37_752_832, 37_748_736, 37_748_736),
    ("classifier.fc7", 16_781_312, 16_781_312, 16_777_216, 16_777_216),
    ("classifier.fc8", 4_097_000, 4_097_000, 4_096_000, 4_096_000),
]


def test_c3_two_towers_and_one():
    towers, single = costed("alexnet_2012"), costed("alexnet")
    pairs = zip(layers(towers, "conv2d", "linear"), layers(single, "conv2d", "linear"), strict=True)
    assert [(a.name, a.parameters, b.parameters, a.macs, b.macs) for a, b in pairs] == ALEXNET
    assert (towers.parameters, towers.macs) == (60_965_224, 724_406_816)
    assert (single.parameters, single.macs) == (62_378_344, 1_135_256_096)


def test_c2_towers_meet_in_conv3():
    groups = [getattr(layer.node.layer, "groups", 0) for layer in layers(costed("alexnet_2012"), "conv2d")]
    assert groups == [1, 2, 1, 2, 2]


def test_c7_memory():
    cost = costed("alexnet_2012")
    assert round(12 * cost.parameters / 1e6, 1) == 731.6  # weight, gradient and momentum, 4 bytes each
    activations = 3 * 227 * 227 + numel(layers(cost, "conv2d", "max_pool2d", "linear"))
    assert activations == 936_323
    assert round(128 * 4 * activations / 1e6) == 479


# D. Autoencoders -------------------------------------------------------------------------------------------------


def test_d1_d2_lenet():
    cost = costed("lenet5")
    assert [layer.parameters for layer in cost.layers if layer.parameters] == [156, 2_416, 48_120, 10_164, 850]
    assert [layer.macs for layer in cost.layers if layer.macs] == [117_600, 240_000, 48_000, 10_080, 840]
    assert [
        layer.output_shapes[0][1:] for layer in cost.layers if layer.name in ("conv1", "pool2", "conv3", "pool4")
    ] == [*((6, 28, 28), (6, 14, 14), (16, 10, 10), (16, 5, 5))]


FOUR = ("replication", "bilinear", "unpooling", "transposed")


@pytest.mark.parametrize("way", FOUR)
def test_d1_code_and_rebuilt_size(way: str):
    cost = costed(f"conv_autoencoder_{way}")
    dense = [layer.output_shapes[0][1] for layer in layers(cost, "flatten", "linear")]
    assert dense == [400, 120, 84, 120, 400]
    assert cost.layers[-1].output_shapes == ((1, 1, 32, 32),)


def test_d3_a_reshape_keeps_the_number_of_elements():
    tree = variant("conv_autoencoder_replication").to_dict()
    (volume,) = [entry for entry in tree["layers"] if entry.get("name") == "volume"]
    volume["unflattened_size"] = [16, 6, 5]
    with pytest.raises(ShapeError, match="keep the number of elements"):
        archcost.build(archcost.ModelSpec.model_validate(tree))


@pytest.mark.parametrize(
    ("way", "parameters", "total_macs"),
    [
        # Encoder 156 + 2,416; code 48,120 + 10,164 + 10,200 + 48,400; decoder 2,406 + 151.
        ("replication", 122_013, 831_360),
        ("bilinear", 122_013, 831_360),
        ("unpooling", 122_013, 831_360),
        # Two layers more: (16*16*2*2 + 16) + (6*6*2*2 + 6) weights, 16*5*5 * 16*4 + 6*14*14 * 6*4 MACs.
        ("transposed", 122_013 + 1_040 + 150, 831_360 + 25_600 + 28_224),
    ],
)
def test_d4_d5_d9_four_ways_up(way: str, parameters: int, total_macs: int):
    cost = costed(f"conv_autoencoder_{way}")
    assert (cost.parameters, cost.macs) == (parameters, total_macs)
    ups = [layer for layer in cost.layers if layer.name in ("double2.up", "double1.up")]
    assert [layer.output_shapes[0][1:] for layer in ups] == [(16, 10, 10), (6, 28, 28)]  # from 16×5×5 and 6×14×14
    assert sum(layer.parameters for layer in ups) == (1_190 if way == "transposed" else 0)


@pytest.mark.parametrize("way", FOUR)
def test_d5_only_unpooling_keeps_indices(way: str):
    pools = layers(costed(f"conv_autoencoder_{way}"), "max_pool2d")
    indices = [pool.node.output_types[1].numel for pool in pools if len(pool.node.output_types) > 1]
    assert indices == ([6 * 14 * 14, 16 * 5 * 5] if way == "unpooling" else [])
    assert all(isinstance(pool.node.layer, MaxPool2d) for pool in pools)


@pytest.mark.parametrize(
    ("settings", "before", "after"),
    [
        ("type: conv_transpose2d, kernel_size: 2, stride: 2", 7, 14),
        ("type: conv_transpose2d, kernel_size: 4, stride: 2, padding: 1", 7, 14),
        ("type: conv_transpose2d, kernel_size: 3, stride: 2, padding: 1, output_padding: 1", 7, 14),
        ("type: conv_transpose2d, kernel_size: 3, stride: 2", 7, 15),
        ("type: conv_transpose2d, kernel_size: 3, stride: 2, padding: 1", 7, 13),
        ("type: conv2d, kernel_size: 3, stride: 2, padding: 1", 7, 4),
        ("type: conv2d, kernel_size: 3, padding: 1", 7, 7),
    ],
)
def test_d6_what_a_stride_does_to_a_size(settings: str, before: int, after: int):
    text = f"{{name: one, input: [1, {before}, {before}], layers: [{{{settings}, out_channels: 1}}]}}"
    (node,) = archcost.build(archcost.loads(text)).nodes
    assert node.output_types[0].shape == (1, 1, after, after)


def test_d7_transposed_convolution_counts_on_the_input_side():
    """DCGAN's generator: 100 → 512, 256, 128, 64, 3 by kernels of 4, all but the first with stride 2."""
    first = "{type: conv_transpose2d, out_channels: 512, kernel_size: 4}"
    others = [
        f"{{type: conv_transpose2d, out_channels: {channels}, kernel_size: 4, stride: 2, padding: 1}}"
        for channels in (256, 128, 64, 3)
    ]
    spec = archcost.loads(f"{{name: dcgan, input: [100, 1, 1], layers: [{', '.join((first, *others))}]}}")
    cost = archcost.cost(archcost.build(spec))
    # Input positions 1, 4*4, 8*8, 16*16, 32*32, times both channels, times 4*4.
    assert [layer.macs for layer in cost.layers] == [819_200, 33_554_432, 33_554_432, 33_554_432, 3_145_728]
    assert cost.macs == 104_628_224
    assert cost.layers[-1].output_shapes == ((1, 3, 64, 64),)


def test_d8_the_mirror_image():
    cost = costed("conv_autoencoder_lecture")
    found = [layer.parameters for layer in cost.layers if layer.parameters]
    assert found == [156, 2_416, 48_120, 48_400, 2_406, 151]  # the last: 6*5*5*1 + 1
    assert (cost.parameters, cost.macs) == (101_649, 811_200)


def test_d10_dense_instead_of_convolution():
    """32×32 to 6@28×28: 1024*4704 + 4704 weights, where the convolution has 156."""
    spec = archcost.loads("{name: dense, input: [1024], layers: [{type: linear, out_features: 4704}]}")
    assert archcost.cost(archcost.build(spec)).parameters == 4_821_600
    assert parameters_of("lenet5", "conv1") == 156


# E. Local response normalisation ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("network", "values", "terms"),
    [
        # 64 channels, windows of 3, 4, 5, …, 5, 4, 3: 5*64 - 6 = 314 a pixel, 224*224 pixels
        ("vgg_a_lrn", [3_211_264], [15_755_264]),
        # 5*96 - 6 = 474 on 55*55, and 5*256 - 6 = 1274 on 27*27
        ("alexnet_2012", [290_400, 186_624], [1_433_850, 928_746]),
    ],
)
def test_e1_e2_e3_local_response_normalisation(network: str, values: list[int], terms: list[int]):
    found = layers(costed(network), "local_response_norm")
    for layer, expected in zip(found, terms, strict=True):
        norm = layer.node.layer
        assert isinstance(norm, LocalResponseNorm)
        assert norm.terms(layer.node.input_types) == expected
        # The paper's alpha of 1e-4 is not divided by the window of 5; torch's is.
        assert (norm.k, norm.size, norm.alpha / norm.size, norm.beta) == (2, 5, pytest.approx(1e-4), 0.75)
    assert sum(layer.parameters for layer in found) == 0
    assert sum(layer.macs for layer in found) == 0


def test_e3_what_a_lrn_stores():
    assert 4 * numel(layers(costed("vgg_a_lrn"), "local_response_norm")) == 12.25 * MIB


def test_e4_batch_normalisation_has_weights():
    norm = layers(costed("resnet18"), "batch_norm2d")[0]
    assert isinstance(norm.node.layer, BatchNorm2d)
    assert norm.parameters == 2 * 64


# F. The tutorial, and the course's later networks ----------------------------------------------------------------


def test_f2_vgg_16():
    cost = costed("vgg_d")
    assert round(4 * cost.parameters / 1e6, 1) == 553.4
    assert round(cost.flops.forward.contraction / 1e9, 2) == 30.94
    assert round(cost.flops.backward.contraction / 1e9, 2) == 61.71
    assert round(cost.flops.total.contraction / 1e9, 2) == 92.65
    kept = 3 * 224 * 224 + numel(layers(cost, "conv2d", "max_pool2d", "linear"))
    assert round(4 * kept / MIB, 2) == 58.13
    assert round(4 * (kept + numel(layers(cost, "relu"))) / MIB, 2) == 109.84


@pytest.mark.parametrize(
    ("lecture", "network", "image", "classes", "parameters", "total_macs"),
    [
        (30, "lenet5", (3, 32, 32), 10, 62_006, 651_720),
        (32, "conv_autoencoder_course", None, None, 4_680_643, 29_999_104),
        (33, "alexnet_torchvision", None, 1000, 61_100_840, 714_188_480),
        (34, "vgg_d", None, 1000, 138_357_544, 15_470_264_320),
        (39, "resnet18", None, 10, 11_181_642, 1_813_566_464),
        (40, "densenet121", None, 10, 6_964_106, 2_833_147_904),
        (48, "resnet18", None, 2, 11_177_538, 1_813_562_368),
        (44, "inception_v3", None, 10, 24_371_444, 5_716_111_456),
        (50, "segnet_course", None, None, 3_523, 173_408_256),
        (59, "cnn3d_course", None, None, 74_597, 10_365_185_440),
    ],
)
def test_f5_networks_of_the_course(
    lecture: int,
    network: str,
    image: tuple[int, ...] | None,
    classes: int | None,
    parameters: int,
    total_macs: int,
):
    cost = costed(network, image, **({"classes": classes} if classes else {}))
    assert (cost.parameters, cost.macs) == (parameters, total_macs), lecture


@pytest.mark.parametrize(
    ("code", "encoder", "decoder", "discriminator"),
    [
        (2, (1_788_002, 1_786_000), (1_788_784, 1_786_000), (252_501, 251_500)),  # lecture 54
        (100, (1_886_100, 1_884_000), (1_886_784, 1_884_000), (301_501, 300_500)),  # lecture 55
    ],
)
def test_f5_adversarial_autoencoders(
    code: int, encoder: tuple[int, int], decoder: tuple[int, int], discriminator: tuple[int, int]
):
    """Weights and MACs of the three parts."""
    cost = costed("adversarial_autoencoder", code=code)
    for part, expected in (("encoder", encoder), ("decoder", decoder), ("discriminator", discriminator)):
        found = [layer for layer in cost.layers if layer.name.startswith(f"{part}.")]
        assert (sum(layer.parameters for layer in found), macs(found)) == expected


def test_f5_features_into_an_lstm():
    """Lecture 60: the features of a ResNet-18, an LSTM of two layers, 512 → 8 → 8, over 32 frames, and five classes."""
    cost = costed("resnet18_lstm")
    (lstm,) = layers(cost, "lstm")
    (head,) = layers(cost, "linear")
    assert (lstm.parameters, head.parameters) == (17_280, 45)
    assert (lstm.macs, head.macs) == (32 * 17_152, 40)
    backbone = costed("resnet18")
    weights_of_the_rest = cost.parameters - lstm.parameters - head.parameters
    assert weights_of_the_rest == backbone.parameters - 513 * 1000
    assert cost.macs - lstm.macs - head.macs == 32 * (backbone.macs - 512 * 1000)


def test_f6_transfer_learning_trains_the_head_alone():
    tree = variant("resnet18", classes=10).to_dict()
    for entry in tree["layers"]:
        if "block" in entry or entry["type"] in ("conv2d", "batch_norm2d"):
            entry["trainable"] = False
    cost = archcost.cost(archcost.build(archcost.ModelSpec.model_validate(tree)))
    assert (cost.trainable_parameters, cost.parameters) == (5_130, 11_181_642)
    assert backward(list(cost.layers)) == 2 * 512 * 10  # the head's weight gradient; nothing below it


# Receptive fields ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("network", "layer", "size", "jump", "padding"),
    [
        # Araujo, Norris and Sim, Distill 2019, table 1: VGG-16 and AlexNet.
        ("vgg_d", "stage5.pool", 212, 32, 90),
        ("alexnet", "pool5", 195, 32, 64),
        ("alexnet_2012", "pool5", 195, 32, 64),
        ("alexnet_torchvision", "pool5", 195, 32, 66),  # conv1 is padded by 2
        # 7, pool 7+2*2 = 11; 3 bottlenecks at jump 4: 11+3*8 = 35; 35+8+3*16 = 91; 91+16+5*32 = 267; 267+32+2*64
        ("resnet50", "stage4.residual3.add", 427, 32, 213),
        # 7, 11; 4 convolutions at jump 4: 11+4*8 = 43; 43+8+3*16 = 99; 99+16+3*32 = 211; 211+32+3*64
        ("resnet18", "stage4.residual2.add", 435, 32, 217),
        # 5; pool 5+1 = 6; 6+4*2 = 14; pool 14+2 = 16
        ("lenet5", "pool4", 16, 4, 0),
        ("vgg_a", "stage1.conv1", 3, 1, 1),
    ],
)
def test_receptive_fields(network: str, layer: str, size: int, jump: int, padding: int):
    (found,) = [each.field for each in costed(network).layers if each.name == layer]
    assert found is not None
    assert (found.size, found.jump, found.padding) == ((size,) * 2, (jump,) * 2, (padding,) * 2)
