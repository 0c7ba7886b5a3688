"""A timeline as text, table and image. The small network's step is played by hand.

Float32, batch 1, momentum. 47 weights: 188 B, their momentum 188 B, the input 144 B: 520 B are there before.

forward   conv1 puts out 32 values: 648 B. relu1 as many: 776 B; then conv1's output goes, as relu keeps its own.
          pool makes 8 values and 8 indices of 8 B: 648 + 32 + 64 = 744 B. fc1 makes 3: 756 B. The sum, 4 B: 760 B.
backward  The sum's gradient, 4 B: 764 B, spread without a copy. fc1: 24 and 3 gradients of weights, and 8 handed on:
          764 + 108 + 32 = 904 B; then its input goes, pool's output: 872 B, while flatten hands on. pool: 32 gradients,
          1,000 B; then its indices and the gradient that came: 904 B. relu1: 32 gradients, 1,032 B, the peak; then its
          output and the gradient that came: 776 B. conv1: 18 and 2 gradients: 856 B; then the last gradient that came
          and the sum's: 724 B.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest

import archcost
from archcost.costs.events import Phase
from archcost.costs.timeline import Moment, Timeline
from archcost.report import render
from archcost.report.timeline import MOST_ROWS, FoldedTimeline, folded
from tests.report.networks import TINY

TEXT = """\
tiny, batch 1, on cuda, torch 2.13: a training step, fp32, sgd-momentum (foreach)

The peak is 1.01 KiB (1,032 B), at backward features_1.relu1.

phase     at                 at most
--------  ----------------  --------  -------------------------------------
before                      0.51 KiB  ████████████▒▒▒▒
forward   features_1.conv1  0.63 KiB  ████████████▒▒▒▒▒▒▒▒
forward   features_1.relu1  0.76 KiB  ████████████▒▒▒▒▒▒▒▒▒▒▒▒
forward   features_1.pool   0.73 KiB  ████████████▒▒▒▒▒▒▒▒▒▒▒
forward   flatten1          0.73 KiB  ████████████▒▒▒▒▒▒▒▒▒▒▒
forward   fc1               0.74 KiB  ████████████▒▒▒▒▒▒▒▒▒▒▒
forward   (loss)            0.74 KiB  ████████████▒▒▒▒▒▒▒▒▒▒▒▒
backward  (loss)            0.75 KiB  ████████████▒▒▒▒▒▒▒▒▒▒▒▒
backward  fc1               0.88 KiB  ███████████████▒▒▒▒▒▒▒▒▒▒▒▒░
backward  flatten1          0.85 KiB  ███████████████▒▒▒▒▒▒▒▒▒▒▒░
backward  features_1.pool   0.98 KiB  ███████████████▒▒▒▒▒▒▒▒▒▒▒░░░░░
backward  features_1.relu1  1.01 KiB  ███████████████▒▒▒▒▒▒▒▒▒░░░░░░░░ peak
backward  features_1.conv1  0.84 KiB  █████████████████▒▒▒▒▒░░░░░
after                       0.71 KiB  █████████████████▒▒▒▒▒

█ weights, gradients, optimizer state, buffers; ▒ inputs and activations; ░ temporaries.

bytes at the peak of  forward  backward, the peak  optimizer
--------------------  -------  ------------------  ---------
weights                   188                 188        188
gradients                   0                 108        188
optimizer state           188                 188        188
inputs                    144                 144        144
activations               256                 144         16
temporaries                 0                 260          0
--------------------  -------  ------------------  ---------
together                  776               1,032        724

Alive at the peak, the largest first:

bytes  tensor                               shape    why it is there
-----  -----------------------------------  -------  ------------------------------------------
  144  input input                          1×1×6×6  held by the caller
  128  features_1.relu1 output              1×2×4×4  saved by features_1.relu1 for its backward
  128  features_1.relu1 gradient            1×2×4×4  gradient of features_1.relu1's output
  128  features_1.conv1 gradient            1×2×4×4  gradient of features_1.conv1's output
   96  fc1 weight                           3×8      a weight
   96  fc1 momentum of weight               3×8      kept from step to step
   96  fc1 gradient of weight               3×8      kept for the optimizer
   72  features_1.conv1 weight              2×1×3×3  a weight
   72  features_1.conv1 momentum of weight  2×1×3×3  kept from step to step
   12  fc1 bias                             3        a weight
   12  fc1 momentum of bias                 3        kept from step to step
   12  fc1 output                           1×3      returned, and held by the caller
   12  and 1 more: gradients                12 B
    8  and 1 more: weights                  8 B
    8  and 1 more: optimizer state          8 B
    4  and 1 more: activations              4 B
    4  and 1 more: temporaries              4 B
-----  -----------------------------------  -------  ------------------------------------------
1,032  all 17
"""

SGD = archcost.Run(optimizer="sgd-momentum", torch="2.13")


def line_of(text: str = TINY, run: archcost.Run = SGD, batch: int = 1) -> Timeline:
    return archcost.timeline(archcost.build(archcost.loads(text), batch), run, "cuda")


def test_text() -> None:
    assert render(line_of()) == TEXT


def test_columns_add_up_to_what_is_printed() -> None:
    """Of a network whose list is cut, in a run that has every role."""
    line = archcost.timeline(archcost.build(archcost.load("resnet18"), 2), archcost.Run(precision="amp-bf16"), "cuda")
    roles, alive = render(line).split("bytes at the peak of")[1].split("Alive at the peak")
    table = [
        list(map(_number, re.findall(r"[\d,]+", row))) for row in roles.splitlines()[2:] if re.search(r" [\d,]+$", row)
    ]
    for *parts, total in zip(*table, strict=True):
        assert sum(parts) == total > 0
    sizes = [_number(match) for match in re.findall(r"^ *([\d,]+)  ", alive, re.MULTILINE)]
    assert sum(sizes[:-1]) == sizes[-1] == line.peak


def _number(text: str) -> int:
    return int(text.replace(",", ""))


def test_json() -> None:
    line = line_of()
    data = json.loads(line.to_json())
    assert data["schema"] == "archcost.timeline/1"
    settings = ("network", "batch", "device", "mode", "precision", "optimizer", "optimizer_impl", "recompute", "loss")
    assert [data[key] for key in settings] == [
        "tiny", 1, "cuda", "train", "fp32", "sgd-momentum", "foreach", "none", "sum",
    ]  # fmt: skip
    assert (data["peak_bytes"], data["peak_at"], data["recomputed_flops"]) == (1032, "backward features_1.relu1", 0)
    assert [moment["peak_bytes"] for moment in data["moments"]] == [
        520, 648, 776, 744, 744, 756, 760, 764, 904, 872, 1000, 1032, 856, 724,
    ]  # fmt: skip
    assert data["alive"][1] == {
        "owner": "features_1.relu1",
        "what": "output",
        "role": "activations",
        "shape": [1, 2, 4, 4],
        "dtype": "float32",
        "bytes": 128,
        "why": "saved by features_1.relu1 for its backward",
    }
    assert sum(alive["bytes"] for alive in data["alive"]) == sum(data["by_role"].values()) == 1032


def test_other_formats() -> None:
    line = line_of()
    assert render(line, "csv").splitlines()[:3] == [
        "phase,name,peak_bytes,weights,gradients,optimizer_state,buffers,inputs,activations,temporaries,workspace,kv_cache,network",
        "before,,520,188,0,188,0,144,0,0,0,0,tiny",
        "forward,features_1.conv1,648,188,0,188,0,144,128,0,0,0,tiny",
    ]
    assert "| forward | features_1.conv1 | 0.63 KiB | ████████████▒▒▒▒▒▒▒▒" in re.sub(
        " +", " ", render(line, "markdown")
    )
    latex = render(line, "latex")
    assert r"features\_1.conv1 & 0.63 KiB & \rule{3.6em}{1.5ex}\rule{2.4em}{1.0ex}" in re.sub(" +", " ", latex)
    assert not set(latex) & set("█▒░")


def test_a_page_has_an_image_that_is_as_high_as_the_bars() -> None:
    page = render(line_of(), "html")
    svg = ElementTree.fromstring(page[page.index("<svg") : page.index("</svg>") + 6])
    polygons = [each.get("points", "") for each in svg if each.tag.endswith("polygon")]
    tops = [[float(point.split(",")[1]) for point in points.split()] for points in polygons]
    # 204 pixels from 220 up to 16 are the peak; the first polygon reaches it, and begins with 520 of 1,032 B.
    assert min(tops[0]) == 16.0
    assert tops[0][1] == pytest.approx(220 - 204 * 520 / 1032, abs=0.05)  # pyright: ignore[reportUnknownMemberType]
    assert len(polygons) == 6  # weights, gradients, momentum, input, activations, temporaries
    words = [each.text for each in svg if each.tag.endswith("text")]
    assert {"1.01 KiB", "516 B", "0 B", "forward", "backward", "optimizer state"} <= set(words)
    assert "█" not in page


def test_names_are_escaped_in_the_image() -> None:
    line = line_of()
    hostile = archcost.build(archcost.loads(TINY))
    graph = replace(hostile, spec=hostile.spec.model_copy(update={"name": "<b>&"}))
    page = render(archcost.timeline(graph, line.run, "cuda"), "html")
    assert "<title>&lt;b&gt;&amp;: 1.01 KiB at backward features_1.relu1</title>" in page
    assert "<b>" not in page


def _moment(phase: Phase, name: str, peak: int) -> Moment:
    return Moment(phase, name, peak, (peak, 0, 0, 0, 0, 0, 0, 0))


def test_folding_takes_the_highest_of_neighbours() -> None:
    moments = [
        _moment("forward", "a.x (input as bfloat16)", 1),
        _moment("forward", "a.x", 5),
        _moment("forward", "a.y.z", 3),
        _moment("forward", "b", 4),
        _moment("forward", "a.x", 2),
        _moment("backward", "a.x", 6),
    ]
    assert [(m.phase, m.name, m.peak) for m in folded(moments, 1)] == [
        ("forward", "a", 5), ("forward", "b", 4), ("forward", "a", 2), ("backward", "a", 6),
    ]  # fmt: skip
    assert [(m.name, m.peak) for m in folded(moments, 2)][:2] == [("a.x", 5), ("a.y", 3)]


def test_folding_puts_what_is_recomputed_with_its_backward() -> None:
    moments = [
        _moment("recompute", "a.x", 1),
        _moment("recompute", "a.y", 7),
        _moment("backward", "a.y", 3),
        _moment("backward", "a.x", 2),
    ]
    assert [(m.phase, m.name, m.peak) for m in folded(moments, 1)] == [("backward", "a", 7)]
    assert [(m.phase, m.name, m.peak) for m in folded(moments, 2)] == [
        ("recompute", "a.x", 1), ("backward", "a.y", 7), ("backward", "a.x", 2),
    ]  # fmt: skip


def test_depth() -> None:
    """Text is folded to a screen where nothing else is asked for; data only when it is."""
    line = archcost.timeline(archcost.build(archcost.load("vgg_d")))
    rows = [row for row in render(line).splitlines() if re.match("(before|forward|backward|optimizer|after)  ", row)]
    assert 20 < len(rows) <= MOST_ROWS
    assert sum(row.endswith(" peak") for row in rows) == 1
    whole = json.loads(render(FoldedTimeline(line, None), "json"))["moments"]
    part = json.loads(render(FoldedTimeline(line, 1), "json"))["moments"]
    assert len(part) < len(whole) == len(line.moments)
    assert max(moment["peak_bytes"] for moment in part) == line.peak
    assert len(render(FoldedTimeline(line, 1), "csv").splitlines()) == len(part) + 1


def test_what_is_recomputed_is_said() -> None:
    # conv1 and relu1 run again, pool not: it makes nothing that is kept but the indices that it keeps, so it does:
    # 576 + 32 FLOPs of bias + 32 of relu + 32 comparisons of pool.
    run = archcost.Run(optimizer="sgd", recompute="features_1")
    assert "Computed a second time in backward: 672 FLOPs.\n" in render(line_of(run=run))


@pytest.mark.parametrize(
    ("run", "text", "words"),
    [
        (archcost.Run(mode="infer"), TINY, "inference without autograd, fp32"),
        (archcost.Run(mode="infer-autograd"), TINY, "inference with autograd left on, fp32"),
        (archcost.Run(optimizer="none"), TINY, "a training step, fp32, no optimizer"),
        (
            archcost.Run(precision="bf16", master_weights=True, accumulation=4, recompute="every:2", in_place=True),
            TINY,
            "a training step, bf16, adam (foreach), master weights, 4 batches a step, recompute every:2, "
            "activations in place",
        ),
        (archcost.Run(in_place=False), f"loss: none\n{TINY}", "forward in training mode, without a loss, fp32"),
    ],
)
def test_settings_in_words(run: archcost.Run, text: str, words: str) -> None:
    title = render(line_of(text, run)).split("\n\n")[0]
    assert " ".join(title.split()) == f"tiny, batch 1, on cuda, torch {run.torch}: {words}"


def test_a_network_without_layers() -> None:
    text = render(line_of("name: empty\ninput: [3]\nlayers: []\n"))
    assert "The peak is 12 B (12 B), at before.\n" in text
    assert "12  input input  1×3    held by the caller" in text
