"""Claims of "better": Holm's correction, and how often nothing is called something."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from innerjudge.experiments.stats.intervals import Difference, Interval, difference, holm, p_value
from innerjudge.experiments.stats.metrics.accuracy import accuracy, auroc, within_question_auroc
from scipy import stats
from statsmodels.stats.multitest import multipletests


def test_holm_against_statsmodels() -> None:
    rng = np.random.default_rng(0)
    ps = [*rng.random(6).tolist(), 0.001, 0.001]
    found = holm([Difference(interval=Interval(value=1.0, low=0, high=1, n=1), p=p) for p in ps])
    assert [d.p_corrected for d in found] == pytest.approx(multipletests(ps, method="holm")[1].tolist())
    none = holm([Difference(interval=Interval(value=None, low=None, high=None, n=0), p=None)])
    assert (none[0].p_corrected, none[0].verdict) == (None, "not told apart")


def test_p_value_is_that_of_the_t_test() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(0.2, 1, 80)
    ratio = accuracy([1] * 80, [1] * 80)  # any; only its interval is replaced
    assert ratio.value == 1.0
    exact = stats.ttest_1samp(x, 0)
    error = float(x.std(ddof=0) / np.sqrt(80))
    made = Interval(value=float(x.mean()), low=0.0, high=0.0, n=80, error=error, groups=80)
    assert p_value(made) == pytest.approx(float(exact.pvalue))
    same = Interval(value=0.0, low=0.0, high=0.0, n=9, error=0.0, groups=9)
    assert p_value(same) == 1.0


def test_few_questions_that_all_say_the_same_prove_nothing() -> None:
    for limits in (None, (-1.0, 1.0)):
        certain = Interval(value=1.0, low=1.0, high=1.0, n=3, error=0.0, groups=3, limits=limits)
        assert p_value(certain) == 0.25  # a sign test of three: 2 * (1/2)^3
        assert p_value(replace(certain, groups=12)) == 2.0**-11
        assert p_value(replace(certain, groups=1)) is None


def test_verdicts_of_a_difference() -> None:
    rng = np.random.default_rng(2)
    labels = rng.random(400) < 0.5
    good, bad = labels + rng.normal(scale=0.5, size=400), labels + rng.normal(scale=3, size=400)
    groups = [k // 4 for k in range(400)]
    up, down = (
        holm([difference(auroc(labels, a), auroc(labels, b), groups)])[0] for a, b in ((good, bad), (bad, good))
    )
    assert (up.verdict, down.verdict) == ("better", "worse")
    alike = holm([difference(auroc(labels, good), auroc(labels, good), groups)])[0]
    assert (alike.p, alike.verdict) == (1.0, "not told apart")


def null_auroc(labels, scores, groups):
    return auroc(labels, scores)


def null_accuracy(labels, scores, groups):
    return accuracy(labels.tolist(), (np.asarray(scores) > np.median(scores)).tolist())


@pytest.mark.parametrize(
    ("questions", "metric"), [(20, null_auroc), (60, null_auroc), (20, within_question_auroc), (20, null_accuracy)]
)
def test_null_studies_call_a_judge_better_in_at_most_one_of_twenty(questions: int, metric) -> None:
    """Random labels, six judges of all kinds of scores against a seventh: any claim is a false one."""
    rng = np.random.default_rng(questions)
    groups = np.repeat(np.arange(questions), 4)
    better, claims, uncorrected, trials = 0, 0, 0, 300
    for _ in range(trials):
        labels = rng.random(len(groups)) < rng.random(questions)[groups]
        ease = rng.normal(size=questions)[groups]
        judges = [rng.normal(size=len(groups)) + k * ease for k in (0, 1)]  # some read the question
        judges += [np.round(j) for j in judges]
        judges += [judges[0] + 0.3 * rng.normal(size=len(groups)), rng.random(len(groups))]
        text = metric(labels, np.round(rng.random(len(groups))), groups.tolist())
        made = [metric(labels, j, groups.tolist()) for j in judges]
        found = holm([difference(one, text, groups.tolist()) for one in made])
        better += any(d.verdict == "better" for d in found)
        claims += any(d.verdict != "not told apart" for d in found)
        uncorrected += any(not d.interval.low <= 0 <= d.interval.high for d in found)
    assert better / trials <= 0.05
    assert claims / trials <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / trials)
    assert uncorrected / trials > 0.05, "the correction has nothing to do: the test could not fail"
