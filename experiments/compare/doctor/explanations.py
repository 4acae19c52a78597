"""Whether a score says more about the labels than something cheap does: regressions with that held fixed.

Labels are regressed on the rank of the score, first alone and then beside a cause: the question (each its own level),
the length (a cubic of its rank), the source (each its own level), a leak. Errors stay together by question.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import f, rankdata

from .scores import Scores

Floats = npt.NDArray[np.float64]
#: Level of each test. There are several, and a healthy score must seldom be called ill.
LEVEL = 0.01
#: A cause explains a score of whose correlation with the labels no more than this share is left beside it.
LEFT = 0.5
#: Most sources with a level of their own; rarer ones share one.
_SOURCES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Association:
    """Partial correlation of a score's rank with the labels, and its two-sided p (Wald, errors by question)."""

    value: float
    p: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """A cause (question, length, source or leak) that the labels may go with, and what is left of the score beside it.

    ``p`` tests whether the labels go with the cause (not for the question, as candidates of one belong together).
    ``explains``: whether the score goes with the labels alone, but no longer beside the cause.
    """

    cause: str
    p: float | None
    beside: Association
    explains: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """What a score says alone, beside each cause that the table records, and beside all of them at once (``left``).

    The question is among them all; ``left`` is ``None`` where no question has both labels.
    """

    alone: Association
    causes: tuple[Explanation, ...]
    left: Association | None

    @property
    def named(self) -> tuple[str, ...]:
        """Causes that explain the score; ``"signal"`` where it says more than all of them together."""
        found = tuple(one.cause for one in self.causes if one.explains)
        signal = self.left is not None and self.left.p < LEVEL and self.left.value > 0 and not found
        return ("signal",) if signal else found


def explain(given: Scores) -> Explained:
    """What the scores of a table, all of them known, say beside the causes that it records."""
    y = np.array(given.labels, dtype=np.float64)
    score = rankdata([s for s in given.scores if s is not None]) / len(y)
    question = np.unique(np.array(given.questions), return_inverse=True)[1].astype(np.intp)
    designs = _designs(given)
    alone = _association(y, score, np.ones((len(y), 1)), question, None)
    causes = []
    means = np.bincount(question, y) / np.bincount(question)
    mixed = bool(((means > 0) & (means < 1)).any())  # some question has both labels
    if mixed:
        beside = _association(y, score, np.ones((len(y), 1)), question, question)
        causes.append(Explanation(cause="question", p=None, beside=beside, explains=_explains(alone, beside)))
    for cause, design in designs.items():
        p = wald(y, design, np.ones((len(y), 1)), question)
        beside = _association(y, score, np.column_stack((np.ones(len(y)), design)), question, None)
        causes.append(Explanation(cause=cause, p=p, beside=beside, explains=p < LEVEL and _explains(alone, beside)))
    every = np.column_stack((np.ones(len(y)), *designs.values()))
    left = _association(y, score, every, question, question) if mixed else None
    return Explained(alone=alone, causes=tuple(causes), left=left)


def _explains(alone: Association, beside: Association) -> bool:
    return alone.p < LEVEL and beside.p >= LEVEL and abs(beside.value) <= LEFT * abs(alone.value)


def _designs(given: Scores) -> dict[str, Floats]:
    """Columns of each cause that varies in the table."""
    found: dict[str, Floats] = {}
    if given.lengths is not None:
        rank = rankdata(given.lengths) / len(given) - 0.5
        found["length"] = np.column_stack((rank, rank**2, rank**3))
    if "source" in given.more:
        names, count = np.unique(given.more["source"], return_counts=True)
        common = names[np.argsort(-count, kind="stable")][:_SOURCES]
        found["source"] = np.column_stack([np.array(given.more["source"]) == name for name in common]).astype(float)
    if given.leaked is not None:
        found["leak"] = given.leaked[:, None]
    return {cause: columns for cause, columns in found.items() if np.ptp(columns, axis=0).any()}


def _association(
    y: Floats, score: Floats, held: Floats, question: npt.NDArray[np.intp], levels: npt.NDArray[np.intp] | None
) -> Association:
    """The score beside what is held fixed, and beside a level of each question if ``levels`` says so."""
    rounding = 1e-24 * (score @ score), 1e-24 * (y @ y)
    if levels is not None:
        y, score = _centred(y, levels), _centred(score, levels)
        held = np.column_stack([_centred(column, levels) for column in held.T])
    x, rest = _residual(score, held), _residual(y, held)
    if x @ x <= max(1e-9 * (score @ score), rounding[0]) or rest @ rest <= max(1e-9 * (y @ y), rounding[1]):
        return Association(value=0.0, p=1.0)  # nothing of the score, or of the labels, is left
    value = float(x @ rest / np.sqrt((x @ x) * (rest @ rest)))
    return Association(value=value, p=wald(rest, x[:, None], None, question))


def wald(y: Floats, columns: Floats, held: Floats | None, clusters: npt.NDArray[np.intp]) -> float:
    """p-value of all columns together in a least-squares regression, errors correlated within clusters.

    ``columns`` ``[n, k]`` that say nothing new count for nothing; ``held`` ``[n, m]`` stands beside them, the constant
    among it, and is ``None`` where it was taken out before. statsmodels has the same
    (``OLS.fit(cov_type="cluster")``, in the tests); it would be a dependency for these lines.

    Source: Liang and Zeger 1986, with the small-sample factor of Stata; F with as many degrees as clusters, less one.
    """
    x, rest = (columns, y) if held is None else (_residual(columns, held), _residual(y, held))
    x = x[:, np.abs(x).max(axis=0) > 1e-9]
    n, groups = len(y), int(clusters.max()) + 1
    u, size, _ = np.linalg.svd(x, full_matrices=False)
    basis = u[:, size > 1e-9 * max(float(size.max(initial=0.0)), 1e-300)]  # orthonormal: the test does not mind
    k, m = basis.shape[1], 1 if held is None else held.shape[1]
    if not k or groups < 2:
        return 1.0
    beta = basis.T @ rest
    pull = basis * (rest - basis @ beta)[:, None]
    sums = np.zeros((groups, k))
    np.add.at(sums, clusters, pull)
    meat = sums.T @ sums * (groups / (groups - 1)) * ((n - 1) / max(n - k - m, 1))
    return float(f.sf(beta @ np.linalg.pinv(meat) @ beta / k, k, groups - 1))


def _centred(column: Floats, levels: npt.NDArray[np.intp]) -> Floats:
    return np.asarray(column - (np.bincount(levels, column) / np.bincount(levels))[levels])


def _residual(column: Floats, held: Floats) -> Floats:
    return np.asarray(column - held @ np.linalg.lstsq(held, column, rcond=None)[0])
