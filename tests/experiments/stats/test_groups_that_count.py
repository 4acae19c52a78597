"""Intervals and tests are as unsure as the questions that a figure rests on are few, not as all questions are."""

from __future__ import annotations

import numpy as np
from innerjudge.experiments.stats.agreement.confusion import cohen_kappa, p_criterion, percent_agreement, scott_pi
from innerjudge.experiments.stats.biases.confounds import over_scoring
from innerjudge.experiments.stats.intervals import cluster_interval, groups_that_count, p_value
from innerjudge.experiments.stats.metrics.accuracy import auroc, balanced_accuracy, within_question_auroc


def test_a_gap_between_groups_rests_on_the_smaller_one() -> None:
    rng = np.random.default_rng(0)
    labels, scores = np.zeros(40), rng.random(40)
    groups = list(range(40))
    one = over_scoring(labels, scores, [k == 0 for k in range(40)])
    found = cluster_interval(one, groups)
    assert (found.groups, found.low, found.reason) == (1, None, "no interval: it rests on one question")
    assert p_value(found) is None
    three = cluster_interval(over_scoring(labels, scores, [k < 3 for k in range(40)]), groups)
    assert three.groups == 3


def test_groups_of_few_questions_are_not_called_over_scored() -> None:
    """Null data: 20 groups of 2 questions each; without the count of the smaller side most studies claim some gap."""
    rng = np.random.default_rng(1)
    claims = 0
    for _ in range(40):
        scores = rng.normal(size=40)
        tests = [over_scoring(np.zeros(40), scores, [k // 2 == g for k in range(40)]) for g in range(20)]
        found = [cluster_interval(t, list(range(40))) for t in tests]
        p = [p_value(f) for f in found]
        claims += min(v for v in p if v is not None) * 20 < 0.05
    assert claims == 0


def test_agreement_beyond_chance_rests_on_the_items_with_another_grade() -> None:
    first, second = [1] * 6 + [0, 0], [1] * 6 + [0, 1]
    groups = list("ppqqrrst")  # another grade than the usual one is given in s and t only
    assert groups_that_count(groups, cohen_kappa(first, second)) == 2
    assert groups_that_count(groups, scott_pi(first, second)) == 2
    assert groups_that_count(groups, percent_agreement(first, second)) == 5


def test_either_class_counts_by_itself() -> None:
    labels, scores = [1, 0, 0, 0, 0, 0], [0.9, 0.1, 0.3, 0.2, 0.4, 0.5]
    groups = list("pqrstu")
    assert groups_that_count(groups, auroc(labels, scores)) == 1
    assert groups_that_count(groups, balanced_accuracy(labels, [s > 0.5 for s in scores])) == 1
    assert groups_that_count(groups, p_criterion(labels, [s > 0.35 for s in scores])) == 1
    assert groups_that_count(["p"] * 2 + ["q"] * 4, within_question_auroc(labels, scores, ["p"] * 2 + ["q"] * 4)) == 1
