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

    def cost(self, image: str | None = None) -> ModelCost:
        """`image` as the tables write it (3x224x224) takes the place of the network's own."""
        shape = tuple(map(int, image.split("x"))) if image else self.image
        return costed(self.network, shape, **self.parameters)


ALEXNET_2012 = Net("alexnet_2012")
ALEXNET_TORCHVISION = Net("alexnet_torchvision")
DENSENET121 = Net("densenet121")
DENSENET161 = Net(
    "densenet121",
    {"depth3": 36, "depth4": 24, "growth": 48, "stem": 96, "half1": 192, "half2": 384, "half3": 1056},
)
DENSENET169 = Net("densenet121", {"depth3": 32, "depth4": 32, "half3": 640})
DENSENET201 = Net("densenet121", {"depth3": 48, "depth4": 32, "half3": 896})
RESNET18 = Net("resnet18")
RESNET34 = Net("resnet18", {"depth1": 3, "depth2": 4, "depth3": 6, "depth4": 3})
RESNET50 = Net("resnet50")
RESNET101 = Net("resnet50", {"depth3": 23})
RESNET152 = Net("resnet50", {"depth2": 8, "depth3": 36})

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
}
"""(model, variant) of params.csv and macs.csv → the network."""

OTHER_FORMS: dict[tuple[str, str], str] = {
    ("LeNet-5", "1998 original: trainable subsampling, partial C3, fixed RBF output"): "ours is the modern form",
    ("AlexNet", "single tower, 224 in, 54x54 out of conv1"): "ours takes 227 and gives 55x55",
    ("ResNet-50", "stride in 1x1"): "ours has the stride in the 3x3; see resnet_table1.csv",
    ("ResNet-101", "stride in 1x1"): "as ResNet-50",
    ("ResNet-152", "stride in 1x1"): "as ResNet-50",
}
"""Forms of a shipped network's model that are another network."""

NOT_SHIPPED = {
    "attention": {
        *("BERT base", "BERT large", "Swin-T", "Transformer base", "Transformer big", "ViT-B/16", "ViT-B/32"),
        *("GPT-2 small", "GPT-2 medium", "GPT-2 large", "GPT-2 XL"),
        *("GPT-3 Small", "GPT-3 Medium", "GPT-3 Large", "GPT-3 XL", "GPT-3 2.7B", "GPT-3 6.7B", "GPT-3 13B"),
        *("GPT-3 175B", "Llama-2 7B", "Llama-2 13B", "Llama-2 70B"),
        *("Megatron GPT 1.7B", "Megatron GPT 3.6B", "Megatron GPT 7.5B", "Megatron GPT 18.4B", "Megatron GPT 39.1B"),
        *("Megatron GPT 76.1B", "Megatron GPT 145.6B", "Megatron GPT 310.1B", "Megatron GPT 529.6B"),
        "Megatron GPT 1008.0B",
    },
    "other convolutional networks": {
        *("ConvNeXt-T", "ConvNeXt-S", "ConvNeXt-B", "ConvNeXt-L", "DCGAN discriminator", "DCGAN generator"),
        *("EfficientNet-B0", "EfficientNet-B1", "EfficientNet-B2", "EfficientNet-B3", "EfficientNet-B4"),
        *("EfficientNet-B5", "EfficientNet-B6", "EfficientNet-B7", "GoogLeNet", "SegNet", "U-Net"),
        *("MobileNet v1 x0.25", "MobileNet v1 x0.5", "MobileNet v1 x0.75", "MobileNet v1 x1.0", "MobileNet v2"),
        *("MobileNet v3 large", "MobileNet v3 small", "SqueezeNet 1.0", "SqueezeNet 1.1"),
        *("ShuffleNet v2 x0.5", "ShuffleNet v2 x1.0", "ShuffleNet v2 x1.5", "ShuffleNet v2 x2.0"),
    },
}
"""Models of which no form ships, by why: no layer for it, or simply not among our networks."""

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
}
"""Table → network, and what the table leaves out (by type or name): functions that are no modules, and dropout."""

VGG_COLUMNS = {"A": "vgg_a", "A-LRN": "vgg_a_lrn", "B": "vgg_b", "C": "vgg_c", "D": "vgg_d", "E": "vgg_e"}
"""Columns of layers_vgg_all.csv, which leaves out dropout too."""

OTHER_TABLES = {
    "layers_vgg_all.csv": "see VGG_COLUMNS",
    "layers_cs231n_vgg16.csv": "a printed table of VGG-D, with a test of its own",
    "layers_lenet5_1998.csv": "the original LeNet-5, with a test of the layers that have not changed",
    "layers_dcgan_generator.csv": "not shipped",
    "layers_googlenet_2015.csv": "not shipped",
    "layers_gpt2_small_nanogpt.csv": "not shipped",
    "layers_mobilenet_v1.csv": "not shipped",
    "layers_squeezenet1_0.csv": "not shipped",
    "layers_squeezenet_2016.csv": "not shipped",
    "layers_unet_2015.csv": "not shipped",
}


def reason(row: dict[str, str]) -> str | None:
    """Why a row speaks of no network of ours; None when it does, or when nobody has said."""
    key = row["model"], row["variant"]
    return OTHER_FORMS.get(key) or next((why for why, models in NOT_SHIPPED.items() if row["model"] in models), None)


def net(row: dict[str, str]) -> Net | None:
    return NETS.get((row["model"], row["variant"]))
