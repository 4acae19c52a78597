"""Cheap scores of the same rows, each fitted on other questions: what a method must beat."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, SplineTransformer

from ....probes.text_only import tfidf
from ..trace_blind import PASS_RATE, pass_rate
from .scores import Scores

Floats = npt.NDArray[np.float64]
#: Folds of questions.
_FOLDS = 5


def opponents(given: Scores) -> dict[str, Floats]:
    """Name of an opponent -> its score of each row, by a fit on the other questions.

    ``length`` (a spline of the characters), ``source`` (its share of right answers), ``text`` and ``prompt as text``
    (logistic regressions on TF-IDF of words, signs and pairs of them), ``similarity to the prompt`` (cosine of the two
    texts' TF-IDF, not fitted to labels), and the pass rate of the question's other candidates, which knows labels and
    no text.

    Source:
        Text classifiers as in arXiv 2605.09502; similarity after 2605.17028; pass rate 2609.03436.
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
        found["similarity to the prompt"] = _similarity(given)
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
            try:
                found[test] = make().fit(rows[train], y[train]).decision_function(rows[test])
            except ValueError:  # no word is left in any text
                continue
    return found


def _similarity(given: Scores) -> Floats:
    texts, prompts = given.more["text"], given.more["prompt"]
    try:
        made = tfidf().fit([*texts, *prompts])
    except ValueError:
        return np.zeros(len(given))
    return np.asarray(made.transform(texts).multiply(made.transform(prompts)).sum(axis=1)).reshape(-1)
