"""Several answers to one prompt: as rows of their own, and with the prompt computed once."""

from .....extraction.extract import extract
from ..section import Run, Section, Variant
from ..work import CORE, Work, texts

_COUNTS = (4, 8)


def _variants(work: Work) -> tuple[Variant, ...]:
    prompt = work.items[0].positions["prompt_end"][0] + 1

    def some(n: int, *, share: bool) -> Variant:
        def prepare(work: Work) -> Run:
            return lambda: extract(work.lm, work.items[:n], CORE, share_prompts=share)

        naive = f"{n} answers as {n} rows"
        tokens = sum(len(item.ids) for item in work.items[:n])
        return Variant(
            name=f"{n} answers, their prompt once" if share else naive,
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
    make_variants=_variants,
)
