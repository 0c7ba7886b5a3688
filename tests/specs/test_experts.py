"""Experts and state spaces: parameters by hand, those that one token meets, and what transformers' modules come to.

The numbers of small ones are recorded by `python -m tests.large_programs.other_families`, beside transformers.
"""

from __future__ import annotations

import pytest

import archcost
from tests.large_programs import other_families, state_rows
from tests.large_programs.image_rows import Drawn
from tests.large_programs.other_row import BATCH, Other
from tests.large_programs.other_rows import ROWS
from tests.specs.variants import costed


def mixtral(width: int, depth: int, hidden: int) -> int:
    """Two tables; attention with 8 heads of 128 for keys and values; norms; a router and three matrices an expert."""
    attention = 2 * width * (width + 1024)
    return 2 * 32000 * width + width + depth * (attention + 2 * width + 8 * width * (1 + 3 * hidden))


def qwen3(width: int, depth: int, heads: int, hidden: int) -> int:
    """32 or 64 heads and 4 of keys and values, of 128 features, each with a norm that all heads share."""
    attention = 2 * width * (heads + 4) * 128 + 2 * 128
    return 2 * 151936 * width + width + depth * (attention + 2 * width + 128 * width * (1 + 3 * hidden))


def qwen2(width: int, depth: int, groups: int, experts: int, hidden: int, shared: int) -> int:
    """Biases of queries, keys and values; an expert that all tokens read, and its gate."""
    attention = 2 * width * (width + groups) + width + 2 * groups
    both = experts * width * (1 + 3 * hidden) + width * (1 + 3 * shared)
    return 2 * 151936 * width + width + depth * (attention + 2 * width + both)


def olmoe() -> int:
    """Norms of all queries and all keys, as wide as the network."""
    return 2 * 50304 * 2048 + 2048 + 16 * (4 * 2048**2 + 4 * 2048 + 64 * 2048 * (1 + 3 * 1024))


def latent(width: int, heads: int, queries: int) -> int:
    """A latent of 512 with its norm and a key of 64; 128 + 128 of it for each head; what comes out; two norms."""
    return queries + width * (512 + 64) + 512 + 512 * heads * 256 + heads * 128 * width + 2 * width


def deepseek_v2_lite() -> int:
    layers = 27 * latent(2048, 16, queries=2048 * 16 * 192) + 3 * 2048 * 10944
    return 2 * 102400 * 2048 + 2048 + layers + 26 * 2048 * (64 * (1 + 3 * 1408) + 3 * 2 * 1408)


def deepseek_v3() -> int:
    """Queries have a latent of 1536 and its norm."""
    layers = 61 * latent(7168, 128, queries=7168 * 1536 + 1536 + 1536 * 128 * 192) + 3 * 3 * 7168 * 18432
    return 2 * 129280 * 7168 + 7168 + layers + 58 * 7168 * (256 * (1 + 3 * 2048) + 3 * 2048)


def gpt_oss(depth: int, experts: int) -> int:
    """A bias with every matrix: of 64 heads, twice 8, what comes out; a sink a head; router, gate and line, down."""
    attention = 2881 * (4096 + 2 * 512) + 4097 * 2880 + 64
    return 2 * 201088 * 2880 + 2880 + depth * (attention + 2 * 2880 + experts * 2881 * (1 + 5760 + 2880))


def mamba2(width: int, depth: int, heads: int, groups: int = 1) -> int:
    """Heads of 64: gate, values, what is written and read of 128 states a group, a step a head; a convolution of 4 with
    its bias; decay, bias and passage a head; the gated norm; what comes out; a norm. Without tables.
    """
    inner, mixed = 64 * heads, 64 * heads + 2 * 128 * groups
    return width + depth * (width * (inner + mixed + heads) + 5 * mixed + 3 * heads + inner + inner * width + width)


def bamba() -> int:
    """29 layers of states and 3 of attention, each with a norm and three matrices more."""
    mixers = mamba2(4096, 29, 128) - 4096
    attention = 3 * (2 * 4096 * (4096 + 1024) + 4096)
    return 2 * 128256 * 4096 + 4096 + mixers + attention + 32 * (4096 + 3 * 4096 * 14336)


def flux() -> int:
    """Layers of two streams: in each six vectors, four matrices, two norms of heads, two more four times as wide.
    Layers of one: three vectors; queries, keys, values; four times as wide; both back; two norms of heads.
    """
    w = 3072
    two = 2 * (w * 6 * w + 6 * w + 4 * (w * w + w) + 2 * 128 + 8 * w * w + 5 * w)
    one = w * 3 * w + 3 * w + 3 * (w * w + w) + w * 4 * w + 4 * w + 5 * w * w + w + 2 * 128
    embedders = 2 * (256 * w + w) + (768 * w + w) + 3 * (w * w + w)
    return 19 * two + 38 * one + embedders + (64 * w + w) + (4096 * w + w) + (w * 2 * w + 2 * w) + (w * 64 + 64)


PARAMETERS = {
    "mixtral_8x7b": mixtral(4096, 32, 14336),
    "mixtral_8x22b": mixtral(6144, 56, 16384),
    "qwen3_30b_a3b": qwen3(2048, 48, 32, 768),
    "qwen3_235b_a22b": qwen3(4096, 94, 64, 1536),
    "qwen1_5_moe_a2_7b": qwen2(2048, 24, 2048, 60, 1408, 5632),
    "qwen2_57b_a14b": qwen2(3584, 28, 512, 64, 2560, 20480),
    "olmoe_1b_7b": olmoe(),
    "deepseek_v2_lite": deepseek_v2_lite(),
    "deepseek_v3": deepseek_v3(),
    "gpt_oss_20b": gpt_oss(24, 32),
    "gpt_oss_120b": gpt_oss(36, 128),
    "mamba2_130m": 50288 * 768 + mamba2(768, 24, 24),
    "mamba2_2_7b": 50288 * 2560 + mamba2(2560, 64, 80),
    "mamba_codestral_7b": 2 * 32768 * 4096 + mamba2(4096, 64, 128, groups=8),
    "bamba_9b": bamba(),
    "flux1_dev": flux(),
    "stable_diffusion_1_5_unet": 859_520_964,  # as it is told wherever it is counted: 859.52 M
    "sdxl_unet": 2_567_463_684,  # 2.57 G
}

RECORDED = {result.network: result for result in other_families.read()}


@pytest.mark.parametrize("network", PARAMETERS)
def test_parameters_by_hand(network: str) -> None:
    assert costed(network).parameters == PARAMETERS[network] == RECORDED[network].library


ACTIVE = {
    "mixtral_8x7b": 12.9e9,
    "mixtral_8x22b": 39e9,
    "qwen3_30b_a3b": 3.3e9,
    "qwen3_235b_a22b": 22e9,
    "qwen1_5_moe_a2_7b": 2.7e9,
    "qwen2_57b_a14b": 14e9,
    "olmoe_1b_7b": 1.3e9,
    "deepseek_v3": 37e9,
}
"""As their authors say. Those of gpt-oss leave the table of tokens out (3.61 G, 5.13 G)."""


@pytest.mark.parametrize("network", ACTIVE)
def test_parameters_of_a_token(network: str) -> None:
    assert RECORDED[network].active == pytest.approx(ACTIVE[network], rel=0.025)


def test_gpt_oss_of_a_token() -> None:
    for network, stated in (("gpt_oss_20b", 3.61e9), ("gpt_oss_120b", 5.13e9)):
        assert RECORDED[network].active - 201088 * 2880 == pytest.approx(stated, rel=0.002)


@pytest.mark.parametrize("other", ROWS, ids=lambda other: other.network)
def test_small_ones_are_as_the_library_has_them(other: Other | Drawn) -> None:
    """Parameters and MACs, and the peak of a training step to the byte."""
    recorded, spec = RECORDED[other.network], other.small_spec()
    cost = archcost.cost(archcost.build(spec, BATCH))
    assert recorded.layers == "agree"
    assert (cost.parameters, cost.macs) == (recorded.small_library, recorded.imported_macs)
    assert (other_families.peak(spec, "fp32"), other_families.peak(spec, "bf16")) == (
        recorded.torch_fp32,
        recorded.torch_bf16,
    )


def test_a_token_at_a_time() -> None:
    """One of 8 choices for 128 experts: the same MACs a token, but for attention's."""
    one = archcost.load("qwen3_30b_a3b", settings=["tokens=1"])
    graph = archcost.build(one)
    grouped = [node for node in graph.nodes if node.layer.type == "grouped_mm"]
    assert [node.output_types[0].shape for node in grouped[:2]] == [(8, 1536), (8, 2048)]
    products = sum(layer.macs for layer in archcost.cost(graph).layers if layer.type == "grouped_mm")
    assert products == 48 * 8 * 3 * 2048 * 768


def test_a_latent_is_a_tensor_of_its_own() -> None:
    """512 features, and a key of 64 that all heads share: what a cache keeps of each token."""
    graph = archcost.build(archcost.load("deepseek_v3"))
    kept = {node.name: node.output_types[0].shape for node in graph.nodes}
    assert kept["layer1.self_attn.latent"] == (1, 1, 4096, 512)
    assert kept["layer1.self_attn.k_turned.turned"] == (1, 1, 4096, 64)


def test_what_is_assumed_is_told() -> None:
    graph = archcost.build(archcost.load("deepseek_v3"), 1)
    assert "every expert is chosen equally often, whatever the values" in graph.assumptions


def test_chunks_that_are_padded() -> None:
    """16 tokens in chunks of 10; the peak is that of transformers 5.24's module with `chunk_size=10`, in float32."""
    other = next(each for each in state_rows.ROWS if each.network == "mamba2_130m")
    spec = other._replace(settings=other.settings.replace("chunk=8", "chunk=10")).small_spec()
    assert archcost.cost(archcost.build(spec, BATCH)).macs == 768768
    assert other_families.peak(spec, "fp32") == 644092


def test_a_state_is_a_tensor_of_its_own() -> None:
    """However long the text: 24 heads of 64 features with 128 numbers each."""
    for settings in ([], ["tokens=7"]):
        graph = archcost.build(archcost.load("mamba2_130m", settings=settings))
        kept = {node.name: node.output_types[0] for node in graph.nodes}
        assert kept["layer1.mixer.scan.state"].shape == (1, 24, 64, 128)
        assert kept["layer1.mixer.scan.state"].dtype == "float32"
