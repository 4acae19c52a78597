"""What a judge is fitted on, and what is said where it cannot be."""

from __future__ import annotations

import numpy as np
import pytest
from innerjudge.experiments.data.labels import require_classes
from innerjudge.experiments.judges.fitting import fit_seat, no_verdicts
from innerjudge.extraction import Features, Provenance
from innerjudge.models.errors import InnerjudgeError
from innerjudge.models.items import Pair, Trace
from innerjudge.probes import CLUE, LAGER, AttentionScore, EScore, QKScore, TokenLogProb

RNG = np.random.default_rng(0)
STATES = ("hidden/reasoning_start", "hidden/reasoning_end")


def traces(n: int = 8, missing: tuple[int, ...] = ()) -> Features:
    reasons = {f"i{k}": "no marker" for k in missing}
    return Features(
        ids=tuple(f"i{k}" for k in range(n)),
        groups=tuple(f"q{k // 2}" for k in range(n)),
        provenance=Provenance("m", None, "f", "float32", "sdpa", "none"),
        arrays={name: RNG.normal(size=(n, 4, 3)).astype(np.float32) for name in STATES}
        | {"logprob": np.tile(np.array([[-2.0, 4.0]], np.float32), (n, 1)) * RNG.uniform(1, 2, (n, 1)).astype("f4")}
        | {name: RNG.random((n, 2, 2, 3)).astype(np.float32) for name in ("qk/before", "attention")}
        | {"labels": np.full(n, 3, np.float32)},
        missing=dict.fromkeys(STATES, reasons) if reasons else {},
    )


RIGHT = [True, False] * 4
ROWS = np.arange(6)


def test_only_the_labelled_rows_to_fit_on_count() -> None:
    features = traces()
    judge = CLUE()
    assert fit_seat("clue", judge, features, [*RIGHT[:2], None, *RIGHT[3:]], ROWS) is None
    by_hand = CLUE().fit(features.take([0, 1, 3, 4, 5]), [True, False, False, True, False])
    np.testing.assert_allclose(judge.decision_function(features), by_hand.decision_function(features))


def test_what_does_not_learn_is_left_alone() -> None:
    assert fit_seat("lager", LAGER(), traces(), RIGHT, ROWS) is None


def test_one_class_raises_and_one_readable_class_is_a_note() -> None:
    with pytest.raises(InnerjudgeError, match="6 correct and 0 incorrect"):
        fit_seat("clue", CLUE(), traces(), [True] * 8, ROWS)
    judge = CLUE()
    note = fit_seat("clue", judge, traces(missing=(1, 3, 5)), RIGHT, ROWS)
    assert note is not None
    assert note.startswith("clue: not fitted (")
    assert "3 correct and 0 incorrect" in note
    assert judge.provenance_ is None
    verdicts = no_verdicts(judge, traces(missing=(1,)))
    assert [v.unscored for v in verdicts[:2]] == ["the judge could not be fitted on these data", "no marker"]
    assert all(v.score is None for v in verdicts)


def test_nothing_to_read_and_no_labels_are_notes() -> None:
    unread = fit_seat("clue", CLUE(), traces(missing=tuple(range(8))), RIGHT, ROWS)
    assert unread == "clue: not fitted, since no item to fit on can be read (no marker)."
    unknown = fit_seat("clue", CLUE(), traces(), [None] * 8, ROWS)
    assert unknown == "clue: not fitted, since none of the 6 items to fit on has a label."


def test_a_log_probability_needs_labels_for_its_threshold_only() -> None:
    for labels in ([None] * 8, [1.0, 2.0] * 4):
        judge = TokenLogProb()
        assert fit_seat("token-log-probability", judge, traces(), labels, ROWS) is None
        assert judge.threshold_ is None
    judge = TokenLogProb()
    fit_seat("token-log-probability", judge, traces(), RIGHT, ROWS)
    assert judge.threshold_ is not None


def lager_traces() -> Features:
    """Scores below one half throughout; those of right traces are higher."""
    logits = np.zeros((8, 2, 3, 2), np.float32)
    logits[..., 1] = np.array([-1.0, -2.0] * 4)[:, None, None]
    arrays = {"logits/score": logits, "labels": np.full(8, 2, np.float32)}
    held = traces()
    return Features(ids=held.ids, groups=held.groups, provenance=held.provenance, arrays=arrays)


def test_lager_learns_its_threshold_on_the_traces_to_fit_on() -> None:
    features, judge = lager_traces(), LAGER(values=(0, 1))
    before = judge.decision_function(features)
    assert not judge.predict(features).any()  # the middle of the scale calls all of them wrong
    note = fit_seat("lager", judge, features, RIGHT, ROWS)
    # P = 1 / (1 + e) = 0.269 and 1 / (1 + e^2) = 0.119: half way 0.194
    assert judge.threshold_ == pytest.approx(0.1941, abs=1e-4)
    assert note == "lager: a score above 0.194 counts as right (best balanced accuracy on 6 traces)."
    assert judge.predict(features).tolist() == RIGHT
    np.testing.assert_array_equal(judge.decision_function(features), before)
    only_fit = LAGER(values=(0, 1)).fit(features.take(ROWS), RIGHT[:6])
    assert only_fit.threshold_ == judge.threshold_, "rows that are reported on have no say"


def test_what_has_a_middle_of_its_own_learns_no_threshold() -> None:
    for judge in (EScore(values=(0, 1)), LAGER(values=(1, 0), answers=("a", "b"))):
        labels = RIGHT if isinstance(judge, EScore) else ["a", "b"] * 4
        assert fit_seat("judge", judge, lager_traces(), labels, ROWS) is None
        assert judge.threshold_ is None
    with pytest.raises(InnerjudgeError, match="expected two"):
        LAGER().fit(lager_traces(), RIGHT)


def test_heads_without_labels() -> None:
    answers = [0, 1, 2, 0, 1, 2, 0, 1]
    with_labels, without = QKScore(select="unlabelled"), QKScore(select="unlabelled")
    note = fit_seat("u", without, traces(), [None] * 8, ROWS)
    assert note is not None
    assert "without labels" in note
    features = traces()
    fit_seat("u", with_labels, features, answers, ROWS)
    fit_seat("u", without, features, [None] * 8, ROWS)
    assert with_labels.heads_ == without.heads_


def test_heads_by_permutation_read_both_forms() -> None:
    features, turned = traces(), traces()
    answers, moved = [0, 1, 2, 0, 1, 2, 0, 1], [1, 2, 0, 1, 2, 0, 1, 2]
    judge = AttentionScore(select="permutation")
    note = fit_seat("a", judge, features, answers, ROWS, permuted=(turned, moved))
    by_hand = AttentionScore(select="permutation").fit(
        features.take(ROWS), answers[:6], permuted=turned.take(ROWS), permuted_labels=moved[:6]
    )
    assert judge.heads_ == by_hand.heads_
    (block, head) = judge.heads_[0]
    assert note is not None
    assert f"chose block {block} head {head} (by permutation accuracy" in note


def test_classes_are_asked_for_before_the_passes() -> None:
    def items(*labels: bool | None) -> list[Trace]:
        return [
            Trace(question_id=f"q{k}", candidate_id="0", prompt="", response="", correct=label)
            for k, label in enumerate(labels)
        ]

    rows = np.arange(3)
    require_classes(items(True, False, None), rows)
    require_classes(items(None, None, None), rows)
    require_classes([Pair(pair_id="p", prompt="", response_a="", response_b="", preference="a")], np.arange(1))
    with pytest.raises(InnerjudgeError, match="all incorrect"):
        require_classes(items(False, None, False, True), rows)
