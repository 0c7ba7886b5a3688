"""What serving takes: bytes by hand, the largest that fit, and what is refused."""

from __future__ import annotations

import json

import pytest

import archcost
from archcost.cli import main
from archcost.serving.memory import CacheSize
from archcost.serving.repeats import shortened
from archcost.serving.steps import Steps

GPU = "nvidia-rtx-4090"


def test_llama2_7b_by_hand() -> None:
    found = archcost.serve("llama2_7b", hardware=GPU, prompt=300, new=64, concurrency=3).to_dict()
    memory = found["memory"]
    assert memory["weights_bytes"] == 2 * 6738415616 + 2 * 64 * 2  # and two buffers of 64 frequencies
    assert memory["kv_bytes_per_token"] == 2 * 32 * 4096 * 2  # keys and values, layers, width, bytes
    assert memory["kv_bytes"] == 3 * 368 * 524288  # 364 tokens are 23 blocks of 16
    assert memory["state_bytes_per_sequence"] == 0
    # of three prompts of 300 tokens, in int64, in bf16: what a layer begins with, the shortcut, and what goes into its
    # MLP, all in variables until it returns; the gate after silu and what rises, of 11,008 features each, and the
    # product of the two; two tables of 300 x 128 for the positions
    assert memory["activations_bytes"] == 3 * 300 * (8 + 2 * (3 * 4096 + 3 * 11008)) + 2 * 300 * 128 * 2
    assert memory["verdict"] == "fits"


def test_whisper_keeps_what_it_has_heard() -> None:
    memory = archcost.serve("whisper_base", hardware=GPU, prompt=4, new=100, concurrency=5).to_dict()["memory"]
    assert memory["kv_bytes_per_token"] == 6 * 2 * 512 * 2
    assert memory["state_bytes_per_sequence"] == 6 * 2 * 512 * 1500 * 2
    assert memory["kv_bytes"] == 5 * 112 * 12288
    assert memory["state_bytes"] == 5 * 18432000


def test_the_largest_fit_and_one_more_does_not() -> None:
    found = archcost.serve("llama2_7b", hardware=GPU, prompt=300, new=64)
    for concurrency, fits in ((found.max_concurrency, True), (found.max_concurrency + 1, False)):
        again = archcost.serve("llama2_7b", hardware=GPU, prompt=300, new=64, concurrency=concurrency)
        assert (again.verdict == "fits") is fits
    longest = found.max_context
    for context, fits in ((longest, True), (longest + 1, False)):
        again = archcost.serve("llama2_7b", hardware=GPU, prompt=context - 1, new=1)
        assert (again.verdict == "fits") is fits


@pytest.mark.parametrize(("cache", "nbytes"), [("bf16", 2 * 163840), ("fp8", 163840), ("int8", 163840 + 80 * 16 * 2)])
def test_dtypes_of_a_cache(cache: str, nbytes: int) -> None:
    """In int8 the eight keys and eight values of each layer have a scale of 16 bits each."""
    found = archcost.serve("llama2_70b", hardware=GPU, prompt=10, new=1, cache=cache)
    assert found.cache.per_token == nbytes


def test_a_window_keeps_no_more_than_it_shows() -> None:
    spec = archcost.loads(WINDOWED)
    steps = Steps(spec)
    size = CacheSize(steps.caches.attentions, steps.times, "bf16", block=1)
    assert [each.window for each in steps.caches.attentions] == [48]
    assert size.of(40) == 40 * 2 * 24 * 2
    assert size.of(4000) == 48 * 2 * 24 * 2
    assert (size.per_token, size.per_token_beyond) == (96, 0)
    assert steps.decode(4000).nodes[-3].input_types[0].shape[-1] == 24


WINDOWED = """
name: windowed
inputs: {tokens: {shape: [$tokens], dtype: int64}}
parameters: {tokens: 64}
layers:
  - {name: token, type: embedding, num_embeddings: 50, embedding_dim: 24, inputs: [tokens]}
  - {name: qkv, type: linear, out_features: 72}
  - {name: parts, type: split, split_size: 24, dim: -1}
  - {name: q, type: unsqueeze, dim: 1, inputs: [parts]}
  - {name: k, type: unsqueeze, dim: 1, inputs: ["parts:1"]}
  - {name: v, type: unsqueeze, dim: 1, inputs: ["parts:2"]}
  - {name: attention, type: scaled_dot_product_attention, is_causal: true, window: 48, inputs: [q, k, v]}
  - {name: joined, type: squeeze, dim: 1}
  - {name: head, type: linear, out_features: 50}
"""


@pytest.mark.parametrize("name", ["gpt2", "llama2_70b", "whisper_base", "mixtral_8x7b", "transformer_base"])
def test_two_blocks_stand_for_all(name: str) -> None:
    """Parameters and MACs of the short network, so many times each, are those of the whole."""
    spec = archcost.load(name)
    whole, steps = archcost.cost(archcost.build(spec)), Steps(spec)
    times = shortened(spec).times
    rows = archcost.cost(steps.whole).layers
    assert sum(times.get(row.name, 1) * row.parameters for row in rows) == whole.parameters
    assert sum(times.get(row.name, 1) * row.macs for row in rows) == whole.macs


def test_a_step_of_one_token() -> None:
    """gpt2 after 99 tokens: four products of each layer for one position, and attention to 100."""
    graph = Steps(archcost.load("gpt2")).decode(99)
    times = shortened(archcost.load("gpt2")).times
    macs = sum(times.get(row.name, 1) * row.macs for row in archcost.cost(graph).layers)
    assert macs == 12 * (768 * 768 * 12 + 2 * 100 * 768) + 768 * 50257


def test_of_a_prompt_the_last_position_alone_goes_through_the_head() -> None:
    steps = Steps(archcost.load("gpt2"))
    assert [str(tensor) for tensor in steps.prefill(40, 2).returned] == ["2×50257×1"]
    assert [str(tensor) for tensor in steps.prefill(40, 2, all_logits=True).returned] == ["2×50257×40"]


def test_times_lie_above_what_is_read() -> None:
    """A token of one sequence reads all weights but the table of tokens, and the keys and values before it."""
    found = archcost.serve("llama3_8b", hardware="nvidia-h100-sxm5-80gb", prompt=4000, new=2, cache="bf16")
    time = found.to_dict()["time"]
    low, high = time["band"]["per_token"]
    nbytes = 2 * (8030261248 - 128256 * 4096) + 4001 * 131072
    assert nbytes / (1.25 * 3350e9) <= low < 1.1 * nbytes / (1.25 * 3350e9)
    assert low < nbytes / 3350e9 < high
    assert (time["status"], time["roof"]["per_token"], time["per_token_seconds"]) == ("bound", "bandwidth", None)
    assert "time.per_token_seconds" in found.unknown
    low, high = time["band"]["first_token"]
    assert low > 2 * 4000 * (8030261248 - 2 * 128256 * 4096) / (1.25 * 989.4e12)
    narrow = archcost.serve("llama3_8b", hardware="nvidia-h100-sxm5-80gb", prompt=4000, new=2, cache="fp8").per_token
    assert narrow is not None
    assert found.per_token is not None
    assert 0.9 < (found.per_token.band[0] - narrow.band[0]) / (4001 * 65536 / (1.25 * 3350e9)) < 1.1


def test_more_sequences_share_what_is_read() -> None:
    time = archcost.serve("gpt2", hardware=GPU, prompt=64, new=64).to_dict()["time"]
    assert time["best"]["concurrency"] > 1000
    assert time["best"]["band"][0] > 10 * time["band"]["tokens_per_second"][0]


REFUSED = {
    ("resnet50",): "resnet50 makes no cache",
    ("bert_base",): "bert_base makes no cache",
    ("gpt2", "--prompt", "1000", "--new", "25"): "gpt2 has no row for a position so far behind",
    ("whisper_base", "--prompt", "400", "--new", "49"): "whisper_base has no row for a position so far behind",
    ("gpt2", "--prompt", "0"): "the number of tokens is an integer from 1",
    ("gpt2", "--new", "-3"): "the number of tokens is an integer from 1",
    ("gpt2", "--prompt", "99999999999"): "the number of tokens is an integer from 1",
    ("gpt2", "--concurrency", "0"): "the number of sequences at once is an integer from 1",
    ("gpt2", "--cache", "int9"): "the cache is in a dtype that is not known",
    ("gpt2", "--precision", "int"): "weights are in a dtype that is not known",
    ("gpt2", "--weights", "int5"): "int5",
}


@pytest.mark.parametrize("arguments", REFUSED, ids=" ".join)
def test_bad_input_is_one_message(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    small = () if "--prompt" in arguments else ("--prompt", "8")
    assert main(["serve", *arguments, *small, "--hardware", GPU]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert REFUSED[arguments] in told.err
    assert "Traceback" not in told.err


def test_without_a_device(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "gpt2"]) == 2
    assert "no device to serve on" in capsys.readouterr().err


@pytest.mark.parametrize("format", ["text", "markdown", "latex", "html", "csv"])
def test_every_format_shows_the_cache(format: str) -> None:
    text = archcost.serve("llama2_7b", hardware=GPU, prompt=300, new=64).render(format)
    assert "524288" in text.replace(",", "").replace("{}", "").replace("\\", "")


def test_what_does_not_fit_exits_with_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "llama2_70b", "--hardware", GPU, "--format", "json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["memory"]["verdict"], found["max_context"], found["max_concurrency"]) == ("does not fit", 0, 0)


@pytest.mark.parametrize("name", ["falcon_7b", "opt_6_7b"])
def test_the_longest_context_fits_and_twice_as_many_do_not(name: str) -> None:
    """Where attention is composed, steps make more with each token; a table of positions ends before memory does."""
    longest = archcost.serve(name, hardware=GPU, prompt=1000, new=24).max_context
    assert archcost.serve(name, hardware=GPU, prompt=longest - 1, new=1).fits
    if name == "opt_6_7b":
        assert longest == 2048  # the rows of its table that are positions'
    else:
        assert not archcost.serve(name, hardware=GPU, prompt=2 * longest, new=1).fits
        assert longest > 1024
