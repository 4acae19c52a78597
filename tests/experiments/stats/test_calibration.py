"""Discrimination and calibration: cases by hand, scikit-learn, and what was planted."""

from __future__ import annotations

import numpy as np
import pytest
from innerjudge import InnerjudgeError
from innerjudge.experiments.stats.metrics.abstention import (
    accuracy_coverage,
    area_under_coverage,
    kept_accuracy,
    kept_share,
    threshold_for,
)
from innerjudge.experiments.stats.metrics.accuracy import auprc, within_question_auprc
from innerjudge.experiments.stats.metrics.calibration import (
    Isotonic,
    Platt,
    Temperature,
    brier,
    expected_calibration_error,
    kuiper,
    reliability_diagram,
    score_bias,
    score_error,
)
from scipy.special import expit
from sklearn.calibration import calibration_curve
from sklearn.metrics import average_precision_score, brier_score_loss

RNG = np.random.default_rng(0)
P = RNG.random(300)
LABELS = RNG.random(300) < P
COARSE = np.round(P, 1)


def test_auprc_by_hand_and_against_scikit_learn(resamples_are_repeated_rows) -> None:
    # scores 0.9 right, 0.8 wrong, 0.8 right, 0.1 wrong: at 0.9 precision 1, recall 1/2; at 0.8 precision 2/3, recall 1
    assert auprc([1, 0, 1, 0], [0.9, 0.8, 0.8, 0.1]).value == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)
    made = auprc(LABELS, COARSE)
    assert made.value == pytest.approx(average_precision_score(LABELS, COARSE))
    resamples_are_repeated_rows(made, auprc, LABELS, COARSE)
    assert auprc([True, True], [0.1, 0.2]).reason == "all 2 labels are true"


def test_auprc_within_questions_by_hand() -> None:
    # p: right above wrong, 1. q: right 0.3, wrong 0.6 and 0.5: precision 1/3. r has one class
    labels, scores = [1, 0, 1, 0, 0, 1], [0.9, 0.2, 0.3, 0.6, 0.5, 0.7]
    made = within_question_auprc(labels, scores, list("ppqqqr"))
    assert (made.value, made.n) == (pytest.approx((1 + 1 / 3) / 2), 2)


def test_brier_against_scikit_learn(resamples_are_repeated_rows) -> None:
    assert brier(LABELS, P).value == pytest.approx(brier_score_loss(LABELS, P))
    resamples_are_repeated_rows(brier(LABELS, P), brier, LABELS, P)


def test_calibration_error_by_hand() -> None:
    # two bins: 0.1, 0.3 with none right: |0.2 - 0| * 2/4; 0.7, 0.9 with one right: |0.8 - 0.5| * 2/4
    labels, p = [False, False, True, False], [0.1, 0.3, 0.7, 0.9]
    assert expected_calibration_error(labels, p, bins=2).value == pytest.approx(0.5 * 0.2 + 0.5 * 0.3)
    assert [b.n for b in reliability_diagram(labels, p, bins=4)] == [1, 1, 1, 1]


@pytest.mark.parametrize(("by", "strategy"), [("width", "uniform"), ("mass", "quantile")])
def test_reliability_diagram_against_scikit_learn(by: str, strategy: str, resamples_are_repeated_rows) -> None:
    right, said = calibration_curve(LABELS, P, n_bins=10, strategy=strategy)
    found = reliability_diagram(LABELS, P, bins=10, by=by)
    assert [b.said for b in found] == pytest.approx(list(said))
    assert [b.right for b in found] == pytest.approx(list(right))
    error = sum(b.n / 300 * abs(b.said - b.right) for b in found)
    made = expected_calibration_error(LABELS, P, bins=10, by=by)
    assert made.value == pytest.approx(error)
    if by == "width":
        resamples_are_repeated_rows(made, expected_calibration_error, LABELS, P)


def test_kuiper(resamples_are_repeated_rows) -> None:
    # Gaps -.2, .6, -.6, .1: sums / 4 are 0, -.05, .1, -.05, -.025: .1 + .05.
    assert kuiper([False, True, False, True], [0.2, 0.4, 0.6, 0.9]).value == pytest.approx(0.15)
    # Two of the same probability are one step: .5, and not 0, .5 / 2 up or down, whatever their order.
    for labels in ([True, False, None], [False, True, None]):
        assert kuiper(labels, [0.5, 0.5, 0.1]).value == 0
    assert kuiper([True, True], [0.5, 0.5]).value == 0.5
    assert kuiper([None], [0.5]).value is None
    order = np.argsort(P, kind="stable")
    sums = np.r_[0, np.cumsum((np.array(LABELS, float) - P)[order])] / len(P)  # all of P differ
    assert len({*P}) == len(P)
    made = kuiper(LABELS, P)
    assert made.value == pytest.approx(np.ptp(sums))
    resamples_are_repeated_rows(made, kuiper, LABELS, P)


def test_probabilities_are_checked() -> None:
    with pytest.raises(InnerjudgeError, match=r"given the probability 1\.5"):
        brier([True], [1.5])
    with pytest.raises(InnerjudgeError, match="at least 1 bin"):
        expected_calibration_error([True], [0.5], bins=0)


def test_scores_against_human_means() -> None:
    assert score_bias([1, 2, None], [2, 2, 5]).value == 0.5
    assert score_error([1, 4, None], [2, 2, 5]).value == 1.5


def test_temperature_undoes_over_confidence() -> None:
    rng = np.random.default_rng(1)
    z = rng.normal(scale=1.5, size=8000)
    labels = rng.random(8000) < expit(z)
    sharp = expit(3 * z)  # three times too sure
    fitted = Temperature().fit(sharp[:4000], labels[:4000])
    assert fitted.temperature_ == pytest.approx(3, rel=0.1)
    before = expected_calibration_error(labels[4000:], sharp[4000:]).value
    after = expected_calibration_error(labels[4000:], fitted.predict(sharp[4000:])).value
    assert before > 0.1
    assert after < 0.03
    assert np.argsort(fitted.predict(sharp[4000:4050])).tolist() == np.argsort(sharp[4000:4050]).tolist()


@pytest.mark.parametrize("method", [Platt, Isotonic])
def test_scores_of_any_scale_become_probabilities(method) -> None:
    rng = np.random.default_rng(2)
    z = rng.normal(size=6000)
    labels = rng.random(6000) < expit(1.3 * z - 0.4)
    scores = 100 * z + 7
    found = method().fit(scores[:3000], labels[:3000]).predict([*scores[3000:], None])
    assert found[-1] is None
    assert np.abs(np.array(found[:-1]) - expit(1.3 * z[3000:] - 0.4)).mean() < 0.035
    assert np.all(np.diff(np.array(found[:-1])[np.argsort(scores[3000:])]) >= 0)


def test_equal_scores_up_to_rounding_tell_nothing() -> None:
    """The mean of .1, .1 and .1 is .10000000000000002: a new score is not far from it in that unit."""
    found = Platt().fit([0.1, 0.1, 0.1], [True, False, False]).predict([0.1, 0.2, -5.0])
    assert found == pytest.approx([1 / 3] * 3, abs=1e-3)


def test_expected_scores_are_put_on_the_human_scale() -> None:
    rng = np.random.default_rng(3)
    human = rng.integers(1, 6, 4000).astype(float)
    flat = 3 + 0.2 * (human - 3) + rng.normal(scale=0.05, size=4000)  # ranks well, says nothing absolute
    after = Isotonic().fit(flat[:2000], human[:2000]).predict(flat[2000:])
    assert score_error(human[2000:], flat[2000:]).value > 0.9
    assert score_error(human[2000:], after).value < 0.2


def test_calibration_needs_two_classes() -> None:
    with pytest.raises(InnerjudgeError, match="1 different labels"):
        Platt().fit([0.1, 0.2], [True, True])
    with pytest.raises(InnerjudgeError, match="expected probabilities for temperature"):
        Temperature().fit([2.0, 0.1], [True, False])


def test_accuracy_against_coverage_by_hand() -> None:
    right, sure = [True, False, True, True, None], [0.9, 0.8, 0.8, 0.1, 0.99]
    curve = accuracy_coverage(right, sure)
    assert curve.threshold.tolist() == [0.9, 0.8, 0.1]
    assert curve.coverage.tolist() == [0.25, 0.75, 1.0]
    assert curve.accuracy == pytest.approx([1, 2 / 3, 3 / 4])
    # rows in order: 1; then 1.5 / 2 (half of the tie, on average); 2 / 3; 3 / 4
    assert area_under_coverage(right, sure).value == pytest.approx((1 + 0.75 + 2 / 3 + 0.75) / 4)
    assert threshold_for(right, sure, accuracy=0.7) == 0.1
    assert threshold_for(right, sure, accuracy=0.9) == 0.9
    assert threshold_for([False], [0.3], accuracy=0.9) is None
    assert kept_accuracy(right, sure, threshold=0.8).value == pytest.approx(2 / 3)
    assert kept_share(right, sure, threshold=0.8).value == 0.75
    assert kept_accuracy(right, sure, threshold=1.0).reason == "no row is certain enough"


def test_area_under_coverage_of_ties_and_resamples(resamples_are_repeated_rows) -> None:
    right = (RNG.random(40) < 0.7).tolist()
    assert area_under_coverage(right, [0.5] * 40).value == pytest.approx(np.mean(right))
    sure = RNG.integers(0, 5, 40).astype(float).tolist()
    resamples_are_repeated_rows(area_under_coverage(right, sure), area_under_coverage, right, sure)


def test_a_threshold_holds_on_other_rows() -> None:
    rng = np.random.default_rng(4)
    sure = rng.random(6000)
    right = (rng.random(6000) < 0.5 + 0.5 * sure).tolist()
    found = threshold_for(right[:3000], sure[:3000], accuracy=0.9)
    assert found == pytest.approx(0.6, abs=0.06)  # mean accuracy above t is 0.75 + t / 4
    assert kept_accuracy(right[3000:], sure[3000:], threshold=found).value == pytest.approx(0.9, abs=0.02)
