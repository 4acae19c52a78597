"""Longer texts: the cost beside the bare pass at each length."""

from dataclasses import replace

from ..section import Run, Section, Variant
from ..variants.floor import prepare as floor
from ..variants.ours import reading
from ..work import Work, texts

_PER_LENGTH = 2


def _variants(work: Work) -> tuple[Variant, ...]:
    found = []
    for at in range(0, len(work.items), _PER_LENGTH):
        length = len(work.items[at].ids)
        bare = f"bare pass, {length} tokens"

        def part(work: Work, at: int = at) -> Work:
            return replace(work, items=work.items[at : at + _PER_LENGTH])

        def bare_run(work: Work, part=part) -> Run:  # type: ignore[no-untyped-def]
            return floor(part(work))

        def own_run(work: Work, part=part) -> Run:  # type: ignore[no-untyped-def]
            return reading()(part(work))  # type: ignore[no-any-return]

        found.append(Variant(name=bare, prepare=bare_run, against=bare))
        found.append(Variant(name=f"innerjudge, {length} tokens", prepare=own_run, against=bare, expected=1.05))
    return tuple(found)


TOKENS = Section(
    key="tokens",
    title="Length",
    about="2 texts of one length, all three readouts; each ratio is to the bare pass of the same length.",
    make_items=lambda lm, quick: texts(
        lm, [t for t in ((24, 48) if quick else (64, 128, 256, 512)) for _ in range(_PER_LENGTH)]
    ),
    make_variants=_variants,
)
