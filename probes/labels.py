"""What judges learn from: labels of each kind of item, checked, and the threshold that turns scores into labels."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import GroupKFold

from ..models.errors import InnerjudgeError
from .scaling import told_apart

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.intp]
#: Labels as they were given, and weights of items or none.
Known = npt.NDArray[Any]
Weights = npt.ArrayLike | None
_FOLDS = 5
#: Judges whose fit takes soft labels and weights, for messages.
TAKE_SOFT = "CLUE without balance, DifferenceOfMeans, LogisticProbe, MiniBatchLogistic, PooledProbe, QuestionOnly"


def correctness(labels: npt.NDArray[Any], *, both: bool = True) -> Bools:
    """Labels ``[n]`` of traces as booleans; 0 and 1 are accepted. Refuses others and, with ``both``, a single class."""
    if labels.dtype != bool and not (labels.dtype.kind in "iuf" and np.isin(labels, (0, 1)).all()):
        raise InnerjudgeError.of("probes.not-true-or-false", _some(labels), TAKE_SOFT)
    right = labels.astype(bool)
    if both and (right.all() or not right.any()):
        raise InnerjudgeError.of("probes.one-class", int(right.sum()), int((~right).sum()))
    return right


def soft_correctness(labels: npt.NDArray[Any], weight: Floats | None = None, *, both: bool = True) -> Bools | Floats:
    """Labels of traces: booleans as from :func:`correctness`, or numbers from 0 to 1, how surely each is right.

    With ``both``, refuses labels whose items of weight above 0 are of one class.
    """
    soft = labels.dtype.kind == "f" and ((labels >= 0) & (labels <= 1)).all() and not np.isin(labels, (0, 1)).all()
    p: Bools | Floats = labels.astype(np.float64) if soft else correctness(labels, both=False)
    if both and not has_both(p, weight):
        correctness(np.asarray(p > 0) if weight is None else np.asarray(p > 0)[weight > 0])
    return p


def has_both(p: Bools | Floats, weight: Floats | None = None) -> bool:
    """Whether labels, hard or soft, give weight to both right and wrong."""
    w = 1.0 if weight is None else weight
    return bool((w * p).sum() > 0 and (w * (1.0 - p)).sum() > 0)


def hard_rows(p: Bools | Floats, weight: Floats | None) -> tuple[Ints | slice, Bools, Floats | None]:
    """Rows, hard labels and weights that soft labels stand for: of each item ``(x, 1, w p)`` and ``(x, 0, w (1 - p))``.

    Those of weight 0 are left out; hard labels without weights stay as they are.
    """
    if weight is None and p.dtype == bool:
        return slice(None), p.astype(bool), None
    w = np.ones(len(p)) if weight is None else weight
    both = np.stack([w * p, w * (1.0 - p)], axis=1).ravel()
    kept = np.flatnonzero(both)
    return kept // 2, kept % 2 == 0, both[kept]


def centred(x: Floats, groups: tuple[str, ...], weight: Floats | None = None) -> Floats:
    """Rows ``[n, F]`` less the mean of their question's rows, all of them or those whose weight is not 0.

    Numbers that are the same in each question are 0, whatever rounding leaves of them.
    """
    _, code = np.unique(np.array(groups), return_inverse=True)
    some = np.ones(len(x), dtype=bool) if weight is None else weight > 0
    sums = np.zeros((code.max() + 1, x.shape[1]))
    np.add.at(sums, code[some], x[some])
    found = np.asarray(x - (sums / np.maximum(np.bincount(code[some], minlength=len(sums)), 1)[:, None])[code])
    far, size = (np.maximum(one.max(axis=0), -one.min(axis=0)) for one in (found, x))
    found[:, ~told_apart(far, size)] = 0.0
    return found


def mixed_questions(y: Known, groups: tuple[str, ...], weight: Floats | None, *, partly: bool = False) -> Bools:
    """Which items are of a question with different labels, or one ``partly`` labelled; weight 0 means no label."""
    counted = (np.ones(len(y)) if weight is None else weight).tolist()
    known = ((g, v if w else None) for g, v, w in zip(groups, y.tolist(), counted, strict=True) if w or partly)
    kinds = Counter(group for group, _ in set(known))
    return np.array([kinds[group] > 1 for group in groups])


def all_weights(weights: Sequence[Weights], sizes: Sequence[int]) -> Floats | None:
    """The weights of all parts, 1 for each item of a part without; ``None`` if no part has any."""
    if all(one is None for one in weights):
        return None
    return np.concatenate(
        [np.ones(n) if w is None else np.asarray(w, dtype=np.float64) for w, n in zip(weights, sizes, strict=True)]
    )


def checked_weight(weight: npt.ArrayLike | None, n: int) -> Floats | None:
    """Weights ``[n]`` of items, at least 0; ``None`` stays."""
    if weight is None:
        return None
    try:
        w = np.asarray(weight, dtype=np.float64)
    except (TypeError, ValueError):
        w = np.array(np.nan)
    if w.shape != (n,) or not (np.isfinite(w).all() and w.min(initial=0) >= 0):
        raise InnerjudgeError.of("probes.weights", _some(np.ravel(w)), n)
    return w


def ratings(labels: npt.NDArray[Any]) -> Floats:
    """Mean human scores as float64; refuses scores that are not finite, or all the same."""
    if labels.dtype.kind not in "biuf" or not np.isfinite(labels.astype(np.float64)).all():
        raise InnerjudgeError.of("probes.scores", _some(labels))
    values = labels.astype(np.float64)
    if values.size == 0 or values.min() == values.max():
        raise InnerjudgeError.of("probes.one-score", values.size, _some(values))
    return values


def answers(labels: npt.NDArray[Any], n_options: Ints, ids: tuple[str, ...]) -> Ints:
    """Right answers of choices, 0-based; refuses one letter for all: a head that always picks it would look perfect."""
    if labels.dtype.kind not in "iu":
        raise InnerjudgeError(f"given answers {_some(labels)}, expected 0-based integers: drop items without an answer")
    values = labels.astype(np.intp)
    for item, value, n in zip(ids, values, n_options, strict=True):
        if not 0 <= value < n:
            raise InnerjudgeError(f"given the answer {value} for {item}, expected 0 to {n - 1}: check its options")
    if np.unique(values).size < 2:
        raise InnerjudgeError.of("probes.one-answer", values.size, _some(values[:1]))
    return values


def balanced_weights(groups: tuple[str, ...], right: Bools) -> Floats:
    """Weights ``[n]`` that sum up to 1 for right and for wrong within each question; 0 where it has one class only."""
    counts = Counter(zip(groups, right.tolist(), strict=True))
    weights = [1.0 / counts[g, r] if counts[g, not r] else 0.0 for g, r in zip(groups, right.tolist(), strict=True)]
    return np.array(weights, dtype=np.float64)


def best_threshold(scores: Floats, right: Bools | Floats, weight: Floats | None = None) -> float:
    """The ``t`` for which ``score > t`` has the best balanced accuracy: the lowest such midpoint between scores."""
    order = np.argsort(scores, kind="stable")
    share = 1.0 if weight is None else weight[order]
    s, r, not_r = scores[order], share * right[order], share * (1.0 - right[order])
    # Calling everything from place k on correct: true positives from k on, true negatives before k.
    tpr = (r.sum() - np.concatenate([[0], np.cumsum(r)])) / r.sum()
    tnr = np.concatenate([[0], np.cumsum(not_r)]) / not_r.sum()
    middle = s[:-1] + (s[1:] - s[:-1]) / 2
    cuts = np.concatenate([[np.nextafter(s[0], -np.inf)], np.where(middle < s[1:], middle, s[:-1]), [s[-1]]])
    real = np.concatenate([[True], s[1:] > s[:-1], [True]])
    return float(cuts[real][np.argmax((tpr + tnr)[real])])


def _some(values: npt.NDArray[Any]) -> str:
    shown = ", ".join(str(v) for v in values[:3].tolist())
    return f"[{shown}{', ...' if values.size > 3 else ''}]"


def folds(groups: tuple[str, ...]) -> Iterator[tuple[Ints, Ints]]:
    """Yield items to fit on and items to test on, at most five times; nothing with fewer than two questions."""
    _, code = np.unique(np.array(groups), return_inverse=True)
    n = min(_FOLDS, int(code.max()) + 1)
    if n >= 2:
        yield from GroupKFold(n_splits=n).split(code[:, None], groups=code)
