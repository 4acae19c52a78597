"""Small functions of this room, each by values that can be seen at a glance."""

from __future__ import annotations

from innerjudge.models.markers import in_format, reasons
from innerjudge.models.roles import Role, Tokens, checked_roles, ranges_within


def test_ranges_within() -> None:
    text = "One.\n\nTwo."
    # One|.\n\n|Two|.
    spans = [(0, 3), (3, 6), (6, 9), (9, 10)]
    found = [ranges_within(Role.parse(r), Tokens(text, spans), (0, 4)) for r in ("step", "step_end", "before_step")]
    assert found == [((0, 2), (2, 4)), ((1, 2), (3, 4)), ((0, 1), (3, 4))]


def test_reasons() -> None:
    marks = ("<think>", "</think>")
    found = [reasons(text, marks) for text in ("<think>2", "2</think>4", "Models write <think> first.")]
    assert found == [True, True, False]


def test_in_format() -> None:
    found = in_format("<think>why</think> 4", ("<think>", "</think>"), ("<|channel>thought ", "<channel|>"))
    assert found == "<|channel>thought why<channel|>4"


def test_checked_roles() -> None:
    found = [role.part for role in checked_roles(["segment(64)", "reasoning/cue(wait,hmm)", "reasoning/step"])]
    assert found == ["response", "reasoning", "reasoning"]
