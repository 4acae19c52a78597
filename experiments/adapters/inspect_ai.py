"""A judge as a scorer of Inspect, and Inspect's samples as traces (extra ``inspect``).

Existing logs are scored without generating again: the loader ``inspect-log`` reads them, and ``innerjudge score
--inspect FILE`` writes what ``precomputed_scores`` reads.
"""

from functools import lru_cache
from typing import Any

from ...models.extra import require

require("inspect_ai", "inspect")

import anyio  # noqa: E402
from inspect_ai.scorer import Score, Scorer, Target, mean, scorer, stderr  # noqa: E402
from inspect_ai.solver import TaskState  # noqa: E402

from ..data.loaders.inspect_log import completion_of, prompt_of, sent  # noqa: E402
from ..judges.judge import Judge  # noqa: E402

_loaded = lru_cache(maxsize=4)(Judge.load)


@scorer(metrics=[mean(), stderr()], name="innerjudge")
def innerjudge(judge: str, device: str = "auto") -> Scorer:
    """Score each sample's completion with a saved judge; higher is better, on the judge's own scale.

    A completion that cannot be scored is unscored, with the reason as its explanation, and no metric counts it. The
    judge, a folder or hub name, is loaded once; ``device`` is where its model runs.

    Example:
        >>> import asyncio, tempfile
        >>> from innerjudge import Judge, TokenLogProb, load
        >>> folder = tempfile.TemporaryDirectory()
        >>> Judge(TokenLogProb(), load("reference")).save(folder.name)
        >>> from inspect_ai.model import ModelOutput
        >>> said = ModelOutput.from_content("mockllm/model", "")
        >>> state = TaskState("mockllm/model", "s1", 1, "2+2?", [], output=said)
        >>> asyncio.run(innerjudge(folder.name)(state, Target("4"))).explanation
        'the response is empty'
    """
    asked = _loaded(judge, device=device)

    async def score(state: TaskState, target: Target) -> Score:
        del target  # nothing but the text is judged
        pair = (prompt_of(sent(state.messages) or state.input), completion_of(state.output))
        [verdict] = await anyio.to_thread.run_sync(asked.verdicts, [pair])
        about: dict[str, Any] = {"label": verdict.label, "judge": asked.name}
        if verdict.score is None or isinstance(verdict.score, list):
            return Score.unscored(reason="scoring_failed", answer=pair[1], explanation=verdict.unscored, metadata=about)
        return Score(value=verdict.score, answer=pair[1], metadata=about)

    return score
