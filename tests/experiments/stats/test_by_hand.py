"""Statistics worked by hand from their definitions, and held to independent libraries: what other files leave open."""

from __future__ import annotations

from collections import Counter
from itertools import combinations, permutations

import krippendorff
import numpy as np
import pytest
import statsmodels.api as sm
from innerjudge.experiments.stats.agreement.confusion import cohen_kappa, p_criterion, percent_agreement
from innerjudge.experiments.stats.agreement.juries import addition, replacement
from innerjudge.experiments.stats.agreement.reliability import icc3k, krippendorff_alpha
from innerjudge.experiments.stats.biases.confounds import centred, centred_auroc, grades_used, residual
from innerjudge.experiments.stats.biases.consistency import (
    flip_probability,
    inconsistent_pairs,
    order_violations,
    score_spread,
    self_consistency,
    square_of,
)
from innerjudge.experiments.stats.biases.preferences import length_beyond_labels, position_bias_denoised
from innerjudge.experiments.stats.metrics.abstention import (
    accuracy_coverage,
    area_under_coverage,
    kept_accuracy,
    kept_share,
)
from innerjudge.experiments.stats.metrics.accuracy import within_question_auprc
from innerjudge.experiments.stats.metrics.calibration import brier, score_error
from innerjudge.experiments.stats.metrics.correlation import kendall, pearson, spearman, system_ranking
from innerjudge.experiments.stats.selection_noise import auroc_by_question
from scipy import stats
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    balanced_accuracy_score,
    mean_absolute_error,
    precision_recall_curve,
    roc_auc_score,
)

RNG = np.random.default_rng(0)
LABELS, SCORES = RNG.random(80) < 0.5, RNG.integers(0, 12, 80) / 12
GROUPS = [f"q{k // 5}" for k in range(80)]


def test_correlations_by_hand() -> None:
    # deviations -1.5 -0.5 0.5 1.5 and -0.5 -1.5 1.5 0.5: products 4 * 0.75 = 3; squares 5 and 5: 3/5
    x, y = [1.0, 2, 3, 4], [2.0, 1, 4, 3]
    assert pearson(x, y).value == pytest.approx(0.6)
    assert spearman(x, [20.0, 10, 40, 30]).value == pytest.approx(0.6)
    assert kendall(x, y).value == pytest.approx((4 - 2) / 6)  # four pairs in order, two not
    # a tie in x: ranks 1, 2.5, 2.5, 4: products 1.5 * 1.5 * 2 = 4.5; squares 4.5 and 5.
    # Kendall: all 5 untied pairs in order, 5 / sqrt(5 * 6)
    tied, rising = [1.0, 2, 2, 3], [1.0, 2, 3, 4]
    assert spearman(tied, rising).value == pytest.approx(4.5 / np.sqrt(4.5 * 5))
    assert kendall(tied, rising).value == pytest.approx(5 / np.sqrt(5 * 6))


def test_agreement_by_hand_and_in_scikit_learn() -> None:
    # 10 items: both 1 four times, both 0 three, 1-0 twice, 0-1 once: P_o 0.7; first says 1 six times, second five:
    # P_e = 0.6 * 0.5 + 0.4 * 0.5 = 0.5; kappa 0.2 / 0.5
    a, b = [1] * 4 + [0] * 3 + [1, 1, 0], [1] * 4 + [0] * 3 + [0, 0, 1]
    assert cohen_kappa(a, b).value == pytest.approx(0.4)
    assert percent_agreement(a, b).value == pytest.approx(accuracy_score(a, b))
    # P_c = TPR + TNR - 1, which scikit-learn has as balanced accuracy adjusted for chance
    assert p_criterion(a, b).value == pytest.approx(balanced_accuracy_score(a, b, adjusted=True))


def test_krippendorff_alpha_of_ordered_and_of_interval_grades_by_hand() -> None:
    # items (1,1) (2,2) (1,3): grades 1 three times, 2 twice, 3 once. Ordinal distances, squared numbers of grades
    # between the two with half of either end: 1-2 (5 - 2.5)^2 = 6.25, 1-3 (6 - 2)^2 = 16, 2-3 (3 - 1.5)^2 = 2.25
    # D_o = 2 * 16 / 6; D_e = 2 (6 * 6.25 + 3 * 16 + 2 * 2.25) / 30 = 6; alpha = 1 - (32/6) / 6 = 1/9
    ratings = [[1, 2, 1], [1, 2, 3]]
    assert krippendorff_alpha(ratings, level="ordinal").value == pytest.approx(1 / 9)
    # interval distances 1, 4, 1: D_o = 2 * 4 / 6, D_e = 2 (6 + 12 + 2) / 30: both 4/3
    assert krippendorff_alpha(ratings, level="interval").value == pytest.approx(0.0, abs=1e-12)


def test_icc_by_hand() -> None:
    # items (4,5,6) (2,3,2) (1,1,3), means 5, 7/3, 5/3, of all 3. Rows: 3 (4 + 4/9 + 16/9) = 56/3, over 2: MS 28/3.
    # Raters' means 7/3, 3, 11/3: 3 * 8/9 = 8/3. Total 1 + 4 + 9 + 1 + 0 + 1 + 4 + 4 + 0 = 24.
    # Error 24 - 56/3 - 8/3 = 8/3, over 4: MS 2/3. ICC(3,k) = (28/3 - 2/3) / (28/3) = 13/14
    assert icc3k([[4, 2, 1], [5, 3, 1], [6, 2, 3]]).value == pytest.approx(13 / 14)
    # two raters with z-scores (-1, 0, 1) and (0, -1, 1): rows (-1/2, -1/2, 1): 2 (1/4 + 1/4 + 1) = 3, MS 3/2;
    # total 4, raters 0, error 4 - 3 = 1, MS 1/2: (3/2 - 1/2) / (3/2)
    assert icc3k([[1, 2, 3], [20, 10, 30]], z_score=True).value == pytest.approx(2 / 3)


def test_sage_by_hand() -> None:
    # a beats b when first, and ties when second: contradicts. a beats c in both orders. b and c tie in both.
    y = square_of({"a|b": ("a", "tie"), "a|c": ("a", "a"), "b|c": ("tie", "tie")})
    assert y.tolist() == [[0, 1, 1], [0, 0, 0], [-1, 0, 0]]
    assert inconsistent_pairs(y) == pytest.approx(1 / 3)
    assert order_violations(y[None]).tolist() == [1]  # a > b = c changes the tie to a loss of b, and nothing else
    # x > y > z > x in both orders, and all above w: one pair of the circle turned, in both orders
    circle = np.array([[0, 1, -1, 1], [-1, 0, 1, 1], [1, -1, 0, 1], [-1, -1, -1, 0]])
    assert (inconsistent_pairs(circle), order_violations(circle[None]).tolist()) == (0.0, [2])
    # of two answers: first always wins. Either strict order changes one verdict, a tie both
    assert order_violations(square_of({"a|b": ("a", "b")})[None]).tolist() == [1]


def test_a_rater_replaced_against_its_library() -> None:
    people = [RNG.integers(1, 6, 40).tolist() for _ in range(3)]
    judge = RNG.integers(1, 6, 40).tolist()

    def alpha(columns: list[list[int]]) -> float:
        return float(krippendorff.alpha(reliability_data=np.array(columns, float), level_of_measurement="ordinal"))

    after = [alpha([judge if k == out else people[k] for k in range(3)]) for out in range(3)]
    assert replacement(people, judge).value == pytest.approx(np.mean(after) - alpha(people))


def test_a_rater_added_against_plain_counting() -> None:
    people = [RNG.integers(0, 3, 30).tolist() for _ in range(5)]
    judge = RNG.integers(0, 3, 30).tolist()

    def share(votes: list[int], gold: int) -> float:
        best = [g for g, n in Counter(votes).items() if n == max(Counter(votes).values())]
        return 1 / len(best) if gold in best else 0.0

    for m in (1, 2, 4):
        gains = []
        for k in range(30):
            column = [person[k] for person in people]
            (gold, most), *rest = Counter(column).most_common()
            if rest and rest[0][1] == most:
                continue
            some = list(combinations(column, m))
            gains.append(np.mean([share([*s, judge[k]], gold) - share(list(s), gold) for s in some]))
        assert addition(people, judge, m=m).value == pytest.approx(np.mean(gains))
        assert addition(people, judge, m=m).n == len(gains)


def test_accuracy_against_coverage_is_precision_against_threshold() -> None:
    right, sure = LABELS.tolist(), SCORES.tolist()
    precision, _, thresholds = precision_recall_curve(LABELS, SCORES, drop_intermediate=False)
    curve = accuracy_coverage(right, sure)
    assert curve.threshold[::-1].tolist() == thresholds.tolist()
    assert curve.accuracy[::-1] == pytest.approx(precision[:-1])
    assert curve.coverage[::-1] == pytest.approx([(thresholds[k] <= SCORES).mean() for k in range(len(thresholds))])
    for at in (0.25, 0.75):
        assert kept_accuracy(right, sure, threshold=at).value == pytest.approx(LABELS[at <= SCORES].mean())
        assert kept_share(right, sure, threshold=at).value == pytest.approx((at <= SCORES).mean())


def test_area_under_coverage_is_the_mean_over_all_orders_of_ties() -> None:
    right, sure = [True, False, True, False, True], [0.9, 0.5, 0.5, 0.5, 0.1]
    areas = []
    for middle in permutations([1, 2, 3]):
        order = [0, *middle, 4]
        hits = np.cumsum([right[k] for k in order])
        areas.append(np.mean(hits / np.arange(1, 6)))
    assert area_under_coverage(right, sure).value == pytest.approx(np.mean(areas))


def test_flips_by_hand() -> None:
    # ten items in two repeats, one of them differs: p = 9/10; q = (1 - sqrt(0.8)) / 2
    repeats = [["a"] * 10, ["a"] * 9 + ["b"]]
    assert self_consistency(repeats).value == pytest.approx(0.9)
    assert flip_probability(repeats).value == pytest.approx((1 - np.sqrt(0.8)) / 2)
    # every two repeats of every item, counted one by one
    said = RNG.integers(0, 3, (4, 25)).tolist()
    pairs = [np.mean([a[k] == b[k] for a, b in combinations(said, 2)]) for k in range(25)]
    assert self_consistency(said).value == pytest.approx(np.mean(pairs))
    assert score_spread([[1.0, 2.0], [3.0, 2.0], [5.0, 2.0]]).value == pytest.approx((stats.tstd([1, 3, 5]) + 0) / 2)


def test_position_bias_without_noise_by_hand() -> None:
    # a is better throughout. Shown first: right in both repeats 8 times, wrong in both once, split once: accuracy 0.85,
    # p = 0.9, q = (1 - sqrt 0.8) / 2: (0.85 - q) / sqrt 0.8 = 0.35 / sqrt 0.8 + 1/2. Shown second: 6 of 10, no noise
    given = [["a"] * 8 + ["b", "a"], ["a"] * 8 + ["b", "b"]]
    swapped = [["a"] * 6 + ["b"] * 4] * 2
    found = position_bias_denoised(["a"] * 10, given, swapped).value
    assert found == pytest.approx(0.35 / np.sqrt(0.8) + 0.5 - 0.6)


def test_length_beyond_labels_by_hand() -> None:
    # cell 1: lengths ranked 1 3 2, scores 1 2 3; cell 2: 1 2 and 2 1. Less the mean ranks: lengths -1 1 0 -0.5 0.5,
    # scores -1 0 1 0.5 -0.5: ranks 1 5 3 2 4 and 1 3 5 4 2, squared distances 0 + 4 + 4 + 4 + 4: 1 - 6 * 16 / 120
    found = length_beyond_labels([1, 2, 3, 5, 4], [10, 30, 20, 1, 2], [1, 1, 1, 0, 0], ["q"] * 5)
    assert found.value == pytest.approx(0.2)
    lengths = RNG.integers(1, 90, 80)
    assert spearman(lengths, SCORES).value == pytest.approx(stats.spearmanr(SCORES, lengths)[0])


def test_residuals_by_hand_and_in_statsmodels() -> None:
    # centred within questions: scores -1 1 0 0, confound -0.5 0.5 -1 1: slope (0.5 + 0.5) / 2.5 = 0.4
    assert residual([1, 3, 2, 2], [[0, 1, 0, 2]], list("ppqq")) == pytest.approx([-0.8, 0.8, 0.4, -0.4])
    lengths = RNG.normal(size=80)
    dummies = (np.array(GROUPS)[:, None] == np.unique(GROUPS)).astype(float)
    fitted = sm.OLS(SCORES, np.column_stack([lengths, dummies])).fit()
    assert residual(SCORES, [lengths], GROUPS) == pytest.approx(fitted.resid.tolist())


def test_scores_within_questions_against_scikit_learn() -> None:
    two = [g for g in dict.fromkeys(GROUPS) if 0 < LABELS[np.array(GROUPS) == g].sum() < 5]
    inside = [np.array(GROUPS) == g for g in two]
    each = [average_precision_score(LABELS[m], SCORES[m]) for m in inside]
    assert within_question_auprc(LABELS, SCORES, GROUPS).value == pytest.approx(np.mean(each))
    less = np.array(centred(SCORES, GROUPS, labels=LABELS), dtype=float)
    held = np.isin(GROUPS, two)
    assert centred_auroc(LABELS, SCORES, GROUPS).value == pytest.approx(roc_auc_score(LABELS[held], less[held]))
    many = np.stack([SCORES, -SCORES], axis=1)
    found, names = auroc_by_question(LABELS, many, GROUPS)
    assert names == two
    areas = [[roc_auc_score(LABELS[m], many[m, c]) for c in (0, 1)] for m in inside]
    np.testing.assert_allclose(found, areas)


def test_errors_of_scores_by_hand_and_in_scikit_learn() -> None:
    assert brier([True, False], [0.8, 0.3]).value == pytest.approx((0.04 + 0.09) / 2)
    human, said = RNG.integers(1, 6, 30), RNG.random(30) * 4 + 1
    assert score_error(human, said).value == pytest.approx(mean_absolute_error(human, said))


def test_use_of_the_scale_against_scipy() -> None:
    grades = RNG.integers(1, 6, 50)
    counts = [int((grades == g).sum()) for g in range(1, 6)]
    assert grades_used(grades, scale=range(1, 6)).value == pytest.approx(np.exp(stats.entropy(counts)) / 5)


def test_systems_by_hand() -> None:
    # mean labels 1, 2, 3; mean scores 0.2, 0.7, 0.5: two pairs in order, one not: 1/3; ranks 1 3 2: 1 - 6 * 2 / 24
    labels, scores = [1, 1, 2, 2, 3, 3], [0.1, 0.3, 0.8, 0.6, 0.5, 0.5]
    assert system_ranking(labels, scores, list("aabbcc")).value == pytest.approx(1 / 3)
    assert system_ranking(labels, scores, list("aabbcc"), by="spearman").value == pytest.approx(0.5)
