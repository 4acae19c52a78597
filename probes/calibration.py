"""Thresholds with a promise, found on questions that no fit has seen."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import numpy.typing as npt

from ..models.arguments import checked
from ..models.errors import InnerjudgeError
from .promise import Promise, certainty, never
from .risk import Bound, RiskName, Scored, few_wrong_kept, highest_below, lowest_above

if TYPE_CHECKING:
    from .judge import Verdict

#: Share of the questions that only choose the thresholds to test, where the risk is not monotone.
PILOT = 0.25
_COUNTED = {
    "lost good answers": "questions with a good answer",
    "passed bad answers": "questions with a bad answer",
    "kept and wrong": "questions",
    "wrong among kept": "questions with a kept verdict",
}


@checked
def calibrate(
    scores: Any,
    labels: Any,
    groups: Sequence[str],
    *,
    risk: RiskName,
    level: float = 0.05,
    confidence: float | None = 0.95,
    seed: int = 0,
) -> Promise:
    """Find the threshold that keeps a risk, from items of questions that no fit has seen.

    The unit is the question: each gives one loss in [0, 1], and the promise is about the mean loss of questions drawn
    like these. Answers to one question depend on each other, so that as many answers to fewer questions promise less.

    ==================== =============================================== =========================================
    risk                 loss of a question                              threshold
    ==================== =============================================== =========================================
    lost good answers    share of its good answers below the threshold   the highest that keeps it
    passed bad answers   share of its bad answers that reach it          the lowest that keeps it
    kept and wrong       share of its verdicts that reach it, and wrong  the lowest that keeps it
    wrong among kept     share of wrong ones among those that reach it   the lowest that a fixed sequence keeps
    ==================== =============================================== =========================================

    With a confidence, ``P(risk > level) <= 1 - confidence`` over draws of the questions (Learn-then-Test, Angelopoulos
    et al. 2021; Hoeffding-Bentkus p-values, binomial where each question has one item). Without, the risk is at most
    ``level`` on average over them (conformal risk control, Angelopoulos et al. 2022; for one item a question it is
    split conformal, of the good or of the bad ones alone). A quarter of the questions chooses what is tested for
    ``"wrong among kept"``.

    Args:
        scores: ``[n]``, higher is better; NaN for an item without a score, which is left out and counted.
        labels: ``[n]`` booleans: whether the answer is good or, for the last two risks, the verdict right.
        groups: The question of each item.
        risk: What is to be rare.
        level: The most of it, between 0 and 1.
        confidence: Between 0 and 1, or ``None`` for "on average".
        seed: Draws the questions of the quarter.

    Returns:
        The promise. With too few questions its threshold is infinite and ``refused`` says how many are needed.

    Raises:
        InnerjudgeError: If columns differ in length, labels are not true or false, or a number is out of range.

    Example:
        >>> good = [True] * 100
        >>> names = [f"q{k}" for k in range(100)]
        >>> found = calibrate(range(100), good, names, risk="lost good answers", level=0.05)
        >>> found.threshold, found.achieved  # P(Bin(100, 0.05) <= 1) = 0.037, of 2: 0.118
        (1.0, 0.01)
        >>> calibrate(range(20), good[:20], names[:20], risk="lost good answers").threshold
        -inf
    """
    _check(risk, level, confidence)
    every, unscored = _items(scores, labels, groups)
    bound = Bound(level, confidence, single=len(set(groups)) == len(groups))
    pilot = 0
    if risk == "lost good answers":
        counted = every.take(every.good)
        found = highest_below(counted, bound)
    elif risk == "passed bad answers":
        counted = every.take(~every.good)
        found = lowest_above(counted, counted, bound)
    elif risk == "kept and wrong":
        counted, bad = every, ~every.good
        found = lowest_above(every, Scored(every.scores[bad], every.good[bad], every.question[bad]), bound)
    else:
        drawn = np.random.default_rng(seed).permutation(every.questions)[: int(PILOT * every.questions)]
        chosen = np.isin(every.question, drawn)
        pilot, counted = len(drawn), every.take(~chosen)
        found = few_wrong_kept(every.take(chosen), counted, bound)
        every = counted
    threshold, achieved = found or (never(risk), None)
    return Promise(
        risk=risk,
        level=level,
        confidence=confidence,
        threshold=threshold,
        questions=counted.questions,
        pilot=pilot,
        achieved=achieved,
        kept=float((every.scores >= threshold).mean()) if len(every.scores) else 0.0,
        unscored=unscored,
        refused=None if found else _refusal(risk, bound, counted.questions, pilot),
    )


def _refusal(risk: RiskName, bound: Bound, given: int, pilot: int) -> str:
    asked = f"a level of {bound.level:g}" + (f" with confidence {bound.confidence:g}" if bound.confidence else "")
    needed, counted = bound.needed, _COUNTED[risk]
    if risk == "wrong among kept":
        total = needed + (needed - 1) // 3  # the least of which a quarter, rounded down, can be spared
        if given >= needed:
            return (
                f"given {given} questions to test on, of which too many kept verdicts are wrong at every threshold, or "
                f"too few are kept, for {asked}, expected a better judge, a higher level or more questions"
            )
        return f"given {given + pilot} questions for {asked}, expected at least {total} {counted}: add questions"
    return f"given {given} {counted} for {asked}, expected at least {needed}: add questions"


def _items(scores: Any, labels: Any, groups: Sequence[str]) -> tuple[Scored, int]:
    try:
        values = np.asarray(scores, dtype=np.float64)
        known = np.asarray(labels)
    except (TypeError, ValueError):
        values = known = np.zeros((0, 0))
    if values.ndim != 1 or values.shape != known.shape or len(groups) != len(values):
        raise InnerjudgeError(
            f"given scores of shape {values.shape}, labels of shape {known.shape} and {len(groups)} groups, expected "
            "three columns of one length"
        )
    if known.dtype != bool:
        raise InnerjudgeError(f"given labels of {known.dtype}, expected true or false: say which answers are good")
    if np.isinf(values).any():
        raise InnerjudgeError("given infinite scores, expected finite ones, or NaN for an item without a score")
    there = ~np.isnan(values)
    _, question = np.unique(np.array([str(g) for g in groups])[there], return_inverse=True)
    return Scored(values[there], known[there], question.astype(np.intp)), int((~there).sum())


def _check(risk: str, level: float, confidence: float | None) -> None:
    if risk not in get_args(RiskName):
        raise InnerjudgeError(f"given risk={risk!r}, expected one of {', '.join(get_args(RiskName))}")
    if not 0 < level < 1 or not (confidence is None or 0 < confidence < 1):
        raise InnerjudgeError(
            f"given level={level} and confidence={confidence}, expected numbers between 0 and 1, such as 0.05 and 0.95"
        )
    if risk == "wrong among kept" and confidence is None:
        raise InnerjudgeError(
            'given risk="wrong among kept" without a confidence, expected one: an average holds for losses that grow '
            'with the threshold only, such as "kept and wrong"'
        )


def columns_of(
    said: Sequence["Verdict"], labels: npt.ArrayLike, risk: RiskName, threshold: float | None
) -> tuple[npt.NDArray[np.float64], npt.NDArray[Any], float | None]:
    """Scores and labels of verdicts as :func:`calibrate` takes them for a risk, and the border between right and wrong.

    ``threshold`` is that of the judge's labels, where it has learned one; 0 is the border of others.
    """
    truth = np.asarray(labels)
    if truth.shape != (len(said),):
        raise InnerjudgeError(f"given labels of shape {truth.shape}, expected ({len(said)},): one label an item")
    there, border = [one for one in said if one.score is not None], None
    if risk in ("kept and wrong", "wrong among kept"):
        truth = np.array([one.label == known for one, known in zip(said, truth.tolist(), strict=True)], dtype=bool)
        border = None if any(isinstance(one.score, list) for one in there) else threshold or 0.0
        if border is not None and any(one.label != (one.score > border) for one in there):  # type: ignore[operator]
            raise InnerjudgeError(
                f"given a judge whose verdict is not whether the score is above {border:g}, so that a score does not "
                'say how sure it is, expected one with such a border: promise "lost good answers" or "passed bad '
                'answers" instead'
            )
    scores = np.full(len(said), np.nan)
    scores[[one.score is not None for one in said]] = certainty([one.score for one in there], border)
    return scores, truth, border
