"""Small functions of this room, each by values that can be seen at a glance."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from innerjudge.models.arguments import checked, fits
from innerjudge.models.chat import begins_with_header, unclosed
from innerjudge.models.errors import InnerjudgeError, html_table, quoted, shown
from innerjudge.models.final_norm import FinalNorm
from innerjudge.models.fingerprint import named_state
from innerjudge.models.foreign import sealed, unsealed
from innerjudge.models.inputs import Mixing, positions
from innerjudge.models.items import Choice, Pair, Rating, Trace
from innerjudge.models.markers import in_format, reasons
from innerjudge.models.observation import multiple
from innerjudge.models.positions import Encoding
from innerjudge.models.prompts import choice_prompt, pair_prompt, plain_prompt, rating_prompt, verdict_prompt
from innerjudge.models.roles import Role, Tokens, checked_roles, ranges_within
from torch import nn


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
    from typing import Literal

    found = fits(["a"], Sequence[str]), fits("a", Sequence[str]), fits(None, int | None), fits([1], list[str])
    assert found == (True, False, True, False)
    word = Literal["a", "b"] | int
    assert (fits("c", word), fits("c", word, words=True), fits("b", word, words=True)) == (True, False, True)
    assert not fits(["b", "c"], list[word], words=True)


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


def test_choice_prompt() -> None:
    p = choice_prompt("Which is a fruit?", ["iron", "pear"], abstain=False)
    assert [p.user[a:b] for a, b in p.option_spans] == ["A. iron\n", "B. pear\n"]


def test_verdict_prompt() -> None:
    assert "Reference:" in verdict_prompt("2+2?", "4", reference="4").user


def test_rating_prompt() -> None:
    assert rating_prompt("2+2?", "4").cue == "Score:"


def test_plain_verdict() -> None:
    found = plain_prompt(Trace(question_id="q", candidate_id="0", prompt="2+2?", response="4")).user
    assert found == "Question: 2+2?\nResponse: 4\nIs the response correct, yes or no?\nAnswer:"


def test_plain_rating() -> None:
    found = plain_prompt(Rating(item_id="r", prompt="2+2?", response="4"), scale=(1, 5)).user
    assert found == "Question: 2+2?\nResponse: 4\nRating of the response from 1 to 5\nAnswer:"


def test_plain_pair() -> None:
    pair = Pair(pair_id="p", prompt="Say hi.", response_a="hi", response_b="no")
    assert plain_prompt(pair).user == "Question: Say hi.\nA. hi\nB. no\nWhich response is better, A or B?\nAnswer:"
    assert "A. no\nB. hi\n" in plain_prompt(pair, swapped=True).user


def test_plain_choice() -> None:
    found = plain_prompt(Choice(question_id="c", question="Which is a fruit?", options=("iron", "pear"))).user
    assert found == "Which is a fruit?\nA. iron\nB. pear\nAnswer:"


def test_pair_prompt() -> None:
    assert pair_prompt("Say hi.", "hi", "no").labels == ("A", "B")


def test_checked() -> None:
    @checked
    def double(times: int) -> int:
        return 2 * times

    with pytest.raises(InnerjudgeError) as raised:
        double("2")  # type: ignore[arg-type]
    assert str(raised.value) == "double: given times='2' (str), expected int"


def test_unsealed() -> None:
    assert unsealed(sealed({"a": 1})) == {"a": 1}
    with pytest.raises(ValueError, match=r"^its checksum is not that of its content$"):
        unsealed(sealed({"a": 1}) | {"a": 2})


def test_named_state() -> None:
    found = [name for name, _ in named_state(nn.Sequential(nn.Linear(1, 1), nn.BatchNorm1d(1, affine=False)))]
    assert found == ["0.weight", "0.bias", "1.running_mean", "1.running_var", "1.num_batches_tracked"]


def test_is_normed() -> None:
    norm = FinalNorm(np.array([2.0, 1.0]), np.zeros(2), 1e-6, centred=False)
    raw = np.array([[30.0, 10.0], [5.0, -9.0]])
    assert (norm.is_normed(raw), norm.is_normed(norm(raw))) == (False, True)


def test_places() -> None:
    item = Encoding(id="a", group="a", ids=(5, 6, 7), positions={"prompt_end": (0,), "response_end": (2,)})
    assert (item.places("response"), item.places("response_end"), item.places("step")) == (((1, 3),), ((2, 3),), ())


def test_mixing_groups() -> None:
    assert Mixing(40, exact=True).groups([50, 7, 60, 40, 50]) == [[0, 4], [1, 3], [2]]
