"""The judge of the verdict that a model writes: scores, labels, and what it asks for."""

import numpy as np
import pytest
from innerjudge.extraction import Features, Provenance
from innerjudge.models import InnerjudgeError
from innerjudge.models.prompts import choice_prompt, pair_prompt, rating_prompt, verdict_prompt
from innerjudge.probes import TextJudge


def texts(direct, **arrays):
    n = len(direct)
    return Features(
        ids=tuple(map(str, range(n))),
        groups=tuple(map(str, range(n))),
        provenance=Provenance("m", None, "f", "", "", ""),
        arrays={k: np.asarray(v, np.float32) for k, v in arrays.items()},
        texts={"direct": tuple(direct)},
    )


def test_ratings():
    verdicts = TextJudge.rating().verdicts(texts([" 4", "ten", "1."]))
    assert [(v.score, v.label) for v in verdicts] == [(4.0, 4), (None, None), (1.0, 1)]
    assert verdicts[1].unscored == "no verdict in the text 'ten'"
    with pytest.raises(InnerjudgeError, match="1 of 3 items"):
        TextJudge.rating().decision_function(texts([" 4", "ten", "1."]))


def test_verdicts_and_pairs():
    judge = TextJudge.verdict()
    assert judge.predict(texts(["yes", "No."])).tolist() == [True, False]
    assert judge.decision_function(texts(["yes", "No."])).tolist() == [1.0, 0.0]
    pair = TextJudge.pair()
    assert pair.predict(texts(["A", "B."])).tolist() == ["a", "b"]
    assert pair.decision_function(texts(["A", "B."])).tolist() == [1.0, 0.0]


def test_choices_are_one_hot():
    features = texts(["B", "C", "C"], labels=[4, 3, 2])
    judge = TextJudge.choice()
    verdicts = judge.verdicts(features)
    assert verdicts[0].score == [0.0, 1.0, 0.0, 0.0]
    assert verdicts[1].score == [0.0, 0.0, 1.0]
    assert (verdicts[0].label, verdicts[1].label) == (1, 2)
    assert verdicts[2].unscored == "no verdict in the text 'C'"  # it has two options
    assert judge.decision_function(features.take([0, 1]))[1, 3] == -np.inf
    three = TextJudge.choice(n_options=3)
    assert three.decision_function(texts(["B"], labels=[3])).tolist() == [[0.0, 1.0, 0.0]]


def test_choices_need_the_number_of_options():
    assert TextJudge.choice().needs == ("direct", "labels")
    with pytest.raises(InnerjudgeError, match="expected 'labels'"):
        TextJudge.choice().verdicts(texts([" Z"]))
    verdicts = TextJudge.choice().verdicts(texts([" Z", "A"], labels=[4, 0]))
    assert [v.unscored for v in verdicts] == ["no verdict in the text ' Z'", "no options to choose from"]


def test_the_named_judges_ask_as_the_prompts_do():
    for judge, prompt in (
        (TextJudge.rating(), rating_prompt("p", "r")),
        (TextJudge.rating(scale=(0, 9)), rating_prompt("p", "r", scale=(0, 9))),
        (TextJudge.verdict(), verdict_prompt("p", "r")),
        (TextJudge.choice(n_options=4), choice_prompt("q", ["x", "y"])),
        (TextJudge.pair(), pair_prompt("p", "a", "b")),
    ):
        assert (judge.cue, judge.labels) == (prompt.cue, prompt.labels)
