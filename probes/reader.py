"""What a judge reads of features, and what it refuses."""

from abc import ABC
from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

import numpy as np

from ..extraction.features import Features
from ..extraction.provenance import Provenance
from ..models.arguments import require_type
from ..models.errors import InnerjudgeError
from .description import JudgeDescription
from .estimator import Estimator
from .fitted_arrays import Form, Number, check_fitted, sizes_of

_INFINITE = "{} holds infinite values or NaN: extract with --dtype bfloat16 or float32"


class FeatureReader(JudgeDescription, Estimator, ABC):
    """An estimator that reads features of one provenance, and says of each item why it cannot be read."""

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
        """Lengths that :attr:`forms` names, from parameters, provenance and what is ``known`` of the model."""
        return dict(known)

    @property
    def reads(self) -> tuple[str, ...]:
        """Names of all arrays and generations that the judge may look at, in its fit and after it."""
        return tuple(dict.fromkeys((*self.needs, *self.fit_needs, "labels")))

    def rows_read(self, total: int) -> frozenset[int]:
        """Rows of hidden states ``[n, total, D]`` that the judge looks at; all of them where it does not say."""
        return frozenset(range(total))

    def _unreadable(self, features: Features) -> dict[str, str]:
        """Item id -> reason, for items whose features are there but say nothing (a text without a verdict)."""
        return {}

    def _check(self, features: Features) -> None:
        require_type(features, Features, type(self).__name__)
        if self.learns and self.provenance_ is None:
            raise InnerjudgeError(
                f"given a {type(self).__name__} that is not fitted, expected a fitted one: call fit first"
            )
        self._require_fitting(sizes_of(features, self.needs))
        self.require(features.provenance)

    def _require_fitting(self, sizes: dict[str, int]) -> None:
        """:func:`.fitted_arrays.check_fitted`, once for what was learned and for each model."""
        held, learned = self.__dict__.get("_held_to", (None, ())), [self.__dict__.get(name) for name in self.fitted]
        same = len(held[1]) == len(learned) and all(a is b for a, b in zip(held[1], learned, strict=True))
        if held[0] != sizes or not same:
            check_fitted(self, sizes)
            self._held_to = (dict(sizes), learned)

    def _reasons(self, features: Features, *also: str) -> dict[str, str]:
        """Item id -> why it cannot be read (``also``: readouts beyond ``needs``); needs no fitted judge."""
        require_type(features, Features, type(self).__name__)
        names = (*self.needs, *also)
        reasons = features.reasons(*names)
        for name in names:
            if name in features.arrays and len(features):
                array = features.arrays[name]
                # A float64 sum of float32 values is finite exactly when all of them are; no mask of the array's size.
                total = array.sum(axis=tuple(range(1, array.ndim)), dtype=np.float64) if array.ndim > 1 else array
                for row in np.flatnonzero(~np.isfinite(total)):
                    reasons.setdefault(features.ids[row], _INFINITE.format(name))
            elif name in features.ragged:
                bad = np.flatnonzero(~features.ragged[name].finite())
                reasons |= {features.ids[k]: _INFINITE.format(name) for k in bad if features.ids[k] not in reasons}
        return reasons | self._unreadable(without(features, reasons))

    def unscored(self, features: Features) -> dict[str, str]:
        """Item id -> reason, for every item that this judge cannot score.

        Example:
            >>> from innerjudge import Features, TokenLogProb
            >>> f = Features.from_arrays({"logprob": [[-6, 3], [0, 0]]}, provenance="m", ids=["a", "b"])
            >>> TokenLogProb().unscored(f)
            {'b': 'no response tokens'}
        """
        self._check(features)
        return self._reasons(features)


def without(features: Features, reasons: dict[str, str]) -> Features:
    """The items that have no reason against them; the features themselves (no copy) where that is all of them."""
    if not reasons:
        return features
    return features.take([k for k, i in enumerate(features.ids) if i not in reasons])
