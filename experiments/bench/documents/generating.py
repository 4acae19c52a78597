"""Answers judged while they are written, beside answers that are written and then read."""

from typing import Any

import torch
from transformers import GenerationConfig

from ....extraction.batching import collate
from ....extraction.extract import extract
from ....extraction.readouts import AttentionSpans, Carried, HiddenStates, ResponseLogProb
from ....extraction.writing.decoding import decode
from ....extraction.writing.write_and_read import CARRIED, write_and_read
from ....models.items import Trace
from ....models.loading import LanguageModel
from ....models.positions import Encoding, encode_trace
from ..passes.section import Run, Section, Variant, Work

_STATES = tuple(HiddenStates(role) for role in CARRIED)
_ANSWERS = 4
#: Tokens of an answer, and in a quick run.
_NEW, _QUICK = 48, 6
#: Tokens of a question, and of one that all answers are to.
_LENGTH, _LENGTH_ALIKE, _LENGTH_QUICK = 64, 192, 24


def _questions(n: int, *, alike: bool) -> list[Trace]:
    """``n`` questions; ``alike``: one, to be answered ``n`` times."""
    words = _LENGTH_QUICK if n < _ANSWERS else _LENGTH_ALIKE if alike else _LENGTH
    texts = [f"Start with {7 if alike else 10 + k}." + " Add 5." * ((words - 7) // 3) for k in range(n)]
    return [Trace(question_id=str(k), candidate_id="0", prompt=text, response="") for k, text in enumerate(texts)]


def _encoded(lm: LanguageModel, quick: bool, *, alike: bool) -> tuple[Encoding, ...]:
    questions = _questions(2 if quick else _ANSWERS, alike=alike)
    return tuple(encode_trace(lm.tokenizer, question) for question in questions)


def _size(work: Work) -> tuple[int, int]:
    """How many answers, of how many tokens."""
    return len(work.items), _NEW if len(work.items) == _ANSWERS else _QUICK


def _plain(work: Work, **more: Any) -> Run:
    """``generate`` of transformers, at temperature 1."""
    lm, new = work.lm, _size(work)[1]
    batch = collate(work.items, pad_id=lm.pad_id, side="left", device=lm.device)
    config = GenerationConfig(
        max_new_tokens=new, do_sample=True, top_k=0, pad_token_id=lm.pad_id, return_dict_in_generate=bool(more), **more
    )
    run: Any = lm.model.generate

    def once() -> object:
        torch.manual_seed(0)
        with torch.inference_mode():
            return run(input_ids=batch.ids, attention_mask=batch.mask, generation_config=config)

    return once


def _ours(work: Work, *readouts: Carried, alike: bool = False) -> Run:
    n, new = _size(work)
    questions = _questions(n, alike=alike)
    return lambda: write_and_read(work.lm, questions, readouts, max_new_tokens=new, batch_size=n)


def _then_replay(work: Work, *, share: bool) -> Run:
    """What reranking costs with a pass of its own: the answers written, then read."""
    lm, (n, new) = work.lm, _size(work)

    def once() -> object:
        torch.manual_seed(0)
        written = decode(lm, work.items, new, temperature=1.0, share=share)
        read = [
            Encoding(
                id=str(k),
                group="",
                ids=(*item.ids, *ids),
                positions={"prompt_end": (len(item.ids) - 1,), "response_end": (len(item.ids) + new - 1,)},
            )
            for k, (item, ids) in enumerate(zip(work.items, written, strict=True))
        ]
        return extract(lm, read, [*_STATES, ResponseLogProb()], batch_size=n, share_prompts=share)

    return once


GENERATING = Section(
    key="generating",
    title="Judging while generating",
    about=(
        f"{_ANSWERS} questions of about {_LENGTH} tokens, answers of {_NEW} tokens sampled in one batch; none ends "
        "before the limit, so that the last token takes the additional step. The reference is transformers' `generate`."
    ),
    make_items=lambda lm, quick: _encoded(lm, quick, alike=False),
    make_variants=lambda _work: (
        Variant(name="transformers: generate", prepare=_plain, keeps="the answers"),
        Variant(
            name="innerjudge: generate and keep",
            prepare=lambda work: _ours(work, *_STATES),
            keeps="states of every block at the prompt's end, the markers and the last token",
            expected=1.03,
        ),
        Variant(
            name="the same, log-probabilities too",
            prepare=lambda work: _ours(work, *_STATES, ResponseLogProb()),
            keeps="also the log-probability of each answer",
        ),
        Variant(
            name="states, and attention of every token",
            prepare=lambda work: _ours(work, *_STATES, AttentionSpans()),
            keeps="also the mass of every head on the prompt and on the answer so far",
        ),
        Variant(
            name="transformers: generate with output_hidden_states",
            prepare=lambda work: _plain(work, output_hidden_states=True),
            keeps="states of every block at every token; none of the last token",
        ),
    ),
)

RERANKING = Section(
    key="reranking",
    title="Answers to one question, written and ranked",
    about=(
        f"{_ANSWERS} answers of {_NEW} tokens to one question of about {_LENGTH_ALIKE}; what a fitted judge of hidden "
        "states and the token-log-probability read. The reference writes the answers, each after its own reading of "
        "the question, and passes them through the model again."
    ),
    make_items=lambda lm, quick: _encoded(lm, quick, alike=True),
    make_variants=lambda _work: (
        Variant(
            name="generate, then a pass over the answers",
            prepare=lambda work: _then_replay(work, share=False),
            keeps="two readings of each answer",
        ),
        Variant(
            name="the same, the prompt computed once in each",
            prepare=lambda work: _then_replay(work, share=True),
            keeps="two readings of each answer",
        ),
        Variant(
            name="innerjudge: written and read at once",
            prepare=lambda work: _ours(work, *_STATES, ResponseLogProb(), alike=True),
            keeps="one reading, the prompt computed once",
        ),
    ),
)
