"""Judges that learn from one chunk of items after another."""

from abc import abstractmethod
from collections.abc import Iterable
from typing import Self

import numpy.typing as npt

from ..extraction.features import Features
from ..models.errors import InnerjudgeError
from .judge import LearningJudge


class StreamingJudge(LearningJudge):
    """A judge with ``partial_fit``: CLUE, DifferenceOfMeans, MiniBatchLogistic."""

    @abstractmethod
    def partial_fit(self, features: Features, labels: npt.ArrayLike) -> Self:
        """Learn from one chunk more."""

    def fit_parts(self, parts: Iterable[tuple[Features, npt.ArrayLike]]) -> Self:
        """Learn anew from items part by part, of which only one is held at a time; a failed fit changes nothing.

        Args:
            parts: Items and their labels, read once.

        Raises:
            InnerjudgeError: As :meth:`fit`, and if there is no part at all.

        Example:
            >>> import numpy as np
            >>> from innerjudge import CLUE, Features
            >>> end = np.array([3, 1, -1, -3.0])[:, None, None].repeat(3, axis=1)
            >>> f = Features.from_arrays({"hidden/prompt_end": 0 * end, "hidden/response_end": end}, provenance="m")
            >>> halves = [(f[:2], [True, True]), (f[2:], [False, False])]
            >>> CLUE(start="prompt_end", end="response_end").fit_parts(halves).n_seen_
            array([2, 2])
        """
        fresh, features = type(self)(**self.get_params()), None
        for features, labels in parts:
            fresh.partial_fit(features, labels)
        if features is None:
            raise InnerjudgeError(f"{type(self).__name__}: given no items to fit on, expected at least two")
        fresh._check(features)
        self.__dict__.update(fresh.__dict__)
        return self


def require_streaming(judge: object) -> None:
    """Refuse a judge that must see all items at once.

    Raises:
        InnerjudgeError: Names what can stream.
    """
    if not isinstance(judge, StreamingJudge):
        raise InnerjudgeError(
            f"given a {type(judge).__name__}, which needs all features at once, expected a CLUE, DifferenceOfMeans or "
            "MiniBatchLogistic: use read() and fit()"
        )
