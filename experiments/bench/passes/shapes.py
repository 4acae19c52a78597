"""Models of random weights and realistic shape: what a pass costs does not depend on what the weights say."""

from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from ....models.errors import InnerjudgeError
from ....models.loading import LanguageModel, load, wrap

#: Name -> sizes; Llama's blocks in the shapes of a small, a middling and a usual model, and two for tests and studies.
SHAPES: dict[str, dict[str, Any]] = {
    "tiny": {
        "vocab_size": 2048,
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
    },
    "10m": {
        "vocab_size": 8192,
        "hidden_size": 256,
        "intermediate_size": 1024,
        "num_hidden_layers": 8,
        "num_attention_heads": 8,
        "num_key_value_heads": 4,
    },
    "135m": {
        "vocab_size": 49152,
        "hidden_size": 576,
        "intermediate_size": 1536,
        "num_hidden_layers": 30,
        "num_attention_heads": 9,
        "num_key_value_heads": 3,
    },
    "1b": {
        "vocab_size": 128256,
        "hidden_size": 2048,
        "intermediate_size": 8192,
        "num_hidden_layers": 16,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
    },
    "7b": {
        "vocab_size": 32000,
        "hidden_size": 4096,
        "intermediate_size": 11008,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 32,
    },
}


def random_model(shape: str, *, device: str, dtype: str, attention: str = "sdpa", seed: int = 0) -> LanguageModel:
    """A model of one of :data:`SHAPES`; the same seed gives the same weights.

    Raises:
        InnerjudgeError: If there is no such shape, dtype or device.

    Example:
        >>> random_model("tiny", device="cpu", dtype="float32").anatomy.n_blocks
        4
    """
    if shape not in SHAPES:
        raise InnerjudgeError(f"given --shape {shape!r}, expected one of {', '.join(SHAPES)}")
    kind = getattr(torch, dtype, None)
    if kind not in (torch.float32, torch.bfloat16, torch.float16):
        raise InnerjudgeError(f"given --dtype {dtype!r}, expected float32, bfloat16 or float16")
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise InnerjudgeError(f"given --device {device}, expected one of this machine's: it has no CUDA")
    torch.manual_seed(seed)
    config = LlamaConfig(**SHAPES[shape], max_position_embeddings=4096, tie_word_embeddings=True)
    config._attn_implementation = attention
    before = torch.get_default_dtype()
    torch.set_default_dtype(kind)
    try:
        with torch.device(device):
            model = LlamaForCausalLM(config)
    finally:
        torch.set_default_dtype(before)
    return wrap(model, load("reference").tokenizer, name=f"random-{shape}")
