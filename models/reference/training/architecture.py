"""The untrained reference model."""

from typing import Any

from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from .tokenizer import CONTEXT


def build_model(tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """Make the untrained model: 6 blocks, RMSNorm, rotary positions, 4 query heads on 2 key heads.

    Example:
        >>> from innerjudge.models.reference.training.tokenizer import train_tokenizer
        >>> t = train_tokenizer(["Start with 7."], 300)
        >>> build_model(t).config.num_hidden_layers
        6
    """
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=128,
        intermediate_size=384,
        num_hidden_layers=6,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=CONTEXT,
        rms_norm_eps=1e-6,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model = LlamaForCausalLM(config)
    loose: Any = GenerationConfig  # its constructor carries no types
    model.generation_config = loose(eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id)
    return model
