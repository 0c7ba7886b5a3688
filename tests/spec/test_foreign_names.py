"""Names of Keras, torch, ONNX and everyday speech: the type that a message names for each, and the entry it offers."""

from __future__ import annotations

from typing import Any

import pytest

import archcost
from archcost.layers import TYPES, foreign
from archcost.layers.foreign_names import FIELDS
from archcost.layers.foreign_names import MEANT as TABLE

MEANT = """
Dense linear | Conv2D conv2d | Conv1D conv1d | Conv2DTranspose conv_transpose2d | MaxPooling2D max_pool2d
AveragePooling1D avg_pool1d | GlobalAveragePooling2D adaptive_avg_pool2d | BatchNormalization batch_norm2d
LayerNormalization layer_norm | SpatialDropout2D dropout2d | LeakyReLU leaky_relu | LSTM lstm | SimpleRNN rnn
Concatenate concat | MultiHeadAttention multi_head_attention | UpSampling2D upsample | Embedding embedding
nn.Linear linear | torch.nn.Conv2d conv2d | ConvTranspose2d conv_transpose2d | SiLU silu | GELU gelu
MultiheadAttention multi_head_attention | BatchNorm1d batch_norm1d | AdaptiveAvgPool2d adaptive_avg_pool2d
CrossEntropyLoss cross_entropy | MSELoss mse | BCEWithLogitsLoss bce_with_logits | NLLLoss nll
LocalResponseNorm local_response_norm | PixelShuffle pixel_shuffle | F.relu relu
Gemm linear | Conv conv2d | ConvTranspose conv_transpose2d | GlobalAveragePool adaptive_avg_pool2d
HardSwish hardswish | LeakyRelu leaky_relu | ReduceMean mean | DepthToSpace pixel_shuffle | Clip clamp
fc linear | FC linear | fully_connected linear | bn batch_norm2d | deconv conv_transpose2d | max-pool max_pool2d
cat concat | LRN local_response_norm | Convolution2D conv2d | GlobalAvgPool1D adaptive_avg_pool1d
"""


def test_names_of_others_are_understood():
    rows = [row.split() for line in MEANT.strip().splitlines() for row in line.split("|")]
    assert {name: foreign.meant(name) for name, _ in rows} == dict(rows)
    assert foreign.meant("Wibble") is None


def test_the_axes_of_the_input_decide_where_a_name_does_not():
    assert [foreign.meant("Conv", axes) for axes in (1, 2, 3)] == ["conv1d", "conv2d", "conv3d"]
    assert foreign.meant("Conv2D", 1) == "conv2d"


def test_every_name_in_the_tables_is_one_of_ours():
    assert set(TABLE.values()) <= set(TYPES)
    fields = {field for type_ in TYPES for field in TYPES[type_].model_fields}
    assert {ours for each in FIELDS.values() for ours in each} <= fields


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"type": "Dense", "units": 10, "name": "out"}, "{type: linear, out_features: 10, name: out}"),
        ({"type": "Dense"}, "{type: linear, out_features: …}"),
        ({"type": "nn.Linear", "in_features": 512, "out_features": 10}, "{type: linear, out_features: 10}"),
        # ceil(n / 2) either way: (n + 2·2 - 5) // 2 + 1 = (n - 1) // 2 + 1
        (
            {"type": "Conv2D", "filters": 8, "kernel_size": 5, "strides": 2, "padding": "same"},
            "{type: conv2d, out_channels: 8, kernel_size: 5, stride: 2, padding: 2}",
        ),
        (
            {"type": "Conv2D", "filters": 8, "kernel_size": 5, "padding": "valid"},
            "{type: conv2d, out_channels: 8, kernel_size: 5}",
        ),
        # twice as large: (n - 1)·2 - 2·1 + 3 + 1 = 2n
        (
            {"type": "Conv2DTranspose", "filters": 8, "kernel_size": 3, "strides": 2, "padding": "same"},
            "{type: conv_transpose2d, out_channels: 8, kernel_size: 3, stride: 2, padding: 1, output_padding: 1}",
        ),
        ({"type": "MaxPooling2D"}, "{type: max_pool2d, kernel_size: 2}"),
        ({"type": "Gemm", "transB": 1}, "{type: linear, out_features: …}"),
        (
            {"type": "Conv", "kernel_shape": [3, 3], "pads": [1, 1, 1, 1]},
            "{type: conv2d, kernel_size: [3, 3], padding: [1, 1], out_channels: …}",
        ),
        ({"type": "Permute", "dims": [2, 1]}, "{type: permute, dims: [0, 2, 1]}"),
        ({"type": "Dense", "units": 3, "activation": "linear"}, "{type: linear, out_features: 3}"),
        ({"type": "LSTM", "units": 64, "return_sequences": True}, "{type: lstm, hidden_size: 64}"),
    ],
)
def test_the_entry_is_offered_as_a_spec_writes_it(entry: dict[str, Any], expected: str):
    layer_type = foreign.meant(str(entry["type"]))
    assert layer_type is not None
    assert foreign.rewritten(entry, layer_type) == expected


def test_ten_mistakes_are_told_and_the_others_counted():
    wrong = "\n".join(f"  - {{type: linear, out_features: {-index}}}" for index in range(25))
    with pytest.raises(archcost.ArchcostError) as raised:
        archcost.loads(f"name: net\ninput: [3]\nlayers:\n{wrong}\n")
    parts = str(raised.value).split("\n\n")
    assert [part.partition(" ")[0] for part in parts[:2]] == ["<text>:4:20:", "<text>:5:20:"]
    assert (len(parts), parts[-1], len(raised.value.others)) == (11, "… and 15 more", 24)
