"""Filters of lm-evaluation-harness that pick one of a question's repeats with a saved judge (extra ``lm-eval``).

In a task's YAML, as the *first* filter of its pipeline, since the judge reads whole responses; the page
docs/pages/how-to/tools.md shows one:

    - function: !function innerjudge.experiments.adapters.lm_eval.BestOfN
      judge: runs/judge
      prompt: "{{question}}"

After ``import innerjudge.experiments.adapters.lm_eval`` the filters also have names: ``innerjudge_best_of_n``,
``innerjudge_weighted_vote`` and ``innerjudge_best_of_majority``.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from ...models.conversation import Text, as_prompt
from ...models.extra import require
from ...probes import Verdict
from ..data.answers import normalise
from ..data.jsonl import write_jsonl
from ..judges.judge import Judge
from ..selection.rules import Rule, pick

require("lm_eval", "lm-eval")

from lm_eval.api.filter import Filter  # noqa: E402
from lm_eval.api.registry import register_filter  # noqa: E402
from lm_eval.filters.extraction import RegexFilter  # noqa: E402
from lm_eval.utils import apply_template  # noqa: E402

_log = logging.getLogger(__name__)
_NO_ANSWER = "\0"
_loaded = lru_cache(maxsize=4)(Judge.load)


class JudgeFilter(Filter):  # type: ignore[misc]
    """What the three filters share: rebuild the prompt, ask the judge, keep the whole response that the rule picks.

    Args:
        judge: Folder or hub name of a saved judge; it is loaded once for all filters of a process.
        prompt: Jinja template of the prompt that the judge reads, filled from the document (a filter is not shown the
            prompt that the model was given); or a list of messages whose contents are templates.
        regex_pattern: Finds a response's answer, for rules that vote; the first group if there is one. Without it, the
            answer is all that follows the reasoning.
        group_select: Which match is the answer; -1 is the last.
        scores: JSONL file for the score and answer of every response, and why one was picked; replaced if it is there.
        batch_size: Pairs a forward pass.
        device: Where the judge's model runs.
    """

    #: See :mod:`~innerjudge.experiments.selection.rules`, which has every edge case.
    rule: Rule

    def __init__(
        self, *, judge: str, prompt: str | list[dict[str, str]], regex_pattern: str | None = None,
        group_select: int = -1, scores: str | None = None, batch_size: int = 32, device: str = "auto"
    ) -> None:  # fmt: skip
        super().__init__()
        self.judge = _loaded(judge, device=device)
        self.prompt, self.scores, self.batch_size = prompt, scores, batch_size
        self.regex = None
        if regex_pattern is not None:
            self.regex = RegexFilter(regex_pattern, group_select=group_select, fallback=_NO_ANSWER)

    def apply(self, resps: Iterable[Sequence[str]], docs: Sequence[Mapping[str, Any]]) -> list[list[str]]:
        """One response a document, in a list of one, in the order of ``docs``."""
        groups = [list(one) for one in resps]
        pairs = [(_filled(self.prompt, doc), text) for doc, group in zip(docs, groups, strict=True) for text in group]
        verdicts = iter(_verdicts(self.judge, tuple(pairs), self.batch_size))
        picked, rows = [], []
        for number, group in enumerate(groups):
            said, answers = [next(verdicts) for _ in group], self._answers(group)
            found = pick(self.rule, answers, [None if isinstance(one.score, list) else one.score for one in said])
            picked.append([group[found.index]])
            rows += [
                {"doc": number, "repeat": k, "answer": answers[k], "score": one.score, "unscored": one.unscored}
                | {"picked": found.why if k == found.index else None}
                for k, one in enumerate(said)
            ]
        self._tell(rows)
        return picked

    def _answers(self, group: Sequence[str]) -> list[str | None]:
        end = self.judge.passes.markers[1]
        found = self.regex.apply([group], [{}])[0] if self.regex else [text.rpartition(end)[2] for text in group]
        return [None if one == _NO_ANSWER else normalise(one) for one in found]

    def _tell(self, rows: Sequence[Mapping[str, Any]]) -> None:
        bad = [row["unscored"] for row in rows if row["unscored"] is not None]
        if bad:
            _log.warning(
                "%s: %d of %d responses unscored (first: %s)", type(self).__name__, len(bad), len(rows), bad[0]
            )
        if self.scores is not None:
            write_jsonl(Path(self.scores), rows)


@register_filter("innerjudge_best_of_n")
class BestOfN(JudgeFilter):
    """The response with the best score; the first one where none is scored."""

    rule = Rule("best-of-n")


@register_filter("innerjudge_weighted_vote")
class WeightedVote(JudgeFilter):
    """The first response with the answer of the greatest summed weight ``softmax(score / temperature)`` (CISC)."""

    def __init__(self, *, temperature: float = 1.0, **options: Any) -> None:
        super().__init__(**options)
        self.rule = Rule("weighted", temperature=float(temperature))


@register_filter("innerjudge_best_of_majority")
class BestOfMajority(JudgeFilter):
    """The best response of the best answer among those that ``alpha`` and ``min_count`` of the repeats gave."""

    def __init__(self, *, alpha: float = 0.0, min_count: int = 1, reward: str = "max", **options: Any) -> None:
        super().__init__(**options)
        self.rule = Rule("best-of-majority", alpha=float(alpha), min_count=int(min_count), reward=reward)


def _filled(prompt: str | list[dict[str, str]], doc: Mapping[str, Any]) -> Text:
    if isinstance(prompt, str):
        return str(apply_template(prompt, doc))
    return as_prompt([{**turn, "content": apply_template(str(turn.get("content")), doc)} for turn in prompt])


@lru_cache(maxsize=1)
def _verdicts(judge: Judge, pairs: tuple[tuple[Text, str], ...], batch_size: int) -> tuple[Verdict, ...]:
    """Kept for the next filter: a task's pipelines read the same responses, and one pass serves them all."""
    return tuple(judge.verdicts(pairs, batch_size=batch_size))
