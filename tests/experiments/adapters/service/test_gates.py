"""Gates of the service: what fails ranks last and has no score, and says of which gate."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from innerjudge import InnerjudgeError, Judge, LanguageModel, TokenLogProb
from innerjudge.experiments.adapters.service import connections
from innerjudge.experiments.adapters.service.app import create_app

#: With the query "q" a judge of lengths says 4, none, 2, 1 and 0.
DOCUMENTS = ["abcde", "", "ab7", "b7", "a"]


@pytest.fixture
def asked(judge) -> Callable[..., httpx.Response]:
    def ask(*gates: str, path: str = "/v1/rerank", **body: object) -> httpx.Response:
        other = type(judge)()
        with TestClient(create_app({"judge": judge, "other": other}, gates=gates), raise_server_exceptions=False) as it:
            return it.post(path, json={"model": "judge", "query": "q", "documents": DOCUMENTS, **body})

    return ask


def test_what_fails_a_pattern_is_below_what_passes(asked) -> None:
    found = asked("regex:[0-9]", return_documents=False).json()["results"]
    no = "fails the gate regex:[0-9]"
    assert found == [
        {"index": 2, "relevance_score": 2.0},
        {"index": 3, "relevance_score": 1.0},
        {"index": 0, "relevance_score": None, "unscored": no},  # the best of those that fail
        {"index": 4, "relevance_score": None, "unscored": no},
        {"index": 1, "relevance_score": None, "unscored": no},
    ]
    top = asked("regex:[0-9]", top_n=1).json()["results"]
    assert [(one["index"], one["document"]["text"]) for one in top] == [(2, "ab7")]


def test_a_judge_is_a_gate_on_its_scale_and_the_first_that_is_failed_is_named(asked) -> None:
    said = asked("other>=1", "regex:a", return_documents=False).json()
    why = {one["index"]: one.get("unscored") for one in said["results"]}
    low, none = "fails the gate other>=1", "fails the gate regex:a"
    assert why == {0: None, 2: None, 3: none, 4: low, 1: low}  # without a score nothing passes
    assert [one["index"] for one in said["results"]] == [0, 2, 3, 4, 1]
    # Tokens are characters of prompts and documents that were scored: q five times less the empty one, 5 + 3 + 2 + 1.
    assert said["usage"]["total_tokens"] == 4 + 11


def test_scores_of_pairs(asked) -> None:
    said = asked("regex:[0-9]", path="/v1/score", text_1="q", text_2=["ab7", "abc"]).json()["data"]
    assert said == [
        {"index": 0, "object": "score", "score": 2.0},
        {"index": 1, "object": "score", "score": None, "unscored": "fails the gate regex:[0-9]"},
    ]
    messages = [[{"role": "assistant", "content": one}] for one in ("7", "abc")]
    found = asked("regex:7", documents=messages, return_documents=False).json()["results"]
    assert [(one["index"], one["relevance_score"]) for one in found] == [(0, 0.0), (1, None)]


def test_a_text_made_for_a_pattern_stops_nobody(asked) -> None:
    said = asked("regex:^(a|aa)+$", documents=["a" * 60 + "b"])
    assert said.status_code == 500
    assert "which takes over 0.5 s on a text" in said.json()["error"]["message"]


def test_gates_that_are_none(judge) -> None:
    for gate, words in (
        ("safe>=0.5", "given --gate safe>=0.5, expected regex:PATTERN or a judge that is served: judge"),
        ("regex:(", "expected NAME>=NUMBER or regex:PATTERN"),
    ):
        with pytest.raises(InnerjudgeError, match=r"given --gate") as error:
            create_app({"judge": judge}, gates=[gate])
        assert words in str(error.value)


def test_the_command(
    cli, monkeypatch: pytest.MonkeyPatch, reference: LanguageModel, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder, apps = tmp_path_factory.mktemp("likely"), list[FastAPI]()
    judge = Judge(TokenLogProb(), reference)
    judge.save(folder / "likely")
    monkeypatch.setattr(connections, "serve_until_stopped", lambda app, *_, **__: apps.append(app))
    served = ("serve", "--judge", folder / "likely", "--port", 0)
    refused = cli(*served, "--gate", "safe>=1")
    assert (refused.code, "a judge that is served: likely" in refused.err) == (2, True)
    pairs = [("Start with 7. Add 5.", f"<think>7+5={n}</think>{n}") for n in (12, 13)]
    scores = [one.score for one in judge.verdicts(pairs)]
    least = sum(scores) / 2  # between the two
    done = cli(*served, "--gate", f"likely>={least}", "--gate", r"regex:</think>\d+$")
    assert done.code == 0, done.err
    with TestClient(apps[0], base_url="http://localhost") as client:
        ask = {"query": pairs[0][0], "documents": [*(text for _, text in pairs), "12"], "return_documents": False}
        found = client.post("/v1/rerank", json=ask).json()["results"]
    best = int(scores[1] > scores[0])
    assert (found[0]["index"], found[0]["relevance_score"]) == (best, pytest.approx(scores[best], abs=1e-5))
    assert {one["relevance_score"] for one in found[1:]} == {None}
    assert all(one["unscored"].startswith("fails the gate") for one in found[1:])
