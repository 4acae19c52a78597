"""Whatever is sent to the service is answered as its OpenAPI page says, and it stays up."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, given, settings, strategies as st
from innerjudge.experiments.adapters.service.app import create_app
from innerjudge.experiments.adapters.service.connections import listening
from innerjudge.experiments.adapters.service.limits import Limits
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from .conftest import Lengths


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A service in a thread, on the loopback."""
    app = create_app({"judge": Lengths()}, limits=Limits(documents=8, body=1 << 20, seconds=10))
    where = listening("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [where]})
    thread.start()
    yield f"http://127.0.0.1:{where.getsockname()[1]}"
    server.should_exit = True
    thread.join(20)
    where.close()


@pytest.fixture(scope="module")
def client(address: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=address, headers={"Content-Type": "application/json"}) as one:
        yield one


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_every_path(address: str, mode: GenerationMode) -> None:
    """Requests that the page allows, and requests that it does not."""
    asked = 0
    for found in schemathesis.openapi.from_url(f"{address}/openapi.json").get_all_operations():
        operation = found.ok()
        if mode is GenerationMode.NEGATIVE and operation.method != "post":
            continue  # nothing to get wrong

        @settings(max_examples=15, deadline=None, derandomize=True, database=None, suppress_health_check=HealthCheck)
        @given(case=operation.as_strategy(generation_mode=mode))
        def ask(case: schemathesis.Case) -> None:
            case.call_and_validate(excluded_checks=[positive_data_acceptance])  # some limits are no part of the page

        ask()
        asked += 1
    assert asked == (5 if mode is GenerationMode.NEGATIVE else 8)


@settings(max_examples=80, deadline=None, suppress_health_check=HealthCheck)
@given(path=st.sampled_from(["/v1/rerank", "/v2/rerank", "/v1/score"]), body=st.binary() | st.text().map(str.encode))
def test_any_bytes(client: httpx.Client, path: str, body: bytes) -> None:
    said = client.post(path, content=body)
    assert said.status_code == 400
    assert said.json()["error"]["message"]


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)
_FIELDS = st.sampled_from(["query", "documents", "model", "top_n", "return_documents", "text_1", "text_2", "other"])


@settings(max_examples=120, deadline=None, suppress_health_check=HealthCheck)
@given(path=st.sampled_from(["/rerank", "/score"]), fields=st.dictionaries(_FIELDS, _JSON, max_size=6))
def test_any_json(client: httpx.Client, path: str, fields: dict[str, Any]) -> None:
    """NaN, half surrogate pairs, huge numbers and all."""
    body = json.dumps(fields).encode()
    said = client.post(path, content=body)
    assert said.status_code in (200, 400, 404), said.text
    assert said.json()


def test_it_is_still_there(client: httpx.Client) -> None:
    said = client.post("/v1/rerank", json={"query": "q", "documents": ["abc"]})
    assert said.json()["results"][0]["relevance_score"] == 2.0
    text = client.get("/metrics").text
    assert 'code="500"' not in text
