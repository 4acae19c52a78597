"""The face that every judge has, and what it answers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from ..extraction.features import Features
from ..extraction.provenance import Provenance
from ..models.errors import InnerjudgeError
from .fitted_arrays import Form, Number, check_fitted, sizes_of
from .parameters import Parameters

Scores = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a judge says of one item: a score and a label, or the reason why it says nothing.

    Example:
        >>> Verdict("q1/0", score=0.7, label=True).unscored is None
        True
    """

    id: str
    score: float | list[float] | None = None
    label: bool | int | float | str | None = None
    unscored: str | None = None


class BaseJudge(Parameters, ABC):
    """Reads features, returns scores. **higher is better, always**.

    The constructor checks its parameters (all keyword-only, all plain JSON) and stores them as given under their own
    names; ``fit`` (where there
    is something to learn, see :class:`LearningJudge`) sets attributes that end in ``_``; :meth:`decision_function`,
    :meth:`predict` and :meth:`verdicts` read features of the same provenance only.
    """

    #: Names of the readouts or generations that the judge reads.
    needs: tuple[str, ...]
    #: Those that ``fit`` reads beside them.
    fit_needs: tuple[str, ...] = ()
    #: Whether ``fit`` must be called first.
    learns: ClassVar[bool] = False
    #: Attributes that ``fit`` sets and :mod:`.storage` keeps: arrays, or plain values (tuples for lists).
    fitted: ClassVar[tuple[str, ...]] = ()
    #: What each of them must be: :func:`.fitted_arrays.check_fitted` refuses anything else.
    forms: ClassVar[Mapping[str, Form]] = {"threshold_": Number(none=True), "n_excluded_": Number(low=0, whole=True)}
    provenance_: Provenance | None = None

    @property
    def last_block(self) -> int | None:
        """The last block that the judge reads, so that a pass for it may stop there; ``None`` for the whole pass.

        Known once the judge is fitted. :func:`innerjudge.read` asks for it.
        """
        if self._reads_until is not None:
            return self._reads_until
        return None if self.provenance_ is None else self.provenance_.last_block

    @property
    def _reads_until(self) -> int | None:
        """Block behind which nothing is read, however far the pass went; ``None`` if all that there is is read."""
        return None

    def require(self, given: Provenance) -> None:
        """Refuse features that the judge was not made for, by their provenance.

        A pass that stopped elsewhere than the one that the judge was fitted on gives the same features as long as both
        reached the last block that it reads.

        Raises:
            InnerjudgeError: If they are of another model, or asked otherwise, or the pass stopped too early.
        """
        if self.provenance_ is None:
            return
        expected, until = self.provenance_, self._reads_until
        if until is not None and given.covers(until):
            expected = replace(expected, last_block=given.last_block)
        expected.require(given, type(self).__name__)

    def sizes(self, known: Mapping[str, int]) -> dict[str, int]:
        """Lengths that :attr:`forms` names, as far as parameters and provenance tell them.

        Args:
            known: Of the model: ``blocks``, ``width`` of the states, ``heads`` of a block, where they are known.
        """
        return dict(known)

    @property
    def reads(self) -> tuple[str, ...]:
        """Names of all arrays and generations that the judge may look at, in its fit and after it."""
        return tuple(dict.fromkeys((*self.needs, *self.fit_needs, "labels")))

    @abstractmethod
    def _scores(self, features: Features) -> Scores:
        """Scores of features that all have what the judge needs: ``[n]``, or ``[n, K]`` for choices."""

    @abstractmethod
    def _labels(self, scores: Scores, features: Features) -> list[Any]:
        """One label an item from its scores; ``None`` where the judge has scores only."""

    def rows_read(self, total: int) -> frozenset[int]:
        """Rows of hidden states ``[n, total, D]`` that the judge looks at; all of them where it does not say."""
        return frozenset(range(total))

    def _unreadable(self, features: Features) -> dict[str, str]:
        """Item id -> reason, for items whose features are there but say nothing (a text without a verdict)."""
        return {}

    def _check(self, features: Features) -> None:
        if self.learns and self.provenance_ is None:
            raise InnerjudgeError(
                f"given a {type(self).__name__} that is not fitted, expected a fitted one: call fit first"
            )
        self._require_fitting(sizes_of(features, self.needs))
        self.require(features.provenance)

    def _require_fitting(self, sizes: dict[str, int]) -> None:
        """:func:`.fitted_arrays.check_fitted`, once for what was learned and for each model."""
        key = (sorted(sizes.items()), [id(self.__dict__.get(name)) for name in self.fitted])
        if self.__dict__.get("_held_to") != key:
            check_fitted(self, sizes)
            self._held_to = key

    def _reasons(self, features: Features, *also: str) -> dict[str, str]:
        """Item id -> why it cannot be read (``also``: readouts beyond ``needs``); needs no fitted judge."""
        names = (*self.needs, *also)
        reasons = features.reasons(*names)
        for name in names:
            if name in features.arrays and len(features):
                array = features.arrays[name]
                # A float64 sum of float32 values is finite exactly when all of them are; no mask of the array's size.
                total = array.sum(axis=tuple(range(1, array.ndim)), dtype=np.float64) if array.ndim > 1 else array
                for row in np.flatnonzero(~np.isfinite(total)):
                    reason = f"{name} holds infinite values or NaN: extract with --dtype bfloat16 or float32"
                    reasons.setdefault(features.ids[row], reason)
        return reasons | self._unreadable(_without(features, reasons))

    def unscored(self, features: Features) -> dict[str, str]:
        """Item id -> reason, for every item that this judge cannot score."""
        self._check(features)
        return self._reasons(features)

    def decision_function(self, features: Features) -> Scores:
        """Scores, higher is better: shape ``[n]``, or ``[n, K]`` for choices, ``-inf`` beyond an item's options.

        Raises:
            InnerjudgeError: If an item cannot be scored (an array has no place for a reason): use :meth:`verdicts`.
        """
        missing = self.unscored(features)
        if missing:
            some, reason = next(iter(missing.items()))
            raise InnerjudgeError(
                f"given {len(missing)} of {len(features)} items that cannot be scored (first: {some}: {reason}), "
                "expected scorable items: use verdicts(), which returns the reasons"
            )
        return self._scores(features)

    def predict(self, features: Features) -> npt.NDArray[Any]:
        """Labels ``[n]``, as in scikit-learn; raises like :meth:`decision_function`.

        Booleans, numbers or strings, as :meth:`verdicts` has them; of type object where they are of several types, or
        where the judge has scores only (``None``).
        """
        labels = self._labels(self.decision_function(features), features)
        types = {type(label) for label in labels}
        plain = len(types) == 1 and type(None) not in types
        return np.array(labels, dtype=None if plain or types == {int, float} else object)

    def verdicts(self, features: Features) -> list[Verdict]:
        """One verdict an item, in the order of ``features.ids``; never NaN, never a silent 0."""
        missing = self.unscored(features)
        part = _without(features, missing)
        scores = self._scores(part) if len(part) else np.zeros(0)
        labels = self._labels(scores, part) if len(part) else []
        found = {i: Verdict(i, _plain(s), label, None) for i, s, label in zip(part.ids, scores, labels, strict=True)}
        return [found.get(i) or Verdict(i, None, None, missing[i]) for i in features.ids]

    def _training(
        self, features: Features, labels: npt.ArrayLike, *, reasons: dict[str, str] | None = None, some: bool = True
    ) -> tuple[Features, npt.NDArray[Any], int]:
        """Usable training items (``some``: at least one), their labels, and how many were left out."""
        values = np.asarray(labels)
        if values.shape != (len(features),):
            raise InnerjudgeError(
                f"given labels of shape {values.shape} for {len(features)} items, expected ({len(features)},): "
                "one label an item"
            )
        reasons = self._reasons(features) if reasons is None else reasons
        if some and len(reasons) == len(features):
            why = f" (first: {next(iter(reasons.items()))})" if reasons else ""
            raise InnerjudgeError(
                f"{type(self).__name__}: given {len(features)} training items of which none can be read{why}, "
                "expected at least two: check the data or the readouts"
            )
        keep = np.array([i not in reasons for i in features.ids], dtype=bool)
        return _without(features, reasons), values[keep], len(reasons)


class LearningJudge(BaseJudge):
    """A judge that must see labelled features first."""

    learns: ClassVar[bool] = True
    #: Training items that were left out because they lacked a needed readout.
    n_excluded_: int

    @abstractmethod
    def fit(self, features: Features, labels: npt.ArrayLike) -> Self:
        """Learn from labelled features and return the judge; a second call starts anew.

        Args:
            features: ``n`` training items.
            labels: Length ``n``: booleans for traces, mean human scores for ratings, 0-based answers for choices.

        Raises:
            InnerjudgeError: If there is nothing to learn from: no usable item, or labels all of one class.
        """


def _without(features: Features, reasons: dict[str, str]) -> Features:
    """The items that have no reason against them; the features themselves (no copy) where that is all of them."""
    if not reasons:
        return features
    return features.take([k for k, i in enumerate(features.ids) if i not in reasons])


def _plain(score: Any) -> float | list[float]:
    return [float(s) for s in score if np.isfinite(s)] if np.ndim(score) else float(score)
