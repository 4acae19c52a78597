"""Answers written and read in one go: the states that judges read are kept while the tokens appear."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal

from ...models.errors import InnerjudgeError
from ...models.items import Trace
from ...models.loading import LanguageModel
from ...models.markers import THINK
from ...models.positions import encode_trace
from ..features import require_unique
from ..readouts import HiddenStates, ResponseLogProb
from .answers import Answers, Generation, Reject, end_ids, write_batch
from .decoding import carries_states
from .generate import Limits, in_batches
from .watch import Watch

#: Roles of a trace whose states a generation carries.
CARRIED = ("prompt_end", "reasoning_start", "reasoning_end", "response_end")


def write_and_read(
    lm: LanguageModel,
    questions: Sequence[Trace],
    readouts: Sequence[HiddenStates | ResponseLogProb],
    *,
    max_new_tokens: int,
    temperature: float = 1.0,
    seed: int = 0,
    batch_size: int = 8,
    memory: int | None = None,
    markers: tuple[str, str] = THINK,
    reject: Reject | None = None,
    reject_at: Literal["reasoning_start", "reasoning_end"] = "reasoning_end",
    on_batch: Callable[[int], None] | None = None,
) -> Generation:
    """Let the model answer each question, and keep the readouts of its answers as they are written.

    The features are those of a replay: the states of a step are the states of one pass over the whole text, up to float
    error. The end of the prompt is read with the prompt, every other token by the step after it; an answer that the
    limit ended takes one more step, through the blocks alone, to read its last token. Where a model's steps differ from
    its passes (no cache, or one that rounds), and for the odd answer whose markers only the finished text shows, the
    answers are passed through the model once more, and counted in ``replayed``.

    Questions have unique ids and no response; equal prompts of a batch are read once. Readouts are hidden states at
    :data:`CARRIED` positions and the response's log-probability: a generation carries none of other prompts (verdict
    logits, the text of a judge) and none at positions that traces do not have (query-key products and attention rows at
    options). ``reject`` stops answers that are not worth their end: it is asked once an answer, when the marker
    ``reject_at`` is written, and sees what has been read by then. A stopped answer ends with that marker and leaves its
    batch, with others that have ended, once they are a quarter of it (where the model's cache can be cut: else all of a
    batch end together). The other answers are what they would be without. The rest is as in
    :func:`~innerjudge.extraction.writing.generate.complete`.

    Raises:
        InnerjudgeError: If there are no questions or no readouts, or a readout is none that a generation carries.

    Example:
        >>> from innerjudge.models.loading import load
        >>> lm = load("reference")
        >>> asked = [Trace(question_id="q", candidate_id=c, prompt="Start with 7. Add 5.", response="") for c in "ab"]
        >>> found = write_and_read(lm, asked, [HiddenStates("reasoning_end")], max_new_tokens=60)
        >>> found.traces[0].response.startswith("<think>"), found.features["hidden/reasoning_end"].shape[0]
        (True, 2)
    """
    _check(lm, questions, readouts, markers, reject)
    started = time.perf_counter()
    prompts = [encode_trace(lm.tokenizer, replace(q, response="", extra={}), markers=markers) for q in questions]
    reading = Answers(lm, questions, readouts, markers)
    limits = Limits(
        max_new_tokens=max_new_tokens,
        temperature=temperature,
        seed=seed,
        batch_size=batch_size,
        memory=memory,
        on_batch=on_batch,
    )
    ends = end_ids(lm)

    def write(rows: list[int]) -> None:
        watch = Watch(
            lm,
            [prompts[k] for k in rows],
            limit=max_new_tokens,
            ends=ends,
            markers=markers,
            log_probs=ResponseLogProb() in readouts,
            last=HiddenStates("response_end") in readouts,
            ask=reject and (lambda watch, some: reading.ask(watch, rows, some, reject, reject_at)),
        )
        watch.run(temperature)
        reading.take(watch, rows)

    def write_only(rows: list[int]) -> None:
        for k, one in zip(rows, write_batch(lm, prompts, rows, max_new_tokens, temperature=temperature), strict=True):
            reading.answer(k, one)

    # A text that grows past what its rotary angles are fixed for is not read as it was written.
    fixed = all(lm.mixing.fixed(len(prompt.ids), max_new_tokens) for prompt in prompts)
    reasons = in_batches(lm, prompts, write if fixed and carries_states(lm) else write_only, limits)
    for k, why in reasons.items():
        reading.answer(k, why)
    return reading.finished(batch_size, started)


def _check(
    lm: LanguageModel,
    questions: Sequence[Trace],
    readouts: Sequence[object],
    markers: tuple[str, str],
    reject: Reject | None,
) -> None:
    if not questions or not readouts:
        raise InnerjudgeError(
            f"given {len(questions)} questions and {len(readouts)} readouts, expected at least one of each"
        )
    if not all(markers):
        raise InnerjudgeError(f"given markers={markers!r}, expected two marks that are not empty")
    require_unique([question.id for question in questions])
    for readout in readouts:
        known = isinstance(readout, HiddenStates) and readout.position in CARRIED
        if not known and not isinstance(readout, ResponseLogProb):
            raise InnerjudgeError(
                f"given {readout}, expected hidden states at one of {', '.join(CARRIED)}, or ResponseLogProb(), which "
                "is what a generation carries: extract others from the finished traces"
            )
    if reject is not None and not carries_states(lm):
        raise InnerjudgeError(
            f"given {type(lm.model).__name__} and reject, expected a model whose steps read as one pass does: leave "
            "reject out, and the finished answers are read by a pass of their own"
        )
