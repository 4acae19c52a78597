"""A text judge behind an OpenAI-compatible server: our words, one request an item and order (extra ``openai``).

Requests are bounded in number, time and bytes. Every reply is kept at once, sealed, in a file that is named by all that
it depends on, so what is typed again asks for the rest only. Whatever the server does, a request is sent at most
:data:`TRIES` times and read within limits.
"""

import hashlib
import json
import os
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import numpy as np

from ...extraction.features import Features
from ...extraction.provenance import Provenance
from ...models.conversation import REASONING, turns_of
from ...models.errors import InnerjudgeError, one_line, shown
from ...models.extra import require
from ...models.foreign import dump_sealed, parse_json, parse_sealed, read_file, replacing
from ...models.items import Item
from ...probes.judge import Verdict
from ..reading.passes import Passes
from ..reading.ways import OPEN_TOKENS, Question, Said, Way, questions_of, values_of
from .opponent import as_given

#: Most times that one request is sent, seconds that a reply may take, and bytes of it.
TRIES, PATIENCE, LIMIT = 5, 30.0, 1 << 20
#: Seconds before a request is sent again, doubled each time.
PAUSE = 0.5
#: Requests in a row without an answer after which nobody is asked any more.
MOST_SILENT = 16
KEY = "OPENAI_API_KEY"
#: Statuses that may pass; others of 400 to 499 will not, of which some are of the request alone.
_PASSING, _OWN = (408, 409, 425, 429), (400, 413, 422)
_DAMAGE = (ValueError, LookupError, TypeError, AttributeError)
LIKELIEST = 20  # log-probabilities of a token that OpenAI gives at most; others may give more
#: Parameters that an answer depends on; without others, it is one all the same.
_ASKED = frozenset({"model", "messages", "temperature", "seed", "max_tokens", "max_completion_tokens"})


def address(typed: str, prefix: str = "") -> tuple[str, str]:
    """The address of a server and the name of its model, typed as ``URL#MODEL`` behind a prefix."""
    url, _, name = typed.removeprefix(prefix).partition("#")
    if not typed.startswith((f"{prefix}http://", f"{prefix}https://")) or not name:
        form = f"{prefix}URL#MODEL, such as {prefix}https://api.openai.com/v1#gpt-4o"
        raise InnerjudgeError(f"given {shown(typed)!r}, expected {form}")
    if "@" in url.partition("://")[2].partition("/")[0]:
        raise InnerjudgeError(f"given a server with a password in its address, expected none: set {KEY}")
    require("openai", "openai")
    return url.rstrip("/"), name


@dataclass
class ChatServer:
    """The server at ``url``, with the key of the environment, which stands in no file and no message.

    ``sent`` counts requests, ``tokens`` those of all replies (prompts and texts, as the server says), kept ones too;
    ``stop`` ends requests that wait.
    """

    url: str
    patience: float = PATIENCE
    sent: int = field(default=0, init=False)
    tokens: int = field(default=0, init=False)
    stop: threading.Event = field(default_factory=threading.Event, init=False, repr=False)
    _silent: int = field(default=0, init=False, repr=False)
    _odd: set[str] = field(default_factory=set, init=False, repr=False)  # parameters that this server refuses
    _likeliest: int = field(default=10**6, init=False, repr=False)  # most log-probabilities of a token that it gives

    def __post_init__(self) -> None:
        self._openai, self._http = (require(name, "openai") for name in ("openai", "httpx2"))
        self._lock = threading.Lock()
        http = self._http.Client(timeout=self.patience, event_hooks={"response": [self._refused]})
        how = {"api_key": os.environ.get(KEY) or "none", "max_retries": 0, "http_client": http}
        self._client = self._openai.OpenAI(base_url=self.url, **how)

    @property
    def dropped(self) -> list[str]:
        """Parameters of requests that the server refused, and that were left out from then on."""
        return sorted(self._odd & _ASKED - {"max_tokens"})  # it has another name there

    def kept(self, body: dict[str, Any], folder: Path) -> dict[str, Any]:
        """The ``text`` and ``tokens`` of a reply, or ``why`` there is none.

        Beside them ``written``, the tokens of the text alone, ``cut``, whether it was cut off, ``reasoning`` that
        stands apart, ``judges``, what judges in the engine said (:mod:`~innerjudge.experiments.adapters.vllm`), ``ids``
        and ``prompt_ids``, and ``logprobs``, by name of tokens, in the place of each (without ids, of the first).

        ``InnerjudgeError`` if the server refuses the key, the model or the address, or answers nobody.
        """
        path = folder / f"{hashlib.sha256(json.dumps([self.url, body], sort_keys=True).encode()).hexdigest()[:32]}.json"
        limit = LIMIT + 200 * body["max_tokens"] * (body.get("top_logprobs", 0) + body.get("logprobs", 0))
        try:
            return parse_sealed(read_file(path, 2 * limit))
        except (InnerjudgeError, ValueError):  # it is not there, or damaged: asked again
            reply = self._reply(body, limit)
        if "why" not in reply:
            with replacing(path) as half:
                half.write_bytes(dump_sealed(reply))
        return reply

    def _reply(self, body: dict[str, Any], limit: int) -> dict[str, Any]:
        why, tried, left_out = "", 0, set[str]()
        while tried < TRIES and not self.stop.is_set():
            tried, wait = tried + 1, PAUSE * 2**tried
            with self._lock:
                self.sent += 1
            asked = {name: value for name, value in body.items() if name not in self._odd | left_out}
            asked |= {"max_completion_tokens": body["max_tokens"]} if "max_tokens" in self._odd else {}
            asked |= {name: min(asked[name], self._likeliest) for name in ("top_logprobs",) if name in asked}
            try:
                chat = self._client.chat.completions.with_streaming_response
                with chat.create(model=body["model"], messages=body["messages"], extra_body=asked) as response:
                    reply = _read(_bounded(response, self.patience, limit))
                self._odd |= left_out
                self._silent = 0
                return reply
            except (self._openai.APIError, self._http.HTTPError, _RefusalError, *_DAMAGE) as error:
                refusal, why = error if isinstance(error, _RefusalError) else None, _hidden(one_line(error))
            if refusal is None or refusal.status >= 500 or refusal.status in _PASSING:
                wait = max(wait, refusal.wait) if refusal is not None else wait
            elif refusal.status not in _OWN:
                self.stop.set()
                raise InnerjudgeError.of("judges.refused", self.url, shown(body["model"]), shown(why, 200), KEY)
            elif asked.get("top_logprobs", 0) > LIKELIEST and any(map(refusal.names, ("logprobs", "top_logprobs"))):
                self._likeliest = LIKELIEST
                continue
            elif odd := set(filter(refusal.names, body)) - {*self._odd, "model", "messages"}:
                self._odd |= odd  # such as max_tokens, which has another name in newer servers
                continue
            elif left := asked.keys() - _ASKED:
                left_out |= left  # it may not know them, or refuse this text
                continue
            else:
                break
            if tried < TRIES:
                self.stop.wait(min(wait, self.patience))
        why = f"the server gave no answer ({tried} times asked, last {shown(why, 200)})"
        self._silent += 1
        if self._silent >= MOST_SILENT:
            self.stop.set()
            raise InnerjudgeError.of("judges.silent", self.url, why, MOST_SILENT)
        return {"why": why}

    def _refused(self, response: Any) -> None:
        """Raise what a reply of another status says, before the client reads all of it."""
        if response.status_code >= 400:
            after = response.headers.get("retry-after", "")
            said = _bounded(response, self.patience).decode(errors="replace")
            raise _RefusalError(response.status_code, float(after) if after.isdecimal() else 0.0, said)


def ask_all(
    server: ChatServer, bodies: Sequence[Any], folder: Path | None, at_once: int, advance: Callable[[int], None]
) -> list[dict[str, Any]]:
    """What is :meth:`~ChatServer.kept` of each body, ``at_once`` at a time, equal ones once; of ``None`` nothing."""
    with TemporaryDirectory(ignore_cleanup_errors=True) as spare:
        place = folder or Path(spare)
        place.mkdir(parents=True, exist_ok=True)
        keys = [json.dumps(body) for body in bodies]
        each = {key: body for key, body in zip(keys, bodies, strict=True) if body is not None}
        waiting, sent = iter([*each.items()]), {key: Future[dict[str, Any]]() for key in each}

        def work() -> None:
            for key, body in waiting:  # of all threads
                try:
                    sent[key].set_result(server.kept(body, place))
                except BaseException as error:
                    sent[key].set_exception(error)

        for _ in range(min(at_once, len(each))):  # not those of an executor, which wait for open requests at Ctrl-C
            threading.Thread(target=work, daemon=True).start()
        replies: list[dict[str, Any]] = []
        try:
            for key in keys:
                replies.append(sent[key].result() if key in sent else {})
                advance(1)
        except BaseException:
            server.stop.set()
            raise
    server.tokens += sum(int(one.result().get("tokens") or 0) for one in sent.values())
    return replies


def _bounded(response: Any, patience: float, limit: int = LIMIT) -> bytes:
    """The body of a reply, of at most ``limit`` bytes that come within the time."""
    until, raw = time.monotonic() + patience, bytearray()
    for chunk in response.iter_bytes():
        raw += chunk
        if len(raw) > limit or time.monotonic() > until:
            raise ValueError(f"a reply of over {limit} bytes or {patience:g} s")
    return bytes(raw)


class _RefusalError(Exception):
    """A reply with a status of 400 or more, and how many seconds the server asks to wait."""

    def __init__(self, status: int, wait: float, said: str) -> None:
        super().__init__(f"status {status}: {said}")
        self.status, self.wait = status, wait
        try:
            told = parse_json(said.encode())
            self._param = (told.get("error") or told).get("param")
        except _DAMAGE:
            self._param = None

    def names(self, parameter: str) -> bool:
        """Whether it is about this parameter: as its field ``param`` says, or its text where it has none."""
        if isinstance(self._param, str) and self._param:
            return self._param == parameter
        return re.search(rf"\b{parameter}\b", str(self)) is not None


def _hidden(text: str) -> str:
    """A text of a server without the key, which it was told."""
    key = os.environ.get(KEY)
    return text.replace(key, "***") if key else text


def _read(raw: bytes) -> dict[str, Any]:
    reply = parse_json(raw)
    choice = reply["choices"][0]
    said = choice["message"]
    apart = next((said[name] for name in REASONING if said.get(name)), "")
    text = said["content"] or ""
    if not (isinstance(text, str) and isinstance(apart, str)):
        raise TypeError(f"a text that is a {type(text).__name__}, or reasoning that is a {type(apart).__name__}")
    usage = reply.get("usage") or {}
    tokens, written = (int(usage.get(f"{which}_tokens") or 0) for which in ("total", "completion"))
    ids = {"ids": choice.get("token_ids") or [], "prompt_ids": reply.get("prompt_token_ids") or []}
    if not all(type(one) is int and 0 <= one < 1 << 31 for some in ids.values() for one in some):
        raise TypeError("token ids that are none")
    places = ((choice.get("logprobs") or {}).get("content") or [])[: len(ids["ids"]) or 1]
    each = [[one for one in (*(at.get("top_logprobs") or ()), at) if "logprob" in one] for at in places]
    found = [{str(one["token"]): float(one["logprob"]) for one in some} for some in each]
    cut = choice.get("finish_reason") == "length"
    # What may be said of it in an engine: nothing nested, and no more of the key than in a text.
    inside = ((reply.get("kv_transfer_params") or {}).get("judges") or {}).items()
    plain = ((name, [(k, v) for k, v in one.items() if not isinstance(v, dict | list)]) for name, one in inside)
    judges = {name: {k: _hidden(v) if isinstance(v, str) else v for k, v in said} for name, said in plain}
    texts = {"text": _hidden(text), "reasoning": _hidden(apart), "judges": judges}
    return {**texts, **ids, "tokens": tokens, "written": written, "logprobs": found, "cut": cut}


@dataclass(kw_only=True)
class OpenAIJudge:
    """The model ``name`` at ``url``, asked ``at_once`` requests at a time; replies are kept in ``folder``, if any.

    ``sent`` counts requests, ``tokens`` those of all replies (prompts and texts, as the server says), kept ones too.
    """

    url: str
    name: str
    folder: Path | None = None
    at_once: int = 8
    patience: float = PATIENCE
    sent: int = field(default=0, init=False)
    tokens: int = field(default=0, init=False)

    @classmethod
    def of(cls, typed: str, **how: Any) -> Self:
        """``"openai:URL#MODEL"``, such as ``openai:http://localhost:8000/v1#Qwen/Qwen3-8B``."""
        url, name = address(typed, "openai:")
        return cls(url=url, name=name, **how)

    def verdicts(
        self, kind: str, items: Sequence[Item], passes: Passes, *, swapped: bool = False, seed: int = 0
    ) -> list[Verdict]:
        """What it says of each item; ``swapped`` shows response b of pairs first (labels stay those of the pair).

        Where the server gives log-probabilities and the text opens with a label, the score is the expected value.
        ``InnerjudgeError`` where it refuses the key, the model or the address; an item that it does not answer is
        unscored, and asked again next time.
        """
        most = max(OPEN_TOKENS, passes.reasoning_tokens)  # reasoning models reason first
        questions = questions_of(items, "open", passes, swapped=swapped)
        server, bodies = ChatServer(self.url, self.patience), [q and self._body(q, seed, most) for q in questions]
        try:
            shown = passes.steps(f"asking {self.name}", len(items))
            replies = ask_all(server, bodies, self.folder, self.at_once, shown)
        finally:
            self.sent += server.sent
            self.tokens += server.tokens
        missing = {i.id: r["why"] for i, r in zip(items, replies, strict=True) if r.get("why")}
        texts, origin = tuple(r.get("text", "") for r in replies), Provenance(self.name, None, self.url, "", "", "")
        features = Features.of_items(items, origin, {}, texts={"open": texts}, missing={"open": missing})
        values = values_of(kind, passes.scale)
        cut = f"its reply was cut at {most} tokens: raise --reasoning-tokens"
        said = Said(questions=questions, features=features).verdicts(Way("open", "text"), values)
        told = [
            replace(v, unscored=cut) if v.unscored and r.get("cut") else _expected(v, q, r, values)
            for v, q, r in zip(said, questions, replies, strict=True)
        ]
        return as_given(told, swapped=swapped)

    def _body(self, question: Question, seed: int, most: int) -> dict[str, Any]:
        said = [turn.to_json() for turn in turns_of(question.prompt.turns)]
        how = {"temperature": 0.0, "max_tokens": most, "seed": seed, "logprobs": True, "top_logprobs": LIKELIEST}
        return {"model": self.name, "messages": said, **how}


def _expected(
    verdict: Verdict, question: Question | None, reply: Mapping[str, Any], values: Sequence[float] | None
) -> Verdict:
    """The verdict with the expected value of the labels as its score, where the first token was one of them."""
    if values is None or question is None or verdict.score is None:
        return verdict
    labels, p = [label.casefold() for label in question.prompt.labels], np.zeros(len(values))
    for token, log_p in next(iter(reply.get("logprobs") or ()), {}).items():
        word = token.strip().casefold()
        if word in labels and log_p <= 0:
            p[labels.index(word)] += np.exp(log_p)
    return replace(verdict, score=float(p @ np.array(values) / p.sum())) if p.sum() > 0.5 else verdict
