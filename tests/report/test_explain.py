"""Every explained number is the number of the cost, for every network; and the words beside it are right."""

from __future__ import annotations

import json
import re
from fractions import Fraction

import pytest

import archcost
from archcost.costs import ModelCost
from archcost.costs.model import LayerCost
from archcost.errors import SpecError
from archcost.passes.layer_rules import weight_type
from archcost.report import render
from archcost.report.explain import Explanation, LayerWorking, explain
from archcost.report.explain_text import working
from archcost.report.formula import LATEX
from archcost.spec import InputSpec, ModelSpec, zoo
from tests.layers import every_row
from tests.layers.rows import Row
from tests.report.networks import cost_of, tiny
from tests.specs.variants import shortened

MORE = """
name: more
input: [2, 7, 8]
layers:
  - {type: conv2d, name: frozen, out_channels: 4, kernel_size: [3, 1], padding: same, trainable: false}
  - {type: max_pool2d, name: pool, kernel_size: 2, ceil_mode: true, return_indices: true}
  - {type: conv2d, name: grouped, out_channels: 6, kernel_size: 1, groups: 2, bias: false}
  - {type: batch_norm2d, name: bn}
  - {type: upsample, name: up, scale_factor: 2, mode: bilinear}
  - {type: conv_transpose2d, name: wider, out_channels: 3, kernel_size: 3, stride: 2, padding: 1, output_padding: 1}
  - {type: adaptive_avg_pool2d, name: adaptive, output_size: [5, 1]}
  - {type: conv2d, name: other, inputs: [adaptive], out_channels: 3, kernel_size: 1}
  - {type: mul, name: product, inputs: [adaptive, other]}
  - {type: flatten, name: flat}
  - {type: linear, name: code, out_features: 15}
  - {type: linear, name: again, out_features: 15, weight: code.weight}
  - {type: reshape, name: indices, inputs: ["pool:1"], shape: [-1]}
"""

# What the lines of a layer are called, and where the cost keeps the same number. A line may be missing only for a zero.
NUMBERS = {
    "parameters": lambda layer: layer.parameters,
    "buffers": lambda layer: layer.buffers,
    "MACs": lambda layer: layer.macs,
    "FLOPs forward": lambda layer: layer.flops.forward.contraction,
    "FLOPs forward, elementwise": lambda layer: layer.flops.forward.elementwise,
    "FLOPs backward, input gradient": lambda layer: layer.flops.backward_input.contraction,
    "FLOPs backward, input gradient, elementwise": lambda layer: layer.flops.backward_input.elementwise,
    "FLOPs backward, weight gradient": lambda layer: layer.flops.backward_weight.contraction,
    "FLOPs backward, weight gradient, elementwise": lambda layer: layer.flops.backward_weight.elementwise,
}
SIGHT = {
    "receptive field": lambda axis: axis.size,
    "effective stride": lambda axis: axis.jump,
    "effective padding": lambda axis: axis.padding,
}
AXES = {1: "L", 2: "HW", 3: "DHW"}


def check_layer(explained: LayerWorking, layer: LayerCost) -> None:
    results = {line.quantity: line.result for line in explained.lines}
    assert len(results) == len(explained.lines), "each quantity once"
    for quantity, number in NUMBERS.items():
        result = results.pop(quantity, 0)
        assert result == number(layer) or (result is None and layer.is_unknown), f"{layer.name}: {quantity}"
    axes = AXES.get(len(layer.field.axes), "") if layer.field else ""
    for quantity, result in list(results.items()):
        name, _, which = quantity.rpartition(" ")
        head = re.match(r"receptive field|effective stride|effective padding", quantity)
        if head:
            for letter in quantity.removeprefix(head.group()).strip().split(", "):
                assert layer.field is not None
                assert result == SIGHT[head.group()](layer.field.axes[axes.index(letter)]), f"{layer.name}: {quantity}"
        elif name == "output axis":
            assert result == layer.output_shapes[0][int(which)], f"{layer.name}: {quantity}"
        elif name == "output":
            letters = AXES[len(layer.output_shapes[0]) - 2]
            assert result == layer.output_shapes[0][2 + letters.index(which)], f"{layer.name}: {quantity}"
        elif quantity == "bytes of the weight":
            stored = [weight for weight in layer.node.own_weights if weight.name != "bias"]
            assert result == sum([weight_type(weight, layer.node).nbytes for weight in stored]), layer.name
        else:
            assert ": " in quantity, f"{quantity} is a part of a sum"


def check(cost: ModelCost) -> Explanation:
    explanation = explain(cost)
    for explained, layer in zip(explanation.layers, cost.layers, strict=True):
        assert explained.name == layer.name
        check_layer(explained, layer)
    totals = {total.quantity: total.result for total in explanation.totals}
    assert totals.pop("FLOPs of one training step") == cost.flops.total.contraction
    assert totals == {quantity: number(cost) for quantity, number in NUMBERS.items()}
    return explanation


@pytest.mark.parametrize("network", zoo.names())
def test_every_number_of_every_network(network: str) -> None:
    check(archcost.cost(archcost.build(shortened(network))))


@pytest.mark.parametrize("batch", [1, 3])
def test_every_number_of_unusual_layers(batch: int) -> None:
    check(cost_of(MORE, batch))


@pytest.mark.parametrize("row", every_row(), ids=str)
def test_every_number_of_every_row(row: Row) -> None:
    """Each layer of the rows, alone on its inputs, with a weight before it where the gradient of an image is asked."""
    inputs = {f"x{i}": InputSpec(shape=t.shape[1:], dtype=t.dtype) for i, t in enumerate(row.input_types)}
    layer = row.layer.model_copy(update={"name": "layer", "inputs": tuple(inputs)})
    spec = ModelSpec(name="row", inputs=inputs or {"unread": InputSpec(shape=(2,))}, layers=(layer,))
    if any(t.rank == 0 or t.shape[0] != row.input_types[0].shape[0] for t in row.input_types):
        pytest.skip("its inputs have no common batch")
    check(archcost.cost(archcost.build(spec, row.input_types[0].shape[0] if row.inputs else 1)))


def test_numbers_beyond_64_bits() -> None:
    check(archcost.cost(archcost.build(archcost.load("vgg_d"), 1_000_000_000)))


def text_of(cost: ModelCost, layer: str | None = None) -> str:
    return render(explain(cost, layer))


def test_the_lecture_s_first_layer() -> None:
    text = text_of(archcost.cost(archcost.build(archcost.load("vgg_d"))), "stage1.conv1")
    assert "parameters: (k_H·k_W·C_in + 1)·C_out = (3·3·3 + 1)·64 = 1,792\n" in text
    assert (
        "output H: ⌊(H_in + 2·p_H − d_H·(k_H − 1) − 1)/s_H⌋ + 1 = ⌊(224 + 2·1 − 1·(3 − 1) − 1)/1⌋ + 1 = 224\n" in text
    )
    assert "MACs: B·C_out·H_out·W_out·C_in·k_H·k_W = 1·64·224·224·3·3·3 = 86,704,128" in text
    assert "FLOPs backward, input gradient: 0  (the network's first layer: nobody needs its input gradient)" in text
    assert "receptive field H, W: r_in + (k − 1)·d·j_in = 1 + (3 − 1)·1·1 = 3\n" in text
    assert "total" not in text


def test_latex() -> None:
    text = render(explain(archcost.cost(archcost.build(archcost.load("vgg_d"))), "stage1.conv1"), "latex")
    assert r"\paragraph{stage1.conv1 (conv2d): image 1$\times$3$\times$224$\times$224 $\rightarrow$" in text
    assert (
        r"&= \left\lfloor \frac{H_{in} + 2 \cdot p_{H} - d_{H} \cdot (k_{H} - 1) - 1}{s_{H}} \right\rfloor + 1" in text
    )
    assert "  &= (3 \\cdot 3 \\cdot 3 + 1) \\cdot 64 \\\\\n  &= 1{,}792" in text
    assert re.findall(r"\\begin\{(\w+\*?)\}", text) == re.findall(r"\\end\{(\w+\*?)\}", text)
    assert text.count(r"\left") == text.count(r"\right\rfloor") + text.count(r"\right)")


def test_markdown() -> None:
    text = render(explain(tiny(), "fc1"), "markdown")
    assert "### fc1 (linear): flatten1 1×8 → 1×3\n\n- parameters: `(n_in + 1)·n_out = (8 + 1)·3 = 27`\n" in text


def test_json_has_formula_values_and_result() -> None:
    data = json.loads(render(explain(tiny(), "fc1"), "json"))
    assert data["schema"] == "archcost.explain/1"
    assert data["layers"][0]["lines"][0] == {
        "quantity": "parameters",
        "formula": "(n_in + 1)*n_out",
        "values": {"n_in": 8, "n_out": 3},
        "result": 27,
        "note": None,
    }


def test_no_csv_of_an_explanation() -> None:
    with pytest.raises(archcost.ArchcostError, match="no format 'csv' here"):
        render(explain(tiny()), "csv")


def test_totals_are_sums_of_parts() -> None:
    text = text_of(tiny())
    assert "  parameters: features_1 20 + fc1 27 = 47\n" in text
    assert "  buffers: 0\n" in text
    assert "  FLOPs of one training step: forward 624 + input gradients 48 + weight gradients 624 = 1,296\n" in text


def test_a_block_explains_its_layers() -> None:
    assert [layer.name for layer in explain(tiny(), "features_1").layers] == [
        "features_1.conv1",
        "features_1.relu1",
        "features_1.pool",
    ]


def test_an_unknown_layer_is_told_with_the_nearest_names() -> None:
    with pytest.raises(SpecError) as caught:
        explain(tiny(), "features_1.conv2")
    assert str(caught.value).startswith("tiny has no layer 'features_1.conv2'\n")
    assert "'features_1.conv1'" in str(caught.value)


def notes(cost: ModelCost, layer: str) -> dict[str, str]:
    return {line.quantity: line.note for line in explain(cost, layer).layers[0].lines}


def test_why_a_gradient_is_zero() -> None:
    cost = cost_of(MORE)
    frozen = notes(cost, "frozen")
    assert frozen["FLOPs backward, weight gradient"] == "frozen: no weight gradient"
    assert frozen["FLOPs backward, input gradient"] == "the network's first layer: nobody needs its input gradient"
    before = "nothing trainable before it: nobody needs its input gradient"
    assert notes(cost, "pool")["FLOPs backward, input gradient, elementwise"] == before
    assert notes(cost, "grouped")["FLOPs backward, input gradient"] == before
    assert notes(cost, "indices")["FLOPs backward, input gradient, elementwise"] == "integers carry no gradient"
    assert notes(cost, "flat")["FLOPs backward, input gradient, elementwise"] == "passed on without arithmetic"


def test_a_shared_weight_is_counted_with_its_owner() -> None:
    (line,) = [line for line in explain(cost_of(MORE), "again").layers[0].lines if line.quantity == "parameters"]
    assert (line.result, line.formula) == (15, "15")  # its bias alone
    assert line.note == "bias; its weight belongs to code and is counted there"


GIVEN = """
name: given
input: [7]
layers:
  - {type: parameter, name: matrix, shape: [5, 7], trainable: false}
  - {type: parameter, name: shift, shape: [5]}
  - {type: linear, name: one, out_features: 5, inputs: [input], given: {weight: matrix}}
  - {type: linear, name: two, out_features: 5, inputs: [input], given: {weight: matrix, bias: shift}}
  - {type: linear, name: three, out_features: 5, inputs: [input], bias: false, given: {weight: matrix}}
"""


def test_weights_that_are_given() -> None:
    lines = [
        line
        for layer in explain(cost_of(GIVEN)).layers[2:]
        for line in layer.lines
        if line.quantity.startswith(("parameters", "FLOPs backward, weight"))
    ]
    assert [(line.result, line.note) for line in lines] == [
        (5, "bias; its weight is given by matrix"),
        (5, "bias added, for the bias"),
        (0, "its weight is given by matrix; its bias is given by shift"),
        (5, "bias added, for the bias"),
        (0, "its weight is given by matrix"),
        (0, "nothing trainable gives its weights: nobody needs their gradient"),
    ]


def test_parts_of_elementwise_work_are_named_and_added() -> None:
    lines = {line.quantity: line for line in explain(cost_of(MORE), "bn").layers[0].lines}
    # 6 channels of 4×4: 96 values; 5 to standardise, 1 to scale, 1 to shift
    assert lines["FLOPs forward, elementwise: standardised"].result == 480
    assert lines["FLOPs forward, elementwise: scaled by the weight"].result == 96
    assert lines["FLOPs forward, elementwise"].formula == "480 + 96 + 96"


def test_branches_are_joined_by_their_hull() -> None:
    # `adaptive` and `other` see the same; of `joined`, one branch sees 1 and the other 3 + 2 = 5 inputs.
    branches = """
name: branches
input: [2, 9, 9]
layers:
  - {type: identity, name: start}
  - {type: conv2d, name: one, out_channels: 2, kernel_size: 3, padding: 1}
  - {type: conv2d, name: two, out_channels: 2, kernel_size: 3, padding: 1}
  - {type: add, name: joined, inputs: [start, two]}
"""
    cost = cost_of(branches)
    check(cost)
    (line,) = [x for x in explain(cost, "joined").layers[0].lines if x.quantity == "receptive field H, W"]
    assert (line.result, line.note) == (5, "the branches' views together: [0, 0] and [-2, 2]")


def test_jumps_may_be_fractions() -> None:
    lines = {line.quantity: line.result for line in explain(cost_of(MORE), "wider").layers[0].lines}
    strides = lines["effective stride H"], lines["effective stride W"]
    assert strides == (Fraction(1, 2), Fraction(1, 2))  # pool 2, upsample 1/2, transposed 1/2


def test_sides_of_a_line_are_not_repeated() -> None:
    line = next(line for line in explain(tiny(), "features_1.relu1").layers[0].lines if line.quantity == "parameters")
    assert working(line) == ["0"]
    sizes = next(line for line in explain(cost_of(MORE), "again").layers[0].lines if line.quantity == "parameters")
    assert working(sizes) == ["15"]
    assert working(sizes, LATEX) == ["15"]
