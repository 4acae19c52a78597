"""What transformers itself gives: the bare pass, ``output_hidden_states``, eager attentions."""

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


def prepare(work: Work, size: int = 8) -> Run:
    """The bare pass over batches of ``size``."""
    model, batches = work.lm.model.base_model, work.batches(size)

    @torch.inference_mode()
    def run() -> None:
        for batch in batches:
            model(input_ids=batch.ids, attention_mask=batch.mask, use_cache=False)

    return run


FLOOR = Variant(name="bare pass of the base model (the floor)", prepare=prepare, keeps="nothing")


def _attentions_prepare(work: Work, size: int = 8) -> Run:
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
    prepare=_attentions_prepare,
    keeps="states of every block, the squares of attention, logits of every token",
)
