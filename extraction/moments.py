"""Mean, spread and norm of hidden states, layer by layer, from a stream: sums are kept, states are not."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..models.errors import InnerjudgeError
from .features import Features

Floats = npt.NDArray[np.float64]


class LayerMoments:
    """Moments of one readout of hidden states over all items that were added; items that lack it do not count.

    Chunks are joined as Chan, Golub and LeVeque (1983) do it, so that a million items cost no digits.

    Args:
        name: The readout, such as ``"hidden/reasoning_end"``.

    Attributes:
        n: Items so far.
        mean: ``[L + 2, D]`` float64.

    Example:
        >>> from innerjudge.extraction import Provenance
        >>> f = Features(ids=("a", "b"), groups=("q", "q"), provenance=Provenance("m", None, "f", "", "", ""),
        ...              arrays={"hidden/score": np.array([[[3, 4]], [[3, 0]]], np.float32)})
        >>> moments = LayerMoments("hidden/score").add(f)
        >>> moments.mean, moments.std, moments.norm
        (array([[3., 2.]]), array([[0., 2.]]), array([4.]))
    """

    def __init__(self, name: str) -> None:
        self.name, self.n = name, 0
        self.mean: Floats = np.zeros(())
        self._off: Floats = np.zeros(())
        self._norms: Floats = np.zeros(())

    def add(self, features: Features) -> LayerMoments:
        """Add the items of a chunk, and return this.

        Raises:
            InnerjudgeError: If the features have no such readout.
        """
        states = features[self.name][features.present(self.name)].astype(np.float64)
        if states.ndim != 3:
            raise InnerjudgeError(
                f"given {self.name} of shape {states.shape}, expected hidden states [n, layers, width]"
            )
        more = len(states)
        if more:
            mean = states.mean(axis=0)
            step, whole = mean - self.mean, self.n + more
            self._off = self._off + ((states - mean) ** 2).sum(axis=0) + step**2 * (self.n * more / whole)
            self.mean = self.mean + step * (more / whole)
            self._norms = self._norms + np.linalg.norm(states, axis=-1).sum(axis=0)
            self.n = whole
        return self

    @property
    def std(self) -> Floats:
        """Standard deviation ``[L + 2, D]`` (of the items seen, not of a population behind them)."""
        return np.asarray(np.sqrt(self._off / self.n))

    @property
    def norm(self) -> Floats:
        """Mean norm of the states ``[L + 2]``."""
        return np.asarray(self._norms / self.n)
