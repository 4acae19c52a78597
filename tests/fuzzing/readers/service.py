"""Requests to the service, as bytes of their body."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from harness import Reader

RERANK = {"model": "judge", "query": "?", "documents": ["a", {"text": "b"}], "top_n": 1, "return_documents": True}
SCORE = {"model": "judge", "text_1": [[{"role": "user", "content": "?"}]], "text_2": ["a", "b"]}


def service_readers(folder: Path) -> Iterator[tuple[str, Reader]]:
    """The bodies as they are parsed, and, less often, requests that are answered."""
    try:
        from fastapi.testclient import TestClient
        from innerjudge.experiments.adapters.service import shapes
        from innerjudge.experiments.adapters.service.app import create_app
    except ImportError:
        return
    from types import SimpleNamespace

    import pydantic
    from innerjudge.models.errors import InnerjudgeError
    from innerjudge.probes import Verdict

    def verdicts(pairs: Any, batch_size: int = 32) -> list[Verdict]:
        return [Verdict(str(k), score=float(len(response))) for k, (_, response) in enumerate(pairs)]

    def tokens(texts: list[str], add_special_tokens: bool) -> dict[str, Any]:
        return {"input_ids": [[0] * len(text) for text in texts]}

    judge: Any = SimpleNamespace(kind="trace", promise=None, verdicts=verdicts, lm=SimpleNamespace(tokenizer=tokens))
    begun: list[TestClient] = []  # in the process that asks: its threads do not survive a fork

    def post(path: str) -> Callable[[bytes], object]:
        def of(raw: bytes) -> object:
            if not begun:
                begun.append(TestClient(create_app({"judge": judge}), raise_server_exceptions=False).__enter__())
            said = begun[0].post(path, content=raw, headers={"content-type": "application/json"})
            assert said.status_code < 500, f"{said.status_code}: {said.text[:300]}"
            if said.status_code >= 400:
                raise InnerjudgeError(said.json()["error"]["message"])
            return said.json()

        return of

    def parse(shape: type[pydantic.BaseModel]) -> Callable[[bytes], object]:
        def of(raw: bytes) -> object:
            try:
                return shape.model_validate(json.loads(raw))
            except (ValueError, RecursionError) as error:  # which the service tells as a wrong request
                raise InnerjudgeError(type(error).__name__) from None

        return of

    yield "service: body of rerank", Reader(parse(shapes.RerankRequest), json.dumps(RERANK).encode(), "json")
    yield "service: body of score", Reader(parse(shapes.ScoreRequest), json.dumps(SCORE).encode(), "json")
    # The client that asks in this process takes most of the time.
    yield "service: rerank", Reader(post("/v1/rerank"), json.dumps(RERANK).encode(), "json", 0.2)
    yield "service: score", Reader(post("/v1/score"), json.dumps(SCORE).encode(), "json", 0.2)
    del folder
