"""Batches of examples, cut by length, and the weighted loss on them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from random import Random

import torch
from torch.nn import functional
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from .corpus import encode, examples
from .mixtures import EARLY_MIXTURE, MIXTURE, VERDICT_WEIGHT
from .split import HELD_OUT_SEED

#: One batch: token ids and loss weights.
Batch = tuple[torch.Tensor, torch.Tensor]


def batches(
    tokenizer: PreTrainedTokenizerFast,
    seed: int,
    tokens: int,
    early: int = 0,
    late: Mapping[str, float] = MIXTURE,
    chunk: int = 8000,
) -> Iterator[Batch]:
    """Yield batches of about ``tokens`` tokens without end, cut by length so that little is padding.

    The first ``early`` chunks are of the early mixture, where verdicts weigh no more than other words.

    Example:
        >>> from innerjudge.models.reference.tokenizer import train_tokenizer
        >>> ids, weights = next(batches(train_tokenizer(["Score: 4"], 300), 0, 2000, chunk=200))
        >>> ids.shape == weights.shape
        True
    """
    rng = Random(seed)
    pad = int(tokenizer.pad_token_id)
    for number in range(HELD_OUT_SEED):
        drawn = examples(chunk, seed=seed * 1000 + number, mixture=EARLY_MIXTURE if number < early else late)
        weight = 1.0 if number < early else VERDICT_WEIGHT
        coded = sorted(encode(drawn, tokenizer, weight), key=lambda pair: len(pair[0]))
        cut: list[Batch] = []
        while coded:
            width = len(coded[-1][0])
            rows = [coded.pop() for _ in range(min(len(coded), max(1, tokens // width)))]
            ids = torch.full((len(rows), width), pad)
            weights = torch.zeros(len(rows), width)
            for i, (row, row_weights) in enumerate(rows):
                ids[i, : len(row)] = torch.tensor(row)
                weights[i, : len(row)] = torch.tensor(row_weights)
            cut.append((ids, weights))
        rng.shuffle(cut)
        yield from cut


def loss_of(model: LlamaForCausalLM, batch: Batch) -> torch.Tensor:
    """Weighted mean negative log-probability; only the weighted positions reach the vocabulary.

    No attention mask is needed: padding stands at the end, where a causal model does not look.
    """
    ids, weights = batch
    states = model.model(input_ids=ids[:, :-1], use_cache=False).last_hidden_state
    kept = weights[:, 1:] > 0
    logits = model.lm_head(states[kept]).float()
    each = functional.cross_entropy(logits, ids[:, 1:][kept], reduction="none")
    row = weights[:, 1:][kept]
    return (each * row).sum() / row.sum()
