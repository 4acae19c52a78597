"""Two raters side by side: chance-corrected agreement from their table of counts, and the leniency of one of them.

Also labels that are probably wrong, where a label is one of several classes (right or wrong, the better response, an
option). Two people's grades may differ by a step with no error: for those see :func:`.calibration.score_error`.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from sklearn.metrics import cohen_kappa_score

from ....models.errors import InnerjudgeError
from .. import statistic
from ..statistic import SHARE, SIGNED, Floats, Labels, Limits, Said, Statistic, Values, finite, require_same_length

Weighting = Literal["plain", "linear", "quadratic"]


def percent_agreement(first: Said, second: Said) -> Statistic:
    """Share of items that two raters grade alike. Above 90 % it can hide a gap of ten points; see :func:`scott_pi`."""
    statistic.require_same_length(first=first, second=second)
    same = [None if a is None or b is None else a == b for a, b in zip(first, second, strict=True)]
    return statistic.mean(statistic.finite(same), reason="no item is graded by both", limits=SHARE)


def scott_pi(first: Said, second: Said) -> Statistic:
    r"""Scott's pi of two raters over nominal grades: :math:`(P_o - P_e)/(1 - P_e)`.

    :math:`P_e = \sum_c ((n_{c1} + n_{c2}) / 2N)^2`: both raters are assumed to draw from one distribution. Items that
    one of them left ungraded (``None``) are left out. Undefined where all grades are the same.

    Source:
        Scott 1955; the agreement of "Judging the Judges" (arXiv 2406.12624), which moved to it from Cohen's kappa.
    """

    def pi(counts: Floats) -> Floats:
        n = counts.sum(axis=(1, 2))
        expected = (statistic.divide(counts.sum(axis=1) + counts.sum(axis=2), 2 * n[:, None]) ** 2).sum(axis=1)
        return statistic.divide(statistic.divide(np.einsum("rcc->r", counts), n) - expected, _rest(expected))

    return _from_counts(first, second, _codes(first, second), pi, None)


def cohen_kappa(
    first: Said, second: Said, *, weights: Weighting = "plain", scale: Sequence[Hashable] | None = None
) -> Statistic:
    """Cohen's kappa of two raters, each with its own distribution of grades; undefined where both give one grade only.

    ``weights``: ``"plain"`` counts any difference the same; ``"linear"`` and ``"quadratic"`` go by the distance between
    the *places* of two grades in rising order (numbers only) among those of ``scale``, by default those that were
    given: a grade in the middle that nobody gave counts as a step only where it is named there.
    """
    if weights not in ("plain", "linear", "quadratic"):
        raise InnerjudgeError(f'given weights={weights!r}, expected "plain", "linear" or "quadratic"')
    grades = _codes(first, second, scale or ())
    if weights != "plain" and not all(isinstance(g, int | float) for g in grades):
        raise InnerjudgeError(f"given grades {list(grades)[:4]} with {weights} weights, expected numbers: use plain")
    place = np.arange(len(grades))
    distance = np.abs(place[:, None] - place).astype(np.float64)
    cost = {"plain": (distance > 0).astype(np.float64), "linear": distance, "quadratic": distance**2}[weights]

    def kappa(counts: Floats) -> Floats:
        n = counts.sum(axis=(1, 2))
        expected = np.einsum("ra,rb,ab->r", counts.sum(axis=2), counts.sum(axis=1), cost)
        return 1 - statistic.divide(np.einsum("rab,ab->r", counts, cost) * n, expected)

    kind, places = None if weights == "plain" else weights, list(range(len(grades)))
    exact = lambda a, b: float(cohen_kappa_score(a, b, weights=kind, labels=places))  # noqa: E731
    return _from_counts(first, second, grades, kappa, exact)


def p_criterion(labels: Labels, verdicts: Labels) -> Statistic:
    """How often a judge applies the criterion, by the leniency model: :math:`P_c = TPR + TNR - 1`.

    The judge is assumed to apply the criterion with probability :math:`P_c` and else to say "right" with probability
    :math:`P_+` (:func:`p_lenient`). Undefined with one class of labels.

    Source:
        "Judging the Judges" (arXiv 2406.12624), leniency bias.
    """
    return _leniency(labels, verdicts, lambda tpr, tnr: tpr + tnr - 1, "P_c", SIGNED)


def p_lenient(labels: Labels, verdicts: Labels) -> Statistic:
    """How often a judge that does not apply the criterion says "right": :math:`P_+ = (1 - TNR) / (1 - P_c)`.

    One half is neutral, 1 is lenient, 0 is harsh. Undefined for a judge that is always right (:math:`P_c = 1`).
    """
    return _leniency(labels, verdicts, lambda tpr, tnr: statistic.divide(1 - tnr, _rest(tpr + tnr - 1)), "P_+", SHARE)


def _leniency(
    labels: Labels, verdicts: Labels, of: Callable[[Floats, Floats], Floats], name: str, limits: Limits
) -> Statistic:
    statistic.require_same_length(labels=labels, verdicts=verdicts)
    truth, said = statistic.finite(labels), statistic.finite(verdicts)
    known = ~np.isnan(truth) & ~np.isnan(said)
    masks = [(known & (truth == side)).astype(np.float64) for side in (1.0, 0.0)]
    hit = (truth == said).astype(np.float64)

    def over(weights: Floats) -> Floats:
        tpr, tnr = (statistic.divide(weights @ (mask * hit), weights @ mask) for mask in masks)
        return of(tpr, tnr)

    value, n = float(over(np.ones((1, len(truth))))[0]), int(known.sum())
    if np.isnan(value):
        one = "the labels are of one class" if not all(m.any() for m in masks) else "the judge is always right"
        return statistic.undefined(f"{name}: {one}", n=n, size=len(truth))
    counts = tuple(mask > 0 for mask in masks)
    return Statistic(value=value, n=n, size=len(truth), counts=counts, limits=limits, over=over)


def _codes(first: Said, second: Said, scale: Sequence[Hashable] = ()) -> dict[Hashable, int]:
    """A number for each grade, of the scale or given, in rising order where they can be ordered."""
    statistic.require_same_length(first=first, second=second)
    given = (g for pair in zip(first, second, strict=True) if None not in pair for g in pair)
    grades = list(dict.fromkeys([*scale, *given]))
    numbers = all(isinstance(g, int | float) for g in grades)
    return {g: k for k, g in enumerate(sorted(grades, key=lambda g: g if numbers else str(g)))}  # type: ignore[arg-type,return-value]


def _from_counts(
    first: Said,
    second: Said,
    codes: dict[Hashable, int],
    of: Callable[[Floats], Floats],
    exact: Callable[[npt.NDArray[np.intp], npt.NDArray[np.intp]], float] | None,
) -> Statistic:
    """A function of the tables of counts ``[R, C, C]`` as a statistic; ``exact`` is a library's word on the data."""
    size, c = len(first), len(codes)
    kept = [k for k in range(size) if first[k] is not None and second[k] is not None]
    if not kept:
        return statistic.undefined("no item is graded by both", n=0, size=size)
    a = np.array([codes[first[k]] for k in kept], dtype=np.intp)
    b = np.array([codes[second[k]] for k in kept], dtype=np.intp)
    cells = np.zeros((len(kept), c * c))
    cells[np.arange(len(kept)), a * c + b] = 1.0

    def over(weights: Floats) -> Floats:
        return of((weights[:, kept] @ cells).reshape(len(weights), c, c))

    mine = float(over(np.ones((1, size)))[0])
    if np.isnan(mine):
        return statistic.undefined("all grades are the same", n=len(kept), size=size)
    # Where one grade is given to nearly all, agreement beyond chance rests on the few items with another.
    usual = np.bincount(np.concatenate([a, b])).argmax()
    counts = (statistic.where(np.array(kept)[(a != usual) | (b != usual)], size),)
    value = exact(a, b) if exact else mine
    return Statistic(value=value, n=len(kept), size=size, counts=counts, limits=SIGNED, over=over)


def _rest(share: Floats) -> Floats:
    """``1 - share``, exactly 0 where it is 0 but for rounding."""
    rest = 1 - share
    return np.where(np.abs(rest) < 1e-12, 0.0, rest)


#: Probability of every class, which add up to 1.
Distribution = Mapping[Hashable, float]
Votes = Sequence[Distribution | None]
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspect:
    """The item at ``row``, whose ``label`` the ``judges`` together contradict with ``confidence`` in ``instead``."""

    row: int
    label: Hashable
    instead: Hashable
    confidence: float
    judges: int


def right_or_wrong(probabilities: Values, *, classes: tuple[Hashable, Hashable] = (True, False)) -> Votes:
    """Votes between two classes from the probability of the first; no vote where it is ``None``."""
    return one_of([None if v is None else classes[0] for v in probabilities], probabilities, options=classes)


def one_of(verdicts: Said, probabilities: Values, *, options: Sequence[Hashable]) -> Votes:
    """Votes between options from a verdict and the probability that it is right; the others share the rest alike.

    A probability outside 0 to 1, a verdict that is none of the options, or fewer than two of these are an error.
    """
    require_same_length(verdicts=verdicts, probabilities=probabilities)
    if len(set(options)) < 2:
        raise InnerjudgeError(f"given the options {list(options)}, expected two at least to choose from")
    found: list[Distribution | None] = []
    for verdict, p in zip(verdicts, finite(probabilities).tolist(), strict=True):
        if verdict is None or p != p:  # NaN
            found.append(None)
            continue
        if not 0 <= p <= 1:
            raise InnerjudgeError("given scores outside 0 to 1, expected probabilities: calibrate the judges first")
        if verdict not in options:
            raise InnerjudgeError(f"given the verdict {verdict!r}, expected one of {list(options)}: name all options")
        rest = (1 - p) / (len(options) - 1)
        found.append({option: p if option == verdict else rest for option in options})
    return found


def ensemble(judges: Sequence[Votes]) -> list[Distribution | None]:
    """Mean probability of every class over the judges that have a vote on an item."""
    require_same_length(**{f"judge {k}": votes for k, votes in enumerate(judges, start=1)})
    found: list[Distribution | None] = []
    for each in zip(*judges, strict=True):
        given = [vote for vote in each if vote is not None]
        classes = dict.fromkeys(c for vote in given for c in vote)
        found.append({c: sum(v.get(c, 0.0) for v in given) / len(given) for c in classes} if given else None)
    return found


def suspects(labels: Said, judges: Sequence[Votes], *, threshold: float = 0.8) -> list[Suspect]:
    """Items whose label the ensemble contradicts with at least ``threshold``, the surest first.

    The judges should not have been fitted on these items, and should be calibrated on others. A suspect is a question
    for an expert, not a proof: the ensemble is also sure where all judges share a mistake. ``threshold`` is the least
    mean probability of the ensemble's label, from one half (which is not enough by itself).

    Source:
        "Are LLMs Better than Reported?" (arXiv 2410.18889): mean class probability of several judges; experts found 10
        to 40 % of labels wrong, and agreed with the ensemble more often the surer it was.
    """
    if not 0.5 <= threshold <= 1:
        raise InnerjudgeError.of("stats.threshold", threshold)
    mean = ensemble(judges)
    require_same_length(labels=labels, votes=mean)
    found = []
    for row, (label, vote) in enumerate(zip(labels, mean, strict=True)):
        if label is None or label != label or vote is None:  # NaN is no label
            continue
        best = max(vote, key=lambda c: vote[c])
        confidence = round(vote[best], 12)
        if best != label and confidence >= threshold - _ROUNDING and confidence > 0.5:
            count = sum(votes[row] is not None for votes in judges)
            found.append(Suspect(row=row, label=label, instead=best, confidence=confidence, judges=count))
    return sorted(found, key=lambda s: (-s.confidence, s.row))


def repaired(labels: Said, flagged: Sequence[Suspect]) -> list[Hashable | None]:
    """Labels with those of the suspects replaced by the ensemble's. Others stay.

    Figures on repaired labels flatter the judges that did the repair: print them beside those on the given labels, and
    judge a judge by an ensemble without it.
    """
    instead = {one.row: one.instead for one in flagged}
    return [instead.get(row, label) for row, label in enumerate(labels)]
