"""The table of a network in every form. Golden text: see networks.py for the arithmetic."""

from __future__ import annotations

import csv
import io
import json
import re
from html.parser import HTMLParser

import pytest

import archcost
from archcost.report import render
from archcost.report.grouping import Folded
from archcost.spec import zoo
from tests.report.networks import cost_of, tiny
from tests.specs.language_models import NARROW
from tests.specs.variants import shortened

TEXT = """\
tiny, batch 1: A <small> & tidy_network

Nobody, 50% of a {paper}, 2020

layer             type        output shape      parameters  MACs  FLOPs forward  FLOPs backward
----------------  ----------  ----------------  ----------  ----  -------------  --------------
features_1.conv1  conv2d      1×2×4×4                   20   288            576             576
features_1.relu1  relu        1×2×4×4                    0     0              0               0
features_1.pool   max_pool2d  1×2×2×2, 1×2×2×2           0     0              0               0
flatten1          flatten     1×8                        0     0              0               0
fc1               linear      1×3                       27    24             48              96
----------------  ----------  ----------------  ----------  ----  -------------  --------------
total                                                   47   312            624             672

FLOPs in this table are those of contractions, 2 a MAC. Backward is one step of training.

parameters       47 = 42 without biases + 5 biases
trainable        47, and 0 frozen
buffers          0 values kept but never trained
MACs             312
receptive field  4×4 of features_1.pool in input, effective stride 2×2, effective padding 0×0
published        parameters 47, top-1 error 12.5 %

FLOPs                       contraction  elementwise
--------------------------  -----------  -----------
forward                             624           99
backward, input gradients            48           40
backward, weight gradients          624           35
--------------------------  -----------  -----------
one step of training              1,296          174
"""

MARKDOWN_TABLE = """\
| layer            | type       | output shape     |   parameters |   MACs |   FLOPs forward |   FLOPs backward |
|:-----------------|:-----------|:-----------------|-------------:|-------:|----------------:|-----------------:|
| features_1.conv1 | conv2d     | 1×2×4×4          |           20 |    288 |             576 |              576 |
| features_1.relu1 | relu       | 1×2×4×4          |            0 |      0 |               0 |                0 |
| features_1.pool  | max_pool2d | 1×2×2×2, 1×2×2×2 |            0 |      0 |               0 |                0 |
| flatten1         | flatten    | 1×8              |            0 |      0 |               0 |                0 |
| fc1              | linear     | 1×3              |           27 |     24 |              48 |               96 |
| total            |            |                  |           47 |    312 |             624 |              672 |
"""

FOLDED_ROWS = """\
features_1  3 layers  1×2×2×2, 1×2×2×2          20   288            576             576
flatten1    flatten   1×8                        0     0              0               0
fc1         linear    1×3                       27    24             48              96
"""


def test_text() -> None:
    assert render(tiny()) == TEXT


def test_markdown() -> None:
    text = render(tiny(), "markdown")
    assert text.startswith("## tiny, batch 1: A \\<small> & tidy_network\n\nNobody, 50% of a {paper}, 2020\n\n| layer")
    assert MARKDOWN_TABLE in text


def test_latex_escapes_and_balances() -> None:
    text = render(tiny(), "latex")
    assert r"A \textless{}small\textgreater{} \& tidy\_network" in text
    assert r"Nobody, 50\% of a \{paper\}, 2020" in text
    assert r" features\_1.conv1 & conv2d     & 1$\times$2$\times$4$\times$4 " in text
    assert re.search(r"\\midrule\n total +& +& +& +47 & +312 & +624 & +672 \\\\\n\\bottomrule", text)
    assert re.findall(r"\\begin\{(\w+)\}", text) == re.findall(r"\\end\{(\w+)\}", text)
    assert not re.search(r"(?<!\\)[_&#]", re.sub(r" & ", "", text)), "nothing special stands unescaped"
    assert all(ord(character) < 128 for character in text)


class Cells(HTMLParser):
    """The texts of a fragment's table cells; unbalanced tags fail."""

    def __init__(self, fragment: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.cells: list[str] = []
        self.feed(fragment)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("td", "th"):
            self.cells.append(data.strip())


def test_html_escapes_and_is_what_a_notebook_shows() -> None:
    text = tiny()._repr_html_()  # pyright: ignore[reportPrivateUsage]
    assert text == render(tiny(), "html")
    assert "<h3>tiny, batch 1: A &lt;small&gt; &amp; tidy_network</h3>" in text
    cells = Cells(text).cells
    assert cells[:9] == [
        "layer",
        "type",
        "output shape",
        "parameters",
        "MACs",
        "FLOPs forward",
        "FLOPs backward",
        "features_1.conv1",
        "conv2d",
    ]


def test_csv_has_plain_integers_and_no_total() -> None:
    rows = list(csv.DictReader(io.StringIO(render(cost_of(WIDE), "csv"))))
    assert [row["layer"] for row in rows] == ["fc1", "fc2"]
    # 1000·2000 + 2000 weights; 3 samples are not in them
    assert (rows[0]["parameters"], rows[0]["biases"], rows[0]["output_shape"]) == ("2002000", "2000", "1x2000")
    assert rows[1]["flops_backward_input_contraction"] == "12000"  # 2·2000·3


WIDE = """
name: wide
input: [1000]
layers:
  - {type: linear, out_features: 2000}
  - {type: linear, out_features: 3}
"""


def test_thousands_are_separated() -> None:
    assert re.search(r"^fc1 .* 2,002,000 +2,000,000 +4,000,000 +4,000,000$", render(cost_of(WIDE)), re.MULTILINE)


def test_json_is_the_dictionary() -> None:
    assert json.loads(render(tiny(batch=2), "json")) == tiny(batch=2).to_dict()
    assert tiny().to_json() == render(tiny(), "json")


def number_rows(text: str) -> list[tuple[str, list[int]]]:
    """Names and numbers of the first table of a rendered text, the total last."""
    table = text.split("\n\n")[1 if text.count("\n\nlayer") == 0 else text[: text.index("\n\nlayer")].count("\n\n") + 1]
    lines = [line for line in table.splitlines()[1:] if not line.startswith("-")]
    return [(line.split()[0], [int(cell.replace(",", "")) for cell in line.split()[-4:]]) for line in lines]


@pytest.mark.parametrize("depth", [None, 1, 2])
@pytest.mark.parametrize("network", zoo.names())
def test_columns_add_up_to_the_printed_total(network: str, depth: int | None) -> None:
    cost = archcost.cost(archcost.build(shortened(network)))
    text = render(Folded(cost, depth))
    *rows, (total, sums) = number_rows(text)
    assert total == "total"
    assert [sum(column) for column in zip(*(numbers for _, numbers in rows), strict=True)] == sums
    assert sums[:2] == [cost.parameters, cost.macs]
    # Every layer of a network of blocks in blocks takes more than a screen's width; folded at two names it fits again,
    # or nearly so where the names are transformers'.
    widest = {None: 190, 2: 140 if network in NARROW else 120, 1: 126} if network in DEEP else {}
    assert max(map(len, text.splitlines())) <= widest.get(depth, 120)


DEEP = {
    *NARROW,
    *("vit_b_16", "swin_t", "resnet18_lstm", "transformer_base", "transformer_big"),
    *("vit_b_32", "vit_l_16", "vit_l_32", "vit_h_14"),
    *("gpt2", "gpt2_medium", "gpt2_large", "gpt2_xl", "gpt3_175b"),
}


def test_a_layer_of_many_outputs_keeps_the_table_narrow() -> None:
    text = render(Folded(cost_of("{name: pieces, input: [101], layers: [{type: split, split_size: 1}]}"), None))
    assert re.search(r"^split1 +split +1×1, … +0 ", text, re.MULTILINE)
    text = render(Folded(cost_of("{name: halves, input: [6], layers: [{type: split, split_size: 3}]}"), None))
    assert re.search(r"^split1 +split +1×3, 1×3 +0 ", text, re.MULTILINE)


def test_folding() -> None:
    text = render(Folded(tiny(), 1))
    assert FOLDED_ROWS in text
    parts = Folded(tiny(), 1).to_dict()["layers"]
    assert [part["name"] for part in parts] == ["features_1", "flatten1", "fc1"]
    assert (parts[0]["type"], parts[0]["folded_layers"], parts[0]["inputs"]) == (None, 3, ["input"])
    assert parts[0]["flops"]["forward"] == {"contraction": 576, "elementwise": 96}
    assert "folded_layers" not in parts[1]
    assert Folded(tiny(), 2).to_dict() == tiny().to_dict()


def test_folding_brings_scattered_layers_together() -> None:
    scattered = """
name: scattered
input: [2]
layers:
  - {type: linear, name: a.one, out_features: 2}
  - {type: relu, name: b}
  - {type: linear, name: a.two, out_features: 2}
"""
    groups = Folded(cost_of(scattered), 1).groups
    assert [(group.name, group.parameters) for group in groups] == [("a", 12), ("b", 0)]  # 2·(2·2 + 2)


def test_frozen_and_buffers_are_told() -> None:
    frozen = """
name: frozen
input: [3, 5, 5]
layers:
  - {type: conv2d, out_channels: 2, kernel_size: 1, trainable: false}
  - {type: batch_norm2d}
"""
    text = render(cost_of(frozen))
    assert "trainable        4, and 8 frozen" in text  # 3·2 + 2 frozen; 2·2 of the norm
    assert "buffers          5 values kept but never trained" in text  # 2 means, 2 variances, 1 count


def test_what_would_move_the_cursor_is_left_out() -> None:
    hostile = 'name: bad\ntitle: "a\\e[2J\\n\\n## b"\ninput: [2]\nlayers: [{type: relu}]'
    assert render(cost_of(hostile)).startswith("bad, batch 1: a[2J ## b\n\nlayer")


def test_a_long_citation_is_broken() -> None:
    long = "\n".join(["name: long", f"citation: {'word ' * 60}", "input: [2]", "layers: [{type: relu}]"])
    assert max(map(len, render(cost_of(long)).splitlines())) <= 120
