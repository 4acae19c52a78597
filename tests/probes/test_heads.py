from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from innerjudge.extraction.provenance import WITHOUT_ABSTAIN
from innerjudge.models import InnerjudgeError
from innerjudge.probes import (
    AttentionScore,
    LetterLogits,
    QKScore,
    attention_variability,
    choose_heads,
    head_accuracies,
)

ANSWERS = np.arange(24) % 3


def naive_accuracies(scores, n_options, labels):
    n, blocks, heads, _ = scores.shape
    found = np.zeros((blocks, heads))
    for block in range(blocks):
        for head in range(heads):
            for k in range(n):
                options = scores[k, block, head, : n_options[k]].tolist()
                if options[labels[k]] == max(options):  # a tie is broken at random
                    found[block, head] += 1 / options.count(max(options))
    return found / n


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 8))
def test_all_heads_at_once_equal_one_by_one(seed, n):
    rng = np.random.default_rng(seed)
    n_options = rng.integers(1, 6, size=n)
    scores = rng.integers(-2, 3, size=(n, 3, 2, 5)).astype(np.float32)  # many ties
    labels = rng.integers(0, n_options)
    found = head_accuracies(scores, n_options, labels)
    np.testing.assert_allclose(found, naive_accuracies(scores, n_options, labels))


def test_many_questions_go_slice_by_slice():
    rng = np.random.default_rng(0)
    scores, n_options, labels = rng.normal(size=(1100, 2, 2, 3)), rng.integers(2, 4, 1100), rng.integers(0, 2, 1100)
    np.testing.assert_allclose(head_accuracies(scores, n_options, labels), naive_accuracies(scores, n_options, labels))


def knowing(make, heads, right=ANSWERS, *, key="qk__before", wrong=()):
    """Random scores, but ``heads`` (block 0-based) point at the right option, save on the questions in ``wrong``."""
    scores = np.random.default_rng(9).normal(size=(24, 3, 2, 5))
    for block, head in heads:
        scores[np.arange(24), block, head, right] = 9
        scores[list(wrong), block, head, (right[list(wrong)] + 1) % 3] = 99
    return make(**{key: scores})


@pytest.mark.parametrize(
    ("judge", "key"),
    [(QKScore(), "qk__before"), (QKScore(rotary="after"), "qk__after"), (AttentionScore(), "attention")],
)
def test_the_head_that_knows_is_found(judge, key, make):
    features = knowing(make, [(1, 1)], key=key)
    judge.fit(features, ANSWERS)
    assert judge.heads_ == ((2, 1),)  # block 1-based, head 0-based
    assert judge.predict(features).tolist() == ANSWERS.tolist()
    np.testing.assert_array_equal(judge.decision_function(features), features[key.replace("__", "/")][:, 1, 1])
    assert judge.head_accuracy_.shape == (3, 2)
    assert judge.head_accuracy_[1, 1] == 1.0


def test_permutation_asks_for_both_orders(make):
    # Head (0, 0) is right on all questions in the original order only; head (2, 1) on 20 of 24 in both.
    turned = (ANSWERS + 1) % 3
    first = knowing(make, [(0, 0)])
    both = knowing(make, [(2, 1)], wrong=range(4))
    products = first["qk/before"].copy()
    products[:, 2, 1] = both["qk/before"][:, 2, 1]
    first = replace(first, arrays={**first.arrays, "qk/before": products})
    permuted = knowing(make, [(2, 1)], turned)
    assert QKScore().fit(first, ANSWERS).heads_ == ((1, 0),)
    judge = QKScore(select="permutation").fit(first, ANSWERS, permuted=permuted, permuted_labels=turned)
    assert judge.heads_ == ((3, 1),)
    assert judge.quality_[2, 1] == pytest.approx(20 / 24)
    assert judge.head_accuracy_[0, 0] == 1.0
    naive = np.mean(
        [
            (first["qk/before"][k, 0, 0].argmax() == ANSWERS[k])
            & (permuted["qk/before"][k, 0, 0].argmax() == turned[k])
            for k in range(24)
        ]
    )
    assert judge.quality_[0, 0] == pytest.approx(naive)


def test_permutation_needs_the_same_questions(make):
    judge = QKScore(select="permutation")
    for options in ({}, {"permuted": make()}, {"permuted": make().take(range(23, -1, -1)), "permuted_labels": ANSWERS}):
        with pytest.raises(InnerjudgeError, match="of the same questions in the same order"):
            judge.fit(make(), ANSWERS, **options)
    with pytest.raises(InnerjudgeError, match="fingerprint"):
        judge.fit(make(), ANSWERS, permuted=make(fingerprint="g"), permuted_labels=ANSWERS)
    lost = replace(make(), missing={"qk/before": {"i3": "too long"}})
    assert judge.fit(make(), ANSWERS, permuted=lost, permuted_labels=ANSWERS).n_excluded_ == 1


def test_without_labels(make):
    # Head (1, 0): mass 0.8 that jumps between options; all others rest on A.
    attention = np.zeros((24, 3, 2, 5))
    attention[..., 0] = 0.9
    attention[:, 1, 0] = 0
    attention[np.arange(24), 1, 0, ANSWERS] = 0.8
    features = make(attention=attention)
    for judge in (AttentionScore(select="unlabelled"), QKScore(select="unlabelled")):
        judge.fit(features)
        assert judge.heads_ == ((2, 0),)
        assert judge.head_accuracy_ is None
        # Five places; A, B, C hold 0.8 in a third of the questions: variance 0.64 * (1/3) * (2/3) each; D and E none.
        assert judge.quality_[1, 0] == pytest.approx(0.8 * (3 * 0.64 * 2 / 9) / 5, rel=1e-5)
        assert judge.fit(features, ANSWERS).head_accuracy_.shape == (3, 2)
    with pytest.raises(InnerjudgeError, match="expected answers for select='accuracy'"):
        QKScore().fit(features)
    with pytest.raises(InnerjudgeError, match="at least two"):
        AttentionScore(select="unlabelled").fit(features.take([0]))
    features = replace(features, arrays={k: v for k, v in features.arrays.items() if k != "attention"})
    with pytest.raises(InnerjudgeError, match="expected 'attention'"):
        QKScore(select="unlabelled").fit(features)


def test_variability_by_definition_with_uneven_options():
    rng = np.random.default_rng(1)
    a, n_options = rng.random((7, 2, 3, 4)), np.array([2, 3, 4, 2, 3, 3, 2])  # one question has a fourth option
    want = np.zeros((2, 3))
    for block in range(2):
        for head in range(3):
            mass = np.mean([a[k, block, head, : n_options[k]].sum() for k in range(7)])
            places = [[a[k, block, head, i] for k in range(7) if i < n_options[k]] for i in range(4)]
            want[block, head] = mass * np.mean([np.var(p) for p in places if len(p) >= 2])
    np.testing.assert_allclose(attention_variability(a, n_options), want)


def test_choosing_heads():
    quality = np.array([[0.5, 0.7], [0.7, 0.8], [0.8, 0.74]])
    assert choose_heads(quality, n=100) == ((2, 1),)  # a tie at 0.8: the earlier block
    assert choose_heads(quality, n=100, n_heads=4) == ((2, 1), (3, 0), (3, 1), (1, 1))
    # One standard error at 0.8 of 100 is 0.04: near are 0.8, 0.8; of 16 questions 0.1: 0.7 and more.
    assert choose_heads(quality, n=100, prefer="earliest") == ((2, 1),)
    assert choose_heads(quality, n=16, prefer="earliest") == ((1, 1),)
    assert choose_heads(quality, n=16, n_heads=3, prefer="earliest") == ((1, 1), (2, 1), (2, 0))
    assert choose_heads(quality, n=10**6, n_heads=3, prefer="earliest") == ((2, 1), (3, 0), (3, 1))
    assert choose_heads(np.ones((2, 2)), n=5, prefer="earliest") == ((1, 0),)
    with pytest.raises(InnerjudgeError, match="expected 1 to 6"):
        choose_heads(quality, n=5, n_heads=7)


def test_a_vote_is_the_mean_of_z_scores(make):
    features = make(labels=np.array([5, 4, *[5] * 22]))
    judge = QKScore(n_heads=2).fit(features, ANSWERS)
    found = judge.decision_function(features)
    for k, n in ((0, 5), (1, 4), (2, 5)):
        rows = [features["qk/before"][k, block - 1, head, :n].astype(float) for block, head in judge.heads_]
        np.testing.assert_allclose(found[k, :n], np.mean([(r - r.mean()) / r.std() for r in rows], axis=0))
        assert (found[k, n:] == -np.inf).all()
    products = features["qk/before"].copy()
    block, head = judge.heads_[1]
    products[:, block - 1, head] = 0.1  # one head that sees no difference adds 0
    half = make(qk__before=products)
    other = judge.heads_[0]
    row = half["qk/before"][0, other[0] - 1, other[1]].astype(float)
    np.testing.assert_allclose(judge.decision_function(half)[0], (row - row.mean()) / row.std() / 2)
    flat = make(qk__before=np.full((24, 3, 2, 5), 0.1))
    assert {v.unscored for v in judge.verdicts(flat)} == {"the heads do not tell the options apart"}


@pytest.mark.parametrize("noise", [0.0, 1e-7])
def test_a_head_that_sees_no_difference_guesses(make, noise):
    # Block 1 before rotary: one product for all options (up to rounding), while the answer is A in two thirds.
    rng = np.random.default_rng(2)
    answers = np.where(np.arange(24) % 3 == 0, rng.integers(1, 5, 24), 0)
    scores = rng.normal(size=(24, 3, 2, 5))
    scores[:, 0] = 3.7 * (1 + noise * rng.normal(size=(24, 2, 5)))
    knows = rng.permutation(24)[:12]  # head (2, 1) knows half of the answers and is wrong in the rest
    scores[np.arange(24), 1, 1, (answers + 1) % 5] = 9
    scores[knows, 1, 1, answers[knows]] = 99
    features = make(qk__before=scores)
    for judge in (QKScore(), QKScore(select="permutation")):
        more = {"permuted": features, "permuted_labels": answers} if judge.select == "permutation" else {}
        judge.fit(features, answers, **more)
        assert judge.heads_ == ((2, 1),)
        np.testing.assert_allclose(judge.head_accuracy_[0], 1 / 5)
        chance = 1 / 5 if judge.select == "accuracy" else 1 / 25  # of both orders
        np.testing.assert_allclose(judge.quality_[0], chance)
    judge.heads_ = ((1, 0),)
    assert {v.unscored for v in judge.verdicts(features)} == {"the head does not tell the options apart"}
    with pytest.raises(InnerjudgeError, match="does not tell the options apart"):
        judge.predict(features)


def test_prompts_without_abstain_lines(make):
    plain = make()
    plain = replace(plain, provenance=replace(plain.provenance, prompt=WITHOUT_ABSTAIN))
    for judge in (QKScore(), AttentionScore(), LetterLogits()):
        fitted = judge.fit(plain, ANSWERS) if judge.learns else judge
        assert len(fitted.verdicts(plain)[0].score) == 5
        if judge.learns:
            with pytest.raises(InnerjudgeError, match=r"prompt ''.* instead of 'choices without the abstain lines'"):
                fitted.verdicts(make())
    for judge in (QKScore(abstain=False), LetterLogits(abstain=False)):
        with pytest.raises(InnerjudgeError, match="two real options would be left out"):
            judge.fit(plain, ANSWERS) if judge.learns else judge.verdicts(plain)


def test_what_a_fit_reads_is_said():
    assert QKScore(select="unlabelled").fit_needs == ("attention",)
    assert QKScore().fit_needs == ()
    assert QKScore().set_params(select="unlabelled").fit_needs == ("attention",)


def test_abstain_lines_take_no_part(make):
    scores = np.zeros((24, 3, 2, 5))
    scores[..., 3] = 5  # every head prefers "None of the above"
    scores[np.arange(24), 2, 0, ANSWERS] = 1
    features = make(qk__before=scores)
    with_them, without = QKScore().fit(features, ANSWERS), QKScore(abstain=False).fit(features, ANSWERS)
    assert with_them.predict(features).tolist() == [3] * 24
    assert without.heads_ == ((3, 0),)
    assert without.predict(features).tolist() == ANSWERS.tolist()
    assert len(without.verdicts(features)[0].score) == 3


def test_wrong_answers_are_named(make):
    with pytest.raises(InnerjudgeError, match="the answer 5 for i0, expected 0 to 4"):
        QKScore().fit(make(), np.array([5, *ANSWERS[1:]]))
    with pytest.raises(InnerjudgeError, match="the answer 3 for i0, expected 0 to 2"):
        QKScore(abstain=False).fit(make(), np.array([3, *ANSWERS[1:]]))
    with pytest.raises(InnerjudgeError, match=r"24 questions whose answers are all \[2\]"):
        QKScore().fit(make(), np.full(24, 2))
