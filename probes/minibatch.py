"""Logistic regression by mini-batches: for more states than memory holds, from a store or while the model runs."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import SGDClassifier
from sklearn.preprocessing import StandardScaler

from ..extraction.features import Features
from ..models.errors import InnerjudgeError
from .judge import StreamingJudge
from .labels import Floats, correctness
from .linear import LogOdds
from .row_judge import Combine


class MiniBatchLogistic(StreamingJudge, LogOdds):
    """Logistic regression by stochastic gradient descent (scikit-learn), on states standardised batch by batch.

    Means and deviations are those of all items seen so far, so that the first batches are standardised by few; a second
    round over the items mends that. With all states in memory take :class:`LogisticProbe`, which chooses its penalty.

    Args:
        positions: CLUE's two tokens by default.
        combine: ``"concat"`` of the positions, or ``"delta"``, last minus first.
        row: See :class:`DifferenceOfMeans`.
        alpha: Strength of the penalty.
        rounds: How often :meth:`fit` goes over its items.
        batch: Items a step of :meth:`fit`.
        seed: Of the order of items, in :meth:`fit` and within a batch.

    Attributes:
        coef_: ``[F]`` float64, on the states as they are (the standardisation is folded in).
        intercept_: Log-odds at the origin.
        n_excluded_: Training items left out because they could not be read.

    Example:
        >>> end = np.repeat(np.linspace(-1, 1, 8)[:, None, None], 3, axis=1)
        >>> f = Features.from_arrays({"hidden/reasoning_end": end}, provenance="m", groups="pqrspqrs")
        >>> probe = MiniBatchLogistic(positions=["reasoning_end"]).fit(f, [0, 0, 0, 0, 1, 1, 1, 1])
        >>> probe.predict(f)
        array([False, False, False, False,  True,  True,  True,  True])
    """

    def __init__(
        self,
        *,
        positions: Sequence[str] = ("reasoning_start", "reasoning_end"),
        combine: Combine = "concat",
        row: int = -1,
        alpha: float = 1e-4,
        rounds: int = 5,
        batch: int = 256,
        seed: int = 0,
    ) -> None:
        super().__init__(positions=positions, combine=combine, row=row)
        if alpha < 0 or rounds < 1 or batch < 1:
            raise InnerjudgeError(f"given {alpha=}, {rounds=}, {batch=}, expected at least 0, 1 and 1")
        self.alpha, self.rounds, self.batch, self.seed = alpha, rounds, batch, seed

    def partial_fit(self, features: Features, labels: npt.ArrayLike) -> Self:
        """One step on labelled items: their states join the means and deviations, and then the descent.

        A batch may be of one class. A judge that was loaded from a folder has coefficients only, and begins anew with
        :meth:`fit`.

        Raises:
            InnerjudgeError: If the judge was loaded, or the features are of another provenance.
        """
        if self.provenance_ is not None and not hasattr(self, "_descent"):
            raise InnerjudgeError(
                "given further items for a MiniBatchLogistic that was loaded from a folder, expected a new one: fit it "
                "from the start"
            )
        part, right = self._chunk(features, labels)
        self._begin()
        self.row_ = self._told(features)
        if len(part):
            self._step(self._vectors(part, self.row_), right)
        return self

    def _learn(self, x: Floats, labels: npt.NDArray[Any], groups: tuple[str, ...]) -> None:
        right = correctness(labels)
        for name in ("_scaler", "_descent"):
            self.__dict__.pop(name, None)
        self._begin()
        order = np.random.default_rng(self.seed)
        for _ in range(self.rounds):
            rows = order.permutation(len(x))
            for at in range(0, len(x), self.batch):
                chosen = rows[at : at + self.batch]
                self._step(x[chosen], right[chosen])

    def _begin(self) -> None:
        if not hasattr(self, "_descent"):
            self._scaler = StandardScaler()
            self._descent = SGDClassifier(loss="log_loss", alpha=self.alpha, random_state=self.seed, average=True)
            self.coef_, self.intercept_ = np.zeros(0), 0.0

    def _step(self, x: Floats, right: npt.NDArray[np.bool_]) -> None:
        self._scaler.partial_fit(x)
        self._descent.partial_fit(self._scaler.transform(x), right, classes=[False, True])
        self.coef_ = self._descent.coef_[0] / self._scaler.scale_
        self.intercept_ = float(self._descent.intercept_[0] - self.coef_ @ self._scaler.mean_)
