"""What the judge itself wrote: read token for token after its prompt, as it was while it was written."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from innerjudge.experiments.reading.passes import Passes
from innerjudge.experiments.reading.read import needed, read
from innerjudge.extraction import extract
from innerjudge.extraction.readouts import QueryKey
from innerjudge.models.errors import InnerjudgeError
from innerjudge.models.items import Choice, Item, Trace
from innerjudge.models.loading import LanguageModel
from innerjudge.models.positions import Encoding, encode_prompt
from innerjudge.probes import LAGER, QKScore, TextJudge, VerdictProbe

CHOICES: list[Item] = [
    Choice(question_id="c0", question="Which is a fruit?", options=("iron", "pear")),
    Choice(question_id="c1", question="Which is a metal?", options=("pear", "tin", "dog")),
]
TRACES: list[Item] = [
    Trace(question_id="q", candidate_id=str(k), prompt="Start with 7. Add 5.", response=f"<think>7+5={k}</think>{k}")
    for k in (11, 12)
]
QK = "qk/own_text(score).before"
TOKENS = 48


def asked(lm: LanguageModel, item: Item) -> Encoding:
    prompt = Passes().ask(item, reasoned=True)
    return encode_prompt(lm.tokenizer, item.id, item.group, prompt, reasoned=True)


def written_by_hand(lm: LanguageModel, prompt: Encoding, n: int) -> tuple[list[int], list[Any], list[Any]]:
    """Greedy tokens, one step at a time: their ids, log-probabilities of all tokens, and states in every row."""
    ids, told, states = list[int](), [], []
    fed, cache = torch.tensor([prompt.ids]), None
    for _ in range(n):
        with torch.no_grad():
            out = lm.model(fed, past_key_values=cache, use_cache=True, output_hidden_states=True)
            told.append(out.logits[0, -1].double().log_softmax(-1))
            ids.append(int(told[-1].argmax()))
            fed, cache = torch.tensor([[ids[-1]]]), out.past_key_values
            states.append([])
            if len(states) > 1:  # this step has read the token before
                states[-2] = [one[0, -1] for one in out.hidden_states]
    with torch.no_grad():
        out = lm.model(fed, past_key_values=cache, use_cache=True, output_hidden_states=True)
    states[-1] = [one[0, -1] for one in out.hidden_states]
    return ids, told, states


@pytest.mark.parametrize("items", [CHOICES, TRACES], ids=["choice", "trace"])
def test_a_replay_is_what_was_there_while_the_text_was_written(reference: LanguageModel, items: list[Item]) -> None:
    whats = ("log_probability", "entropy", "top(3)")
    names = [f"tokens/own_text(response).{what}" for what in whats]
    names += ["hidden/own_text(response).none", "hidden/own_text(step_end).none", "hidden/own_text(segment(3)).last"]
    features = read(reference, items, Passes(reasoning_tokens=TOKENS, needs=frozenset({"own_text", *names})))
    assert set(features.texts) == {"own_text"}
    for k, item in enumerate(items):
        log_probabilities = features.ragged[names[0]][k]
        n = len(log_probabilities)
        ids, told, states = written_by_hand(reference, asked(reference, item), n)
        assert reference.tokenizer.decode(ids) == features.texts["own_text"][k]
        chosen = [one[token] for one, token in zip(told, ids, strict=True)]
        np.testing.assert_allclose(log_probabilities, chosen, atol=1e-4)
        np.testing.assert_allclose(features.ragged[names[1]][k], [-(p.exp() * p).sum() for p in told], atol=1e-4)
        np.testing.assert_allclose(features.ragged[names[2]][k], [p.topk(3).values for p in told], atol=1e-4)
        for row, own in ((0, 0), (3, 3), (-1, -1)):  # the last entry of transformers is normed
            every = np.array([one[own] for one in states])
            np.testing.assert_allclose(features.ragged[names[3]][k][:, row], every, atol=1e-3)
            np.testing.assert_allclose(features.ragged[names[4]][k][:, row], every[-1:], atol=1e-3)
            ends = [*range(2, n, 3), *([n - 1] if n % 3 else [])]
            np.testing.assert_allclose(features.ragged[names[5]][k][:, row], every[ends], atol=1e-3)


def test_the_query_is_at_the_written_verdict_and_the_keys_in_the_prompt(reference: LanguageModel) -> None:
    judge = QKScore(query="own_text(score)")
    assert judge.needs == (QK, "labels")
    assert judge.reads_reasoning
    features = read(reference, CHOICES, Passes(reasoning_tokens=TOKENS, needs=frozenset({*judge.needs, "own_text"})))
    assert set(features.arrays) == {QK, "labels"}, "no prompt without reasoning is read for the number of options"
    assert features["labels"].tolist() == [4, 5]  # with the two abstaining options
    for k, item in enumerate(CHOICES):
        prompt, text = asked(reference, item), features.texts["own_text"][k]
        written = [*prompt.ids, *reference.tokenizer(text, add_special_tokens=False)["input_ids"]]
        verdict = max(at for at in range(len(written)) if reference.tokenizer.decode(written[at:]).startswith(" "))
        assert reference.tokenizer.decode(written[:verdict]).endswith("Answer:")
        assert reference.tokenizer.decode(written[verdict:]).strip()[0] in "ABCDE"
        places = {"score": (verdict - 1,), "option_end": prompt.positions["option_end"]}
        by_hand = extract(reference, [Encoding(id="", group="", ids=tuple(written), positions=places)], [QueryKey()])
        n = int(features["labels"][k])
        np.testing.assert_allclose(features[QK][k, ..., :n], by_hand["qk/before"][0], rtol=1e-4, atol=1e-3)


def test_products_by_hand() -> None:
    from innerjudge import Features

    # methods.md, section 21: q (1, 2) with the keys (3, -1), (0, 1), (1, 1) gives 1, 2, 3: the third.
    products = np.array([[[[1.0, 2.0, 3.0], [5.0, 0.0, 1.0]]]] * 2)
    products[1, :, 0] = [3.0, 1.0, 2.0]
    features = Features.from_arrays({QK: products, "labels": np.full(2, 3)}, provenance="m")
    judge = QKScore(query="own_text(score)").fit(features, [2, 0])
    assert (judge.heads_, judge.predict(features).tolist()) == (((1, 0),), [2, 0])


def test_it_stands_beside_judges_of_the_usual_prompt(reference: LanguageModel) -> None:
    judges = [QKScore(), QKScore(query="own_text(score)"), TextJudge.choice(generation="reasoned")]
    features = read(reference, CHOICES, Passes(reasoning_tokens=TOKENS), judges=judges)
    alone = read(reference, CHOICES, Passes(reasoning_tokens=TOKENS), judges=judges[1:2])
    np.testing.assert_allclose(features[QK], alone[QK], rtol=1e-4, atol=1e-3)
    assert "own_text" not in features.texts
    assert "reasoned" in features.texts
    assert features.seconds[QK] > features.seconds["reasoned"], "it waits for the writing, then reads"
    both = read(reference, CHOICES, Passes(reasoning_tokens=3, needs=frozenset({QK, "labels", "own_text"})))
    assert both.seconds[QK] == both.seconds["own_text"], "one figure, which counts once"


def test_the_cue_follows_an_answer_without_a_verdict(reference: LanguageModel) -> None:
    own = "hidden/own_text(response).none"
    needs = frozenset({QK, "labels", own, "own_text"})
    features = read(reference, CHOICES, Passes(reasoning_tokens=3, needs=needs))
    assert not features.missing
    assert not any("Answer:" in text for text in features.texts["own_text"])
    cue = reference.tokenizer("\nAnswer:", add_special_tokens=False)["input_ids"]
    for k, item in enumerate(CHOICES):
        prompt = asked(reference, item)
        ids, _, states = written_by_hand(reference, prompt, 3)
        np.testing.assert_allclose(features.ragged[own][k][:, -1], np.array([one[-1] for one in states]), atol=1e-3)
        written = (*prompt.ids, *ids, *cue)
        places = {"score": (len(written) - 1,), "option_end": prompt.positions["option_end"]}
        by_hand = extract(reference, [Encoding(id="", group="", ids=written, positions=places)], [QueryKey()])
        n = int(features["labels"][k])
        np.testing.assert_allclose(features[QK][k, ..., :n], by_hand["qk/before"][0], rtol=1e-4, atol=1e-3)
    with pytest.raises(InnerjudgeError, match="reasoning_tokens=0"):
        Passes(reasoning_tokens=0, needs=needs)


def test_the_probe_of_a_verdict_on_the_built_in_model(reference: LanguageModel) -> None:
    probe = VerdictProbe(epochs=2)
    features = read(reference, TRACES, Passes(reasoning_tokens=96), judges=[probe])
    said = [verdict.label for verdict in TextJudge.verdict(generation="reasoned").verdicts(renamed(features))]
    assert said == [False, True]  # 11 is wrong and 12 is right
    fitted = probe.fit(features, [True, True])  # the first verdict is taken to be wrong, the second right
    trust = fitted.trust(features)
    np.testing.assert_allclose(1 / (1 + np.exp(-fitted.decision_function(features))), [1 - trust[0], trust[1]])


def test_it_is_not_read_in_the_prompt_of_another_judge() -> None:
    with pytest.raises(InnerjudgeError, match=r"judges of the prompts \(the usual one\), lager, expected"):
        needed([VerdictProbe(), LAGER(prompt="lager")], Passes())


def renamed(features: Any) -> Any:
    from dataclasses import replace

    return replace(features, texts={"reasoned": features.texts["own_text"]})
