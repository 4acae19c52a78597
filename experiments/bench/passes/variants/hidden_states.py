"""transformers' own way to states: ``output_hidden_states``, from which the rows are then taken."""

from typing import Any

import torch

from ..section import Run, Variant
from ..work import Work


def _prepare(work: Work, model: Any, size: int = 8) -> Run:
    batches = work.batches(size)

    @torch.inference_mode()
    def run() -> list[Any]:
        kept = []
        for k, batch in enumerate(batches):
            output = model(input_ids=batch.ids, attention_mask=batch.mask, use_cache=False, output_hidden_states=True)
            at = work.positions(k * size, size)
            rows = torch.arange(at.shape[0], device=at.device)[:, None]
            kept.append(torch.stack([states[rows, at] for states in output.hidden_states], dim=1))
        return kept

    return run


BASE_MODEL = Variant(
    name="transformers: output_hidden_states, base model",
    prepare=lambda work: _prepare(work, work.lm.model.base_model),
    keeps="states of every block",
)
CAUSAL_LM = Variant(
    name="transformers: output_hidden_states, causal LM",
    prepare=lambda work: _prepare(work, work.lm.model),
    keeps="states of every block, logits of every token",
)
