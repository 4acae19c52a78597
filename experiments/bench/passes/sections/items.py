"""More items: time grows with their number, memory does not."""

from .....extraction.extract import stream
from ..section import Run, Section, Variant
from ..work import CORE, Work, texts

_FIRST = 8


def _variants(work: Work) -> tuple[Variant, ...]:
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
    make_variants=_variants,
    memory=True,
)
