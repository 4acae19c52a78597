"""The committed page of weak labels, its worlds, and the area within questions."""

from __future__ import annotations

import numpy as np
import pytest
from innerjudge.experiments.bench.weak import __main__ as command
from innerjudge.experiments.bench.weak.worlds import features_of, world
from sklearn.metrics import roc_auc_score

PAGE = command.Path(command.__file__).with_name("weak.md").read_text("utf-8")
LINES = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if line.startswith("| ")]
FOUND = {row[0]: [float(cell.split()[0]) for cell in row[1:]] for row in LINES[2:]}


def test_the_page_holds_the_bars_of_the_drawn_worlds() -> None:
    counted, shares, labels = (FOUND[n] for n in ("counts, CountedProbe", "counts as soft labels", "all labels, plain"))
    assert counted[1] >= shares[1] + 0.15
    assert all(c >= y - 0.03 for c, y in zip(counted[:2], labels[:2], strict=True))
    assert FOUND["all labels, centred"][1] >= labels[1] + 0.02


def test_the_page_says_where_a_method_does_not_pay() -> None:
    said = next(line for line in PAGE.splitlines() if "labels spread over all questions" in line)
    plain, centred = (FOUND[f"40 labels of 40 or fewer questions, {how}"] for how in ("plain", "centred"))
    assert said.count("does not pay") == sum(c - p < 0.03 for p, c in zip(plain, centred, strict=True))
    assert "python -m innerjudge.experiments.bench.weak --draws 5" in PAGE


def test_area_within_questions() -> None:
    rng = np.random.default_rng(0)
    y = np.array([1, 0, 0, 1, 1, 1, 0, 1]).astype(bool)
    scores = rng.integers(4, size=8).astype(float)  # with ties
    groups = ("a", "a", "a", "b", "b", "c", "c", "c")  # all of b are right
    expected = [roc_auc_score(y[:3], scores[:3]), roc_auc_score(y[5:], scores[5:])]
    assert command.within(scores, y, groups) == pytest.approx(np.mean(expected))


def test_worlds_hold_what_they_say() -> None:
    x, y, q = world(400, seed=1)
    assert x.shape == (3200, 64)
    assert np.bincount(q).tolist() == [8] * 400
    other, _, _ = world(400, seed=2, like=1)
    v, fresh = x[y].mean(axis=0) - x[~y].mean(axis=0), other.mean(axis=0)
    assert np.linalg.norm(v[4:]) > 1.5  # two of the answer, and what easy questions add
    assert np.linalg.norm(fresh) < 1
    assert len(features_of(x, q)) == 3200
