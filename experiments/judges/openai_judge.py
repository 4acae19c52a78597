"""A text judge behind an OpenAI-compatible server: our words, one request an item and order (extra ``openai``)."""

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import numpy as np

from ...extraction.features import Features
from ...extraction.provenance import Provenance
from ...models.conversation import Conversation, Message
from ...models.errors import InnerjudgeError, shown
from ...models.extra import require
from ...models.items import Item
from ...probes.judge import Verdict
from ..reading.passes import Passes
from ..reading.ways import OPEN_TOKENS, Question, Said, Way, questions_of, values_of
from .chat_server import PATIENCE, ChatServer
from .opponent import as_given


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
        url, _, name = typed.removeprefix("openai:").partition("#")
        if not typed.startswith("openai:") or not url.startswith(("http://", "https://")) or not name:
            raise InnerjudgeError(f"given the text judge {shown(typed)!r}, expected openai:URL#MODEL, such as "
                                  "openai:https://api.openai.com/v1#gpt-4o")  # fmt: skip
        if "@" in url.partition("://")[2].partition("/")[0]:
            raise InnerjudgeError("given a judge with a password in its address, expected none: set OPENAI_API_KEY")
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
        most = max(OPEN_TOKENS, passes.reasoning_tokens)  # reasoning models reason first
        questions = questions_of(items, "open", passes, swapped=swapped)
        advance, server = passes.steps(f"asking {self.name}", len(items)), ChatServer(self.url, self.patience)
        with TemporaryDirectory() as spare, ThreadPoolExecutor(self.at_once) as pool:
            folder = self.folder or Path(spare)
            folder.mkdir(parents=True, exist_ok=True)
            bodies = [None if q is None else self._body(q, seed, most) for q in questions]
            keys = [json.dumps(body) for body in bodies]
            each = {key: body for key, body in zip(keys, bodies, strict=True) if body is not None}
            sent = {key: pool.submit(server.kept, body, folder) for key, body in each.items()}
            replies: list[dict[str, Any]] = []
            try:
                for key in keys:  # equal ones are asked once
                    replies.append(sent[key].result() if key in sent else {})
                    advance(1)
            except BaseException:
                server.stop.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise
            finally:
                self.sent += server.sent
        self.tokens += sum(int(one.result().get("tokens") or 0) for one in sent.values())
        missing = {i.id: r["why"] for i, r in zip(items, replies, strict=True) if r.get("why")}
        features = Features(
            ids=tuple(item.id for item in items),
            groups=tuple(item.group for item in items),
            texts={"open": tuple(reply.get("text", "") for reply in replies)},
            missing={"open": missing} if missing else {},
            provenance=Provenance(self.name, None, self.url, "", "", ""),
        )
        values = values_of(kind, passes.scale)
        cut = f"its reply was cut at {most} tokens: raise --reasoning-tokens"
        said = Said(questions=questions, features=features).verdicts(Way("open", "text"), values)
        told = [
            replace(v, unscored=cut) if v.unscored and r.get("cut") else _expected(v, q, r, values)
            for v, q, r in zip(said, questions, replies, strict=True)
        ]
        return as_given(told, swapped=swapped)

    def _body(self, question: Question, seed: int, most: int) -> dict[str, Any]:
        turns = question.prompt.turns
        messages = turns.messages if isinstance(turns, Conversation) else (Message("user", str(turns)),)
        said = [{"role": one.role, "content": one.content} for one in messages]
        return {"model": self.name, "messages": said, "temperature": 0.0, "max_tokens": most, "seed": seed}


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
