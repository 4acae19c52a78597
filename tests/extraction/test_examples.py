"""Small functions of this room, each by values that can be seen at a glance."""

from __future__ import annotations

import numpy as np
from innerjudge.extraction import HiddenStates, Provenance
from innerjudge.extraction.given_states import GivenStates, features_of_states
from innerjudge.extraction.readout_names import range_readout
from innerjudge.models.final_norm import FinalNorm
from innerjudge.models.positions import Encoding


def test_range_readout() -> None:
    found = range_readout("tokens/response.top(20)"), range_readout("hidden/score")
    assert repr(found) == ("(TokenStats(role='response', what='top(20)'), None)")


def test_features_of_states() -> None:
    item = Encoding(id="a", group="a", ids=(5, 6), positions={"score": (1,)})
    states = np.array([[[1.0, 1.0], [2.0, 2.0]], [[3.0, 3.0], [4.0, 4.0]]])  # 2 tokens, h[0] and h[1], width 2
    found = features_of_states(
        [item],
        [GivenStates((5, 6), states)],
        [HiddenStates("score")],
        layers=[0, 1],
        n_blocks=1,
        provenance=Provenance("m", None, "f", "", "", ""),
        last="raw",
        final_norm=FinalNorm(np.ones(2), np.zeros(2), 0.0, centred=False),
    )
    assert found["hidden/score"][0].tolist() == [[3.0, 3.0], [4.0, 4.0], [1.0, 1.0]]
