"""Which network each row of the reference tables speaks of, or why it speaks of none that ships."""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from pathlib import Path

from archcost import ModelCost
from tests.specs.variants import costed

FOLDER = Path(__file__).parent.parent / "reference"


def rows(file: str) -> list[dict[str, str]]:
    with (FOLDER / file).open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


@dataclass(frozen=True)
class Net:
    """A shipped network, or a member of its family by other values of its parameters."""

    network: str
    parameters: dict[str, int] = field(default_factory=dict[str, int])
    image: tuple[int, ...] | None = None

    def cost(self, given: str | None = None) -> ModelCost:
        """`given` as the tables write it (3x224x224, or 1x128 tokens) takes the place of the network's own input."""
        if given and given.endswith(" tokens"):
            return costed(self.network, **self.parameters | {"tokens": int(given.split()[0].removeprefix("1x"))})
        shape = tuple(map(int, given.split("x"))) if given else self.image
        return costed(self.network, shape, **self.parameters)


ALEXNET_2012 = Net("alexnet_2012")
ALEXNET_TORCHVISION = Net("alexnet_torchvision")
DENSENET121 = Net("densenet121")
DENSENET161 = Net("densenet161")
DENSENET169 = Net("densenet169")
DENSENET201 = Net("densenet201")
RESNET18 = Net("resnet18")
RESNET34 = Net("resnet34")
RESNET50 = Net("resnet50")
RESNET101 = Net("resnet101")
RESNET152 = Net("resnet152")
BATCH_NORM = "batch-norm scale and shift counted, running statistics not"
MOBILENET_V1 = {
    f"MobileNet v1 x{multiplier}": Net("mobilenet_v1", {"width": int(4 * float(multiplier))})
    for multiplier in ("0.25", "0.5", "0.75", "1.0")
}
SHUFFLENET_V2 = {
    "ShuffleNet v2 x0.5": Net("shufflenet_v2", {"width2": 48, "width3": 96, "width4": 192}),
    "ShuffleNet v2 x1.0": Net("shufflenet_v2"),
    "ShuffleNet v2 x1.5": Net("shufflenet_v2", {"width2": 176, "width3": 352, "width4": 704}),
    "ShuffleNet v2 x2.0": Net("shufflenet_v2", {"width2": 244, "width3": 488, "width4": 976, "head": 2048}),
}
EFFICIENTNET = {f"EfficientNet-B{n}": Net(f"efficientnet_b{n}") for n in range(8)}
MOBILE = {
    "MobileNet v2": Net("mobilenet_v2"),
    "MobileNet v3 large": Net("mobilenet_v3_large"),
    "MobileNet v3 small": Net("mobilenet_v3_small"),
    "SqueezeNet 1.0": Net("squeezenet1_0"),
    "SqueezeNet 1.1": Net("squeezenet1_1"),
}

CONVNEXT = {
    "ConvNeXt-T": Net("convnext_tiny"),
    "ConvNeXt-S": Net("convnext_tiny", {"depth3": 27}),
    "ConvNeXt-B": Net("convnext_tiny", {"depth3": 27, "width": 128}),
    "ConvNeXt-L": Net("convnext_tiny", {"depth3": 27, "width": 192}),
}
VIT = {"ViT-B/16": Net("vit_b_16"), "ViT-B/32": Net("vit_b_16", {"patch": 32, "tokens": 50})}
BERT = {"BERT base": Net("bert_base"), "BERT large": Net("bert_large")}
GPT2 = {
    "GPT-2 small": Net("gpt2"),
    "GPT-2 medium": Net("gpt2_medium"),
    "GPT-2 large": Net("gpt2_large"),
    "GPT-2 XL": Net("gpt2_xl"),
}
LLAMA2 = {f"Llama-2 {size}": Net(f"llama2_{size.lower()}") for size in ("7B", "13B", "70B")}
NANO_GPT = Net("gpt2", {"bias": False})
TORCHS_TRANSFORMER = "6+6 layers, 37000 shared embedding rows, torch.nn.Transformer with its two final norms"
TRANSFORMER = {f"Transformer {size}": Net(f"transformer_{size}") for size in ("base", "big")}


def gpt(depth: int, width: int, heads: int, vocabulary: int = 50257) -> Net:
    """Of the family, for 2,048 tokens. Weights do not depend on the heads, which have to divide the width."""
    sizes = {"depth": depth, "width": width, "heads": heads, "vocabulary": vocabulary}
    return Net("gpt2", {**sizes, "context": 2048, "tokens": 2048})


GPT3 = {
    ("GPT-3 Small", "12 layers, width 768, 12 heads of 64"): gpt(12, 768, 12),
    ("GPT-3 Medium", "24 layers, width 1024, 16 heads of 64"): gpt(24, 1024, 16),
    ("GPT-3 Large", "24 layers, width 1536, 16 heads of 96"): gpt(24, 1536, 16),
    ("GPT-3 XL", "24 layers, width 2048, 24 heads of 128"): gpt(24, 2048, 16),  # as the width says
    ("GPT-3 2.7B", "32 layers, width 2560, 32 heads of 80"): gpt(32, 2560, 32),
    ("GPT-3 6.7B", "32 layers, width 4096, 32 heads of 128"): gpt(32, 4096, 32),
    ("GPT-3 13B", "40 layers, width 5140, 40 heads of 128"): gpt(40, 5140, 20),  # as the width says
    ("GPT-3 175B", "96 layers, width 12288, 96 heads of 128"): Net("gpt3_175b"),
}
MEGATRON = {
    row["stated_params_billion"]: gpt(int(row["layers"]), int(row["hidden"]), int(row["heads"]), 51200)
    for row in rows("megatron_weak_scaling.csv")
}
"""By billions of parameters as stated."""

NETS: dict[tuple[str, str], Net] = {
    ("AlexNet", "2012 two towers (conv2, conv4, conv5 in 2 groups)"): ALEXNET_2012,
    ("AlexNet", "2012 two towers"): ALEXNET_2012,
    ("AlexNet", "2012 paper's statement"): ALEXNET_2012,
    ("AlexNet", "single tower 96-256-384-384-256 (the lecture's contemporary form)"): Net("alexnet"),
    ("AlexNet", "single tower"): Net("alexnet"),
    ("AlexNet", "torchvision (one column, 64-192-384-256-256)"): ALEXNET_TORCHVISION,
    ("AlexNet", "torchvision"): ALEXNET_TORCHVISION,
    ("Convolutional autoencoder", "lecture 32 notebook of the course"): Net("conv_autoencoder_course"),
    ("Convolutional autoencoder", "LeNet-like sketch of lecture 31 (our reading of it)"): Net(
        "conv_autoencoder_lecture"
    ),
    ("DCGAN discriminator", "64x64, 4x4 kernels (PyTorch example)"): Net("dcgan_discriminator"),
    ("DCGAN generator", "64x64, 4x4 kernels (PyTorch example)"): Net("dcgan_generator"),
    ("DenseNet-121", "torchvision"): DENSENET121,
    ("DenseNet-121", ""): DENSENET121,
    ("DenseNet-121", "Keras Applications"): DENSENET121,
    ("DenseNet-161", "torchvision"): DENSENET161,
    ("DenseNet-161", ""): DENSENET161,
    ("DenseNet-169", "torchvision"): DENSENET169,
    ("DenseNet-169", ""): DENSENET169,
    ("DenseNet-169", "Keras Applications"): DENSENET169,
    ("DenseNet-201", "torchvision"): DENSENET201,
    ("DenseNet-201", ""): DENSENET201,
    ("DenseNet-201", "Keras Applications"): DENSENET201,
    ("GoogLeNet", "torchvision"): Net("googlenet", {"auxiliary": 0}),
    ("GoogLeNet", "torchvision with auxiliary classifiers"): Net("googlenet"),
    ("LeNet-5", "modern: full C3, parameter-free pooling, 10-way linear output"): Net("lenet5"),
    ("LeNet-5", "RGB input (the course's lecture 30 notebook)"): Net("lenet5", image=(3, 32, 32)),
    ("ResNet-18", "torchvision"): RESNET18,
    ("ResNet-18", ""): RESNET18,
    ("ResNet-34", "torchvision"): RESNET34,
    ("ResNet-34", ""): RESNET34,
    ("ResNet-50", "torchvision"): RESNET50,
    ("ResNet-50", ""): RESNET50,
    ("ResNet-50", "stride in 3x3"): RESNET50,
    ("ResNet-50", "Keras Applications"): RESNET50,
    ("ResNet-101", "torchvision"): RESNET101,
    ("ResNet-101", ""): RESNET101,
    ("ResNet-101", "stride in 3x3"): RESNET101,
    ("ResNet-101", "Keras Applications"): RESNET101,
    ("ResNet-152", "torchvision"): RESNET152,
    ("ResNet-152", ""): RESNET152,
    ("ResNet-152", "stride in 3x3"): RESNET152,
    ("ResNet-152", "Keras Applications"): RESNET152,
    ("SegNet", "13+13 convolutions with bias and batch norm, 12 classes"): Net("segnet"),
    ("SegNet", ""): Net("segnet"),
    ("U-Net", "Ronneberger et al. 2015: 1 input channel, 2 classes, unpadded"): Net("unet"),
    ("U-Net", "3 input channels, 2 classes, padded ('same')"): Net("unet", {"padding": 1, "crop": 0}, (3, 512, 512)),
    ("VGG A", "11 weight layers"): Net("vgg_a"),
    ("VGG A", ""): Net("vgg_a"),
    ("VGG A-LRN", "11 weight layers"): Net("vgg_a_lrn"),
    ("VGG A-LRN", ""): Net("vgg_a_lrn"),
    ("VGG B", "13"): Net("vgg_b"),
    ("VGG B", ""): Net("vgg_b"),
    ("VGG C", "16, with three 1x1"): Net("vgg_c"),
    ("VGG C", ""): Net("vgg_c"),
    ("VGG D", "16"): Net("vgg_d"),
    ("VGG D", ""): Net("vgg_d"),
    ("VGG D conv part", ""): Net("vgg_d"),
    ("VGG E", "19"): Net("vgg_e"),
    ("VGG E", ""): Net("vgg_e"),
    **{(model, BATCH_NORM): net for model, net in MOBILENET_V1.items()},
    **{(model, "torchvision"): net for model, net in (SHUFFLENET_V2 | EFFICIENTNET | MOBILE).items()},
    **{(model, ""): net for model, net in (MOBILENET_V1 | SHUFFLENET_V2 | EFFICIENTNET | MOBILE).items()},
    **{(model, "torchvision"): net for model, net in (CONVNEXT | VIT).items()},
    **{(model, ""): net for model, net in (CONVNEXT | VIT | BERT | GPT2 | LLAMA2 | TRANSFORMER).items()},
    ("Swin-T", "torchvision"): Net("swin_t"),
    ("Swin-T", ""): Net("swin_t"),
    **{(model, "uncased, 30522 tokens, with pooler, without MLM head"): net for model, net in BERT.items()},
    **{(model, "tied output head, 50257 tokens, 1024 positions"): net for model, net in GPT2.items()},
    ("GPT-2 small", "nanoGPT, no biases, tied head"): NANO_GPT,
    ("GPT-2 small", "nanoGPT, no biases"): NANO_GPT,
    **{(model, f"{shape}, tied head, 2048 positions"): net for (model, shape), net in GPT3.items()},
    **{(model, "32000 tokens, untied head, no biases"): net for model, net in LLAMA2.items()},
    **{(model, TORCHS_TRANSFORMER): net for model, net in TRANSFORMER.items()},
    **{
        (
            f"Megatron GPT {stated}B",
            f"h={net.parameters['width']}, {net.parameters['depth']} layers, V=51200, s=2048",
        ): net
        for stated, net in MEGATRON.items()
    },
    ("EfficientNet-B0", "Keras Applications"): EFFICIENTNET["EfficientNet-B0"],
    ("EfficientNet-B7", "Keras Applications"): EFFICIENTNET["EfficientNet-B7"],
    ("MobileNet v1 x1.0", "Keras Applications"): MOBILENET_V1["MobileNet v1 x1.0"],
    ("MobileNet v2", "Keras Applications"): MOBILE["MobileNet v2"],
}
"""(model, variant) of params.csv and macs.csv → the network."""

OTHER_FORMS: dict[tuple[str, str], str] = {
    ("LeNet-5", "1998 original: trainable subsampling, partial C3, fixed RBF output"): "ours is the modern form",
    ("AlexNet", "single tower, 224 in, 54x54 out of conv1"): "ours takes 227 and gives 55x55",
    ("DCGAN generator", "Radford et al. figure 1, 5x5 kernels, projection without bias"): "ours is PyTorch's example",
    ("GoogLeNet", ""): "in words; its own table makes AlexNet's weights less than 9 times as many, not 12",
    ("ResNet-50", "stride in 1x1"): "ours has the stride in the 3x3; see resnet_table1.csv",
    ("ResNet-101", "stride in 1x1"): "as ResNet-50",
    ("ResNet-152", "stride in 1x1"): "as ResNet-50",
}
"""Forms of a shipped network's model that are another network."""

SLIPS: dict[tuple[str, str], str] = {
    ("ConvNeXt-B", "45.0G FLOPs"): "45.1 by count",
    ("BERT large", "340M"): "5 million above the count, which is that of the released weights",
    ("GPT-2 small", "117M"): "the paper's figures are low, for all four; the released weights have the counts",
    ("GPT-2 medium", "345M"): "as small",
    ("GPT-2 large", "762M"): "as small",
    ("GPT-2 XL", "1542M"): "as small",
    ("Llama-2 70B", "70B"): "the count is 69.0 billion",
    ("Transformer base", "65 million"): "2 million above the count, and in big 1 million below",
    ("Transformer big", "213 million"): "as base",
    ("EfficientNet-B4", "4.2B FLOPS"): "the paper's own count is some percent below that of its layers, here and in B5",
    ("EfficientNet-B5", "9.9B FLOPS"): "as B4",
    ("MobileNet v1 x0.75", "317 million MACs"): "the paper has 325, which is the count",
    ("MobileNet v3 small", "2.9 million"): "another version of the network",
    ("MobileNet v3 small", "66 million MACs"): "as its parameters",
    ("ShuffleNet v2 x1.0", "146M FLOPs"): "about one percent above the count in all but the smallest",
    ("ShuffleNet v2 x1.5", "299M FLOPs"): "as x1.0",
    ("ShuffleNet v2 x2.0", "591M FLOPs"): "as x1.0",
    ("SqueezeNet 1.0", "837 MFLOPS"): "2 to 3 percent above the count; the source does not say of what",
    ("SqueezeNet 1.1", "360 MFLOPS"): "as 1.0",
}
"""(model, statement) that the count does not bear out, by why."""

LAYER_TABLES: dict[str, tuple[str, frozenset[str]]] = {
    "layers_alexnet_two_tower.csv": ("alexnet_2012", frozenset()),
    "layers_alexnet_single_tower.csv": ("alexnet", frozenset()),
    "layers_alexnet_torchvision.csv": ("alexnet_torchvision", frozenset({"flatten"})),
    "layers_course_autoencoder.csv": ("conv_autoencoder_course", frozenset({"flatten", "unflatten"})),
    "layers_lecture_autoencoder.csv": ("conv_autoencoder_lecture", frozenset({"flatten", "unflatten", "tanh"})),
    "layers_lenet5_modern.csv": ("lenet5", frozenset()),
    "layers_resnet50.csv": ("resnet50", frozenset({"flatten", "add"})),
    "layers_densenet121.csv": ("densenet121", frozenset({"flatten", "concat", "relu5", "avgpool"})),
    "layers_vgg_D.csv": ("vgg_d", frozenset({"dropout"})),
    "layers_dcgan_generator.csv": ("dcgan_generator", frozenset()),
    "layers_mobilenet_v1.csv": ("mobilenet_v1", frozenset()),
    "layers_squeezenet1_0.csv": ("squeezenet1_0", frozenset({"concat", "flatten"})),
    "layers_unet_2015.csv": ("unet", frozenset({"split", "identity", "concat"})),
}
"""Table → network, and what the table leaves out (by type or name): functions that are no modules, and dropout."""

VGG_COLUMNS = {"A": "vgg_a", "A-LRN": "vgg_a_lrn", "B": "vgg_b", "C": "vgg_c", "D": "vgg_d", "E": "vgg_e"}
"""Columns of layers_vgg_all.csv, which leaves out dropout too."""

OTHER_TABLES = {
    "layers_vgg_all.csv": "see VGG_COLUMNS",
    "layers_cs231n_vgg16.csv": "a printed table of VGG-D, with a test of its own",
    "layers_lenet5_1998.csv": "the original LeNet-5, with a test of the layers that have not changed",
    "layers_googlenet_2015.csv": "part by part, with a test of its own",
    "layers_gpt2_small_nanogpt.csv": "part by part, with a test of its own",
    "layers_squeezenet_2016.csv": "module by module, with a test of its own",
}


def reason(row: dict[str, str]) -> str | None:
    """Why a row speaks of no network of ours; None when it does, or when nobody has said."""
    key = row["model"], row["variant"]
    return OTHER_FORMS.get(key)


def net(row: dict[str, str]) -> Net | None:
    return NETS.get((row["model"], row["variant"]))
