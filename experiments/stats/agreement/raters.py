"""A judge among people: put in the place of one of them, or added to them (ACORN)."""

from collections import Counter
from collections.abc import Hashable, Sequence
from itertools import combinations

import numpy as np

from ....models.errors import InnerjudgeError
from ..statistic import SIGNED, Statistic, Values, combine, ratio, require_same_length
from .confusion import Grades
from .krippendorff_alpha import Level, krippendorff_alpha

#: Most people of whom all subsets are looked at.
MOST_RATERS = 12


def replacement(people: Sequence[Values], judge: Values, *, level: Level = "ordinal") -> Statistic:
    """Change of Krippendorff's alpha when the judge takes the place of one person, mean over the persons.

    0 means that the judge agrees with the others as the person whom it replaces did; below 0 it agrees less. The judge
    takes the place on the items that the person graded.

    Args:
        people: One column a person, ``None`` where there is no grade.
        judge: The judge's grades, on the same scale.
        level: See :func:`krippendorff_alpha`.

    Source:
        ACORN (arXiv 2405.04818): one human rating at random is dropped for the judge's, and agreement computed anew.

    Example:
        >>> people = [[1, 2, 3, 4], [1, 2, 3, 4]]
        >>> replacement(people, [1, 2, 3, 4]).value, round(replacement(people, [4, 3, 2, 1]).value, 3) < 0
        (0.0, True)
    """
    require_same_length(**{f"person {k}": c for k, c in enumerate(people, start=1)}, judge=judge)
    before = krippendorff_alpha(people, level=level)
    after = [krippendorff_alpha(_with(people, k, judge), level=level) for k in range(len(people))]
    return combine([before, *after], lambda first, *rest: sum(rest) / len(rest) - first, limits=(-2.0, 2.0))


def addition(people: Sequence[Grades], judge: Grades, *, m: int) -> Statistic:
    """Gain in agreement with the whole panel's vote when the judge joins ``m`` of the people.

    For every item and every ``m`` of its people: does their majority (ties count their share) give the majority of all
    people, without the judge and with it. Items whose panel is tied, with fewer than ``m`` people or without a grade of
    the judge are left out. The ``m`` belong to the panel, as in the source: with ``m`` equal to the panel the judge can
    only spoil the vote.

    Source:
        ACORN (arXiv 2405.04818), where an additional rater helped only at ``m = 2``.

    Example:
        >>> people = [[1, 1], [1, 1], [0, 1]]  # three people, two items; the vote is 1 and 1
        >>> round(addition(people, [1, 1], m=1).value, 4)  # item 1: 2/3 without; with: 1, 1 and a tie's half: 5/6
        0.0833
    """
    require_same_length(**{f"person {k}": c for k, c in enumerate(people, start=1)}, judge=judge)
    if not 1 <= m <= len(people) <= MOST_RATERS:
        raise InnerjudgeError(
            f"given m={m} of {len(people)} people, expected 1 to {len(people)}, at most {MOST_RATERS}"
        )
    gain, counted = np.zeros(len(judge)), np.zeros(len(judge))
    for k, own in enumerate(judge):
        given = [column[k] for column in people if column[k] is not None]
        best = _winners(given)
        if own is None or len(given) < m or len(best) != 1:
            continue
        chosen = [list(some) for some in combinations(given, m)]
        counted[k] = 1.0
        gain[k] = np.mean([_share([*some, own], best[0]) - _share(some, best[0]) for some in chosen])
    reason = "no item has a panel with one vote, enough people and a grade of the judge"
    return ratio(gain, counted, reason=reason, limits=SIGNED)


def vote(grades: Sequence[Hashable | None]) -> Hashable | None:
    """The grade given most often; ``None`` where two are level or none is given.

    Example:
        >>> vote([3, 3, None, 1]), vote([1, 2])
        (3, None)
    """
    best = _winners([g for g in grades if g is not None])
    return best[0] if len(best) == 1 else None


def _with(people: Sequence[Values], place: int, judge: Values) -> list[Values]:
    taken = [None if person is None else grade for person, grade in zip(people[place], judge, strict=True)]
    return [taken if k == place else column for k, column in enumerate(people)]


def _winners(grades: Sequence[Hashable]) -> list[Hashable]:
    counts = Counter(grades)
    return [g for g, n in counts.items() if n == max(counts.values())]


def _share(grades: Sequence[Hashable], gold: Hashable) -> float:
    """1 where the vote is ``gold``, its share where it ties, else 0."""
    best = _winners(grades)
    return (gold in best) / len(best)
