"""Judges of all answers to a question: the worked examples of their papers, and what they need."""

from dataclasses import replace

import numpy as np
import pytest
from innerjudge.extraction import Features
from innerjudge.models import InnerjudgeError
from innerjudge.probes import EigenScore, SemanticEntropyProbe
from innerjudge.probes.sets import entropy_border, semantic_entropy

NAME = "hidden/nth_last(2).mean"


def answers(states, groups, **options):
    return Features.from_arrays({NAME: np.array(states, float)[:, None]}, provenance="m", groups=groups, **options)


def test_eigenscore():
    # Rows (1, 0, -1), (2, 0, 1): covariance [[1, .5], [.5, 1]], plus .001: 1.501 and .501; mean log10 -.061891.
    f = answers([[1, 0, -1], [5, 5, 5], [2, 0, 1], [5, 5, 5.1]], ["q", "r", "q", "r"])
    said = EigenScore(row=0).decision_function(f)
    assert said[[0, 2]] == pytest.approx([0.061891] * 2, abs=1e-6)
    # Answers that are nearly alike: both eigenvalues are about alpha, 3 - log10(1 + ...) / 2.
    assert said[1] == said[3] > 2.4


def test_a_lone_answer_says_nothing():
    said = EigenScore(row=0).verdicts(answers([[1, 0, -1], [2, 0, 1], [0, 0, 1]], ["q", "q", "r"]))
    assert [v.unscored for v in said] == [None, None, "no second answer to its question beside it"]


def test_the_middle_row_is_that_of_the_released_code():
    """``int((L + 1) / 2)`` of 32 blocks is 16: the row of a share of one half."""
    h = np.random.default_rng(0).normal(size=(2, 34, 5))
    f = Features.from_arrays({NAME: h}, provenance="m", groups=["q", "q"])
    assert EigenScore().decision_function(f).tolist() == EigenScore(row=16).decision_function(f).tolist()
    early = Features.from_arrays({NAME: h}, provenance="m", groups=["q", "q"], last_block=33)
    with pytest.raises(InnerjudgeError, match="cut short"):
        EigenScore().decision_function(early)


def test_semantic_entropy():
    # Clusters of 3, 1 and 1 of five: -(.6 ln .6 + 2 * .2 ln .2) = .950271.
    assert semantic_entropy(np.array(list("aaabc"))) == pytest.approx(0.950271, abs=1e-6)


def test_the_border_has_the_least_squared_error():
    # Any border in (.5, .9503] is as good; of 100 places up to 1.6094 the first is 1e-10 + 31 * 1.6094 / 99 = .503954.
    spread = np.array([0, 0, 0.5, 0.9503, 1.6094])
    border = entropy_border(spread)
    assert border == pytest.approx(0.503954, abs=1e-5)
    # Below it the mean is 1 / 6: 2 / 36 + 1 / 9 = .166667; above 1.27985: 2 * .32955 ** 2 = .217206; in all .383873.
    errors = [((side - side.mean()) ** 2).sum() for side in (spread[spread < border], spread[spread >= border])]
    assert errors == pytest.approx([1 / 6, 0.217206], abs=1e-6)
    assert sum(errors) == pytest.approx(0.383873, abs=1e-6)
    for other in (0.25, 1.2):  # a border elsewhere has a larger error
        sides = spread[spread < other], spread[spread >= other]
        assert sum(((side - side.mean()) ** 2).sum() for side in sides) > 0.383873


def questions(n=30, *, seed=0, cluster="answer"):
    """Four answers each, alike where the first number of the question's state is positive."""
    rng = np.random.default_rng(seed)
    h = rng.normal(size=(n, 1, 4))
    said = [word for one in h for word in (["7", " 7.", "7", "8"] if one[0, 0] > 0 else list("1234"))]
    texts = {"answer": said, "response": [f"It is {word}" for word in said]}
    arrays = {"hidden/prompt_end": np.repeat(h, 4, axis=0)}
    f = Features.from_arrays(arrays, provenance="m", groups=np.repeat(np.arange(n), 4).tolist(), texts=texts)
    return f, np.repeat(h[:, 0, 0] > 0, 4)


def test_a_probe_learns_where_answers_agree():
    f, certain = questions()
    probe = SemanticEntropyProbe(row=0).fit(f)
    unseen, agree = questions(seed=1)
    assert (probe.predict(unseen) == agree).mean() > 0.9
    given = SemanticEntropyProbe(row=0).fit(f, np.where(certain, "same", np.array(list("abcd") * 30)))
    assert np.mean(given.predict(unseen) == agree) > 0.9
    # Without an answer, and by whole texts, the text counts: the same clusters here.
    bare = replace(f, texts={**f.texts, "answer": ("",) * len(f)})
    by_text = SemanticEntropyProbe(row=0, cluster="text").fit(f)
    for other in (given, by_text, SemanticEntropyProbe(row=0).fit(bare)):
        assert np.array_equal(other.coef_, probe.coef_)


def test_answers_are_compared_without_case_blanks_and_full_stops():
    f, certain = questions(2, seed=3)
    assert {*SemanticEntropyProbe()._clusters(f)[certain]} <= {"7", "8"}


def test_features_without_answers_are_refused():
    f, _ = questions()
    with pytest.raises(InnerjudgeError, match="expected 'answer'"):
        SemanticEntropyProbe(row=0).fit(replace(f, texts={"response": f.texts["response"]}))


def test_questions_of_one_answer_are_left_out():
    f, _ = questions()
    probe = SemanticEntropyProbe(row=0).fit(f.take([*range(0, 116), 116]))
    assert probe.n_excluded_ == 1
    with pytest.raises(InnerjudgeError, match="0 questions with several answers"):
        SemanticEntropyProbe(row=0).fit(f.take(range(0, 120, 4)))


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"alpha": 0.0}, "given alpha=0.0 .*a finite number above 0"),
        ({"role": "step"}, "given role='step', expected a role of one place"),
        ({"alpha": float("nan")}, "given alpha=nan .*a finite number above 0"),
    ],
)
def test_parameters_are_checked(wrong, why):
    with pytest.raises(InnerjudgeError, match=why):
        EigenScore(**wrong)


def test_equal_shares_have_equal_entropy_to_the_bit():
    names = np.array(["a", "b", "b", "c", "c", "c", "d", "d", "d", "d"])
    other = np.array(["d", "c", "c", "b", "b", "b", "a", "a", "a", "a"])
    assert semantic_entropy(names) == semantic_entropy(other)
