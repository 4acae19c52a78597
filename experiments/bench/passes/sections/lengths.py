"""Texts of many lengths: one by one, padded as they come, as this package batches them, and packed in rows."""

import random

from .....extraction.extract import extract
from .....models.loading import LanguageModel
from .....models.positions import Encoding
from ..section import Run, Section, Variant
from ..variants.floor import prepare as floor
from ..variants.ours import reading
from ..work import CORE, Work, texts


def _items(lm: LanguageModel, quick: bool) -> tuple[Encoding, ...]:
    longest, n = (96, 8) if quick else (512, 12)
    lengths = [round(32 + k * (longest - 32) / (n - 1)) for k in range(n)]
    random.Random(0).shuffle(lengths)
    return texts(lm, lengths)


def _one_by_one(work: Work) -> Run:
    return lambda: extract(work.lm, work.items, CORE, batch_size=1)


LENGTHS = Section(
    key="lengths",
    title="Texts of many lengths",
    about=(
        "12 texts of 32 to 512 tokens, evenly spread, in random order; results come in the given order. Packed rows "
        "are meant for kernels that skip what one text would see of another (flash and flex attention, on a GPU, where "
        "they are the default); sdpa computes it and throws it away."
    ),
    make_items=_items,
    make_variants=lambda _work: (
        Variant(name="innerjudge, one by one, no padding", prepare=_one_by_one, keeps="all three readouts"),
        Variant(
            name="innerjudge, batches by length and a budget of tokens",
            prepare=reading(),
            keeps="all three readouts",
            expected=1.05,
        ),
        Variant(
            name="innerjudge, packed: end to end in rows, no padding",
            prepare=reading(packed=True),
            keeps="all three readouts",
        ),
        Variant(name="bare pass, batches of 8 as they come", prepare=floor, keeps="nothing"),
    ),
)
