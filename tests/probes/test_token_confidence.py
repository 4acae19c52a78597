"""Token confidences on the worked examples of their papers, and on the panel."""

import numpy as np
import pytest
from innerjudge.extraction import Features, Ragged
from innerjudge.models import InnerjudgeError
from innerjudge.probes import TokenConfidence


def scored(judge, *rows):
    name = judge.needs[0]
    return judge.decision_function(Features.from_arrays({name: Ragged.of(list(rows))}, provenance="m"))


# Log-probabilities -.1, -.5, -2: mean -.866667, perplexity exp(.866667) = 2.378968.
@pytest.mark.parametrize(("statistic", "score"), [("log_probability", -0.866667), ("perplexity", -2.378968)])
def test_log_probabilities(statistic, score):
    assert np.allclose(scored(TokenConfidence(statistic=statistic), [-0.1, -0.5, -2.0]), [score])


def test_certainty_and_entropy_are_means():
    # p = (.7, .1, .1, .1): KL(uniform || p) = .429813, entropy .940448; a second token of 0.
    assert np.allclose(scored(TokenConfidence(), [0.429813, 0.0]), [0.2149065])
    assert np.allclose(scored(TokenConfidence(statistic="entropy"), [0.940448, 0.0]), [-0.470224])


# Confidences 4, 2, 1, 3, 5 in windows of 3: 7/3, 2, 3. The least is 2, and so is the least tenth of three windows.
@pytest.mark.parametrize(
    ("aggregate", "window", "score"),
    [("mean", 3, 3.0), ("tail", 2, 4.0), ("lowest_group", 3, 2.0), ("bottom_groups", 3, 2.0), ("lowest_group", 5, 3.0)],
)
def test_groups(aggregate, window, score):
    judge = TokenConfidence(statistic="confidence", aggregate=aggregate, window=window)
    rows = -np.repeat(np.array([4.0, 2, 1, 3, 5])[:, None], 20, axis=1)
    assert np.allclose(scored(judge, rows), [score])


def test_the_tenth_of_many_groups_is_their_mean():
    # Windows of one token: 20 groups, of which the two least are 1 and 2.
    judge = TokenConfidence(statistic="log_probability", aggregate="bottom_groups", window=1)
    assert np.allclose(scored(judge, np.arange(20.0)[::-1] + 1), [1.5])


# Log-probabilities -.1, -.5, -2: least -2, sum -2.6, variance .668889 (with a minus: of entropies, higher is better).
@pytest.mark.parametrize(("aggregate", "score"), [("min", -2.0), ("sum", -2.6), ("variance", -0.668889)])
def test_least_sum_and_variance(aggregate, score):
    judge = TokenConfidence(statistic="log_probability", aggregate=aggregate, window=1)
    assert np.allclose(scored(judge, [-0.1, -0.5, -2.0]), [score])


def test_the_likeliest_token():
    # p = .7 and .5, whatever was sampled: the mean of ln .7 and ln .5.
    rows = np.log([[0.7, 0.1, 0.1], [0.5, 0.25, 0.1]])
    assert np.allclose(scored(TokenConfidence(statistic="max_probability"), rows), [(np.log(0.7) + np.log(0.5)) / 2])


def test_the_entropy_of_the_likeliest_alone():
    # p = (.4, .4, ...) of two: renormalised (.5, .5), entropy ln 2; over two tokens, so minus ln 2 / 2.
    rows = np.log([[0.4, 0.4]])
    assert np.allclose(scored(TokenConfidence(statistic="top_entropy"), rows), [-np.log(2) / 2])


def test_parameters_are_checked():
    with pytest.raises(InnerjudgeError, match=r"given window=0 \(int\), expected at least 1"):
        TokenConfidence(window=0)
    with pytest.raises(InnerjudgeError, match=r"given statistic='coe' .*expected 'log_probability' or"):
        TokenConfidence(statistic="coe")
    with pytest.raises(InnerjudgeError, match=r"given aggregate='all' .*expected 'mean' or 'tail' or"):
        TokenConfidence(aggregate="all")
