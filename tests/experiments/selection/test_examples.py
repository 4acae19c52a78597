"""Small functions of this room, each by values that can be seen at a glance."""

from __future__ import annotations

import numpy as np
from innerjudge.experiments.selection.votes import softmax_weights


def test_softmax_weights() -> None:
    found = softmax_weights(np.array([1.0, 3.0]), 0.0), softmax_weights(np.array([1.0, 3.0]), float("inf"))
    assert repr(found) == ("(array([0., 1.]), array([1., 1.]))")
