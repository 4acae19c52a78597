"""`innerjudge select` and `innerjudge curves`, from file to file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from innerjudge.experiments.selection.columns import read_columns
from innerjudge.experiments.selection.curve_plot import draw
from innerjudge.experiments.selection.curves import Point, curve_rows
from innerjudge.experiments.selection.rules import Rule, pick
from innerjudge.models.errors import InnerjudgeError
from PIL import Image

ROWS: list[dict[str, Any]] = [
    {"question_id": "p", "candidate_id": "a", "reward": 0.9, "answer": "7", "correct": True, "tokens": 10},
    {"question_id": "p", "candidate_id": "b", "reward": 0.2, "answer": "8.0", "correct": False, "tokens": 20},
    {"question_id": "p", "candidate_id": "c", "reward": 0.3, "answer": "8", "correct": False, "tokens": 30},
    {"question_id": "q", "candidate_id": "a", "reward": None, "answer": None, "correct": False, "tokens": 40},
    {"question_id": "q", "candidate_id": "b", "reward": 0.1, "answer": "5", "correct": True, "tokens": 50},
    {"question_id": "q", "candidate_id": "c", "reward": 0.0, "answer": "6", "correct": False, "tokens": 60},
]


def lines(path: Path, rows: Any) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


@pytest.fixture
def scores(tmp_path: Path) -> Path:
    return lines(tmp_path / "scores.jsonl", ROWS)


@pytest.mark.parametrize(
    ("args", "picked", "why"),
    [
        (("best-of-n",), ["a", "b"], "best score, 0.9, of 3 scored"),
        (("majority",), ["b", "b"], "'8' has 2 of 3 votes"),
        (("top-maj", "--k", 2), ["a", "b"], "'7' has 1 of 2 votes, those of the best 2; so has '8'"),
        (("weighted", "--temperature", 0), ["a", "b"], "'7' has 1 of the weight at temperature 0"),
        # e^0.9 = 2.46 against e^0.2 + e^0.3 = 2.57: 0.489 to 0.511
        (("weighted",), ["b", "b"], "'8' has 0.511 of the weight at temperature 1"),
        (("best-of-majority", "--min-count", 2), ["c", "b"], "max score is best among the 1 answers that passed"),
        (("oracle",), ["a", "b"], "it is right"),
    ],
)
def test_every_rule(cli, scores: Path, tmp_path: Path, args: tuple[Any, ...], picked: list[str], why: str) -> None:
    out = tmp_path / "picks.jsonl"
    said = cli("select", "--scores", scores, "--score", "reward", "--rule", *args, "--out", out)
    assert said.code == 0, said.err
    rows = rows_of(out)
    assert [row["picked"] for row in rows] == picked
    assert why in rows[0]["why"]
    assert (rows[1]["candidates"], rows[1]["unscored"], rows[1]["unparsable"]) == (3, 1, 1)
    right = sum(bool(row["correct"]) for row in rows) / 2
    assert f"Right: {right:.3f} of 2 questions" in said.out


def test_fallbacks_say_so(cli, scores: Path, tmp_path: Path) -> None:
    out = tmp_path / "picks.jsonl"
    said = cli(
        "select",
        "--scores",
        scores,
        "--score",
        "reward",
        "--rule",
        "best-of-majority",
        "--min-count",
        2,
        "--k",
        2,
        "--out",
        out,
    )
    assert "1 by a fallback" in said.out
    rows = rows_of(out)
    assert (rows[0]["fallback"], rows[0]["picks"]) == (None, ["c"])
    assert (rows[1]["fallback"], rows[1]["picks"]) == ("no answer passed the gate: all took part", ["b", "c"])


@pytest.mark.parametrize(
    "rule", ["best-of-n", "majority", "top-maj", "weighted", "best-of-majority", "random", "oracle"]
)
def test_silent_and_unreadable_questions(rule: str) -> None:
    found = pick(Rule(rule), [None, None], [None, None])
    assert found.index in (0, 1)
    assert found.why
    assert found.fallback or rule == "random"
    assert pick(Rule(rule), ["7"], [0.3], correct=[True]).index == 0
    with pytest.raises(InnerjudgeError, match="without candidates"):
        pick(Rule(rule), [], [])


def test_answers_come_from_the_candidates_own_file(cli, tmp_path: Path) -> None:
    bare = lines(
        tmp_path / "bare.jsonl", [{k: row[k] for k in ("question_id", "candidate_id", "reward")} for row in ROWS]
    )
    data = lines(
        tmp_path / "data.jsonl",
        [
            {k: v for k, v in row.items() if k not in ("reward", "tokens")} | {"response_ids": [1] * row["tokens"]}
            for row in ROWS
        ],
    )
    columns = read_columns(bare, score="reward", data=data)
    assert columns == read_columns(lines(tmp_path / "whole.jsonl", ROWS), score="reward")
    lines(data, rows_of(data)[:-1])
    with pytest.raises(InnerjudgeError, match=r"lacks .first: question 'q', candidate 'c'."):
        read_columns(bare, score="reward", data=data)
    assert read_columns(bare, score="reward").answers == (None,) * 6


def test_a_temperature_is_chosen_on_other_questions(cli, tmp_path: Path) -> None:
    many = [row | {"question_id": f"{row['question_id']}{k}"} for k in range(10) for row in ROWS]
    path, out = lines(tmp_path / "many.jsonl", many), tmp_path / "picks.jsonl"
    said = cli(
        "select",
        "--scores",
        path,
        "--score",
        "reward",
        "--rule",
        "weighted",
        "--temperature",
        "auto",
        "--held-out",
        0.25,
        "--out",
        out,
    )
    assert "chosen on 5 others" in said.out
    assert "of 15 questions" in said.out
    rows = rows_of(out)
    assert sum(row["held_out"] for row in rows) == 5
    assert all(row["correct"] for row in rows)


@pytest.mark.parametrize(
    ("rows", "args", "words"),
    [
        (ROWS, (), ("no field 'score'", "reward")),
        ([ROWS[0] | {"reward": "high"}], (), ("no field 'score'",)),
        ([ROWS[0] | {"score": "high"}], (), ("scores.jsonl line 1", "'score'", "a string")),
        ([ROWS[0] | {"score": [0.1, 0.9]}], (), ("a list", "a number, or null")),
        ([ROWS[0] | {"score": 1.0}] * 2, (), ("'a' of question 'p'", "scores.jsonl line 1", "each once")),
        (
            [ROWS[0] | {"score": 1.0, "judge": "x"}, ROWS[0] | {"score": 1.0, "judge": "y"}],
            (),
            ("x, y", "name a judge"),
        ),
        ([ROWS[0] | {"score": 1.0, "judge": "x"}], ("--judge", "z"), ("'z'", "one of x")),
        ([{"score": 1.0}], (), ("'question_id'", "add the field")),
        ([ROWS[0] | {"score": 1.0}], ("--rule", "vec-cisc"), ("--features",)),
        ([ROWS[0] | {"score": 1.0}], ("--temperature", "auto"), ("--temperature auto", "weighted or vec-cisc")),
        (
            [ROWS[0] | {"score": 1.0}],
            ("--rule", "weighted", "--temperature", "warm"),
            ("--temperature warm", "inf, or auto"),
        ),
        ([{"question_id": "p", "score": 1.0}], ("--rule", "weighted", "--temperature", "auto"), ("none is known",)),
        (
            [ROWS[0] | {"score": 1.0}],
            ("--rule", "weighted", "--temperature", "auto", "--held-out", 1),
            ("--held-out 1",),
        ),
    ],
)
def test_bad_input(cli, tmp_path: Path, rows: Any, args: tuple[Any, ...], words: tuple[str, ...]) -> None:
    said = cli("select", "--scores", lines(tmp_path / "scores.jsonl", rows), "--out", tmp_path / "out.jsonl", *args)
    assert said.code == 2
    assert len(said.err.splitlines()) == 1
    for word in words:
        assert word in said.err
    assert not (tmp_path / "out.jsonl").exists()


def test_vec_cisc_and_curves_on_the_states_of_an_extraction(cli, tmp_path: Path) -> None:
    assert cli("extract", "--data", "builtin:solve", "--limit", 8, "--candidates", 4, "--out", tmp_path / "f").code == 0
    items = rows_of(tmp_path / "f" / "items.jsonl")
    rng = np.random.default_rng(0)
    for name, skill in (("good", 3.0), ("poor", 0.0)):
        lines(
            tmp_path / f"{name}.jsonl",
            [
                {k: item[k] for k in ("question_id", "candidate_id")}
                | {"judge": name, "score": float(rng.normal() + skill * item["correct"])}
                for item in items
            ],
        )
    args = ("--data", tmp_path / "f" / "items.jsonl", "--features", tmp_path / "f")
    said = cli(
        "select",
        "--scores",
        tmp_path / "good.jsonl",
        "--rule",
        "vec-cisc",
        "--clusters",
        1,
        *args,
        "--out",
        tmp_path / "picks.jsonl",
    )
    assert said.code == 0, said.err
    rows = rows_of(tmp_path / "picks.jsonl")
    assert rows[0]["rule"] == "vec-cisc (at most 1 an answer)"
    saved = sum(row["saved"] for row in rows)
    assert f"Calls of the judge saved: {saved} of {len(items)}" in said.out
    assert all(len(row["scored"]) + row["saved"] == row["candidates"] for row in rows)

    both = ("--scores", tmp_path / "good.jsonl", "--scores", tmp_path / "poor.jsonl")
    said = cli("curves", *both, *args, "--orders", 20, "--held-out", 0.3, "--out", tmp_path / "curves")
    assert said.code == 0, said.err
    assert {path.name for path in (tmp_path / "curves").iterdir()} == {
        "curves.jsonl",
        "curves.jsonl.sha256",
        "curves.md",
        "curves.png",
        "tokens.png",
    }
    assert (tmp_path / "curves" / "curves.md").read_text("utf-8") in said.out
    points = [row for row in rows_of(tmp_path / "curves" / "curves.jsonl") if "rule" in row]
    found = {(row["judge"], row["rule"], row["n"]): row for row in points}
    assert found["good", "best-of-n", 4]["accuracy"] > found["poor", "best-of-n", 4]["accuracy"]
    assert found["good", "vec-cisc", 4]["calls"] < found["good", "weighted", 4]["calls"] == 4
    assert found[None, "majority", 4]["calls"] == 0
    for row in points:
        assert row["low"] <= row["accuracy"] + 1e-9
        assert row["accuracy"] <= row["high"] + 1e-9
        exact = row["n"] in (1, 4)  # between them, accuracy is over random subsets
        assert row["accuracy"] <= found[None, "oracle", row["n"]]["accuracy"] + (1e-9 if exact else 0.1)
        if row["n"] == 1 and row["rule"] != "oracle":
            assert row["accuracy"] == pytest.approx(found[None, "random", 1]["accuracy"])
        assert row["tokens"] == pytest.approx(row["n"] * found[None, "random", 1]["tokens"])
    for name in ("curves.png", "tokens.png"):
        with Image.open(tmp_path / "curves" / name) as picture:
            assert picture.width > 600
            assert len(np.unique(np.asarray(picture.convert("RGB")).reshape(-1, 3), axis=0)) > 20
    odd = lines(tmp_path / "odd.jsonl", rows_of(tmp_path / "poor.jsonl")[:-1])
    refused = cli("curves", "--scores", tmp_path / "good.jsonl", "--scores", odd, *args[:2], "--out", tmp_path / "c2")
    assert refused.code == 2
    assert "the same candidates of all judges" in refused.err


def test_curves_go_on_where_a_run_was_killed_and_spare_other_folders(cli, scores: Path, tmp_path: Path) -> None:
    typed = (
        "curves",
        "--scores",
        scores,
        "--score",
        "reward",
        "--orders",
        2,
        "--held-out",
        0.3,
        "--out",
        tmp_path / "c",
    )
    assert cli(*typed).code == 0
    whole = {path.name: path.read_bytes() for path in (tmp_path / "c").iterdir()}
    (tmp_path / "c" / "curves.jsonl").rename(tmp_path / "c" / "curves.jsonl.tmp")  # the last file was not yet renamed
    said = cli(*typed)
    assert said.code == 0, said.err
    assert {path.name: path.read_bytes() for path in (tmp_path / "c").iterdir()} == whole
    (tmp_path / "c" / "curves.jsonl").rename(tmp_path / "c" / "notes.txt")
    assert "holds other files" in cli(*typed).err


def test_points_by_hand(scores: Path) -> None:
    columns = read_columns(scores, score="reward").with_answers("plain")
    points = curve_rows({"rm": columns}, {"rm": (Rule("best-of-n"), Rule("majority"))}, n_orders=50)
    found = {(point.judge, point.rule, point.n): point for point in points}
    assert found["", "random", 2].accuracy == pytest.approx(1 / 3)
    # Two of three: the right one is among them in 2 of 3 draws.
    assert found["", "oracle", 2].accuracy == pytest.approx(2 / 3)
    assert found["", "oracle", 3].accuracy == 1.0
    assert found["rm", "best-of-n", 3].accuracy == 1.0
    assert found["", "majority", 3].accuracy == pytest.approx(0.25, abs=0.1)  # p: 8, wrong; q: 5 or 6, by the order
    assert found["rm", "best-of-n", 3].tokens == pytest.approx(3 * (20 + 50) / 2)
    assert (found["rm", "best-of-n", 2].calls, found["rm", "majority", 2].calls, found["", "majority", 2].seconds) == (
        2,
        0,
        None,
    )
    with pytest.raises(InnerjudgeError, match="at most 3 candidates"):
        curve_rows({"rm": columns}, {"rm": ()}, n_max=4)
    assert draw([], against="n") is None
    assert draw(points, against="seconds") is None
    assert isinstance(points[0], Point)
