"""A threshold with a promise: which risk stays below which level, for which questions, and from how many."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, get_args

import numpy as np
import numpy.typing as npt

from ..models.arguments import checked, checked_fields
from ..models.errors import InnerjudgeError
from ..models.roles import checked_roles
from .risk import Bound, RiskName, Scored, few_wrong_kept, highest_below, lowest_above

_MOST = "on average at most {level}"
_SAID = {
    "lost good answers": f"of the good answers to a question, {_MOST} score below {{threshold}}",
    "passed bad answers": f"of the bad answers to a question, {_MOST} score {{threshold}} or more",
    "kept and wrong": f"of the verdicts on a question, {_MOST} are kept (score {{threshold}} or more) and wrong",
    "wrong among kept": f"of the kept verdicts on a question (score {{threshold}} or more), {_MOST} are wrong",
}


@checked_fields
@dataclass(frozen=True, slots=True)
class Promise:
    """A threshold and what it promises; :func:`calibrate` and :meth:`.BaseJudge.promise` make it.

    Args:
        risk: What is promised to be rare; see :func:`calibrate`.
        level: The risk is at most this share, on average over questions.
        confidence: Confidence of the promise; ``None`` for "on average over the questions that calibrate it".
        threshold: Scores of at least this are kept. Infinite where nothing can be promised: nothing is ever stopped
            (``-inf``, lost good answers) or kept (``inf``).
        questions: Number of questions that it was calibrated on, leaving out those that do not count.
        achieved: The risk on them; ``None`` where nothing can be promised.
        kept: Share of the items of these questions that are kept.
        unscored: Number of items without a score, which are left out.
        refused: Why nothing can be promised, and what it takes.
        border: The score between right and wrong, if verdicts are kept by their distance from it.
        along: Role at each of whose ranges the answer is judged, besides its end; empty if only the end counts.
        fit: Hash of the fitted judge that it was made for.
        model: Fingerprint of the model that it was made for.
    """

    risk: RiskName
    level: float
    confidence: float | None
    threshold: float
    questions: int
    achieved: float | None = None
    kept: float = 0.0
    unscored: int = 0
    refused: str | None = None
    border: float | None = None
    along: str = ""
    fit: str = ""
    model: str = ""

    def __str__(self) -> str:
        if self.refused is not None:
            return f"Nothing is promised: {self.refused}."
        words = _SAID[self.risk].format(level=f"{100 * self.level:.4g} %", threshold=f"{self.threshold:.4g}")
        if self.border is not None:
            words = words.replace("(score", f"(away from {self.border:.4g} by")
        if self.along:
            extreme = "lowest" if self.risk == "lost good answers" else "highest"
            words += f" at their {extreme} over {self.along} and the end"
        sure = "" if self.confidence is None else f"With a confidence of {100 * self.confidence:.4g} %: "
        return (
            f"{sure}{words if sure else words[0].upper() + words[1:]}. It holds for questions drawn like the "
            f"{self.questions} that it was calibrated on, and answers made in the same way."
        )

    def keeps(self, score: float | Sequence[float] | None) -> bool | None:
        """Whether a verdict of this score is kept; ``None`` without a score, and where nothing can be promised.

        Example:
            >>> promise = Promise("lost good answers", 0.05, 0.95, threshold=0.2, questions=100)
            >>> promise.keeps(0.2), promise.keeps(0.1), promise.keeps(None)
            (True, False, None)
        """
        if score is None or self.refused is not None:
            return None
        return bool(certainty([score], self.border)[0] >= self.threshold)

    def to_json(self) -> dict[str, Any]:
        """All fields; an infinite threshold is ``None``."""
        return asdict(self) | {"threshold": None if self.refused is not None else self.threshold}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Promise":
        """Inverse of :meth:`to_json`; ``ValueError`` if a field is not what it should be."""
        given = {"along": "", **data}
        given = {field.name: given[field.name] for field in fields(cls)}
        if given["refused"] is not None:
            given["threshold"] = _never(given["risk"])
        try:
            found = cls(**given)
            _check(found.risk, found.level, found.confidence)
            checked_roles([found.along] if found.along else [])
        except InnerjudgeError as error:
            raise ValueError(f"a promise with {error}") from None
        return found


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
    """Find the threshold that keeps a risk low enough, from items of questions that no fit has seen.

    The unit is the question: each gives one loss in [0, 1], and the promise is about the mean loss of questions drawn
    like these. Answers to one question depend on each other, so more of them do not mean more questions. The losses:

    * ``"lost good answers"``: the share of a question's good answers below the threshold (the highest is taken);
    * ``"passed bad answers"``: the share of its bad answers that reach the threshold; from here on the lowest is taken;
    * ``"kept and wrong"``: the share of its verdicts that reach it and are wrong;
    * ``"wrong among kept"``: the share of wrong ones among its verdicts that reach it, for questions where any does.

    With a confidence, ``P(risk > level) <= 1 - confidence`` over draws of the questions (Learn-then-Test, arXiv
    2110.01052; see :mod:`.risk`). Without, the risk is at most ``level`` on average over them (conformal risk control,
    arXiv 2208.02814; with one item per question, split conformal on the good or the bad ones alone).

    Args:
        scores: ``[n]``, higher is better; NaN for an item without a score, which is left out and counted.
        labels: ``[n]`` booleans: whether the answer is good or, for the last two risks, the verdict right.
        groups: The question of each item.
        risk: What is to be rare, one of the four above.
        level: The highest risk allowed, between 0 and 1.
        confidence: Between 0 and 1, or ``None`` for "on average".
        seed: Draws the quarter of the questions that picks the thresholds to test, for ``"wrong among kept"``.

    Returns:
        The promise. With too few questions its threshold is infinite and ``refused`` says how many are needed.

    Raises:
        InnerjudgeError: If columns differ in length, labels are not true or false, or a number is out of range.

    Example:
        >>> names = [f"q{k}" for k in range(100)]
        >>> found = calibrate(range(100), [True] * 100, names, risk="lost good answers", level=0.05)
        >>> found.threshold, found.achieved  # P(Bin(100, 0.05) <= 1) = 0.037, of 2: 0.118
        (1.0, 0.01)
        >>> calibrate(range(20), [True] * 20, names[:20], risk="lost good answers").threshold
        -inf
    """
    _check(risk, level, confidence)
    items, unscored = _items(scores, labels, groups)
    bound, spared = Bound(level, confidence, single=len(set(groups)) == len(groups)), 0
    if risk == "lost good answers":
        counted = items.take(items.good)
        found = highest_below(counted, bound)
    elif risk == "wrong among kept":
        drawn = np.random.default_rng(seed).permutation(items.questions)[: items.questions // 4]
        pilot, spared = np.isin(items.question, drawn), len(drawn)
        chosen, items = items.take(pilot), items.take(~pilot)
        counted = items
        found = few_wrong_kept(chosen, items, bound)
    else:
        counted = items if risk == "kept and wrong" else items.take(~items.good)
        found = lowest_above(counted, bound)
    threshold, achieved = found or (_never(risk), None)
    return Promise(
        risk=risk,
        level=level,
        confidence=confidence,
        threshold=threshold,
        questions=counted.questions,
        achieved=achieved,
        kept=float((items.scores >= threshold).mean()) if len(items.scores) else 0.0,
        unscored=unscored,
        refused=None if found else _refusal(risk, bound, counted.questions, spared),
    )


def certainty(scores: Sequence[Any], border: float | None) -> npt.NDArray[np.float64]:
    """What a promise thresholds, ``[n]``: scores, their distance from ``border``, or the lead of the best option."""
    lead = [float(np.subtract(*sorted(one, reverse=True)[:2])) if np.ndim(one) else float(one) for one in scores]
    return np.array(lead) if border is None else np.abs(np.array(lead) - border)


def _never(risk: str) -> float:
    return -math.inf if risk == "lost good answers" else math.inf


def _refusal(risk: RiskName, bound: Bound, given: int, spared: int) -> str:
    asked = f"a level of {bound.level:g}" + (f" with confidence {bound.confidence:g}" if bound.confidence else "")
    if risk == "wrong among kept" and given >= bound.needed:
        return (
            f"given {given} questions to test on, of which too many kept verdicts are wrong at every threshold, or too "
            f"few are kept, for {asked}, expected a better judge, a higher level or more questions"
        )
    kind = {"lost good answers": " with a good answer", "passed bad answers": " with a bad answer"}.get(risk, "")
    # The least number of which a quarter, rounded down, can be spared.
    needed = bound.needed + ((bound.needed - 1) // 3 if risk == "wrong among kept" else 0)
    return f"given {given + spared} questions{kind} for {asked}, expected at least {needed}: add questions"


def _items(scores: Any, labels: Any, groups: Sequence[str]) -> tuple[Scored, int]:
    try:
        values, known = np.asarray(scores, dtype=np.float64), np.asarray(labels)
    except (TypeError, ValueError):
        values = known = np.zeros((0, 0))
    if values.ndim != 1 or values.shape != known.shape or len(groups) != len(values):
        raise InnerjudgeError.of("probes.columns", values.shape, known.shape, len(groups))
    if known.dtype != bool or np.isinf(values).any():
        raise InnerjudgeError.of("probes.promise-labels", known.dtype, np.isinf(values).sum())
    there = ~np.isnan(values)
    question = np.unique(np.array(groups, dtype=str)[there], return_inverse=True)[1]
    return Scored(values[there], known[there], question.astype(np.intp)), int((~there).sum())


def _check(risk: str, level: float, confidence: float | None) -> None:
    if risk not in get_args(RiskName):
        raise InnerjudgeError(f"given risk={risk!r}, expected one of {', '.join(get_args(RiskName))}")
    if not 0 < level < 1 or not (confidence is None or 0 < confidence < 1):
        raise InnerjudgeError.of("probes.level", level, confidence)
    if risk == "wrong among kept" and confidence is None:
        raise InnerjudgeError.of("probes.average-risk")
