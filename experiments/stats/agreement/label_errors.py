"""Labels that an ensemble of judges contradicts: ranked for a second look, and figures with and without them.

A label is one of several classes: right or wrong, the better of two responses, one of some options. Grades are not:
two people's grades differ by a step without either being an error; see :func:`.calibration.score_error` for those.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

from ....models.errors import InnerjudgeError
from ..statistic import Said, Values, finite, require_same_length

#: Probability of every class, which add up to 1.
Distribution = Mapping[Hashable, float]
Votes = Sequence[Distribution | None]
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspect:
    """The item at ``row``, whose ``label`` the ensemble of ``judges`` contradicts; ``confidence`` in ``instead``."""

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
    to an expert, no proof: the ensemble is also sure where all judges share a mistake. ``threshold`` is the least mean
    probability of the ensemble's label, from one half (which is not enough by itself).

    Source:
        "Are LLMs Better than Reported?" (arXiv 2410.18889): mean class probability of several judges; experts found 10
        to 40 % of labels wrong, and agreed with the ensemble more often the surer it was.
    """
    if not 0.5 <= threshold <= 1:
        raise InnerjudgeError(
            f"given the threshold {threshold}, expected 0.5 to 1: the ensemble must be on the other side"
        )
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


def repaired(labels: Said, flagged: Sequence[Suspect], *, how: str = "flip") -> list[Hashable | None]:
    """Labels with those of the suspects replaced by the ensemble's, or dropped (``None``). Others stay.

    Figures on repaired labels flatter the judges that did the repair: print them beside those on the given labels, and
    judge a judge by an ensemble without it.
    """
    if how not in ("flip", "drop"):
        raise InnerjudgeError(f'given how={how!r}, expected "flip" or "drop"')
    found = list(labels)
    for one in flagged:
        found[one.row] = one.instead if how == "flip" else None
    return found
