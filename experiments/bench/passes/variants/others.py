"""Other tools that read a pass: nnsight and TransformerLens, the same rows of states, queries and keys."""

import copy
import tempfile
from typing import Any

import torch

from ..section import Run, Variant
from ..work import Work


def _prepare(work: Work, size: int = 8) -> Run:
    from nnsight import NNsight

    traced: Any = NNsight(work.lm.model.base_model)
    batches = work.batches(size)
    places = [work.positions(k * size, size) for k in range(len(batches))]

    @torch.inference_mode()
    def run() -> list[Any]:
        kept: list[Any] = []
        for batch, at in zip(batches, places, strict=True):
            rows = torch.arange(at.shape[0], device=at.device)[:, None]
            with traced.trace(input_ids=batch.ids, attention_mask=batch.mask, use_cache=False):
                found: Any = []
                found = found.save()  # nnsight gives every object this method
                for layer in traced.layers:
                    query = layer.self_attn.q_proj.output[rows, at[:, -1:]]
                    key = layer.self_attn.k_proj.output[rows, at]
                    found.append((query, key, layer.output[rows, at]))
            kept.append(found)
        return kept

    return run


NNSIGHT = Variant(
    name="nnsight: trace, rows of states, queries and keys",
    prepare=_prepare,
    keeps="three positions of every block, their queries and keys",
    package="nnsight",
)


#: Hooks that hold what the core readouts take rows of.
_READ = ("hook_resid_pre", "hook_resid_post", "attn.hook_q", "attn.hook_k", "attn.hook_pattern")


def _transformer_lens_prepare(work: Work, size: int = 8, *, filtered: bool) -> Run:
    from transformer_lens.model_bridge import TransformerBridge

    with tempfile.TemporaryDirectory() as folder:
        copy.copy(work.lm.model).save_pretrained(folder)
        work.lm.tokenizer.save_pretrained(folder)
        bridge: Any = TransformerBridge.boot_transformers(
            folder, device=str(work.lm.device), tokenizer=work.lm.tokenizer, dtype=work.lm.model.dtype
        )
    batches = work.batches(size)
    options = {"names_filter": lambda name: name.endswith(_READ)} if filtered else {}

    @torch.inference_mode()
    def run() -> list[Any]:
        kept = []
        for k, batch in enumerate(batches):
            _, cache = bridge.run_with_cache(batch.ids, attention_mask=batch.mask, **options)
            at = work.positions(k * size, size)
            rows = torch.arange(at.shape[0], device=at.device)[:, None]
            blocks = range(work.lm.anatomy.n_blocks)
            kept.append(torch.stack([cache[f"blocks.{n}.hook_resid_post"][rows, at] for n in blocks], dim=1))
        return kept

    return run


EVERYTHING = Variant(
    name="TransformerLens: run_with_cache, everything",
    prepare=lambda work: _transformer_lens_prepare(work, filtered=False),
    keeps="every activation",
    package="transformer_lens",
)
FILTERED = Variant(
    name="TransformerLens: run_with_cache, filtered",
    prepare=lambda work: _transformer_lens_prepare(work, filtered=True),
    keeps="states, queries, keys and patterns of every block",
    package="transformer_lens",
)
