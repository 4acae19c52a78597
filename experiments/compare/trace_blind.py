"""Scores of an answer without reading it: by the other answers to its question, their labels, or another's score."""

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import clone

from ...extraction.features import Features
from ...extraction.readout_names import states_of
from ...extraction.readouts import States
from ...probes import BaseJudge, Verdict
from ..data.answers import normalise
from ..data.splits import Index, rows_by_group
from ..data.verdict_table import Row
from ..judges.fitting import fit_seat
from ..stats.statistic import Values, finite

#: The opponent that takes an answer for right where many candidates agree on it.
AGREEMENT = "majority agreement"
#: What reads labels and no trace: its AUROC within questions is 0 by construction, where a question has both labels.
PASS_RATE = "pass rate of the others"
#: Tag of a row: the score by the same judge on random projections of the question's state, ``"None"`` without one.
RANDOM = "on the question at random"


def agreement(answers: Sequence[str | None], groups: Sequence[Hashable]) -> list[float | None]:
    """Share of a question's answers that equal this one, normalised; ``None`` without an answer or any other one."""
    found: list[float | None] = [None] * len(answers)
    for rows in rows_by_group(groups):
        said = {k: one for k in rows.tolist() if (one := normalise(answers[k])) is not None}
        counts = Counter(said.values())
        for k, one in said.items() if len(said) > 1 else ():
            found[k] = counts[one] / len(said)
    return found


def agreement_rows(rows: Iterable[Row]) -> list[Row]:
    """Verdicts of :data:`AGREEMENT` on the items of these rows; none where no question has several answers."""
    items = list({row.item: row for row in rows}.values())
    scores = agreement([row.answer for row in items], [(row.data, row.question) for row in items])
    if not any(score is not None for score in scores):
        return []
    why = "no answer to compare, or no other one to its question"
    return [
        replace(
            row, judge=AGREEMENT, score=score, label=None, unscored=why if score is None else None,
            tags={name: tag for name, tag in row.tags.items() if name != RANDOM},
        )
        for row, score in zip(items, scores, strict=True)
    ]  # fmt: skip


def pass_rate(right: Values, groups: Sequence[Hashable]) -> npt.NDArray[np.float64]:
    """How many of the question's other candidates are right; the share of all that are, where there is no other.

    Source: arXiv 2609.03436: the leave-one-out pass rate.
    """
    y = finite(right)
    found = np.full(len(y), y.mean())
    for rows in rows_by_group(groups):
        if len(rows) > 1:
            found[rows] = (y[rows].sum() - y[rows]) / (len(rows) - 1)
    return found


def of_another(scores: Values, groups: Sequence[Hashable]) -> list[float | None]:
    """The score of the next candidate of the same question (for the last, the first's); ``None`` if there is no other.

    A judge reads an answer by itself, so this is what it says of the states of another answer: what is left of a figure
    is not about this one.
    """
    found: list[float | None] = [None] * len(scores)
    for rows in rows_by_group(groups):
        known = [k for k in rows.tolist() if scores[k] is not None]
        for k, other in zip(known, known[1:] + known[:1], strict=True):
            found[k] = scores[other] if other != k else None
    return found


def of_the_question(
    judge: BaseJudge, features: Features, labels: Sequence[Any], fit: Index, test: Index, seed: int = 0
) -> list[Verdict] | None:
    """What the same judge, fitted anew, says where every state is the question's: it reads nothing of the answer.

    Each place has a random projection of it of equal width (other order, other signs), so that places differ as states
    do. ``None`` for a judge that reads no states or learns nothing, and without the question's state.
    """
    hidden = [name for name in judge.needs if name.startswith("hidden/") and name in features.arrays]
    states = [name for name in hidden if features[name].ndim == 3]
    if not (states and judge.learns and "hidden/prompt_end" in features.arrays):
        return None
    same, rng, own = clone(judge), np.random.default_rng(seed), features["hidden/prompt_end"]
    turned = {}
    for name in states:
        readout = states_of(name)
        state = own[:, readout.chosen(own.shape[1])] if isinstance(readout, States) else own
        turned[name] = state[..., rng.permutation(own.shape[-1])]
        turned[name] *= rng.choice(np.array([-1, 1], dtype=np.float32), own.shape[-1])
    random = replace(features, arrays={**features.arrays, **turned})
    fit_seat("", same, random, labels, fit)
    return None if same.provenance_ is None else same.verdicts(random.take(test))
