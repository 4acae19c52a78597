"""Ways of asking: what is put to the model, and what is read of it, against a definition in plain transformers."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from innerjudge.experiments.reading.passes import Passes
from innerjudge.experiments.reading.ways import PUBLISHED, Said, Way, ask, question_of, questions_of, values_of, ways_of
from innerjudge.models.items import Choice, Item, Pair, Rating, Trace
from innerjudge.models.loading import LanguageModel, wrap

CHOICE = Choice(question_id="c", question="Which is a fruit?", options=("iron", "pear", "gold"), answer=1)
PAIR = Pair(pair_id="p", prompt="Say hi.", response_a="hi", response_b="no", preference="a")
TRACE = Trace(question_id="t", candidate_id="0", prompt="2+2?", response="4", correct=True)
RATING = Rating(item_id="r", prompt="Say hi.", response="hi", scores=(4,))
PASSES = Passes()


def own_logits(lm: LanguageModel, text: str, labels: list[str]) -> np.ndarray:
    """Logits of the token after a text, of labels that are one token each."""
    special = not lm.tokenizer.chat_template
    ids = lm.tokenizer(text, return_tensors="pt", add_special_tokens=special)["input_ids"]
    with torch.inference_mode():
        last = lm.model(input_ids=ids).logits[0, -1]
    longer = [lm.tokenizer(text + label, add_special_tokens=special)["input_ids"] for label in labels]
    assert all(len(one) == ids.shape[1] + 1 for one in longer)
    return last[[one[-1] for one in longer]].float().numpy()


def test_labels_are_read_with_a_space_and_without(tinystories: LanguageModel) -> None:
    for turn in ("open", "plain"):
        found = ask(tinystories, [CHOICE], turn, PASSES, text=False)
        user = question_of(CHOICE, turn, PASSES).prompt.user
        text = user
        if turn == "open":
            text = tinystories.tokenizer.apply_chat_template(
                [{"role": "user", "content": user}], tokenize=False, add_generation_prompt=True
            )
        letters = list("ABCDE" if turn == "open" else "ABC")  # with the two abstaining lines
        for lead, name in ((" ", "logits/spaced"), ("", "logits/bare")):
            if name in found.missing:
                continue
            naive = own_logits(tinystories, text, [lead + letter for letter in letters])
            assert np.allclose(found[name][0, : len(letters)], naive, atol=1e-3)
        assert {"logits/spaced", "logits/bare"} - found.missing.keys()


@pytest.mark.parametrize("item", [CHOICE, PAIR, TRACE, RATING], ids=["choice", "pair", "trace", "rating"])
def test_every_kind_is_asked_in_every_turn(reference: LanguageModel, item: Item) -> None:
    kind = type(item).__name__.lower()
    for turn in ("open", "plain"):
        features = ask(reference, [item], turn, PASSES, text=turn == "open")
        said = Said(questions=questions_of([item], turn, PASSES), features=features)
        for way in (w for w in ways_of(kind) if w.turn == turn):
            (verdict,) = said.verdicts(way, values_of(kind, (1, 5)))
            assert (verdict.label is None) == (verdict.unscored is not None)


def test_a_base_model_without_a_template_and_with_pad_as_its_end(reference: LanguageModel) -> None:
    tokenizer = copy.deepcopy(reference.tokenizer)
    tokenizer.chat_template, tokenizer.pad_token = None, tokenizer.eos_token
    base = wrap(reference.model, tokenizer)
    other = Choice(
        question_id="d", question="Which of these is a metal, and which one is none?", options=("iron", "pear")
    )
    both = ask(base, [CHOICE, other], "open", PASSES, text=True)
    for k, item in enumerate((CHOICE, other)):
        alone = ask(base, [item], "open", PASSES, text=True)
        n = len(item.options) + 2
        assert alone.texts["open"][0] == both.texts["open"][k]
        for name in {"logits/spaced", "logits/bare"} - alone.missing.keys():
            assert np.allclose(alone[name][0, :n], both[name][k, :n], atol=1e-3)


def test_plain_prompts_are_no_chat() -> None:
    prompt = question_of(CHOICE, "plain", PASSES).prompt
    assert prompt.user == "Which is a fruit?\nA. iron\nB. pear\nC. gold\nAnswer:"
    assert question_of(CHOICE, "open", PASSES).prompt.cue == ""
    assert question_of(PAIR, "plain", PASSES, swapped=True).prompt.user.index("A. no") > 0


def test_published_is_the_first_way_and_names_are_unique() -> None:
    for kind in ("choice", "trace", "rating", "pair"):
        ways = ways_of(kind)
        assert ways[0] == PUBLISHED
        assert len({way.name for way in ways}) == len(ways)


def test_expected_and_likeliest_labels() -> None:
    from innerjudge.extraction import Features, Provenance

    logits = np.log(np.array([[0.1, 0.1, 0.1, 0.3, 0.4]], np.float32))
    features = Features(
        ids=("r",), groups=("r",), provenance=Provenance("m", None, "f", "", "", ""), arrays={"logits/bare": logits}
    )
    said = Said(questions=questions_of([RATING], "open", PASSES), features=features)
    values = values_of("rating", (1, 5))
    (likeliest,) = said.verdicts(Way("open", "label", spaced=False), values)
    (expected,) = said.verdicts(Way("open", "expected", spaced=False), values)
    assert likeliest.score == 5
    assert expected.score == pytest.approx(0.1 + 0.2 + 0.3 + 4 * 0.3 + 5 * 0.4)  # 3.8
    assert expected.label == 4
