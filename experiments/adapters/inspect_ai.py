"""A judge as a scorer of Inspect, and Inspect's samples as traces (extra ``inspect``).

Logs that are there already are scored without generating again: the loader ``inspect-log`` reads them, and
``innerjudge score --inspect FILE`` writes what ``precomputed_scores`` reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ...models.chat import THINK
from ..extra import require

require("inspect_ai", "inspect")

import anyio  # noqa: E402
from inspect_ai.model import ChatMessage, ModelOutput  # noqa: E402
from inspect_ai.scorer import Score, Scorer, Target, mean, scorer, stderr  # noqa: E402
from inspect_ai.solver import TaskState  # noqa: E402

if TYPE_CHECKING:
    from ..plugin.judge import Judge


@scorer(metrics=[mean(), stderr()], name="innerjudge")
def innerjudge(judge: str, device: str = "auto") -> Scorer:
    """Score each sample's completion by a saved judge; higher is better, on the judge's own scale.

    A completion that cannot be scored is unscored, with the reason as its explanation, and no metric counts it.

    Args:
        judge: Folder or hub name of a saved judge; it is loaded once.
        device: Where its model runs.

    Example:
        >>> import asyncio, tempfile
        >>> from innerjudge import Judge, TokenLogProb, load
        >>> folder = tempfile.TemporaryDirectory()
        >>> Judge(TokenLogProb(), load("reference")).save(folder.name)
        >>> said = ModelOutput.from_content("mockllm/model", "")
        >>> state = TaskState("mockllm/model", "s1", 1, "2+2?", [], output=said)
        >>> asyncio.run(innerjudge(folder.name)(state, Target("4"))).explanation
        'the response is empty'
    """
    asked = _loaded(judge, device)

    async def score(state: TaskState, target: Target) -> Score:
        del target  # nothing but the text is judged
        pair = (prompt_of(state.input), completion_of(state.output))
        [verdict] = await anyio.to_thread.run_sync(asked.verdicts, [pair])
        about: dict[str, Any] = {"label": verdict.label, "judge": asked.name}
        if verdict.score is None or isinstance(verdict.score, list):
            return Score.unscored(reason="scoring_failed", answer=pair[1], explanation=verdict.unscored, metadata=about)
        return Score(value=verdict.score, answer=pair[1], metadata=about)

    return score


def prompt_of(given: str | Sequence[ChatMessage]) -> str:
    r"""Text of a sample's input; messages are joined by blank lines.

    Example:
        >>> from inspect_ai.model import ChatMessageSystem, ChatMessageUser
        >>> prompt_of([ChatMessageSystem(content="Be brief."), ChatMessageUser(content="2+2?")])
        'Be brief.\n\n2+2?'
    """
    return given if isinstance(given, str) else "\n\n".join(message.text for message in given)


def completion_of(output: ModelOutput) -> str | None:
    """The whole completion, with its reasoning between the markers: Inspect keeps the two apart.

    Returns:
        ``None`` where there is none, or its reasoning cannot be read (redacted).

    Example:
        >>> from inspect_ai.model import ContentReasoning, ContentText
        >>> said = [ContentReasoning(reasoning="7+5=12"), ContentText(text="12")]
        >>> completion_of(ModelOutput.from_content("mockllm/model", said))
        '<think>7+5=12</think>12'
    """
    if not output.choices:
        return None
    content = output.choices[0].message.content
    if isinstance(content, str):
        return content
    texts = []
    for part in content:
        if part.type == "reasoning":
            if part.redacted:
                return None
            texts.append(f"{THINK[0]}{part.reasoning}{THINK[1]}")
        elif part.type == "text":
            texts.append(part.text)
    return "".join(texts)


@lru_cache(maxsize=4)
def _loaded(judge: str, device: str) -> Judge:
    from ..plugin.judge import Judge

    return Judge.load(judge, device=device)
