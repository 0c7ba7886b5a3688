"""Pictures, read as what matplotlib draws and not as pixels; and the files, as other programs read them."""

from __future__ import annotations

import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest

import archcost
from archcost.cli import main
from archcost.pictures.boxes import Box, Boxes, boxes
from archcost.pictures.graph import few_arrows
from archcost.pictures.graph_layout import layout
from archcost.pictures.graph_text import dot, mermaid
from archcost.pictures.volumes import volumes
from archcost.pictures.volumes_drawing import scale_of, standing
from tests.pictures import kept

SVG = "{http://www.w3.org/2000/svg}"

TWO_LAYERS = """
name: two
input: [3]
layers:
  - {name: "first", type: linear, out_features: 2}
  - {name: "last", type: linear, out_features: 5, bias: false}
"""


def drawn(picture: archcost.Picture, gid: str) -> object:
    (found,) = [each for each in picture.figure.findobj() if each.get_gid() == gid]
    return found


def words(picture: archcost.Picture) -> list[str]:
    figure = picture.figure
    return [text.get_text() for text in figure.findobj() if hasattr(text, "get_text") and text.get_text()]


def test_bands_of_a_timeline_are_bytes_by_role() -> None:
    picture = archcost.plot(archcost.loads(TWO_LAYERS), "timeline", optimizer="none")
    # weights: (3 + 1) * 2 + 2 * 5 = 18 values of 4 bytes, from the first moment to the last
    values, edges, baseline = drawn(picture, "weights").get_data()
    assert set(values) == {72.0}
    assert set(baseline) == {0.0}
    assert len(edges) == len(values) + 1
    # gradients: none before backward, of all weights at the end; they stand on the weights
    values, _, baseline = drawn(picture, "gradients").get_data()
    assert (values[0], values[-1]) == (72.0, 72.0 + 72.0)
    assert set(baseline) == {72.0}
    top = drawn(picture, "peak").get_ydata()[0]
    line = archcost.timeline(archcost.build(archcost.loads(TWO_LAYERS)), archcost.Run(optimizer="none"), "cuda")
    assert top == line.peak == sum(line.by_role.values())


@pytest.mark.parametrize(
    ("device", "batch", "told"),
    [
        ("nvidia-gtx-580-3gb", 16, "nvidia-gtx-580-3gb: "),  # near the peak: a line across
        ("nvidia-rtx-4090", 1, "↑ nvidia-rtx-4090: 23.64 GiB, "),  # far above it: told, and the step fills the picture
    ],
)
def test_capacity_is_a_line_or_is_told(device: str, batch: int, told: str) -> None:
    picture = archcost.plot("vgg_a", "timeline", batch=batch, hardware=device)
    assert any(text.startswith(told) for text in words(picture))
    lines = [next(iter(line.get_ydata())) for line in picture.figure.axes[0].lines if line.get_gid() == "capacity"]
    assert lines == ([3.0] if told.startswith("nvidia") else [])  # GiB


def bars(picture: archcost.Picture, panel: int) -> dict[str, float]:
    axes = picture.figure.axes
    names = [label.get_text() for label in axes[0].get_yticklabels()]
    lengths = [0.0] * len(names)
    for container in axes[panel].containers:
        for place, patch in enumerate(container):
            lengths[place] += patch.get_width()
    return dict(zip(names, lengths, strict=True))


def test_bars_of_lenet5_are_the_lectures_figures() -> None:
    picture = archcost.plot("lenet5", "layers")
    parameters, macs = bars(picture, 0), bars(picture, 1)
    by_hand = {"conv1": (156, 117_600), "conv3": (2_416, 240_000), "fc5": (48_120, 48_000), "fc6": (10_164, 10_080)}
    assert {name: (parameters[name], macs[name]) for name in by_hand} == by_hand
    assert sum(parameters.values()) == 61_706  # the rest is in "all others"
    assert sum(macs.values()) == 416_520
    peak = archcost.timeline(archcost.build("lenet5"), archcost.Run(), "cuda").peak
    assert sum(bars(picture, 2).values()) * 1024 == pytest.approx(peak)


def test_bars_add_up_and_stay_few_where_a_network_is_deep() -> None:
    picture = archcost.plot("resnet50", "layers", hardware="nvidia-t4", batch=8, precision="amp-fp16")
    assert len(bars(picture, 0)) <= 33
    assert sum(bars(picture, 0).values()) == 25_557_032
    step = archcost.estimate("resnet50", 8, hardware="nvidia-t4", precision="amp-fp16").time
    assert step is not None
    layers = sum(layer.seconds for layer in step.layers)
    assert sum(bars(picture, 3).values()) / 1e3 == pytest.approx(layers)


def test_a_device_without_a_rate_leaves_the_time_out_and_says_so() -> None:
    picture = archcost.plot("lenet5", "layers", hardware="nvidia-gtx-580-3gb", precision="fp16")
    assert len(picture.figure.axes) == 3
    assert any("no time: nvidia-gtx-580-3gb has no rate for float16" in text for text in words(picture))


def test_a_graph_is_all_layers_where_they_are_few() -> None:
    picture = archcost.plot("conv_autoencoder_lecture", "graph")
    found = boxes(archcost.cost(archcost.build("conv_autoencoder_lecture")), None, 50)
    assert [box.name for box in found.boxes][:3] == ["image", "down1.conv", "down1.tanh"]
    assert found.boxes[1].lines == ("conv2d", "1×6×28×28", "156 parameters")
    names = [box.name for box in found.boxes]
    reads = {(names[arrow.source], names[arrow.target]) for arrow in found.arrows}
    assert {("down1.pool", "double1.up"), ("tanh5", "double1.up")} <= reads  # what an unpooling reads
    assert f"box-{names[-1]}" in {each.get_gid() for each in picture.figure.findobj()}
    assert len([each for each in picture.figure.findobj() if str(each.get_gid()).startswith("arrow-")]) == 19


@pytest.mark.parametrize("network", ["resnet50", "googlenet", "gpt2", "unet"])
def test_boxes_of_deep_networks_are_few_lead_on_and_lose_no_layer(network: str) -> None:
    cost = archcost.cost(archcost.build(network))
    found = boxes(cost, None, 52)
    assert len(found.boxes) <= 52
    assert found.layers == len(cost.layers)
    assert all(arrow.source < arrow.target for arrow in found.arrows)
    few = few_arrows(found)
    placed = layout(len(few.boxes), [(arrow.source, arrow.target) for arrow in few.arrows])
    assert len(set(placed.centres)) == len(found.boxes)  # none on top of another
    rows: dict[float, list[float]] = {}
    for x, y in placed.centres:
        rows.setdefault(y, []).append(x)
    for row in rows.values():
        row.sort()
        assert all(b - a > 0.999 for a, b in pairwise(row))
    assert 0 <= min(x for x, _ in placed.centres) <= max(x for x, _ in placed.centres) <= placed.width


def test_layers_without_blocks_are_folded_in_a_row() -> None:
    chain = "name: deep\ninput: [2]\nlayers:\n" + "".join(f"  - {{name: l{i}, type: relu}}\n" for i in range(90))
    found = boxes(archcost.cost(archcost.build(archcost.loads(chain))), None, 52)
    assert [box.name for box in found.boxes] == ["input", "l0 … l89"]


def test_names_are_words_and_nothing_else_in_other_programs() -> None:
    """Our own names are of letters and digits; those of a module that somebody imports may become others one day."""
    one = Boxes((Box('a"b<i>\\n`_#', "linear", ("$x$\n-->",)),), (), 1)
    assert '[label="a\\"b<i>\\\\n`_#\\n$x$ -->"' in dot(one, "mark", "t")
    assert '["<b>a#quot;b#lt;i#gt;#92;n#96;#95;#35;</b><br/>$x$ --#gt;"]' in mermaid(one, "mark", "t")


def test_dot_and_mermaid_have_every_layer_and_arrow() -> None:
    picture = archcost.plot("conv_autoencoder_lecture", "graph")
    graphviz, flowchart = picture.content("dot").decode(), picture.content("mmd").decode()
    assert graphviz.splitlines()[:2] == [
        "// archcost picture: graph of conv_autoencoder_lecture",
        'digraph "conv_autoencoder_lecture" {',
    ]
    assert len(re.findall(r"^  n\d+ \[label=", graphviz, re.MULTILINE)) == 18
    assert len(re.findall(r"^  n\d+ -> n\d+;$", graphviz, re.MULTILINE)) == 19
    assert '  n1 [label="down1.conv\\nconv2d\\n1×6×28×28\\n156 parameters", fillcolor="#9CC9E8"];' in graphviz
    assert len(re.findall(r'^  n\d+[\[(]+".*"[\])]+$', flowchart, re.MULTILINE)) == 18
    assert len(re.findall(r"^  n\d+ --> n\d+$", flowchart, re.MULTILINE)) == 19
    assert picture.content("md").decode().splitlines()[1] == "```mermaid"
    assert archcost.plot("gpt2", "graph").content("mmd").decode().count("weight") == 1  # of the tied head


def test_mermaid_stays_within_what_it_accepts() -> None:
    flowchart = archcost.plot("deepseek_v2_lite", "graph").content("mmd").decode()
    assert len(flowchart) < 50_000
    assert flowchart.count(" --> ") < 500


def test_files_are_the_same_each_time_and_say_what_they_show() -> None:
    two = archcost.loads(TWO_LAYERS)
    once = archcost.plot(two, "layers")
    for ending in ("svg", "png"):
        first = once.content(ending)
        assert first == archcost.plot(two, "layers").content(ending), ending  # whatever was written before
        assert b"archcost picture: layers of two" in first
    root = ElementTree.fromstring(archcost.plot("lenet5", "timeline").content("svg"))
    assert root.get("role") == "img"
    labels = {each.get("id"): each.text for each in root if each.tag in (f"{SVG}title", f"{SVG}desc")}
    assert list(labels) == root.get("aria-labelledby", "").split()
    title, description = labels.values()
    assert title == "lenet5, batch 1: memory of a training step, fp32, adam (foreach)"
    assert "The peak is" in str(description)
    assert "weights: 241.04 KiB" in [each.text for each in root.iter(f"{SVG}text")]  # text stays text


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("lenet5 --kind timelin -o a.svg", "try: 'timeline'"),
        ("lenet5 -o a.svg", "no kind of picture"),
        ("lenet5 --kind graph", "no file to write to"),
        ("lenet5 --kind graph -o a.jpg", ".svg, .png, .pdf, .dot, .gv, .mmd, .md"),
        ("lenet5 --kind layers -o a.dot", "try: --kind graph"),
        ("lenet5 --kind layers -o a", "no ending"),
        ("lenet5 vgg_d --kind layers -o a.svg", "is of one network"),
        ("lenet5 --kind graph --precision bf16 -o a.svg", "found: settings of a run"),
        ("lenet5 --kind graph --hardware nvidia-t4 -o a.svg", "found: hardware"),
        ("lenet5 --kind timeline --precision bf16 --precision fp32 -o a.svg", "one value of --precision"),
        ("lenet5 --kind layers --engine eager -o a.svg", "a device"),
        ("lenet5 --kind roofline -o a.svg", "no roofline without a device"),
        ("lenet5 --kind roofline --hardware nvidia-gtx-580-3gb --precision fp16 -o a.svg", "has no rate for float16"),
        ("lenet5 --kind roofline --hardware 24GB -o a.svg", "no roofline without a data sheet"),
        ("lenet5 --kind pareto -o a.svg", "no pareto without a device"),
        ("vgg_d --kind pareto --batch 9999 --hardware nvidia-t4 -o a.svg", "without a configuration that fits"),
        ("lenet5 --kind pareto --hardware nvidia-t4 --columns cost,batch -o a.svg", "try: --price"),
        ("lenet5 --kind pareto --hardware nvidia-t4 --columns batch -o a.svg", "a plane has two axes"),
        ("gpt2 --kind error -o a.svg", "no error without a published error"),
        ("lenet5 vgg_d --kind error -o a.svg", "lenet5 of 10, vgg_d of 1,000"),
        ("lenet5 --kind volumes --batch 2 -o a.svg", "found: batch"),
        ("lenet5 --kind timeline -o no/such/folder/a.svg", "cannot be written: No such file"),
        ("lenet5 --kind timeline -o theirs.svg", "is there, and would be overwritten"),
        ("lenet5 --kind timeline -o vgg.svg", "an earlier picture of this kind of the same network"),
    ],
)
def test_what_cannot_be_drawn_is_told(
    words: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("theirs.svg").write_text("<svg/>")
    Path("vgg.svg").write_text("<!-- archcost picture: timeline of vgg_d -->")
    assert main(["plot", *words.split()]) == 2
    assert told in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["theirs.svg", "vgg.svg"]


@pytest.mark.parametrize("ending", ["pdf", "dot"])
def test_a_picture_of_ours_is_replaced_by_the_same(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{ending}"
    command = ["plot", "lenet5", "--kind", "graph", "-o", str(path)]
    assert main(command) == 0
    first = path.read_bytes()
    assert main(command) == 0
    assert path.read_bytes() == first


def test_without_matplotlib_the_extra_is_named_and_text_is_written() -> None:
    script = """
import sys
sys.modules["matplotlib"] = None
from archcost.cli import main
print(main(["plot", "lenet5", "--kind", "graph", "-o", "/dev/null.dot"]))
import archcost
print(len(archcost.plot("lenet5", "graph").content("dot")))
archcost.plot("lenet5", "graph").figure
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert "pip install 'archcost[plot]'" in done.stderr
    assert done.stdout.split()[1].isdigit()


def test_volumes_of_alexnet_are_two_towers_that_meet_where_they_do() -> None:
    found = volumes(archcost.load("alexnet_2012"), None)
    sizes = {volume.name: volume.size for volume in found.volumes}
    assert sizes == {  # section 3.5 of the paper, and its figure 2
        "image": "227×227×3",
        "conv1": "55×55×(48+48)",
        "pool1": "27×27×(48+48)",
        "conv2": "27×27×(128+128)",
        "pool2": "13×13×(128+128)",
        "conv3": "13×13×(192+192)",
        "conv4": "13×13×(192+192)",
        "conv5": "13×13×(128+128)",
        "pool5": "6×6×(128+128)",
        "classifier.fc6": "4,096",
        "classifier.fc7": "4,096",
        "classifier.fc8": "1,000",
    }
    picture = archcost.plot("alexnet_2012", "volumes")
    lines = [str(each.get_gid()) for each in picture.figure.findobj() if str(each.get_gid()).startswith("link-")]
    names = list(sizes)
    across = {names[int(line.split("-")[2])] for line in lines if lines.count(line) == 4}
    assert across == {"conv3"}  # each tower of it sees both; all others see their own
    assert archcost.plot("alexnet", "volumes").description.startswith("In order: image 227×227×3, conv1 55×55×96, ")


def test_volumes_are_to_scale() -> None:
    found = volumes(archcost.load("vgg_d"), None).volumes
    assert [(v.height, v.channels) for v in found if v.family == "pooling"] == [
        (112, 64), (56, 128), (28, 256), (14, 512), (7, 512),
    ]  # fmt: skip
    scale = scale_of(found)
    placed = dict(zip([volume.name for volume in found], standing(found, scale), strict=True))
    assert (placed["stage1.conv1"].tall, placed["stage1.conv1"].wide) == (224.0, 224.0)
    assert placed["stage4.conv1"].length / placed["stage3.conv1"].length == pytest.approx(512 / 256)
    assert placed["fc7"].tall == pytest.approx(8 * placed["stage4.conv1"].length)  # 4,096 and 512 channels
    ordered = list(placed.values())
    assert all(before.right < after.left for before, after in pairwise(ordered))


def test_an_autoencoder_is_an_hourglass_with_indices_across() -> None:
    found = volumes(archcost.load("conv_autoencoder_lecture"), None)
    names = [volume.name for volume in found.volumes]
    heights = [volume.height for volume in found.volumes if volume.family != "linear"]
    assert heights == [32, 28, 14, 10, 5, 5, 10, 14, 28, 32]
    over = {(names[link.source], names[link.target]) for link in found.links if link.is_indices}
    assert over == {("down1.pool", "double1.up"), ("down2.pool", "double2.up")}


def test_layers_whose_outputs_are_no_maps_are_told() -> None:
    assert "Left out: 71 layers" in archcost.plot("swin_t", "volumes").description
    with pytest.raises(archcost.ArchcostError, match="no volumes without"):
        archcost.plot(
            archcost.loads("name: s\ninput: {shape: [3, 2], batched: false}\nlayers: [{type: relu}]"), "volumes"
        )


def test_marks_of_a_roofline_are_flops_for_each_byte_and_second() -> None:
    picture = archcost.plot("lenet5", "roofline", batch=64, hardware="nvidia-t4", mode="infer")
    bandwidth, roof = (drawn(picture, gid).get_data() for gid in ("bandwidth", "float32"))
    assert bandwidth[1][1] / bandwidth[0][1] == pytest.approx(320e9)  # the data sheet's
    assert set(roof[1]) == {8.1e12}
    (ridge, _), _ = roof
    assert ridge == pytest.approx(8.1e12 / 320e9)
    step = archcost.estimate("lenet5", 64, hardware="nvidia-t4", mode="infer").time
    assert step is not None
    fc5 = next(layer.parts[0] for layer in step.layers if layer.name == "fc5")
    # fc5: 64 x 400 x 120 MACs; read: input, weights and biases, written: the output, 4 bytes each
    assert fc5.flops == 2 * 64 * 400 * 120
    assert fc5.nbytes == 4 * (64 * 400 + 400 * 120 + 120 + 64 * 120)
    offsets = drawn(picture, "products-forward").get_offsets()
    at = [fc5.flops / fc5.nbytes, fc5.flops / fc5.seconds]
    assert any(list(point) == pytest.approx(at) for point in offsets)
    assert "backward" not in "".join(words(picture))


def test_a_pareto_front_is_what_no_other_beats() -> None:
    picture = archcost.plot("lenet5", "pareto", batch=[1, 8, 64], hardware=["nvidia-t4", "nvidia-rtx-3090"])
    series = {
        str(each.get_gid()).removeprefix("series-"): list(zip(*each.get_data(), strict=True))
        for each in picture.figure.findobj()
        if str(each.get_gid()).startswith("series-")
    }
    assert set(series) == {"nvidia-t4", "nvidia-rtx-3090"}
    everywhere = [point for points in series.values() for point in points]
    assert len(everywhere) == 6
    best = [
        (x, y)
        for x, y in everywhere
        if not any(a <= x and b >= y and (a, b) != (x, y) for a, b in everywhere)  # less memory, more samples a second
    ]
    assert sorted(zip(*drawn(picture, "best").get_data(), strict=True)) == sorted(best)


def test_a_long_row_of_a_sweep_is_drawn_every_few() -> None:
    picture = archcost.plot("lenet5", "pareto", batch=range(1, 3_001), hardware="nvidia-t4")
    batches = drawn(picture, "series-nvidia-t4").get_xdata()
    assert len(batches) <= 301
    assert "Of 3,000 in a row, 300 are drawn." in words(picture)


def test_errors_are_those_of_the_paper_over_what_is_counted() -> None:
    picture = archcost.plot(["vgg_a", "vgg_d"], "error")
    vgg = {gid: drawn(picture, gid).get_xydata().tolist() for gid in ("vgg-0-0", "vgg-1-1")}
    # table 3 of arXiv:1409.1556: A, A-LRN, B, C, D, E
    assert sorted(error for _, error in vgg["vgg-0-0"]) == [25.5, 25.6, 27.3, 28.7, 29.6, 29.7]
    assert [138_357_544, 25.6] in vgg["vgg-0-0"]
    assert [15_470_264_320, 8.1] in vgg["vgg-1-1"]
    assert {"vgg_a", "vgg_d"} <= set(words(picture))
    assert "lenet5" not in picture.description + "".join(words(picture))  # whose error is on another task


@pytest.mark.parametrize("name", kept.KEPT)
def test_kept_pictures_say_what_they_would_say_now(name: str) -> None:
    root = ElementTree.parse(kept.FOLDER / f"{name}.svg").getroot()
    said = next(each.text for each in root if each.tag == f"{SVG}desc")
    assert said == kept.made(name).description, "make pictures draws them again"


def test_the_page_shows_every_picture_that_is_kept() -> None:
    page = (kept.FOLDER.parent / "plots.md").read_text()
    shown = set(re.findall(r"\]\(pictures/(\w+)\.svg\)", page))
    assert shown == set(kept.KEPT) == {path.stem for path in kept.FOLDER.iterdir()}
