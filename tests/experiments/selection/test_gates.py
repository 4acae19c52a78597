"""Gates before scores: the examples of the notes by hand, what nobody may pass, the world of the notes, ``select``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st
from innerjudge import InnerjudgeError, selection
from innerjudge.experiments.selection.gates import Gate

gated = selection.gated


def test_the_geometric_rule_of_the_paper() -> None:
    # B(1, .04) = exp((log 1 + log(.05 / 1.01)) / 2) = sqrt(.0495050) = .222497, times U = .8: .177998.
    found = gated({"a": [1], "b": [0.04]}, {"u": [0.8]}, rule="geometric")
    assert found.scores == [pytest.approx(0.177998, abs=1e-6)]
    assert (found.failed, found.utility) == ([("b",)], [0.8])
    # B(1, 1) = 1; B(0, 1) = sqrt(.01 / 1.01) = .099504; of five .01 / 1.01 to the fifth root: .397, of ten .630.
    both = gated({"a": [1, 0], "b": [1, 1]}, {"u": [1, 1]}, rule="geometric")
    assert both.scores == pytest.approx([1, 0.099504], abs=1e-6)
    for m, left in ((5, 0.397), (10, 0.630)):
        gates = {str(k): [float(k > 0)] for k in range(m)}
        assert gated(gates, {"u": [1]}, rule="geometric").scores[0] == pytest.approx(left, abs=5e-4)


def test_other_rules_by_hand() -> None:
    gates, scores = {"a": [0.9, 0.6, 0.4], "b": [0.5, 0.8, 1.0]}, {"u": [0.2, 0.5, 1.0], "v": [0.8, 0.5, 0.4]}
    # U = (2 u + v) / 3: (.4 + .8) / 3 = .4, .5, (2 + .4) / 3 = .8
    for rule, expected in {
        "threshold": [1.4, 1.5, 0.4],  # the third fails a: min(.4, 1)
        "product": [0.45 * 0.4, 0.48 * 0.5, 0.4 * 0.8],
        "min": [0.5 * 0.4, 0.6 * 0.5, 0.4 * 0.8],
    }.items():
        found = gated(gates, scores, weights={"u": 2}, rule=rule)
        assert found.scores == pytest.approx(expected)
        assert found.failed == [(), (), ("a",)]
        assert found.utility == pytest.approx([0.4, 0.5, 0.8])
    # A threshold of its own: b passes from .9 only. Margins -.4, -.1 and (a) -.1, plus the mean threshold .7.
    apart = gated(gates, scores, weights={"u": 2}, threshold={"a": 0.5, "b": 0.9})
    assert (apart.failed, apart.scores) == ([("b",), ("b",), ("a",)], pytest.approx([0.3, 0.6, 0.6]))


def test_what_is_missing_is_unscored_and_never_passes() -> None:
    found = gated({"a": [None, 1, float("nan"), 0.2]}, {"u": [1, None, 1, 0.3]})
    assert found.scores == [None, None, None, 0.2]
    assert found.failed == [("a",), (), ("a",), ("a",)]
    assert found.utility == [1, None, 1, 0.3]
    unread = gated({"a": [1]}, {"u": [0.5], "v": [None]}, weights={"v": 0})
    assert unread.scores == [1.5]


numbers = st.floats(-1e3, 1e3)


@given(rows=st.lists(st.tuples(numbers, numbers, numbers), min_size=1), least=st.tuples(numbers, numbers))
def test_every_failure_is_below_every_pass(rows: list[tuple[float, ...]], least: tuple[float, float]) -> None:
    """On any scale."""
    a, b, u = (list(column) for column in zip(*rows, strict=True))
    found = gated({"a": a, "b": b}, {"u": u}, threshold={"a": least[0], "b": least[1]})
    passes = [not one for one in found.failed]
    assert passes == [x >= least[0] and y >= least[1] for x, y in zip(a, b, strict=True)]
    best, worst = ([s for s, p in zip(found.scores, passes, strict=True) if p is w] for w in (False, True))
    assert not best or not worst or max(best) <= min(worst) + 1e-9
    inside = [(s, x) for s, x, p in zip(found.scores, u, passes, strict=True) if p]
    assert [x for _, x in sorted(inside)] == pytest.approx(sorted(x for _, x in inside), abs=1e-9)


@pytest.mark.parametrize(
    ("gates", "scores", "how", "message"),
    [
        ({}, {"u": [1]}, {}, "given gates []"),
        ({"a": [1]}, {}, {}, "scores []"),
        ([[1]], [[1]], {}, "expected columns by name"),
        ({"a": [1]}, {"u": [1]}, {"weights": {"u": 0}}, "not all 0"),
        ({"a": [1]}, {"u": [1]}, {"weights": {"u": -1}}, "0 or more"),
        ({"a": [1]}, {"u": [1]}, {"weights": {"w": 1}}, "weights={'w': 1}"),
        ({"a": [1]}, {"u": [1]}, {"rule": "most"}, "one of threshold, geometric, product, min"),
        ({"a": [1]}, {"u": [1]}, {"threshold": {"b": 1}}, "thresholds of all gates"),
        ({"a": [1]}, {"u": [1]}, {"delta": 0}, "delta=0"),
        ({"a": [1.5]}, {"u": [1]}, {"rule": "geometric"}, "beyond 0 and 1 for rule='geometric'"),
        ({"a": [1]}, {"u": [-1]}, {"rule": "min"}, "beyond 0 and 1 for rule='min'"),
        ({"a": [1, 2]}, {"u": [1]}, {}, "given columns of lengths"),
    ],
)
def test_refused(gates: Any, scores: Any, how: Any, message: str) -> None:
    with pytest.raises(InnerjudgeError) as error:
        gated(gates, scores, **how)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_the_world_of_the_notes() -> None:
    """Best of 8, of which 30 % break a rule, which pays: the threshold beats the mean of all, and breaks few."""
    rng = np.random.default_rng(0)
    broken = rng.random((2000, 8)) < 0.3
    which = rng.integers(2, size=broken.shape)
    useful = np.clip(rng.normal(0.5, 0.2, broken.shape) + 0.3 * broken, 0, 1)
    gates = [np.clip(1.0 - (broken & (which == k)) + rng.normal(0, 0.15, broken.shape), 0, 1) for k in range(2)]
    columns = {f"{k}": g.ravel() for k, g in enumerate(gates)}

    def picked(value: np.ndarray) -> tuple[float, float]:
        at = np.arange(2000), value.reshape(2000, 8).argmax(axis=1)
        return float(broken[at].mean()), float(np.where(broken[at], 0, useful[at]).mean())

    scores = np.array(gated(columns, {"u": useful.ravel()}).scores, dtype=float)
    mean, alone = picked(np.mean([*gates, useful], axis=0)), picked(useful)
    threshold = picked(scores)
    assert threshold[0] < 0.01 < alone[0]
    assert threshold[1] >= mean[1] + 0.02


ROWS: list[dict[str, Any]] = [
    # Of p the best by help fails a gate; of q all fail, b least; of r the best has no value of a gate.
    {"question_id": "p", "candidate_id": "a", "answer": "7", "help": 0.9, "deep": 0.1, "safe": 0.2, "correct": False},
    {"question_id": "p", "candidate_id": "b", "answer": "8", "help": 0.5, "deep": 0.2, "safe": 0.6, "correct": True},
    {"question_id": "p", "candidate_id": "c", "answer": "9", "help": 0.3, "deep": 0.9, "safe": 0.8, "correct": False},
    {"question_id": "q", "candidate_id": "a", "answer": "1", "help": 0.9, "deep": 0.1, "safe": 0.1, "correct": True},
    {"question_id": "q", "candidate_id": "b", "answer": "2", "help": 0.1, "deep": 0.1, "safe": 0.4, "correct": False},
    {"question_id": "r", "candidate_id": "a", "answer": "x", "help": 0.9, "deep": 0.1, "safe": None, "correct": False},
    {"question_id": "r", "candidate_id": "b", "answer": "5", "help": 0.2, "deep": 0.1, "safe": 0.9, "correct": True},
]  # fmt: skip


def lines(path: Path, rows: Any) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_select_picks_among_what_passes(cli, tmp_path: Path) -> None:
    out, scores = tmp_path / "out.jsonl", lines(tmp_path / "scores.jsonl", ROWS)
    done = cli("select", "--scores", scores, "--score", "help", "--gate", "safe>=0.5", "--out", out)
    assert done.code == 0, done.err
    rows = rows_of(out)
    assert [row["picked"] for row in rows] == ["b", "b", "b"]
    assert [row["failed"] for row in rows] == [[], ["safe>=0.5"], []]
    assert [row["fallback"] for row in rows] == [None, "no candidate passes the gates: the least bad was taken", None]
    assert [row["candidates"] for row in rows] == [3, 2, 2]
    assert rows[0]["why"] == "best score, 0.5, of 2 scored"
    assert "1 by a fallback" in done.out
    # Two weights: b has (2 x .5 + 3 x .2) / 5 = .32, c (2 x .3 + 3 x .9) / 5 = .66
    more = ("--weight", "help=2", "--weight", "deep=3", "--gate", "regex:^[0-9]+$", "--gate", "safe>=0.5")
    again = cli("select", "--scores", scores, *more, "--out", tmp_path / "more.jsonl")
    assert again.code == 0, again.err
    rows = rows_of(tmp_path / "more.jsonl")
    assert (rows[0]["picked"], rows[0]["score"]) == ("c", pytest.approx(0.66))
    assert [row["failed"] for row in rows] == [[], ["safe>=0.5"], []]


def test_any_rule_picks_among_what_passes(cli, tmp_path: Path) -> None:
    rows = [{"question_id": "p", "answer": a, "score": s, "ok": k} for a, s, k in (
        ("1", 0.9, False), ("1", 0.8, False), ("1", 0.7, True), ("2", 0.1, True), ("2", 0.2, True))]  # fmt: skip
    scores = lines(tmp_path / "scores.jsonl", rows)
    for gate, picked in (((), "0"), (("--gate", "ok>=1"), "3")):
        out = tmp_path / f"{picked}.jsonl"
        done = cli("select", "--scores", scores, "--rule", "majority", *gate, "--out", out)
        assert (done.code, rows_of(out)[0]["picked"]) == (0, picked), done.err


def test_judges_of_one_file_and_responses_of_another(cli, tmp_path: Path) -> None:
    rows = [
        {"question": "p", "candidate": c, "judge": judge, **said}
        for c, by in {
            "a": {"good": {"score": 3.0}, "safe": {"score": -0.5}, "anna": {"label": True}},
            "b": {"good": {"score": 1.0}, "safe": {"score": 0.5}, "anna": {"label": True}},
            "c": {"good": {"score": 2.0}, "safe": {"score": 0.7}, "anna": {"label": False}},
            "d": {"good": {"score": 9.0}, "safe": {"unscored": "too long"}, "anna": {"label": True}},
        }.items()
        for judge, said in by.items()
    ]
    data = [
        {"question_id": "p", "candidate_id": c, "prompt": "?", "answer": c,
         "response": [{"role": "assistant", "content": f"it is {c}"}]}
        for c in "abcd"
    ]  # fmt: skip
    scores, data = lines(tmp_path / "said.jsonl", rows), lines(tmp_path / "data.jsonl", data)
    gates = ("--gate", "safe>=0", "--gate", "anna>=1")
    for k, (more, picked) in enumerate({
        gates: "b",
        ("--weight", "good=1", "--gate", "safe>=0"): "c",
        ("--judge", "good", "--gate", "regex:it is [ac]$", "--data", str(data)): "a",
    }.items()):  # fmt: skip
        out = tmp_path / f"{k}.jsonl"
        done = cli("select", "--scores", scores, *more, "--out", out)
        assert (done.code, [row["picked"] for row in rows_of(out)]) == (0, [picked]), (more, done.err)


def test_a_temperature_is_chosen_among_what_passes(cli, tmp_path: Path) -> None:
    """What fails would ask for a low temperature: the scores of what passes tell nothing, and 1 is taken."""
    rows = [
        {"question_id": f"q{q}", "answer": a, "score": s, "correct": a == "1", "ok": a != "1"}
        for q in range(10)
        for a, s in (("1", 0.9), ("2", 0.1), ("2", 0.2), ("3", 0.1))
    ]
    scores, said = lines(tmp_path / "scores.jsonl", rows), []
    for gate in ((), ("--gate", "ok>=1")):
        more = ("--rule", "weighted", "--temperature", "auto", "--held-out", 0.3, *gate)
        done = cli("select", "--scores", scores, *more, "--out", tmp_path / f"{len(gate)}.jsonl")
        assert done.code == 0, done.err
        said.append("Right: 1.000" in done.out)
    assert said == [True, False]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--gate", "safe"), "given --gate safe (could not convert string to float: 'safe'), expected NAME>=NUMBER"),
        (("--gate", "regex:("), "given --gate regex:( (missing ) at position 1)"),
        (
            ("--gate", "kind>=1"),
            "given the gate or score 'kind', expected a judge or a field: question_id, candidate_id",
        ),
        (("--gate", "answer>=1"), "given a string, expected a number"),
        (("--gate", "safe>=0.5", "--weight", "help"), "given --weight help, expected NAME=NUMBER each"),
        (("--gate", "safe>=0.5", "--weight", "help=-1"), "0 or more"),
        (("--weight", "help=1"), "given --weight without --gate, expected a gate"),
        (("--gate", "safe>=nan"), "no name and finite number"),
        (("--gate", "0.5"), "no name and finite number"),
        (("--gate", "safe>=0.5", "--weight", "kind=1"), "no field 'kind'"),
    ],
)
def test_refused_in_one_line(cli, tmp_path: Path, more: tuple[str, ...], message: str) -> None:
    scores, out = lines(tmp_path / "scores.jsonl", ROWS), tmp_path / "out.jsonl"
    done = cli("select", "--scores", scores, "--score", "help", *more, "--out", out)
    assert (done.code, len(done.err.strip().splitlines()), out.exists()) == (2, 1, False), done.err
    assert message in done.err


def test_a_pattern_that_never_ends_is_stopped() -> None:
    slow = Gate.of("regex:^(a|aa)+$")
    assert (slow.found("a" * 60), slow.found("b"), slow.found(None)) == (1.0, 0.0, None)
    with pytest.raises(InnerjudgeError) as error:
        slow.found("a" * 60 + "b")
    assert "given --gate regex:^(a|aa)+$, which takes over 0.5 s on a text" in str(error.value)
