"""One teacher-forced pass over texts, for the measurements of the model card."""

from collections.abc import Iterator, Sequence

import torch
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast


def passes(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, texts: Sequence[str], batch: int = 64
) -> Iterator[tuple[int, torch.Tensor, torch.Tensor, torch.Tensor]]:
    """Yield ``(index, ids, hidden states of blocks 1..L [L, T, D], logits [T, V])`` of each text, padding removed.

    Padding stands on the right, where a causal model does not look, so no mask is needed.
    """
    tokenizer.padding_side = "right"
    for start in range(0, len(texts), batch):
        rows = list(texts[start : start + batch])
        coded = tokenizer(rows, padding=True, return_tensors="pt", add_special_tokens=False)
        with torch.inference_mode():
            out = model(input_ids=coded["input_ids"], output_hidden_states=True, use_cache=False)
        states = torch.stack(out.hidden_states[1:], dim=1)
        for i, length in enumerate(coded["attention_mask"].sum(1).tolist()):
            yield start + i, coded["input_ids"][i, :length], states[i, :, :length], out.logits[i, :length]


def label_ids(tokenizer: PreTrainedTokenizerFast, labels: Sequence[str]) -> list[int]:
    """Ids of labels as they stand after a cue such as ``"Score:"``; each must be one token.

    Example:
        >>> from innerjudge.models.reference.training.measure import load
        >>> len(label_ids(load()[1], ["1", "5"]))
        2
    """
    coded = [tokenizer(f" {label}", add_special_tokens=False)["input_ids"] for label in labels]
    assert all(len(ids) == 1 for ids in coded), labels
    return [int(ids[0]) for ids in coded]
