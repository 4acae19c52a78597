"""Requests to a server of the OpenAI chat API: bounded in number, time and bytes, and kept (extra ``openai``).

Every reply is kept at once, sealed, in a file that is named by all that it depends on, so what is typed again asks for
the rest only. Whatever the server does, a request is sent at most :data:`TRIES` times and read within limits.
"""

import hashlib
import json
import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...models.errors import InnerjudgeError, one_line, shown
from ...models.extra import require
from ...models.foreign import dump_sealed, parse_json, parse_sealed, read_file, replacing

#: Most times that one request is sent, seconds that a reply may take, and bytes of it.
TRIES, PATIENCE, LIMIT = 5, 30.0, 1 << 20
#: Requests in a row without an answer after which nobody is asked any more.
MOST_SILENT = 16
KEY = "OPENAI_API_KEY"
#: Statuses that may pass; others of 400 to 499 will not, of which some are of the request alone.
_PASSING, _OWN = (408, 409, 425, 429), (400, 413, 422)
_DAMAGE = (ValueError, LookupError, TypeError, AttributeError)


@dataclass
class ChatServer:
    """The server at ``url``, with the key of the environment, which stands in no file and no message.

    ``sent`` counts requests; ``stop`` ends those that wait.
    """

    url: str
    patience: float = PATIENCE
    sent: int = field(default=0, init=False)
    stop: threading.Event = field(default_factory=threading.Event, init=False, repr=False)
    _silent: int = field(default=0, init=False, repr=False)
    _logprobs: bool = field(default=True, init=False, repr=False)

    def __post_init__(self) -> None:
        self._openai, self._http = (require(name, "openai") for name in ("openai", "httpx2"))
        self._lock, self._client = threading.Lock(), self._openai.OpenAI(
            base_url=self.url, api_key=os.environ.get(KEY) or "none", timeout=self.patience, max_retries=0
        )  # fmt: skip

    def kept(self, body: dict[str, Any], folder: Path) -> dict[str, Any]:
        """The ``text``, ``tokens`` and ``logprobs`` (of the first token) of a reply, or ``why`` there is none.

        ``InnerjudgeError`` if the server refuses the key, the model or the address, or answers nobody.
        """
        path = folder / f"{hashlib.sha256(json.dumps([self.url, body], sort_keys=True).encode()).hexdigest()[:32]}.json"
        try:
            return parse_sealed(read_file(path, 2 * LIMIT))
        except (InnerjudgeError, ValueError):  # it is not there, or damaged: asked again
            reply = self._reply(body)
        if "why" not in reply:
            with replacing(path) as half:
                half.write_bytes(dump_sealed(reply))
        return reply

    def _reply(self, body: dict[str, Any]) -> dict[str, Any]:
        why, tried = "", 0
        while tried < TRIES and not self.stop.is_set():
            tried, wait = tried + 1, 0.25 * 2**tried
            with self._lock:
                self.sent += 1
            more = {"logprobs": True, "top_logprobs": 20} if self._logprobs else {}
            try:
                reply = _read(self._received({**body, **more}))
                self._silent = 0
                return reply
            except self._openai.APIStatusError as error:
                status, why = error.status_code, _plain(f"status {error.status_code}: {error.message}")
                if status in (400, 422) and more:
                    self._logprobs = False  # it gives none
                elif status in _OWN:
                    return {"why": f"the server refused it ({why})"}
                elif status < 500 and status not in _PASSING:
                    raise InnerjudgeError(
                        f"given {self.url} with the model {shown(body['model'])}, which answers {why}, expected an "
                        f"answer: check the address, the name and {KEY}"
                    ) from None
                asked = error.response.headers.get("retry-after", "")
                wait = max(wait, float(asked)) if asked.isdecimal() else wait
            except (self._openai.APIError, self._http.HTTPError, *_DAMAGE) as error:
                why = _plain(one_line(error))
            if tried < TRIES:
                self.stop.wait(min(wait, self.patience))
        why = f"the server gave no answer ({tried} times asked, last {why})"
        self._silent += 1
        if self._silent >= MOST_SILENT:
            raise InnerjudgeError(
                f"given {self.url}: {why}, and so {MOST_SILENT} times in a row, expected answers: see to the server, "
                "and type the same command again"
            )
        return {"why": why}

    def _received(self, body: Mapping[str, Any]) -> bytes:
        """The body of a reply, of at most :data:`LIMIT` bytes that come within the time."""
        until, raw = time.monotonic() + self.patience, bytearray()
        with self._client.chat.completions.with_streaming_response.create(**body) as response:
            for chunk in response.iter_bytes():
                raw += chunk
                if len(raw) > LIMIT or time.monotonic() > until:
                    raise ValueError(f"a reply of over {LIMIT} bytes or {self.patience:g} s")
        return bytes(raw)


def _plain(text: str) -> str:
    """What a server says, on one line and without the key, which it was told."""
    key = os.environ.get(KEY)
    return shown(" ".join((text.replace(key, "***") if key else text).split()), 200)


def _read(raw: bytes) -> dict[str, Any]:
    """A reply; an error where it is none."""
    reply = parse_json(raw)
    choice = reply["choices"][0]
    text = choice["message"]["content"] or ""
    if not isinstance(text, str):
        raise TypeError(f"a text that is a {type(text).__name__}")
    usage = reply.get("usage") or {}
    first = ((choice.get("logprobs") or {}).get("content") or [{}])[0].get("top_logprobs") or []
    found = {str(one["token"]): float(one["logprob"]) for one in first}
    return {"text": text, "tokens": int(usage.get("total_tokens") or 0), "logprobs": found}
