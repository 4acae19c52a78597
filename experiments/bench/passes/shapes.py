"""Models of random weights and realistic shape: what a pass costs does not depend on what the weights say."""

from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from ....models.errors import InnerjudgeError, one_line
from ....models.loading import LanguageModel, load, wrap

_SIZES = (
    *("vocab_size", "hidden_size", "intermediate_size"),
    *("num_hidden_layers", "num_attention_heads", "num_key_value_heads"),
)
#: Name -> sizes; Llama's blocks in the shapes of a small, a middling and a usual model, and two for tests and studies.
SHAPES: dict[str, dict[str, Any]] = {
    name: dict(zip(_SIZES, sizes, strict=True))
    for name, *sizes in (
        ("tiny", 2048, 64, 128, 4, 4, 2),
        ("10m", 8192, 256, 1024, 8, 8, 4),
        ("135m", 49152, 576, 1536, 30, 9, 3),
        ("1b", 128256, 2048, 8192, 16, 32, 8),
        ("7b", 32000, 4096, 11008, 32, 32, 32),
    )
}


def random_model(shape: str, *, device: str, dtype: str, attention: str = "sdpa", seed: int = 0) -> LanguageModel:
    """A model of one of :data:`SHAPES`; the same seed gives the same weights. An unknown shape or type is refused."""
    if shape not in SHAPES:
        raise InnerjudgeError(f"given --shape {shape!r}, expected one of {', '.join(SHAPES)}")
    kind = getattr(torch, dtype, None)
    if kind not in (torch.float32, torch.bfloat16, torch.float16):
        raise InnerjudgeError(f"given --dtype {dtype!r}, expected float32, bfloat16 or float16")
    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise InnerjudgeError(f"given --device {device!r}, expected one of this machine's: {one_line(error)}") from None
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
