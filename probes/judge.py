"""The interface of every judge, and the verdicts that it gives."""

from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import clone

from ..extraction.features import Features
from ..models.arguments import require_type
from ..models.errors import InnerjudgeError
from . import labels as truths
from .estimator import without
from .labels import Bools, Floats, Known, Weights
from .promising import PromisingReader

Scores = npt.NDArray[np.float64]
#: Features, labels, and where there are some the weights of items.
Part = tuple[Features, npt.ArrayLike] | tuple[Features, npt.ArrayLike, npt.ArrayLike | None]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a judge says about one item: a score and a label, or the reason why there is none.

    ``step_scores`` are probabilities that each of its steps is right, of judges that look at each.

    Example:
        >>> Verdict("q1/0", score=0.7, label=True).unscored is None
        True
    """

    id: str
    score: float | list[float] | None = None
    label: bool | int | float | str | None = None
    unscored: str | None = None
    step_scores: tuple[float, ...] | None = None


class BaseJudge(PromisingReader):
    """Reads features, returns scores; **higher is better, always**.

    The constructor checks its parameters (all keyword-only, all plain JSON) and stores them as given; ``fit`` (where
    there is something to learn) sets attributes that end in ``_``; :meth:`decision_function`, :meth:`predict` and
    :meth:`verdicts` read features of the same provenance only.
    """

    @abstractmethod
    def _scores(self, features: Features) -> Scores:
        """Scores of features that all have what the judge needs: ``[n]``, or ``[n, K]`` for choices."""

    @abstractmethod
    def _labels(self, scores: Scores, features: Features) -> list[Any]:
        """One label an item from its scores; ``None`` where the judge has scores only."""

    def _judged(self, features: Features) -> tuple[Scores, list[Any]]:
        """Scores and labels of features that all have what the judge needs; overridden where one work gives both."""
        scores = self._scores(features)
        return scores, self._labels(scores, features)

    def fit(self, features: Features, labels: npt.ArrayLike) -> Self:
        """Return the judge as it is: unless ``learns`` is true, there is nothing to learn."""
        require_type(features, Features, f"{type(self).__name__}.fit")
        return self

    def fit_parts(self, parts: Iterable[Part]) -> Self:
        """Like :meth:`fit` on all parts together, which are all in memory at once unless :attr:`learns_in_parts`.

        A part is features and labels, and weights of the items for a judge that takes them.
        """
        given = list(parts)
        features = Features.concat([part[0] for part in given])  # refuses that there is none
        told = [np.asarray(part[1]) for part in given if part[1] is not None]
        labels: Any = np.concatenate(told) if told else None
        weight = truths.all_weights([p[2] if len(p) > 2 else None for p in given], [len(p[0]) for p in given])
        return self.fit(features, labels, *([] if weight is None else [weight]))

    def fit_held_out(self, features: Features, labels: npt.ArrayLike, sample_weight: Weights = None) -> Scores:
        """Fit, and score ``[n]`` by judges fitted without the item's question; NaN if the rest is of one class."""
        columns = [np.asarray(c) for c in (labels, sample_weight) if c is not None]
        found = np.full(len(features), np.nan)
        for train, test in truths.folds(features.groups):
            if self._can_learn(*(c[train] for c in columns), groups=features[train].groups):
                some = clone(self).fit(features[train], *(c[train] for c in columns))
                found[test] = some.decision_function(features[test])
        self.fit(features, *columns)
        return found

    def _can_learn(self, labels: Known, weight: Floats | None = None, *, groups: tuple[str, ...]) -> bool:
        """Whether there is something to learn from these labels, those of weight 0 left out."""
        return len({*map(repr, (labels if weight is None else labels[np.asarray(weight) > 0]).tolist())}) > 1

    def decision_function(self, features: Features) -> Scores:
        """Scores, higher is better: shape ``[n]``, or ``[n, K]`` for choices, ``-inf`` beyond an item's options.

        ``InnerjudgeError`` if an item cannot be scored; :meth:`verdicts` gives the reason instead.
        """
        self._require_scorable(features)
        return self._scores(features)

    def _require_scorable(self, features: Features) -> None:
        missing = self.unscored(features)
        if missing:
            some, reason = next(iter(missing.items()))
            raise InnerjudgeError.of("probes.unscorable", len(missing), len(features), some, reason)

    def predict(self, features: Features) -> npt.NDArray[Any]:
        """Labels ``[n]``, as in :meth:`verdicts`; an object array if their types differ or some are ``None``.

        ``InnerjudgeError`` as in :meth:`decision_function`.
        """
        self._require_scorable(features)
        return as_labels(self._judged(features)[1])

    def verdicts(self, features: Features) -> list[Verdict]:
        """One verdict per item, in the order of ``features.ids``; never NaN, never a silent 0."""
        missing = self.unscored(features)
        part = without(features, missing)
        steps = (self.step_scores(part) if len(part) else None) or [None] * len(part)
        said = map(_verdict, part.ids, *self._judged(part), steps) if len(part) else ()
        found = {one.id: one for one in said}
        return [found.get(i) or Verdict(i, None, None, missing[i]) for i in features.ids]

    def save(self, folder: str | Path) -> None:
        """Write the judge into a folder: its parameters, what it learned, and the identity of its model.

        ``InnerjudgeError`` if the folder cannot be written.
        """
        _storage().save(self, folder)

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Inverse of :meth:`save`; ``BaseJudge.load`` loads a judge of any class.

        ``InnerjudgeError`` if there is no such judge, or it is of another class.
        """
        found = _storage().load(folder)
        if not isinstance(found, cls):
            raise InnerjudgeError(f"given a saved {type(found).__name__}, expected a {cls.__name__}: load it as one")
        return found

    def _fitted_on(self, features: Features, excluded: int) -> Self:
        """The judge, now of the model of its training items, of which some could not be read."""
        self.n_excluded_, self.provenance_ = excluded, features.provenance
        return self

    def _training(
        self, features: Features, labels: npt.ArrayLike, *, reasons: dict[str, str] | None = None, some: bool = True
    ) -> tuple[Features, npt.NDArray[Any], int]:
        """Usable training items (``some``: at least one), their labels, and how many were left out."""
        require_type(features, Features, f"{type(self).__name__}.fit")
        try:
            values = np.asarray(labels)
        except ValueError:  # lists of several lengths
            values = np.zeros(())
        if values.shape != (len(features),):
            raise InnerjudgeError.of("probes.labels-shape", values.shape, len(features))
        reasons = self._reasons(features) if reasons is None else reasons
        if some and len(reasons) == len(features):
            why = f" (first: {next(iter(reasons.items()))})" if reasons else ""
            raise InnerjudgeError.of("probes.none-readable", type(self).__name__, len(features), why)
        keep = np.array([i not in reasons for i in features.ids], dtype=bool)
        return without(features, reasons), values[keep], len(reasons)


class LearningJudge(BaseJudge):
    """A judge that must be fitted first; ``n_excluded_`` is the number of training items that could not be read."""

    learns: ClassVar[bool] = True

    def _labels(self, scores: Scores, features: Features) -> list[Any]:
        return [bool(s > 0) for s in scores]

    @abstractmethod
    def fit(self, features: Features, labels: npt.ArrayLike) -> Self:
        """Learn from labelled features and return the judge; a second call starts anew.

        ``InnerjudgeError`` if there is nothing to learn from: no usable item, or labels all of one class.
        """

    def _weighted(
        self, features: Features, labels: npt.ArrayLike, given: Weights = None, lost: Any = (), *, some: bool = True
    ) -> tuple[Features, Known, int, Floats | None]:
        """As :meth:`_training`, without items ``lost``, and the weights of the usable ones, where there are weights."""
        require_type(features, Features, f"{type(self).__name__}.fit")
        weight, reasons = truths.checked_weight(given, len(features)), self._reasons(features) | dict(lost)
        if weight is not None:
            weight = weight[[i not in reasons for i in features.ids]]
        return *self._training(features, labels, reasons=reasons, some=some), weight


def as_labels(labels: list[Any]) -> npt.NDArray[Any]:
    """Labels as an array ``[n]``: of their own type, or of objects if types differ or some are ``None``."""
    types = {type(label) for label in labels}
    plain = len(types) == 1 and type(None) not in types
    return np.array(labels, dtype=None if plain or types == {int, float} else object)


def _storage() -> Any:
    """The module that saves judges; it knows all their classes, and so cannot be imported by what they inherit."""
    return import_module(".storage", __package__)


def _verdict(name: str, score: Any, label: Any, steps: Floats | None) -> Verdict:
    plain = [float(s) for s in score if np.isfinite(s)] if np.ndim(score) else float(score)
    if plain != [] and np.isfinite(plain).all():
        return Verdict(name, plain, label, None, None if steps is None else tuple(steps.tolist()))
    return Verdict(name, unscored="its score is no finite number: the judge is damaged, or states are too large")


class ThresholdJudge(BaseJudge):
    """A judge that scores without a fit; ``fit`` on labelled traces is optional and sets a threshold, ``threshold_``.

    It is the score above which a trace is called correct, of the best balanced accuracy; ``None`` without ``fit``.
    """

    fitted: ClassVar[tuple[str, ...]] = ("threshold_", "n_excluded_")
    threshold_: float | None = None
    needs_threshold = True  # there is no border between right and wrong by itself

    def fit(self, features: Features, labels: npt.ArrayLike) -> Self:
        """Set the threshold between the labels, from labelled traces.

        ``InnerjudgeError`` if no trace can be read or all are of one class.
        """
        part, values, excluded = self._training(features, labels)
        self.threshold_ = truths.best_threshold(self._scores(part), truths.correctness(values))
        return self._fitted_on(features, excluded)

    def _labels(self, scores: Scores, features: Features) -> list[Any]:
        return [None if self.threshold_ is None else bool(s > self.threshold_) for s in scores]


class StreamingJudge(LearningJudge):
    """A judge with ``partial_fit``: CLUE, DifferenceOfMeans, MiniBatchLogistic."""

    def partial_fit(self, features: Features, labels: npt.ArrayLike, sample_weight: Weights = None) -> Self:
        """Learn from one more chunk of labelled items, which may be of one class; judging waits until both were seen.

        Of judges that keep sums (CLUE, DifferenceOfMeans), chunks of any size and order give what one whole fit gives.
        ``InnerjudgeError`` if the features are of another provenance than those before, and nothing is learned then.
        """
        part, values, excluded, weight = self._weighted(features, labels, sample_weight, some=False)
        if self.provenance_ is not None:
            self.provenance_.require(features.provenance, type(self).__name__)
        self._add(part, truths.soft_correctness(values, both=False), weight)
        return self._fitted_on(features, self.__dict__.get("n_excluded_", 0) + excluded)

    @abstractmethod
    def _add(self, part: Features, right: Bools | Floats, weight: Floats | None) -> None:
        """Learn from usable items, which may be none: how surely each is right, and their weights."""

    def fit_parts(self, parts: Iterable[Part]) -> Self:
        """Learn anew from items, part by part, with one part in memory at a time; a failed fit changes nothing.

        ``InnerjudgeError`` as in :meth:`fit`, and if there is no part at all.
        """
        fresh, features = type(self)(**self.get_params()), None
        for features, *columns in parts:
            fresh.partial_fit(features, *(column for column in columns if column is not None))
        if features is None:
            raise InnerjudgeError(f"{type(self).__name__}: given no items to fit on, expected at least two")
        fresh._check(features)
        self.__dict__.update(fresh.__dict__)
        return self


def require_streaming(judge: object) -> None:
    """Refuse a judge that must see all items at once, and name those that do not."""
    if not isinstance(judge, StreamingJudge):
        raise InnerjudgeError.of("probes.not-streaming", type(judge).__name__)
