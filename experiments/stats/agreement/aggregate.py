"""Labels of several raters, judges or people, as one soft label an item, and how good each rater is."""

import warnings
from collections.abc import Hashable, Mapping, Sequence
from itertools import combinations
from typing import Literal, NamedTuple, get_args

import numpy as np
from scipy.special import logsumexp

from ....models.errors import InnerjudgeError, shown
from ...data.verdict_table import Table
from ..statistic import Floats, Said, require_same_length
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
    verdicts: Table | Mapping[str, Said],
    how: How = "dawid-skene",
    *,
    smooth: float = 1.0,
    gold: Said | None = None,
    rounds: int = 200,
) -> Aggregated:
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
        raise InnerjudgeError.of(
            "stats.aggregate", how, smooth, rounds, shown(", ".join(columns)) or "nobody", ", ".join(get_args(How))
        )
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
