"""Labels that hold for all candidates of an answer, and which answer to label next."""

from __future__ import annotations

import numpy as np
import pytest
from innerjudge import InnerjudgeError, Trace, selection
from innerjudge.experiments.data.splits import rows_by_group
from innerjudge.experiments.selection.labelling import disharmony


def traces(answers: dict[str, list[str | None]]) -> list[Trace]:
    return [
        Trace(question_id=q, candidate_id=str(c), prompt="?", response="so", answer=answer)
        for q, said in answers.items()
        for c, answer in enumerate(said)
    ]


def test_a_label_holds_for_the_same_answer_of_the_same_question() -> None:
    items = traces({"q1": ["2", "2.0", "3", None, None], "q2": ["2", "3"]})
    given = [None, True, None, False, None, None, False]
    assert selection.spread_answers(items, given) == [True, True, None, False, None, None, False]


def test_labels_of_one_answer_that_differ() -> None:
    items = traces({"q": ["2", "2", "2", "3"]})
    with pytest.raises(InnerjudgeError, match=r"given labels of one answer that differ \(q/0, q/1\)"):
        selection.spread_answers(items, [True, False, None, True])
    assert selection.spread_answers(items, [True, False, None, True], how="vote") == [None, None, None, True]
    assert selection.spread_answers(items, [True, False, True, None], how="vote") == [True, True, True, None]
    with pytest.raises(InnerjudgeError, match="lengths"):
        selection.spread_answers(items, [True])


def test_disharmony_by_hand() -> None:
    # The answer A has .9, .8, .2; of the first the others' mean is .5: |.9 - .5| for right and as much for wrong, .8;
    # of the second .55: .5; of the third .85: 1.3. B stands alone.
    found = disharmony(np.array([0.9, 0.8, 0.2, 0.5]), rows_by_group(["A", "A", "A", "B"]))
    assert found == pytest.approx([0.8, 0.5, 1.3, 0])


def test_entropy_of_the_answers_mean() -> None:
    # Means .6333 (A), .5 (B), .9 (C): B is least sure, C surest.
    items = traces({"q": ["A", "A", "A", "B", "C"]})
    p = [0.9, 0.8, 0.2, 0.5, 0.9]
    assert selection.next_to_label(items, [None] * 5, p, rule="entropy") == ["q/3", "q/0", "q/4"]
    assert selection.next_to_label(items, [None, None, None, True, None], p, rule="entropy", n=1) == ["q/0"]
    # Of equal means, .5, the candidates of A agree (.5, .5) and those of B do not (.1, .9).
    items = traces({"q": ["A", "A", "B", "B"]})
    assert selection.next_to_label(items, [None] * 4, [0.5, 0.5, 0.1, 0.9], rule="entropy") == ["q/2", "q/0"]


def test_entropies_by_hand() -> None:
    # p = .99, .6, .5, .97: entropies .0560, .6730, .6931, .1347, above their mean of .3892 those of the two in the
    # middle (LLKD learns from such, where the teacher is sure as well): they are asked about first.
    p = np.array([0.99, 0.6, 0.5, 0.97])
    entropy = -p * np.log(p) - (1 - p) * np.log(1 - p)
    assert entropy == pytest.approx([0.0560, 0.6730, 0.6931, 0.1347], abs=5e-5)
    assert (entropy > entropy.mean()).tolist() == [False, True, True, False]
    items = traces({"q": ["A", "B", "C", "D"]})
    assert selection.next_to_label(items, [None] * 4, p.tolist(), rule="entropy") == ["q/2", "q/1", "q/3", "q/0"]


def test_two_answers_of_every_question_come_before_a_third() -> None:
    items = traces({f"q{q}": ["1", "2", "2", "3", "3", "3", "4"] for q in range(5)})
    found = selection.next_to_label(items, [None] * len(items))
    assert len(found) == 20
    assert {one.split("/")[1] for one in found[:10]} == {"1", "3"}, "the largest two: 3 (three) and 2 (two)"
    for k in range(0, 10, 2):
        assert found[k].split("/") == [found[k + 1].split("/")[0], "3"]
    assert {one.split("/")[1] for one in found[10:]} == {"0", "6"}
    # A question with two labelled answers waits.
    known: list[bool | None] = [None] * len(items)
    known[1], known[3] = False, True
    assert not any(one.startswith("q0/") for one in selection.next_to_label(items, known, n=8))
    assert selection.next_to_label(items, known, seed=1) != selection.next_to_label(items, known)


def test_opponents() -> None:
    items = traces({"q1": ["1", "2", "2", None], "q2": ["3", "3", "3", None]})
    assert selection.next_to_label(items, [None] * 8, rule="largest", n=2) == ["q2/0", "q1/1"]
    known = [None, True, *[None] * 6]
    assert sorted(selection.next_to_label(items, known, rule="random")) == sorted(i.id for i in items if i.id != "q1/1")
    assert len(selection.next_to_label(items, known, rule="random", n=3)) == 3
    assert "q1/1" not in selection.next_to_label(items, known, rule="largest")


@pytest.mark.parametrize(
    ("rule", "p"), [("entropy", None), ("entropy", [0.5, 1.5]), ("entropy", [0.5, float("nan")]), ("best", None)]
)
def test_refused(rule: str, p: list[float] | None) -> None:
    with pytest.raises(InnerjudgeError, match="expected one of answers, entropy, largest, random"):
        selection.next_to_label(traces({"q": ["1", "2"]}), [None, None], p, rule=rule)  # type: ignore[arg-type]
    assert selection.next_to_label([], []) == []
