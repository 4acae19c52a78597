"""Checks of a table that do not use its scores: leaks, and cheap scores of the same rows."""

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, SplineTransformer

from ....probes.text_only import tfidf
from ..figures import Cell, Section, grid, section, worded
from ..trace_blind import PASS_RATE, pass_rate
from .scores import Scores


def checks(given: Scores) -> Section:
    """Leaks in the data themselves, independent of the scores."""
    leaked, right = given.leaked, np.array(given.labels)
    shares = [] if leaked is None else [f"{leaked[side].mean():.0%}" for side in (right, ~right)]
    leaks = zip(("right", "wrong"), shares, strict=False)
    rows: list[list[Cell]] = [[f"answer in the prompt, of {kind} ones", share] for kind, share in leaks]
    twice: dict[str, int] = {}
    if "split" in given.more:
        for field in ("prompt", "text"):
            texts = [" ".join(t.casefold().split()) for t in given.more.get(field, ())]
            twice |= {f"{field}s": _on_both_sides(texts, given.more["split"])} if texts else {}
        twice["questions"] = _on_both_sides(given.questions, given.more["split"])
        rows += [[f"{of} on both sides of the split", n] for of, n in twice.items()]
    if "text" in given.more:
        repeated = sum(n - 1 for n in Counter(zip(given.questions, given.more["text"], strict=True)).values())
        rows.append(["candidates that repeat another of their question", repeated])
    sizes = Counter(given.questions)
    rows.append(["candidates per question", f"{min(sizes.values())} to {max(sizes.values())}"])
    mixed = _on_both_sides(given.questions, given.labels)
    rows.append(["questions with a right and a wrong candidate", mixed])
    absent = [name for name in ("text", "prompt", "answer", "source", "split") if name not in given.more]
    any_leaked = leaked is not None and leaked.any()
    found = worded("checks", leaked=shares if any_leaked else [], twice=twice, mixed=mixed, absent=absent)
    return section("checks", "The data", found, [grid("checks", rows)])


def _on_both_sides(names: Sequence[str], sides: Sequence[object]) -> int:
    return sum(n > 1 for n in Counter(name for name, _ in set(zip(names, sides, strict=True))).values())


Floats = npt.NDArray[np.float64]
#: Folds of questions.
_FOLDS = 5


def opponents(given: Scores) -> dict[str, Floats]:
    """Name of an opponent -> its score of each row, by a fit on the other questions.

    ``length`` (a spline of the characters), ``source`` (its share of right answers), ``text`` and ``prompt as text``
    (logistic regressions on TF-IDF of words, signs and pairs of them), ``similarity to the prompt`` (cosine of the two
    texts' TF-IDF, not fitted to labels), and the pass rate of the question's other candidates, which knows labels and
    no text.

    Source: Text classifiers as in arXiv 2605.09502; similarity after 2605.17028; pass rate 2609.03436.
    """
    found: dict[str, Floats] = {}
    more = given.more
    if given.lengths is not None and np.ptp(given.lengths) > 0:
        rows = np.log1p(given.lengths)[:, None]
        found["length"] = _held_out(given, rows, lambda: _logistic(SplineTransformer(n_knots=4, degree=2)))
    if "source" in more and len(set(more["source"])) > 1:
        rows = np.array(more["source"], dtype=object)[:, None]
        found["source"] = _held_out(given, rows, lambda: _logistic(OneHotEncoder(handle_unknown="ignore")))
    for name, field in (("text", "text"), ("prompt as text", "prompt")):
        if field in more and len(set(more[field])) > 1:
            found[name] = _held_out(given, np.array(more[field], dtype=object), lambda: _logistic(tfidf()))
    if {"text", "prompt"} <= more.keys():
        near = np.zeros(len(given))
        with suppress(ValueError):  # no word is left in any text
            made = tfidf().fit([*more["text"], *more["prompt"]])
            products = made.transform(more["text"]).multiply(made.transform(more["prompt"]))
            near = np.asarray(products.sum(axis=1)).reshape(-1)
        found["similarity to the prompt"] = near
    if len(set(given.questions)) < len(given):
        found[PASS_RATE] = pass_rate(given.labels, given.questions)
    return found


def _logistic(first: object) -> Pipeline:
    return make_pipeline(first, LogisticRegression(max_iter=2000))


def _held_out(given: Scores, rows: npt.NDArray[np.generic], make: Callable[[], Pipeline]) -> Floats:
    """Log-odds of each row by a fit without its question; 0 where the others are of one class."""
    y, groups = np.array(given.labels), np.array(given.questions)
    found = np.zeros(len(y))
    for train, test in GroupKFold(min(_FOLDS, len(set(given.questions)))).split(rows, groups=groups):
        if len(set(y[train])) > 1:
            with suppress(ValueError):  # no word is left in any text
                found[test] = make().fit(rows[train], y[train]).decision_function(rows[test])
    return found
