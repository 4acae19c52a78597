"""Passes over prompts that ask for verdicts: logits where the verdict would stand, texts written; sampled answers."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from ...extraction.extract import extract
from ...extraction.features import Features
from ...extraction.readout_names import range_readout, reads_labels, roles_of
from ...extraction.readouts import LabelLogits, Readout
from ...extraction.writing.answers import Completion, Settled, answered
from ...extraction.writing.confidence import LeastConfidence
from ...extraction.writing.generate import as_features, complete, generate
from ...extraction.writing.write_and_read import read_and_write
from ...models.arguments import checked
from ...models.conversation import plain_text
from ...models.errors import UnreadableError
from ...models.items import Choice, Pair, Rating, Trace
from ...models.loading import LanguageModel
from ...models.positions import Alike, Encoding, encode_own_text, encode_prompt, encode_trace, unreadable
from ...models.prompts import Prompt
from ...models.reference.solve import Problem, final_answer
from ...probes.verdict_text import settled, verdict_start
from .passes import DIRECT_TOKENS, Passes
from .progress import Steps, silent

_T = TypeVar("_T", Trace, Rating, Choice, Pair)
_OWN = "own_text(score)"


def ask_for_verdicts(
    lm: LanguageModel, items: Sequence[_T], ask: Callable[..., Prompt], more: Sequence[Readout], passes: Passes, *,
    refuse_labels: bool = False
) -> list[Features]:  # fmt: skip
    """Features of the wanted passes: label logits (and ``more``) where the verdict would stand, and the texts written.

    ``ask`` makes the prompt of an item, with reasoning before the verdict or without. Labels that this tokenizer splits
    leave the logits missing, with the reason; the rest of the item is still read (``refuse_labels`` raises).
    """
    prompts: dict[str, Prompt] = {}
    alike = Alike(lm.tokenizer)

    def encode(item: _T, reasoned: bool) -> Encoding:
        try:
            prompt = ask(item, reasoned=reasoned)
        except UnreadableError as error:
            return unreadable(item.id, item.group, str(error))
        prompts[item.id] = prompt

        def encoded(words: Prompt) -> Encoding:
            return encode_prompt(
                lm.tokenizer, item.id, item.group, words, reasoned=reasoned, markers=passes.markers, alike=alike
            )

        try:
            return encoded(prompt)
        except UnreadableError as error:
            if refuse_labels:
                raise
            bare = encoded(replace(prompt, labels=()))
            return replace(bare, missing={**bare.missing, "labels": str(error)})

    def clear(k: int, text: str, *, reasoned: bool = False) -> bool:
        prompt = prompts.get(items[k].id)
        return prompt is not None and settled(text, prompt.labels, cue=prompt.cue if reasoned else None)

    wanted, parts = wanted_of((LabelLogits(), *more), passes), []
    direct = [encode(item, False) for item in items]
    if passes.wants("direct"):
        steps = passes.steps("asking for verdicts", len(items))
        parts.append(written(lm, direct, wanted, passes, "direct", DIRECT_TOKENS, clear, steps))
    elif wanted:
        parts.append(extracted(lm, direct, wanted, passes, "asking for verdicts"))
    own = _own_readouts(passes)
    names = [name for name in ("reasoned", "own_text") if name in (passes.needs or {"reasoned"})]
    if (names or own) and passes.reasoning_tokens:
        steps = passes.steps("writing verdicts (reasoned)", len(items))
        reasoned, settled_at = [encode(item, True) for item in items], partial(clear, reasoned=True)
        how: Any = {"max_new_tokens": passes.reasoning_tokens, "batch_size": passes.writing_batch, "on_batch": steps}
        started, said = time.perf_counter(), complete(lm, reasoned, settled=settled_at, **how)
        texts = {name: as_features(lm, reasoned, said, name, started) for name in names}
        if own:  # what is read of a text takes the time of its writing too; one figure, which counts once
            texts["read"] = _of_own_texts(lm, direct, reasoned, said, own, prompts, passes)
            spent = time.perf_counter() - started
            for name in texts.keys() & {"read", "own_text"}:
                texts[name] = replace(texts[name], seconds=dict.fromkeys(texts[name].seconds, spent))
        parts += texts.values()
    return parts


def _own_readouts(passes: Passes) -> list[Readout]:
    """What is wanted of the texts that the model writes after reasoning."""
    found = (range_readout(need) for need in sorted(passes.needs or ()) if "own_text(" in need)
    return [one for one in found if one is not None]


def _of_own_texts(
    lm: LanguageModel, direct: Sequence[Encoding], asked: Sequence[Encoding], said: Sequence[Completion | str],
    readouts: Sequence[Readout], prompts: Mapping[str, Prompt], passes: Passes
) -> Features:  # fmt: skip
    """What is read of the prompts with what the model wrote after them, token for token, in a pass of its own."""
    roles, encoded = (_OWN, *roles_of(readouts)), []
    for other, item, one in zip(direct, asked, said, strict=True):
        if isinstance(one, str):
            found = unreadable(item.id, item.group, one)
        else:
            prompt = prompts[item.id]
            start = verdict_start(one.text, prompt.labels, cue=prompt.cue)
            how: Any = {"verdict": start, "roles": roles, "cue": prompt.cue, "markers": passes.markers}
            found = encode_own_text(lm.tokenizer, item, one.ids, **how)
        encoded.append(replace(found, label_ids=other.label_ids))  # their number comes with every readout of options
    return extracted(lm, encoded, readouts, passes, "reading what was written")


def written(
    lm: LanguageModel, encoded: Sequence[Encoding], readouts: Sequence[Readout], passes: Passes, name: str,
    max_new_tokens: int, clear: Settled, advance: Callable[[int], None]
) -> Features:  # fmt: skip
    """The text written after each prompt, ended once it is clear, and the readouts of the same pass."""
    write = partial(read_and_write, lm, encoded, readouts) if readouts else partial(generate, lm, encoded)
    return write(
        name=name, max_new_tokens=max_new_tokens, batch_size=passes.writing_batch, settled=clear, on_batch=advance
    )


def extracted(
    lm: LanguageModel, encoded: Sequence[Encoding], readouts: Sequence[Readout], passes: Passes, what: str
) -> Features:
    """One pass over texts as ``passes`` says; ``what`` is shown while it runs."""
    advance, size = passes.steps(what, len(encoded)), passes.batch_size
    return extract(lm, encoded, readouts, batch_size=size, last_block=passes.last_block, on_batch=advance)


def wanted_of(readouts: Sequence[Readout], passes: Passes) -> list[Readout]:
    """Those of the readouts that are wanted; label logits also where only the number of labels is."""
    wanted = [r for r in readouts if passes.wants(r.name)]
    if passes.wants("labels") and not any(map(reads_labels, [*wanted, *_own_readouts(passes)])):
        wanted += [r for r in readouts if isinstance(r, LabelLogits)]  # every other readout brings their number as well
    return wanted


@checked
def sample_traces(
    lm: LanguageModel, problems: Sequence[Problem], *, n_candidates: int = 8, temperature: float = 1.0,
    max_new_tokens: int = 160, seed: int = 0, batch_size: int = 64, least: LeastConfidence | None = None,
    steps: Steps = silent
) -> list[Trace]:  # fmt: skip
    """Answer every problem ``n_candidates`` times and label each answer by the known one; those of one stand together.

    The sampled token ids are kept in ``extra["response_ids"]`` and replayed by the pass. A trace that did not end
    within ``max_new_tokens`` or that has no answer after its reasoning is wrong, and has ``answer=None``. A prompt that
    leaves no room for an answer gives empty traces that are neither right nor wrong. ``least`` stops unsure answers,
    which then have none and say why in ``extra["rejected"]``.
    """
    bare = [
        Trace(question_id=p.question_id, candidate_id=str(k), prompt=p.prompt, response="")
        for p in problems
        for k in range(n_candidates)
    ]
    encoded = [encode_trace(lm.tokenizer, trace) for trace in bare]
    how: Any = {"max_new_tokens": max_new_tokens, "temperature": temperature, "seed": seed, "batch_size": batch_size}
    written = complete(lm, encoded, **how, least=least, on_batch=steps("sampling candidates", len(encoded)))
    known = {p.question_id: p for p in problems}
    return [labelled(answered(lm, trace, one), known) for trace, one in zip(bare, written, strict=True)]


def labelled(trace: Trace, problems: Mapping[str, Problem]) -> Trace:
    """A sampled answer with its final answer, and whether that is right, where its problem is known.

    An answer that did not end by itself has none and is wrong; a trace that was not sampled is neither right nor wrong.
    """
    problem = problems.get(trace.question_id)
    if problem is None or "not_sampled" in trace.extra:
        return trace
    answer = final_answer(plain_text(trace.response)) if trace.extra["finished"] else None
    return replace(trace, answer=answer, correct=answer == problem.answer)
