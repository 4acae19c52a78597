"""Judge prompts for choices: options on lines of their own, whose characters are known."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from innerjudge import Choice, InnerjudgeError, Judge, JudgePrompt, Passes, QKScore, compare, read
from innerjudge.experiments.compare.settings import Settings
from innerjudge.experiments.data.datasets import load_data
from innerjudge.extraction.provenance import WITHOUT_ABSTAIN
from innerjudge.models.errors import UnreadableError
from innerjudge.models.loading import LanguageModel
from innerjudge.models.prompts import choice_prompt

LOOP = "{% for option in options %}\n{{ option.label }}. {{ option.text }}\n{% endfor %}\n"
OURS = JudgePrompt(kind="choice", user="Question: {{ question }}\nOptions:\n" + LOOP + "{{ ask }}", cue="Answer:")
MINE = {
    "kind": "choice",
    "system": "You sit an exam.",
    "user": "{{ question | trim }}\n{% for option in options %}\n({{ option.label }}) {{ option.text | upper }}\n"
    "{% endfor %}\nPick one of {{ labels | first }} to {{ labels | last }}. {{ ask }}",
    "cue": "Answer:",
}
FRUIT = Choice(question_id="c", question="Which is a fruit?", options=("iron", "a  pear\nor two"), answer=1)


@pytest.mark.parametrize("abstain", [True, False])
@pytest.mark.parametrize("reasoned", [True, False])
def test_our_own_words_as_a_template_are_our_prompt(abstain: bool, reasoned: bool) -> None:
    found = OURS.ask(FRUIT, reasoned=reasoned, abstain=abstain)
    assert found == choice_prompt(FRUIT.question, FRUIT.options, reasoned=reasoned, abstain=abstain)


def test_spans_are_the_lines_of_the_options() -> None:
    found = JudgePrompt.of(MINE).ask(FRUIT, abstain=False)
    assert found.user == (
        'Which is a fruit?\n(A) IRON\n(B) A PEAR OR TWO\nPick one of A to B. Reply with "Answer:" and the letter.'
    )
    # 18 characters before the first option, 9 in "(A) IRON\n", 18 in "(B) A PEAR OR TWO\n".
    assert found.option_spans == ((18, 27), (27, 45))
    assert (found.labels, found.before[0].content) == (("A", "B"), "You sit an exam.")
    private = Choice(question_id="c", question=chr(0xF0000), options=(chr(0xF0001) + "x", "y"))
    shown = JudgePrompt.of(MINE).ask(private, abstain=False)
    assert [shown.user[a:b] for a, b in shown.option_spans] == [f"(A) {chr(0xF0001)}X\n", "(B) Y\n"]


@pytest.mark.parametrize(
    ("user", "says"),
    [
        ("{{ question }} {{ ask }}", "a template without options"),
        ("{{ question }}{% for o in options %}{{ o.label }}. {{ o.text }} {% endfor %}\n", "a line of its own"),
        ("{{ question }}{% for o in options %}\n{{ o.label }}\n{% endfor %}", "a line of its own"),
        ("{{ question }}{% for o in options %}{{ o.text }}{{ o.text }}\n{% endfor %}", "a line of its own"),
        ("{{ question }}{% for o in options %}\n{{ o.text }}{% endfor %}", "a line of its own"),
    ],
)
def test_options_without_lines_of_their_own_are_refused(user: str, says: str) -> None:
    with pytest.raises(InnerjudgeError, match=says):
        JudgePrompt(kind="choice", user=user)


def test_an_option_that_a_filter_cuts_is_refused() -> None:
    user = "{{ question }}\n{% for option in options %}{{ option.label }}. {{ option.text|first }}\n{% endfor %}"
    with pytest.raises((InnerjudgeError, UnreadableError), match="every option once"):
        JudgePrompt(kind="choice", user=user).ask(FRUIT)


def test_labels_are_the_letters() -> None:
    assert JudgePrompt.of(JudgePrompt.of(MINE).to_json()) == JudgePrompt.of(MINE)
    with pytest.raises(InnerjudgeError, match="none for choices, whose options have letters"):
        JudgePrompt.of(MINE | {"labels": ["1", "2"]})
    with pytest.raises(UnreadableError, match="given one text as option A and B"):
        OURS.ask(Choice(question_id="c", question="?", options=("x", "x")))


def test_features_are_those_of_our_own_prompt_but_for_what_they_tell(reference: LanguageModel) -> None:
    choices = load_data("builtin:choose", limit=6).items
    for abstain in (True, False):
        needs = frozenset({"qk/before", "qk/after", "attention", "logits/score", "labels"})
        ours = read(reference, choices, Passes(needs=needs, abstain=abstain))
        mine = read(reference, choices, Passes(needs=needs, abstain=abstain, prompt=OURS))
        for name in needs:
            np.testing.assert_array_equal(ours[name], mine[name])
        assert mine.provenance.prompt == OURS.told + ("" if abstain else f"; {WITHOUT_ABSTAIN}")
    other = read(reference, choices, Passes(needs=needs, abstain=False, prompt=JudgePrompt.of(MINE)))
    assert not np.allclose(other["logits/score"], mine["logits/score"])


def test_a_judge_of_choices_keeps_its_prompt(reference: LanguageModel, tmp_path: Path) -> None:
    choices, mine = load_data("builtin:choose", limit=12).items, JudgePrompt.of(MINE)
    passes = Passes(prompt=mine)
    judge = QKScore()
    judge.fit(read(reference, choices, passes, judges=[judge]), [one.answer for one in choices])
    whole = Judge(judge, reference, passes=passes)
    whole.save(tmp_path)
    again = Judge.load(tmp_path, lm=reference)
    assert again.passes.prompt == mine
    assert [v.label for v in again.verdicts(choices)] == [v.label for v in whole.verdicts(choices)]
    with pytest.raises(InnerjudgeError, match=f"fitted on items asked by {mine.told}"):
        Judge(judge, reference)
    with pytest.raises(InnerjudgeError, match="prompt"):
        judge.verdicts(read(reference, choices, judges=[judge]))


def test_every_way_in_asks_choices_by_the_prompt(
    reference: LanguageModel, tmp_path: Path, cli: Callable[..., Any]
) -> None:
    """compare, and extract with fit and score: a letter judge's verdicts are those of the features."""
    (tmp_path / "mine.yaml").write_text(json.dumps(MINE))
    mine, data = JudgePrompt.of(MINE), load_data("builtin:choose", limit=16)
    found = compare(
        *(reference, list(data.items)),
        judges=["letter-logits", "text"],
        prompt=mine,
        settings=Settings(reasoning_tokens=0),
    )
    said = {row.question: row.label for row in found.verdicts if (row.judge, row.order) == ("letter-logits", "given")}
    assert len(said) >= 6
    source = ("--data", "builtin:choose", "--limit", 16, "--prompt", tmp_path / "mine.yaml")
    for more in ((), ("--no-abstain",)):
        out = tmp_path / f"f{len(more)}"
        run = cli("extract", *source, *more, "--out", out)
        assert run.code == 0, run.err
        run = cli("fit", "--features", out, "--judge", "letter-logits", "--out", out / "j")
        assert run.code == 0, run.err
        run = cli("score", "--judge", out / "j", "--features", out, "--out", out / "v.jsonl")
        assert run.code == 0, run.err
        run = cli("score", "--judge", out / "j", "--data", "builtin:choose", "--limit", 16, "--out", out / "w.jsonl")
        assert run.code == 0, run.err
        rows, again = (
            [json.loads(line) for line in (out / name).read_text().splitlines()] for name in ("v.jsonl", "w.jsonl")
        )
        assert [row["label"] for row in rows] == [row["label"] for row in again]
