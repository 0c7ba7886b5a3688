"""`archcost show`: a spec with what can be changed of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import archcost
from archcost.cli import main
from archcost.spec.shown import comments, show

TEXT = """
name: reader
inputs: {tokens: {shape: [$tokens], dtype: int64}, other: [3]}
parameters:
  width: 4           # of each token
  tokens: $width * 2
  kernel: [3, 5]
sequence: {most: 9, table: read}
blocks:
  stage:             # said of the block
    parameters:
      channels: null # how many
    layers: [{type: linear, out_features: $channels}]
layers:
  - {type: embedding, name: read, num_embeddings: 7, embedding_dim: $width, inputs: [tokens]}
  - {block: stage, channels: 3}
"""


@pytest.fixture
def reader(tmp_path: Path) -> str:
    path = tmp_path / "reader.yaml"
    path.write_text(TEXT)
    return str(path)


def test_what_stands_beside_keys() -> None:
    assert comments(TEXT) == {
        ("parameters", "width"): "of each token",
        ("blocks", "stage"): "said of the block",
        ("blocks", "stage", "parameters", "channels"): "how many",
    }


def test_as_text_it_is_a_spec_beneath_comments(reader: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", reader]) == 0
    text = capsys.readouterr().out
    assert archcost.loads(text) == archcost.load(reader)
    for line in (
        "# tokens  $tokens      8         int64",
        "# --sequence N sets the parameter tokens, the length of the input tokens; at most 9, "
        "the rows of the table read.",
        "# width      4                     of each token",
        "# tokens     $width * 2  8",
        "# kernel     [3, 5]",
        "# Those of the block stage, as --set stage.NAME=VALUE:",
        "# channels   to be given            how many",
    ):
        assert line in text.splitlines()


def test_what_is_set_shows(reader: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", reader, "--set", "width=3", "--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["schema"], told["network"]) == ("archcost.show/1", "reader (width=3)")
    assert told["inputs"][0] == {
        "name": "tokens",
        "shape": ["$tokens"],
        "sizes": [6],
        "dtype": "int64",
        "batched": True,
    }
    assert told["parameters"][1] == {"name": "tokens", "value": "$width * 2", "comes_to": 6, "meaning": ""}
    assert told["sequence"] == {"parameter": "tokens", "inputs": ["tokens"], "most": 9, "table": "read"}
    assert archcost.loads(json.dumps(told["spec"])).label == "reader (width=3)"


def test_what_a_family_says_is_said_of_its_networks() -> None:
    told = {each.name: each for each in show(archcost.load("gpt2_xl")).parameters}
    assert (told["width"].value, told["context"].meaning) == (1600, "positions that have a row in the table")


@pytest.mark.parametrize("network", ["vgg_d", "llama2_7b", "whisper_base", "bert_base"])
def test_shipped_networks_load_again(network: str) -> None:
    spec = archcost.load(network)
    assert archcost.loads(show(spec).render()) == spec


def test_markdown_has_it_in_a_block() -> None:
    shown = show(archcost.load("vgg_d")).to_markdown()
    assert "It has no sequence that --sequence could set." in shown
    assert archcost.loads(shown.partition("```yaml\n")[2].removesuffix("```\n")) == archcost.load("vgg_d")
