"""A pass that stops after the last block that a judge reads."""

from ..section import Section, Variant
from ..variants.floor import FLOOR
from ..variants.ours import reading
from ..work import Work, texts


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
