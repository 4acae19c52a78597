"""A sweep over judges, positions, layers and normalisations on stored features, and the luck of picking the best."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import rankdata
from sklearn.base import clone

from ...extraction.features import Features
from ...extraction.readout_names import range_readout
from ...extraction.readouts import States
from ...models.arguments import checked
from ...models.errors import InnerjudgeError
from ...probes import EScore, registered_judges
from ...probes.choices import head_credits
from ...probes.row_judge import each_entry
from ...probes.scaling import divisors
from ..data.splits import Index, rows_by_group, split_by_group
from ..reading.progress import Steps, silent
from ..stats.intervals import Interval, cluster_interval
from ..stats.metrics.accuracy import within_question_auroc
from ..stats.metrics.correlation import spearman
from ..stats.selection_noise import SelectionNoise, auroc_by_question, selection_noise
from ..stats.statistic import SHARE, Floats, ratio
from .figures import worded

#: Takes what makes a part of a sweep, and gives what it made, just now or in an earlier run.
Keep = Callable[[Callable[[], Floats]], Floats]
#: What is done to a state before a judge sees it.
NORMALISATIONS = ("as it is", "unit length", "standardised")
_METRICS = {"trace": "within-question AUROC", "rating": "Spearman", "choice": "accuracy"}
#: Ends and beginnings whose difference is a position of its own, as in CLUE.
_DELTAS = (("reasoning_end", "reasoning_start"), ("response_end", "prompt_end"))
_HEADS = ("qk/before", "qk/after", "attention")
#: What judges on a sweep call the one state that they read, of a position and of a role.
_STATE = ("hidden/state", "hidden/named(state).none[-1]")
_REPORTED = 4  # questions that picking needs two halves of
_READABLE = 0.9  # share of the items that must have a position


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Sweep:
    """What a sweep of ``n_fit`` items to fit on and ``n_test`` to report on found, and ``notes`` of what was left out.

    The ``table`` has one row a cell: ``judge``, ``position``, ``row`` (``0..L`` for ``h[l]``, ``L + 1`` for the
    final-normed state, -1 where it was extracted by that number; the block for heads), ``head``, ``normalisation``,
    ``penalty``, ``fit`` (figure on the fitting questions, held out by question) and ``test`` (figure on the reported
    ones); ``metric`` says what the figures are.
    ``picked`` is the row of the cell that is best on the fitting questions, ``honest`` its figure on the reported
    questions, ``noise`` what picking on the reported questions themselves would add by luck.
    """

    table: pd.DataFrame
    metric: str
    picked: int
    honest: Interval
    noise: SelectionNoise
    notes: tuple[str, ...]
    n_fit: int
    n_test: int

    def __repr__(self) -> str:
        sizes = f"fitted on {self.n_fit} items, reported on {self.n_test}"
        return f"Sweep({len(self.table)} cells, {self.metric}, {sizes}; picked {_name(self, self.picked)})"

    def _repr_html_(self) -> str:
        """The cells that are best on the fitting questions, for notebooks."""
        return str(self.table.sort_values("fit", ascending=False).head(10).to_html(float_format="{:.3g}".format))


@dataclass(frozen=True, slots=True)
class _Cell:
    """A block of cells that share everything but the row (and head): scores of fitting and test items."""

    names: dict[str, Any]
    penalty: Floats
    held_out: Floats  # [C, fitting items]
    test: Floats  # [C, test items]


@checked
def sweep(
    features: Features, labels: Sequence[Any], kind: str, *, roles: Sequence[str] = (), heads: Sequence[str] = (),
    fit_share: float = 0.5, n_splits: int = 100, seed: int = 0, keep: Keep = lambda make: make(), steps: Steps = silent
) -> Sweep:  # fmt: skip
    """Fit every head at every layer, place and normalisation, on one part of the questions; report on the other.

    Traces: batched logistic probes, difference of means and nearest centroid; ratings: ridge probes and the expected
    score of each block's own logits; choices: every head by its query-key products and attention.

    ``features`` are what :func:`.read` or ``innerjudge extract`` kept, ``labels`` (``[n]``) correctness, mean human
    scores or answers; items with ``None`` are left out. ``kind`` is ``"trace"`` (also responses that were preferred or
    not), ``"rating"`` or ``"choice"``.

    ``roles`` are the places to go over: ``"reasoning_end"``, ``"response.mean"``, or ``"step_end"`` with any reduction;
    without, all whose states the features have. Of several states of an item, the mean is read. ``heads`` are the
    names in the column ``judge``; without, all that are quickly fitted: not ``"mlp"``, a layer of 64 on the state.

    ``fit_share`` of the questions are fitted on; the optimism is estimated from ``n_splits`` random halvings; ``seed``
    is that of the split and the halvings. ``keep`` is called once for each fit, always in the same order.
    ``InnerjudgeError`` if nothing can be swept: too few questions or labels, no readout of this kind, or no such role
    or head.
    """
    if kind not in _METRICS:
        raise InnerjudgeError(f"given the kind {kind!r}, expected one of {sorted(_METRICS)}")
    judges, (part, known, notes) = _judges(kind, heads), _usable(features, labels, kind, roles)
    fit, test = split_by_group(part.groups, train_fraction=fit_share, seed=seed)
    groups = [part.groups[k] for k in test]
    sides = [{bool(known[test[k]]) for k in rows} for rows in rows_by_group(groups)]
    usable = sum(kind != "trace" or len(side) > 1 for side in sides)
    if usable < _REPORTED:  # refused before the long work
        both = " with a right and a wrong answer" if kind == "trace" else ""
        raise InnerjudgeError.of("compare.few-reported", len({*part.groups}), len(sides), usable, both, _REPORTED)
    if kind == "choice":
        blocks = list(_heads(part, known, fit, test))
    else:
        blocks = [*_probes(part, known, judges, fit, test, keep, steps), *_expected_scores(part, kind, fit, test)]
    seen = np.concatenate([_figures(kind, known[fit], b.held_out, [part.groups[k] for k in fit]) for b in blocks])
    scores = np.concatenate([b.test for b in blocks])
    table = pd.concat([_rows(b) for b in blocks], ignore_index=True)
    table["fit"], table["test"] = seen, _figures(kind, known[test], scores, groups)
    if np.isnan(seen).all():
        raise InnerjudgeError.of("compare.no-cell", len(part), _METRICS[kind])
    picked = int(np.nanargmax(seen))
    return Sweep(
        table=table, metric=_METRICS[kind], picked=picked,
        honest=_interval(kind, known[test], scores[picked], groups),
        noise=_noise(kind, known[test], scores, groups, n_splits, seed), notes=tuple(notes), n_fit=len(fit),
        n_test=len(test),
    )  # fmt: skip


@checked
def sentences(found: Sweep) -> tuple[str, ...]:
    """What was picked, what it is worth, and what picking on the reported questions would have claimed."""
    picked, best = (_name(found, cell) for cell in (found.picked, found.noise.pick))
    told = {"honest": found.honest, "noise": found.noise, "metric": found.metric, "picked": picked, "best": best}
    return tuple(worded("sweep", **told, fit=found.table["fit"][found.picked]))


def _name(found: Sweep, cell: int) -> str:
    row = found.table.loc[cell]
    head = "" if row["head"] is pd.NA else f" head {row['head']}"
    return f"{row['judge']} at {row['position']}, row {row['row']}{head}, {row['normalisation']}"


def _judges(kind: str, heads: Sequence[str]) -> dict[str, Any]:
    """The heads of these names, or those that are quickly fitted."""
    every = {name: judge for cls in registered_judges().values() for name, judge in cls.sweep_presets(kind).items()}
    if odd := {*heads} - every.keys():
        raise InnerjudgeError.of("compare.no-head", min(odd), kind, ", ".join(every) or "-")
    return {name: judge for name, judge in every.items() if (name in heads if heads else not judge.on_request)}


def _named(features: Features, kind: str, roles: Sequence[str]) -> list[str]:
    """The readouts to go over, by the names of roles or all of them."""
    axes = {name: held.ndim for name, held in features.arrays.items()}
    axes |= {name: len(held.shape) for name, held in features.ragged.items()}
    states = [name for name, count in axes.items() if name.startswith("hidden/") and count == 3]
    found = [name for name in _HEADS if name in axes] if kind == "choice" else states
    ends = {role: tuple(f"{start}{role}{end}" for start in ("", "hidden/") for end in ".[") for role in roles}
    of = {role: [n for n in found if f"{n}.".startswith(ends[role])] for role in roles}
    if odd := [role for role, names in of.items() if not names]:
        there = ", ".join(n.removeprefix("hidden/") for n in found) or "none"
        raise InnerjudgeError.of("compare.no-role", odd[0], there)
    return list(dict.fromkeys(chain.from_iterable(of.values()))) if roles else found


def _usable(
    features: Features, labels: Sequence[Any], kind: str, roles: Sequence[str]
) -> tuple[Features, Any, list[str]]:
    """Labelled items that have every place that nearly all have, one state each; what few have is left out."""
    labelled = [k for k, label in enumerate(labels) if label is not None]
    part = features.take(labelled)
    there = {name: part.present(name) for name in _named(part, kind, roles)}
    there |= {name: there[name] & (part.ragged[name].counts > 0) for name in there if name in part.ragged}
    shares = {name: float(has.mean()) if len(part) else 0.0 for name, has in there.items()}
    kept = [name for name in there if shares[name] >= _READABLE]
    if not kept:
        raise InnerjudgeError.of("compare.unreadable", len(part), sorted(shares), kind, _READABLE)
    notes = [f"{n} is left out: only {shares[n]:.0%} of the items have it." for n in there if n not in kept]
    whole = np.flatnonzero(np.all([there[name] for name in kept], axis=0))
    if len(whole) < len(part):
        notes.append(f"{len(part) - len(whole)} items that lack a position are left out.")
    also = {n: a for n, a in part.arrays.items() if n in (*kept, "labels", "logits/score")}
    rows = replace(part, arrays=also, ragged={n: one for n, one in part.ragged.items() if n in kept})[whole]
    means = {name: np.stack([states.mean(axis=0) for states in held]) for name, held in rows.ragged.items()}
    made = replace(rows, arrays={**rows.arrays, **means}, ragged={})
    return made, np.array([labels[labelled[k]] for k in whole]), notes


def _probes(
    part: Features, y: Any, judges: dict[str, Any], fit: Index, test: Index, keep: Keep, steps: Steps
) -> Iterator[_Cell]:
    a_row = sum(not j.standardises or how != "standardised" for j in judges.values() for how in NORMALISATIONS)
    done = steps("fitting probes", a_row * sum(len(states) for _, _, states in _positions(part)))
    for position, numbers, states in _positions(part):
        for normalisation in NORMALISATIONS:
            alone = (x[:, None].astype(np.float32) for x in _normalised(states, normalisation, fit))
            # One state an item, also as the range of a role, and the origin that it is compared with.
            arrays = (dict.fromkeys(_STATE, state) | {"hidden/origin": np.zeros_like(state)} for state in alone)
            rows = [replace(part, arrays=held, missing={}) for held in arrays]
            for name, judge in judges.items():
                if judge.standardises and normalisation == "standardised":
                    continue
                made = np.stack([keep(partial(_fitted, clone(judge), row, y, fit, test)) for row in rows])
                done(len(rows))
                names = {"judge": name, "position": position, "normalisation": normalisation, "rows": numbers}
                yield _Cell(names, made[:, 0], made[:, 1 : len(fit) + 1], made[:, len(fit) + 1 :])


def _expected_scores(part: Features, kind: str, fit: Index, test: Index) -> Iterator[_Cell]:
    if kind == "rating" and "logits/score" in part.arrays and part.present("logits/score").all():
        judge = EScore(values=range(1, part["logits/score"].shape[-1] + 1))
        labelled = replace(part, arrays={**part.arrays, "labels": np.full(len(part), len(judge.values))})
        for normed, normalisation in ((False, "raw state"), (True, "final norm")):
            cells = np.stack([judge.decision_function(alone) for alone in each_entry(labelled, normed=normed)])
            names = {"judge": "expected score of one block", "position": "score", "normalisation": normalisation}
            yield _Cell(names, np.full(len(cells), np.nan), cells[:, fit], cells[:, test])


def _fitted(judge: Any, row: Features, y: Any, fit: Index, test: Index) -> Floats:
    """The penalty of a judge fitted on a row, then its scores of the fitting items (held out) and of the test items."""
    held = judge.fit_held_out(row[fit], y[fit])
    penalty = np.nan if judge.penalty is None else judge.penalty
    return np.concatenate([[penalty], held, judge.decision_function(row[test])])


def _heads(part: Features, y: Any, fit: Index, test: Index) -> Iterator[_Cell]:
    for name in (n for n in _HEADS if n in part.arrays):
        credit = head_credits(part[name], part["labels"].astype(np.intp), y.astype(np.intp))
        cells = credit.reshape(len(part), -1).T
        names = {"judge": name, "position": "option_end", "normalisation": "as it is", "heads": credit.shape[2]}
        yield _Cell(names, np.full(len(cells), np.nan), cells[:, fit], cells[:, test])


def _positions(part: Features) -> Iterator[tuple[str, Sequence[int], Floats]]:
    """The numbers of the rows and the states ``[R, n, D]`` of each place, and the differences that CLUE reads."""
    states = {n: a.swapaxes(0, 1).astype(np.float64) for n, a in part.arrays.items() if n.startswith("hidden/")}
    for name, rows in states.items():
        readout = range_readout(name)
        numbers = readout.rows if isinstance(readout, States) else None
        yield name.removeprefix("hidden/"), numbers or range(len(rows)), rows
    for end, start in _DELTAS:
        if (last := states.get(f"hidden/{end}")) is not None and (first := states.get(f"hidden/{start}")) is not None:
            yield f"{end} - {start}", range(len(last)), last - first


def _normalised(x: Floats, how: str, fit: Index) -> Floats:
    if how == "as it is":
        return x
    fitted = x[:, fit]
    if how == "unit length":
        return np.asarray(x / divisors(np.linalg.norm(x, axis=-1, keepdims=True), 0.0))
    return np.asarray(x / divisors(fitted.std(axis=1, keepdims=True), np.abs(fitted).max(axis=1, keepdims=True)))


def _rows(block: _Cell) -> pd.DataFrame:
    n, heads = len(block.test), block.names.get("heads")
    at = np.arange(n)
    found = pd.DataFrame({k: [v] * n for k, v in block.names.items() if k not in ("heads", "rows")})
    found.insert(2, "row", block.names.get("rows", at) if heads is None else at // heads + 1)
    found.insert(3, "head", pd.Series([pd.NA] * n if heads is None else at % heads, dtype="Int64"))
    found["penalty"] = block.penalty
    return found


def _figures(kind: str, y: Any, scores: Floats, groups: Sequence[str]) -> Floats:
    """Figure of every cell, ``[C]``; NaN where undefined."""
    if kind == "choice":
        return np.asarray(scores.mean(axis=1))
    if kind == "trace":
        each, _ = auroc_by_question([bool(v) for v in y], scores.T, groups)
        return np.where(np.isnan(scores).any(axis=1) | (not len(each)), np.nan, each.sum(axis=0) / max(len(each), 1))
    ranks, truth = rankdata(scores, axis=1), rankdata(y)
    ranks, truth = ranks - ranks.mean(axis=1, keepdims=True), truth - truth.mean()
    size = np.sqrt((ranks**2).sum(axis=1) * (truth**2).sum())
    flat = (size == 0) | np.isnan(scores).any(axis=1)
    return np.asarray(np.where(flat, np.nan, ranks @ truth / np.where(flat, 1.0, size)))


def _interval(kind: str, y: Any, scores: Floats, groups: Sequence[str]) -> Interval:
    if kind == "choice":
        return cluster_interval(ratio(scores, np.ones(len(scores)), limits=SHARE), groups)
    values = scores.tolist()
    found = within_question_auroc([bool(v) for v in y], values, groups) if kind == "trace" else spearman(y, values)
    return cluster_interval(found, groups)


def _noise(kind: str, y: Any, scores: Floats, groups: Sequence[str], n_splits: int, seed: int) -> SelectionNoise:
    if kind == "trace":
        each, questions = auroc_by_question([bool(v) for v in y], scores.T, groups)
        return selection_noise(lambda rows: each[rows].mean(axis=0), questions, n_splits=n_splits, seed=seed)

    def quality(rows: Index) -> Floats:
        return _figures(kind, y[rows], scores[:, rows], [groups[k] for k in rows])

    return selection_noise(quality, groups, n_splits=n_splits, seed=seed)
