"""Agreement: cases by hand, and the libraries that compute the same."""

from __future__ import annotations

import krippendorff
import numpy as np
import pandas as pd
import pingouin
import pytest
from innerjudge import InnerjudgeError
from innerjudge.experiments.stats.agreement.confusion import (
    cohen_kappa,
    p_criterion,
    p_lenient,
    percent_agreement,
    scott_pi,
)
from innerjudge.experiments.stats.agreement.juries import addition, replacement
from innerjudge.experiments.stats.agreement.reliability import icc3k, krippendorff_alpha
from innerjudge.experiments.stats.intervals import cluster_interval
from innerjudge.experiments.stats.metrics.correlation import system_ranking
from scipy import stats
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.inter_rater import aggregate_raters, cohens_kappa as sm_kappa, fleiss_kappa

RNG = np.random.default_rng(0)
FIRST = RNG.integers(1, 5, 60).tolist()
SECOND = [int(np.clip(v + RNG.integers(-1, 2), 1, 4)) for v in FIRST]
THIRD = [int(np.clip(v + RNG.integers(-2, 2), 1, 4)) for v in FIRST]


def resampled_by_hand(made, build, columns) -> None:
    """The statistic's word on a resample is the statistic of the repeated rows."""
    n = len(columns[0])
    counts = np.random.default_rng(1).multinomial(n, np.full(n, 1 / n), size=8).astype(float)
    for weights, value in zip(counts, made.over(counts), strict=True):
        rows = np.repeat(np.arange(len(weights)), weights.astype(int))
        again = build(*[[c[k] for k in rows] for c in columns])
        assert value == pytest.approx(again.value, abs=1e-9)


def test_scott_pi_by_hand() -> None:
    # 10 items: both yes 6, both no 2, yes-no 1, no-yes 1. P_o = 0.8; yes: (7 + 7) / 20 = 0.7; P_e = 0.49 + 0.09 = 0.58
    a, b = [1] * 6 + [0] * 2 + [1, 0], [1] * 6 + [0] * 2 + [0, 1]
    assert scott_pi(a, b).value == pytest.approx((0.8 - 0.58) / 0.42)
    assert percent_agreement(a, b).value == 0.8


def test_scott_pi_is_fleiss_kappa_of_two_raters() -> None:
    table, _ = aggregate_raters(np.array([FIRST, SECOND]).T)
    assert scott_pi(FIRST, SECOND).value == pytest.approx(fleiss_kappa(table))
    resampled_by_hand(scott_pi(FIRST, SECOND), scott_pi, (FIRST, SECOND))


def test_scott_pi_of_one_grade_is_undefined() -> None:
    assert scott_pi([1, 1], [1, 1]).reason == "all grades are the same"
    assert scott_pi([None, 1], [1, None]).reason == "no item is graded by both"


@pytest.mark.parametrize("weights", ["plain", "linear", "quadratic"])
def test_cohen_kappa(weights: str) -> None:
    kind = None if weights == "plain" else weights
    made = cohen_kappa(FIRST, SECOND, weights=weights)
    assert made.value == pytest.approx(cohen_kappa_score(FIRST, SECOND, weights=kind))
    counts = np.zeros((4, 4))
    np.add.at(counts, (np.array(FIRST) - 1, np.array(SECOND) - 1), 1)
    library = sm_kappa(counts, wt=None if kind is None else ("toeplitz" if weights == "linear" else "quadratic"),
                       weights=np.arange(4) if weights == "linear" else None, return_results=False)  # fmt: skip
    if weights != "linear":
        assert made.value == pytest.approx(library)
    resampled_by_hand(made, lambda a, b: cohen_kappa(a, b, weights=weights), (FIRST, SECOND))


def test_weighted_kappa_by_hand() -> None:
    # grades 1, 2, 3; pairs (1,1) (1,2) (3,3) (2,3): observed linear cost 0 + 1 + 0 + 1 = 2 of 4
    # rows: 1 twice, 2 once, 3 once; columns: 1 once, 2 once, 3 twice
    # expected cost: (2*(0+1+2*2) + 1*(1+0+2*1) + 1*(2+1+0)) / 16 = (10 + 3 + 3) / 16 = 1; kappa = 1 - (2/4) / 1
    assert cohen_kappa([1, 1, 3, 2], [1, 2, 3, 3], weights="linear").value == pytest.approx(0.5)
    # quadratic: observed 2/4; expected (2*(0+1+4*2) + (1+0+1*2) + (4+1+0)) / 16 = (18 + 3 + 5) / 16
    assert cohen_kappa([1, 1, 3, 2], [1, 2, 3, 3], weights="quadratic").value == pytest.approx(1 - 0.5 / (26 / 16))


def test_a_grade_that_nobody_gave_is_a_step_of_the_scale() -> None:
    first, second = [1, 1, 2, 4, 4], [1, 2, 2, 4, 1]
    for weights in ("linear", "quadratic"):
        made = cohen_kappa(first, second, weights=weights, scale=(1, 2, 3, 4))
        assert made.value == pytest.approx(cohen_kappa_score(first, second, weights=weights, labels=[1, 2, 3, 4]))
        assert made.value != pytest.approx(cohen_kappa(first, second, weights=weights).value)
        resampled_by_hand(made, lambda a, b, w=weights: cohen_kappa(a, b, weights=w, scale=(1, 2, 3, 4)),
                          (first, second))  # fmt: skip


def test_kappa_refuses_words_with_weights() -> None:
    with pytest.raises(InnerjudgeError, match="use plain"):
        cohen_kappa(["good", "bad"], ["good", "good"], weights="linear")


@pytest.mark.parametrize("level", ["nominal", "ordinal", "interval"])
@pytest.mark.parametrize("continuous", [False, True])
def test_krippendorff_alpha_against_its_library_and_on_resamples(level: str, continuous: bool) -> None:
    jitter = RNG.normal(size=(3, 60)) if continuous else np.zeros((3, 60))
    columns = [(np.array(c) + j).tolist() for c, j in zip((FIRST, SECOND, THIRD), jitter, strict=True)]
    columns[2] = [None if k % 7 == 3 else v for k, v in enumerate(columns[2])]
    columns[1][5] = columns[2][5] = None  # one grade alone does not count
    made = krippendorff_alpha(columns, level=level)
    data = np.array([[np.nan if v is None else v for v in c] for c in columns])
    assert made.value == pytest.approx(krippendorff.alpha(reliability_data=data, level_of_measurement=level))
    assert made.n == 59
    resampled_by_hand(made, lambda *c: krippendorff_alpha(c, level=level), columns)


def test_krippendorff_alpha_by_hand() -> None:
    # two raters, items (0,0) (1,1) (0,1): n = 6 grades, three 0 and three 1.
    # nominal: D_o = 2 mismatched ordered pairs / 6; D_e = 2 * 3 * 3 / (6 * 5) = 18/30; alpha = 1 - (1/3) / (3/5) = 4/9
    assert krippendorff_alpha([[0, 1, 0], [0, 1, 1]], level="nominal").value == pytest.approx(4 / 9)
    assert krippendorff_alpha([[0, 1, 0], [0, 1, 1]], level="interval").value == pytest.approx(4 / 9)
    assert krippendorff_alpha([[1, 1], [1, 1]]).reason == "all grades are the same"


def test_alpha_of_two_raters_tends_to_pi() -> None:
    many, other = FIRST * 40, SECOND * 40
    assert krippendorff_alpha([many, other], level="nominal").value == pytest.approx(
        scott_pi(many, other).value, abs=1e-3
    )


@pytest.mark.parametrize("z_score", [False, True])
def test_icc_against_pingouin(z_score: bool) -> None:
    columns = [FIRST, SECOND, THIRD]
    given = [stats.zscore(c, ddof=1) for c in columns] if z_score else columns
    frame = pd.DataFrame(
        [{"item": k, "rater": r, "grade": float(v)} for r, c in enumerate(given) for k, v in enumerate(c)]
    )
    table = pingouin.intraclass_corr(frame, targets="item", raters="rater", ratings="grade").set_index("Type")
    row = table.loc[next(t for t in table.index if t.replace(" ", "") in ("ICC3k", "ICC(C,k)"))]
    assert icc3k(columns, z_score=z_score).value == pytest.approx(row["ICC"])
    resampled_by_hand(icc3k(columns, z_score=z_score), lambda *c: icc3k(c, z_score=z_score), columns)


def test_icc_edges() -> None:
    assert icc3k([[1, 2]]).reason == "2 items graded by all of 1 raters, fewer than 2"
    for equal in (1, 0.1):  # the mean of .1, .1 and .1 is .10000000000000002: rounding leaves no difference
        found = icc3k([[equal] * 3, [1, 2, 3]], z_score=True)
        assert found.reason == "the items, or the grades of a rater, do not differ"
    assert icc3k([[1, 2, None], [1, 2, 3]]).n == 2


def test_leniency_model_by_hand() -> None:
    # 5 right of which 4 called right, 5 wrong of which 3 called wrong: s = 0.5, t_P = 0.4, t_N = 0.3
    labels = [True] * 5 + [False] * 5
    said = [True] * 4 + [False] + [False] * 3 + [True] * 2
    p_c = 0.4 / 0.5 + 0.3 / 0.5 - 1
    assert p_criterion(labels, said).value == pytest.approx(p_c)
    assert p_lenient(labels, said).value == pytest.approx((1 - 0.3 / 0.5) / (1 - p_c))
    assert p_lenient(labels, labels).reason == "P_+: the judge is always right"
    assert p_criterion([True, True], [True, False]).reason == "P_c: the labels are of one class"


def test_leniency_model_finds_what_was_planted() -> None:
    rng = np.random.default_rng(5)
    labels = rng.random(4000) < 0.6
    applies, lenient = rng.random(4000) < 0.7, rng.random(4000) < 0.8
    said = np.where(applies, labels, lenient)
    groups = list(range(4000))
    for made, planted in ((p_criterion(labels, said), 0.7), (p_lenient(labels, said), 0.8)):
        found = cluster_interval(made, groups)
        assert found.low < planted < found.high


def test_systems_against_scipy() -> None:
    systems = [f"s{k % 5}" for k in range(60)]
    scores = [v + 0.1 * k for k, v in enumerate(SECOND)]
    label = [np.mean([v for v, s in zip(FIRST, systems, strict=True) if s == name]) for name in sorted(set(systems))]
    score = [np.mean([v for v, s in zip(scores, systems, strict=True) if s == name]) for name in sorted(set(systems))]
    assert system_ranking(FIRST, scores, systems).value == pytest.approx(stats.kendalltau(label, score)[0])
    assert system_ranking(FIRST, scores, systems, by="spearman").value == pytest.approx(
        stats.spearmanr(label, score)[0]
    )
    for by in ("kendall", "spearman"):
        made = system_ranking(FIRST, scores, systems, by=by)
        resampled_by_hand(made, lambda a, b, s, by=by: system_ranking(a, b, s, by=by), (FIRST, scores, systems))


def test_a_judge_can_rank_systems_and_not_items() -> None:
    rng = np.random.default_rng(1)
    systems = np.repeat(np.arange(6), 200)
    labels = rng.normal(size=1200) + 0.3 * systems
    scores = rng.normal(size=1200) + 0.3 * systems  # knows the system, nothing of the item
    assert system_ranking(labels, scores, systems.tolist()).value > 0.8
    assert abs(stats.spearmanr(labels - 0.3 * systems, scores)[0]) < 0.1


def test_replacement_by_hand() -> None:
    people, judge = [[0, 1, 0], [0, 1, 1]], [0, 1, 0]
    # alpha of the two people is 4/9 (above). In person 1's place: the same columns, 4/9; in person 2's: 1
    assert replacement(people, judge, level="nominal").value == pytest.approx((4 / 9 + 1) / 2 - 4 / 9)


def test_a_judge_that_is_like_people_replaces_them_without_loss() -> None:
    rng = np.random.default_rng(2)
    truth = rng.integers(1, 6, 400)
    raters = [np.clip(truth + rng.integers(-1, 2, 400), 1, 5).tolist() for _ in range(4)]
    same = cluster_interval(replacement(raters[:3], raters[3]), list(range(400)))
    assert same.low < 0 < same.high
    noise = cluster_interval(replacement(raters[:3], rng.integers(1, 6, 400).tolist()), list(range(400)))
    assert noise.high < -0.1


def test_addition_by_hand() -> None:
    people = [[1], [1], [0]]  # the vote is 1
    # m = 2: {1,1} right, {1,0} twice a tie: (1 + 1/2 + 1/2) / 3 = 2/3. With a judge that says 1: all right.
    assert addition(people, [1], m=2).value == pytest.approx(1 / 3)
    # with a judge that says 0: {1,1,0} right, {1,0,0} wrong twice: 1/3 - 2/3
    assert addition(people, [0], m=2).value == pytest.approx(-1 / 3)
    assert addition([[1], [0]], [1], m=1).reason.startswith("no item has a panel")
    with pytest.raises(InnerjudgeError, match="expected 1 to 3"):
        addition(people, [1], m=4)


def test_ordinal_alpha_where_raters_missed_items() -> None:
    rng = np.random.default_rng(3)
    part = rng.integers(1, 6, (4, 30)).astype(float)
    part[rng.random(part.shape) < 0.2] = np.nan
    part[:2] = rng.integers(1, 6, (2, 30))  # every item keeps two grades
    columns = [[None if np.isnan(v) else v for v in column] for column in part]
    made = krippendorff_alpha(columns, level="ordinal")
    assert made.value == pytest.approx(krippendorff.alpha(part, level_of_measurement="ordinal"))
    resampled_by_hand(made, lambda *c: krippendorff_alpha(c, level="ordinal"), columns)


@pytest.mark.parametrize("z_score", [True, False])
def test_icc_with_one_item_far_out(z_score: bool) -> None:
    """Also where sums would cancel: one item far out that some resamples lack; one item alone is undefined."""
    rng = np.random.default_rng(4)
    x = rng.normal(size=(20, 3)) + rng.normal(size=(20, 1))
    x[0] = 1e7
    weights = rng.multinomial(20, np.full(20, 1 / 20), size=40).astype(float)
    weights[-1] = np.eye(20)[3] * 20
    found = icc3k(x.T.tolist(), z_score=z_score).over(weights)
    rows = [np.repeat(np.arange(20), row.astype(int)) for row in weights[:-1]]
    expected = [icc3k(x[some].T.tolist(), z_score=z_score).value for some in rows]
    np.testing.assert_allclose(found[:-1], expected, rtol=1e-7)
    assert np.isnan(found[-1])
    assert (weights[:, 0] == 0).any()
