"""Questions, and what is made of their answers: both orders, rankings, checklists, references, rewritten responses."""

from __future__ import annotations

import pytest
from innerjudge import InnerjudgeError, Pair, Rating, Trace
from innerjudge.experiments.data.verdict_table import Row
from innerjudge.experiments.study.asking.ask import Candidate, Manner, Question, ask, candidates_of
from innerjudge.experiments.study.asking.checklist import (
    checks,
    could_answer,
    dummies,
    parsed_checklist,
    parsed_ranking,
    pass_rates,
    references,
    requirement_share,
)
from innerjudge.experiments.study.asking.distractors import (
    DISTRACTORS,
    distracted_losers,
    flip_rate,
    trial_rows,
    verdict_rate,
    with_faults,
)
from innerjudge.experiments.study.asking.questions import (
    both_orders,
    comparisons,
    named_as_in_the_item,
    pairwise,
    pointwise,
    preference,
)
from innerjudge.models.errors import UnreadableError
from innerjudge.models.prompts import ranking_prompt, rating_prompt, verdict_prompt


def candidate(name: str, **more) -> Candidate:
    return Candidate(**({"prompt": "2+2?", "response": name, "question": "q", "candidate": name} | more))


def test_what_is_asked_word_for_word() -> None:
    rate = 'Rate the response from 1 to 5. Reply with "Score:" and the number.'
    asked = rating_prompt("P", "R", reference="X", criterion="C").user
    assert asked == f"P\n\nResponse:\nR\n\nReference:\nX\n\nCriterion: C\n\n{rate}"
    correct = 'Is the response correct? Think first, then reply with "Verdict:" and yes or no.'
    assert verdict_prompt("P", "R", reasoned=True).user == f"P\n\nResponse:\nR\n\n{correct}"
    with pytest.raises(UnreadableError, match="given 1 responses"):
        ranking_prompt("P", ["R"])


def test_candidates_of_every_kind() -> None:
    traces = [
        Trace(question_id="q", candidate_id="0", prompt="?", response="r", answer="4", correct=True),
        Trace(question_id="q", candidate_id="1", prompt="?", response="s", answer="5", correct=False),
    ]
    assert [c.reference for c in candidates_of(traces)] == ["4", "4"]
    (rating,) = candidates_of([Rating(item_id="r", prompt="", response="", criterion="c", scores=(2,))], scale=(1, 3))
    assert (rating.scale, rating.criterion, rating.truth) == ((1, 3), "c", 2.0)
    pair = candidates_of([Pair(pair_id="p", prompt="", response_a="x", response_b="y", preference="a")])
    assert [(c.candidate, c.truth) for c in pair] == [("a", None), ("b", None)]


@pytest.mark.parametrize("by", ["logits", "text", "reasoned"])
def test_the_model_answers_every_question_or_says_why_not(by: str, reference) -> None:
    manner = Manner(by=by, reasoning_tokens=12, batch_size=4)
    reasoned = by == "reasoned"
    questions = [
        *pointwise([candidate("4"), candidate("5")], reasoned=reasoned),
        *pointwise([candidate("4", scale=(1, 5))], reasoned=reasoned),
        *pairwise([(candidate("4"), candidate("5"))], reasoned=reasoned),
        Question(prompt=UnreadableError("nothing to ask"), values=(0, 1), answers=(False, True),
              columns={"question": "q", "candidate": "none"}),
        *pointwise([candidate("4 " * 3000)], reasoned=reasoned),
    ]  # fmt: skip
    rows = ask(reference, questions, judge="j", manner=manner)
    assert [r.candidate for r in rows[:-1]] == ["4", "5", "4", "4|5", "4|5", "none"]
    assert [r.order for r in rows[3:5]] == ["given", "swapped"]
    assert rows[5].unscored == "nothing to ask"
    assert "context" in str(rows[6].unscored)
    for row in rows[:5]:
        assert (row.score is None) == (row.unscored is not None)
    if by == "logits":
        assert 1 <= rows[2].score <= 5
        assert all(0 <= r.score <= 1 for r in rows[:2])


def test_samples_are_numbered_and_reproducible(reference) -> None:
    manner = Manner(by="text", samples=2, temperature=1.0, seed=3)
    questions = pointwise([candidate(str(k)) for k in range(4)])
    first, again = (ask(reference, questions, judge="j", manner=manner) for _ in range(2))
    assert [r.repeat for r in first] == [0, 1] * 4
    assert first == again
    with pytest.raises(InnerjudgeError, match="greedy answers are all the same"):
        Manner(by="text", samples=2)


def test_both_orders_by_hand() -> None:
    one = {"question": "q", "judge": "j"}
    rows = named_as_in_the_item([
        Row(**one, candidate="x|y", score=0.9, label="a"),
        Row(**one, candidate="x|y", order="swapped", score=0.8, label="a"),  # y shown first and preferred
        Row(**one, candidate="x|z", score=0.7, label="a"),
        Row(**one, candidate="x|z", order="swapped", score=0.1, label="b"),
        Row(**one, candidate="y|z", score=0.5, label="a"),
        Row(**one, candidate="y|z", order="swapped", unscored="no verdict"),
    ])  # fmt: skip
    assert rows[1].label == "b"
    assert rows[1].score == pytest.approx(0.2)
    made = both_orders(rows, judge="both")
    # x|y: (0.9 + 0.2) / 2; x|z: (0.7 + 0.9) / 2
    assert [r.score for r in made] == [pytest.approx(0.55), pytest.approx(0.8), None]
    assert [r.label for r in made] == ["a", "a", None]
    assert made[2].unscored == "no verdict"


def test_comparisons_stay_within_questions() -> None:
    some = [candidate(n, question=q) for q, n in (("p", "a"), ("q", "b"), ("p", "c"), ("p", "d"))]
    assert [(x.candidate, y.candidate) for x, y in comparisons(some, most=2)] == [("a", "c")]
    asked = pairwise(comparisons([candidate("x", truth=True), candidate("yy", truth=False)]))
    assert (asked[0].columns["truth"], asked[0].columns["length"]) == ("a", -1.0)
    assert (preference(1.0, 2.0), preference(3.0, 3.0), preference(True, None)) == ("b", "tie", None)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Ranking: B > A > C", [1, 0, 2]),
        ("I think so. Ranking: B, A and C, since", [1, 0, 2]),
        ("C, B, A", [2, 1, 0]),
        ("Ranking: (B) = (A) = (C)", [1, 0, 2]),
    ],
)
def test_rankings_are_read(text: str, found: list[int]) -> None:
    assert parsed_ranking(text, 3) == found


@pytest.mark.parametrize(
    "text", ["", "Ranking: A, A, B", "Ranking: A, B", "Ranking: A, B, D", "Best is ABC", "A B Cat"]
)
def test_rankings_are_not_guessed(text: str) -> None:
    assert str(parsed_ranking(text, 3)).startswith("no ranking of 3 letters")


def test_checklists_by_hand() -> None:
    assert parsed_checklist("1) Is it right?\n* Is it short?\n[x] Is it kind?\nNo question.\n2. ?") == (
        "Is it right?",
        "Is it short?",
        "Is it kind?",
    )
    some = [candidate("x"), candidate("y"), candidate("z", prompt="other")]
    asked = checks(some, {"2+2?": ("Is it right?", "Is it short?", "Is it kind?")})
    assert len(asked) == 6
    said = {"x": (1.0, 1.0, 0.0), "y": (1.0, None, 0.0)}
    rows = [
        Row(
            question="q",
            candidate=name,
            judge="c",
            template=f"check-{k}",
            score=s,
            unscored=None if s is not None else "-",
        )
        for name, scores in said.items()
        for k, s in enumerate(scores)
    ]
    x, y, z = pass_rates(some, rows, judge="checklist")
    assert (x.score, y.score, z.unscored) == (pytest.approx(2 / 3), 0.5, "no checklist was written")
    assert y.tags["unscored_checks"] == "1"
    # DRFR pools the checks: 3 of 5, not the mean of 2/3 and 1/2
    assert requirement_share(rows, [("", "q", "x"), ("", "q", "y")]).value == pytest.approx(3 / 5)


def test_references_by_condition() -> None:
    some = [candidate(n, reference=r, prompt=n) for n, r in (("x", "4"), ("y", "4"), ("z", "5"), ("w", None))]
    assert references(some, "given") == ["4", "4", "5", None]
    assert references(some, "wrong") == ["5", "5", "4", None]
    assert references(some, "self", own={"x": "7"}) == ["7", None, None, None]
    assert could_answer(some, {"x": "4.0", "z": "6", "w": "1"}) == [True, None, False, None]


def test_distractors_keep_the_response_and_faults_do_not() -> None:
    response = "First 3 + 4 = 7. Then 7 * 2 = 14."
    for rewrite in DISTRACTORS.values():
        assert response in rewrite(response)
        assert len(rewrite(response)) > 1.2 * len(response)
    forms = [with_faults(response, severity=k, seed=1) for k in (1, 2, 3)]
    changed = [sum(a != b for a, b in zip(f.split(), response.split(), strict=True)) for f in forms]
    assert changed == [1, 2, 3]
    assert with_faults("One. Two. Three.", severity=2, seed=0) in ("One.", "Two.", "Three.")
    assert with_faults("One.", severity=1, seed=0) is None
    with pytest.raises(InnerjudgeError, match="expected 1, 2 or 3"):
        with_faults(response, severity=4, seed=0)


def test_rates_of_trials_by_hand() -> None:
    said = [(3.0, 4.0), (3.0, 3.0), (3.0, 2.0), (None, 2.0)]
    rows = trial_rows([(candidate("x"), "prolix-0")] * 4, said, judge="text")
    assert (verdict_rate(rows, "b").value, verdict_rate(rows, "tie").value) == (
        pytest.approx(1 / 3),
        pytest.approx(1 / 3),
    )
    assert [r.label for r in rows] == ["b", "tie", "a", None]
    assert rows[3].unscored == "one of the two forms is unscored"


def test_natural_flips_by_hand() -> None:
    pairs = [(candidate("x"), candidate("y"))] * 3
    changed = distracted_losers(pairs, ["a", "b", "tie"], str.upper)
    assert [(x.response, y.response) for x, y in changed] == [("x", "Y"), ("X", "y"), ("x", "y")]
    assert flip_rate(["a", "b", "tie"], ["b", "b", "a"]).value == 0.5
    assert flip_rate(["tie"], ["a"]).reason == "no pair has a preference before and a verdict after"


def test_dummy_answers_have_their_labels() -> None:
    made = dict(dummies([candidate("x", reference="Yes."), candidate("y", reference="Yes.")]))
    assert list(made) == ["yes", "sure", "question", "gold"]
    assert (made["yes"].truth, made["sure"].truth, made["gold"].truth) == (None, False, True)
    rated = dict(dummies([candidate("x", scale=(1, 5), reference="4")]))
    assert (rated["sure"].truth, rated["gold"].truth) == (1.0, 5.0)
