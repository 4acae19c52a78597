"""A short hash that identifies a model, over the tensors of its state, wherever those are kept."""

import hashlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from .anatomy import Anatomy
from .errors import InnerjudgeError
from .tokens import FastTokenizer


def fingerprint_of(model: PreTrainedModel, tokenizer: FastTokenizer, anatomy: Anatomy) -> str:
    """First 16 digits of a SHA-256 over parts of a model; see :attr:`.loading.LanguageModel.fingerprint`."""
    digest = hashlib.sha256()
    a, rope = anatomy, getattr(model.config.get_text_config(), "rope_parameters", None)
    sizes = (a.n_heads, a.n_kv_heads, a.head_dim, a.post.softcap, a.post.scale, rope)
    digest.update(f"{type(model).__name__} {sizes} {len(tokenizer)}".encode())
    digest.update(" ".join(map(str, tokenizer.convert_ids_to_tokens([*range(0, len(tokenizer), 97)]))).encode())
    for name, weight in named_state(model):
        here = stored(model, name) if weight.is_meta else gathered(weight.detach())
        sample = here.flatten()[:: max(1, weight.numel() // 64)][:64]
        # One dtype for all, so that the dtype is judged by its own field.
        digest.update(name.encode() + str(tuple(weight.shape)).encode())
        digest.update(sample.to("cpu", torch.bfloat16).view(torch.int16).numpy().tobytes())
    return digest.hexdigest()[:16]


def named_state(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Names and tensors in the order of ``state_dict``, without the entries that quantised modules add.

    ``state_dict`` is not called: bitsandbytes (0.50, CPU) repacks 4-bit weights there, which changes its results.
    """
    for path, module in model.named_modules(remove_duplicate=False):
        passing = module._non_persistent_buffers_set
        own = [*module._parameters.items(), *((n, b) for n, b in module._buffers.items() if n not in passing)]
        yield from ((f"{path}.{name}".lstrip("."), tensor) for name, tensor in own if tensor is not None)


def stored(model: nn.Module, name: str) -> Tensor:
    """Tensor ``name`` of the model's state, wherever it is kept; ``InnerjudgeError`` if it was never filled."""
    path, _, own = name.rpartition(".")
    hook: Any = getattr(model.get_submodule(path), "_hf_hook", None)
    for one in getattr(hook, "hooks", (hook,)):
        kept = getattr(one, "weights_map", None)
        if kept is not None:
            return kept[own]  # type: ignore[no-any-return]
    raise InnerjudgeError.of("models.meta-weights", name)


def gathered(tensor: Tensor) -> Tensor:
    """Gather a weight of which each process holds a part; every process must call it at the same time."""
    whole = getattr(tensor, "full_tensor", None)
    return tensor if whole is None else whole()
