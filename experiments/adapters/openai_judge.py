"""A text judge behind an OpenAI-compatible server: our words, one request an item and order (extra ``openai``).

Every reply is kept at once, sealed, in a file that is named by all that it depends on: what is typed again asks for the
rest only. Whatever the server does, a request is sent at most :data:`TRIES` times and read within limits.
"""

import hashlib
import json
import os
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import numpy as np

from ...extraction.features import Features
from ...extraction.provenance import Provenance
from ...models.conversation import Conversation
from ...models.errors import InnerjudgeError, one_line, shown
from ...models.extra import require
from ...models.foreign import dump_sealed, parse_json, parse_sealed, read_file, replacing
from ...models.items import Item
from ...probes.judge import Verdict
from ..judges.opponent import as_given
from ..reading.passes import Passes
from ..reading.ways import OPEN_TOKENS, Question, Said, Way, questions_of, values_of

#: Most times that one request is sent, seconds that a reply may take, and bytes of it.
TRIES, PATIENCE, LIMIT = 5, 30.0, 1 << 20
#: Items in a row without an answer after which nobody is asked any more.
MOST_SILENT = 16
#: Statuses that may pass; others of 400 to 499 will not.
_PASSING = (408, 409, 425, 429)
_KEY = "OPENAI_API_KEY"
_DAMAGE = (ValueError, LookupError, TypeError, AttributeError)


@dataclass(kw_only=True)
class OpenAIJudge:
    """The model ``name`` at ``url``, asked ``at_once`` requests at a time; replies are kept in ``folder``, if any.

    The key is that of the environment (``OPENAI_API_KEY``), and stands in no file and no message. ``sent`` counts
    requests, ``tokens`` those of all replies (prompts and texts, as the server says), kept ones too.
    """

    url: str
    name: str
    folder: Path | None = None
    at_once: int = 8
    patience: float = PATIENCE
    sent: int = field(default=0, init=False)
    tokens: int = field(default=0, init=False)
    _logprobs: bool = field(default=True, init=False, repr=False)
    _silent: int = field(default=0, init=False, repr=False)
    _stop: threading.Event = field(default_factory=threading.Event, init=False, repr=False)

    @classmethod
    def of(cls, typed: str, **how: Any) -> Self:
        """``"openai:URL#MODEL"``, such as ``openai:http://localhost:8000/v1#Qwen/Qwen3-8B``."""
        url, _, name = typed.removeprefix("openai:").partition("#")
        if not typed.startswith("openai:") or not url.startswith(("http://", "https://")) or not name:
            raise InnerjudgeError(f"given the text judge {shown(typed)!r}, expected openai:URL#MODEL, such as "
                                  "openai:https://api.openai.com/v1#gpt-4o")  # fmt: skip
        require("openai", "openai")
        return cls(url=url.rstrip("/"), name=name, **how)

    def verdicts(
        self, kind: str, items: Sequence[Item], passes: Passes, *, swapped: bool = False, seed: int = 0
    ) -> list[Verdict]:
        """What it says of each item; ``swapped`` shows response b of pairs first (labels stay those of the pair).

        Where the server gives log-probabilities and the text opens with a label, the score is the expected value.
        ``InnerjudgeError`` where it refuses the key, the model or the address; an item that it does not answer is
        unscored, and asked again next time.
        """
        questions = questions_of(items, "open", passes, swapped=swapped)
        advance = passes.steps(f"asking {self.name}", len(items))
        with TemporaryDirectory() as spare, ThreadPoolExecutor(self.at_once) as pool:
            folder = self.folder or Path(spare)
            folder.mkdir(parents=True, exist_ok=True)
            client = require("openai", "openai").OpenAI(
                base_url=self.url, api_key=os.environ.get(_KEY) or "none", timeout=self.patience, max_retries=0
            )
            asked = [pool.submit(self._kept, client, question, seed, folder) for question in questions]
            replies = []
            try:
                for one in asked:
                    replies.append(one.result())
                    advance(1)
            except BaseException:
                self._stop.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        self.tokens += sum(int(reply.get("tokens") or 0) for reply in replies)
        missing = {i.id: r["why"] for i, r in zip(items, replies, strict=True) if r.get("why")}
        features = Features(
            ids=tuple(item.id for item in items),
            groups=tuple(item.group for item in items),
            texts={"open": tuple(reply.get("text", "") for reply in replies)},
            missing={"open": missing} if missing else {},
            provenance=Provenance(self.name, None, self.url, "", "", ""),
        )
        values = values_of(kind, passes.scale)
        said = Said(questions=questions, features=features).verdicts(Way("open", "text"), values)
        found = [_expected(v, q, r, values) for v, q, r in zip(said, questions, replies, strict=True)]
        return as_given(found, swapped=swapped)

    def _kept(self, client: Any, question: Question | None, seed: int, folder: Path) -> dict[str, Any]:
        if question is None:
            return {}
        turns = question.prompt.turns
        messages = turns.messages if isinstance(turns, Conversation) else ()
        body: dict[str, Any] = {
            "model": self.name,
            "messages": [{"role": m.role, "content": m.content} for m in messages]
            or [{"role": "user", "content": str(turns)}],
            "temperature": 0.0,
            "max_tokens": OPEN_TOKENS,
            "seed": seed,
        }
        path = folder / f"{hashlib.sha256(json.dumps([self.url, body], sort_keys=True).encode()).hexdigest()[:32]}.json"
        try:
            return parse_sealed(read_file(path, 2 * LIMIT))
        except (InnerjudgeError, ValueError):  # it is not there, or damaged: asked again
            reply = self._reply(client, body)
        if "why" not in reply:
            with replacing(path) as half:
                half.write_bytes(dump_sealed(reply))
        return reply

    def _reply(self, client: Any, body: dict[str, Any]) -> dict[str, Any]:
        openai, http = (require(name, "openai") for name in ("openai", "httpx2"))
        why, tried = "", 0
        while tried < TRIES and not self._stop.is_set():
            tried, wait = tried + 1, 0.25 * 2**tried
            with _COUNTING:
                self.sent += 1
            more = {"logprobs": True, "top_logprobs": 20} if self._logprobs else {}
            try:
                reply = _read(self._received(client, {**body, **more}))
                self._silent = 0
                return reply
            except openai.APIStatusError as error:
                status, why = error.status_code, self._plain(f"status {error.status_code}: {error.message}")
                if status in (400, 422) and more:
                    self._logprobs = False  # it gives none
                elif status in (400, 413, 422):
                    break  # this item is too long, say
                elif status < 500 and status not in _PASSING:
                    raise InnerjudgeError(
                        f"given {self.url} with the model {shown(self.name)}, which answers {why}, expected an answer: "
                        f"check the address, the name and {_KEY}"
                    ) from None
                with_header = error.response.headers.get("retry-after", "")
                wait = max(wait, float(with_header)) if with_header.isdecimal() else wait
            except (openai.APIError, http.HTTPError, *_DAMAGE) as error:
                why = self._plain(one_line(error))
            if tried < TRIES:
                self._stop.wait(min(wait, self.patience))
        why = f"the server gave no answer ({tried} times asked, last {why})"
        self._silent += 1
        if self._silent >= MOST_SILENT:
            raise InnerjudgeError(
                f"given {self.url}: {why}, and so {MOST_SILENT} times in a row, expected answers: see to the "
                "server, and type the same command again"
            )
        return {"why": why}

    def _received(self, client: Any, body: Mapping[str, Any]) -> bytes:
        """The body of a reply, of at most :data:`LIMIT` bytes that come within the time."""
        until, raw = time.monotonic() + self.patience, bytearray()
        with client.chat.completions.with_streaming_response.create(**body) as response:
            for chunk in response.iter_bytes():
                raw += chunk
                if len(raw) > LIMIT or time.monotonic() > until:
                    raise ValueError(f"a reply of over {LIMIT} bytes or {self.patience:g} s")
        return bytes(raw)

    def _plain(self, text: str) -> str:
        """What a server says, on one line and without the key, which it was told."""
        key = os.environ.get(_KEY)
        return shown(" ".join((text.replace(key, "***") if key else text).split()), 200)


_COUNTING = threading.Lock()


def _read(raw: bytes) -> dict[str, Any]:
    """Text, tokens and log-probabilities of the first token of a reply; an error where it is none."""
    reply = parse_json(raw)
    choice = reply["choices"][0]
    text = choice["message"]["content"] or ""
    if not isinstance(text, str):
        raise TypeError(f"a text that is a {type(text).__name__}")
    usage = reply.get("usage") or {}
    first = ((choice.get("logprobs") or {}).get("content") or [{}])[0].get("top_logprobs") or []
    found = {str(one["token"]): float(one["logprob"]) for one in first}
    return {"text": text, "tokens": int(usage.get("total_tokens") or 0), "logprobs": found}


def _expected(
    verdict: Verdict, question: Question | None, reply: Mapping[str, Any], values: Sequence[float] | None
) -> Verdict:
    """The verdict with the expected value of the labels as its score, where the first token was one of them."""
    if values is None or question is None or verdict.score is None:
        return verdict
    labels, p = [label.casefold() for label in question.prompt.labels], np.zeros(len(values))
    for token, log_p in (reply.get("logprobs") or {}).items():
        word = token.strip().casefold()
        if word in labels and log_p <= 0:
            p[labels.index(word)] += np.exp(log_p)
    return replace(verdict, score=float(p @ np.array(values) / p.sum())) if p.sum() > 0.5 else verdict
