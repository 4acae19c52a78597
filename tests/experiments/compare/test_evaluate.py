"""Rows of figures by hand: what counts, what is unscored, and differences on common items only."""

from __future__ import annotations

import pytest
from innerjudge.experiments.compare.evaluate import figures
from innerjudge.experiments.compare.results import Outcome, ResultRow
from innerjudge.models.items import Choice, Item, Pair, Rating, Trace
from innerjudge.probes import Verdict


def said(judge: str, scores: list[float | None], labels: list[object] | None = None, **more: object) -> Outcome:
    return Outcome(judge=judge, verdicts=verdicts(scores, labels), **more)  # type: ignore[arg-type]


def verdicts(scores: list[float | None], labels: list[object] | None = None) -> list[Verdict]:
    named: list[object] = labels or [None] * len(scores)
    return [
        Verdict(f"i{k}", unscored="unclear") if s is None else Verdict(f"i{k}", score=s, label=x)  # type: ignore[arg-type]
        for k, (s, x) in enumerate(zip(scores, named, strict=True))
    ]


def rows(kind: str, items: list[Item], *outcomes: Outcome) -> dict[tuple[str, str], ResultRow]:
    found = figures(outcomes, data="d", kind=kind, items=items)
    assert len({(row.judge, row.metric) for row in found}) == len(found)
    return {(row.judge, row.metric): row for row in found}


TRACES: list[Item] = [
    Trace(question_id=q, candidate_id=str(k), prompt="", response="", answer=a, correct=c)
    for k, (q, a, c) in enumerate(
        [("p", "7", True), ("p", "8", False), ("p", "8", False), ("q", "1", False), ("q", "2", True), ("r", "5", True)]
    )
]


def test_one_criterion_counts_its_own_unscored_items() -> None:
    items: list[Item] = [
        Rating(item_id=f"{c}{k}", prompt="", response="", criterion=c, scores=(k + 1,), extra={"question_id": str(k)})
        for c in ("clear", "short")
        for k in range(4)
    ]
    found = rows(
        "rating", items, said("lager", [1, 2, 3, None, 1, 2, 3, 4]), said("text", [1, 2, 3, 4, None, None, 3, 4])
    )
    assert found["lager", "spearman"].unscored == 1
    assert [found["lager", f"spearman[{c}]"].unscored for c in ("clear", "short")] == [1, 0]
    assert [found["text", f"spearman[{c}]"].unscored for c in ("clear", "short")] == [0, 2]
    gaps = [found["lager", f"spearman[{c}]_minus_text"] for c in ("clear", "short")]
    assert [(gap.n, gap.unscored) for gap in gaps] == [(3, 1), (2, 2)]


def test_a_difference_to_a_text_judge_that_scored_nothing_says_so() -> None:
    scored, nothing = [0.9, 0.1, 0.5, 0.8, 0.3, 0.2], [None] * 6
    found = rows("trace", TRACES, said("clue", scored), said("lost", nothing), said("text", nothing))
    for metric in ("auroc", "within_question_auroc", "top@1"):
        for judge in ("clue", "lost"):
            assert found[judge, f"{metric}_minus_text"].reason == "the text judge scored none of these items"
    found = rows(
        "trace", TRACES, said("clue", [0.9, *nothing[1:]]), said("lost", nothing), said("text", [None, *scored[1:]])
    )
    assert found["lost", "auroc_minus_text"].reason == "this judge scored none of these items"
    assert found["clue", "auroc_minus_text"].reason.startswith("no item is scored by both")


def test_traces() -> None:
    found = rows(
        "trace",
        TRACES,
        said("clue", [0.9, 0.1, 0.5, 0.8, 0.3, 0.2], [True, False, True, True, False, False]),
        said("text", [1.0, None, 0.0, 0.0, 1.0, 1.0], [True, None, False, False, True, True]),
    )
    # Right 0.9, 0.3, 0.2 against wrong 0.1, 0.5, 0.8: 3 + 1 + 1 of 9 pairs are won.
    assert found["clue", "auroc"].value == pytest.approx(5 / 9)
    # In p the right one beats both (1), in q it loses (0); r has no wrong one.
    assert (found["clue", "within_question_auroc"].value, found["clue", "within_question_auroc"].n) == (0.5, 2)
    # 1 of 3 right ones and 1 of 3 wrong ones are called so.
    assert found["clue", "balanced_accuracy"].value == pytest.approx(1 / 3)
    # p: 0.9 is right; q: 0.8 is wrong; r: the only one is right.
    assert found["clue", "top@1"].value == pytest.approx(2 / 3)
    assert (found["text", "auroc"].value, found["text", "auroc"].n, found["text", "auroc"].unscored) == (1.0, 5, 1)
    # Without item 1: 3 x 2 pairs, 0.9 wins both, 0.3 and 0.2 win none: 2/6, against 1.
    gap = found["clue", "auroc_minus_text"]
    assert (gap.value, gap.n, gap.unscored) == (pytest.approx(2 / 6 - 1), 5, 1)
    # p votes 8 (wrong), q ties and takes the first (wrong) unless ties are shared, r is right.
    assert found["no judge", "oracle"].value == 1.0
    # A random candidate: (1/3 + 1/2 + 1) / 3.
    assert found["no judge", "random"].value == pytest.approx((1 / 3 + 1 / 2 + 1) / 3)
    assert not any(metric.endswith("_minus_text") for judge, metric in found if judge in ("text", "no judge"))


def test_a_judge_that_scored_nothing_has_no_figures() -> None:
    found = rows("trace", TRACES, said("clue", [None] * 6), said("text", [1.0, 0.0, 0.0, 0.0, 1.0, 1.0]))
    mine = [row for (judge, _), row in found.items() if judge == "clue"]
    assert mine
    for row in mine:
        assert row.value is row.low is row.high is None, row
        assert row.reason
        assert row.unscored == 6


def test_ratings() -> None:
    human = [1, 2, 3, 4, None]
    items: list[Item] = [
        Rating(item_id=f"i{k}", prompt="", response="", scores=None if h is None else (h,), extra={"quality": -k})
        for k, h in enumerate(human)
    ]
    found = rows("rating", items, said("lager", [1.0, 3.0, 2.0, 4.0, 9.0]), said("text", [4.0, 3.0, 2.0, None, 1.0]))
    # Ranks 1 3 2 4 against 1 2 3 4: rho = 1 - 6 (0 + 1 + 1 + 0) / (4 * 15) = 0.8; tau: 5 of 6 pairs agree, (5-1)/6.
    assert found["lager", "spearman"].value == pytest.approx(0.8)
    assert found["lager", "kendall"].value == pytest.approx(4 / 6)
    assert found["lager", "spearman"].n == 4
    assert found["text", "spearman"].value == pytest.approx(-1.0)
    # On items 0 to 2 alone: ranks 1 3 2 against 1 2 3: 1 - 6 * 2 / (3 * 8) = 0.5, less -1.
    assert found["lager", "spearman_minus_text"].value == pytest.approx(1.5)
    assert found["lager", "spearman_minus_text"].unscored == 1
    # Quality falls with k: ranks 1 3 2 4 5 against 5 4 3 2 1: 1 - 6 (16+1+1+4+16) / (5 * 24) = -0.9.
    assert found["lager", "spearman_noiseless"].value == pytest.approx(-0.9)


def test_choices_with_and_without_answers() -> None:
    answers = [0, 1, 2, None]
    items: list[Item] = [
        Choice(question_id=f"i{k}", question="?", options=("x", "y", "z"), answer=a) for k, a in enumerate(answers)
    ]
    qk = said("qk", [1.0, 1.0, 1.0, 1.0], [0, 1, 0, 0], again=verdicts([1.0, 1.0, 1.0, 1.0], [0, 2, 0, 0]))
    text = said("text", [1.0, None, 1.0, 1.0], [0, None, 2, 1], again=verdicts([None, 1.0, 1.0, 1.0], [0, 1, 2, 1]))
    found = rows("choice", items, qk, text)
    assert (found["qk", "accuracy"].value, found["qk", "accuracy"].n) == (pytest.approx(2 / 3), 3)
    # As given 1 1 0, permuted 1 0 0: one of three; the fourth has no answer.
    assert (found["qk", "permutation_accuracy"].value, found["qk", "permutation_accuracy"].n) == (
        pytest.approx(1 / 3),
        3,
    )
    assert (found["text", "accuracy"].value, found["text", "accuracy"].n, found["text", "accuracy"].unscored) == (
        1,
        2,
        1,
    )
    both = found["text", "permutation_accuracy"]
    assert (both.value, both.n, both.unscored) == (1.0, 1, 2)
    assert found["text", "accuracy_unscored_wrong"].value == pytest.approx(2 / 3)
    # Both scored in both forms: items 2 and 3, of which 3 has no answer: 0 - 1.
    assert found["qk", "accuracy_minus_text"].value == -1.0
    assert found["qk", "accuracy_unscored_wrong_minus_text"].value == pytest.approx(0.0)
    unknown: list[Item] = [Choice(question_id="i0", question="?", options=("x", "y"))]
    nothing = rows("choice", unknown, said("qk", [1.0], [0], again=verdicts([1.0], [0])))
    assert {row.value for row in nothing.values()} == {None}


def test_pairs_in_both_orders() -> None:
    preferred = ["a", "b", "a", "tie"]
    items: list[Item] = [
        Pair(pair_id=f"i{k}", prompt="", response_a="", response_b="", preference=p) for k, p in enumerate(preferred)
    ]
    first = said("text", [1.0, 0.0, 1.0, 1.0], ["a", "b", "a", "a"], again=verdicts([1.0] * 4, ["a", "a", "a", "b"]))
    found = rows("pair", items, first, said("length", [1.0, None, -1.0, 0.0], ["a", None, "b", "tie"]))
    assert found["text", "accuracy"].value == 1.0
    assert found["text", "accuracy_both_orders"].value == pytest.approx(2 / 3)
    assert found["length", "accuracy_both_orders"].value == 0.5
    # On pairs 0 and 2: length 1 of 2, text 2 of 2.
    assert found["length", "accuracy_both_orders_minus_text"].value == -0.5


def test_one_scored_question_has_no_interval() -> None:
    items = [
        Rating(item_id=f"{q}{k}", prompt="?", response="!", scores=(k,), extra={"question_id": q})
        for q in "pq"
        for k in range(3)
    ]
    verdicts = [
        Verdict(i.id, score=float(k)) if i.group == "p" else Verdict(i.id, unscored="why") for k, i in enumerate(items)
    ]
    (row, *_) = figures([Outcome(judge="j", verdicts=verdicts)], data="d", kind="rating", items=items)
    assert (row.metric, row.value, row.low, row.high, row.unscored) == ("spearman", pytest.approx(1.0), None, None, 3)
    assert row.reason == "no interval: it rests on one question"
