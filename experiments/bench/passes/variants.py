"""Ways of running texts (the bare pass, this package's, transformers' own), and the section of the wheel."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from ....extraction.batching import Batch
from ....extraction.extract import extract
from ....extraction.readouts import Readout
from .section import CORE, Run, Section, Variant, Work, texts


def reading(readouts: Sequence[Readout] = CORE, **options: Any) -> Any:
    """A variant's ``prepare`` that extracts ``readouts``, with options of :func:`~innerjudge.extraction.extract`."""

    def prepare(work: Work) -> Run:
        return lambda: extract(work.lm, work.items, readouts, **options)

    return prepare


def floor(work: Work, size: int = 8) -> Run:
    """The bare pass over batches of ``size``."""
    model, batches = work.lm.model.base_model, work.batches(size)

    @torch.inference_mode()
    def run() -> None:
        for batch in batches:
            model(input_ids=batch.ids, attention_mask=batch.mask, use_cache=False)

    return run


def kept_rows(work: Work, read: Callable[[Batch, Tensor, Tensor], Any], size: int = 8) -> Run:
    """What ``read`` keeps of each batch, given its rows ``[B, 1]`` and the positions to read in them ``[B, 3]``."""
    batches = work.batches(size)

    @torch.inference_mode()
    def run() -> list[Any]:
        kept = []
        for k, batch in enumerate(batches):
            at = work.positions(k * size, size)
            kept.append(read(batch, torch.arange(at.shape[0], device=at.device)[:, None], at))
        return kept

    return run


def _transformers(work: Work, model: Any) -> Run:
    def read(batch: Batch, rows: Tensor, at: Tensor) -> Tensor:
        output = model(input_ids=batch.ids, attention_mask=batch.mask, use_cache=False, output_hidden_states=True)
        return torch.stack([states[rows, at] for states in output.hidden_states], dim=1)

    return kept_rows(work, read)


def _eager(work: Work) -> Run:
    model: Any = work.lm.model

    def read(batch: Batch, rows: Tensor, at: Tensor) -> tuple[Tensor, Tensor]:
        asked = {"use_cache": False, "output_hidden_states": True, "output_attentions": True}
        output = model(input_ids=batch.ids, attention_mask=batch.mask, **asked)
        states = torch.stack([one[rows, at] for one in output.hidden_states], dim=1)
        return states, torch.stack([one[rows[:, 0], :, at[:, -1]] for one in output.attentions], dim=1)

    kept = kept_rows(work, read)

    def run() -> object:
        model.set_attn_implementation("eager")
        try:
            return kept()
        finally:
            model.set_attn_implementation("sdpa")

    return run


def _ours(name: str, keeps: str, read: Sequence[Readout] = CORE) -> Variant:
    return Variant(name=f"innerjudge: {name}", prepare=reading(read), keeps=keeps, expected=1.05, expected_memory=1.1)


FLOOR = Variant(name="bare pass of the base model (the floor)", prepare=floor, keeps="nothing")
OURS = _ours(
    "CLUE, LAGER, QK-score and Attention-score in one pass",
    "two positions and the score logits of every block, products and attention of every head",
)
CLUE_ONLY = _ours("CLUE's two positions", "two positions of every block", CORE[:2])
LAGER_ONLY = _ours("LAGER's score logits", "five logits of every block", CORE[2:3])
BASE_MODEL = Variant(
    name="transformers: output_hidden_states, base model",
    prepare=lambda work: _transformers(work, work.lm.model.base_model),
    keeps="states of every block",
)
CAUSAL_LM = Variant(
    name="transformers: output_hidden_states, causal LM",
    prepare=lambda work: _transformers(work, work.lm.model),
    keeps="states of every block, logits of every token",
)
EAGER = Variant(
    name="transformers: eager, output_hidden_states and output_attentions, causal LM",
    prepare=_eager,
    keeps="states of every block, the squares of attention, logits of every token",
)

PASSES = Section(
    key="passes",
    title="One batch, beside what others do",
    about="All variants on the same batch of 4 texts of 256 tokens; ratios are to the bare pass of the base model.",
    make_items=lambda lm, quick: texts(lm, [32] * 4 if quick else [256] * 4),
    make_variants=lambda _work: (FLOOR, OURS, CLUE_ONLY, LAGER_ONLY, BASE_MODEL, CAUSAL_LM, EAGER),
    memory=True,
)
