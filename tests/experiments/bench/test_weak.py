"""The committed page of weak labels, its worlds, its studies, and the area within questions."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from innerjudge.experiments.bench.weak import __main__ as command
from innerjudge.experiments.bench.weak.labelled import LABELS, all_labels, areas, few_labels, of_raters, within
from innerjudge.experiments.bench.weak.ordered import orders, teacher
from innerjudge.experiments.bench.weak.page import Claim, Section
from innerjudge.experiments.bench.weak.sections import sections
from innerjudge.experiments.bench.weak.states import keep_states, of_file
from innerjudge.experiments.bench.weak.studies import SMOL, SOLVE
from innerjudge.experiments.bench.weak.worlds import drawn, features_of, world
from sklearn.metrics import roc_auc_score

PAGE = Path(command.__file__).with_name("weak.md").read_text("utf-8")
LINES = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if line.startswith("| ")]
FOUND = {
    row[0]: [float(cell.split()[0]) if cell[0].isdigit() else np.nan for cell in row[1:]]
    for row in LINES
    if row[0] not in ("---", "learned from")
}
COLUMNS = LINES[0][1:]


def test_the_page_holds_the_bars_of_the_drawn_worlds() -> None:
    counted, shares, labels = (FOUND[n] for n in ("counts, CountedProbe", "counts as soft labels", "all labels, plain"))
    assert counted[1] >= shares[1] + 0.15
    assert all(c >= y - 0.03 for c, y in zip(counted[:2], labels[:2], strict=True))
    assert FOUND["all labels, centred"][1] >= labels[1] + 0.02
    shared, alone = (FOUND[f"{LABELS} labels, random{how}"] for how in (", spread, centred", ", centred"))
    assert all(s >= a + 0.05 for s, a in zip(shared[:2], alone[:2], strict=True))
    assert FOUND["scores, pairs"][1] >= FOUND["scores, ridge"][1] + 0.1


def test_the_page_has_states_of_both_models_and_says_how_it_was_made() -> None:
    assert sum(name.startswith("solve, ") for name in COLUMNS) == len(SOLVE)
    assert sum(name.startswith("smollm2-135m, ") for name in COLUMNS) == len(SMOL)
    assert re.search(r"Written by `python -m innerjudge\.experiments\.bench\.weak --draws \d+ --questions 400", PAGE)
    assert "/" not in PAGE.partition("Written by")[2]


def test_the_page_says_where_a_method_does_not_pay() -> None:
    for section in sections([{}] * 4):
        for claim in section.claims:
            (line,) = [its for its in PAGE.splitlines() if its.startswith(f"| {claim.what} | {claim.bar:+.2f} |")]
            said = [cell.strip() for cell in line.strip("|").split("|")[2:]]
            assert len(said) == len(COLUMNS)
            for one in said:
                if one != "-":
                    gain = float(one.split()[0])
                    assert one.endswith("]") == (gain < claim.bar) or abs(gain - claim.bar) < 1e-3


def test_a_section_tells_gains_from_losses() -> None:
    column = {"a": np.array([0.7, 0.9, np.nan]), "b": np.array([0.6, 0.7, 0.5]), "c": np.full(3, np.nan)}
    found = Section("T", "About.", {"w": column}, (Claim("a", "b", 0.2, "A"), Claim("c", "b", 0.0, "C"))).lines()
    assert "| a | 0.800 ± 0.100 (1) |" in found
    assert "| c | nothing learned |" in found
    assert "| A | +0.20 | +0.150 [1] |" in found  # (.1 + .2) / 2
    assert "| C | +0.00 | - |" in found
    near = Section("T", "", {"w": {"a": np.array([0.96]), "b": np.array([0.97])}}, (Claim("a", "b", 0.0, "A"),))
    assert "| A | +0.00 | -0.010 [3] |" in near.lines()
    column = {"x: a": np.array([0.7]), "x: b": np.array([0.8]), "x: all": np.array([0.75]), "y: a": np.array([0.1])}
    parted = Section("T", "", {"w": column}, (Claim("a", "b", 0.0, "A"),), part="x", truth="all").lines()
    assert "| A | +0.00 | -0.100 [4] |" in parted  # the truth gives .75, and b is .8 already
    assert [line for line in parted if "0.100 ±" in line] == []


def test_area_within_questions() -> None:
    rng = np.random.default_rng(0)
    y = np.array([1, 0, 0, 1, 1, 1, 0, 1]).astype(bool)
    scores = rng.integers(4, size=8).astype(float)  # with ties
    groups = ("a", "a", "a", "b", "b", "c", "c", "c")  # all of b are right
    expected = [roc_auc_score(y[:3], scores[:3]), roc_auc_score(y[5:], scores[5:])]
    assert within(scores, y, groups) == pytest.approx(np.mean(expected))


def test_worlds_hold_what_they_say() -> None:
    x, y, q = world(400, seed=1)
    assert x.shape == (3200, 64)
    assert np.bincount(q).tolist() == [8] * 400
    other, _, _ = world(400, seed=2, like=1)
    v, fresh = x[y].mean(axis=0) - x[~y].mean(axis=0), other.mean(axis=0)
    assert np.linalg.norm(v[4:]) > 1.5  # two of the answer, and what easy questions add
    assert np.linalg.norm(fresh) < 1
    assert len(features_of(x, q)) == 3200
    answers = drawn(400, 2.0, seed=1)
    assert set(answers.said[y]) == {"right"}
    shares = np.unique(answers.said[~y], return_counts=True)[1] / (~y).sum()
    np.testing.assert_allclose(shares, (0.4, 0.3, 0.2, 0.1), atol=0.04)


def test_the_parts_have_no_question_in_common() -> None:
    answers = drawn(20, 2.0, seed=1)
    learn, test = answers.parted(6, seed=0)
    assert (len(learn.right), len(test.right), int(learn.question.max())) == (48, 80, 5)
    assert not {*map(tuple, learn.states)} & {*map(tuple, test.states)}


def test_few_labels_are_few_and_true() -> None:
    learn = drawn(40, 2.0, seed=3)
    for name, (_, features, columns) in few_labels(learn, 0).items():
        if name.endswith("plain"):
            assert (len(features) >= LABELS) if "spread" in name else (len(features) == LABELS), name
            truth = dict(zip(map(tuple, learn.states.astype(np.float32)), learn.right, strict=True))
            given = zip(map(tuple, features["hidden/state"][:, 0]), columns[0], strict=True)
            assert all(truth[x] == y for x, y in given), name
        else:
            assert (len(features), len(columns)) == (320, 2), name


def test_every_study_learns_on_a_small_world() -> None:
    def draw(_questions: int, seed: int) -> tuple:
        return drawn(40, 2.0, seed), drawn(20, 2.0, 100 + seed, like=seed)

    for study in (all_labels, of_raters, orders):
        found = areas(draw, study, 1)
        assert all(0 <= one[0] <= 1 for one in found.values()), found
    scores, shuffled = teacher(learn := drawn(5, 0.0, seed=0), seed=0)
    for q in range(5):
        mine, theirs = scores[learn.question == q], shuffled[learn.question == q]
        assert sorted(mine) == sorted(theirs)
        assert np.array_equal(np.sort(mine)[4:], np.sort(theirs[np.isin(theirs, np.sort(mine)[4:])]))


def test_states_of_a_model_are_kept_with_their_answers(tmp_path: Path) -> None:
    keep_states("reference", "sample:gsm8k-solutions", 3, tmp_path / "kept.npz")
    answers = of_file(tmp_path / "kept.npz", "mean", -1)
    assert answers.states.shape == (12, 128)
    assert np.bincount(answers.question).tolist() == [4, 4, 4]
    assert len(answers.traces) == len(answers.said) == 12
    assert answers.asked is not None
    assert answers.asked.shape == (12, 128)
    assert len(answers.features["logprob"]) == 12
    with np.load(tmp_path / "kept.npz") as kept:
        assert answers.length is not None
        assert answers.length.min() >= max(len(text.split()) for text in kept["response"]) / 4
        assert len(answers.facts["sound"]) == len(kept["prompt"]) == 12
