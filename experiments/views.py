"""From items to features: which texts are passed through the model for each kind of item, and what is kept of each.

Every judge of a kind reads the same features, so all of them see the same items, prompts and passes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import reduce
from typing import Any, TypeVar, cast

from ..extraction.features import Features
from ..extraction.generation import generate
from ..extraction.read_and_write import read_and_write
from ..extraction.readouts import AttentionWeights, HiddenStates, LabelLogits, QueryKey, Readout, ResponseLogProb
from ..extraction.run import extract
from ..models.errors import InnerjudgeError, UnreadableError
from ..models.items import Choice, Item, Pair, Rating, Trace
from ..models.loading import LanguageModel
from ..models.positions import Alike, Encoded, encode_prompt, encode_trace, unreadable
from ..models.prompts import Prompt, choice_prompt, pair_prompt, rating_prompt, verdict_prompt
from ..probes.judge import BaseJudge
from ..probes.verdict_text import settled
from .passes import DIRECT_TOKENS, Passes

_T = TypeVar("_T", Trace, Rating, Choice, Pair)


def read(
    lm: LanguageModel, items: Sequence[Item], passes: Passes | None = None, *, judges: Sequence[BaseJudge] = ()
) -> Features:
    """Features of items of one kind, for its judges.

    Args:
        lm: The model.
        items: Items of one kind. Pairs are read with response a first; see :func:`pair_features`.
        passes: How the model is run.
        judges: Keep only what these judges need: what they are fitted on and score, or what they score once they are
            fitted. The pass stops after the last block that fitted judges read; to fit one anew, give a new one
            (``sklearn.base.clone``). Without any judge, what ``passes`` says.

    Raises:
        InnerjudgeError: If the items are none, of several kinds, or not items; if the model or the judges are not given
            as above.

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
    _check_types(lm, items, judges)
    if judges:
        passes = needed(judges, passes)
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


def needed(judges: Sequence[BaseJudge], passes: Passes) -> Passes:
    """Passes that keep what ``judges`` need, and stop after the last block that they read.

    Example:
        >>> from innerjudge.probes import AttentionScore
        >>> passes = needed([AttentionScore()], Passes())
        >>> sorted(passes.needs), passes.last_block
        (['attention', 'labels'], None)
    """
    wanted = {need for judge in judges for need in judge.needs}
    wanted |= {need for judge in judges if judge.provenance_ is None for need in judge.fit_needs}
    lasts = [judge.last_block for judge in judges]
    last = None if None in lasts else max(block for block in lasts if block is not None)
    return replace(passes, needs=frozenset(wanted), last_block=last)


def trace_features(lm: LanguageModel, traces: Sequence[Trace], passes: Passes) -> Features:
    """Hidden states and log-probability of the trace itself; logits and texts of the question whether it is correct."""
    positions = ("prompt_end", "response_end", "reasoning_start", "reasoning_end")
    readouts: list[Readout] = [*(HiddenStates(p) for p in positions), ResponseLogProb()]
    parts = _asked(lm, traces, lambda t, r: verdict_prompt(t.prompt, t.response, reasoned=r), (), passes)
    if passes.wants(*(r.name for r in readouts)):
        how: Any = {"markers": passes.markers, "sampled_by": lm.fingerprint, "alike": Alike(lm.tokenizer)}
        encoded = [encode_trace(lm.tokenizer, t, **how) for t in traces]
        parts.append(_extract(lm, encoded, _wanted(readouts, passes), passes, "reading traces"))
    return _joined(parts, passes)


def rating_features(lm: LanguageModel, ratings: Sequence[Rating], passes: Passes) -> Features:
    """Score logits and texts of the rating prompt; log-probability of the response to its own prompt."""

    def ask(r: Rating, reasoned: bool) -> Prompt:
        return rating_prompt(
            r.prompt, r.response, criterion=r.criterion, reference=r.reference, scale=passes.scale, reasoned=reasoned
        )

    readouts: list[Readout] = [HiddenStates("prompt_end"), ResponseLogProb()]
    # The scale is the caller's choice: one that the tokenizer splits is refused, and not left unscored item by item.
    parts = _asked(lm, ratings, ask, (HiddenStates("score"),), passes, refuse_labels=True)
    if passes.wants(*(r.name for r in readouts)):
        alike = Alike(lm.tokenizer)
        encoded = [_as_trace(lm, r, passes, alike) for r in ratings]
        parts.append(_extract(lm, encoded, _wanted(readouts, passes), passes, "reading responses"))
    return _joined(parts, passes)


def choice_features(lm: LanguageModel, choices: Sequence[Choice], passes: Passes) -> Features:
    """Letter logits, query-key products, attention rows and texts of the choice prompt."""

    def ask(c: Choice, reasoned: bool) -> Prompt:
        return choice_prompt(c.question, c.options, abstain=passes.abstain, reasoned=reasoned)

    readouts = (QueryKey("before"), QueryKey("after"), AttentionWeights())
    found = _joined(_asked(lm, choices, ask, readouts, passes), passes)
    found.provenance = replace(found.provenance, prompt=passes.prompt)
    return found


def pair_features(lm: LanguageModel, pairs: Sequence[Pair], passes: Passes, *, swapped: bool) -> Features:
    """Letter logits and texts of the pair prompt; ``swapped`` shows response b first."""

    def ask(p: Pair, reasoned: bool) -> Prompt:
        first, second = (p.response_b, p.response_a) if swapped else (p.response_a, p.response_b)
        return pair_prompt(p.prompt, first, second, reasoned=reasoned)

    return _joined(_asked(lm, pairs, ask, (), passes), passes)


def _check_types(lm: object, items: object, judges: object) -> None:
    if not isinstance(lm, LanguageModel):
        raise InnerjudgeError(
            f"given a {type(lm).__name__} to read with, expected what load(name) or wrap(model, tokenizer) returns"
        )
    if isinstance(items, Trace | Rating | Choice | Pair) or not isinstance(items, Sequence):
        raise InnerjudgeError(f"given a {type(items).__name__}, expected a list of items: write [item] for one")
    if not isinstance(judges, Sequence) or not all(isinstance(judge, BaseJudge) for judge in judges):
        raise InnerjudgeError(f"given judges={judges!r}, expected a list of judges: write judges=[judge]")


def _joined(parts: Sequence[Features], passes: Passes) -> Features:
    if not parts:
        raise InnerjudgeError(
            f"given a judge that reads {', '.join(sorted(passes.needs or ()))}, of which these items have none, "
            "expected items of the kind that it was made for"
        )
    return reduce(Features.join, parts)


def _as_trace(lm: LanguageModel, item: Rating, passes: Passes, alike: Alike) -> Encoded:
    trace = Trace(question_id=item.id, candidate_id="", prompt=item.prompt, response=item.response)
    return replace(encode_trace(lm.tokenizer, trace, markers=passes.markers, alike=alike), id=item.id, group=item.group)


def _asked(
    lm: LanguageModel,
    items: Sequence[_T],
    ask: Callable[[_T, bool], Prompt],
    more: Sequence[Readout],
    passes: Passes,
    *,
    refuse_labels: bool = False,
) -> list[Features]:
    """Label logits (and ``more``) where the verdict would stand, and the texts written there and after reasoning.

    Labels that this tokenizer splits leave the logits missing, with the reason; all else of the item is still read.
    """
    labels: dict[str, tuple[str, ...]] = {}
    alike = Alike(lm.tokenizer)

    def encode(item: _T, reasoned: bool) -> Encoded:
        try:
            prompt = ask(item, reasoned)
        except UnreadableError as error:
            return unreadable(item.id, item.group, str(error))
        labels[item.id] = prompt.labels
        how: Any = {"reasoned": reasoned, "markers": passes.markers, "alike": alike}
        try:
            return encode_prompt(lm.tokenizer, item.id, item.group, prompt, **how)
        except UnreadableError as error:
            if refuse_labels:
                raise
            bare = encode_prompt(lm.tokenizer, item.id, item.group, replace(prompt, labels=()), **how)
            return replace(bare, missing={**bare.missing, "labels": str(error)})

    wanted = _wanted((LabelLogits(), *more), passes)
    parts = []
    direct = [encode(item, False) for item in items]
    if passes.wants("direct"):
        parts.append(_asked_in_text(lm, direct, [labels.get(item.id, ()) for item in items], wanted, passes))
    elif wanted:
        parts.append(_extract(lm, direct, wanted, passes, "asking for verdicts"))
    if passes.wants("reasoned") and passes.reasoning_tokens:
        advance = passes.steps("writing verdicts (reasoned)", len(items))
        how: Any = {"batch_size": passes.writing_batch, "on_batch": advance}
        reasoned = [encode(item, True) for item in items]
        parts.append(generate(lm, reasoned, name="reasoned", max_new_tokens=passes.reasoning_tokens, **how))
    return parts


def _asked_in_text(
    lm: LanguageModel,
    encoded: Sequence[Encoded],
    labels: Sequence[Sequence[str]],
    readouts: Sequence[Readout],
    passes: Passes,
) -> Features:
    """The text of each verdict, no longer than it takes to be clear, and the readouts of the same pass."""

    def clear(k: int, text: str) -> bool:
        return bool(labels[k]) and settled(text, labels[k])

    how: Any = {"name": "direct", "max_new_tokens": DIRECT_TOKENS, "batch_size": passes.writing_batch}
    how |= {"settled": clear, "on_batch": passes.steps("asking for verdicts", len(encoded))}
    return read_and_write(lm, encoded, readouts, **how) if readouts else generate(lm, encoded, **how)


def _extract(
    lm: LanguageModel, encoded: Sequence[Encoded], readouts: Sequence[Readout], passes: Passes, what: str
) -> Features:
    return extract(
        lm,
        encoded,
        readouts,
        batch_size=passes.batch_size,
        last_block=passes.last_block,
        on_batch=passes.steps(what, len(encoded)),
    )


def _wanted(readouts: Sequence[Readout], passes: Passes) -> list[Readout]:
    wanted = [r for r in readouts if passes.wants(r.name)]
    if passes.wants("labels") and all(isinstance(r, HiddenStates | ResponseLogProb) for r in wanted):
        wanted += [r for r in readouts if isinstance(r, LabelLogits)]  # every other readout brings their number as well
    return wanted
