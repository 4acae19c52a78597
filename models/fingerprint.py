"""A short hash that identifies a model, whatever folder it is in."""

import hashlib

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from .anatomy import Anatomy
from .offloading import named_state, stored
from .sharding import gathered


def fingerprint_of(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, anatomy: Anatomy) -> str:
    """First 16 digits of a SHA-256 over parts of a model; see :attr:`.loading.LanguageModel.fingerprint`."""
    digest = hashlib.sha256()
    a, config = anatomy, model.config.get_text_config()
    sizes = (a.n_heads, a.n_kv_heads, a.head_dim, a.softcap, a.logit_scale, getattr(config, "rope_parameters", None))
    digest.update(f"{type(model).__name__} {sizes} {len(tokenizer)}".encode())
    digest.update(" ".join(map(str, tokenizer.convert_ids_to_tokens([*range(0, len(tokenizer), 97)]))).encode())
    for name, weight in named_state(model):
        here = stored(model, name) if weight.is_meta else gathered(weight.detach())
        sample = here.flatten()[:: max(1, weight.numel() // 64)][:64]
        # One dtype for all, so that the dtype is judged by its own field.
        digest.update(name.encode() + str(tuple(weight.shape)).encode())
        digest.update(sample.to("cpu", torch.bfloat16).view(torch.int16).numpy().tobytes())
    return digest.hexdigest()[:16]
