"""Each rule on a network that has it and on one that nearly has it; and the networks that ship."""

from __future__ import annotations

from pathlib import Path

import pytest

import archcost
from archcost.cli import main
from archcost.lints import RULES, Lint

IMAGE = "[3, 32, 32]"


def lints(layers: str, input: str = IMAGE, more: str = "") -> list[Lint]:
    return [
        *archcost.lint(archcost.loads(f"name: net\ninput: {input}\n{more}\nlayers:\n{layers}", "net.yaml"), 2).lints
    ]


CONV = "  - {type: conv2d, out_channels: 5, kernel_size: 3}\n"
RELU = "  - {type: relu}\n"
FLAT = "  - {type: flatten}\n"
FC = "  - {type: linear, out_features: 7}\n"
HEAD = f"{FLAT}{FC}"
ODD = {
    "linear-on-image": (CONV + RELU + FC, IMAGE, "", "2×5×30×30 (relu1), of which conv1 has the channels on axis 1"),
    "channels-last": (CONV + HEAD, "[32, 32, 3]", "", "2×32×32×3, which conv1 takes for 32 channels"),
    "unread": (
        CONV + "  - {type: relu, inputs: [input], name: lost}\n  - {type: flatten, inputs: [conv1]}\n" + FC,
        *(IMAGE, "", "no layer reads it, so that the network returns it beside the last"),
    ),
    "bias-before-norm": (
        CONV + "  - {type: batch_norm2d}\n" + HEAD,
        IMAGE,
        "",
        "5 biases, and bn1 takes the mean away",
    ),
    # windows of 4 at 0, 4, … 28 of 34 rows: 32 and 33 are left
    "stride-leftover": (
        "  - {type: conv2d, out_channels: 5, kernel_size: 4, stride: 4}\n" + HEAD,
        *("[3, 34, 32]", "", "no output reads the last 2 of 34 rows"),
    ),
    "softmax-before-loss": (
        HEAD + "  - {type: softmax, dim: 1}\n",
        *(IMAGE, "loss: cross_entropy", "softmax before cross_entropy, which does it itself"),
    ),
    "activation-twice": (RELU + RELU + HEAD, IMAGE, "", "relu of relu1, which is one already"),
    "dropout-last": (HEAD + "  - {type: dropout}\n", IMAGE, "", "what the network returns is dropped at random"),
    "softmax-of-one": (
        FLAT + "  - {type: linear, out_features: 1}\n  - {type: softmax, dim: 1}\n",
        *(IMAGE, "", "2×1, one value along dim 1"),
    ),
    "softmax-over-batch": (HEAD + "  - {type: softmax, dim: 0}\n", IMAGE, "", "dim: 0 is the batch"),
}


def test_every_rule_has_its_network():
    assert list(ODD) == [rule.name for rule in RULES]


@pytest.mark.parametrize("rule", ODD)
def test_what_is_odd_is_told(rule: str):
    layers, shape, more, found = ODD[rule]
    (lint,) = lints(layers, shape, more)
    assert (lint.rule, lint.found[: len(found)]) == (rule, found)
    assert lint.place is not None
    assert lint.hint


@pytest.mark.parametrize(
    ("layers", "shape", "more"),
    [
        # channels moved to the last axis, on purpose
        (CONV + "  - {type: permute, dims: [0, 2, 3, 1]}\n" + FC, IMAGE, ""),
        (CONV + RELU + HEAD, IMAGE, "loss: cross_entropy"),
        # many channels of a small image
        (CONV + HEAD, "[32, 3, 3]", ""),
        # two heads of one type, and an output that is named
        (FLAT + FC + "  - {type: linear, out_features: 3, inputs: [flatten1]}\n", IMAGE, ""),
        ("  - {type: relu, name: kept}\n" + FLAT + FC, IMAGE, "outputs: [kept, fc1]"),
        (
            "  - {type: conv2d, out_channels: 5, kernel_size: 3, bias: false}\n  - {type: batch_norm2d}\n" + HEAD,
            IMAGE,
            "",
        ),
        # only padding is left out, (32 + 2 - 3) % 2 = 1; and windows of 1 that leave out every second pixel
        ("  - {type: conv2d, out_channels: 5, kernel_size: 3, stride: 2, padding: 1}\n" + HEAD, IMAGE, ""),
        ("  - {type: conv2d, out_channels: 5, kernel_size: 1, stride: 2}\n" + HEAD, IMAGE, ""),
        ("  - {type: max_pool2d, kernel_size: 2, ceil_mode: true}\n" + HEAD, "[3, 33, 33]", ""),
        (HEAD + "  - {type: softmax, dim: 1}\n", IMAGE, ""),
        (FLAT + "  - {type: dropout}\n" + FC, IMAGE, ""),
    ],
)
def test_what_is_not_odd_is_not_told(layers: str, shape: str, more: str):
    assert lints(layers, shape, more) == []


def test_a_layer_of_a_block_is_told_once():
    spec = archcost.loads("""
name: net
input: [3, 8, 8]
blocks: {b: {layers: [{type: conv2d, out_channels: 5, kernel_size: 3, name: c}, {type: batch_norm2d}]}}
layers: [{block: b}, {block: b}, {type: flatten}]
""")
    (lint,) = archcost.lint(spec).lints
    assert (lint.layer, lint.alike) == ("b1.c", ("b2.c",))


TEXT = """\
mine.yaml:5:5: conv1: a stride that does not divide [stride-leftover]
  found: no output reads the last 1 of 8 rows and 1 of 8 columns
  why: the windows end before the input does, so the network never sees what is left
  try: padding, or another size of the input

mine: 1 lint.
"""


def test_as_a_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").write_text(
        "name: mine\ninput: [3, 8, 8]\n\nlayers:\n"
        "  - {type: conv2d, out_channels: 5, kernel_size: 3, stride: 2}\n  - {type: flatten}\n"
    )
    assert main(["lint", "mine.yaml"]) == 1
    assert capsys.readouterr().out == TEXT
    for command in (["summary"], ["estimate", "--hardware", "t4"]):
        assert main([*command, "mine.yaml"]) == 0
        assert capsys.readouterr().out.endswith("\n\n1 lint: archcost lint mine.yaml\n")
    assert main(["summary", "mine.yaml", "--format", "csv"]) == main(["summary", "squeezenet1_1"]) == 0
    assert "archcost lint" not in capsys.readouterr().out
    assert main(["lint", "lenet5"]) == 0
    assert capsys.readouterr().out == "lenet5: nothing odd.\n"


# Published as they are: torchvision's VGG with batch norm has biases, and so have SegNet and MLPerf Tiny's networks;
# 224 pixels leave one over under SqueezeNet's first windows (7 and 3 wide, every 2, without padding).
TRUE = {
    **{name: {"bias-before-norm"} for name in ("vgg_a_bn", "vgg_b_bn", "vgg_d_bn", "vgg_e_bn")},
    **{name: {"bias-before-norm"} for name in ("mlperf_tiny_ad", "mlperf_tiny_ic", "mlperf_tiny_vww")},
    "segnet": {"bias-before-norm", "stride-leftover"},
    "mlperf_tiny_kws": {"bias-before-norm", "stride-leftover"},
    **{name: {"stride-leftover"} for name in ("squeezenet1_0", "squeezenet1_1")},
}
OTHERS = [
    "alexnet",
    "googlenet",
    "unet",
    "bert_base",
    "mamba2_130m",
    "mobilenet_v2",
    "gpt2",
    "resnet18",
    "distilbert_base",
]


@pytest.mark.parametrize("name", [*TRUE, *OTHERS])
def test_networks_that_ship(name: str):
    assert {lint.rule for lint in archcost.lint(name).lints} == TRUE.get(name, set())
