"""A threshold with a promise: which risk it keeps, at which level, for whom, from how many questions."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, get_args

import numpy as np
import numpy.typing as npt

from .risk import RiskName

_MOST = "on average at most {level}"
_SAID = {
    "lost good answers": f"of the good answers to a question, {_MOST} score below {{threshold}}",
    "passed bad answers": f"of the bad answers to a question, {_MOST} score {{threshold}} or more",
    "kept and wrong": f"of the verdicts on a question, {_MOST} are kept (score {{threshold}} or more) and wrong",
    "wrong among kept": f"of the kept verdicts on a question (score {{threshold}} or more), {_MOST} are wrong",
}


@dataclass(frozen=True, slots=True)
class Promise:
    """A threshold and what it promises; :func:`.calibration.calibrate` and :meth:`.BaseJudge.promise` make it.

    Args:
        risk: What is promised to be rare, see :func:`.calibration.calibrate`.
        level: At most this share, on average over questions.
        confidence: With this probability over the questions that it was calibrated on; ``None``: on average over them.
        threshold: Scores of this and more are kept. Infinite where nothing can be promised: then nothing is ever
            stopped (``-inf``, lost good answers) or kept (``inf``).
        questions: Questions that it was calibrated on, of those that count.
        pilot: Further questions that only chose what was tested.
        achieved: The risk on the questions that it was calibrated on; ``None`` where nothing can be promised.
        kept: Share of their items that is kept.
        unscored: Items without a score, which are left out: the promise is about those that can be scored.
        refused: Why nothing can be promised, and what it takes.
        border: Score between right and wrong, where a verdict is kept for its distance from it.
        model: Fingerprint of the model that it was made for.
        fit: Hash of the fitted judge that it was made for.
    """

    risk: str
    level: float
    confidence: float | None
    threshold: float
    questions: int
    pilot: int = 0
    achieved: float | None = None
    kept: float = 0.0
    unscored: int = 0
    refused: str | None = None
    border: float | None = None
    model: str = ""
    fit: str = ""

    def __str__(self) -> str:
        if self.refused is not None:
            return f"Nothing is promised: {self.refused}."
        words = _SAID[self.risk].format(level=f"{100 * self.level:.4g} %", threshold=f"{self.threshold:.4g}")
        if self.border is not None:
            words = words.replace("(score", f"(away from {self.border:.4g} by")
        sure = "" if self.confidence is None else f"With a confidence of {100 * self.confidence:.4g} %: "
        return (
            f"{sure}{words if sure else words[0].upper() + words[1:]}. It holds for questions drawn like the "
            f"{self.questions} that it was calibrated on, and answers made in the same way."
        )

    def keeps(self, score: float | Sequence[float] | None) -> bool | None:
        """Whether a verdict of this score is kept; ``None`` without a score, and where nothing can be promised.

        The scores of the options of a choice count by how far the best is above the next.

        Example:
            >>> promise = Promise("lost good answers", 0.05, 0.95, threshold=0.2, questions=100)
            >>> promise.keeps(0.2), promise.keeps(0.1), promise.keeps(None)
            (True, False, None)
        """
        if score is None or self.refused is not None:
            return None
        return bool(certainty([score], self.border)[0] >= self.threshold)

    def to_json(self) -> dict[str, Any]:
        """All fields, an infinite threshold as ``None``."""
        return asdict(self) | {"threshold": None if self.refused is not None else self.threshold}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Promise":
        """Inverse of :meth:`to_json`; ``ValueError`` if a field is not what it should be."""
        given = {field.name: data[field.name] for field in fields(cls)}
        if given["risk"] not in get_args(RiskName):
            raise ValueError(f"the risk {given['risk']!r:.60}")
        for name in ("refused", "model", "fit"):
            if not isinstance(given[name], str) and not (name == "refused" and given[name] is None):
                raise ValueError(f"the field {name} of a promise")
        if given["refused"] is not None:
            given["threshold"] = never(given["risk"])
        numbers = {k: v for k, v in given.items() if k not in ("risk", "refused", "model", "fit") and v is not None}
        whole = {name: numbers[name] for name in ("questions", "pilot", "unscored")}
        shares = {name: v for name, v in numbers.items() if name in ("level", "confidence", "achieved", "kept")}
        if (
            not all(type(v) is int and v >= 0 for v in whole.values())
            or not all(isinstance(v, int | float) and not isinstance(v, bool) for v in numbers.values())
            or not all(0 <= v <= 1 for v in shares.values())
            or not {"level", "kept", "threshold"} <= numbers.keys()
        ):
            raise ValueError("a number of a promise that is out of range")
        return cls(**given)


def certainty(scores: Sequence[Any], border: float | None) -> npt.NDArray[np.float64]:
    """What a promise looks at, ``[n]``: scores; how far they are from ``border``; of options the lead of the best.

    Example:
        >>> certainty([0.2, -0.5], None).tolist(), certainty([0.2, -0.5], 0.0).tolist()
        ([0.2, -0.5], [0.2, 0.5])
        >>> certainty([[1, 4, 2]], None).tolist()
        [2.0]
    """
    found = [
        float(np.subtract(*sorted(one, reverse=True)[:2])) if isinstance(one, Sequence | np.ndarray) else float(one)
        for one in scores
    ]
    values = np.array(found, dtype=np.float64)
    return values if border is None else np.abs(values - border)


def never(risk: str) -> float:
    """The infinite threshold that never acts on an answer or a verdict."""
    return -math.inf if risk == "lost good answers" else math.inf
