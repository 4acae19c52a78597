"""Types whose small config the rule does not make: what they need instead, in one place."""

from typing import Any

_MAMBA = {"mamba_n_heads": 4, "mamba_d_head": 16}

_SWA = {
    "swa_num_attention_heads": 2,
    "swa_num_key_value_heads": 2,
    "swa_q_lora_rank": 24,
    "swa_kv_lora_rank": 16,
    "swa_head_dim": 24,
    "swa_qk_nope_head_dim": 16,
    "swa_v_head_dim": 16,
}

EXCEPTIONS: dict[str, dict[str, Any]] = {
    # The scores of its indexer tie at zero, and which of tied keys it keeps depends on the padding: it keeps all.
    "axk2": {"index_topk": 64},
    "bailing_hybrid": {"n_group": 2, "topk_group": 2, "layer_group_size": 2},
    "bamba": {**_MAMBA, "attn_layer_indices": [1, 3]},
    "bert": {"is_decoder": True},
    "bert-generation": {"is_decoder": True},
    "blt": {
        **{f"{part}_config": {"head_dim": 8} for part in ("global", "patcher")},
        **{f"{part}_config": {"head_dim": 8, "hidden_size_global": 32} for part in ("encoder", "decoder")},
        "encoder_hash_byte_group_vocab": 64,
    },
    "codegen": {"rotary_dim": 4},
    "cohere_compass_text": {
        "layer_types": ["sliding_attention", "full_attention"] * 2,
        "rope_parameters": {
            "full_attention": None,
            "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [2, 1, 1]},
        },
    },
    "dbrx": {"attn_config": {"kv_n_heads": 2, "clip_qkv": 8.0, "rope_theta": 10000.0}},
    "deepseek_v2": {"num_experts_per_tok": 2},
    "dots1": {"n_routed_experts": 4, "num_experts_per_tok": 2, "n_shared_experts": 1},
    "dots3_note": {
        "text_config": _SWA,
        "vision_config": {"adapter_in_dim": 32, "adapter_out_dim": 32},
        "audio_config": {"adapter_input_size": 32, "adapter_out_dim": 32},
    },
    "dots3_note_text": _SWA,
    "gemma3n_text": {"num_kv_shared_layers": 2, "layer_types": ["sliding_attention", "full_attention"] * 2},
    "gemma4": {"text_config": {"global_head_dim": 32}},
    "gemma4_text": {"global_head_dim": 32},
    "gemma4_unified": {"text_config": {"global_head_dim": 32}},
    "gemma4_unified_text": {"global_head_dim": 32},
    "gpt_neo": {"attention_types": [[["global", "local"], 2]]},
    "gptj": {"rotary_dim": 4},
    "granitemoehybrid": {**_MAMBA, "layer_types": ["mamba", "attention"] * 2},
    "helium": {"head_dim": 8},
    "jamba": {"attn_layer_period": 2, "attn_layer_offset": 1, "expert_layer_period": 2, "expert_layer_offset": 1},
    "kimi_linear": {"linear_num_heads": 4, "linear_head_dim": 16},
    "lfm2_moe": {"layer_types": ["conv", "full_attention", "conv", "full_attention"]},
    "qwen4_exp_text": {
        "indexer_n_heads": 2,
        "indexer_kv_heads": 1,
        "indexer_head_dim": 16,
        "indexer_budget": 64,
        "indexer_compress_ratio": 2,
        "hc_lowrank": 8,
    },
    "reformer": {
        "is_decoder": True,
        "axial_pos_shape": [8, 16],
        "axial_pos_embds_dim": [8, 24],
        # Its keys are tokens only in texts of one chunk.
        "lsh_attn_chunk_length": 16,
        "local_attn_chunk_length": 16,
        "attn_layers": ["local", "lsh", "local", "lsh"],
        "num_buckets": 4,
        "hash_seed": 0,
    },
    "xlnet": {"d_head": 8},
    "xmod": {"default_language": "en_XX", "is_decoder": True},
    "zamba": {"attention_hidden_size": 64, "attention_head_dim": 16, "num_key_value_heads": 4},
    "zamba2": {"num_key_value_heads": 4, "attention_head_dim": 16, "mamba_headdim": 8},
    "zaya": {"num_experts_per_tok": 1},
}
EXCEPTIONS["qwen4_exp"] = {"text_config": EXCEPTIONS["qwen4_exp_text"]}

#: Types whose tuple of hidden states starts with the output of the first block, and ends with the normed state.
AFTER_BLOCKS = frozenset({"falcon_mamba", "mamba", "mamba2", "rwkv"})

#: Types whose tuple of hidden states holds another stack before that of the logits: its last entries are compared.
OTHER_STACK_FIRST = frozenset({"blt"})

#: Types of two streams, of which their tuple of hidden states holds the first.
FIRST_OF_TWO = frozenset({"reformer"})

#: Types whose softmax has terms beside the products (position biases, ALiBi): their weights are no line in them.
BIASED = frozenset({"bloom", "cpmant", "doge", "inkling2_text", "inkling_text", "mpt", "xlnet"})
