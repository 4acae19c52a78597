"""Small functions of this room, each by values that can be seen at a glance."""

from __future__ import annotations

import torch
from innerjudge.models.arguments import fits
from innerjudge.models.inputs import Mixing, positions
from innerjudge.models.markers import in_format, reasons
from innerjudge.models.observation import multiple
from innerjudge.models.roles import Role, Tokens, checked_roles, ranges_within
from innerjudge.models.shown import html_table, quoted, shown
from innerjudge.models.trace_text import begins_with_header, unclosed


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


def test_mixing() -> None:
    phi = Mixing(40, exact=False)
    found = phi.group(40) == phi.group(3), phi.group(41) == phi.group(90), phi.group(40) == phi.group(41)
    assert found == (True, True, False)
    # they pass 40 tokens at different steps
    assert phi.group(38, new=4) != phi.group(37, new=4)


def test_multiple() -> None:
    line = torch.tensor([1.0, 2.0])
    assert (multiple(2 * line, line), multiple(line**2, line)) == (2.0, None)


def test_fits() -> None:
    from collections.abc import Sequence

    found = fits(["a"], Sequence[str]), fits("a", Sequence[str]), fits(None, int | None), fits([1], list[str])
    assert found == (True, False, True, False)


def test_unclosed() -> None:
    assert unclosed("<A></think>", "why</think>4", ("<think>", "</think>")) == "<A><think>"


def test_shown() -> None:
    assert (shown("red \x1b[31m"), shown("a\nb"), shown("abcdef", most=3)) == ("red \\x1b[31m", "a\\nb", "abc…")


def test_quoted() -> None:
    assert (quoted("a"), quoted([5, 1])) == ("'a'", "[5, 1]")


def test_positions() -> None:
    assert positions(torch.tensor([[0, 0, 1, 1, 1]]), 0).tolist() == [[0, 0, 0, 1, 2]]


def test_html_table() -> None:
    found = html_table("A & B", ["name"], [["x"]])
    assert found == "<table><caption>A &amp; B</caption><tr><th>name</th></tr><tr><td>x</td></tr></table>"


def test_begins_with_header() -> None:
    assert begins_with_header("<|channel|>analysis<|message|>2+2", "<|channel|>final<|message|>")
