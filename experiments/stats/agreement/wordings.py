"""What one judge says in several wordings of its question, as one label an item with its weight."""

from typing import Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit

from ....models.errors import InnerjudgeError, shown
from ...data.verdict_table import Table
from ..biases.consistency import consensus
from ..statistic import Floats, finite
from .aggregate import How, aggregate

WordingHow = Literal["centred", "mean", "share", "majority", "dawid-skene"]
#: How labels of raters, or the scores of one, become those that a judge is fitted on.
FitHow = How | Literal["centred"]


class WordingLabels(NamedTuple):
    """The probability of right ``[n]``, and weights ``[n]``: 0 where there is no label (which is then .5)."""

    labels: Floats
    weights: Floats


def wording_labels(scores: Table | npt.ArrayLike, *, how: WordingHow = "centred") -> WordingLabels:
    """Labels and weights from scores ``[n, wordings]``: log-odds, or probabilities where all lie within 0 and 1.

    ``"centred"``: an item's mean log-odds, each wording's median (of the items that all wordings score) taken off; the
    sign is the label, the size the weight. Half of the items come out right: for classes near balance. ``"mean"`` is
    the mean probability, ``"share"`` that of wordings that say right, ``"majority"`` what more than half of all say,
    ``"dawid-skene"`` :func:`aggregate`. NaN is no score. A table is of one judge in several templates; the last three
    read its labels true and false, or the sides of its scores; the first two its scores, or else its labels.

    Source:
        Flip-Flop consistency (arXiv 2510.14242) trains a model's wordings on their strict majority; the rest is ours.

    Example:
        >>> wording_labels([[2.0, 0.5], [1.0, -0.5], [-1.0, -2.0]]).weights
        array([1.  , 0.  , 1.75])
    """
    x = _read(scores, labels_first=how not in ("centred", "mean"))
    known = x[~np.isnan(x)]
    odds = logit(np.clip(x, 1e-6, 1 - 1e-6)) if ((known >= 0) & (known <= 1)).all() else x
    whole = odds[~np.isnan(odds).any(axis=1)]
    flat = how == "centred" and (np.isin(known, (0, 1)).all() or not len(whole))
    if x.shape[1] < 2 or not len(known) or flat or how not in get_args(WordingHow):
        raise InnerjudgeError.of("stats.scores", shown(how), len(known), x.shape[1], ", ".join(get_args(WordingHow)))
    if (known > 1).any() and not (known < 0).any():
        raise InnerjudgeError("given scores of 0 and more, some above 1, expected probabilities or log-odds")
    if how == "centred":
        p = np.nan_to_num(_mean(odds - np.median(whole, axis=0)))
        return WordingLabels((np.sign(p) + 1) / 2, np.abs(p))
    said = np.where(np.isnan(odds) | (odds == 0), np.nan, odds > 0)
    columns = {str(k): [None if v != v else v == 1 for v in column] for k, column in enumerate(said.T.tolist())}
    p = _mean(expit(odds) if how == "mean" else said)
    if how == "dawid-skene":
        p = finite([one.get(True, 0.0) if one else None for one in aggregate(columns).labels])
    elif how == "majority":
        p = finite([None if v is None else float(v is True) for v in consensus(list(columns.values()))])
    return WordingLabels(np.where(np.isnan(p), 0.5, p), (~np.isnan(p)).astype(np.float64))


def _read(given: Table | npt.ArrayLike, *, labels_first: bool) -> Floats:
    if isinstance(given, Table):
        if len(given.judges) != 1:
            raise InnerjudgeError(f"given verdicts by {shown(', '.join(given.judges))}, expected one judge: name it")
        rows = [given.column(given.judges[0], template=name) for name in dict.fromkeys(row.template for row in given)]
        scores = np.stack([finite([r.score if r else None for r in column]) for column in rows], axis=1)
        labels = [finite([r.label if r and isinstance(r.label, bool) else None for r in column]) for column in rows]
        first, then = (np.stack(labels, axis=1), scores)[:: 1 if labels_first else -1]
        return then if np.isnan(first).all() else first
    try:
        array = np.array(given, dtype=np.float64)
    except (TypeError, ValueError):
        array = np.zeros(0)
    if array.ndim != 2 or np.isinf(array).any():
        raise InnerjudgeError("given scores that are no table, expected numbers [items, wordings], NaN for none")
    return array


def _mean(x: Floats) -> Floats:
    held = (~np.isnan(x)).sum(axis=1)
    return np.where(held > 0, np.nansum(x, axis=1) / np.maximum(held, 1), np.nan)
