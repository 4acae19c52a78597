"""A judge as a reward function, as TRL's trainers call it; nothing here needs TRL."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...models.chat import THINK

if TYPE_CHECKING:
    from .pair_judge import PairJudge

#: Fields in which chat templates, trainers and servers keep reasoning apart from the content.
REASONING = ("reasoning_content", "reasoning", "thinking")
Reward = Callable[..., list[float | None]]
_log = logging.getLogger(__name__)


def as_reward(judge: PairJudge, *, name: str = "innerjudge", batch_size: int = 32) -> Reward:
    """A reward function ``(prompts, completions, **columns) -> list[float | None]``, as ``GRPOTrainer`` calls it.

    Prompts and completions are strings, or lists of messages. Messages of a prompt are joined by blank lines; a
    completion is the one message of the assistant, with reasoning that it holds in a field of its own
    (:data:`REASONING`) put between the judge's markers. What cannot be scored (an empty or over-long text, a completion
    of several messages) has the reward ``None``, "not applicable" in TRL; how many these were is logged as
    ``NAME/unscored``.

    Args:
        judge: The judge; it runs its own, frozen model, never the one that is trained.
        name: Name in TRL's logs.
        batch_size: Pairs a forward pass.

    Example:
        >>> from innerjudge import Judge, TokenLogProb, load
        >>> reward = as_reward(Judge(TokenLogProb(), load("reference")))
        >>> [score is None for score in reward(prompts=["2+2?", "2+2?"], completions=["4", ""])]
        [False, True]
    """
    markers = judge.passes.markers

    def reward(prompts: Sequence[Any], completions: Sequence[Any], **columns: Any) -> list[float | None]:
        pairs = [(text_of(p), reply_of(c, markers)) for p, c in zip(prompts, completions, strict=True)]
        verdicts = judge.verdicts(pairs, batch_size=batch_size)
        bad = [verdict for verdict in verdicts if verdict.unscored is not None]
        if bad:
            _log.warning("%s: %d of %d unscored (first: %s)", name, len(bad), len(verdicts), bad[0].unscored)
        if "log_metric" in columns:
            columns["log_metric"](f"{name}/unscored", len(bad))
        return [None if isinstance(verdict.score, list) else verdict.score for verdict in verdicts]

    reward.__name__ = reward.__qualname__ = name
    return reward


def text_of(given: Any, markers: tuple[str, str] = THINK) -> str | None:
    r"""Text of a string or of a list of messages ``{"role", "content"}``, contents joined by blank lines.

    Contents may be strings or lists of parts; parts other than text cannot be judged. Reasoning apart is put before the
    content, between ``markers``, as a chat template does.

    Returns:
        ``None`` where there is anything but text.

    Example:
        >>> text_of([{"role": "system", "content": "Be brief."}, {"role": "user", "content": "2+2?"}])
        'Be brief.\n\n2+2?'
        >>> text_of([{"role": "user", "content": [{"type": "image"}]}]) is None
        True
    """
    if isinstance(given, str):
        return given
    if not isinstance(given, Sequence):
        return None
    found = [_content(message, markers) for message in given]
    texts = [text for text in found if text is not None]
    return "\n\n".join(texts) if len(texts) == len(found) else None


def reply_of(given: Any, markers: tuple[str, str] = THINK) -> str | None:
    """Text of a completion: a string, or the one message of an assistant; ``None`` for several (tool calls, say).

    Example:
        >>> reply_of([{"role": "assistant", "content": "4"}]), reply_of([]) is None
        ('4', True)
        >>> reply_of([{"role": "assistant", "content": "4", "reasoning_content": "2+2=4"}])
        '<think>2+2=4</think>4'
    """
    if isinstance(given, str):
        return given
    return text_of(given, markers) if isinstance(given, Sequence) and len(given) == 1 else None


def _content(message: Any, markers: tuple[str, str]) -> str | None:
    if not isinstance(message, Mapping):
        return None
    content = _said(message.get("content"))
    apart = next((message[name] for name in REASONING if message.get(name) not in (None, "")), None)
    if apart is None:
        return content
    reasoning, opening = _said(apart), markers[0]
    if reasoning is None or (content is None and message.get("content") is not None):
        return None
    if content is not None and content.lstrip().startswith(opening):
        return content  # the reasoning stands there too
    return f"{opening}{reasoning}{markers[1]}{content or ''}"


def _said(content: Any) -> str | None:
    """Text of a content: a string, or a list of parts that are all text."""
    if isinstance(content, str):
        return content
    if not isinstance(content, Sequence):
        return None
    parts = [part.get("text") if isinstance(part, Mapping) else None for part in content]
    texts = [part for part in parts if isinstance(part, str)]
    return "".join(texts) if texts and len(texts) == len(parts) else None
