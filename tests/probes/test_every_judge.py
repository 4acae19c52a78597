"""What holds for every judge: provenance, unscored items, edge inputs, storage."""

from dataclasses import replace

import numpy as np
import pytest
from innerjudge.extraction import Ragged
from innerjudge.models import InnerjudgeError
from innerjudge.probes import (
    CLUE,
    LAGER,
    AspectProbes,
    AttentionScore,
    CountedProbe,
    DifferenceOfMeans,
    EigenScore,
    EmbeddingClassifier,
    EScore,
    Length,
    LetterLogits,
    LLMCheck,
    LogisticProbe,
    MiniBatchLogistic,
    PooledProbe,
    PromptSimilarity,
    PTrue,
    QKScore,
    QKVerification,
    QuestionOnly,
    RankedProbe,
    ReadoutProbe,
    ReDeEP,
    RidgeProbe,
    SemanticEntropyProbe,
    StepOpponent,
    TextClassifier,
    TextJudge,
    TokenConfidence,
    TokenLogProb,
    Trajectory,
    TunedLAGER,
    VerdictProbe,
    VScore,
    registered_judges,
)

JUDGES = {n: j for n, j in registered_judges().items() if j.__module__.startswith("innerjudge.probes.")}
CORRECT = np.arange(24) % 2 == 0
RATINGS = np.arange(24) % 9 / 2 + 1
ANSWERS = np.arange(24) % 3
ASPECTS = np.array(
    [{"right": bool(k % 2), "short": None if k % 5 == 0 else bool(k % 3), "route": "ab"[k // 12]} for k in range(24)]
)

# Every judge with its labels; options away from their defaults where a class appears twice.
CASES = {
    "clue": (CLUE(), CORRECT),
    "clue-options": (
        CLUE(rank_by="margin", last="raw", embedding=True, scale=True, balance=True, start="prompt_end"),
        CORRECT,
    ),
    "lager": (LAGER(), None),
    "lager-options": (LAGER(entries="drop_last", norm=True, aggregate="probabilities", readout="argmax"), None),
    "e": (EScore(), None),
    "v": (VScore(answers=["very bad", "bad", "so-so", "good", "very good"]), None),
    "p-true": (PTrue(), None),
    "tuned": (TunedLAGER(), RATINGS),
    "tuned-options": (TunedLAGER(loss="paper", alpha=0.3, aggregate="probabilities_twice", epochs=2), RATINGS),
    "letters": (LetterLogits(), None),
    "letters-options": (LetterLogits(abstain=False), None),
    "qk": (QKScore(), ANSWERS),
    "qk-options": (QKScore(rotary="after", n_heads=3, prefer="earliest", abstain=False), ANSWERS),
    "qk-verification": (QKVerification(prefer="earliest"), CORRECT),
    "attention": (AttentionScore(), ANSWERS),
    "attention-options": (AttentionScore(select="unlabelled", n_heads=2), ANSWERS),
    "text": (TextJudge.rating(), None),
    "text-reasoned": (TextJudge.rating(generation="reasoned"), None),
    "means": (DifferenceOfMeans(), CORRECT),
    "means-options": (DifferenceOfMeans(combine="concat", row=1), CORRECT),
    "logistic": (LogisticProbe(), CORRECT),
    "logistic-centred": (LogisticProbe(centre="question"), CORRECT),
    "counted": (CountedProbe(), CORRECT),
    "ranked": (RankedProbe(), RATINGS),
    "ranked-list": (RankedProbe(loss="plackett-luce", tau=0.5, row=1, candidates=[2.0]), CORRECT),
    "aspects": (AspectProbes(), ASPECTS),
    "aspects-options": (
        AspectProbes(
            components=3,
            unknown="negative",
            observed=0.6,
            correct=0.7,
            balance=True,
            routed=True,
            combine="delta",
            candidates=[0.1],
        ),
        ASPECTS,
    ),
    "logistic-without-length": (LogisticProbe(nuisance="length", row="best"), CORRECT),
    "minibatch": (MiniBatchLogistic(), CORRECT),
    "minibatch-options": (MiniBatchLogistic(combine="delta", row=1, alpha=0.01, rounds=2, batch=5, seed=3), CORRECT),
    "pooled": (PooledProbe(epochs=2), CORRECT),
    "pooled-mean": (PooledProbe(reduce="mean", loss="pairwise", widths=[3], epochs=2), CORRECT),
    "pooled-steps": (
        PooledProbe(role="reasoning/step_end", how="tail", window=2, heads=2, each="state", balance=True, epochs=2),
        CORRECT,
    ),
    "pooled-rolling": (PooledProbe(how="rolling", window=2, heads=2, wrong_weight=3.0, epochs=2), CORRECT),
    "pooled-best": (PooledProbe(reduce="mean", rows="best", epochs=2), CORRECT),
    "pooled-encoder": (PooledProbe(layers=1, widths=[4], attention=2, causal=True, epochs=2), CORRECT),
    "pooled-readouts": (
        PooledProbe(readouts=["attention/response.diagonal", "hidden/response.logdet"], role="response", epochs=2),
        CORRECT,
    ),
    "own-verdict": (VerdictProbe(epochs=2), CORRECT),
    "eigenscore": (EigenScore(), None),
    "eigenscore-fitted": (EigenScore(row=1, alpha=0.1), CORRECT),
    "sep": (SemanticEntropyProbe(), None),
    "pooled-labelled-steps": (PooledProbe(role="reasoning/step_end", each="step", how="min", epochs=2), CORRECT),
    "step-random": (StepOpponent(by="random"), CORRECT),
    "step-position": (StepOpponent(), CORRECT),
    "step-length": (StepOpponent(by="length"), CORRECT),
    "step-words": (StepOpponent(by="words"), CORRECT),
    "step-log-probability": (StepOpponent(by="log_probability"), CORRECT),
    "coe": (Trajectory(), None),
    "trace": (Trajectory(statistic="aligned"), CORRECT),
    "lookback": (ReadoutProbe(), CORRECT),
    "readouts": (ReadoutProbe(readouts=["hidden/response.logdet", "attention/response.diagonal"], C=0.3), CORRECT),
    "check-attention": (LLMCheck(), CORRECT),
    "check-hidden": (LLMCheck(statistic="hidden", block=2), CORRECT),
    "redeep": (ReDeEP(), CORRECT),
    "redeep-heads": (ReDeEP(heads=3, blocks=2, alpha=0.6), CORRECT),
    "ridge": (RidgeProbe(), RATINGS),
    "logprob": (TokenLogProb(), None),
    "logprob-fitted": (TokenLogProb(total=True), CORRECT),
    "certainty": (TokenConfidence(), None),
    "confidence": (TokenConfidence(statistic="confidence", aggregate="bottom_groups", window=2), CORRECT),
    "least-token": (TokenConfidence(statistic="max_probability", aggregate="min"), None),
    "length": (Length(), CORRECT),
    "length-rating": (Length(target="rating"), RATINGS),
    "words": (TextClassifier(), CORRECT),
    "words-rating": (TextClassifier(target="rating", texts=("response",), candidates=[3.0, 30.0]), RATINGS),
    "words-choice": (TextClassifier(target="choice"), ANSWERS),
    "embedding": (EmbeddingClassifier(), CORRECT),
    "embedding-choice": (EmbeddingClassifier(target="choice"), ANSWERS),
    "similarity": (PromptSimilarity(), None),
    "similarity-choice": (PromptSimilarity(options=True), None),
    "question": (QuestionOnly(), CORRECT),
    "question-rating": (QuestionOnly(target="rating", candidates=[3.0, 30.0]), RATINGS),
}
#: Names of texts, of which no number can be infinite.
TEXTS = ("direct", "reasoned", "prompt", "response", "answer", "steps", "options")
LEARNING = [name for name, (_, labels) in CASES.items() if labels is not None]


def fresh(name):
    judge, labels = CASES[name]
    return type(judge)(**judge.get_params()), labels


def fitted(name, features):
    judge, labels = fresh(name)
    if labels is None:
        return judge.fit(features) if judge.learns else judge
    return judge.fit(features, labels[: len(features)])


def test_every_saved_class_is_tested():
    assert {type(judge).__name__ for judge, _ in CASES.values()} == JUDGES.keys()


@pytest.mark.parametrize("name", CASES)
def test_scores_are_those_of_each_item_alone(name, make):
    judge, features = fitted(name, make()), make(seed=1)
    whole = judge.decision_function(features)
    assert not np.isnan(whole).any()
    assert len(whole) == len(features)
    for k in (0, 7, 23):
        # All of a question's items, where the judge reads them as one.
        own = [j for j in range(24) if j // 3 == k // 3] if judge.scores_together else [k]
        alone = judge.decision_function(features.take(own))[own.index(k)]
        np.testing.assert_allclose(alone, whole[k], rtol=1e-12, atol=1e-12)
    assert judge.predict(features).tolist() == [v.label for v in judge.verdicts(features)]


@pytest.mark.parametrize("name", LEARNING)
def test_features_of_another_model_are_refused(name, make):
    judge = fitted(name, make())
    for call in (judge.verdicts, judge.decision_function, judge.predict):
        with pytest.raises(InnerjudgeError, match="fingerprint 'other' instead of 'f'"):
            call(make(fingerprint="other"))


@pytest.mark.parametrize("name", [name for name in LEARNING if CASES[name][0].learns])
def test_unfitted_judges_say_so(name, make):
    with pytest.raises(InnerjudgeError, match="call fit first"):
        fresh(name)[0].verdicts(make())


@pytest.mark.parametrize("name", CASES)
def test_items_without_a_readout_are_unscored_and_left_out_of_the_fit(name, make):
    features = make()
    judge = fresh(name)[0]
    features = replace(features, missing={judge.needs[0]: {"i4": "no </think>"}})
    judge = fitted(name, features)
    assert getattr(judge, "n_excluded_", 1) == 1
    verdicts = judge.verdicts(features)
    assert [v.id for v in verdicts] == list(features.ids)
    assert [v.id for v in verdicts if v.unscored] == ["i4"]
    assert (verdicts[4].score, verdicts[4].label, verdicts[4].unscored) == (None, None, "no </think>")
    rest = features.take([k for k in range(24) if k != 4])
    assert [v for v in verdicts if v.id != "i4"] == judge.verdicts(rest)
    with pytest.raises(InnerjudgeError, match=r"1 of 24 items that cannot be scored \(first: i4: no </think>\)"):
        judge.decision_function(features)


@pytest.mark.parametrize("name", [name for name, (judge, _) in CASES.items() if judge.needs[0] not in TEXTS])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_become_a_reason(name, bad, make):
    features = make()
    need = fresh(name)[0].needs[0]
    if need in features.ragged:
        rows = [one.copy() for one in features.ragged[need]]
        rows[2].flat[0] = bad
        features = replace(features, ragged={**features.ragged, need: Ragged.of(rows)})
    else:
        array = features[need].copy()
        array[2].flat[0] = bad
        features = replace(features, arrays={**features.arrays, need: array})
    judge = fitted(name, features)
    verdicts = judge.verdicts(features)
    assert [v.id for v in verdicts if v.unscored] == ["i2"]
    assert "infinite values or NaN" in verdicts[2].unscored
    scores = np.concatenate([np.ravel(v.score) for v in verdicts if v.unscored is None])
    assert np.isfinite(scores).all()


@pytest.mark.parametrize("name", CASES)
def test_no_items(name, make):
    judge, none = fitted(name, make()), make().take([])
    assert judge.verdicts(none) == []
    assert judge.predict(none).tolist() == []
    assert len(judge.decision_function(none)) == 0


@pytest.mark.parametrize("name", LEARNING)
def test_nothing_to_learn_from(name, make):
    judge, labels = fresh(name)
    with pytest.raises(InnerjudgeError):
        judge.fit(make().take([]), labels[:0])
    with pytest.raises(InnerjudgeError, match=r"labels of shape \(3,\) for 24 items"):
        judge.fit(make(), labels[:3])
    features = make()
    features = replace(features, missing={judge.needs[0]: dict.fromkeys(features.ids, "too long")})
    with pytest.raises(InnerjudgeError):
        judge.fit(features, labels)
    with pytest.raises(InnerjudgeError, match="at least"):
        judge.fit(make(), np.repeat(labels[:1], 24))
    assert judge.provenance_ is None


@pytest.mark.parametrize("name", LEARNING)
def test_labels_that_are_not_numbers(name, make):
    judge = fresh(name)[0]
    for wrong in (np.full(24, np.nan), np.array(["yes", "no"] * 12), np.array([None, 1] * 12)):
        with pytest.raises(InnerjudgeError, match="expected"):
            judge.fit(make(), wrong)


@pytest.mark.parametrize("name", CASES)
def test_constant_features_have_finite_scores(name, make):
    features = make()
    flat = {key: np.full_like(array, 5 if key == "labels" else 0.2) for key, array in features.arrays.items()}
    if "logprob" in flat:
        flat["logprob"][:] = (-3, 2)
    ragged = {key: Ragged(np.full_like(one.values, 0.2), one.offsets) for key, one in features.ragged.items()}
    features = replace(features, arrays=flat, ragged=ragged)
    judge = fitted(name, features)
    # A head that gives all options one score says nothing; states of one direction have no angle to measure by.
    said = dict.fromkeys((QKScore, QKVerification, AttentionScore), "not tell the options apart")
    said |= {Trajectory: "of one direction"} if name == "coe" else {}
    if type(judge) in said:
        assert all(said[type(judge)] in v.unscored for v in judge.verdicts(features))
        return
    scores = judge.decision_function(features)
    assert not np.isnan(scores).any()
    if fresh(name)[0].needs[0] not in TEXTS:
        exact = (
            np.array_equal
            if name not in ("certainty", "confidence", "pooled", "pooled-steps", "pooled-encoder")
            else np.allclose
        )  # means of equal numbers
        assert exact(scores, np.full_like(scores, scores[0]))


@pytest.mark.parametrize("name", LEARNING)
def test_a_failed_fit_leaves_the_judge_as_it_was(name, make):
    judge, labels = fitted(name, make()), CASES[name][1]
    before = judge.decision_function(make(seed=2))
    with pytest.raises(InnerjudgeError):
        judge.fit(make(seed=5), np.repeat(labels[:1], 24))
    np.testing.assert_array_equal(judge.decision_function(make(seed=2)), before)


def test_a_readout_that_was_not_extracted_is_named(make):
    features = make()
    features = replace(features, arrays={k: v for k, v in features.arrays.items() if k != "hidden/reasoning_end"})
    with pytest.raises(InnerjudgeError, match="expected 'hidden/reasoning_end'"):
        CLUE().fit(features, CORRECT)
