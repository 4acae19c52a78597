"""Batches of examples, cut by length, and the weighted loss on them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from random import Random

import torch
from torch.nn import functional
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from ..words import HELD_OUT_SEED
from .corpus import encode, examples
from .mixtures import MIXTURE, VERDICT_WEIGHT


@dataclass(frozen=True, slots=True)
class Batch:
    """One batch: token ids ``[B, T]``, loss weights ``[B, T]``, and ``[B, 2]`` pointers from cue to right option."""

    ids: torch.Tensor
    weights: torch.Tensor
    pointers: torch.Tensor


def batches(
    tokenizer: PreTrainedTokenizerFast, seed: int, tokens: int, mixture: Mapping[str, float] = MIXTURE,
    verdict: float = VERDICT_WEIGHT, chunk: int = 8000
) -> Iterator[Batch]:  # fmt: skip
    """Yield batches of about ``tokens`` tokens without end, cut by length so that little is padding.

    Example:
        >>> from innerjudge.models.reference.training.tokenizer import train_tokenizer
        >>> batch = next(batches(train_tokenizer(["Score: 4"], 300), 0, 2000, chunk=200))
        >>> batch.ids.shape == batch.weights.shape
        True
    """
    rng = Random(seed)
    pad = int(tokenizer.pad_token_id)
    for number in range(HELD_OUT_SEED):
        drawn = examples(chunk, seed=seed * 1000 + number, mixture=mixture)
        coded = sorted(encode(drawn, tokenizer, verdict), key=lambda one: len(one.ids))
        cut: list[Batch] = []
        while coded:
            width = len(coded[-1].ids)
            rows = [coded.pop() for _ in range(min(len(coded), max(1, tokens // width)))]
            ids = torch.full((len(rows), width), pad)
            weights = torch.zeros(len(rows), width)
            for i, row in enumerate(rows):
                ids[i, : len(row.ids)] = torch.tensor(row.ids)
                weights[i, : len(row.ids)] = torch.tensor(row.weights)
            cut.append(Batch(ids, weights, torch.tensor([(row.cue, row.option_end) for row in rows])))
        rng.shuffle(cut)
        yield from cut


def loss_of(model: LlamaForCausalLM, batch: Batch) -> torch.Tensor:
    """Weighted mean negative log-probability; only the weighted positions reach the vocabulary.

    No attention mask is needed: padding stands at the end, where a causal model does not look.
    """
    states = model.model(input_ids=batch.ids[:, :-1], use_cache=False).last_hidden_state
    kept = batch.weights[:, 1:] > 0
    logits = model.lm_head(states[kept]).float()
    each = functional.cross_entropy(logits, batch.ids[:, 1:][kept], reduction="none")
    row = batch.weights[:, 1:][kept]
    return (each * row).sum() / row.sum()
