"""What the service answers: the shapes of Jina, Cohere and vLLM, and a message for whatever is wrong."""

from __future__ import annotations

import json

import pytest
from innerjudge import InnerjudgeError, Promise
from innerjudge.experiments.adapters.service.app import create_app
from innerjudge.experiments.adapters.service.limits import Limits

DOCUMENTS = ["abc", "", "abcde"]  # with the query "q": 3 - 1 = 2, none, 5 - 1 = 4


def message_of(said) -> str:
    error = said.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["code"] == said.status_code
    return error["message"]


@pytest.mark.parametrize("path", ["/v1/rerank", "/rerank", "/v2/rerank"])
def test_rerank(serving, path: str) -> None:
    said = serving().post(path, json={"model": "judge", "query": "q", "documents": DOCUMENTS})
    assert said.status_code == 200
    found = said.json()
    assert set(found) == {"id", "model", "usage", "results"}
    assert found["model"] == "judge"
    # scored are (q, abc) and (q, abcde): 1 + 3 + 1 + 5 characters, a token each
    assert found["usage"] == {"prompt_tokens": 10, "total_tokens": 10}
    assert found["results"] == [
        {"index": 2, "relevance_score": 4.0, "document": {"text": "abcde"}},
        {"index": 0, "relevance_score": 2.0, "document": {"text": "abc"}},
        {"index": 1, "relevance_score": None, "document": {"text": ""}, "unscored": "the response is empty"},
    ]


def test_rerank_options(serving) -> None:
    ask = {"query": "q", "documents": [{"text": "abc"}, "abcde", "xyz"], "return_documents": False}
    client = serving()
    places = [(one["index"], one["relevance_score"]) for one in client.post("/v1/rerank", json=ask).json()["results"]]
    assert places == [(1, 4.0), (0, 2.0), (2, 2.0)]  # ties in the order given
    for top_n, n in ((1, 1), (0, 3), (None, 3), (99, 3)):
        said = client.post("/v1/rerank", json=ask | {"top_n": top_n}).json()
        assert [set(one) for one in said["results"]] == [{"index", "relevance_score"}] * n


@pytest.mark.parametrize("path", ["/v1/score", "/score"])
def test_score(serving, path: str) -> None:
    client = serving()
    one_to_many = client.post(path, json={"text_1": "q", "text_2": ["abc", ""]}).json()
    assert set(one_to_many) == {"id", "object", "created", "model", "data", "usage"}
    assert one_to_many["data"] == [
        {"index": 0, "object": "score", "score": 2.0},
        {"index": 1, "object": "score", "score": None, "unscored": "the response is empty"},
    ]
    pairs = client.post(path, json={"text_1": ["q", "qq"], "text_2": ["abc", "abc"]}).json()
    assert [one["score"] for one in pairs["data"]] == [2.0, 1.0]
    assert [one["score"] for one in client.post(path, json={"text_1": "q", "text_2": "abc"}).json()["data"]] == [2.0]


@pytest.mark.parametrize(
    ("path", "body", "code", "words"),
    [
        ("/v1/rerank", {"query": "q", "documents": []}, 400, "documents"),
        ("/v1/rerank", {"query": "q"}, 400, "documents"),
        ("/v1/rerank", {"documents": ["a"]}, 400, "query"),
        ("/v1/rerank", {"query": 7, "documents": ["a"]}, 400, "query"),
        ("/v1/rerank", {"query": "q", "documents": ["a", 7]}, 400, "documents.1"),
        ("/v1/rerank", {"query": "q", "documents": ["a", None]}, 400, "documents.1"),
        ("/v1/rerank", {"query": "q", "documents": "abc"}, 400, "documents"),
        ("/v1/rerank", {"query": "q", "documents": [{"txt": "a"}]}, 400, "text"),
        ("/v1/rerank", {"query": "q", "documents": ["a"], "top_n": -1}, 400, "top_n"),
        ("/v1/rerank", {"query": "q", "documents": ["a"] * 5}, 400, "at most 4"),
        ("/v1/rerank", {"query": "q", "documents": ["a"], "model": "other"}, 404, "expected one of judge"),
        ("/v1/rerank", ["a"], 400, "body"),
        ("/v1/score", {"text_1": [], "text_2": ["a"]}, 400, "empty list"),
        ("/v1/score", {"text_1": ["a", "b"], "text_2": ["a", "b", "c"]}, 400, "2 texts as text_1 and 3"),
        ("/v1/score", {"text_1": ["a", "b"], "text_2": "a"}, 400, "2 texts as text_1 and 1"),
        ("/v1/score", {"text_1": "a", "text_2": {"a": 1}}, 400, "text_2"),
        ("/nothing", {}, 404, "Not Found"),
    ],
)
def test_wrong_requests(serving, path: str, body: object, code: int, words: str) -> None:
    client = serving(documents=4)
    said = client.post(path, json=body)
    assert said.status_code == code
    assert words in message_of(said)
    assert client.get("/health").json() == {"status": "ok", "judges": ["judge"]}


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b'{"query": "\xff", "documents": ["a"]}',
        b'{"query": "q", "documents": ["a"], "top_n": NaN}',
        b'{"query": "q", "documents": [NaN]}',
        b'{"query": "\\ud800", "documents": ["a"]}',
        b'{"query": "q", "documents": ["\\udfff"]}',
        b'{"query": "q", "documents": [{"text": "\\udfff"}]}',
        b'{"query": "q", "documents": ["a"], "top_n": ' + b"9" * 5000 + b"}",
        b"[" * 100_000,
        b'{"query": "q", "documents": ' + b"[" * 20_000 + b"]" * 20_000 + b"}",
    ],
    ids=range(12),
)
def test_broken_bodies(serving, raw: bytes) -> None:
    client = serving()
    said = client.post("/v1/rerank", content=raw, headers={"content-type": "application/json"})
    assert said.status_code == 400
    assert message_of(said)
    assert client.get("/health").status_code == 200


@pytest.mark.parametrize("path", ["/v1/rerank", "/v1/score"])
def test_names_are_cut_before_they_are_said_again(serving, path: str) -> None:
    ask = {"query": "q", "documents": ["a"], "text_1": "q", "text_2": "a"}
    client = serving()
    for name in ("x" * 10**6, "\x1b[31mred\u202e", "x" * 79 + "\n" * 10**5):
        said = client.post(path, json=ask | {"model": name})
        assert said.status_code == 404
        assert len(said.content) < 500
        assert message_of(said).isprintable()
    for wrong in ({"y" * 10**6: 1}, {**ask, "documents": [{"z" * 10**6: 1}], "text_2": {"z" * 10**6: 1}}):
        said = client.post(path, json=wrong)
        assert (said.status_code, len(said.content) < 3000) == (400, True)
    long = client.post(f"/{'p' * 10**4}", json={})
    assert (long.status_code, len(long.content) < 500) == (404, True)


def test_odd_texts_are_judged(serving) -> None:
    texts = ["\0", "\u202e", "e\u0301" * 50, "😀", " ", "\ufffd", "a" * 100_000]
    said = serving().post("/v1/rerank", json={"query": "", "documents": texts}).json()["results"]
    assert {one["index"]: one["document"]["text"] for one in said} == dict(enumerate(texts))


def test_another_method(serving) -> None:
    said = serving().get("/v1/rerank")
    assert said.status_code == 405
    assert message_of(said) == "Method Not Allowed"


def test_several_judges(serving, judge) -> None:
    client = serving(judges={"one": judge, "two": judge})
    assert [one["id"] for one in client.get("/v1/models").json()["data"]] == ["one", "two"]
    ask = {"query": "q", "documents": ["abc"]}
    assert client.post("/rerank", json=ask | {"model": "two"}).json()["model"] == "two"
    said = client.post("/rerank", json=ask)
    assert said.status_code == 400
    assert "one, two" in message_of(said)


def test_what_a_promise_keeps(serving, judge) -> None:
    plain = serving()
    assert "kept" not in plain.post("/v1/score", json={"text_1": "pp", "text_2": "ppp"}).json()["data"][0]
    assert "promise" not in plain.get("/v1/models").json()["data"][0]
    judge.promise = Promise("passed bad answers", 0.1, 0.9, threshold=1.0, questions=50)
    client = serving()
    said = client.post("/v1/score", json={"text_1": "pp", "text_2": ["ppp", "p", ""]}).json()["data"]
    found = client.post("/v1/rerank", json={"query": "pp", "documents": ["p", "ppp"]}).json()["results"]
    # Lengths score 3 - 2 = 1 and 1 - 2 = -1; what is unscored is neither kept nor not.
    assert [one.get("kept") for one in said] == [True, False, None]
    assert [one["kept"] for one in found] == [True, False]
    (model,) = client.get("/v1/models").json()["data"]
    assert model["promise"] == str(judge.promise)


def test_metrics(serving) -> None:
    client = serving()
    client.post("/v1/rerank", json={"query": "q", "documents": DOCUMENTS})
    client.post("/v1/rerank", json={})
    client.get("/secret-path")
    text = client.get("/metrics").text
    assert 'innerjudge_requests_total{code="200",path="/v1/rerank"} 1.0' in text
    assert 'innerjudge_requests_total{code="400",path="/v1/rerank"} 1.0' in text
    assert 'innerjudge_requests_total{code="404",path="other"} 1.0' in text
    assert "secret-path" not in text
    assert 'innerjudge_pairs_total{judge="judge"} 3.0' in text
    assert 'innerjudge_unscored_pairs_total{judge="judge"} 1.0' in text
    assert 'innerjudge_batch_pairs_sum{judge="judge"} 3.0' in text
    assert 'innerjudge_waiting_pairs{judge="judge"} 0.0' in text


def test_the_page_needs_no_network(serving) -> None:
    client = serving()
    page = client.get("/docs").text
    assert "https://" not in page.replace("https://fastapi.tiangolo.com/img/favicon.png", "")
    assert client.get("/static-offline-docs/swagger-ui-bundle.js").status_code == 200
    spec = client.get("/openapi.json").json()
    examples = spec["components"]["schemas"]["RerankRequest"]["examples"]
    assert client.post("/v1/rerank", json=examples[0]).status_code == 200
    assert client.post("/v1/score", json=spec["components"]["schemas"]["ScoreRequest"]["examples"][0]).is_success
    assert "422" not in json.dumps(spec)


def test_what_cannot_be_served(judge) -> None:
    with pytest.raises(InnerjudgeError, match="no judge"):
        create_app({})
    judge.kind = "choice"
    with pytest.raises(InnerjudgeError, match="judge of choices"):
        create_app({"letters": judge})
    judge.kind = "trace"
    for key in ("", "naïve", "a\nb"):
        with pytest.raises(InnerjudgeError, match="key"):
            create_app({"judge": judge}, key=key)
    with pytest.raises(InnerjudgeError, match="seconds=0"):
        Limits(seconds=0)
    with pytest.raises(InnerjudgeError, match="batch_wait"):
        Limits(batch_wait=float("nan"))
