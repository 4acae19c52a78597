"""Several judges as one: mean jury, votes weighted by an exam, majority, with or without the judge's own family."""

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from typing import Literal

import numpy as np
from scipy.special import logit

from ....models.errors import InnerjudgeError
from ..statistic import Values, finite, require_same_length
from .icc import z_scored

Weighting = Literal["uniform", "log-odds", "exponential", "power"]


def mean_jury(
    scores: Sequence[Values], *, weights: Sequence[float] | None = None, z_score: bool = False
) -> list[float | None]:
    """Weighted mean of the jurors' scores; jurors without one are skipped, an item without any stays ``None``.

    Args:
        scores: One column a juror.
        weights: One a juror, 0 or more; default all 1.
        z_score: Put every juror on mean 0 and standard deviation 1 first, for jurors on scales of their own.

    Source:
        The plain mean jury of MedHELM (arXiv 2505.23802).

    Example:
        >>> mean_jury([[1.0, None], [3.0, None]], weights=[3, 1])
        [1.5, None]
    """
    share = _weights(scores, weights)
    columns = [z_scored(c) for c in scores] if z_score else [list(c) for c in scores]
    x = np.stack([finite(c) for c in columns])
    held = np.where(np.isnan(x), 0.0, share[:, None])
    total = held.sum(axis=0)
    summed = (held * np.where(np.isnan(x), 0.0, x)).sum(axis=0)
    return [float(s / t) if t > 0 else None for s, t in zip(summed, total, strict=True)]


def weighted_vote(
    verdicts: Sequence[Sequence[Hashable | None]], *, weights: Sequence[float] | None = None
) -> list[Hashable | None]:
    """The verdict with the most weight behind it; ``None`` where two are level or nobody has a verdict.

    Example:
        >>> weighted_vote([["a", "a"], ["b", "b"], ["b", None]])
        ['b', None]
        >>> weighted_vote([["a"], ["b"], ["b"]], weights=[3, 1, 1])
        ['a']
    """
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


def exam_weights(
    exam: Mapping[str, float], *, passing: float = 0.6, by: Weighting = "log-odds", alpha: float = 1.0
) -> dict[str, float]:
    r"""Weights of the jurors that pass an exam, by their share of right answers ``p`` in it; they sum to 1.

    Take the exam on a split of its own: weights from the reported items are chosen on what they are reported on.

    Args:
        exam: Share of right answers of each juror, 0 to 1 (of pairs: agreement with people, a tie counts one half).
        passing: Jurors below are sent home.
        by: ``"uniform"``; ``"log-odds"``: :math:`\log(p/(1-p))`; ``"exponential"``: :math:`e^{\alpha p}`; ``"power"``:
            :math:`p^\alpha`.
        alpha: Of the last two.

    Returns:
        Jurors that passed, in the order given. Log-odds of ``p`` at 1 are those of 0.999 (they are infinite), and a
        juror at or below one half gets none of the weight (its log-odds are not above 0), as the release's are not.

    Raises:
        InnerjudgeError: If nobody passes.

    Source:
        PRE, peer review (arXiv 2401.15641), qualification exam and weights.

    Example:
        >>> {k: round(v, 2) for k, v in exam_weights({"a": 0.9, "b": 0.75, "c": 0.5}).items()}  # log 9 and log 3
        {'a': 0.67, 'b': 0.33}
    """
    odd = {k: p for k, p in exam.items() if not 0 <= p <= 1}
    if odd or by not in ("uniform", "log-odds", "exponential", "power"):
        raise InnerjudgeError(
            f"given exam scores {odd or dict(exam)} and by={by!r}, expected shares and a named weight"
        )
    passed = {k: p for k, p in exam.items() if p >= passing}
    weights = {k: _weight(p, by, alpha) for k, p in passed.items()}
    total = sum(weights.values())
    if not total > 0:
        raise InnerjudgeError(
            f"given exam scores {dict(exam)}, of which none passes with weight at {passing}, expected one that does: "
            "lower the pass mark"
        )
    return {k: w / total for k, w in weights.items()}


def _weight(p: float, by: Weighting, alpha: float) -> float:
    match by:
        case "uniform":
            return 1.0
        case "log-odds":
            return max(float(logit(np.clip(p, 0.001, 0.999))), 0.0)
        case "exponential":
            return float(np.exp(alpha * p))
        case "power":
            return float(p**alpha)


def without_family(jurors: Mapping[str, str], family: str) -> tuple[str, ...]:
    """Jurors (name -> family) that are not of the family that wrote the responses.

    Source:
        Fellowship of the LLMs (arXiv 2408.08688), which leaves the judge's own family out.

    Example:
        >>> without_family({"clue": "qwen", "text": "qwen", "gpt": "openai"}, "qwen")
        ('gpt',)
    """
    return tuple(name for name, own in jurors.items() if own != family)


def _weights(columns: Sequence[Sequence[object] | Values], weights: Sequence[float] | None) -> np.ndarray:
    require_same_length(**{f"juror {k}": column for k, column in enumerate(columns, start=1)})
    share = np.ones(len(columns)) if weights is None else np.asarray(weights, dtype=np.float64)
    if not len(columns) or share.shape != (len(columns),) or (share < 0).any() or not np.isfinite(share).all():
        raise InnerjudgeError(
            f"given {len(columns)} jurors and weights {weights}, expected one weight of 0 or more each"
        )
    return share
