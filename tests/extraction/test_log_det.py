"""Log-determinants of the states of ranges: by hand, against numpy, and whatever they are read beside."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from innerjudge.extraction import States, extract
from innerjudge.extraction.given_states import GivenStates, features_of_states
from innerjudge.extraction.taps.residual import log_det
from innerjudge.models.loading import LanguageModel
from innerjudge.models.positions import Encoding

from .conftest import in_every_way, same_by_id

ALL = [States("response", "logdet"), States("step", "logdet", (0, -1))]


@pytest.fixture(params=["llama", "gemma2", "opt"])
def lm(request: pytest.FixtureRequest, tiny: Any) -> LanguageModel:
    model: LanguageModel = tiny(request.param)
    return model


def test_by_hand() -> None:
    # Centred, (1, 0, -1) and (1, -1, 0): G = [[2, 1], [1, 2]] + .001; ln((2.001^2 - 1)) / 2 = .549973 (section 17)
    z = torch.tensor([[[1.0, 0, -1], [2, 0, 1]]])
    assert log_det(z).item() == pytest.approx(0.549973, abs=1e-6)
    # With a token that is not inside; and the smaller of the two matrices: the third eigenvalue is .001.
    padded = torch.cat((z, 9 * z[:, :1]), dim=1)
    assert log_det(padded, torch.tensor([[1.0, 1, 0]])).item() == pytest.approx(0.549973, abs=1e-6)
    many = torch.randn(1, 7, 3, generator=torch.Generator().manual_seed(0)).double()
    centred = many[0] - many[0].mean(-1, keepdim=True)
    right = np.linalg.slogdet((centred @ centred.T).numpy() + 1e-3 * np.eye(7))[1] / 7
    assert log_det(many).item() == pytest.approx(right, abs=1e-9)
    # One token: ln(|z - mean|^2 + .001) = ln 2.001
    assert log_det(z[:, :1]).item() == pytest.approx(np.log(2.001), abs=1e-9)


def test_log_dets_are_those_of_the_states(lm: LanguageModel, items: list[Encoding]) -> None:
    steps = States("step", "logdet", (0, -1))
    found = extract(lm, items, [States("response", "logdet"), steps, States("response", "none")])
    for k, item in enumerate(items):
        rows = found.ragged["hidden/response.none"][k].astype(np.float64).swapaxes(0, 1)  # [R, T, D]
        z = rows - rows.mean(-1, keepdims=True)

        def right(z: Any) -> Any:
            n = z.shape[1]
            return np.linalg.slogdet(z @ z.swapaxes(1, 2) + 1e-3 * np.eye(n))[1] / n

        assert np.allclose(found["hidden/response.logdet"][k], right(z), rtol=1e-5, atol=1e-5)
        own = [right(z[[0, -1], a - 3 : b - 3]) for a, b in item.places("step")]
        assert np.allclose(found.ragged[steps.name][k], own, rtol=1e-5, atol=1e-5)


def test_log_dets_of_given_states(tiny: Any, items: list[Encoding]) -> None:
    lm = tiny("llama")
    n, whole = lm.anatomy.n_blocks, [replace(i, ranges={**i.ranges, "all": ((0, len(i.ids)),)}) for i in items]
    wanted = [States("response", "logdet"), States("step", "logdet", (0, -1))]
    found = extract(lm, whole, [*wanted, States("all", "none")])
    every = [GivenStates(i.ids, np.delete(found.ragged["hidden/all.none"][k], n, 1)) for k, i in enumerate(whole)]
    wanted[0] = replace(wanted[0], rows=(0, -1))
    how: dict[str, Any] = {"layers": range(n + 1), "n_blocks": n, "last": "normed", "rows": {0, n + 1}}
    again = features_of_states(whole, every, wanted, provenance=found.provenance, **how)
    assert np.allclose(again[wanted[0].name], found["hidden/response.logdet"][:, [0, -1]], atol=1e-4)
    assert np.allclose(again.ragged[wanted[1].name].values, found.ragged[wanted[1].name].values, atol=1e-4)


@in_every_way
def test_batches_padding_packing_and_sharing_change_nothing(
    lm: LanguageModel, items: list[Encoding], how: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("innerjudge.extraction.schedule.WORTH", 0.0)
    monkeypatch.setattr("innerjudge.extraction.batching._ON_CPU", 127)  # less than 128: a batch costs its tokens alone
    same_by_id(extract(lm, items, ALL, batch_size=3), extract(lm, items[::-1], ALL, **how), atol=2e-4)
