"""One batch, the bare pass, ours and that of transformers; passes that stop early; answers of one prompt."""

from ....extraction.extract import extract
from .section import CORE, Run, Section, Variant, Work, texts
from .variants import BASE_MODEL, CAUSAL_LM, CLUE_ONLY, EAGER, FLOOR, LAGER_ONLY, OURS, reading

PASSES = Section(
    key="passes",
    title="One batch, beside what others do",
    about="All variants on the same batch of 4 texts of 256 tokens; ratios are to the bare pass of the base model.",
    make_items=lambda lm, quick: texts(lm, [32] * 4 if quick else [256] * 4),
    make_variants=lambda _work: (FLOOR, OURS, CLUE_ONLY, LAGER_ONLY, BASE_MODEL, CAUSAL_LM, EAGER),
    memory=True,
)


def _variants(work: Work) -> tuple[Variant, ...]:
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
    make_variants=_variants,
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
    make_variants=_candidates_variants,
)
