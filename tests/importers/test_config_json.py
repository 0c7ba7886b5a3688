"""A `config.json` of Hugging Face as a network.

`configs.json` has configs with the values of well-known networks, put down by hand, with the parameters, and the MACs
at 64 tokens, of transformers' own modules on meta tensors (transformers 5.24, torch 2.13's counter of FLOPs). Experts
do not run there: MACs of networks that have some are by hand, `of_experts`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import archcost
from archcost import ArchcostError
from archcost.importers.huggingface import is_config
from archcost.importers.huggingface.families import FAMILIES

ROWS: list[dict[str, Any]] = json.loads((Path(__file__).parent / "configs.json").read_text())
LLAMA: dict[str, Any] = next(row["config"] for row in ROWS if row["network"] == "llama_3_2_1b")


def written(folder: Path, config: object, name: str = "config.json") -> str:
    (folder / name).write_text(config if isinstance(config, str) else json.dumps(config))
    return str(folder / name)


def of_experts(width: int, heads: int, groups: int, features: int, experts: int, chosen: int, hidden: int) -> int:
    """MACs of a layer at each of 64 tokens: projections, attention to all of them, router, the chosen experts."""
    attention = 2 * width * heads * features + 2 * width * groups * features + 2 * 64 * heads * features
    return attention + width * experts + chosen * 3 * width * hidden


@pytest.mark.parametrize(
    ("network", "layer", "depth", "table"),
    [
        ("mixtral_8x7b", of_experts(4096, 32, 8, 128, 8, 2, 14336), 32, 32000 * 4096),
        ("mixtral_8x22b", of_experts(6144, 48, 8, 128, 8, 2, 16384), 56, 32000 * 6144),
        ("qwen3_30b_a3b", of_experts(2048, 32, 4, 128, 128, 8, 768), 48, 151936 * 2048),
        ("qwen3_235b_a22b", of_experts(4096, 64, 4, 128, 128, 8, 1536), 94, 151936 * 4096),
    ],
)
def test_macs_of_experts_by_hand(network: str, layer: int, depth: int, table: int) -> None:
    assert next(row["macs"] for row in ROWS if row["network"] == network) == 64 * (depth * layer + table)


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without transformers."""
    monkeypatch.setattr("archcost.importers.huggingface.config_file.has_transformers", lambda: False)
    monkeypatch.setitem(__import__("sys").modules, "transformers", None)


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize("row", ROWS, ids=[row["network"] for row in ROWS])
def test_parameters_and_macs_of_published_configs(row: dict[str, Any], tmp_path: Path) -> None:
    cost = archcost.cost(archcost.build(archcost.load(written(tmp_path, row["config"]), sequence=64)))
    assert (cost.parameters, cost.macs) == (row["parameters"], row["macs"])


def test_every_kind_has_a_config() -> None:
    assert {row["config"]["model_type"] for row in ROWS} == {*FAMILIES}


def test_the_folder_names_the_network(tmp_path: Path) -> None:
    folder = tmp_path / "Llama-3.2-1B"
    folder.mkdir()
    spec = archcost.load(written(folder, LLAMA), settings=["depth=2"], sequence=32)
    assert (spec.label, spec.inputs["tokens"].sizes) == ("Llama_3_2_1B (sequence=32, depth=2)", (32,))


def test_what_tells_a_config_from_a_spec(tmp_path: Path) -> None:
    assert is_config(written(tmp_path, LLAMA, "llama.json"))
    assert is_config(str(tmp_path / "none" / "config.json"))
    assert not is_config(written(tmp_path, {"name": "n", "input": [3], "layers": [{"type": "relu"}]}, "net.json"))


@pytest.mark.usefixtures("alone")
def test_no_more_tokens_than_the_config_takes(tmp_path: Path) -> None:
    assert archcost.load(written(tmp_path, {**LLAMA, "max_position_embeddings": 100})).inputs["tokens"].sizes == (100,)
    assert archcost.load(written(tmp_path, LLAMA)).inputs["tokens"].sizes == (4096,)


@pytest.mark.usefixtures("alone")
def test_keys_that_are_not_understood_are_told(tmp_path: Path) -> None:
    spec = archcost.load(written(tmp_path, {**LLAMA, "colour": 3, "quantization_config": {"bits": 4}}))
    assert spec.assumptions == (
        "the weights are not quantised: quantization_config is for --weights to say",
        "these keys of the config change nothing: colour",
    )
    bert = next(row["config"] for row in ROWS if row["network"] == "bert_base")
    told = "the layers are those of BertModel, without what BertForMaskedLM adds"
    assert archcost.load(written(tmp_path, bert)).assumptions == (told,)


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"attention_bias": True}, "attention_bias of this llama is what our own family has no layers for"),
        ({"mlp_bias": True}, "mlp_bias of this llama"),
        ({"hidden_act": "gelu"}, "hidden_act of this llama is what our own family has no layers for\n  expected: silu"),
        ({"attention_dropout": 0.1}, "attention_dropout of this llama"),
        ({"num_key_value_heads": 5}, "num_key_value_heads of .*\n  expected: a divisor of num_attention_heads, 32\n"),
        (
            {"head_dim": None, "hidden_size": 2049},
            "num_attention_heads .*\n  expected: a divisor of hidden_size, 2,049",
        ),
        ({"num_hidden_layers": -1}, "num_hidden_layers .*\n  expected: an integer from 1\n  found: -1"),
        ({"num_hidden_layers": None}, "num_hidden_layers .*\n  expected: an integer from 1\n  found: None"),
        ({"vocab_size": "many"}, "vocab_size .*\n  expected: an integer from 1"),
        ({"num_hidden_layers": 10**9}, "the network is too large"),
        ({"tie_word_embeddings": "yes"}, "tie_word_embeddings .*\n  expected: true or false"),
        ({"rms_norm_eps": "small"}, "rms_norm_eps .*\n  expected: a number from 0, below 1"),
        ({"partial_rotary_factor": 0.5}, "partial_rotary_factor .*\n  expected: 1"),
        ({"architectures": ["LlamaForSequenceClassification"]}, "architectures .*\n  expected: LlamaForCausalLM"),
        (
            {"model_type": "lama"},
            "the architecture 'lama' is not known\n  expected: .*\n  found: 'lama'\n  try: 'llama'",
        ),
        ({"model_type": 3}, "does not say which network it is of\n  expected: model_type"),
    ],
)
def test_what_our_families_have_no_layers_for(changed: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(ArchcostError, match=message) as caught:
        archcost.build(archcost.load(written(tmp_path, {**LLAMA, **changed})))
    assert caught.value.exit_code == 2


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize(
    ("kind", "changed", "message"),
    [
        ("qwen2", {"use_sliding_window": True}, "use_sliding_window of this qwen2"),
        ("gemma2", {"final_logit_softcapping": None}, "final_logit_softcapping of this gemma2 "),
        ("gemma3_text", {"sliding_window_pattern": 4}, "sliding_window_pattern of this gemma3_text"),
        ("bert", {"intermediate_size": 100}, "intermediate_size .*\n  expected: 4 × hidden_size, 3,072"),
        ("bert", {"type_vocab_size": 3}, "type_vocab_size of this bert"),
        ("qwen3_moe", {"num_experts_per_tok": 200}, "num_experts_per_tok .*\n  expected: at most num_experts, 128"),
        ("qwen3", {"layer_types": 3}, "layer_types .*\n  expected: a list of words"),
        ("qwen3_moe", {"mlp_only_layers": [1]}, "mlp_only_layers of this qwen3_moe"),
        ("mixtral", {"sliding_window": 4096}, "sliding_window of this mixtral"),
        ("gpt2", {"attn_pdrop": 0.2}, "attn_pdrop .*\n  expected: as much as resid_pdrop, 0.1"),
        ("gpt2", {"n_head": 7}, "n_head .*\n  expected: a divisor of n_embd, 768"),
        ("mistral", {"layer_types": ["full_attention", "sliding_attention"]}, "layer_types of this mistral"),
    ],
)
def test_what_other_families_have_no_layers_for(
    kind: str, changed: dict[str, Any], message: str, tmp_path: Path
) -> None:
    config = next(row["config"] for row in ROWS if row["config"]["model_type"] == kind)
    with pytest.raises(ArchcostError, match=message):
        archcost.load(written(tmp_path, {**config, **changed}))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not valid"),
        ("[1, 2]", "no config"),
        ("", "no config"),
        (
            "{}",
            "does not say which network it is of\n  expected: model_type, as transformers writes it\n  found: nothing",
        ),
        ('{"a": 1, "model_type": "llama", "model_type": "bert"}', "twice"),
        ('{"model_type": "llama", "x": "' + "a" * 2**24 + '"}', "too large"),
    ],
)
def test_damaged_files(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ArchcostError, match=message):
        archcost.load(written(tmp_path, text))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ArchcostError, match=r"config\.json"):
        archcost.load(str(tmp_path / "config.json"))
