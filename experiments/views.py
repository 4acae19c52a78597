"""From items to features: which texts are passed through the model for each kind of item, and what is kept of each.

Every judge of a kind reads the same features, so all of them see the same items, prompts and passes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import TypeVar, cast

from ..extraction.features import Features
from ..extraction.generation import generate
from ..extraction.readouts import AttentionWeights, HiddenStates, LabelLogits, QueryKey, Readout, ResponseLogProb
from ..extraction.run import extract
from ..models.chat import THINK
from ..models.errors import InnerjudgeError, UnreadableError
from ..models.items import Choice, Item, Pair, Rating, Trace
from ..models.loading import LanguageModel
from ..models.positions import Encoded, encode_prompt, encode_trace, unreadable
from ..models.prompts import Prompt, choice_prompt, pair_prompt, rating_prompt, verdict_prompt
from ..probes.judge import Judge
from .progress import Steps, silent

#: Everything but generated text.
HIDDEN_NEEDS = frozenset(
    f"hidden/{p}" for p in ("prompt_end", "response_end", "reasoning_start", "reasoning_end", "score")
) | {"labels", "logits/score", "qk/before", "qk/after", "attention", "logprob"}

_T = TypeVar("_T", Trace, Rating, Choice, Pair)

#: New tokens for a verdict that follows its cue, and for one after reasoning.
DIRECT_TOKENS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Passes:
    """How the model is run.

    Args:
        batch_size: Items a batch.
        needs: Names of readouts and generations that are wanted; passes that give none of them are left out.
            ``None`` wants all.
        reasoning_tokens: Most new tokens of an answer after reasoning; 0 leaves reasoned text judging out.
        scale: Lowest and highest score of ratings.
        markers: Opening and closing reasoning marker.
        steps: Where progress is shown.
    """

    batch_size: int = 16
    needs: frozenset[str] | None = None
    reasoning_tokens: int = 128
    scale: tuple[int, int] = (1, 5)
    markers: tuple[str, str] = THINK
    steps: Steps = silent

    def wants(self, *names: str) -> bool:
        """Whether any of ``names`` is wanted."""
        return self.needs is None or bool(self.needs.intersection(names))


def read(
    lm: LanguageModel, items: Sequence[Item], passes: Passes | None = None, *, judges: Sequence[Judge] = ()
) -> Features:
    """Features of items of one kind, for its judges.

    Args:
        lm: The model.
        items: Items of one kind. Pairs are read with response a first; see :func:`pair_features`.
        passes: How the model is run.
        judges: Keep only what these judges need; without any, what ``passes`` says.

    Raises:
        InnerjudgeError: If the items are none, of several kinds, or not items.

    Example:
        >>> from innerjudge.models.loading import load
        >>> from innerjudge.probes import AttentionScore
        >>> choice = Choice(question_id="c", question="Which is a fruit?", options=("iron", "pear"))
        >>> lm = load("reference")
        >>> features = read(lm, [choice], judges=[AttentionScore()])
        >>> features["attention"].shape == (1, lm.anatomy.n_blocks, lm.anatomy.n_heads, 4)
        True
    """
    passes = passes or Passes()
    if judges:
        passes = replace(passes, needs=frozenset(need for judge in judges for need in judge.needs))
    kinds = {type(item) for item in items}
    if kinds == {Trace}:
        return trace_features(lm, cast(Sequence[Trace], items), passes)
    if kinds == {Rating}:
        return rating_features(lm, cast(Sequence[Rating], items), passes)
    if kinds == {Choice}:
        return choice_features(lm, cast(Sequence[Choice], items), passes)
    if kinds == {Pair}:
        return pair_features(lm, cast(Sequence[Pair], items), passes, swapped=False)
    names = sorted(kind.__name__ for kind in kinds) or "nothing"
    raise InnerjudgeError(f"given {names}, expected items of one kind: Trace, Rating, Choice or Pair")


def trace_features(lm: LanguageModel, traces: Sequence[Trace], passes: Passes) -> Features:
    """Hidden states and log-probability of the trace itself; logits and texts of the question whether it is correct."""
    positions = ("prompt_end", "response_end", "reasoning_start", "reasoning_end")
    readouts: list[Readout] = [*(HiddenStates(p) for p in positions), ResponseLogProb()]
    # Asked first, since it is here that labels of several tokens are refused: before the long passes.
    parts = _asked(lm, traces, lambda t, r: verdict_prompt(t.prompt, t.response, reasoned=r), (), passes)
    if passes.wants(*(r.name for r in readouts)):
        encoded = [encode_trace(lm.tokenizer, t, markers=passes.markers, sampled_by=lm.fingerprint) for t in traces]
        parts.append(_extract(lm, encoded, readouts, passes, "reading traces"))
    return _joined(parts, passes)


def rating_features(lm: LanguageModel, ratings: Sequence[Rating], passes: Passes) -> Features:
    """Score logits and texts of the rating prompt; log-probability of the response to its own prompt."""

    def ask(r: Rating, reasoned: bool) -> Prompt:
        return rating_prompt(
            r.prompt, r.response, criterion=r.criterion, reference=r.reference, scale=passes.scale, reasoned=reasoned
        )

    readouts: list[Readout] = [HiddenStates("prompt_end"), ResponseLogProb()]
    parts = _asked(lm, ratings, ask, (HiddenStates("score"),), passes)
    if passes.wants(*(r.name for r in readouts)):
        encoded = [_as_trace(lm, r, passes) for r in ratings]
        parts.append(_extract(lm, encoded, readouts, passes, "reading responses"))
    return _joined(parts, passes)


def choice_features(lm: LanguageModel, choices: Sequence[Choice], passes: Passes) -> Features:
    """Letter logits, query-key products, attention rows and texts of the choice prompt."""
    readouts = (QueryKey("before"), QueryKey("after"), AttentionWeights())
    parts = _asked(lm, choices, lambda c, r: choice_prompt(c.question, c.options, reasoned=r), readouts, passes)
    return _joined(parts, passes)


def pair_features(lm: LanguageModel, pairs: Sequence[Pair], passes: Passes, *, swapped: bool) -> Features:
    """Letter logits and texts of the pair prompt; ``swapped`` shows response b first."""

    def ask(p: Pair, reasoned: bool) -> Prompt:
        first, second = (p.response_b, p.response_a) if swapped else (p.response_a, p.response_b)
        return pair_prompt(p.prompt, first, second, reasoned=reasoned)

    return _joined(_asked(lm, pairs, ask, (), passes), passes)


def _joined(parts: Sequence[Features], passes: Passes) -> Features:
    if not parts:
        raise InnerjudgeError(
            f"given a judge that reads {', '.join(sorted(passes.needs or ()))}, of which these items have none, "
            "expected items of the kind that it was made for"
        )
    return reduce(Features.join, parts)


def _as_trace(lm: LanguageModel, item: Rating, passes: Passes) -> Encoded:
    trace = Trace(question_id=item.id, candidate_id="", prompt=item.prompt, response=item.response)
    return replace(encode_trace(lm.tokenizer, trace, markers=passes.markers), id=item.id, group=item.group)


def _asked(
    lm: LanguageModel, items: Sequence[_T], ask: Callable[[_T, bool], Prompt], more: Sequence[Readout], passes: Passes
) -> list[Features]:
    """Label logits (and ``more``) where the verdict would stand, and the texts written there and after reasoning."""

    def encode(item: _T, reasoned: bool) -> Encoded:
        try:
            prompt = ask(item, reasoned)
        except UnreadableError as error:
            return unreadable(item.id, item.group, str(error))
        return encode_prompt(lm.tokenizer, item.id, item.group, prompt, reasoned=reasoned, markers=passes.markers)

    readouts: list[Readout] = [LabelLogits(), *more]
    parts = []
    direct = [encode(item, False) for item in items]
    if passes.wants("labels", *(r.name for r in readouts)):
        parts.append(_extract(lm, direct, readouts, passes, "asking for verdicts"))
    if passes.wants("direct"):
        parts.append(_generate(lm, direct, "direct", DIRECT_TOKENS, passes))
    if passes.wants("reasoned") and passes.reasoning_tokens:
        reasoned = [encode(item, True) for item in items]
        parts.append(_generate(lm, reasoned, "reasoned", passes.reasoning_tokens, passes))
    return parts


def _extract(
    lm: LanguageModel, encoded: Sequence[Encoded], readouts: Sequence[Readout], passes: Passes, what: str
) -> Features:
    wanted = [r for r in readouts if passes.wants(*_gives(r))]
    return extract(lm, encoded, wanted, batch_size=passes.batch_size, on_batch=passes.steps(what, len(encoded)))


def _generate(lm: LanguageModel, encoded: Sequence[Encoded], name: str, tokens: int, passes: Passes) -> Features:
    advance = passes.steps(f"writing verdicts ({name})", len(encoded))
    return generate(lm, encoded, name=name, max_new_tokens=tokens, batch_size=passes.batch_size, on_batch=advance)


def _gives(readout: Readout) -> tuple[str, ...]:
    """Names of the arrays that a readout brings; the number of labels comes with the logits."""
    return (readout.name, "labels") if isinstance(readout, LabelLogits) else (readout.name,)
