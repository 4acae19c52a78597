"""Scores from the path of the states, over blocks or over the reasoning; nothing is learned but a threshold."""

from collections.abc import Callable
from itertools import pairwise
from typing import Literal

import numpy as np
import numpy.typing as npt

from ..extraction.features import Features
from ..models.arguments import Count
from .description import derived
from .estimator import parameters
from .judge import Scores, ThresholdJudge
from .labels import Floats

_BLOCKS = "hidden/response.mean"
_SEGMENTS = "hidden/{}/segment({}).mean"
#: Radians below which two states are of one direction: what a cosine in double precision can tell from 1.
_STRAIGHT = 1e-7


@parameters
class Trajectory(ThresholdJudge):
    r"""How far and how straight the states move: Chain-of-Embedding, and the latent trajectory of a trace.

    Chain-of-Embedding (arXiv 2410.13640) takes the mean state of the response in the embedding and after every block
    (the last one normed), :math:`h_0 .. h_L`. Each step's length is divided by that of :math:`h_L - h_0`, each step's
    angle by that between :math:`h_L` and :math:`h_0`. ``"coe-r"`` is the mean length minus the mean angle; ``"coe-c"``
    is the absolute value of the mean of :math:`M e^{iA}` (length :math:`M`, angle :math:`A`). The released code takes
    the prompt's first token instead of the response's last; here it is the response alone.

    Tracing the Traces (arXiv 2510.10494) takes the mean state of every ``segment`` tokens of the reasoning, in every
    block: ``"net"`` is the distance from the first to the last, per step, ``"aligned"`` the mean cosine of the steps
    with that direction, and ``"cumulative"`` minus the length of the path (which grows with the text: compare at equal
    length). Each is averaged over blocks. A trace of one segment is unscored. ``fit`` is optional and only sets
    ``threshold_``, the border between right and wrong.

    Args:
        statistic: What to measure, one of the five above.
        segment: Number of tokens in a segment, at least 1, for the last three.
        part: What the last three read: the ``"reasoning"``, or the whole ``"response"``.

    Example:
        >>> from innerjudge import Features
        >>> h = [[1, 0], [1, 1], [9, 9], [0, 2]]  # embedding, behind block 1, behind block 2, and that one normed
        >>> f = Features.from_arrays({"hidden/response.mean": [h]}, provenance="m")
        >>> [Trajectory(statistic=s).decision_function(f).round(4).item() for s in ("coe-r", "coe-c")]
        [0.0398, 0.5398]
    """

    statistic: Literal["coe-r", "coe-c", "net", "aligned", "cumulative"] = "coe-c"
    segment: Count = 500
    part: Literal["reasoning", "response"] = "reasoning"

    kinds = ("trace",)
    on_request = True  # its judges are many and alike
    needs = derived(lambda s: (_BLOCKS if s.statistic.startswith("coe") else _SEGMENTS.format(s.part, s.segment),))

    def _unreadable(self, features: Features) -> dict[str, str]:
        name, found = self.needs[0], dict[str, str]()
        if name == _BLOCKS:
            for one, rows in zip(features.ids, _without_raw_last(features[name]), strict=True):
                if not np.linalg.norm(rows, axis=1).all() or _angles(rows)[-1] < _STRAIGHT:
                    found[one] = "states of length zero, or of one direction in the embedding and behind the last block"
            return found
        counts = zip(features.ids, features.ragged[name].counts, strict=True)
        return {one: f"{self.part} of one segment of {self.segment} tokens" for one, count in counts if count < 2}

    def _scores(self, features: Features) -> Scores:
        if self.needs[0] == _BLOCKS:
            return np.array([_chain(h, self.statistic) for h in _without_raw_last(features[_BLOCKS])], dtype=np.float64)
        of = _WAYS[self.statistic]
        return np.array([of(_without_raw_last(h)[:, 1:]) for h in features.ragged[self.needs[0]]], dtype=np.float64)


def _without_raw_last(states: npt.NDArray[np.float32]) -> Floats:
    """Rows ``h[0] .. h[L - 1]`` and the final-normed one, which Hugging Face returns."""
    return np.delete(states, -2, axis=-2).astype(np.float64)


def _chain(h: Floats, statistic: str) -> float:
    """Chain-of-Embedding of the rows ``[L + 1, D]``."""
    length = np.linalg.norm(np.diff(h, axis=0), axis=1) / np.linalg.norm(h[-1] - h[0])
    *turned, total = _angles(h)
    angle = np.array(turned) / total
    if statistic == "coe-r":
        return float(length.mean() - angle.mean())
    return float(abs((length * np.exp(1j * angle)).mean()))


def _angles(h: Floats) -> Floats:
    """Angle of each step, and of the last row and the first: ``[L + 1]``."""
    unit = h / np.linalg.norm(h, axis=1, keepdims=True)
    cosines = [a @ b for a, b in (*pairwise(unit), (unit[0], unit[-1]))]
    return np.arccos(np.clip(np.array(cosines, dtype=np.float64), -1.0, 1.0)).astype(np.float64)


def _aligned(h: Floats) -> float:
    steps, way = np.diff(h, axis=0), h[-1] - h[0]
    lengths = np.linalg.norm(steps, axis=-1) * np.linalg.norm(way, axis=-1)
    # No step or no way has no direction: a cosine of 0.
    return float(np.divide((steps * way).sum(axis=-1), lengths, out=np.zeros_like(lengths), where=lengths > 0).mean())


#: Of segment means ``[N, rows, D]``.
_WAYS: dict[str, Callable[[Floats], float]] = {
    "net": lambda h: float(np.linalg.norm(h[-1] - h[0], axis=-1).mean() / (len(h) - 1)),
    "aligned": _aligned,
    "cumulative": lambda h: -float(np.linalg.norm(np.diff(h, axis=0), axis=-1).sum(axis=0).mean()),
}
