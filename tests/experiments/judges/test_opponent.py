"""The text judge of a comparison is the best of several ways of asking, chosen where no figure is reported."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from innerjudge.experiments.judges.opponent import choose_opponent, opponent_says, quality
from innerjudge.experiments.reading.passes import Passes
from innerjudge.experiments.reading.ways import PUBLISHED, Turn, Way
from innerjudge.extraction import Features, Provenance
from innerjudge.models.items import Choice, Item, Pair, Rating, Trace
from innerjudge.probes.judge import Verdict

ORIGIN = Provenance("m", None, "f", "", "", "")
CHOICES = [Choice(question_id=str(k), question="?", options=("w", "x", "y", "z"), answer=k % 4) for k in range(80)]


def features(items: Sequence[Item], **parts: dict[str, object]) -> Features:
    return Features(ids=tuple(i.id for i in items), groups=tuple(i.id for i in items), provenance=ORIGIN, **parts)


def one_hot(answers: Sequence[int], n: int) -> np.ndarray:
    return np.eye(n, dtype=np.float32)[list(answers)]


def asking(asked: list[tuple[str, int, Turn, bool]]) -> object:
    """A model that is right in its open turn behind bare letters, and says A in every other way."""

    def ask(name: str, items: Sequence[Choice], turn: Turn, text: bool, swapped: bool) -> Features:
        asked.append((name, len(items), turn, text))
        n = 6 if turn == "open" else 4
        answers = [item.answer or 0 for item in items]
        arrays = {"logits/spaced": one_hot([0] * len(items), n), "logits/bare": one_hot([0] * len(items), n)}
        if turn == "open":
            arrays["logits/bare"] = one_hot(answers, n)
        return features(items, arrays=arrays, texts={"open": ("A",) * len(items)} if text else {})

    return ask


def cued() -> Features:
    logits = np.zeros((80, 2, 3, 6), np.float32)
    logits[:, 1, -1, 0] = 1
    return features(CHOICES, arrays={"logits/score": logits}, texts={"direct": (" A",) * 80})


def test_the_best_way_is_found_on_the_fitting_half() -> None:
    asked: list[tuple[str, int, Turn, bool]] = []
    found = choose_opponent("choice", CHOICES, cued(), np.arange(40), Passes(), asking(asked), seed=0)
    assert found.way == Way("open", "label", spaced=False)
    assert found.tried[0].value == 1.0
    assert asked == [("tried-open", 20, "open", True), ("tried-plain", 20, "plain", False)]  # a quarter of 80
    assert "no cue, next label without a space" in found.notes[0]
    assert "spread" in found.notes[0]
    assert any(note.startswith("Warning: asked as published") for note in found.notes)
    said = opponent_says(found.way, "choice", CHOICES[40:], Passes(), asking(asked))
    assert [verdict.label for verdict in said] == [item.answer for item in CHOICES[40:]]


def test_without_labels_it_is_asked_as_published() -> None:
    bare = [Choice(question_id=c.id, question="?", options=c.options) for c in CHOICES]
    found = choose_opponent("choice", bare, cued(), np.arange(40), Passes(), asking([]), seed=0)
    assert found.way == PUBLISHED
    assert not found.tried


def test_a_model_at_chance_is_said_to_be() -> None:
    def nothing(name: str, items: Sequence[Item], turn: Turn, text: bool, swapped: bool) -> Features:
        n = 6 if turn == "open" else 4
        zero = one_hot([0] * len(items), n)
        arrays = {"logits/spaced": zero, "logits/bare": zero}
        return features(items, arrays=arrays, texts={"open": ("A",) * len(items)} if text else {})

    found = choose_opponent("choice", CHOICES, cued(), np.arange(40), Passes(), nothing, seed=0)
    assert found.way == PUBLISHED  # equally bad: nothing is gained by another
    assert any("in its best way the text judge is at chance" in note for note in found.notes)


def test_pairs_shown_the_other_way_round_keep_their_names() -> None:
    pair = Pair(pair_id="p", prompt="?", response_a="x", response_b="y", preference="a")

    def first(name: str, items: Sequence[Item], turn: Turn, text: bool, swapped: bool) -> Features:
        return features(items, arrays={"logits/bare": one_hot([0], 2)})

    way = Way("open", "label", spaced=False)
    assert opponent_says(way, "pair", [pair], Passes(), first)[0].label == "a"
    assert opponent_says(way, "pair", [pair], Passes(), first, swapped=True)[0].label == "b"


def test_a_way_that_always_names_the_first_is_at_chance() -> None:
    """Three pairs in four prefer a. Without a cue the model names the first; plainly asked it is right in 4 of 5."""
    pairs = [
        Pair(pair_id=str(k), prompt="?", response_a="x", response_b="y", preference="b" if k % 4 == 3 else "a")
        for k in range(160)
    ]

    def model(name: str, items: Sequence[Pair], turn: Turn, text: bool, swapped: bool) -> Features:
        right = [int((one.preference == "a") == swapped) for one in items]  # label of the better one, as shown
        said = [one if int(item.id) % 5 < 4 else 1 - one for one, item in zip(right, items, strict=True)]
        logits = one_hot([0] * len(items) if turn == "open" else said, 2)
        arrays = {"logits/spaced": logits, "logits/bare": logits}
        return features(items, arrays=arrays, texts={"open": ("A",) * len(items)} if text else {})

    cue = features(pairs, arrays={"logits/score": np.zeros((160, 2, 2, 2), np.float32)}, texts={"direct": ("A",) * 160})
    found = choose_opponent("pair", pairs, cue, np.arange(160), Passes(), model, seed=0, swapped=cue)
    values = {one.way.name: one.value for one in found.tried}
    assert found.way.turn == "plain"
    assert values["no cue, next label"] == pytest.approx(
        0.5, abs=0.13
    )  # the first one: 3 in 4 forward, 1 in 4 backward
    alone = choose_opponent("pair", pairs, cue, np.arange(160), Passes(), model, seed=0)
    assert {one.way.name: one.value for one in alone.tried}["no cue, next label"] > 0.65


def test_quality_by_hand() -> None:
    traces = [Trace(question_id=str(k), candidate_id="", prompt="?", response="!", correct=k > 0) for k in range(3)]
    said = [Verdict("a", score=0.2, label=False), Verdict("b", score=0.9, label=True), Verdict("c", unscored="?")]
    # The third has the mean, 0.55: both right ones lie above the wrong one.
    assert quality("trace", traces, said) == 1.0
    ratings = [Rating(item_id=str(k), prompt="?", response="!", scores=(k + 1,)) for k in range(3)]
    assert quality("rating", ratings, [Verdict(str(k), score=-float(k), label=k) for k in range(3)]) == pytest.approx(
        -1
    )
    assert quality("choice", CHOICES[:2], [Verdict("0", score=[1.0], label=0), Verdict("1", unscored="?")]) == 0.5
