"""Rankings: whether a judge orders systems as people do, and how far two rankings of candidates are apart."""

from collections.abc import Hashable, Sequence
from typing import Literal

import numpy as np
from scipy import stats

from ....models.errors import InnerjudgeError
from ..statistic import SIGNED, Floats, Statistic, Values, divide, finite, require_same_length, undefined

Rank = Literal["kendall", "spearman"]


def system_ranking(
    labels: Values, scores: Values, systems: Sequence[Hashable | None], *, by: Rank = "kendall"
) -> Statistic:
    """Rank correlation between the systems' mean label and their mean score; ``n`` counts systems.

    A judge can rank systems well and single responses badly, since a mean forgives errors: print this beside the
    agreement on items, never instead of it. Rows with ``None`` anywhere are left out. ``by`` is ``"kendall"`` (tau-b)
    or ``"spearman"``. Undefined with fewer than two systems, or where the means on one side are all equal.

    Source:
        The second measure of the LLMJudge collection (arXiv 2408.08896).
    """
    require_same_length(labels=labels, scores=scores, systems=systems)
    if by not in ("kendall", "spearman"):
        raise InnerjudgeError(f'given by={by!r}, expected "kendall" or "spearman"')
    x, y, size = finite(labels), finite(scores), len(systems)
    kept = [k for k in range(size) if systems[k] is not None and not np.isnan(x[k]) and not np.isnan(y[k])]
    names = list(dict.fromkeys(systems[k] for k in kept))
    if len(names) < 2:
        return undefined(f"{len(names)} system(s) with scores and labels, fewer than 2", n=len(names), size=size)
    member = np.zeros((len(kept), len(names)))
    member[np.arange(len(kept)), [names.index(systems[k]) for k in kept]] = 1.0

    def means(weights: Floats) -> tuple[Floats, Floats]:
        w = weights[:, kept]
        held = w @ member
        with np.errstate(invalid="ignore"):
            return (w * x[kept]) @ member / held, (w * y[kept]) @ member / held

    def over(weights: Floats) -> Floats:
        a, b = means(weights)
        with np.errstate(invalid="ignore"):
            return _tau(a, b) if by == "kendall" else _rho(a, b)

    (a,), (b,) = means(np.ones((1, size)))
    exact = stats.kendalltau(a, b)[0] if by == "kendall" else stats.spearmanr(a, b)[0]
    if np.isnan(exact):
        return undefined("the systems' means are all equal on one side", n=len(names), size=size)
    return Statistic(value=float(exact), n=len(names), size=size, limits=SIGNED, over=over, smooth=False)


def levenshtein_distance(first: Sequence[Hashable], second: Sequence[Hashable]) -> float:
    """Normalised Levenshtein distance between two rankings: edits over the longer length; lower is closer.

    Source:
        The batch-ranking measure of MLLM-as-a-Judge (arXiv 2402.04788).
    """
    row = list(range(len(second) + 1))
    for k, a in enumerate(first, start=1):
        held, row[0] = row[0], k
        for m, b in enumerate(second, start=1):
            held, row[m] = row[m], min(row[m] + 1, row[m - 1] + 1, held + (a != b))
    return row[-1] / max(len(first), len(second), 1)


def _tau(a: Floats, b: Floats) -> Floats:
    """Tau-b along the last axis, ``[R, S]`` -> ``[R]``; NaN where a resample lacks a system."""
    da, db = (np.sign(np.round(v[:, :, None] - v[:, None, :], 12)) for v in (a, b))
    top = (da * db).sum(axis=(1, 2))
    return divide(top, np.sqrt((da**2).sum(axis=(1, 2)) * (db**2).sum(axis=(1, 2))))


def _rho(a: Floats, b: Floats) -> Floats:
    """Spearman's rho along the last axis, likewise."""
    lost = np.isnan(a).any(axis=1) | np.isnan(b).any(axis=1)
    ranks = [stats.rankdata(np.round(np.where(np.isnan(v), 0.0, v), 12), axis=1) for v in (a, b)]
    x, y = (r - r.mean(axis=1, keepdims=True) for r in ranks)
    found = divide((x * y).sum(axis=1), np.sqrt((x**2).sum(axis=1) * (y**2).sum(axis=1)))
    return np.where(lost, np.nan, found)
