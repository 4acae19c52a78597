"""The tables of ``innerjudge bench``: passes, other libraries, early stops, shared prompts, writing, how time grows."""

import copy
import tempfile
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ....extraction.batching import Batch
from ....extraction.extract import extract, stream
from ..passes.section import CORE, Run, Section, Variant, Work, texts
from ..passes.variants import FLOOR, PASSES, kept_rows, reading
from .asking import ASKING, REASONED
from .generating import GENERATING, RERANKING
from .lengths import LENGTHS, PRECISION, RESPONSES, TOKENS
from .readers import READERS


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

    return kept_rows(work, read)


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
    return lens_reading(work, bridge, filtered=filtered)


def lens_reading(work: Work, bridge: Any, *, filtered: bool) -> Run:
    """Rows of TransformerLens' cache: of all activations, or of those that the core readouts take rows of."""
    options = {"names_filter": lambda name: name.endswith(_READ)} if filtered else {}
    blocks = range(work.lm.anatomy.n_blocks)

    def read(batch: Batch, rows: Tensor, at: Tensor) -> Tensor:
        _, cache = bridge.run_with_cache(batch.ids, attention_mask=batch.mask, **options)
        return torch.stack([cache[f"blocks.{n}.hook_resid_post"][rows, at] for n in blocks], dim=1)

    return kept_rows(work, read)


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


def _early_stop_variants(work: Work) -> tuple[Variant, ...]:
    n = work.lm.anatomy.n_blocks
    lasts = sorted({max(1, round(n * part / 6)) for part in (1, 2, 3, 4, 5, 6)})
    stops = (
        Variant(
            name=f"innerjudge: all three readouts up to block {last} of {n}",
            prepare=reading(last_block=last),
            keeps=f"what the blocks up to {last} give",
            expected=last / n + 0.05,
        )
        for last in lasts
    )
    return FLOOR, *stops


EARLY_STOP = Section(
    key="early-stop",
    title="Stopping at the last block that is needed",
    about="4 texts of 128 tokens; a judge whose last block is l of L: a chosen head, or a probe on a middle block.",
    make_items=lambda lm, quick: texts(lm, [32] * 4 if quick else [128] * 4),
    make_variants=_early_stop_variants,
)


_COUNTS = (4, 8)


def _candidates_variants(work: Work) -> tuple[Variant, ...]:
    prompt = work.items[0].positions["prompt_end"][0] + 1

    def some(n: int, *, share: bool) -> Variant:
        def prepare(work: Work) -> Run:
            return lambda: extract(work.lm, work.items[:n], CORE, share_prompts=share)

        naive = f"{n} answers as {n} rows"
        tokens = sum(len(item.ids) for item in work.items[:n])
        return Variant(
            name=f"{n} answers, their prompt computed once" if share else naive,
            prepare=prepare,
            keeps=f"{tokens - (n - 1) * prompt if share else tokens} tokens computed",
            against=naive,
            expected=0.4 if share and n == 8 else None,
        )

    return tuple(some(n, share=share) for n in reversed(_COUNTS) for share in (False, True))


CANDIDATES = Section(
    key="candidates",
    title="Answers that share their prompt",
    about="One prompt of 192 tokens, answers of 64; each ratio is to the same answers as rows of their own.",
    make_items=lambda lm, quick: texts(lm, [96] * 8 if quick else [256] * 8, prompt=72 if quick else 192),
    make_variants=_candidates_variants,
)


_FIRST = 8


def _items_variants(work: Work) -> tuple[Variant, ...]:
    def some(n: int) -> Variant:
        def prepare(work: Work) -> Run:
            def run() -> None:
                for _ in stream(work.lm, work.items[:n], CORE, chunk=_FIRST):
                    pass

            return run

        return Variant(
            name=f"{n} texts",
            prepare=prepare,
            keeps="chunks of 8, handed on",
            expected=n / _FIRST * 1.05,
            expected_memory=1.1,
        )

    return tuple(some(n) for n in (_FIRST, 2 * _FIRST, 4 * _FIRST))


ITEMS = Section(
    key="items",
    title="Number of texts",
    about="Texts of 48 tokens as a stream, all three readouts; ratios are to the first 8.",
    make_items=lambda lm, quick: texts(lm, [24 if quick else 48] * 4 * _FIRST),
    make_variants=_items_variants,
    memory=True,
)


def _with_peers(work: Work) -> tuple[Variant, ...]:
    return (*PASSES.make_variants(work), NNSIGHT, FILTERED, EVERYTHING)


SECTIONS: tuple[Section, ...] = (
    replace(PASSES, make_variants=_with_peers),
    EARLY_STOP,
    CANDIDATES,
    LENGTHS,
    TOKENS,
    PRECISION,
    GENERATING,
    RERANKING,
    ITEMS,
    READERS,
    RESPONSES,
    ASKING,
    REASONED,
)
