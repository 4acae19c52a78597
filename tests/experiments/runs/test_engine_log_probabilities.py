"""Judges of log-probabilities and of verdict logits by what a server's replies say, beside the model's own pass."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from innerjudge import CLUE, EngineJudge, EScore, InnerjudgeError, Judge, LanguageModel, TokenLogProb, Trace, read
from innerjudge.experiments.judges import saved
from innerjudge.experiments.judges.engine import route_of
from innerjudge.experiments.judges.sample_and_judge import Sampling
from innerjudge.experiments.runs import engine_job as jobs
from innerjudge.experiments.runs.sample_job import load_questions
from innerjudge.probes import BaseJudge, Length, PooledProbe, PTrue, StepOpponent, TextJudge, TokenConfidence

from .test_engine_job import PROMPTS, Engine, data, engine, never, read_rows

pytest.importorskip("openai")
__all__ = ["data", "engine"]  # fixtures
SAID = ("<think>7+5=12</think>12", "<think>2*3=6;\n6+1=7</think>7", "<think>7+5")
Change = Callable[[dict[str, Any], dict[str, Any]], None]


class Model:
    """What vLLM's server says of the built-in model: one text a seed, its ids, and a naive softmax of its logits.

    The last text is cut off; ``most`` is its ``--max-logprobs``, ``change`` what is wrong with a reply to a body.
    """

    def __init__(self, lm: LanguageModel, most: int = 100, change: Change = lambda _body, _reply: None) -> None:
        self.lm, self.most, self.change = lm, most, change
        self.bodies: list[dict[str, Any]] = []

    def __call__(self, body: dict[str, Any], _times: int, send: Callable[..., None]) -> bool:
        self.bodies.append(body)
        top = body.get("top_logprobs", 0)
        if top > self.most:
            why = f"Requested sample logprobs of {top}, which is greater than max allowed: {self.most}"
            send(json.dumps({"error": {"message": why}}).encode(), 400)
            return True
        reply = self.reply(body, top)
        self.change(body, reply)
        send(json.dumps(reply).encode())
        return True

    def reply(self, body: dict[str, Any], top: int) -> dict[str, Any]:
        tokenizer, begun = self.lm.tokenizer, body.get("continue_final_message", False)
        assert body.get("add_generation_prompt", True) is not begun
        how = {"add_generation_prompt": not begun, "continue_final_message": begun, "return_dict": False}
        prompt: Any = tokenizer.apply_chat_template(body["messages"], **how)
        cut = begun or body["seed"] % 3 == 2
        text = "?" if begun else SAID[body["seed"] % 3]
        ids = tokenizer(text, add_special_tokens=False)["input_ids"] + ([] if cut else [tokenizer.eos_token_id])
        choice = {"message": {"content": text}, "finish_reason": "length" if cut else "stop"}
        reply = {"choices": [choice], "usage": {"total_tokens": 1}}
        if body.get("return_token_ids"):
            choice["token_ids"], reply["prompt_token_ids"] = ids, prompt
        if body.get("logprobs"):
            choice["logprobs"] = {"content": self.places(body, prompt, ids, top)}
        return reply

    @torch.inference_mode()
    def places(self, body: dict[str, Any], prompt: list[int], ids: list[int], top: int) -> list[dict[str, Any]]:
        logits = self.lm.model(torch.tensor([prompt + ids])).logits[0, len(prompt) - 1 : -1].double().numpy()
        found = []
        for row, token in zip(logits, ids, strict=True):
            logs = row - row.max() - np.log(np.exp(row - row.max()).sum())
            labels = body.get("logprob_token_ids", [])
            # The drawn token stands first, also where it is not among the likeliest; the rest is cut.
            given = dict.fromkeys((token, *(labels or np.argsort(-row)[:top].tolist())))
            named = [{"token": self.name(body, t), "logprob": float(logs[t])} for t in given]
            found.append({**named[0], "top_logprobs": named if labels else named[:top]})
        return found

    def name(self, body: dict[str, Any], token: int) -> str:
        return f"token_id:{token}" if body.get("return_tokens_as_token_ids") else self.lm.tokenizer.decode([token])


@pytest.fixture
def run(engine: Engine, reference: LanguageModel, data: Path, tmp_path: Path) -> Callable[..., Any]:
    """Sample with a judge; what was said, the rows, and the scores of the judge's own pass."""

    def run(
        judge: BaseJudge, *, change: Change = lambda _body, _reply: None, most: int = 100, alone: bool = True,
        name: str = "reference",
    ) -> tuple[str, list[dict[str, Any]], list[Any]]:  # fmt: skip
        whole = Judge(judge, reference)
        whole.save(tmp_path / "judge")
        engine.fault = Model(reference, most, change)
        loaded = never if alone else lambda: whole
        out = tmp_path / "out.jsonl"
        said = jobs.engine_job(
            *saved.load(tmp_path / "judge"), loaded, load_questions(str(data)), out,
            engine=f"{engine.url}#{name}", sampling=Sampling(3, 0.7, 64),
        )  # fmt: skip
        own = whole.verdicts([(prompt, text) for prompt in PROMPTS for text in SAID])
        return said, read_rows(out), own

    return run


def fitted(judge: BaseJudge, lm: LanguageModel) -> BaseJudge:
    traces = [
        Trace(question_id=q, candidate_id=str(k), prompt=PROMPTS[0], response=one)
        for q in "pq"
        for k, one in enumerate(SAID[:2])
    ]
    return judge.fit(read(lm, traces, judges=[judge]), [True, False] * 2)


def same(rows: list[dict[str, Any]], own: list[Any], *, unscored: int = 0) -> bool:
    assert [bool(row["unscored"]) for row in rows] == [one.score is None for one in own]
    both = [(row["score"], one.score) for row, one in zip(rows, own, strict=True) if one.score is not None]
    assert len(both) == 6 - unscored
    assert np.ptp([b for _, b in both]) > 1e-3, "scores that are all alike would say nothing"
    assert [row["label"] for row in rows] == [one.label for one in own]
    return bool(np.allclose(*zip(*both, strict=True), atol=1e-4))


BY_TOKENS: dict[str, tuple[Callable[[], BaseJudge], int]] = {
    "token-log-probability": (TokenLogProb, 0),
    "sequence-log-probability": (lambda: TokenLogProb(total=True), 0),
    "length": (Length, 0),
    "perplexity": (lambda: TokenConfidence(statistic="perplexity"), 0),
    "worst-token": (lambda: TokenConfidence(statistic="log_probability", aggregate="min"), 0),
    "deepconf": (lambda: TokenConfidence(statistic="confidence", aggregate="lowest_group", window=3), 21),
    "max-probability": (lambda: TokenConfidence(statistic="max_probability"), 21),
    "llm-check-logits": (lambda: TokenConfidence(statistic="top_entropy"), 51),
    "step-log-probability": (lambda: StepOpponent(by="log_probability"), 0),
    "steps": (
        lambda: PooledProbe(readouts=("tokens/step(line).mean(probability(4))",), epochs=2, how="min", role="response"),
        5,
    ),
}


@pytest.mark.parametrize("name", BY_TOKENS)
def test_what_comes_with_the_answer_is_enough(
    name: str, run: Callable[..., Any], engine: Engine, reference: LanguageModel
) -> None:
    judge, top = BY_TOKENS[name][0](), BY_TOKENS[name][1]
    said, rows, own = run(fitted(judge, reference) if judge.learns else judge)
    assert "6 judged in the engine, 0 read again. 6 requests were sent" in said
    assert same(rows, own)
    assert {body.get("top_logprobs", 0) for body in engine.bodies} == {top}


@pytest.mark.parametrize("judge", [PTrue(), EScore(values=(0, 1))], ids=["p-true", "verdict-logits"])
def test_a_second_short_request_is_enough(judge: BaseJudge, run: Callable[..., Any], engine: Engine) -> None:
    said, rows, own = run(judge)
    assert "6 judged in the engine, 0 read again. 12 requests were sent" in said
    assert same(rows, own)
    first, short = ([one for one in engine.bodies if one["max_tokens"] == n] for n in (64, 1))
    assert len(first) == len(short) == 6
    assert "logprobs" not in first[0]
    assert (short[0]["temperature"], short[0]["logprobs"], len(short[0]["logprob_token_ids"])) == (0, True, 2)
    assert short[0]["messages"][-1]["role"] == "assistant"


def test_a_server_that_gives_no_more_than_twenty(run: Callable[..., Any], engine: Engine) -> None:
    """It takes the drawn token for one of them, so that of a token outside of these one of the likeliest is lost."""
    judge = TokenConfidence(statistic="confidence")
    said, rows, own = run(judge, most=20, alone=False)
    assert {body["top_logprobs"] for body in engine.bodies} == {21, 20}
    assert same(rows, own)
    lost = "the engine gave 19 of the 20 likeliest tokens, and the drawn one (vLLM: --max-logprobs 21)"
    assert f"2 judged in the engine, 4 read again ({lost})" in said
    assert "refused" not in said


def test_fewer_than_are_needed(run: Callable[..., Any]) -> None:
    said, rows, own = run(TokenConfidence(statistic="top_entropy"), most=20, alone=False)
    why = "the engine gave 20 of the 50 likeliest tokens, and the drawn one (vLLM: --max-logprobs 51)"
    assert f"0 judged in the engine, 6 read again ({why}" in said
    assert same(rows, own)


def without(*names: str) -> Change:
    def change(_body: dict[str, Any], reply: dict[str, Any]) -> None:
        for name in names:
            reply.pop(name, None)
            reply["choices"][0].pop(name, None)

    return change


def of_short(do: Callable[[dict[str, Any]], None]) -> Change:
    return lambda body, reply: do(reply) if body["max_tokens"] == 1 else None


def label_lost(reply: dict[str, Any]) -> None:
    place = reply["choices"][0]["logprobs"]["content"][0]
    place["top_logprobs"] = place["top_logprobs"][:-1]


def other_ids(_body: dict[str, Any], reply: dict[str, Any]) -> None:
    reply["choices"][0]["token_ids"][1] += 1


EXTRAS = {"logprobs", "top_logprobs", "return_token_ids", "return_tokens_as_token_ids"}
EXTRAS |= {"logprob_token_ids", "continue_final_message", "add_generation_prompt"}
NO_IDS, OTHER = "the server returns no token ids", "the server read or wrote other tokens than the judge would"
NONE = "the engine gave 0 of the 1 log-probabilities that logprob needs of each token"
WRONG: dict[str, tuple[BaseJudge, Change, str]] = {
    "no ids": (TokenLogProb(), without("token_ids", "prompt_token_ids"), NO_IDS),
    "no ids of the prompt": (TokenLogProb(), without("prompt_token_ids"), NO_IDS),
    "no log-probabilities": (TokenLogProb(), without("logprobs"), NONE),
    "null log-probabilities": (TokenLogProb(), lambda _b, reply: reply["choices"][0].update(logprobs=None), NONE),
    "ids of no token": (TokenLogProb(), lambda _b, r: r["choices"][0]["token_ids"].__setitem__(1, 2**31 - 1), OTHER),
    "other prompt": (TokenLogProb(), lambda _b, reply: reply["prompt_token_ids"].append(5), OTHER),
    "other answer": (TokenLogProb(), other_ids, OTHER),
    "fewer places": (TokenLogProb(), lambda _b, r: r["choices"][0]["logprobs"].update(content=[]), NONE),
    "p-true without ids": (PTrue(), without("token_ids", "prompt_token_ids"), NO_IDS),
    "p-true, second without ids": (PTrue(), of_short(lambda r: r.pop("prompt_token_ids")), NO_IDS),
    "p-true, other question": (PTrue(), of_short(lambda r: r["prompt_token_ids"].pop()), OTHER),
    "p-true, label lost": (PTrue(), of_short(label_lost), "log-probabilities of 1 of the labels"),
    "p-true, no values": (PTrue(), of_short(without("logprobs").__get__({})), "log-probabilities of 0 of the labels"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_does_not_fit_is_read_again(name: str, run: Callable[..., Any], engine: Engine) -> None:
    judge, change, why = WRONG[name]
    said, rows, own = run(judge, change=change, alone=False)
    assert "0 judged in the engine, 6 read again (" in said
    assert why in said
    assert same(rows, own)
    asked = [body["max_tokens"] for body in engine.bodies]
    assert asked.count(1) == (0 if name == "p-true without ids" or isinstance(judge, TokenLogProb) else 6)


@pytest.mark.parametrize("ids", [[2**31], [-1], [[1]], ["1"], [True], 5])
def test_ids_that_are_none_are_no_answer(ids: Any, run: Callable[..., Any]) -> None:
    def change(_body: dict[str, Any], reply: dict[str, Any]) -> None:
        reply["choices"][0]["token_ids"] = ids

    said, rows, _own = run(TokenLogProb(), change=change)
    assert "0 judged in the engine, 0 read again, 6 not answered" in said
    assert "the server gave no answer" in rows[0]["unscored"]


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("judge", [TokenConfidence(statistic="confidence"), PTrue()], ids=["deepconf", "p-true"])
def test_a_server_that_knows_none_of_it(
    judge: BaseJudge, named: bool, run: Callable[..., Any], engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = Model.__call__

    def strict(self: Model, body: dict[str, Any], times: int, send: Callable[..., None]) -> bool:
        if odd := EXTRAS.intersection(body):
            why = f"unknown: {', '.join(sorted(odd))}" if named else "a field is unknown"
            send(json.dumps({"error": {"message": why}}).encode(), 400)
            return True
        return model(self, body, times, send)

    monkeypatch.setattr(Model, "__call__", strict)
    said, rows, own = run(judge, alone=False)
    assert f"0 judged in the engine, 6 read again ({NO_IDS})" in said
    assert same(rows, own)
    assert "refused" not in said
    assert all(n <= 3 for n in engine.seen.values())


def test_another_model_is_not_taken_for_the_judges(run: Callable[..., Any], engine: Engine) -> None:
    said, rows, own = run(TokenLogProb(), name="other", alone=False)
    assert "0 judged in the engine, 6 read again (given output of the model 'other'" in said
    assert same(rows, own)
    assert not EXTRAS.intersection(*engine.bodies)


def test_a_judge_that_the_engine_cannot_serve_says_what_it_reads(run: Callable[..., Any]) -> None:
    said, rows, own = run(TokenConfidence(statistic="entropy"), alone=False)
    assert "6 read again (the judge reads whole distributions, of which an engine gives the likeliest tokens)" in said
    assert same(rows, own)


def test_a_role_in_the_prompt_is_read_again(run: Callable[..., Any], reference: LanguageModel) -> None:
    judge = PooledProbe(readouts=("tokens/text.mean(log_probability)",), epochs=2, how="min", role="response")
    said, rows, own = run(fitted(judge, reference), alone=False)
    assert "6 read again (the engine gave 0 of the 1 log-probabilities that tokens/text.mean(log_prob" in said
    assert same(rows, own)


def test_in_python(reference: LanguageModel, tmp_path: Path) -> None:
    pairs = [(prompt, text) for prompt in PROMPTS for text in SAID]
    for judge, route in ((TokenConfidence(statistic="confidence"), "log-probabilities"), (PTrue(), "labels")):
        whole = Judge(judge, reference)
        whole.save(tmp_path)
        own = EngineJudge.load(tmp_path)
        assert own.route == route
        asked, given = own.encode(pairs), list[Any]()
        for one in asked:
            with torch.inference_mode():
                logs = reference.model(torch.tensor([one.ids])).logits[0].float().log_softmax(-1)
            if route == "labels":
                given.append({token: float(logs[-1, token]) for token in one.label_ids})
            else:
                given.append([
                    {token: float(row[token]) for token in (int(t), *row.topk(20).indices.tolist())}
                    for row, t in zip(logs, one.ids[1:], strict=False)
                ])  # fmt: skip
        takes, other = own.verdicts_of_log_probabilities, own.verdicts_of_labels
        takes, other = (takes, other) if route == "log-probabilities" else (other, takes)
        found = takes(asked, given, model="reference")  # type: ignore[operator]
        np.testing.assert_allclose([one.score for one in found], whole.scores(pairs), atol=1e-4)  # type: ignore[arg-type]
        assert takes([], [], model="reference") == []  # type: ignore[operator]
        with pytest.raises(InnerjudgeError, match=f"expected {route}: it reads "):
            other(asked, given, model="reference")  # type: ignore[operator]
        with pytest.raises(InnerjudgeError, match="of the model 'x' for a judge of 'reference'"):
            takes(asked, given, model="x")  # type: ignore[operator]


def test_refusals_name_judge_and_readout(reference: LanguageModel, tmp_path: Path) -> None:
    Judge(TokenConfidence(statistic="certainty"), reference).save(tmp_path)
    with pytest.raises(InnerjudgeError, match=r"TokenConfidence\(\)"):
        EngineJudge.load(tmp_path)
    with pytest.raises(InnerjudgeError, match=r"reads tokens/response.certainty.*\(whole distributions"):
        EngineJudge.load(tmp_path)
    for judge, route, why in (
        (CLUE(), "states", ""),
        (TextJudge.verdict(), "none", "text that the judge itself writes"),
        (EScore(values=(1, 0), answers=("a", "b")), "none", "both responses of a pair at once"),
    ):
        assert route_of(judge) == (route, why)
