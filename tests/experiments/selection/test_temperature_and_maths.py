from __future__ import annotations

import threading
from math import inf

import numpy as np
import pytest
from innerjudge.experiments.selection import maths
from innerjudge.experiments.selection.maths import equal_answers
from innerjudge.experiments.selection.reranking import selection_accuracy
from innerjudge.experiments.selection.rules import Rule
from innerjudge.experiments.selection.select_job import choose_temperature, default_temperatures
from innerjudge.models.errors import InnerjudgeError


def test_temperature_by_hand() -> None:
    answers, scores, groups = ["7", "8", "8"], [2.0, 0.0, 0.0], ["q"] * 3
    # 7 wins while e^(2/T) > 2, that is T < 2 / ln 2 = 2.885
    tried = [0.0, 1.0, 2.8, 2.9, inf]
    assert choose_temperature(answers, scores, [True, False, False], groups, candidates=tried) == 1.0  # of 0, 1, 2.8
    assert choose_temperature(answers, scores, [False, True, True], groups, candidates=tried) == 2.9  # of 2.9, inf
    assert choose_temperature(answers, scores, [None] * 3, groups, candidates=tried) == 1.0
    assert choose_temperature(answers, [None] * 3, [True, False, False], groups) == 1.0
    for bad in ([], [-1.0], [float("nan")]):
        with pytest.raises(InnerjudgeError, match="expected at least one, all 0 or more"):
            choose_temperature(answers, scores, [True, False, False], groups, candidates=bad)


def test_the_unit_of_a_score_does_not_matter() -> None:
    rng = np.random.default_rng(2)
    answers = ["abc"[k] for k in rng.integers(3, size=200)]
    correct = [a == "a" for a in answers]
    scores = rng.normal(size=200) + 0.8 * np.array(correct)
    groups = [f"q{k // 8}" for k in range(200)]
    assert (default_temperatures([0.1] * 3, "qqq") == default_temperatures([0.5] * 4, "qqqq")).all()  # no unit: 1
    small, large = (choose_temperature(answers, scores * unit, correct, groups) for unit in (1.0, 1000.0))
    assert large == pytest.approx(1000 * small)
    assert len(default_temperatures(scores, groups)) == 80
    best = max(
        selection_accuracy(answers, scores, correct, groups, rule=Rule("weighted", temperature=t)).value or 0.0
        for t in default_temperatures(scores, groups)
    )
    chosen = selection_accuracy(answers, scores, correct, groups, rule=Rule("weighted", temperature=small)).value
    assert chosen == best


@pytest.mark.parametrize(
    "same",
    [
        ("1/2", "0.5", r"\frac{1}{2}", r"$\frac12$", r"\dfrac{2}{4}"),
        ("1,234", "1234.0", "$1234", r"1.234 \times 10^3"),
        (r"3\sqrt{2}", r"\sqrt{18}"),
        (r"\{1,2\}", r"\{2, 1\}"),
        ("(x+1)^2", "x^2+2x+1"),
        ("(b)", "B", "b."),
        ("Not given", "not  given."),
        ("x=5", "5"),
    ],
)
def test_equal(same: tuple[str, ...]) -> None:
    assert len(set(equal_answers(same))) == 1


@pytest.mark.parametrize(
    "different",
    [
        ("1/2", "0.333", "2"),
        (r"3\sqrt{2}", "3"),
        ("(1,2)", "(2,1)", "[1,2]"),
        ("A", "B"),
        ("x^2", "x^3"),
        ("cat", "dog"),
        ("9^{9^{9^9}}", "7"),
    ],
)
def test_different(different: tuple[str, ...]) -> None:
    assert len(set(equal_answers(different))) == len(different)


def test_nothing_and_everything() -> None:
    assert equal_answers([]) == []
    assert equal_answers([None, "", "  "]) == [None, None, None]
    long = "1+" * 400 + "1"
    assert equal_answers([long, "401"]) == [long, "401"]  # too long to be a final answer
    assert equal_answers([r"\frac{", "}{", "^^", "\\", "1/0"]) != []  # broken maths is text


def test_off_the_main_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[list[str | None]] = []
    thread = threading.Thread(target=lambda: found.append(equal_answers(["1/2", r"\frac{1}{2}", "9^{9^{9^9}}", "7"])))
    thread.start()
    thread.join(60)
    assert found == [["1/2", "1/2", "9^{9^{9^9}}", "7"]]


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "math_verify", None)
    with pytest.raises(InnerjudgeError, match=r'pip install "innerjudge\[math\]"'):
        equal_answers(["1"])
    assert maths.normalise("1.0") == "1"
