"""Judges that read the place of the verdict: behind the cue or in an open turn, as the fitting half prefers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from innerjudge import Choice, Features, Pair, Rating
from innerjudge.experiments.compare import turns
from innerjudge.experiments.compare.compare import compare
from innerjudge.experiments.compare.turns import TurnTrial, held_out_quality, read_open, try_turns
from innerjudge.experiments.judges.panel import Seat
from innerjudge.experiments.reading.passes import Passes
from innerjudge.models.chat import render
from innerjudge.models.loading import LanguageModel
from innerjudge.models.prompts import choice_prompt
from innerjudge.models.tokens import tokens
from innerjudge.probes import EScore, LetterLogits, QKScore

pytestmark = pytest.mark.usefixtures("no_pixels")

CHOICES = [
    Choice(question_id=f"c{k}", question="Which is a fruit?", options=("iron", "pear"), answer=1) for k in range(4)
]


def test_the_published_place_is_left_for_a_clear_lead() -> None:
    places = {(0.5, 0.8): "open", (0.5, 0.7): "cue", (0.6, 0.6): "cue", (0.6, None): "cue", (None, 0.1): "open"}
    for (cue, opened), turn in {**places, (None, None): "cue"}.items():
        assert TurnTrial(judge="j", cue=cue, opened=opened, error=0.125).turn == turn


def test_logits_of_an_open_turn_are_the_models_own(reference: LanguageModel) -> None:
    choice = CHOICES[0]
    found = read_open(reference, [choice], "choice", Passes(), text=False)
    prompt = choice_prompt(choice.question, choice.options)
    rendered = render(reference.tokenizer, prompt.user, thinking=False)
    stem = rendered.text + rendered.glue.rstrip(" ")
    ids, _ = tokens(reference.tokenizer, stem)
    bare = [tokens(reference.tokenizer, stem + label)[0][-1] for label in prompt.labels]
    with torch.no_grad():
        logits = reference.model(torch.tensor([ids])).logits[0, -1]
    np.testing.assert_allclose(found["logits/score"][0, 1, -1, : len(bare)], logits[bare].numpy(), atol=1e-4)
    assert found["qk/before"].shape[-1] == len(prompt.labels)
    assert "without a cue" in found.provenance.prompt


def logits_of(best: Sequence[int]) -> Features:
    """Two-option questions whose letter logits prefer these options."""
    logits = np.zeros((len(best), 2, 1, 4), dtype=np.float32)
    for k, option in enumerate(best):
        logits[k, :, :, option] = 1.0
    ids = [f"c{k}" for k in range(len(best))]
    arrays = {"logits/score": logits, "labels": np.full(len(best), 4, np.float32)}
    return Features.from_arrays(arrays, provenance="m", ids=ids)


def test_a_judge_is_tried_at_both_places() -> None:
    cued, opened = logits_of([0, 0, 1, 0]), logits_of([1, 1, 1, 0])
    seats = {"letters": Seat("logits", LetterLogits())}
    (found,) = try_turns("choice", seats, CHOICES, [1] * 4, cued, opened)
    assert (found.cue, found.opened) == (0.25, 0.75)  # 1 and 3 of 4 say option 1, the answer
    assert found.error == 0.25  # of guessing one of two four times: sqrt(1/2 * 1/2 / 4)
    assert found.turn == "cue", "0.5 is no lead of more than two of them"


def test_a_judge_that_learns_is_tried_on_questions_that_it_was_not_fitted_on() -> None:
    """One head is right on each fold but the one that it is tried on: a judge that saw its test items would score 1."""
    n = 10
    answers = [k % 2 for k in range(n)]
    qk = np.zeros((n, 1, n, 4), dtype=np.float32)  # head h is wrong on item h alone
    for item in range(n):
        for head in range(n):
            qk[item, 0, head, answers[item] if head != item else 1 - answers[item]] = 1.0
    ids = [f"c{k}" for k in range(n)]
    features = Features.from_arrays({"qk/before": qk, "labels": np.full(n, 4, np.float32)}, provenance="m", ids=ids)
    items = [
        Choice(question_id=i, question="?", options=("x", "y"), answer=a) for i, a in zip(ids, answers, strict=True)
    ]
    quality = held_out_quality("choice", QKScore(), items, answers, features)
    assert quality is not None
    # Five folds of two: on the other eight, the two heads of the fold are the only ones without a mistake, and the
    # first of them is wrong on one of the fold's two items: 5 of 10 are right.
    assert quality == 0.5


@pytest.mark.parametrize("kind", ["choice", "rating", "pair"])
def test_a_judge_of_an_open_turn_judges_what_was_read_there(
    reference: LanguageModel, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Forced there, a judge says what it says of features of the open turn, and its figure is of those."""

    def forced(_kind: Any, seats: Any, *_: Any) -> list[TurnTrial]:
        return [TurnTrial(judge=name, cue=0.0, opened=1.0, error=0.1) for name in seats if name == name_of[kind]]

    name_of = {"choice": "letter-logits", "rating": "e-score", "pair": "verdict-logits"}
    items: dict[str, list[Any]] = {
        "choice": [
            Choice(question_id=f"{k}", question="Which?", options=(f"{k}", "b"), answer=k % 2) for k in range(8)
        ],
        "rating": [Rating(item_id=f"{k}", prompt="Count.", response=str(k), scores=(1 + k % 5,)) for k in range(8)],
        "pair": [
            Pair(pair_id=f"{k}", prompt="?", response_a=f"{k}", response_b="no", preference="ab"[k % 2])
            for k in range(8)
        ],
    }
    monkeypatch.setattr(turns, "try_turns", forced)
    monkeypatch.setattr(turns, "LEAST", 1)
    found = compare(reference, items[kind], judges=[name_of[kind]], limit=8)
    (part,) = found.found.parts
    assert any(f"no cue for {name_of[kind]}" in note for note in part.notes)
    rows = [row for row in found.verdicts if row.judge == name_of[kind] and row.order == "given"]
    assert len(rows) == 4
    for row in rows:
        item = next(one for one in items[kind] if one.id == row.question)
        read = read_open(reference, [item], kind, Passes(), text=False)
        if kind == "rating":
            (expected,) = EScore(values=(1, 2, 3, 4, 5)).verdicts(read)
            assert row.score == pytest.approx(expected.score, abs=1e-4)
        elif kind == "choice":
            (expected,) = LetterLogits().verdicts(read)
            assert row.label == expected.label
        else:
            logits = read["logits/score"][0, 1, -1, :2]
            assert row.label == "ab"[int(logits.argmax())]
