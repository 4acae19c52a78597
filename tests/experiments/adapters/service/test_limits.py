"""Batching, a full queue, slow judges, large and slow requests, keys, a judge that fails, and the end."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from innerjudge.experiments.adapters.service.app import create_app
from innerjudge.experiments.adapters.service.batcher import Batcher
from innerjudge.experiments.adapters.service.limits import Limits, Meters, Refused

ASK = {"query": "q", "documents": ["abc"]}


def wait_for(true) -> None:
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end
        time.sleep(0.005)


def waiting(client) -> float:
    lines = client.get("/metrics").text.splitlines()
    return next(float(line.split()[-1]) for line in lines if line.startswith("innerjudge_waiting_pairs{"))


def test_requests_at_the_same_time_share_passes(serving, judge) -> None:
    client = serving(batch_size=8)
    judge.gate.clear()
    with ThreadPoolExecutor(21) as threads:
        first = threads.submit(client.post, "/rerank", json=ASK)
        wait_for(lambda: judge.entered == 1)
        texts = [["x" * (k + 2)] * (1 + k % 3) for k in range(20)]
        asked = [threads.submit(client.post, "/score", json={"text_1": "q", "text_2": many}) for many in texts]
        total = sum(map(len, texts))  # 7 + 7 + 6 requests of 1, 2 and 3 pairs: 7 + 14 + 18 = 39
        wait_for(lambda: waiting(client) == total)
        judge.gate.set()
        assert first.result().is_success
        for k, (one, many) in enumerate(zip(asked, texts, strict=True)):
            # k + 2 characters less the one of the query
            assert [row["score"] for row in one.result().json()["data"]] == [k + 1.0] * len(many)
    assert judge.batches == [1, 8, 8, 8, 8, 7]


def test_a_full_queue(serving, judge) -> None:
    client = serving(queue=3, documents=3, batch_size=1)
    judge.gate.clear()
    with ThreadPoolExecutor(4) as threads:
        running = threads.submit(client.post, "/rerank", json=ASK)
        wait_for(lambda: judge.entered == 1)
        queued = threads.submit(client.post, "/rerank", json={"query": "q", "documents": ["a", "b", "c"]})
        wait_for(lambda: waiting(client) == 3)
        said = client.post("/rerank", json=ASK)
        assert said.status_code == 429
        assert int(said.headers["Retry-After"]) >= 1
        assert "3 of 3 places taken" in said.json()["error"]["message"]
        assert said.json()["error"]["type"] == "RateLimitError"
        judge.gate.set()
        assert running.result().is_success
        assert queued.result().is_success
    assert client.post("/rerank", json=ASK).is_success


def test_too_late(serving, judge) -> None:
    client = serving(seconds=0.05)
    judge.gate.clear()
    said = client.post("/rerank", json=ASK)
    assert said.status_code == 504
    assert "0.05 s" in said.json()["error"]["message"]
    judge.gate.set()
    wait_for(lambda: client.post("/rerank", json=ASK).is_success)


def test_pairs_nobody_waits_for_are_passed_over(serving, judge) -> None:
    client = serving(seconds=0.2, batch_size=1)
    judge.gate.clear()
    codes = [client.post("/rerank", json={"query": "q", "documents": ["a"] * 10}).status_code for _ in range(2)]
    assert codes == [504, 504]
    judge.gate.set()
    wait_for(lambda: client.post("/rerank", json=ASK).is_success)
    assert len(judge.batches) <= 3  # the pair that was running, and the last request; not the other 19


def test_one_request_cannot_spoil_another(serving, judge) -> None:
    client = serving(batch_size=8)
    judge.gate.clear()
    with ThreadPoolExecutor(4) as threads:
        first = threads.submit(client.post, "/rerank", json=ASK)
        wait_for(lambda: judge.entered == 1)
        bad = threads.submit(client.post, "/rerank", json={"query": "q", "documents": ["abc", "broken"]})
        good = threads.submit(client.post, "/rerank", json={"query": "q", "documents": ["abc", "abcde"]})
        wait_for(lambda: waiting(client) == 4)
        judge.gate.set()
        assert first.result().is_success
        assert [one["relevance_score"] for one in good.result().json()["results"]] == [4.0, 2.0]
        said = bad.result()
    assert said.status_code == 500
    assert said.json()["error"]["message"] == "the judge failed: RuntimeError, see the service's log"
    assert client.post("/rerank", json=ASK).is_success


def test_size(serving) -> None:
    client = serving(body=1000)
    assert client.post("/rerank", json={"query": "q", "documents": ["a" * 900]}).is_success
    large = {"query": "q", "documents": ["a" * 1000]}
    for said in (
        client.post("/rerank", json=large),
        client.post("/rerank", content=iter([b"a" * 600] * 2)),  # no length is told
        client.post("/nothing", json=large),
    ):
        assert said.status_code == 413
        assert "at most" in said.json()["error"]["message"]
    # a length that lies cannot pass more than the bound either
    assert client.post("/rerank", content=b"a" * 2000, headers={"content-length": "10"}).status_code == 413
    assert client.get("/health").is_success


def test_a_request_that_never_ends(judge) -> None:
    app = create_app({"judge": judge}, limits=Limits(seconds=0.05))
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(0.02)
        return {"type": "http.request", "body": b"{", "more_body": True}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/rerank", "headers": [], "query_string": b""}
    asyncio.run(app(scope, receive, send))
    assert sent[0]["status"] == 408


def test_a_client_that_goes_away_is_no_error(judge) -> None:
    app = create_app({"judge": judge})

    async def gone() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(_message: Any) -> None:
        raise AssertionError("nobody listens")

    asyncio.run(app({"type": "http", "method": "POST", "path": "/rerank", "headers": []}, gone, send))


@pytest.mark.parametrize("path", ["/v1/rerank", "/rerank", "/v2/rerank", "/v1/score", "/score", "/v1/models", "/none"])
def test_key(serving, path: str) -> None:
    client = serving(key="s3cret")
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "s3cret"}, {"Authorization": "Bearer "}):
        said = client.post(path, content=b"{", headers=headers)
        assert said.status_code == 401
        assert said.headers["WWW-Authenticate"] == "Bearer"
        assert "s3cret" not in said.text
    assert client.post(path, content=b"{", headers={b"Authorization": b"Bearer \xff"}).status_code == 401
    assert client.post(path, content=b"{", headers={"Authorization": "Bearer s3cret"}).status_code in (400, 404, 405)
    for free in ("/health", "/metrics", "/docs", "/openapi.json"):
        assert client.get(free).is_success, free
    assert client.get("/openapi.json").json()["components"]["securitySchemes"]


def test_what_was_accepted_is_answered_at_the_end(judge) -> None:
    async def end() -> None:
        with ThreadPoolExecutor(1) as runner:
            batcher = Batcher("judge", judge, Limits(batch_size=2), Meters(), runner)
            assert not batcher.works
            with pytest.raises(Refused, match="stopping"):
                await batcher.judged([("q", "a")])
            batcher.start()
            assert await batcher.judged([]) == []
            asked = [asyncio.create_task(batcher.judged([("q", "abc")] * 5)) for _ in range(3)]
            await asyncio.sleep(0)
            await batcher.stop()
            assert [one.verdict.score for task in asked for one in await task] == [2.0] * 15
            with pytest.raises(Refused, match="stopping"):
                await batcher.judged([("q", "a")])

    asyncio.run(end())


def test_health_tells_of_a_judge_that_does_not_work(judge) -> None:
    app = create_app({"judge": judge})  # no lifespan: nothing was started

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            return await client.get("/health")

    said = asyncio.run(ask())
    assert said.status_code == 503
    assert "judge" in said.json()["error"]["message"]
