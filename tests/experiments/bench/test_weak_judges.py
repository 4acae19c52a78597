"""The committed page of judges' labels, and its studies in small: raters, a judge, wordings, log-ratios."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from innerjudge.experiments.bench.weak import judge_sections as page
from innerjudge.experiments.bench.weak.judged import judged, verdicts, with_lengths
from innerjudge.experiments.bench.weak.labelled import measured
from innerjudge.experiments.bench.weak.preferred import log_ratios, pairs_of, preferred
from innerjudge.experiments.bench.weak.raters import Raters, raters
from innerjudge.experiments.bench.weak.studies import of_world
from innerjudge.experiments.bench.weak.worded import Wordings, wordings
from innerjudge.experiments.bench.weak.worlds import Answers, drawn

TEXT = Path(page.__file__).with_name("weak-judges.md").read_text("utf-8")


def tables(text: str) -> dict[str, dict[str, list[float]]]:
    """Of each section the rows of its first table, the world first."""
    found: dict[str, dict[str, list[float]]] = {}
    for part in text.split("\n## ")[1:]:
        rows = [
            line.strip("| ").split(" | ") for line in part.split("\nMean difference")[0].splitlines() if "±" in line
        ]
        found[part.splitlines()[0]] = {row[0]: [float(cell.split()[0]) for cell in row[1:]] for row in rows if row[1:]}
    return found


FOUND = tables(TEXT)


def small(questions: int, spread: float = 1.0, confound: float = 2.0):
    """A draw of a small world."""

    def draw(_questions: int, seed: int) -> tuple[Answers, Answers]:
        return of_world(confound, spread)(questions, seed)

    return draw


def test_the_page_says_what_the_simulations_said() -> None:
    labels, areas = (FOUND[f"Several raters: {what}"] for what in ("how many labels are right", "what is learned"))
    assert labels["five, dawid-skene"][0] >= labels["five, vote"][0] + 0.03
    assert areas["clique, dawid-skene"][0] < areas["clique, mean"][0]
    verdict = FOUND["A judge's labels"]
    assert verdict["probe, judge of .80"][0] >= verdict["judge of .80"][0] + 0.03
    likes, without = (verdict[f"probe{how}, judge that likes length"][0] for how in ("", " without length"))
    assert likes < verdict["judge that likes length"][0] <= without - 0.05
    words = FOUND["Several wordings: what is learned"]
    assert words["seven, centred"][0] >= words["seven, one wording"][0] + 0.02
    assert words["seven, majority"][0] >= words["seven, one wording"][0] + 0.01
    ratios = FOUND["Log-ratios of two models"]
    assert ratios["20 pairs, ratio, soft"][0] >= ratios["20 pairs"][0] + 0.03


def test_the_page_has_real_states_and_says_how_it_was_made() -> None:
    for part in TEXT.split("\n## ")[1:]:
        assert "solve, response_end 6" in part
        assert "smollm2-135m, mean 15" in part
    assert re.search(r"Written by `python -m innerjudge\.experiments\.bench\.weak --draws \d+ --questions 400", TEXT)
    assert "/" not in TEXT.partition("Written by")[2]


def test_raters_err_as_they_are_told() -> None:
    right = np.arange(4000) % 2 == 0
    said = Raters((0.9, 0.7, 0.7), (0.6, 0.7, 0.7), copies=1).say(right, np.random.default_rng(0))
    first, second, third = (np.array(column) for column in said.values())
    assert (first[right].mean(), first[~right].mean()) == pytest.approx((0.9, 0.4), abs=0.03)
    assert (second == right).mean() == pytest.approx(0.7, abs=0.03)
    assert (third == second).mean() == pytest.approx(0.95 + 0.05 * 0.58, abs=0.01)  # else .7 * .7 + .3 * .3
    assert "rater 1" in Raters((0.9, 0.9), (0.9, 0.9), left_out=0.5).say(right, np.random.default_rng(0))


def test_raters_in_small() -> None:
    found = {name: its.mean() for name, its in measured(small(60), raters, 2).items()}
    assert found["labels right: five, dawid-skene"] >= found["labels right: five, vote"] + 0.03
    assert found["labels right: five, lenient, dawid-skene"] >= found["labels right: five, lenient, vote"] + 0.03
    assert found["AUROC: clique, dawid-skene"] < found["AUROC: clique, mean"]  # a limit


def test_wordings_in_small() -> None:
    found = {name: its.mean() for name, its in measured(small(60), wordings, 2).items()}
    assert found["labels right: seven, centred"] >= found["labels right: seven, one wording"] + 0.1
    assert found["AUROC: seven, centred"] >= found["AUROC: seven, one wording"] + 0.01
    scores = Wordings(3, levels=0.0, misread=1).scores(np.arange(4000) % 2 == 0, np.random.default_rng(0))
    # log-odds of right ones, 1 above the middle or -.5, have a variance of .22 + 1.3
    assert scores[::2].mean(axis=0) == pytest.approx((-0.5, 1, 1), abs=0.1)
    assert scores[::2].var() == pytest.approx(1.52 + 0.5, abs=0.1)  # of the means -.5, 1, 1: .5


def test_a_judge_in_small() -> None:
    found = {name: its.mean() for name, its in measured(small(200, spread=0.0), judged, 3).items()}
    assert found["probe, judge of .80"] >= found["judge of .80"] + 0.02
    likes = found["judge that likes length"]
    assert found["probe, judge that likes length"] < likes <= found["probe without length, judge that likes length"]
    answers = with_lengths(drawn(500, 2.0, 0), 0)
    said = verdicts(answers, np.random.default_rng(0), 0.78, likes=2.5)
    assert (said == answers.right).mean() == pytest.approx(0.78, abs=0.02)
    assert answers.length is not None
    assert answers.length[said].mean() > answers.length[~said].mean() + 15


def test_log_ratios_in_small() -> None:
    answers = drawn(50, 2.0, 0)
    pairs = pairs_of(answers, np.random.default_rng(0))
    assert len(np.unique(pairs)) == pairs.size
    assert (answers.right[pairs].sum(axis=1) == 1).all()
    assert (answers.question[pairs[:, 0]] == answers.question[pairs[:, 1]]).all()
    many = drawn(2000, 2.0, 0)
    ratio, at = log_ratios(many, 0.665, 0.0, np.random.default_rng(0)), pairs_of(many, np.random.default_rng(0))
    higher = ratio[at[:, 0]] > ratio[at[:, 1]]
    assert (higher == many.right[at[:, 0]]).mean() == pytest.approx(0.665, abs=0.02)
    found = {name: its.mean() for name, its in measured(small(200), preferred, 3).items()}
    assert found["20 pairs, ratio, soft"] >= found["20 pairs"] + 0.02
