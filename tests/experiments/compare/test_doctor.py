"""Scores of any tool, examined: what explains them, what they are worth, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given, strategies as st
from innerjudge import InnerjudgeError, doctor
from innerjudge.experiments.bench.doctor.worlds import table
from innerjudge.experiments.compare.doctor.checks import opponents
from innerjudge.experiments.compare.doctor.diagnosis import label_ceiling
from innerjudge.experiments.compare.doctor.explanations import _association, explain, wald
from innerjudge.experiments.compare.doctor.scores import Scores, read_scores
from innerjudge.experiments.compare.trace_blind import PASS_RATE
from innerjudge.experiments.stats.metrics.accuracy import decomposition
from sklearn.metrics import roc_auc_score


def scores(questions: str, values: list[float], labels: list[bool], **more: tuple[str, ...]) -> Scores:
    return Scores(
        name="t", questions=tuple(questions), scores=tuple(values), labels=tuple(labels),
        again=(None,) * len(values), more=dict(more),
    )  # fmt: skip


@pytest.mark.parametrize("world", ["question", "length", "source", "leak", "signal"])
def test_a_planted_cause_is_named(world: str) -> None:
    """Ten studies of each world; ``experiments/bench/doctor`` has two hundred, of which 197 or more are named right."""
    named = [explain(read_scores(pd.DataFrame(table(world, seed)))).named for seed in range(10)]
    assert sum(one == (world,) for one in named) >= 9


def test_nothing_is_named_where_there_is_nothing() -> None:
    named = [explain(read_scores(pd.DataFrame(table("null", seed)))).named for seed in range(10)]
    assert sum(one == () for one in named) >= 9


def test_the_test_by_question_is_that_of_statsmodels() -> None:
    draw = np.random.default_rng(1)
    clusters = np.repeat(np.arange(30), 5)
    held = np.column_stack((np.ones(150), draw.normal(size=150)))
    columns = draw.normal(size=(150, 2)) + clusters[:, None] * 0.02
    y = draw.normal(size=150) + 0.3 * columns[:, 0] + draw.normal(size=30)[clusters]
    fitted = sm.OLS(y, np.column_stack((columns, held))).fit(cov_type="cluster", cov_kwds={"groups": clusters})
    expected = fitted.f_test(np.eye(2, 4))
    assert wald(y, columns, held, clusters) == pytest.approx(float(expected.pvalue), rel=1e-6)
    assert wald(y, np.column_stack((columns, columns)), held, clusters) == pytest.approx(
        float(expected.pvalue), rel=1e-6
    )


def test_a_column_that_what_is_held_explains_tests_nothing() -> None:
    held = np.column_stack((np.ones(6), np.arange(6.0)))
    assert wald(np.array([0, 1, 0, 1, 1, 1.0]), np.arange(6.0)[:, None] * 2, held, np.arange(6)) == 1.0


def test_the_split_of_the_auroc_by_hand() -> None:
    # Right: a .9 and .4, b .5; wrong: a .6, b .3 and .2. Within: a wins 1 of 2, b 2 of 2: 3 of 4. Between: .9 beats .3
    # and .2, .4 beats .3 and .2, .5 loses to .6: 4 of 5. Pooled: 7 of 9.
    pooled, within, between, share = decomposition(
        [True, True, False, True, False, False], [0.9, 0.4, 0.6, 0.5, 0.3, 0.2], "aaabbb"
    )
    assert (pooled, within, between, share) == pytest.approx((7 / 9, 3 / 4, 4 / 5, 4 / 9))


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3), st.booleans()), min_size=4, max_size=30))
def test_the_split_adds_up(rows: list[tuple[str, int, bool]]) -> None:
    questions, values, labels = zip(*rows, strict=True)
    if len(set(labels)) < 2:
        return
    pooled, within, between, share = decomposition(labels, list(map(float, values)), questions)
    assert pooled == pytest.approx(roc_auc_score(labels, values))
    assert share * (within or 0.0) + (1 - share) * (between or 0.0) == pytest.approx(pooled)
    gaps = [
        (x > y) + 0.5 * (x == y)
        for q, x, one in rows for p, y, other in rows if one and not other and p == q
    ]  # fmt: skip
    assert within == (pytest.approx(np.mean(gaps)) if gaps else None)


def test_a_score_of_the_question_alone_is_half_within() -> None:
    _, within, _, _ = decomposition([True, False, True, False], [0.9, 0.9, 0.1, 0.1], "aabb")
    assert within == 0.5


def test_the_pass_rate_of_the_others_is_zero_within() -> None:
    # a: 3 of 4 right; the others of a right one pass 2 of 3, those of the wrong one 3 of 3.
    made = scores("aaaabb", [0.0] * 6, [True, True, True, False, False, True])
    found = opponents(made)[PASS_RATE]
    assert found.tolist() == pytest.approx([2 / 3, 2 / 3, 2 / 3, 1.0, 1.0, 0.0])
    _, within, _, _ = decomposition(made.labels, found, "aaaabb")
    assert within == 0.0


def test_text_is_an_opponent_that_was_not_fitted_on_the_question_it_scores() -> None:
    """Each question has words of its own for right and wrong: nothing of the others helps."""
    rows = [(q, right) for q in "abcdefgh" for right in (True, False)]
    own = scores(
        "".join(q for q, _ in rows), [0.0] * 16, [right for _, right in rows],
        text=tuple(f"{q}{'yes' if right else 'no'}" for q, right in rows),
    )  # fmt: skip
    assert roc_auc_score(own.labels, opponents(own)["text"]) == pytest.approx(0.5, abs=0.1)
    leaked = scores("".join(q for q, _ in rows), [0.0] * 16, list(own.labels),
                    text=tuple("yes" if right else "no" for _, right in rows))  # fmt: skip
    assert roc_auc_score(leaked.labels, opponents(leaked)["text"]) == 1.0


def test_an_answer_in_the_prompt_is_a_whole_word() -> None:
    made = scores("aab", [0.0] * 3, [True, False, True], answer=("Paris", "4", " "),
                  prompt=("Is it paris?", "14 or 41?", "anything"))  # fmt: skip
    assert made.leaked is not None
    assert made.leaked.tolist() == [1.0, 0.0, 0.0]


def test_the_ceiling_of_noisy_labels() -> None:
    assert label_ceiling([True, False] * 50, [None] * 100) is None
    assert label_ceiling([True, False] * 50, [False, True] * 50) is None, "they differ always"
    # 18 of 100 differ: 2 e (1 - e) = 0.18, e = 0.1. Half are right: a called right is right 0.9 of the time, one called
    # wrong 0.1. The truth wins 0.9 * 0.9 of the pairs and ties 0.9 * 0.1 + 0.1 * 0.9: 0.81 + 0.09.
    again = [False, True] * 9 + [True, False] * 41
    assert label_ceiling([True, False] * 50, again) == pytest.approx(0.9)


def test_choosing_and_luck_by_hand(tmp_path: Path) -> None:
    rows = [
        {"question": f"q{q}", "candidate": c, "score": float(c == q % 2), "label": c == 0}
        for q in range(40) for c in range(2)
    ]  # fmt: skip
    found = doctor(pd.DataFrame(rows), tried=100)
    figures = {(f.part, f.judge, f.metric, f.against): f.value for f in found.found.figures}
    assert figures["choosing", "the highest score", "right choice", None] == 0.5  # right for every second question
    assert figures["choosing", "at random", "right choice", None] == 0.5
    assert figures["choosing", "the right one, where there is one", "right choice", None] == 1.0
    assert "The best of 100 methods that know nothing" in repr(found)
    found.report(tmp_path / "out")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "doctor.json",
        "plots",
        "report.html",
        "report.md",
        "results.json",
    ]
    page = (tmp_path / "out" / "report.md").read_text("utf-8")
    assert "Nothing was fitted to the scores" in page
    assert "Judges were fitted" not in page
    assert "questions" in found.table().columns or len(found.table()) > 4


def test_leaks_across_the_split_are_counted() -> None:
    rows = [
        {"question": "a", "score": 1.0, "label": True, "text": "Same  text", "split": "fit"},
        {"question": "b", "score": 0.0, "label": False, "text": "same text", "split": "test"},
        {"question": "b", "score": 0.5, "label": True, "text": "other", "split": "fit"},
    ]
    said = repr(doctor(pd.DataFrame(rows)))
    assert "1 texts stand on both sides" in said
    assert "1 questions have candidates on both sides" in said


GOOD = {"question": "a", "candidate": "0", "score": 1.0, "label": True}


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{**GOOD, "label": "yes"}], "line 1: field 'label': given a string, expected true or false"),
        ([{k: v for k, v in GOOD.items() if k != "score"}], "line 1: field 'score': given nothing"),
        ([{**GOOD, "score": "high"}], "line 1: field 'score': given a string"),
        ([GOOD, GOOD], "line 2: given question 'a' candidate '0', which stands in .* line 1"),
        ([GOOD, {**GOOD, "candidate": "1"}], "given 1 questions and 2 right of 2 candidates"),
        ([{**GOOD, "score": None}, {**GOOD, "question": "b", "label": False}], "given 1 scored rows"),
    ],
)
def test_rows_that_are_refused(rows: list[dict[str, Any]], message: str, tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    with pytest.raises(InnerjudgeError, match=message):
        doctor(path)


def test_other_things_than_tables_are_refused(tmp_path: Path) -> None:
    (tmp_path / "s.parquet").write_bytes(b"PAR1 and nothing more")
    broken = tmp_path / "s.parquet"
    for given_, message in ((broken, "given broken Parquet"), (3, "given a int"), (pd.DataFrame([]), "no row")):
        with pytest.raises(InnerjudgeError, match=message):
            doctor(given_)
    with pytest.raises(InnerjudgeError, match="tried=0"):
        doctor(pd.DataFrame(table("null", 0, questions=4)), tried=0)


def test_parquet_and_numbers_as_ids(tmp_path: Path) -> None:
    frame = pd.DataFrame(table("signal", 0, questions=30))
    frame["question"] = frame["question"].str[1:].astype(int)
    frame["label"] = frame["label"].astype(int)
    frame.to_parquet(tmp_path / "s.parquet")
    assert doctor(tmp_path / "s.parquet").named == doctor(frame).named == ("signal",)


def test_unscored_rows_are_counted() -> None:
    rows = table("signal", 0, questions=30)
    rows[0]["score"] = None
    (part,) = doctor(pd.DataFrame(rows)).found.parts
    assert part.counts == {"rows": 180, "scored": 179, "questions": 30}
    assert part.unscored[0].items == 1


def test_the_command(cli: Any, tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in table("length", 1)), encoding="utf-8")
    done = cli("doctor", "--scores", str(path), "--out", str(tmp_path / "out"))
    assert done.code == 0, done.out
    assert "explained by the length of the text" in done.out
    assert (tmp_path / "out" / "report.html").is_file()
    (tmp_path / "out" / "results.json").unlink()  # as if it was killed before its last file
    (tmp_path / "out" / "report.html.tmp").touch()
    again = cli("doctor", "--scores", str(path), "--out", str(tmp_path / "out"))
    assert (again.code, again.out) == (0, done.out)
    assert not list((tmp_path / "out").glob("*.tmp"))
    assert json.loads((tmp_path / "out" / "doctor.json").read_text("utf-8")) == {"tried": 1}
    refused = cli("doctor", "--scores", str(tmp_path / "none.jsonl"))
    assert refused.code == 2


def test_labels_that_the_questions_settle_are_told_by_no_score() -> None:
    """Less the levels of their questions they are rounding error, which would correlate with anything."""
    question = np.repeat(np.arange(8), 3)  # three times 0.1 have another mean
    y, score = np.where(question % 2, 0.1, 0.3), np.random.default_rng(0).normal(size=24)
    found = _association(y, score, np.ones((24, 1)), question, question)
    assert (found.value, found.p) == (0.0, 1.0)
