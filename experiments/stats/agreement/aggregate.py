"""Labels of several raters, judges or people, or of one in several wordings, as one soft label an item."""

import warnings
from collections.abc import Hashable, Mapping, Sequence
from itertools import combinations
from typing import Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit, logsumexp

from ....models.errors import InnerjudgeError, shown
from ...data.verdict_table import Table
from ..biases.consistency import consensus
from ..statistic import Floats, Said, finite, require_same_length
from .confusion import Distribution

How = Literal["dawid-skene", "one-coin", "mean", "vote"]


class Aggregated(NamedTuple):
    """Probability of each class, by item (``None``: no label), and how often a rater says what: ``[true, said]``."""

    labels: list[Distribution | None]
    classes: tuple[Hashable, ...]
    raters: dict[str, Floats]
    n_rounds: int
    notes: tuple[str, ...]


def aggregate(
    verdicts: Table | Mapping[str, Said], how: How = "dawid-skene", *, smooth: float = 1.0, gold: Said | None = None,
    rounds: int = 200
) -> Aggregated:  # fmt: skip
    """One soft label an item from the labels of several raters; ``None`` is no label.

    ``"mean"`` is the share of the raters, ``"vote"`` what most say (none where two are level). ``"one-coin"`` learns
    how often each is right, ``"dawid-skene"`` how often each says what of each class, by EM from the shares, until the
    log-likelihood moves by less than 1e-6 an item; ``smooth`` right answers, and half as many of every kind, are added
    to each class of a rater (0: as published). ``gold`` are known labels, which stay as they are. The raters of a table
    are its judges, or the templates of its one judge.

    EM without gold refuses fewer than three raters (two cannot be told apart) and raters who all say the same. With
    four or more, a warning names two who agree far more than their agreement with two others allows: EM believes them.
    ``notes`` repeat it, and name raters of one class or of fewer than five labels.

    Source:
        Dawid and Skene 1979; the smoothing is ours. It believes copies, with gold too: make one rater of a family.

    Example:
        >>> said = {"a": [1, 1, 0, 1, 0, 0], "b": [1, 1, 0, 1, 0, 0], "c": [0, 1, 1, 0, 0, 1]}
        >>> [round(one[1], 4) for one in aggregate(said).labels]
        [0.9851, 0.9855, 0.0149, 0.9851, 0.0145, 0.0149]
    """
    if isinstance(verdicts, Table):
        table, asked = verdicts, dict.fromkeys((row.judge, row.template) for row in verdicts)
        wordings = len(asked) > len(table.judges)
        if wordings and len(table.judges) > 1:
            raise InnerjudgeError.of("stats.wordings", shown(", ".join(table.judges)))
        verdicts = {t if wordings else j: table.labels(j, template=t) for j, t in asked}
    read = {name: [None if v != v else v for v in column] for name, column in verdicts.items()}  # NaN is no label
    columns = {name: column for name, column in read.items() if any(v is not None for v in column)}
    require_same_length(**{**columns, **({} if gold is None else {"the gold labels": gold})})
    classes = tuple(dict.fromkeys(v for c in (*columns.values(), gold or ()) for v in c if v is not None))
    learns, said = how in ("dawid-skene", "one-coin"), [_one_hot(column, classes) for column in columns.values()]
    apart = gold is not None or any(len({*at} - {None}) > 1 for at in zip(*columns.values(), strict=True))
    few = len(said) < (3 if learns and gold is None else 1) or (learns and not (apart and len(classes) > 1))
    if few or how not in get_args(How) or not 0 <= smooth < np.inf or rounds < 1:
        people = shown(", ".join(columns)) or "nobody"
        raise InnerjudgeError.of("stats.aggregate", how, smooth, rounds, people, ", ".join(get_args(How)))
    votes, known = np.sum(said, axis=0), _one_hot(gold or [None] * len(said[0]), classes)
    q = known + votes / np.maximum(votes.sum(1, keepdims=True), 1) * (1 - known.sum(1, keepdims=True))
    rated, error, taken, before = q.any(1), _confusions(q, said, how, smooth), 0, -np.inf
    while learns and taken < rounds:
        taken, p = taken + 1, q.sum(axis=0) + smooth
        joint = np.log(p / p.sum()) + np.einsum("ris,rcs->ic", said, np.log(np.maximum(error, 1e-10)))
        total = logsumexp(joint, axis=1, keepdims=True)
        q = np.where(known.any(1, keepdims=True), known, np.exp(joint - total)) * rated[:, None]
        if abs(total.sum() - before) < 1e-6 * len(q):
            break
        error, before = _confusions(q, said, how, smooth), total.sum()
    if how == "vote":
        best = q > q.max(1, keepdims=True) - 1e-12
        q = best * (best.sum(1, keepdims=True) == 1.0) * rated[:, None]
    named = list(zip(columns, said, strict=True))
    notes = [f"{a} and {b} agree far more than with others: make one rater of them first" for a, b in _copies(named)]
    if notes:
        warnings.warn(shown("; ".join(notes), 500), stacklevel=2)
    notes += [f"{r} has one class, or fewer than five labels" for r, x in named if x.sum() < 5 or x.any(0).sum() < 2]
    soft: list[Distribution | None] = [dict(zip(classes, row, strict=True)) if any(row) else None for row in q.tolist()]
    return Aggregated(soft, classes, dict(zip(columns, error, strict=True)), taken, tuple(notes))


def _one_hot(column: Said, classes: Sequence[Hashable]) -> Floats:
    return np.array([[v is not None and v == c for c in classes] for v in column], dtype=np.float64)


def _confusions(q: Floats, said: Sequence[Floats], how: How, smooth: float) -> list[Floats]:
    same, counts = np.eye(q.shape[1]), [q.T @ x for x in said]
    if how != "one-coin":
        return [(n := k + smooth * (same + 0.5)) / np.maximum(n.sum(1, keepdims=True), 1e-10) for k in counts]
    right = [(np.trace(k) + 1.5 * smooth) / max(k.sum() + 2 * smooth, 1e-10) for k in counts]
    return [np.where(same, r, (1 - r) / (len(same) - 1)) for r in right]


def _copies(raters: Sequence[tuple[str, Floats]]) -> list[tuple[str, str]]:
    """Pairs whose agreement beyond chance is above what two others imply, by four standard errors and a tenth.

    Raters who err by themselves share ``c_rs = c_rt c_su / c_tu``, whatever their confusions between two classes. The
    posterior of EM is no help: it takes a clique for the truth.
    """
    said = np.stack([x for _, x in raters])
    held, every = said.sum(axis=2), range(len(said))
    both = np.maximum(held @ held.T, 1)
    share = np.einsum("ric,si->rsc", said, held) / both[..., None]
    chance = np.einsum("rsc,src->rs", share, share)
    c, noise = np.einsum("ric,sic->rs", said, said) / both - chance, chance * (1 - chance) / both
    found, of_others = [], (c > 4 * noise**0.5) & ~np.eye(len(said), dtype=bool)
    for r, s in combinations(every, 2):  # (t, u) are all others at once
        rt, su = c[r][:, None], c[s][None, :]
        with np.errstate(all="ignore"):
            meant = rt * su / c
            parts = su**2 * noise[r][:, None] + rt**2 * noise[s][None, :] + meant**2 * noise
            odd = c[r, s] - meant > np.maximum(0.1, 4 * (noise[r, s] + parts / c**2) ** 0.5)
        odd &= of_others & (c[r, s] > c)  # of two such pairs, those who agree more
        odd[[r, s]] = odd[:, [r, s]] = False
        found += [(raters[r][0], raters[s][0])] if odd.any() else []
    return found


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
