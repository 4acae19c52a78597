"""Labels of single steps, as judges learn from them, and opponents that score steps without reading a state."""

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from itertools import pairwise
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from ..extraction.features import Features
from ..models.errors import InnerjudgeError
from ..models.foreign import parse_json, refusing
from ..models.roles import Role
from .description import derived
from .estimator import parameters
from .judge import Scores
from .labels import Floats, Known, correctness, soft_correctness
from .regression import LOGISTIC_CANDIDATES, TEXT_CANDIDATES, fit_logistic, fit_sparse
from .text_only import TextReader

#: Columns of what is known of a step without its words: index, share of the steps, characters, a draw.
_COLUMNS = {"position": [0, 1], "length": [2], "random": [3]}
By = Literal["random", "position", "length", "words", "log_probability"]


def step_truths(labels: Sequence[Any], counts: npt.NDArray[np.int64], what: str = "steps") -> tuple[Known, Floats]:
    """How surely each item is right, ``[n]``, and each of its steps, ``[N]``: 0 to 1, NaN where that is not known.

    ``labels`` are ``{"steps": ..., "correct": ...}`` (or ``"spans"``), or those of the item alone, which all its
    ``counts`` steps then have. An item of which only the steps are known is right unless one is wrong.
    ``InnerjudgeError`` for another number of labels than of steps, or if there are not both right and wrong steps.
    """
    items, steps = list[Any](), list[Any]()
    for one, n in zip(labels, counts.tolist(), strict=True):
        known = {what: (), "correct": None, **one} if isinstance(one, Mapping) else {what: (one,) * n, "correct": one}
        if len(known[what]) != n:
            raise InnerjudgeError.of("probes.steps", len(known[what]), n, what)
        items.append(False not in known[what] if known["correct"] is None else known["correct"])
        steps += known[what]
    soft_correctness(np.array([one for one in steps if one is not None]))
    found = np.array([np.nan if one is None else one for one in steps], dtype=np.float64)
    return soft_correctness(np.array(items), both=False), found


def one_a_step(role: str, reduce: str) -> bool:
    """Whether states of this role are one a step."""
    kind = Role.parse(role).kind
    return kind in ("step_end", "before_step") or (kind == "step" and reduce != "none")


def by_item(values: Floats, counts: npt.NDArray[np.int64]) -> list[Floats]:
    """Values ``[N]`` of the steps of all items as those of each item."""
    return [values[a:b] for a, b in pairwise([0, *np.cumsum(counts).tolist()])]


@parameters
class StepOpponent(TextReader):
    """Logistic regression of whether a step is right, on something cheap; the score of a trace is its lowest step's.

    Steps are those that the items bring along (:attr:`.Trace.steps`), and so are their labels; a step of an item
    without such labels has the item's.

    Args:
        by: ``"random"``, a number drawn from the item's name; ``"position"``, the step's index and its share of the
            steps; ``"length"`` in characters; ``"words"``, the TF-IDF of the step's text; ``"log_probability"``, the
            mean over its tokens.

    Attributes:
        coef_: ``[terms]`` float64.
        intercept_: Log-odds of a step of zeros.
        vocabulary_: The terms of ``"words"``; else what each number is.
        idf_: ``[terms]`` float64, the weight of each, 1 for numbers.

    Example:
        >>> texts = {"steps": ['["1+1=2", "so 2"]', '["1+1=3", "so 3"]'] * 4}
        >>> f = Features.from_arrays({}, texts=texts, provenance="m", groups="ppqqrrss")
        >>> labels = [{"steps": (True, True), "correct": True}, {"steps": (False, None), "correct": False}] * 4
        >>> right, wrong = StepOpponent(by="words").fit(f, labels).step_scores(f)[:2]
        >>> bool(right[0] > 0.8 > 0.2 > wrong[0])
        True
    """

    by: By = "position"

    kinds = ("trace",)
    label_fields = ("step_labels", "sample_weight")
    needs = derived(lambda self: ("tokens/step.mean(log_probability)" if self.by == "log_probability" else "steps",))

    def _unreadable(self, features: Features) -> dict[str, str]:
        texts = features.texts[self.needs[0]] if self.needs == ("steps",) else ()
        return {item: "it has no steps of its own" for item, text in zip(features.ids, texts, strict=False) if not text}

    def fit(self, features: Features, labels: npt.ArrayLike) -> Self:
        """Learn from labels ``[n]``: booleans, or ``{"steps": (True, None), "correct": True}``.

        ``InnerjudgeError`` if no item can be read, or the steps are all right, or all wrong.
        """
        part, values, excluded = self._training(features, labels)
        x, counts = self._read(part)
        right = step_truths(values.tolist(), counts)[1]
        known = np.flatnonzero(~np.isnan(right))
        y, groups = correctness(right[known]), tuple(np.repeat(part.groups, counts)[known].tolist())
        if self.by == "words":
            found = fit_sparse("correct", self._learn_terms(x)[known], y, groups, TEXT_CANDIDATES)
        else:
            self.vocabulary_, self.idf_ = (self.by,) * x.shape[1], np.ones(x.shape[1])
            found = fit_logistic(x[known], y, groups, LOGISTIC_CANDIDATES)
        self.coef_, self.intercept_ = found.coef, found.intercept
        return self._fitted_on(features, excluded)

    def _read(self, features: Features) -> tuple[Any, npt.NDArray[np.int64]]:
        """What is known of each step, ``[N, F]`` or its text, and how many each item has."""
        if self.by == "log_probability":
            held = features.ragged[self.needs[0]]
            return held.values.astype(np.float64)[:, None], held.counts
        with refusing("a text of features", "a list of steps: extract them again"):
            each = [[str(step) for step in parse_json(text)] for text in features.texts["steps"]]
        counts, flat = np.array([len(own) for own in each], dtype=np.int64), [step for own in each for step in own]
        if self.by == "words":
            return flat, counts
        rows = [
            (k, (k + 1) / len(own), len(step), int(blake2b(f"{name}/{k}".encode(), digest_size=4).hexdigest(), 16))
            for name, own in zip(features.ids, each, strict=True)
            for k, step in enumerate(own)
        ]
        return np.array(rows, dtype=np.float64).reshape(-1, 4)[:, _COLUMNS[self.by]], counts

    def _by_step(self, features: Features) -> list[Floats]:
        x, counts = self._read(features)
        x = self._vectors(x) if self.by == "words" else x
        return by_item(np.asarray(x @ self.coef_ + self.intercept_), counts)

    def step_scores(self, features: Features) -> list[Floats]:
        """Probability that each step of each item is right."""
        return [expit(one) for one in self._by_step(features)]

    def _scores(self, features: Features) -> Scores:
        return np.array([one.min() for one in self._by_step(features)])
