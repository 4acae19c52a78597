"""Verdicts asked for in text: the logits of the labels and the text, from two readings of the prompts and from one."""

from ....extraction.extract import extract
from ....extraction.readouts import LabelLogits
from ....extraction.writing.decoding import decode
from ....extraction.writing.generate import generate
from ....extraction.writing.write_and_read import read_and_write
from ....models.loading import LanguageModel
from ....models.positions import Encoding, encode_prompt
from ....models.prompts import rating_prompt
from ...reading.passes import DIRECT_TOKENS
from ..passes.section import Run, Section, Variant, Work


def _prompts(lm: LanguageModel, quick: bool) -> tuple[Encoding, ...]:
    n, words = (3, 8) if quick else (4, 40)
    asked = [rating_prompt(f"Start with {k}.", " Add 5." * words) for k in range(n)]
    return tuple(encode_prompt(lm.tokenizer, str(k), str(k), one) for k, one in enumerate(asked))


def _text(work: Work) -> Run:
    return lambda: generate(
        work.lm, work.items, name="direct", max_new_tokens=DIRECT_TOKENS, batch_size=len(work.items)
    )


def _clear_at_once(work: Work) -> Run:
    """The random model writes no verdict; that its first two tokens were clear is taken for granted here."""
    written = [0] * len(work.items)

    def clear(k: int, _text: str) -> bool:
        written[k] += 1
        return not written[k] % 2

    return lambda: generate(
        work.lm, work.items, name="direct", max_new_tokens=DIRECT_TOKENS, batch_size=len(work.items), settled=clear
    )


def _twice(work: Work) -> Run:
    def once() -> object:
        read = extract(work.lm, work.items, [LabelLogits()], batch_size=len(work.items))
        how = {"max_new_tokens": DIRECT_TOKENS, "batch_size": len(work.items)}
        return read.join(generate(work.lm, work.items, name="direct", **how))  # type: ignore[arg-type]

    return once


def _at_once(work: Work) -> Run:
    return lambda: read_and_write(
        work.lm, work.items, [LabelLogits()], name="direct", max_new_tokens=DIRECT_TOKENS, batch_size=len(work.items)
    )


_REASONED, _REASONED_QUICK = 32, 4


def _answers(lm: LanguageModel, quick: bool) -> tuple[Encoding, ...]:
    """Answers to one question, each to be rated."""
    n, words = (3, 24) if quick else (8, 60)
    asked = [rating_prompt("Start with 7." + " Add 5." * words, f"Step {k}.", reasoned=True) for k in range(n)]
    return tuple(encode_prompt(lm.tokenizer, str(k), "0", one) for k, one in enumerate(asked))


def _reasoned(work: Work, *, share: bool) -> Run:
    n = len(work.items)
    new = _REASONED if n > 3 else _REASONED_QUICK
    if not share:
        return lambda: decode(work.lm, work.items, new, share=False)
    return lambda: generate(work.lm, work.items, name="reasoned", max_new_tokens=new, batch_size=n)


ASKING = Section(
    key="asking",
    title="Verdicts asked for in text",
    about=(
        "4 rating prompts; logits of the scores at every block, and the verdict in text, 8 tokens at most. The "
        "reference reads the prompts twice."
    ),
    make_items=_prompts,
    make_variants=lambda _work: (
        Variant(name="logits, then text", prepare=_twice, keeps="logits and text of 8 tokens"),
        Variant(name="innerjudge: both from one reading", prepare=_at_once, keeps="logits and text of 8 tokens"),
        Variant(name="text alone, 8 tokens", prepare=_text, keeps="text"),
        Variant(name="text alone, ended where it is clear", prepare=_clear_at_once, keeps="text of 2 tokens"),
    ),
)

REASONED = Section(
    key="reasoned",
    title="Verdicts in text after reasoning",
    about=(
        f"Rating prompts of 8 answers to one question, {_REASONED} tokens of reasoning each, one batch. The reference "
        "is transformers' `generate`, which reads every prompt whole."
    ),
    make_items=_answers,
    make_variants=lambda _work: (
        Variant(name="each prompt read whole", prepare=lambda work: _reasoned(work, share=False), keeps="text"),
        Variant(
            name="innerjudge: what they begin with computed once",
            prepare=lambda work: _reasoned(work, share=True),
            keeps="text",
        ),
    ),
)
