"""Judge prompts of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from innerjudge import LAGER, InnerjudgeError, Judge, JudgePrompt, Pair, Passes, Rating, TextJudge, Trace, compare, read
from innerjudge.experiments.compare.settings import Settings
from innerjudge.experiments.reading.judge_prompt import NAMES
from innerjudge.models.loading import LanguageModel
from innerjudge.models.positions import encode_prompt
from transformers import AutoTokenizer

pytestmark = pytest.mark.usefixtures("no_pixels")

YAML = """
kind: rating
system: Be strict.
user: |-
  Q: {{ prompt }}
  A: {{ response }}
  {% for line in rubric %}
  {{ line.label }} is {{ line.text }}
  {% endfor %}
  {{ ask }}
cue: "Score:"
labels: {"0": 0, "1": 1, "2": 2}
few_shot: [{user: "Q: 1+1?\\nA: 2", assistant: "Score: 2"}]
rubric: {0: wrong, 2: right}
"""
MINE = yaml.safe_load(YAML)
RATING = Rating(item_id="r", prompt="Start with 7. Add 5.", response="12")


def of(**changes: Any) -> JudgePrompt:
    return JudgePrompt.of(MINE | changes)


def test_a_file_and_an_object_are_one_prompt(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(YAML)
    found, made = JudgePrompt.of(tmp_path / "mine.yaml"), of()
    assert found.told == made.told != of(system="").told
    assert found.told == JudgePrompt.of(found.to_json()).told == of(name="other", source="elsewhere").told
    assert (found.name, found.scale) == ("mine", (0, 2))
    asked = found.ask(RATING)
    words = 'Q: Start with 7. Add 5.\nA: 12\n0 is wrong\n2 is right\nReply with "Score:" and 0, 1 or 2.'
    assert asked.user == words
    assert [(one.role, one.content) for one in asked.before] == [
        ("system", "Be strict."),
        ("user", "Q: 1+1?\nA: 2"),
        ("assistant", "Score: 2"),
    ]
    assert found.ask(RATING, reasoned=True).user.endswith('Think first, then reply with "Score:" and 0, 1 or 2.')


def test_what_is_fed_is_what_the_template_writes(reference: LanguageModel) -> None:
    encoded = encode_prompt(reference.tokenizer, "i", "g", of().ask(RATING))
    assert reference.tokenizer.decode(list(encoded.ids)) == (
        "<|system|>Be strict.<|end|><|user|>Q: 1+1?\nA: 2<|end|><|assistant|>Score: 2<|end|><|user|>Q: Start with 7. "
        'Add 5.\nA: 12\n0 is wrong\n2 is right\nReply with "Score:" and 0, 1 or 2.<|end|><|assistant|>Score:'
    )
    assert [reference.tokenizer.decode([one]).strip() for one in encoded.label_ids] == ["0", "1", "2"]


@pytest.mark.parametrize("name", NAMES)
def test_prompts_that_are_shipped(name: str, reference: LanguageModel) -> None:
    prompt = JudgePrompt.of(name)
    prompt.check(reference.tokenizer)
    assert prompt.source.startswith("arXiv ")
    pair = Pair(pair_id="p", prompt="Q-1", response_a="A-1", response_b="B-1")
    rating = Rating(item_id="r", prompt="Q-1", response="A-1", reference="R-1", criterion="C-1")
    trace = Trace(question_id="q", candidate_id="0", prompt="Q-1", response="A-1 R-1")
    item = {"pair": pair, "rating": rating, "trace": trace}[prompt.kind]
    user = prompt.ask(item).user
    assert all(text in user for text in ("Q-1", "A-1", "B-1" if item is pair else "R-1"))
    assert "\n\n\n" not in user
    assert prompt.kind != "rating" or "\n\n\n" not in prompt.ask(RATING).user
    if item is pair:
        swapped = prompt.ask(item, swapped=True).user
        assert swapped.index("B-1") < swapped.index("A-1")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"kind": "exam"}, "kind of the prompt prompt: given exam, expected one of trace, rating, pair, choice"),
        ({"user": "{{ respnse }} {{ response }}"}, "given the field respnse, expected ask, criterion"),
        ({"user": "{{ prompt }}"}, "given a template without response"),
        ({"user": "{{ response"}, "a broken template"),
        ({"user": "{{ response.upper() }}"}, "given Call"),
        ({"user": "{{ response * 999999999 }}"}, "given Mul"),
        ({"user": "{% set x = response %}{{ x }}"}, "given Assign"),
        ({"user": "{% for c in response %}{{ c }}{% endfor %}"}, "given For"),
        ({"user": "{% for a in labels %}{% for b in labels %}{{ response }}{% endfor %}{% endfor %}"}, "given For"),
        ({"user": "{{ response | center(99999999) }}"}, "given center"),
        ({"user": "{% include 'x' %}{{ response }}"}, "given Include"),
        ({"user": "{{ response }}" + "x" * 200_000}, "at most 100000 characters"),
        ({"labels": ["1"]}, "2 to 26 different labels"),
        ({"labels": ["a", "b"]}, "values of the prompt prompt: given ()"),
        ({"labels": {"a": 1, "b": 3}}, "whole numbers that follow one another"),
        ({"labels": [False, True]}, "put yes and no in quotes"),
        ({"cue": " "}, "the text that comes before the verdict"),
        ({"rubric": {7: "x"}}, "entries for 0, 1, 2"),
        ({"rubric": 7}, "rubric: given a int"),
        ({"few_shot": [["a"]]}, "entries of two texts"),
        ({"system": 7}, "system: given a int, expected a text"),
        ({"sytem": "x"}, "given the field 'sytem'"),
        ({"kind": "trace"}, "two for a trace"),
    ],
)
def test_what_is_no_prompt_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(InnerjudgeError, match=said.replace("(", r"\(").replace(")", r"\)")):
        of(**changes)


def test_a_field_cannot_reach_out(reference: LanguageModel) -> None:
    """What an item says is text, whatever it looks like, and attributes of Python are out of reach."""
    evil = Rating(item_id="r", prompt="{{ 7 * 7 }}{% for %}", response="{{ ask }}")
    assert of().ask(evil).user.startswith("Q: {{ 7 * 7 }}{% for %}\nA: {{ ask }}\n")
    reaching = of(user="{{ response }}{{ response.__class__.__mro__ }}")
    with pytest.raises(InnerjudgeError, match="cannot be filled in"):
        reaching.ask(RATING)
    features = read(reference, [RATING], Passes(prompt=reaching, needs=frozenset({"logits/score", "labels"})))
    assert "cannot be filled in" in features.missing["logits/score"]["r"]


def test_labels_are_checked_before_any_pass(shared: Path, reference: LanguageModel, monkeypatch: Any) -> None:
    qwen = AutoTokenizer.from_pretrained(shared / "tokenizers" / "qwen2.5-instruct")
    of().check(qwen)
    with pytest.raises(InnerjudgeError, match=r"'10' is \['1', '0'\].*would do") as caught:
        of(labels=[str(k) for k in range(1, 11)], rubric={}).check(qwen)
    assert "'10'" in str(caught.value)
    with pytest.raises(InnerjudgeError, match=r"'lacklustre' is \[.*\].*Good, B, .*would do|would do"):
        of(labels={"lacklustre": 0, "good": 1}, rubric={}).check(qwen)
    monkeypatch.setattr(type(reference.model), "forward", lambda *_, **__: pytest.fail("a pass was run"))
    split = of(labels={"lacklustre": 0, "unsatisfactory": 1}, rubric={})
    for work in (
        lambda: read(reference, [RATING], Passes(prompt=split)),
        lambda: Judge(LAGER(values=(0, 1)), reference, kind="rating", prompt=split),
        lambda: compare(reference, [RATING] * 1, prompt=split, settings=Settings()),
        lambda: read(reference, [RATING], Passes(prompt=of()), judges=[LAGER()]),
        lambda: Judge(LAGER(), reference, prompt=of()),
        lambda: read(reference, [RATING], Passes(), judges=[LAGER(values=(0, 1), answers=("bad", "good"))]),
        lambda: Judge(TextJudge(values=(0, 1, 2), labels=("a", "b", "c")), reference, prompt=of()),
        lambda: read(
            reference, [Trace(question_id="q", candidate_id="0", prompt="?", response="!")], Passes(prompt=of())
        ),
    ):
        with pytest.raises(InnerjudgeError, match=r"labels|one token|scale|of rating items"):
            work()


def test_a_judge_keeps_its_prompt_and_refuses_another(reference: LanguageModel, tmp_path: Path) -> None:
    made = Judge(LAGER(values=(0, 1, 2)), reference, prompt=of())
    pair = ("Start with 7. Add 5.", "12")
    scores = made.scores([pair])
    assert scores != Judge(LAGER(values=(0, 1, 2)), reference).scores([pair])
    made.save(tmp_path)
    again = Judge.load(tmp_path, lm=reference)
    assert again.passes.prompt == of()
    assert again.scores([pair]) == pytest.approx(scores)
    assert of().told in (tmp_path / "README.md").read_text()
    for other in (None, of(system="Be kind.")):
        with pytest.raises(InnerjudgeError, match=f"fitted on items asked by {of().told}"):
            Judge(again.judge, reference, kind="rating", prompt=other, passes=Passes(scale=(0, 2)))
    features = read(reference, [RATING], Passes(scale=(0, 2)), judges=[LAGER(values=(0, 1, 2))])
    with pytest.raises(InnerjudgeError, match="prompt"):
        again.judge.verdicts(features)
