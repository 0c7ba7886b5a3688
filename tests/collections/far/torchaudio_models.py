"""torchaudio's models, with a few channels."""

from __future__ import annotations

from typing import Any

import torch

from tests.collections.far.member import Member, floats, ids, made_of

WAVES = {
    "extractor_conv_layer_config": [(8, 10, 5), (8, 3, 2)],
    "extractor_conv_bias": False,
    "encoder_embed_dim": 16,
    "encoder_projection_dropout": 0.1,
    "encoder_pos_conv_kernel": 8,
    "encoder_pos_conv_groups": 2,
    "encoder_num_layers": 2,
    "encoder_num_heads": 2,
    "encoder_attention_dropout": 0.1,
    "encoder_ff_interm_features": 32,
    "encoder_ff_interm_dropout": 0.1,
    "encoder_dropout": 0.1,
    "encoder_layer_drop": 0.0,
    "aux_num_out": 5,
}


def _of(name: str, fields: dict[str, Any], *inputs: Any) -> Member:
    return Member(made_of("torchaudio.models", name, **fields), inputs)


def _lengths(length: int) -> torch.Tensor:
    return torch.full((1,), length, dtype=torch.int64)


MODELS = {
    "DeepSpeech": _of("DeepSpeech", {"n_feature": 8, "n_hidden": 16}, floats(1, 9, 8)),
    "Wav2Letter": _of("Wav2Letter", {}, floats(1, 1600)),
    "Wav2Letter mfcc": _of("Wav2Letter", {"input_type": "mfcc", "num_features": 13}, floats(13, 40)),
    "ConvTasNet": _of(
        "ConvTasNet",
        {
            "enc_num_feats": 16,
            "msk_num_feats": 8,
            "msk_num_hidden_feats": 16,
            "msk_num_layers": 2,
            "msk_num_stacks": 2,
        },
        floats(1, 256),
    ),
    "WaveRNN": _of(
        "WaveRNN",
        {
            "upsample_scales": [2, 2],
            "n_classes": 16,
            "hop_length": 4,
            "n_res_block": 2,
            "n_rnn": 16,
            "n_fc": 16,
            "n_freq": 8,
            "n_hidden": 8,
            "n_output": 8,
        },
        floats(1, 4 * 4),
        floats(1, 8, 8),
    ),
    "Wav2Vec2": _of(
        "wav2vec2_model",
        {**WAVES, "extractor_mode": "group_norm", "encoder_layer_norm_first": False},
        floats(400),
    ),
    "Wav2Vec2 layer norm": _of(
        "wav2vec2_model",
        {**WAVES, "extractor_mode": "layer_norm", "encoder_layer_norm_first": True},
        floats(400),
    ),
    "WavLM": _of(
        "wavlm_model",
        {
            **WAVES,
            "extractor_mode": "group_norm",
            "encoder_layer_norm_first": False,
            "encoder_num_buckets": 8,
            "encoder_max_distance": 16,
        },
        floats(400),
    ),
    "Conformer": _of(
        "Conformer",
        {"input_dim": 16, "num_heads": 2, "ffn_dim": 32, "num_layers": 2, "depthwise_conv_kernel_size": 5},
        floats(12, 16),
        _lengths(12),
    ),
    "Conformer convolution first": _of(
        "Conformer",
        {
            "input_dim": 16,
            "num_heads": 2,
            "ffn_dim": 32,
            "num_layers": 1,
            "depthwise_conv_kernel_size": 5,
            "dropout": 0.1,
            "use_group_norm": True,
            "convolution_first": True,
        },
        floats(12, 16),
        _lengths(12),
    ),
    "Emformer": _of(
        "Emformer",
        {
            "input_dim": 16,
            "num_heads": 2,
            "ffn_dim": 32,
            "num_layers": 2,
            "segment_length": 4,
            "right_context_length": 1,
        },
        floats(13, 16),
        _lengths(12),
    ),
    "Tacotron2": _of(
        "Tacotron2",
        {
            "n_mels": 8,
            "n_symbol": 16,
            "symbol_embedding_dim": 16,
            "encoder_embedding_dim": 16,
            "decoder_rnn_dim": 16,
            "attention_rnn_dim": 16,
            "attention_hidden_dim": 8,
            "attention_location_n_filter": 4,
            "attention_location_kernel_size": 3,
            "prenet_dim": 8,
            "postnet_embedding_dim": 8,
        },
        ids(7),
        _lengths(7),
        floats(8, 5),
        _lengths(5),
    ),
    "HDemucs": _of(
        "HDemucs",
        {"sources": ["drums", "bass"], "channels": 8, "nfft": 256, "depth": 4, "dconv_attn": 9, "dconv_lstm": 9},
        floats(2, 4096),
    ),
    "RNNT": _of(
        "emformer_rnnt_model",
        {
            "input_dim": 8,
            "encoding_dim": 16,
            "num_symbols": 12,
            "segment_length": 8,
            "right_context_length": 4,
            "time_reduction_input_dim": 8,
            "time_reduction_stride": 4,
            "transformer_num_heads": 2,
            "transformer_ffn_dim": 16,
            "transformer_num_layers": 1,
            "transformer_dropout": 0.1,
            "transformer_activation": "gelu",
            "transformer_left_context_length": 4,
            "transformer_max_memory_size": 0,
            "transformer_weight_init_scale_strategy": "depthwise",
            "transformer_tanh_on_mem": True,
            "symbol_embedding_dim": 8,
            "num_lstm_layers": 1,
            "lstm_layer_norm": True,
            "lstm_layer_norm_epsilon": 1e-3,
            "lstm_dropout": 0.1,
        },
        floats(20, 8),
        torch.full((1,), 16, dtype=torch.int32),
        torch.zeros(1, 5, dtype=torch.int32),
        torch.full((1,), 5, dtype=torch.int32),
    ),
    "SquimObjective": _of(
        "squim_objective_model",
        {
            "feat_dim": 8,
            "win_len": 8,
            "d_model": 8,
            "nhead": 2,
            "hidden_dim": 8,
            "num_blocks": 1,
            "rnn_type": "LSTM",
            "chunk_size": 7,
        },
        floats(400),
    ),
}
