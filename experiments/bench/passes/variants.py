"""Ways of running texts: the bare pass, this package's, and what others do to read the same rows."""

import copy
import tempfile
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from ....extraction.batching import Batch
from ....extraction.extract import extract
from ....extraction.readouts import HiddenStates, LabelLogits, Readout
from .section import CORE, Run, Variant, Work


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


def _kept(work: Work, read: Callable[[Batch, Tensor, Tensor], Any], size: int = 8) -> Run:
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

    return _kept(work, read)


def _eager(work: Work) -> Run:
    model: Any = work.lm.model

    def read(batch: Batch, rows: Tensor, at: Tensor) -> tuple[Tensor, Tensor]:
        asked = {"use_cache": False, "output_hidden_states": True, "output_attentions": True}
        output = model(input_ids=batch.ids, attention_mask=batch.mask, **asked)
        states = torch.stack([one[rows, at] for one in output.hidden_states], dim=1)
        return states, torch.stack([one[rows[:, 0], :, at[:, -1]] for one in output.attentions], dim=1)

    kept = _kept(work, read)

    def run() -> object:
        model.set_attn_implementation("eager")
        try:
            return kept()
        finally:
            model.set_attn_implementation("sdpa")

    return run


def _nnsight(work: Work) -> Run:
    from nnsight import NNsight

    traced: Any = NNsight(work.lm.model.base_model)

    def read(batch: Batch, rows: Tensor, at: Tensor) -> Any:
        with traced.trace(input_ids=batch.ids, attention_mask=batch.mask, use_cache=False):
            found: Any = []
            found = found.save()  # nnsight gives every object this method
            for layer in traced.layers:
                query = layer.self_attn.q_proj.output[rows, at[:, -1:]]
                key = layer.self_attn.k_proj.output[rows, at]
                found.append((query, key, layer.output[rows, at]))
        return found

    return _kept(work, read)


#: Hooks that hold what the core readouts take rows of.
_READ = ("hook_resid_pre", "hook_resid_post", "attn.hook_q", "attn.hook_k", "attn.hook_pattern")


def _transformer_lens(work: Work, *, filtered: bool) -> Run:
    from transformer_lens.model_bridge import TransformerBridge

    with tempfile.TemporaryDirectory() as folder:
        copy.copy(work.lm.model).save_pretrained(folder)
        work.lm.tokenizer.save_pretrained(folder)
        bridge: Any = TransformerBridge.boot_transformers(
            folder, device=str(work.lm.device), tokenizer=work.lm.tokenizer, dtype=work.lm.model.dtype
        )
    options = {"names_filter": lambda name: name.endswith(_READ)} if filtered else {}
    blocks = range(work.lm.anatomy.n_blocks)

    def read(batch: Batch, rows: Tensor, at: Tensor) -> Tensor:
        _, cache = bridge.run_with_cache(batch.ids, attention_mask=batch.mask, **options)
        return torch.stack([cache[f"blocks.{n}.hook_resid_post"][rows, at] for n in blocks], dim=1)

    return _kept(work, read)


FLOOR = Variant(name="bare pass of the base model (the floor)", prepare=floor, keeps="nothing")
OURS = Variant(
    name="innerjudge: CLUE, LAGER, QK-score and Attention-score in one pass",
    prepare=reading(),
    keeps="two positions and the score logits of every block, products and attention of every head",
    expected=1.05,
    expected_memory=1.1,
)
CLUE_ONLY = Variant(
    name="innerjudge: CLUE's two positions",
    prepare=reading((HiddenStates("reasoning_start"), HiddenStates("reasoning_end"))),
    keeps="two positions of every block",
    expected=1.05,
    expected_memory=1.1,
)
LAGER_ONLY = Variant(
    name="innerjudge: LAGER's score logits",
    prepare=reading((LabelLogits("score"),)),
    keeps="five logits of every block",
    expected=1.05,
    expected_memory=1.1,
)
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
NNSIGHT = Variant(
    name="nnsight: trace, rows of states, queries and keys",
    prepare=_nnsight,
    keeps="three positions of every block, their queries and keys",
    package="nnsight",
)
EVERYTHING = Variant(
    name="TransformerLens: run_with_cache, everything",
    prepare=lambda work: _transformer_lens(work, filtered=False),
    keeps="every activation",
    package="transformer_lens",
)
FILTERED = Variant(
    name="TransformerLens: run_with_cache, filtered",
    prepare=lambda work: _transformer_lens(work, filtered=True),
    keeps="states, queries, keys and patterns of every block",
    package="transformer_lens",
)
