"""Several judges as one (mean, votes, exam weights), and a judge among people: in place of one, or as one more."""

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from itertools import combinations
from statistics import multimode

import numpy as np
from scipy.special import logit

from ....models.errors import InnerjudgeError
from ..statistic import SIGNED, Said, Statistic, Values, combine, finite, mean, require_same_length
from .reliability import Level, krippendorff_alpha


def mean_jury(scores: Sequence[Values], *, weights: Sequence[float] | None = None) -> list[float | None]:
    """Weighted mean of the jurors' scores; jurors without one are skipped, an item without any stays ``None``.

    ``scores``: one column a juror; ``weights``: one a juror, by default all 1.

    Source:
        The plain mean jury of MedHELM (arXiv 2505.23802).
    """
    share = _weights(scores, weights)
    x = np.stack([finite(column) for column in scores])
    held = np.where(np.isnan(x), 0.0, share[:, None])
    total, summed = held.sum(axis=0), (held * np.where(np.isnan(x), 0.0, x)).sum(axis=0)
    return [float(s / t) if t > 0 else None for s, t in zip(summed, total, strict=True)]


def weighted_vote(verdicts: Sequence[Said], *, weights: Sequence[float] | None = None) -> list[Hashable | None]:
    """The verdict with the most weight behind it; ``None`` where two are level or nobody has a verdict."""
    share = _weights(verdicts, weights)
    found: list[Hashable | None] = []
    for said in zip(*verdicts, strict=True):
        counts: dict[Hashable, float] = defaultdict(float)
        for verdict, weight in zip(said, share, strict=True):
            if verdict is not None and weight > 0:
                counts[verdict] += weight
        best = [v for v, n in counts.items() if n >= max(counts.values()) - 1e-12]
        found.append(best[0] if len(best) == 1 else None)
    return found


def exam_weights(exam: Mapping[str, float], *, passing: float = 0.6) -> dict[str, float]:
    r"""Weights of the jurors that pass an exam, by the log-odds of their share right in it; they sum to 1.

    Take the exam on a split of its own: weights from the reported items are chosen on what they are reported on. At a
    share of 1 the log-odds are infinite, and those of 0.999 are taken; at or below one half they are not above 0, and
    the juror gets no weight, as in the release. It is an error if nobody passes.

    Source:
        PRE, peer review (arXiv 2401.15641), qualification exam and weights.
    """
    if odd := {k: p for k, p in exam.items() if not 0 <= p <= 1}:
        raise InnerjudgeError(f"given exam scores {odd}, expected shares from 0 to 1")
    weights = {k: max(float(logit(np.clip(p, 0.001, 0.999))), 0.0) for k, p in exam.items() if p >= passing}
    total = sum(weights.values())
    if not total > 0:
        raise InnerjudgeError.of("stats.none-passes", dict(exam), passing)
    return {k: w / total for k, w in weights.items()}


def _weights(columns: Sequence[Sequence[object] | Values], weights: Sequence[float] | None) -> np.ndarray:
    require_same_length(**{f"juror {k}": column for k, column in enumerate(columns, start=1)})
    share = np.ones(len(columns)) if weights is None else np.asarray(weights, dtype=np.float64)
    if not len(columns) or share.shape != (len(columns),) or (share < 0).any() or not np.isfinite(share).all():
        raise InnerjudgeError.of("stats.jurors", len(columns), weights)
    return share


#: Most people of whom all subsets are looked at.
MOST_RATERS = 12


def replacement(people: Sequence[Values], judge: Values, *, level: Level = "ordinal") -> Statistic:
    """Change of Krippendorff's alpha when the judge takes the place of one person, mean over the persons.

    0 means that the judge agrees with the others as the person whom it replaces did; below 0 it agrees less. The judge
    takes the place on the items that the person graded (``None``: not graded).

    Source:
        ACORN (arXiv 2405.04818): one human rating at random is dropped for the judge's, and agreement computed anew.
    """
    require_same_length(**{f"person {k}": c for k, c in enumerate(people, start=1)}, judge=judge)
    before = krippendorff_alpha(people, level=level)
    after = []
    for k, person in enumerate(people):
        taken = [None if grade is None else own for grade, own in zip(person, judge, strict=True)]
        after.append(krippendorff_alpha([*people[:k], taken, *people[k + 1 :]], level=level))
    return combine([before, *after], lambda first, *rest: sum(rest) / len(rest) - first, limits=(-2.0, 2.0))


def addition(people: Sequence[Said], judge: Said, *, m: int) -> Statistic:
    """Gain in agreement with the whole panel's vote when the judge joins ``m`` of the people.

    For every item and every ``m`` of its people: whether their majority (ties count their share) is the majority of all
    people, without the judge and with it. Items whose panel is tied, with fewer than ``m`` people or without a grade of
    the judge are left out. The ``m`` belong to the panel, as in the source: with ``m`` equal to the panel the judge can
    only spoil the vote.

    Source:
        ACORN (arXiv 2405.04818), where an additional rater helped only at ``m = 2``.
    """
    require_same_length(**{f"person {k}": c for k, c in enumerate(people, start=1)}, judge=judge)
    if not 1 <= m <= len(people) <= MOST_RATERS:
        raise InnerjudgeError.of("stats.people", m, len(people), MOST_RATERS)
    gain = np.full(len(judge), np.nan)
    for k, own in enumerate(judge):
        given = [column[k] for column in people if column[k] is not None]
        best = multimode(given)
        if own is None or len(given) < m or len(best) != 1:
            continue
        chosen = [list(some) for some in combinations(given, m)]
        gain[k] = np.mean([_share([*some, own], best[0]) - _share(some, best[0]) for some in chosen])
    reason = "no item has a panel with one vote, enough people and a grade of the judge"
    return mean(gain, reason=reason, limits=SIGNED)


def _share(grades: Sequence[Hashable], gold: Hashable) -> float:
    """1 where the vote is ``gold``, its share where it ties, else 0."""
    best = multimode(grades)
    return (gold in best) / len(best)
