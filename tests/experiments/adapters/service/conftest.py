"""A judge that needs no model, and the service that serves it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi.testclient import TestClient
from innerjudge.experiments.adapters.service.app import create_app
from innerjudge.experiments.adapters.service.limits import Limits
from innerjudge.probes import Promise, Verdict


class Lengths:
    """Scores a response by its length less that of the prompt; says how it was asked."""

    kind = "trace"
    promise: Promise | None = None

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.entered = 0
        self.batches: list[int] = []
        self.gate = threading.Event()
        self.gate.set()
        self.lm = SimpleNamespace(tokenizer=self._tokens)

    def verdicts(self, pairs: Any, batch_size: int = 32) -> list[Verdict]:
        self.entered += 1
        assert self.gate.wait(20)
        time.sleep(self.seconds)
        self.batches.append(len(pairs))
        if any("broken" in response for _, response in pairs):
            raise RuntimeError("secret of the machine room")
        return [self._verdict(str(k), *pair) for k, pair in enumerate(pairs)]

    def _verdict(self, name: str, prompt: str, response: str) -> Verdict:
        if not response:
            return Verdict(name, unscored="the response is empty")
        return Verdict(name, score=float(len(response) - len(prompt)))

    @staticmethod
    def _tokens(texts: list[str], add_special_tokens: bool) -> dict[str, list[list[int]]]:
        assert not add_special_tokens
        return {"input_ids": [[0] * len(text) for text in texts]}  # a token a character


@pytest.fixture
def judge() -> Lengths:
    return Lengths()


@pytest.fixture
def serving(judge: Lengths) -> Iterator[Callable[..., TestClient]]:
    """Start the service with these limits; it is stopped with the test."""
    with ExitStack() as stack:

        def start(key: str | None = None, judges: dict[str, Any] | None = None, **limits: Any) -> TestClient:
            app = create_app(judges or {"judge": judge}, limits=Limits(**limits), key=key)
            return stack.enter_context(TestClient(app, raise_server_exceptions=False))

        yield start
        judge.gate.set()
