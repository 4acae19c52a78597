"""Figures by hand: what counts, what is unscored, and differences on common items only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from innerjudge.experiments.compare.figures import Figure
from innerjudge.experiments.compare.lens import Lens
from innerjudge.experiments.compare.metrics import chance_of, metrics
from innerjudge.experiments.compare.run import n_mixed
from innerjudge.experiments.compare.sections.candidates import candidates
from innerjudge.experiments.compare.sections.headline import headline
from innerjudge.experiments.compare.settings import Settings
from innerjudge.experiments.data.verdict_table import Row, Table

Found = dict[tuple[str, str, str | None], Figure]
FAMILIES = {"text": "text", "length": "baseline", "no judge": "baseline"}


def said(judge: str, scores: Sequence[float | None], labels: Sequence[Any] | None = None, *, order: str = "given",
         items: Sequence[dict[str, Any]]) -> list[Row]:  # fmt: skip
    rows = []
    for item, score, label in zip(items, scores, labels or [None] * len(scores), strict=True):
        given = {"unscored": "unclear"} if score is None else {"score": score, "label": label}
        rows.append(Row(**item, judge=judge, order=order, **given))
    return rows


def seen(kind: str, rows: list[Row], **settings: Any) -> Lens:
    table, how = Table(rows), Settings(**settings)
    families = {judge: FAMILIES.get(judge, "hidden") for judge in table.judges}
    return Lens(data="d", kind=kind, table=table, calibration=Table([]), families=families, settings=how)


def figures(lens: Lens) -> Found:
    found = [section for section in (headline(lens), candidates(lens)) if section is not None]
    every = [f for section in found for f in section.figures]
    return {(f.judge, f.metric, f.against): f for f in every}


TRACES = [
    {"question": q, "candidate": str(k), "answer": a, "truth": c}
    for k, (q, a, c) in enumerate(
        [("p", "7", True), ("p", "8", False), ("p", "8", False), ("q", "1", False), ("q", "2", True), ("r", "5", True)]
    )
]
NOTHING = [None] * 6


def test_the_questions_behind_figures_are_counted_by_name() -> None:
    """Of p, q and r only p and q have both a right and a wrong answer."""
    lens = seen("trace", said("clue", [0.9, 0.1, 0.5, 0.8, 0.3, 0.2], items=TRACES))
    assert (lens.n_groups, n_mixed(lens)) == (3, 2)
    table = headline(lens).grids[0]
    assert table.rows[0][table.columns.index("questions with both")] == 2


def test_traces() -> None:
    clue = said("clue", [0.9, 0.1, 0.5, 0.8, 0.3, 0.2], [True, False, True, True, False, False], items=TRACES)
    text = said("text", [1.0, None, 0.0, 0.0, 1.0, 1.0], [True, None, False, False, True, True], items=TRACES)
    found = figures(seen("trace", clue + text))
    # Right 0.9, 0.3, 0.2 against wrong 0.1, 0.5, 0.8: 3 + 1 + 1 of 9 pairs are won.
    assert found["clue", "AUROC", None].value == pytest.approx(5 / 9)
    # In p the right one beats both (1), in q it loses (0); r has no wrong one.
    within = found["clue", "AUROC within questions", None]
    assert (within.value, within.n) == (0.5, 2)
    # 1 of 3 right ones and 1 of 3 wrong ones are called so.
    assert found["clue", "balanced accuracy", None].value == pytest.approx(1 / 3)
    # p: 0.9 is right; q: 0.8 is wrong; r: the only one is right.
    assert found["clue", "top@1", None].value == pytest.approx(2 / 3)
    pooled = found["text", "AUROC", None]
    assert (pooled.value, pooled.n, pooled.unscored) == (1.0, 5, 1)
    # Without item 1: 3 x 2 pairs, 0.9 wins both, 0.3 and 0.2 win none: 2/6, against 1.
    gap = found["clue", "AUROC", "text"]
    assert (gap.value, gap.n, gap.unscored) == (pytest.approx(2 / 6 - 1), 5, 1)
    # p votes 8 (wrong), q ties and takes the first (wrong) unless ties are shared, r is right.
    assert found["no judge", "oracle", None].value == 1.0
    # A random candidate: (1/3 + 1/2 + 1) / 3.
    assert found["no judge", "random", None].value == pytest.approx((1 / 3 + 1 / 2 + 1) / 3)
    assert not any(against for judge, _, against in found if judge in ("text", "no judge"))


def test_a_difference_to_a_text_judge_that_scored_nothing_says_so() -> None:
    scored = [0.9, 0.1, 0.5, 0.8, 0.3, 0.2]
    rows = said("clue", scored, items=TRACES) + said("lost", NOTHING, items=TRACES)
    lens = seen("trace", rows + said("text", NOTHING, items=TRACES))
    found = figures(lens)
    for metric in ("AUROC", "AUROC within questions", "top@1"):
        for judge in ("clue", "lost"):
            assert found[judge, metric, "text"].reason == "the judge text scored none of these items"
    assert any("no claim of better is made" in sentence for sentence in headline(lens).found)
    rows = said("clue", [0.9, *NOTHING[1:]], items=TRACES) + said("lost", NOTHING, items=TRACES)
    found = figures(seen("trace", rows + said("text", [None, *scored[1:]], items=TRACES)))
    assert found["lost", "AUROC", "text"].reason == "this judge scored none of these items"
    assert str(found["clue", "AUROC", "text"].reason).startswith("no item is scored by both")


def test_a_judge_that_scored_nothing_has_no_figures_and_keeps_its_line() -> None:
    rows = said("clue", NOTHING, items=TRACES) + said("text", [1.0, 0.0, 0.0, 0.0, 1.0, 1.0], items=TRACES)
    lens = seen("trace", rows)
    mine = [figure for (judge, _, _), figure in figures(lens).items() if judge == "clue"]
    assert mine
    for figure in mine:
        assert figure.value is figure.low is figure.high is None, figure
        assert figure.reason
        assert figure.unscored == 6
    assert [row[0] for row in headline(lens).grids[0].rows] == ["clue", "text"]


def test_one_criterion_counts_its_own_unscored_items() -> None:
    items = [
        {"question": str(k), "candidate": f"{c}{k}", "truth": k + 1, "tags": {"criterion": c}}
        for c in ("clear", "short")
        for k in range(4)
    ]
    rows = said("lager", [1, 2, 3, None, 1, 2, 3, 4], items=items)
    found = figures(seen("rating", rows + said("text", [1, 2, 3, 4, None, None, 3, 4], items=items)))
    assert found["lager", "Spearman", None].unscored == 1
    names = [f"Spearman [{c}]" for c in ("clear", "short")]
    assert [found["lager", name, None].unscored for name in names] == [1, 0]
    assert [found["text", name, None].unscored for name in names] == [0, 2]
    gaps = [found["lager", name, "text"] for name in names]
    assert [(gap.n, gap.unscored) for gap in gaps] == [(3, 1), (2, 2)]


def test_ratings() -> None:
    human = [1, 2, 3, 4, None]
    items = [
        {"question": f"i{k}", "candidate": f"i{k}", "truth": h, "tags": {"quality": repr(float(-k))}}
        for k, h in enumerate(human)
    ]
    rows = said("lager", [1.0, 3.0, 2.0, 4.0, 9.0], items=items) + said("text", [4.0, 3.0, 2.0, None, 1.0], items=items)
    found = figures(seen("rating", rows))
    # Ranks 1 3 2 4 against 1 2 3 4: rho = 1 - 6 (0 + 1 + 1 + 0) / (4 * 15) = 0.8; tau: 5 of 6 pairs agree, (5-1)/6.
    assert found["lager", "Spearman", None].value == pytest.approx(0.8)
    assert found["lager", "Kendall", None].value == pytest.approx(4 / 6)
    assert found["lager", "Spearman", None].n == 4
    assert found["text", "Spearman", None].value == pytest.approx(-1.0)
    # On items 0 to 2 alone: ranks 1 3 2 against 1 2 3: 1 - 6 * 2 / (3 * 8) = 0.5, less -1.
    gap = found["lager", "Spearman", "text"]
    assert gap.value == pytest.approx(1.5)
    assert gap.unscored == 1
    # Quality falls with k: ranks 1 3 2 4 5 against 5 4 3 2 1: 1 - 6 (16+1+1+4+16) / (5 * 24) = -0.9.
    assert found["lager", "Spearman, noiseless", None].value == pytest.approx(-0.9)


def test_choices_with_and_without_answers() -> None:
    answers = [0, 1, 2, None]
    items = [{"question": f"i{k}", "candidate": "options", "truth": a} for k, a in enumerate(answers)]
    rows = said("qk", [1.0] * 4, [0, 1, 0, 0], items=items)
    rows += said("qk", [1.0] * 4, [0, 2, 0, 0], items=items, order="permuted")
    rows += said("text", [1.0, None, 1.0, 1.0], [0, None, 2, 1], items=items)
    rows += said("text", [None, 1.0, 1.0, 1.0], [None, 1, 2, 1], items=items, order="permuted")
    found = figures(seen("choice", rows))
    plain, both = "accuracy", "accuracy, options also permuted"
    assert (found["qk", plain, None].value, found["qk", plain, None].n) == (pytest.approx(2 / 3), 3)
    # As given 1 1 0, permuted 1 0 0: one of three; the fourth has no answer.
    assert (found["qk", both, None].value, found["qk", both, None].n) == (pytest.approx(1 / 3), 3)
    assert (found["text", plain, None].value, found["text", plain, None].n) == (1.0, 2)
    assert found["text", plain, None].unscored == 1
    permuted = found["text", both, None]
    assert (permuted.value, permuted.n, permuted.unscored) == (1.0, 1, 2)
    assert found["text", "accuracy, unscored wrong", None].value == pytest.approx(2 / 3)
    # Both scored as given: items 0, 2 and 3, of which 3 has no answer: (1 + 0) / 2 less (1 + 1) / 2.
    assert found["qk", plain, "text"].value == -0.5
    # In both forms only items 2 and 3: 0 less 1.
    assert found["qk", both, "text"].value == -1.0
    assert found["qk", "accuracy, unscored wrong", "text"].value == pytest.approx(0.0)
    unknown = [{"question": "i0", "candidate": "options"}]
    rows = said("qk", [1.0], [0], items=unknown) + said("qk", [1.0], [0], items=unknown, order="permuted")
    assert {figure.value for figure in figures(seen("choice", rows)).values()} == {None}


def test_pairs_in_both_orders() -> None:
    preferred = ["a", "b", "a", "tie"]
    items = [{"question": f"i{k}", "candidate": "a|b", "truth": p} for k, p in enumerate(preferred)]
    rows = said("text", [1.0, 0.0, 1.0, 1.0], ["a", "b", "a", "a"], items=items)
    rows += said("text", [1.0] * 4, ["a", "a", "a", "b"], items=items, order="swapped")
    for order in ("given", "swapped"):
        rows += said("length", [1.0, None, -1.0, 0.0], ["a", None, "b", "tie"], items=items, order=order)
    found = figures(seen("pair", rows))
    assert found["text", "accuracy as shown", None].value == 1.0
    assert found["text", "accuracy in both orders", None].value == pytest.approx(2 / 3)
    assert found["length", "accuracy in both orders", None].value == 0.5
    # On pairs 0 and 2: length 1 of 2, text 2 of 2.
    assert found["length", "accuracy in both orders", "text"].value == -0.5


def test_one_scored_question_has_no_interval() -> None:
    items = [{"question": q, "candidate": f"{q}{k}", "truth": k} for q in "pq" for k in range(3)]
    rows = said("j", [0.0, 1.0, 2.0, None, None, None], items=items)
    figure = figures(seen("rating", rows))["j", "Spearman", None]
    assert (figure.value, figure.low, figure.high, figure.unscored) == (pytest.approx(1.0), None, None, 3)
    assert figure.reason == "no interval: it rests on one question"


def test_better_is_said_of_corrected_differences_only(made_up: Callable[..., Lens]) -> None:
    lens = made_up("trace", questions=60)
    gaps = {f.judge: f for f in headline(lens).figures if f.against == "text" and f.metric == "AUROC within questions"}
    assert gaps.keys() == set(lens.judges) - {"text"}
    tested = sorted(gap.p for gap in gaps.values() if gap.p is not None)
    # Holm: the smallest p-value is multiplied by the number of judges compared.
    smallest = min(gaps.values(), key=lambda gap: gap.p if gap.p is not None else 1.0)
    assert smallest.p_corrected == pytest.approx(min(1.0, len(gaps) * tested[0]))
    for gap in gaps.values():
        assert gap.p_corrected is not None
        assert (gap.verdict != "not told apart") == (gap.p_corrected <= 0.05)
    text = " ".join(headline(lens).found)
    assert "Better than text after correction for 4 judges: good by" in text
    assert "Neither better nor worse than text as far as these items can tell: fair" in text
    assert "length (a baseline)" in text


def test_a_judge_that_does_not_win_is_said_not_to_win(made_up: Callable[..., Lens]) -> None:
    lens = made_up("trace", questions=12)
    table = Table(row for row in lens.table if row.judge != "good")
    few = replace(lens, table=table, families={k: v for k, v in lens.families.items() if k != "good"})
    found = headline(few).found
    assert "No judge is better than text after correction for 3 judges." in found
    assert any("rest on only" in s for s in found)
    assert not any(s.startswith("Better") for s in found)
    said = headline(made_up("trace")).found
    assert "Chance (0.50) lies within the interval of 2 of 5 judges (noise, length)." in said


def test_chance_is_known_only_where_it_is() -> None:
    items = [{"question": f"i{k}", "candidate": "options", "truth": 0} for k in range(3)]
    rows = [
        Row(**item, judge="qk", score=0.1, label=0, scores=(0.1,) * n) for item, n in zip(items, (4, 2, 2), strict=True)
    ]
    rows += [Row(**item, judge="no-abstain", score=0.1, label=0, scores=(0.1,) * 5) for item in items]
    lens = seen("choice", rows)
    assert chance_of(lens, "accuracy", "qk") == pytest.approx((1 / 4 + 1 / 2 + 1 / 2) / 3)
    assert chance_of(lens, "accuracy", "no-abstain") == pytest.approx(0.2)
    assert chance_of(lens, "Spearman", "qk") == 0.0
    assert chance_of(lens, "top@1", "qk") is None


def test_nothing_is_claimed_without_figures() -> None:
    items = [{"question": f"i{k}", "candidate": "0"} for k in range(3)]
    section = headline(seen("trace", said("clue", [0.1, 0.2, 0.3], items=items)))
    why = section.figures[0].reason
    assert why
    assert section.found == (f"No judge has a figure for AUROC within questions: {why}.",)


def test_top_maj_of_as_many_as_there_are() -> None:
    def names(n: int, **options: Any) -> list[str]:
        items = [{"question": "q", "candidate": str(k), "truth": True} for k in range(n)]
        lens = seen("trace", said("j", [0.5] * n, items=items), **options)
        return [name for name in metrics(lens) if name.startswith("top-maj")]

    assert names(3) == []
    assert names(4) == names(7) == ["top-maj@4"]
    assert names(16) == ["top-maj@4", "top-maj@8", "top-maj@16"]
    assert names(5, top_maj=(2, 5, 6)) == ["top-maj@2", "top-maj@5"]
