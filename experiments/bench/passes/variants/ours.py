"""innerjudge's own passes."""

from collections.abc import Sequence
from typing import Any

from .....extraction.extract import extract
from .....extraction.readouts import HiddenStates, LabelLogits, Readout
from ..section import Run, Variant
from ..work import CORE, Work


def reading(readouts: Sequence[Readout] = CORE, **options: Any) -> Any:
    """A variant's ``prepare`` that extracts ``readouts``, with options of :func:`~innerjudge.extraction.extract`."""

    def prepare(work: Work) -> Run:
        return lambda: extract(work.lm, work.items, readouts, **options)

    return prepare


OURS = Variant(
    name="innerjudge: CLUE, LAGER, QK-score and Attention-score in one pass",
    prepare=reading(),
    keeps="two positions and the score logits of every block, products and attention of every head",
    expected=1.05,
    expected_memory=1.1,
)
CLUE_ONLY = Variant(
    name="innerjudge: CLUE's two positions",
    prepare=reading((HiddenStates("reasoning_start"), HiddenStates("reasoning_end"))),
    keeps="two positions of every block",
    expected=1.05,
    expected_memory=1.1,
)
LAGER_ONLY = Variant(
    name="innerjudge: LAGER's score logits",
    prepare=reading((LabelLogits("score"),)),
    keeps="five logits of every block",
    expected=1.05,
    expected_memory=1.1,
)
