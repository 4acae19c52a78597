"""Every registered causal-LM type as a small config: one rule for the names of its fields, exceptions in one place."""

import copy
from typing import Any

from transformers import CONFIG_MAPPING, PreTrainedConfig
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from .exceptions import EXCEPTIONS

#: Blocks of a small model: every hybrid pattern of the library shows each of its kinds within four.
BLOCKS = 4
#: Tokens of its vocabulary.
VOCABULARY = 96

_WIDTH, _HEADS, _GROUPS, _HEAD, _INNER, _EXPERTS = 32, 4, 2, 16, 48, 4

#: Value -> the names that the configs of the library give to one and the same size.
_SIZES: tuple[tuple[int, str], ...] = (
    (
        _WIDTH,
        "hidden_size n_embd d_model dim emb_dim embedding_size embedding_dim lru_width "
        "word_embed_proj_dim input_embedding_size output_embedding_size rotary_pct_dim "
        "hidden_size_per_layer_input",
    ),
    (BLOCKS, "num_hidden_layers n_layer n_layers num_layers decoder_layers num_decoder_layers num_blocks"),
    (
        1,
        "encoder_layers num_encoder_layers n_group topk_group n_groups mamba_n_groups num_nextn_predict_layers "
        "n_shared_experts first_k_dense_replace num_dense_layers",
    ),
    (
        _HEADS,
        "num_attention_heads n_head n_heads num_heads decoder_attention_heads encoder_attention_heads "
        "attention_heads num_decoder_attention_heads num_encoder_attention_heads swa_num_attention_heads "
        "linear_num_value_heads index_n_heads num_swa_attention_heads",
    ),
    (
        _GROUPS,
        "num_key_value_heads n_head_kv num_kv_heads swa_num_key_value_heads linear_num_key_heads "
        "num_experts_per_tok num_experts_per_token moe_topk moe_top_k moe_k top_k_experts kv_n_heads num_query_groups "
        "num_swa_key_value_heads",
    ),
    (
        _HEAD,
        "head_dim attention_head_dim qk_nope_head_dim v_head_dim kv_channels d_kv global_head_dim swa_head_dim "
        "swa_v_head_dim linear_key_head_dim linear_value_head_dim kv_lora_rank index_head_dim d_head",
    ),
    (6, "index_topk"),
    (
        8,
        "qk_rope_head_dim state_size ssm_state_size mamba_d_state sliding_window attention_window_size local_attention "
        "window_size sliding_window_size mamba_chunk_size chunk_size attention_chunk_size",
    ),
    (
        24,
        "q_lora_rank moe_intermediate_size expert_ffn_hidden_size shared_expert_intermediate_size "
        "moe_shared_expert_intermediate_size o_lora_rank",
    ),
    (
        _INNER,
        "intermediate_size ffn_dim decoder_ffn_dim encoder_ffn_dim n_inner ffn_hidden_size d_inner d_ff dim_ff "
        "feed_forward_size intermediate_size_mlp dense_intermediate_size",
    ),
    (_EXPERTS, "num_experts n_routed_experts num_local_experts moe_num_experts zero_expert_num"),
    (VOCABULARY, "vocab_size vocab_size_per_layer_input"),
    (128, "max_position_embeddings n_positions n_ctx max_seq_len context_length max_target_positions seq_length"),
)
RULE: dict[str, int] = {name: value for value, names in _SIZES for name in names.split()}
#: Factors that the full config may leave at 1, where a reader that forgets them would still be right.
_FACTORS = {
    "logits_scaling": 4.0,
    "logit_scale": 0.25,
    "final_logit_softcapping": 3.0,
    "output_logit_soft_cap": 3.0,
    "logits_soft_cap": 3.0,
    "attn_logit_softcapping": 2.0,
    "embedding_multiplier": 3.0,
    "residual_multiplier": 0.5,
    "attention_multiplier": 0.3,
    "lm_head_multiplier": 0.5,
    "key_multiplier": 0.7,
    "query_pre_attn_scalar": 12,
    "dim_model_base": 8,
    "logits_mup_width_multiplier": 4.0,
}
#: Fields that a config may leave to the class: given a size, so that it differs from the class's own.
_MAY_BE_NONE = {"head_dim", "num_key_value_heads"}
#: Fields that list what each block is.
_KINDS = {"layer_types", "layers_block_type", "mlp_layer_types"}
_TOKENS = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}


def registered_types() -> list[str]:
    """Model types that transformers registers for causal language modelling, in order."""
    return sorted(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES)


def small_config(model_type: str, **changes: Any) -> PreTrainedConfig:
    """A small config of a registered type; ``changes`` win over the rule and the exceptions.

    Example:
        >>> config = small_config("llama", num_hidden_layers=2)
        >>> config.hidden_size, config.num_hidden_layers, config.num_key_value_heads
        (32, 2, 2)
    """
    make: Any = CONFIG_MAPPING[model_type]
    fields = _by_rule(make())
    for more in (EXCEPTIONS.get(model_type, {}), changes):
        _put(fields, copy.deepcopy(more))
    config: PreTrainedConfig = make(**fields)
    return config


def _put(fields: dict[str, Any], more: dict[str, Any]) -> None:
    for name, value in more.items():
        if name.endswith("_config") and isinstance(fields.get(name), dict) and isinstance(value, dict):
            _put(fields[name], value)
        else:
            fields[name] = value


def _by_rule(config: PreTrainedConfig) -> dict[str, Any]:
    given = config.to_dict()
    latent = bool(given.get("kv_lora_rank"))
    found: dict[str, Any] = {}
    for name, value in given.items():
        if name in _TOKENS:
            found[name] = _TOKENS[name]
        elif name.endswith("_config") and isinstance(getattr(config, name, None), PreTrainedConfig):
            found[name] = _by_rule(getattr(config, name))
        elif name in _KINDS and isinstance(value, list):
            found[name] = _kinds(value)
        elif name in _FACTORS and value is not None:
            found[name] = _FACTORS[name]
        elif name == "head_dim" and latent:
            found[name] = RULE["qk_rope_head_dim"]
        elif name == "num_key_value_heads" and latent:
            found[name] = _HEADS
        elif name in RULE and not isinstance(value, bool | str | list) and (value or name in _MAY_BE_NONE):
            found[name] = RULE[name]
    return found


def _kinds(full: list[str]) -> list[str]:
    """Kinds of ``BLOCKS`` blocks, each kind of the full model among them, the last as in the full model."""
    distinct = [kind for kind in dict.fromkeys(full) if kind != full[-1]] or full[:1]
    return [*(distinct * BLOCKS)[: BLOCKS - 1], full[-1]]
