"""What only our own documents measure: other libraries, writing texts, and how time grows with them.

``innerjudge bench`` has these tables in a checkout; the wheel has none of this.
"""

import copy
import tempfile
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ....extraction.batching import Batch
from ....extraction.extract import stream
from ..passes.run import SECTIONS as OF_THE_WHEEL
from ..passes.section import CORE, Run, Section, Variant, Work, texts
from ..passes.variants import PASSES, kept_rows
from .asking import ASKING, REASONED
from .generating import GENERATING, RERANKING
from .lengths import LENGTHS, PRECISION, TOKENS


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
    *(section for section in OF_THE_WHEEL if section is not PASSES),
    LENGTHS,
    TOKENS,
    PRECISION,
    GENERATING,
    RERANKING,
    ITEMS,
    ASKING,
    REASONED,
)
