"""Probes choose the row that a loop over scikit-learn, carried to its end, chooses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from innerjudge.extraction import Features, Provenance
from innerjudge.models import InnerjudgeError
from innerjudge.probes import LogisticProbe, RidgeProbe, linear
from innerjudge.probes.labels import Floats
from innerjudge.probes.row_judge import choose_row, rows_at
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

N, ROWS, WIDTH = 64, 6, 8
GROUPS = tuple(f"q{k // 4:02}" for k in range(N))
CANDIDATES = {LogisticProbe: (0.01, 0.1, 1.0), RidgeProbe: (1.0, 10.0, 100.0)}


def made(seed: int) -> tuple[Features, np.ndarray]:
    """Items whose class is told better by later rows."""
    random = np.random.default_rng(seed)
    right = random.random(N) < 0.5
    states = random.normal(size=(N, ROWS, WIDTH)).astype(np.float32)
    states[:, :, 0] += np.linspace(0, 2.0, ROWS) * (2 * right - 1)[:, None]
    origin = Provenance("m", None, "f", "", "", "")
    ids = tuple(map(str, range(N)))
    return Features(ids=ids, groups=GROUPS, provenance=origin, arrays={"hidden/score": states}), right


def by_loops(kind: type, features: Features, labels: np.ndarray) -> tuple[Floats, tuple[str, ...]]:
    """Held-out losses ``[n, rows]`` and their questions by scikit-learn alone: each fold chooses its penalty anew."""
    code = np.array([int(g[1:]) for g in GROUPS])

    def model(candidate: float) -> Any:
        own = (
            LogisticRegression(C=candidate, max_iter=10_000, tol=1e-8)
            if kind is LogisticProbe
            else Ridge(alpha=candidate)
        )
        return make_pipeline(StandardScaler(), own)

    def loss(fitted: Any, x: Floats, y: np.ndarray) -> float:
        if kind is LogisticProbe:
            return log_loss(y, fitted.predict_proba(x)[:, 1], labels=[False, True]) * len(y)
        return float(((fitted.predict(x) - y) ** 2).sum())

    folds = list(GroupKFold(n_splits=5).split(code[:, None], groups=code))
    found, tested = [], []
    for train, test in folds:
        each = []
        for row in range(ROWS):
            x = features["hidden/score"][:, row].astype(np.float64)
            inner = list(GroupKFold(n_splits=5).split(code[train, None], groups=code[train]))
            sums = {
                c: sum(
                    loss(model(c).fit(x[train][a], labels[train][a]), x[train][b], labels[train][b]) for a, b in inner
                )
                for c in CANDIDATES[kind]
            }
            best = min(sums, key=lambda c: sums[c])
            said = model(best).fit(x[train], labels[train]).predict(x[test])
            each.append(said != labels[test] if kind is LogisticProbe else (said - labels[test]) ** 2)
        found.append(np.stack(each, axis=1).astype(np.float64))
        tested += [GROUPS[k] for k in test]
    return np.concatenate(found), tuple(tested)


@pytest.mark.parametrize("kind", [LogisticProbe, RidgeProbe])
@pytest.mark.parametrize("seed", [0, 1])
def test_the_choice_of_a_loop(kind: Any, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    features, right = made(seed)
    labels = right if kind is LogisticProbe else np.where(right, 4.0, 2.0) + np.random.default_rng(9).normal(size=N)
    seen: list[Floats] = []

    def spy(losses: Floats, groups: tuple[str, ...], prefer: Any) -> int:
        seen.append(losses)
        return choose_row(losses, groups, prefer)

    monkeypatch.setattr(linear, "choose_row", spy)
    expected = by_loops(kind, features, labels)
    for prefer in ("best", "earliest"):
        probe = kind(positions=["score"], row=prefer, candidates=CANDIDATES[kind]).fit(features, labels)
        np.testing.assert_allclose(seen[-1], expected[0], atol=1e-6)
        assert probe.row_ % ROWS == choose_row(*expected, prefer)


def test_candidates_may_be_an_array() -> None:
    features, labels = made(0)
    given, as_array = (
        LogisticProbe(positions=["score"], row="best", candidates=c).fit(features, labels)
        for c in ((0.1, 1.0), np.array([0.1, 1.0]))
    )
    assert given.row_ == as_array.row_


def test_rows_are_whole_numbers_or_shares_of_the_depth() -> None:
    """Of 34 rows (32 blocks) -1 is the last whatever its type of integer, and .5 is h[16]."""
    origin = Provenance("m", None, "f", "float32", "sdpa", "none")
    assert rows_at((np.int64(-1), 1, np.int32(1), 0.5, 1.0), 34, origin) == [-1, 1, 1, 16, 32]
    for bad in (-0.5, 1.03, 34, np.int64(-35)):
        with pytest.raises(InnerjudgeError, match="expected -34 to 33, or shares of the depth"):
            rows_at((bad,), 34, origin)
