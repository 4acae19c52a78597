"""Items in another form, and labels on their way back."""

from __future__ import annotations

from innerjudge.experiments.data.variants import Responses, permuted
from innerjudge.models.items import Choice, Pair


def test_permuted_options_carry_their_answer() -> None:
    choices = [
        Choice(question_id=f"c{k}", question="?", options=tuple(f"{k}{x}" for x in "abcd"[: 2 + k % 3]), answer=k % 2)
        for k in range(40)
    ]
    moved, orders = permuted(choices, seed=0)
    for before, after, order in zip(choices, moved, orders, strict=True):
        assert after.id == before.id
        assert after.options == tuple(before.options[j] for j in order)
        assert sorted(after.options) == sorted(before.options)
        assert after.options != before.options
        assert before.answer is not None
        assert after.answer is not None
        assert after.options[after.answer] == before.options[before.answer]
        assert order[after.answer] == before.answer
    assert permuted(choices, seed=0) == (moved, orders)
    assert permuted(choices, seed=1)[1] != orders
    unknown, _ = permuted([Choice(question_id="c", question="?", options=("x", "y"))], seed=0)
    assert unknown[0].answer is None


def test_responses_are_items_of_one_question() -> None:
    pair = Pair(pair_id="p", prompt="?", response_a="x", response_b="y", preference="b")
    first, second = Responses([pair])
    assert [(r.id, r.group, r.response, r.prompt) for r in (first, second)] == [
        ("p/a", "p", "x", "?"),
        ("p/b", "p", "y", "?"),
    ]
