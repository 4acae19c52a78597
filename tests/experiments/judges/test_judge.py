"""One object: the face of a CrossEncoder, on every kind of judge, with whatever is handed to it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import Any

import numpy as np
import pytest
import torch
from innerjudge import (
    CLUE,
    LAGER,
    InnerjudgeError,
    Judge,
    LanguageModel,
    LetterLogits,
    Passes,
    Rating,
    TextJudge,
    TokenLogProb,
    Trace,
    read,
)
from innerjudge.experiments.judges.pairs import MOST_CHARACTERS
from innerjudge.models.reference.choose import choices

from .conftest import PROMPT, RIGHT, WRONG


def test_scores_are_the_decision_function_of_the_judge(clue: Judge, traces: list[Trace]) -> None:
    expected = clue.judge.decision_function(read(clue.lm, traces, judges=[clue.judge]))
    found = clue.scores([(trace.prompt, trace.response) for trace in traces])
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    np.testing.assert_allclose(clue.scores(traces), expected, rtol=1e-5)  # items are as good as pairs
    assert found[0] > found[1]  # fitted on these: the right one is right


def test_predict_gives_the_labels_of_the_judge(clue: Judge, traces: list[Trace]) -> None:
    expected = clue.judge.predict(read(clue.lm, traces, judges=[clue.judge]))
    found = clue.predict(traces)
    assert found.dtype == bool
    assert found.tolist() == expected.tolist() == [verdict.label for verdict in clue.verdicts(traces)]
    assert clue.predict([]).shape == (0,)
    with pytest.raises(InnerjudgeError, match="1 of 1 pairs that cannot be scored"):
        clue.predict([(PROMPT, None)])


def test_one_pair_and_no_pairs(clue: Judge) -> None:
    one = clue.scores((PROMPT, RIGHT))
    assert one.shape == (1,)
    np.testing.assert_allclose(one, clue.scores([[PROMPT, RIGHT]]))
    assert isinstance(clue.as_cross_encoder().predict(np.array([PROMPT, RIGHT])), float)
    assert clue.scores([]).shape == (0,)
    assert clue.verdicts([]) == []
    assert clue.rank(PROMPT, []) == []
    assert clue.rank_many([], []) == []


def test_what_callers_of_a_cross_encoder_pass(clue: Judge) -> None:
    pairs = [(PROMPT, WRONG), (PROMPT, RIGHT)]
    expected, face = clue.scores(pairs), clue.as_cross_encoder()
    asked = face.predict(pairs, batch_size=1, convert_to_numpy=True, show_progress_bar=False, prompt_name=None)
    np.testing.assert_allclose(asked, expected, rtol=1e-4)
    np.testing.assert_allclose(face.predict(pairs, convert_to_tensor=True).numpy(), expected, rtol=1e-6)
    assert face.predict(pairs, convert_to_numpy=False) == pytest.approx(expected.tolist())
    np.testing.assert_allclose(face.predict(pairs, activation_fn=torch.sigmoid), 1 / (1 + np.exp(-expected)))
    np.testing.assert_array_equal(face.predict(pairs, apply_softmax=True), expected)  # one label: as a CrossEncoder
    negative = clue.as_cross_encoder(torch.neg)
    np.testing.assert_array_equal(negative.predict(pairs), -expected)
    said = [WRONG, RIGHT, ""]
    assert face.rank(PROMPT, said, return_documents=True) == clue.rank(PROMPT, said, return_documents=True)
    turned = negative.rank(PROMPT, said)
    assert [one["corpus_id"] for one in turned] == [0, 1, 2]  # the best by the judge is the worst; no score, last
    assert turned[2]["score"] is None
    assert len(face.rank(PROMPT, said, top_k=1)) == 1
    for wrong in ({"prompt_name": "query"}, {"prompt": "query"}):
        with pytest.raises(InnerjudgeError, match="='query', expected none"):
            face.predict(pairs, **wrong)


def test_rank_is_the_order_of_predict(clue: Judge) -> None:
    said = [WRONG, RIGHT, WRONG, "<think>12</think>15"]
    scores = clue.scores([(PROMPT, one) for one in said])
    found = clue.rank(PROMPT, said, return_documents=True)
    assert [one["corpus_id"] for one in found] == np.argsort(-scores, kind="stable").tolist()
    assert [one["score"] for one in found] == pytest.approx(sorted(scores, reverse=True))
    assert [one["text"] for one in found] == [said[one["corpus_id"]] for one in found]
    assert clue.rank(PROMPT, said, top_k=2) == [{k: one[k] for k in ("corpus_id", "score")} for one in found[:2]]  # type: ignore[literal-required]
    assert len(clue.rank(PROMPT, [RIGHT])) == 1


def test_rank_many_is_rank_of_each(clue: Judge) -> None:
    queries = [PROMPT, "Start with 2. Add 2.", PROMPT]
    documents = [[RIGHT, WRONG], [], [WRONG, "no markers", RIGHT]]
    many = clue.rank_many(queries, documents, top_k=2, return_documents=True)
    alone = [clue.rank(q, d, top_k=2, return_documents=True) for q, d in zip(queries, documents, strict=True)]
    assert [[one["corpus_id"] for one in found] for found in many] == [[0, 1], [], [2, 0]]
    for one, other in zip(chain(*many), chain(*alone), strict=True):
        assert one == other | {"score": pytest.approx(other["score"], rel=1e-4)}


def test_unscored_candidates_stand_last_and_say_why(clue: Judge) -> None:
    huge = "x" * (MOST_CHARACTERS * 1024 + 1)
    long = "<think>" + "1+1=2;" * 400 + "</think>2"
    said: list[Any] = [None, "no markers", WRONG, "bro\ud800ken", RIGHT, b"bytes", long, huge, "", 7]
    found = clue.rank(PROMPT, said, return_documents=True)
    assert [one["corpus_id"] for one in found] == [4, 2, 0, 1, 3, 5, 6, 7, 8, 9]
    reasons = {one["corpus_id"]: one["unscored"] for one in found[2:]}
    assert all(one["score"] is None for one in found[2:])
    assert reasons[0] == "the response is of type NoneType, not a string or a list of messages"
    assert reasons[1] == "no <think> in the response"
    assert "surrogate" in reasons[3]
    assert reasons[5] == "the response is of type bytes, not a string or a list of messages"
    assert "longer than the model's context of 1024; not cut" in reasons[6]
    assert "characters, far more than the model's context of 1024 tokens holds; not cut" in reasons[7]
    assert reasons[8]
    verdicts = clue.verdicts([(PROMPT, one) for one in said])
    assert [verdict.id for verdict in verdicts] == [str(k) for k in range(len(said))]
    assert {k: v.unscored for k, v in enumerate(verdicts) if v.unscored} == reasons
    with pytest.raises(InnerjudgeError, match=r"8 of 10 pairs .*\(first: 0: the response is of type NoneType"):
        clue.scores([(PROMPT, one) for one in said])


@pytest.mark.parametrize(
    "pair", [("only one",), ("a", "b", "c"), 5, None, "ab", {"prompt": "a"}, (3, "b"), ("a", ["b"])]
)
def test_what_is_no_pair_is_unscored(clue: Judge, pair: Any) -> None:
    found = clue.verdicts([pair, (PROMPT, RIGHT)])
    assert found[0].score is None
    assert found[0].unscored
    assert found[1].score is not None


def test_what_is_no_list_is_refused(clue: Judge) -> None:
    with pytest.raises(InnerjudgeError, match="expected a list of pairs of strings"):
        clue.verdicts("prompt")
    with pytest.raises(InnerjudgeError, match="expected a list of candidates"):
        clue.rank(PROMPT, "one candidate")
    with pytest.raises(InnerjudgeError, match="expected a list of candidates"):
        clue.rank_many([PROMPT], ["one", "two"])  # type: ignore[list-item]
    with pytest.raises(InnerjudgeError, match="2 prompts and 1 lists"):
        clue.rank_many([PROMPT, PROMPT], [[RIGHT]])
    with pytest.raises(InnerjudgeError, match="top_k=0"):
        clue.rank(PROMPT, [RIGHT], top_k=0)
    with pytest.raises(InnerjudgeError, match="batch_size=0"):
        clue.scores([(PROMPT, RIGHT)], batch_size=0)
    with pytest.raises(InnerjudgeError, match="given a Rating for a judge of trace items"):
        clue.verdicts([Rating(item_id="r", prompt="", response="")])


def test_a_batch_of_any_size_says_the_same(clue: Judge, rater: Judge) -> None:
    pairs = [
        (PROMPT, RIGHT),
        (PROMPT, WRONG),
        ("Start with 1. Add 1.", "<think>1+1=2</think>2"),
        (PROMPT, "<think></think>3"),
    ]
    for judge in (clue, rater):
        alone = np.concatenate([judge.scores(pair) for pair in pairs])
        for batch_size in (1, 2, 3, 32):
            np.testing.assert_allclose(judge.scores(pairs, batch_size), alone, rtol=2e-4, atol=1e-5)


def test_a_choice_judge_ranks_options_from_one_pass(chooser: Judge) -> None:
    item = choices(50, seed=77)[49]
    scores = chooser.judge.decision_function(read(chooser.lm, [item], judges=[chooser.judge]))[0]
    found = chooser.rank(item.question, item.options, return_documents=True)
    assert {one["corpus_id"]: one["score"] for one in found} == pytest.approx(
        dict(enumerate(scores[: len(item.options)]))
    )
    assert found[0]["corpus_id"] == int(np.argmax(scores[: len(item.options)]))
    assert found[0]["text"] == item.options[found[0]["corpus_id"]]
    with pytest.raises(InnerjudgeError, match=r"compares the options of a question.*use rank\(question, options\)"):
        chooser.scores([("q", "a")])
    assert chooser.verdicts([(item.question, item.options)])[0] == chooser.verdicts([item])[0].__class__(
        "0", *[getattr(chooser.verdicts([item])[0], name) for name in ("score", "label", "unscored")]
    )


def test_options_that_cannot_be_asked_are_unscored(chooser: Judge) -> None:
    found = chooser.rank_many(["one option", "none", "odd", "two"], [["a"], [], ["a", None], ["a", "b"]])  # type: ignore[list-item]
    assert [len(one) for one in found] == [1, 0, 2, 2]
    assert found[0][0]["score"] is None
    assert "1 options" in found[0][0]["unscored"]
    assert [one["unscored"] for one in found[2]] == ["option 1 is of type NoneType, not a string"] * 2
    assert all(one["score"] is not None for one in found[3])
    assert chooser.verdicts([("q", "ab")])[0].unscored == "the options are a str, not a list of strings"


def test_abstain_lines_are_shown_but_not_ranked(reference: LanguageModel) -> None:
    options = ["iron", "pear", "lead"]
    with_lines = Judge(LetterLogits(), reference)
    without = Judge(LetterLogits(), reference, passes=Passes(abstain=False))
    for judge in (with_lines, without):
        assert sorted(one["corpus_id"] for one in judge.rank("Which is a fruit?", options)) == [0, 1, 2]
    assert len(with_lines.verdicts([("Which is a fruit?", options)])[0].score) == 5  # type: ignore[arg-type]
    assert len(without.verdicts([("Which is a fruit?", options)])[0].score) == 3  # type: ignore[arg-type]


def test_text_judges_and_baselines_have_the_same_face(reference: LanguageModel, asker: Judge, rater: Judge) -> None:
    pairs = [(PROMPT, RIGHT), (PROMPT, WRONG)]
    for judge in (asker, rater, Judge(TokenLogProb(), reference), Judge(TextJudge.rating(), reference)):
        assert judge.scores(pairs).shape == (2,)
        assert len(judge.rank(PROMPT, [RIGHT, WRONG])) == 2
    letters = Judge(TextJudge.choice(), reference).rank("Which is a fruit?", ["iron", "pear"])
    assert sorted(one["score"] for one in letters) in ([0.0, 0.0], [0.0, 1.0])  # one-hot; an abstain line takes the one


def test_ratings_carry_their_criterion_and_reference(reference: LanguageModel, rater: Judge) -> None:
    plain, asked = (
        Rating(item_id="a", prompt="p", response="r"),
        Rating(item_id="b", prompt="p", response="r", criterion="short"),
    )
    both = rater.scores([plain, asked])
    assert both[0] == pytest.approx(rater.scores(("p", "r")))
    short = Judge(LAGER(), reference, criterion="short")
    assert short.scores(("p", "r")) == pytest.approx(both[1], rel=1e-4)
    assert both[0] != both[1]


def test_kind_goes_by_the_judge_and_is_checked(reference: LanguageModel, clue: Judge) -> None:
    assert (clue.kind, Judge(LAGER(), reference).kind, Judge(LAGER(values=(0, 1)), reference).kind) == (
        "trace",
        "rating",
        "trace",
    )
    assert Judge(LAGER(values=(0, 1, 2)), reference).passes.scale == (0, 2)
    with pytest.raises(InnerjudgeError, match="expected kind='choice'"):
        Judge(LetterLogits(), reference, kind="trace")
    with pytest.raises(InnerjudgeError, match="expected kind='trace'"):
        Judge(clue.judge, reference, kind="choice")
    with pytest.raises(InnerjudgeError, match="expected one of trace, rating, pair, choice"):
        Judge(clue.judge, reference, kind="song")
    with pytest.raises(InnerjudgeError, match="sees both responses"):
        Judge(TextJudge.pair(), reference)
    with pytest.raises(InnerjudgeError, match="the scale 1-5 for a judge on 0-2"):
        Judge(LAGER(values=(0, 1, 2)), reference, passes=Passes())
    with pytest.raises(InnerjudgeError, match="not fitted"):
        Judge(CLUE(), reference)
    with pytest.raises(InnerjudgeError, match="given judge='clue'"):
        Judge("clue", reference)  # type: ignore[arg-type]


def test_a_judge_of_another_model_is_refused(clue: Judge, tinystories: LanguageModel) -> None:
    with pytest.raises(InnerjudgeError, match="fingerprint"):
        Judge(clue.judge, tinystories)


def test_many_threads_ask_one_model(
    clue: Judge, rater: Judge, asker: Judge, chooser: Judge, reference: LanguageModel
) -> None:
    config = reference.model.generation_config
    pairs = [[(PROMPT, RIGHT), (PROMPT, f"<think>7+{k}=12;12*3=36</think>36")] for k in range(8)]
    questions = choices(60, seed=9)[-8:]

    def ask(job: tuple[str, int]) -> Any:
        who, k = job
        if who == "chooser":
            return [
                one["score"]
                for one in sorted(
                    chooser.rank(questions[k].question, questions[k].options), key=lambda r: r["corpus_id"]
                )
            ]
        return {"clue": clue, "rater": rater, "asker": asker}[who].scores(pairs[k])

    jobs = [(who, k) for k in range(8) for who in ("clue", "asker", "chooser", "rater")]
    expected = [ask(job) for job in jobs]
    with ThreadPoolExecutor(12) as pool:
        for _ in range(2):
            for one, other in zip(pool.map(ask, jobs), expected, strict=True):
                np.testing.assert_array_equal(one, other)
    assert reference.model.generation_config is config  # what writing text swaps is back
