"""Items that cannot be put to the model are unscored with their reason, and the run goes on."""

from __future__ import annotations

import pytest
from innerjudge.experiments.reading.passes import Passes
from innerjudge.experiments.reading.read import read
from innerjudge.models.errors import InnerjudgeError
from innerjudge.models.items import Choice, Rating
from innerjudge.models.loading import LanguageModel
from innerjudge.probes import LetterLogits


def choice(name: str, n: int) -> Choice:
    return Choice(question_id=name, question="Which?", options=tuple(f"x{k}" for k in range(n)))


@pytest.mark.parametrize("sizes", [(30, 2, 1), (30, 1)])
def test_choices_that_cannot_be_lettered(reference: LanguageModel, sizes: tuple[int, ...]) -> None:
    features = read(reference, [choice(f"c{n}", n) for n in sizes], judges=[LetterLogits()])
    for verdict, n in zip(LetterLogits().verdicts(features), sizes, strict=True):
        reason = None if n == 2 else f"given {n} options, expected 2 to 24: drop or merge options"
        assert verdict.unscored == reason


def test_a_wrong_scale_still_ends_the_run(reference: LanguageModel) -> None:
    for scale in ((5, 1), (1, 10**8)):  # before a label of it is made
        with pytest.raises(InnerjudgeError, match="expected low < high"):
            read(reference, [Rating(item_id="r", prompt="p", response="r")], Passes(scale=scale))
