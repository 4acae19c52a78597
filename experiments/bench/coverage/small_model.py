"""A small random model of a type, with weights at which a wrong norm, a missing bias or a missing scale shows."""

import copy
from collections.abc import Sequence
from typing import Any

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from torch import nn
from transformers import AutoModelForCausalLM, PreTrainedConfig, PreTrainedTokenizerFast

from ....models.loading import LanguageModel, wrap
from ....models.positions import Encoding

#: Spread of what is added to matrices, and to everything else: with the usual 0.02 attention is uniform, norm weights
#: are one, biases zero, and most errors leave no trace.
_MATRIX, _VECTOR = 0.2, 0.15


def small_model(config: PreTrainedConfig, *, seed: int = 0, **options: Any) -> Any:
    """A model of ``config`` with random weights, in evaluation mode; the same seed gives the same weights.

    Example:
        >>> from .shrink import small_config
        >>> norm = small_model(small_config("llama")).model.norm.weight
        >>> bool((norm != 1).all())
        True
    """
    torch.manual_seed(seed)
    # A copy: a kernel that is asked for is written into the config, of other models as well that share it.
    model: Any = AutoModelForCausalLM.from_config(copy.deepcopy(config), dtype=torch.float32, **options)
    roughen(model, seed)
    return model.eval()


def roughen(model: nn.Module, seed: int = 0) -> None:
    """Add noise to every weight and stored buffer."""
    random = torch.Generator().manual_seed(seed)
    stored = model.state_dict(keep_vars=True)
    done: set[int] = set()
    for name in sorted(stored):
        weight = stored[name]
        if weight.is_floating_point() and weight.data_ptr() not in done:
            done.add(weight.data_ptr())
            spread = _MATRIX if weight.ndim >= 2 else _VECTOR
            weight.data += torch.randn(weight.shape, generator=random) * spread


def readable(model: Any) -> LanguageModel:
    """The model with a tokenizer of as many words as it has tokens."""
    config = model.config.get_text_config(decoder=True)
    words = {f"w{i}": i for i in range(int(getattr(config, "vocab_size", 0) or 96))}
    inner = Tokenizer(WordLevel(words, unk_token="w3"))
    return wrap(model, PreTrainedTokenizerFast(tokenizer_object=inner, pad_token="w0"))


def random_items(lm: LanguageModel, lengths: Sequence[int], *, seed: int = 0) -> list[Encoding]:
    """Items of random tokens: positions in the middle and at the end, a response, all tokens options, three labels."""
    random = torch.Generator().manual_seed(seed)
    embedding: Any = lm.model.get_input_embeddings()
    size = min(int(embedding.weight.shape[0]), lm.anatomy.post.size)  # one may have more entries than the other
    return [
        Encoding(
            id=f"item-{k}",
            group=f"item-{k}",
            ids=tuple(torch.randint(size // 4, size - 8, (length,), generator=random).tolist()),
            positions={
                "prompt_end": (1,),
                "middle": (length // 2,),
                "score": (length - 1,),
                "response_end": (length - 1,),
                "option_end": tuple(range(length)),
            },
            label_ids=(5, 9, 12),
        )
        for k, length in enumerate(lengths)
    ]
