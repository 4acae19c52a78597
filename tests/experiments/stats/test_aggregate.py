"""Several raters' labels as one: by hand, beside a naive reference and crowd-kit, and where it must not be trusted."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from innerjudge import InnerjudgeError, stats
from innerjudge.experiments.data.verdict_table import Row, Table

#: Six items by three raters.
SIX = [[1, 1, 0], [1, 1, 1], [0, 0, 1], [1, 1, 0], [0, 0, 0], [0, 0, 1]]
Said = dict[str, list[object]]


def columns(rows: object, names: str = "abcdefgh") -> Said:
    found = np.array(rows, dtype=object).T.tolist()
    return dict(zip(names, found, strict=False))


def chances(found: stats.aggregate, of: object = 1) -> list[float]:  # type: ignore[valid-type]
    return [label[of] for label in found.labels]  # type: ignore[attr-defined]


def drawn(rng: np.random.Generator, n: int, right: list[float], missing: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Truths, and labels ``[n, raters]`` of raters who are right so often, by themselves; ``None`` where missing."""
    truth = rng.integers(0, 2, n)
    said = np.where(rng.random((n, len(right))) < right, truth[:, None], 1 - truth[:, None]).astype(object)
    said[rng.random(said.shape) < missing] = None
    return truth, said


def test_shares_give_the_first_confusions() -> None:
    # Shares of 1: 2/3, 1, 1/3, 2/3, 0, 1/3, in all 3 of 6. Rater a says 1 on the first, second and fourth:
    # (2/3 + 1 + 2/3) / 3 = .7778 of class 1, and of class 0 (2/3 + 1 + 2/3) / 3; c: (1 + 1/3 + 1/3) / 3 = .5556.
    found = stats.aggregate(columns(SIX), "mean", smooth=0.0)
    assert chances(found) == pytest.approx([2 / 3, 1, 1 / 3, 2 / 3, 0, 1 / 3])
    for name, right in (("a", 7 / 9), ("b", 7 / 9), ("c", 5 / 9)):
        assert np.diag(found.raters[name]) == pytest.approx([right, right])
    # With smooth 1, 1.5 right answers and 0.5 wrong ones a class: (7/3 + 1.5) / (3 + 2).
    assert np.diag(stats.aggregate(columns(SIX), "mean").raters["a"]) == pytest.approx([23 / 30] * 2)


def test_six_items_of_three_raters() -> None:
    # Worked out in numpy by the formulas of the notes on Dawid and Skene, and published there.
    found = stats.aggregate(columns(SIX))
    assert [round(p, 4) for p in chances(found)] == [0.9851, 0.9855, 0.0149, 0.9851, 0.0145, 0.0149]
    one = found.classes.index(1)
    assert [round(e[one, one], 4) for e in found.raters.values()] == [0.8911, 0.8911, 0.503]
    coin = stats.aggregate(columns(SIX), "one-coin")
    assert [round(p, 4) for p in chances(coin)] == [0.9961, 0.9936, 0.0039, 0.9961, 0.0064, 0.0039]
    assert [round(e[0, 0], 4) for e in coin.raters.values()] == [0.934, 0.934, 0.4378]
    assert coin.n_rounds == 9


def test_one_round_by_hand() -> None:
    # Shares .5 and 1 of two items that a and b label (1, 0) and (1, 1), c (1, 1) with the first missing: prior
    # (0: .5 + 1, 1: 1.5 + 1) / 4 = .375, .625. Confusions [true, said] with smooth 1: of a, class 1 says 1
    # .5 + 1 + 1.5 = 3 of 1.5 + 2: 6/7, class 0 says 1 .5 + .5 = 1 of .5 + 2: .4; of b, 1 says 1 1 + 1.5 = 2.5 of 3.5,
    # 1 says 0 .5 + .5 = 1 of 3.5; 0 says 0 (.5 + 1.5) / 2.5 = .8; of c, class 1 says 1 (1 + 1.5) / 3, 0 says 1 .5 / 2.
    found = stats.aggregate({"a": [1, 1], "b": [0, 1], "c": [None, 1]}, rounds=1)
    one, zero = 0.625 * 6 / 7 * 1 / 3.5, 0.375 * 0.4 * 0.8
    assert chances(found)[0] == pytest.approx(one / (one + zero))
    one, zero = 0.625 * 6 / 7 * 2.5 / 3.5 * 2.5 / 3, 0.375 * 0.4 * 0.2 * 0.25
    assert chances(found)[1] == pytest.approx(one / (one + zero))


def naive(rows: list[list[object]], classes: list[object], how: str, smooth: float, rounds: int) -> list[list[float]]:
    """The same in loops, without logarithms, for a given number of rounds."""
    n_raters, n_classes = len(rows[0]), len(classes)
    q = [[sum(v == c for v in row) / max(1, sum(v is not None for v in row)) for c in classes] for row in rows]
    for _ in range(rounds):
        error = np.zeros((n_raters, n_classes, n_classes))
        for r in range(n_raters):
            for true in range(n_classes):
                for said in range(n_classes):
                    error[r, true, said] = sum(q[i][true] for i, row in enumerate(rows) if row[r] == classes[said])
            if how == "one-coin":
                right = (np.trace(error[r]) + 1.5 * smooth) / (error[r].sum() + 2 * smooth)
                error[r] = (1 - right) / (n_classes - 1)
                np.fill_diagonal(error[r], right)
            else:
                error[r] += smooth * (np.eye(n_classes) + 0.5)
                error[r] /= error[r].sum(axis=1, keepdims=True)
        prior = [sum(row[c] for row in q) + smooth for c in range(n_classes)]
        new = []
        for row, old in zip(rows, q, strict=True):
            joint = [
                prior[c] * math.prod(error[r, c, classes.index(v)] for r, v in enumerate(row) if v is not None)
                for c in range(n_classes)
            ]
            new.append([one / sum(joint) for one in joint] if any(old) else old)
        q = new
    return q


@pytest.mark.parametrize("how", ["dawid-skene", "one-coin"])
@pytest.mark.parametrize("classes", [[False, True], ["a", "b", "tie"]])
def test_as_the_naive_reference(how: str, classes: list[object]) -> None:
    rng = np.random.default_rng(3)
    rows = [[[None, *classes][k] for k in row] for row in rng.integers(0, len(classes) + 1, (40, 4))]
    rows[7] = [None] * 4
    found = stats.aggregate(columns(rows), how, rounds=4)  # type: ignore[arg-type]
    expected = naive(rows, list(found.classes), how, 1.0, found.n_rounds)
    assert found.labels[7] is None
    for label, row in zip(found.labels, expected, strict=True):
        assert label is None or [label[c] for c in found.classes] == pytest.approx(row, abs=1e-12)


def test_as_crowd_kit() -> None:
    crowdkit = pytest.importorskip("crowdkit.aggregation.classification", reason="crowd-kit is not installed")
    import pandas as pd

    _, said = drawn(np.random.default_rng(0), 120, [0.9, 0.75, 0.7, 0.65, 0.55])
    long = [(k, f"r{r}", int(v)) for (k, r), v in np.ndenumerate(said)]
    frame = pd.DataFrame(long, columns=["task", "worker", "label"])
    found = stats.aggregate({f"r{r}": said[:, r].tolist() for r in range(5)}, smooth=0.0, rounds=6)
    assert found.n_rounds == 6
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pandas
        theirs = crowdkit.DawidSkene(n_iter=6, tol=-1.0).fit_predict_proba(frame)
    assert chances(found) == pytest.approx(theirs.sort_index()[1].tolist(), abs=1e-9)


def test_nothing_hangs_on_the_order_or_the_names() -> None:
    _, said = drawn(np.random.default_rng(1), 60, [0.9, 0.7, 0.6, 0.8], missing=0.2)
    found = stats.aggregate(columns(said))
    turned = stats.aggregate(columns(said[::-1, ::-1], "dcba"))
    assert chances(turned)[::-1] == pytest.approx(chances(found))
    words = np.where(said == 1, "yes", np.where(said == 0, "no", None))
    assert chances(stats.aggregate(columns(words)), "yes") == pytest.approx(chances(found))


def test_votes_and_items_without_labels() -> None:
    said: Said = {"a": [True, False, None, True], "b": [True, True, None, None], "c": [False, None, None, None]}
    assert stats.aggregate(said, "vote").labels == [{True: 1, False: 0}, None, None, {True: 1, False: 0}]
    assert stats.aggregate(said, "mean").labels[:3] == [{True: 2 / 3, False: 1 / 3}, {True: 0.5, False: 0.5}, None]
    assert stats.aggregate(said).labels[2] is None
    assert stats.aggregate({"a": [True, None]}, "vote").labels == [{True: 1}, None], "one rater alone has votes"


def test_known_labels_stay() -> None:
    truth, said = drawn(np.random.default_rng(2), 300, [0.85, 0.6])
    gold = [int(one) if k < 150 else None for k, one in enumerate(truth)]
    found = stats.aggregate(columns(said), gold=gold)
    assert chances(found)[:150] == truth[:150].tolist()
    # Two raters whose accuracies are known are followed by them: the better one wherever they differ.
    assert [round(p) for p in chances(found)[150:]] == said[150:, 0].tolist()
    assert stats.aggregate({"a": [1, None], "b": [1, None]}, "mean", gold=[0, None]).labels == [{1: 0, 0: 1}, None]


def test_a_table_names_its_judges_as_raters() -> None:
    rows = [
        Row(question="q", candidate=str(k), judge=judge, label=bool(row["abc".index(judge)]))
        for k, row in enumerate(SIX)
        for judge in "abc"
    ]
    scored = Row(question="q", candidate="0", judge="numbers", score=0.5)  # has no label: no rater
    found = stats.aggregate(Table([*rows, scored]))
    assert list(found.raters) == ["a", "b", "c"]
    assert chances(found, True) == pytest.approx(chances(stats.aggregate(columns(SIX))))


@pytest.mark.parametrize(
    ("said", "more"),
    [
        ({}, {}),
        ({"a": [1, 0], "b": [0, 0]}, {}),  # two cannot be told apart
        ({"a": [1, 0], "b": [1, 0], "c": [1, 0]}, {}),  # all the same
        ({"a": [1, None, None], "b": [None, 0, None], "c": [None, None, 1]}, {}),  # never meet
        ({"a": [1], "b": [1], "c": [1]}, {"gold": [1]}),  # one class
        ({"a": [None]}, {"how": "mean"}),  # nobody said anything
        (columns(SIX), {"how": "glad"}),
        (columns(SIX), {"smooth": -1.0}),
        (columns(SIX), {"smooth": float("nan")}),
        (columns(SIX), {"rounds": 0}),
    ],
)
def test_refused_in_one_line(said: Said, more: dict[str, object]) -> None:
    with pytest.raises(
        InnerjudgeError, match=r"^given how=.* expected one of dawid-skene, one-coin, mean, vote"
    ) as told:
        stats.aggregate(said, **more)  # type: ignore[arg-type]
    assert "\n" not in str(told.value)
    with pytest.raises(InnerjudgeError, match="lengths"):
        stats.aggregate({"a": [1], "b": [1, 0]})


def test_raters_of_whom_little_is_known_are_named() -> None:
    said = columns(SIX) | {"few": [1, 0, None, None, None, None], "same": [1] * 6}
    notes = stats.aggregate(said).notes
    assert [note.split()[0] for note in notes] == ["few", "same"]


def accuracy(found: object, truth: np.ndarray) -> float:
    known = [(label, t) for label, t in zip(found.labels, truth, strict=True) if label]  # type: ignore[attr-defined]
    return sum(label.get(int(t), 0.0) > 0.5 for label, t in known) / len(truth)


def log_loss(found: object, truth: np.ndarray) -> float:
    right = [label[int(t)] for label, t in zip(found.labels, truth, strict=True)]  # type: ignore[attr-defined]
    return float(-np.log(np.clip(right, 1e-6, 1)).mean())


def test_better_than_votes_where_raters_differ() -> None:
    truth, said = drawn(np.random.default_rng(4), 1600, [0.9, 0.75, 0.7, 0.65, 0.55])
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # nobody copies
        found = {how: stats.aggregate(columns(said), how) for how in ("dawid-skene", "vote", "mean")}  # type: ignore[arg-type]
    assert accuracy(found["dawid-skene"], truth) >= accuracy(found["vote"], truth) + 0.03
    assert log_loss(found["dawid-skene"], truth) < log_loss(found["mean"], truth)


def test_a_clique_is_believed_and_told() -> None:
    rng = np.random.default_rng(5)
    truth, said = drawn(rng, 1600, [0.85, 0.8, 0.65])
    copies = [np.where(rng.random(1600) < 0.97, said[:, 2], 1 - said[:, 2]) for _ in range(3)]
    both = columns(np.column_stack([said, *copies]))
    with pytest.warns(UserWarning, match="c and d agree far more than with others.*make one rater of them") as told:
        found = stats.aggregate(both)
    assert len(told) == 1
    pairs = {tuple(note.split()[:3:2]) for note in found.notes}
    assert pairs == {(a, b) for a in "cdef" for b in "cdef" if a < b}
    # The documented limit: sure of what the clique says, and wrong.
    assert log_loss(found, truth) > 2 > 1 > log_loss(stats.aggregate(columns(said)), truth)


@pytest.mark.parametrize("missing", [0.0, 0.6])
@pytest.mark.parametrize("right", [[0.9, 0.75, 0.7, 0.65, 0.55], [0.95, 0.95, 0.9, 0.9, 0.85], [0.8] * 7])
def test_raters_by_themselves_are_not_accused(right: list[float], missing: float) -> None:
    for seed in range(5):
        _, said = drawn(np.random.default_rng(seed), 400, right, missing)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            stats.aggregate(columns(said))


def test_names_in_warnings_cannot_be_obeyed() -> None:
    rng = np.random.default_rng(6)
    _, said = drawn(rng, 400, [0.9, 0.8, 0.7])
    evil = "n\x1b[2Jm"
    with pytest.warns(UserWarning, match="agree far more") as told:
        stats.aggregate(
            {"a": said[:, 0].tolist(), "b": said[:, 1].tolist(), "c": said[:, 2].tolist(), evil: said[:, 2].tolist()}
        )
    assert "\x1b" not in str(told[0].message)


def test_nan_is_no_label_and_a_rater_may_have_any_name() -> None:
    said = {"gold": [1, 1, 0, math.nan], "b": [1, 0, 0, 1], "c": [np.nan, 1, 0, 1]}
    found = stats.aggregate(said, gold=[1, None, None, None])
    assert set(found.classes) == {0, 1}
    assert found.labels[0] == {1: 1.0, 0: 0.0}
    with pytest.raises(InnerjudgeError, match="smooth=inf"):
        stats.aggregate(said, smooth=math.inf)
