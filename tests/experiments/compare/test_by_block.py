"""Curves over blocks: chosen on one part, reported on the other, at the block where the information is."""

from __future__ import annotations

import numpy as np
from innerjudge.experiments.compare.by_block import choice_curves, rating_curves, trace_curves
from innerjudge.experiments.stats.metrics.accuracy import within_question_auroc
from innerjudge.extraction import Features, Provenance
from innerjudge.models.items import Choice, Rating, Trace

N, L, D = 40, 3, 4
RNG = np.random.default_rng(0)
FIT, TEST = np.arange(20), np.arange(20, N)


def features(**arrays: object) -> Features:
    return Features(
        ids=tuple(f"i{k}" for k in range(N)),
        groups=tuple(f"q{k // 2}" for k in range(N)),
        provenance=Provenance("m", None, "f", "float32", "sdpa", "none"),
        arrays={name.replace("__", "/"): np.asarray(value, np.float32) for name, value in arrays.items()},
    )


def test_the_block_that_knows_stands_out() -> None:
    traces = [
        Trace(question_id=f"q{k // 2}", candidate_id=str(k % 2), prompt="", response="", correct=k % 2 == 0)
        for k in range(N)
    ]
    end = RNG.normal(size=(N, L + 2, D))
    end[:, 2, 0] += [9.0 if t.correct else -9.0 for t in traces]
    end[:, L, 1] += [99.0 if t.correct else -99.0 for t in traces]  # raw last block: the normed state is read instead
    read = features(hidden__a=np.zeros((N, L + 2, D)), hidden__b=end)
    (curve,) = trace_curves(read, traces, FIT, TEST, start="a", end="b")
    assert curve.x == (0, 1, 2, 3)
    assert curve.y[2] == 1.0
    assert all(curve.y[k] is not None and curve.y[k] < 0.95 for k in (0, 1, 3))
    # Every point against centroids by hand: the distance to the incorrect one minus that to the correct one.
    for block, row in enumerate((0, 1, 2, L + 1)):
        x, right = end[:, row].astype(np.float32).astype(float), np.array([t.correct for t in traces])
        good, bad = x[FIT][right[FIT]].mean(0), x[FIT][~right[FIT]].mean(0)
        margin = np.linalg.norm(x[TEST] - bad, axis=1) - np.linalg.norm(x[TEST] - good, axis=1)
        groups = [traces[k].group for k in TEST]
        assert curve.y[block] == within_question_auroc(right[TEST].tolist(), margin.tolist(), groups).value
    one_sided = np.array([k for k in FIT if traces[k].correct])
    assert trace_curves(read, traces, one_sided, TEST, start="a", end="b") == ()


def test_ratings_by_block() -> None:
    ratings = [Rating(item_id=f"i{k}", prompt="", response="", scores=(k % 5 + 1,)) for k in range(N)]
    logits = np.zeros((N, 2, L + 1, 5))
    logits[np.arange(N), 1, 2, np.arange(N) % 5] = 9.0  # through the norm, block 2 says the score
    raw, normed = rating_curves(features(logits__score=logits, labels=np.full(N, 5)), ratings, TEST, scale=(1, 5))
    assert (raw.label, normed.label) == ("raw states", "through the final norm")
    assert normed.y[2] is not None
    assert normed.y[2] > 0.99
    assert raw.y == (None,) * (L + 1), "constant scores have no correlation"


def test_heads_are_chosen_on_the_fit_part_and_reported_on_test() -> None:
    answers = RNG.integers(3, size=N)
    choices = [
        Choice(question_id=f"i{k}", question="?", options=("x", "y", "z"), answer=int(a)) for k, a in enumerate(answers)
    ]
    qk = np.zeros((N, L, 2, 5))
    qk[FIT, 0, 0, answers[FIT]] = 1.0  # knows the fit part only
    qk[TEST, 0, 1, answers[TEST]] = 1.0  # knows the test part only
    qk[TEST, 0, 0, (answers[TEST] + 1) % 3] = 1.0
    qk[FIT, 0, 1, (answers[FIT] + 1) % 3] = 1.0
    qk[np.arange(N), 1, 1, answers] = 1.0
    logits = np.zeros((N, 2, L + 1, 5))
    logits[np.arange(N), 1, 1, answers] = 1.0
    read = features(qk__before=qk, attention=qk, logits__score=logits, labels=np.full(N, 5))
    curves, maps = choice_curves(read, choices, FIT, TEST)
    heads = next(c for c in curves if c.label.startswith("QK-score"))
    assert heads.x == (1, 2, 3)
    assert heads.y[:2] == (0.0, 1.0), "the head of block 1 was chosen on the test part"
    letters = next(c for c in curves if c.label.startswith("letter logits"))
    assert letters.y[1] == 1.0
    assert letters.y[2] is not None
    assert letters.y[2] < 1.0
    assert maps[0].values[0] == (0.0, 1.0)
    assert maps[0].values[1][1] == 1.0


def test_what_no_judge_needed_has_no_curve() -> None:
    read = features(logprob=np.zeros((N, 2)))
    traces = [
        Trace(question_id=f"q{k // 2}", candidate_id=str(k % 2), prompt="", response="", correct=True) for k in TEST
    ]
    choices = [Choice(question_id=f"i{k}", question="?", options=("x", "y"), answer=0) for k in range(N)]
    ratings = [Rating(item_id=f"i{k}", prompt="", response="", scores=(1,)) for k in range(N)]
    assert trace_curves(read, traces, FIT, TEST, start="a", end="b") == ()
    assert rating_curves(read, ratings, TEST, scale=(1, 5)) == ()
    assert choice_curves(read, choices, FIT, TEST) == ((), ())
