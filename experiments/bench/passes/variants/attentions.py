"""transformers' own way to attention: the eager kernel with ``output_attentions`` and ``output_hidden_states``."""

from typing import Any

import torch

from ..section import Run, Variant
from ..work import Work


def _prepare(work: Work, size: int = 8) -> Run:
    model: Any = work.lm.model
    batches = work.batches(size)

    @torch.inference_mode()
    def run() -> list[Any]:
        kept = []
        model.set_attn_implementation("eager")
        try:
            for k, batch in enumerate(batches):
                output = model(
                    input_ids=batch.ids,
                    attention_mask=batch.mask,
                    use_cache=False,
                    output_hidden_states=True,
                    output_attentions=True,
                )
                at = work.positions(k * size, size)
                rows = torch.arange(at.shape[0], device=at.device)
                states = torch.stack([one[rows[:, None], at] for one in output.hidden_states], dim=1)
                kept.append((states, torch.stack([one[rows, :, at[:, -1]] for one in output.attentions], dim=1)))
        finally:
            model.set_attn_implementation("sdpa")
        return kept

    return run


EAGER = Variant(
    name="transformers: eager, output_hidden_states and output_attentions, causal LM",
    prepare=_prepare,
    keeps="states of every block, the squares of attention, logits of every token",
)
