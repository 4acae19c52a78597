"""Writing and reading together: states of answers as they are written, or of prompts that the model continues."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeGuard, Unpack

from ...models.errors import InnerjudgeError, UnreadableError
from ...models.items import Trace
from ...models.loading import LanguageModel
from ...models.markers import THINK, Markers
from ...models.positions import Encoding, encode_trace
from ...models.roles import Role, checked_roles
from ..batching import Room, by_length
from ..extract import Gathering, extract
from ..features import Features, require_unique
from ..one_pass import run_batch
from ..readouts import Carried, HiddenStates, Paired, Ranged, Readout, ResponseLogProb, TokenStats
from ..schedule import Budget, families
from .answers import Answers, Completion, Generation, Reject, Settled, write_batch
from .decoding import carries_states
from .drafts import Drafts, alike_far
from .generate import Limits, Written, generate, in_batches
from .ranges import refusal
from .watch import Watch, drafts_of

#: Roles of a trace whose states a generation carries.
CARRIED = ("prompt_end", "reasoning_start", "reasoning_end", "response_end")
#: Positions that are also read as ranges of one token: the prompt's last one, and two of the answer.
ENDS = ("prompt_end", "reasoning_end", "response_end")


def carried(readout: object) -> TypeGuard[Carried]:
    """Whether a generation gives a readout: at :data:`CARRIED`, or of the tokens that it writes.

    Statistics are of those alone: ``prompt_end`` and ``@-1`` would take in the prompt's last one.
    """
    if isinstance(readout, Ranged | Paired):
        role, later = Role.parse(readout.roles[0]), isinstance(readout, TokenStats)
        before = role.shift and (later or role.kind == "prompt_end")
        return not before and (role.part in ("response", "reasoning") or role.kind in ENDS[later:])
    return isinstance(readout, ResponseLogProb) or (isinstance(readout, HiddenStates) and readout.position in CARRIED)


def write_and_read(
    lm: LanguageModel, questions: Sequence[Trace], readouts: Sequence[Carried], *, markers: Markers = THINK,
    reject: Reject | None = None, reject_at: Sequence[str] = ("reasoning_end",), drafts: Drafts | None = None,
    **how: Unpack[Written]
) -> Generation:  # fmt: skip
    """Let the model answer each question, and keep the readouts of its answers as they are written.

    The features are those of one pass over the whole text, up to float error. If a model's steps differ from its passes
    (no cache, or one that rounds), or only the finished text shows an answer's markers (which is rare), answers are
    passed through the model once more, and counted in ``replayed``.

    Questions have unique ids and no response; equal prompts of a batch are read once. Readouts are hidden states at
    :data:`CARRIED` positions, the response's log-probability, and all that is read of ranges of the response or its
    reasoning (see :func:`carried`): a generation gives no others. Ranges are found once an answer is complete, so
    that what they read of each of its tokens (of attention its query, and the keys of all tokens) is kept until
    then, in the CPU's memory; answers that go on from ``drafts`` are read again for them, and they are not among
    what ``reject`` is shown. Attention is kept of kernels in transformers' registry, ``sdpa`` or ``eager``, with a
    key a token. ``reject`` stops answers that are not worth finishing. It is called when a marker in ``reject_at``
    is written (``"reasoning_start"``, ``"reasoning_end"``), and at the end of each range of a role in it
    (``"reasoning/segment(64)"``, see :func:`.roles.checked_roles`), with the features read so far; at a range as if
    the text, and its reasoning if open, ended there. If it returns :class:`.Exit` at a range in open reasoning, the
    closing marker comes next (not the model's choice, but its log-probability counts, as in one pass), the model
    goes on to its answer, and ``reject`` is not called again. A stopped answer ends there, and ended answers leave
    their batch once they are a quarter of it (if the model's cache can be cut; else a batch ends as a whole). The
    other answers of its batch do not change. The rest is as in
    :func:`~innerjudge.extraction.writing.generate.complete`. ``InnerjudgeError`` if the model gives none of the
    readouts in any pass (one of several is missing), if there are no questions or no readouts, a readout that a
    generation does not give, or with ``reject`` a model whose steps differ from one pass.
    """
    _check(lm, questions, readouts, markers, reject is not None)
    roles = checked_roles([name for name in reject_at if Role.parse(name).part])
    prompts = [encode_trace(lm.tokenizer, q.bare(extra={}), markers=markers) for q in questions]
    reading = Answers(lm, questions, readouts, markers)
    how.setdefault("temperature", 1.0)
    limits = Limits(**how)
    keys, begun = limits.keys(prompts), drafts.begun if drafts else {}

    def write(rows: list[int]) -> None:
        some = [prompts[k].id for k in rows]
        watch = Watch(
            lm,
            [prompts[k] for k in rows],
            limit=limits.max_new_tokens,
            markers=markers,
            readouts=readouts,
            ask=reject and (lambda watch, some: reading.ask(watch, rows, some, reject, reject_at)),
            roles=roles if reject else (),
            drafts=[begun[one] for one in some if one in begun],
            keep=partial(drafts.keep, some) if drafts else None,
        )
        if watch.texts.open:
            watch.run(limits.temperature, [keys[k] for k in rows])
        if drafts:
            drafts.keep(some, lambda: drafts_of(watch), done=True)
        reading.take(watch, rows)

    def write_only(rows: list[int]) -> None:
        texts = write_batch(lm, prompts, rows, limits.max_new_tokens, temperature=limits.temperature, keys=keys)
        for k, one in zip(rows, texts, strict=True):
            reading.answer(k, one)

    # A text that grows past what its rotary angles are fixed for is not read as it was written.
    longest = max(len(prompt.ids) for prompt in prompts)
    fixed = lm.mixing.fixed(longest, limits.max_new_tokens)
    if reject and not fixed:
        raise InnerjudgeError(
            f"given reject, a prompt of {longest} tokens and max_new_tokens={limits.max_new_tokens}, expected at most "
            f"{lm.mixing.until} together, beyond which the rotary angles of {type(lm.model).__name__} grow with the "
            "text, so that it is not read as it was written: give fewer, or leave reject out"
        )
    task = write if fixed and carries_states(lm) else write_only
    for rows, n in alike_far(prompts, begun):
        left = replace(limits, max_new_tokens=limits.max_new_tokens - n)
        texts = [replace(p, ids=(*p.ids, *begun[p.id].ids)) if n else p for p in (prompts[k] for k in rows)]

        def at(places: list[int], rows: Sequence[int] = rows) -> None:
            task([rows[k] for k in places])

        for k, why in in_batches(lm, texts, at, left).items():
            reading.answer(rows[k], why)
    return reading.finished(limits.batch_size)


def _check(
    lm: LanguageModel, questions: Sequence[Trace], readouts: Sequence[Carried], markers: Markers, rejects: bool
) -> None:
    if not questions or not readouts:
        raise InnerjudgeError.of("extraction.no-questions", len(questions), len(readouts))
    if not all(markers):
        raise InnerjudgeError(f"given markers={markers!r}, expected two marks that are not empty")
    require_unique([question.id for question in questions])
    for readout in readouts:
        if not carried(readout):
            raise InnerjudgeError.of("extraction.not-carried", readout, ", ".join(CARRIED))
    refusals = [refusal(lm, readout) for readout in readouts]
    if refusals[0] is not None and all(refusals):
        raise refusals[0]
    if rejects and not carries_states(lm):
        raise InnerjudgeError.of("extraction.reject", type(lm.model).__name__)


def read_and_write(
    lm: LanguageModel, items: Sequence[Encoding], readouts: Sequence[Readout], *, name: str,
    settled: Settled | None = None, **how: Unpack[Written]
) -> Features:  # fmt: skip
    """:func:`~.extract.extract` and a greedy :func:`~.generate.generate` together, at the cost of the second alone.

    The readouts are taken from the pass over the prompts with which generation begins; items without room for a text
    are only extracted. Prompts are read twice for ragged readouts, if the model lacks a readout or would read
    left-padded prompts differently, or if they begin so much alike that sharing the beginning is cheaper. Ids must be
    unique; the texts are ``texts[name]``; the rest is as in :func:`~.generate.complete`.
    """
    limits = Limits(**how)
    ragged, padded = any(r.ragged for r in readouts), len({len(item.ids) for item in items}) > 1
    if not ragged and not _shares_most(lm, items, limits) and (not padded or "left" in lm.padding_sides):
        try:
            return _at_once(lm, items, readouts, name, limits, settled)
        except UnreadableError:
            pass  # which of the readouts the model gives, extract finds out
    features = extract(lm, items, readouts, batch_size=limits.batch_size)
    return features.join(generate(lm, items, name=name, settled=settled, **how))


def _shares_most(lm: LanguageModel, items: Sequence[Encoding], limits: Limits) -> bool:
    """Whether two readings that share what prompts begin with (all, then a batch) read fewer tokens than one."""
    least = 2 * Room(lm.device, None).fixed

    def saved(some: Sequence[Encoding]) -> int:
        most = [max(len(item.ids) - 1, 0) for item in some]
        found = families([item.ids for item in some], most, least=least)
        return sum((len(family.rows) - 1) * family.shared for family in found)

    budget = Budget(lm)
    lengths = [len(item.ids) for item in items]
    batches = by_length(lengths, lambda n: budget.rows(n, limits.max_new_tokens, limits.batch_size))
    within = sum(saved([items[k] for k in rows]) for rows in batches)
    return within + saved(items) > sum(len(item.ids) for item in items) and lm.shares_prompts


def _at_once(
    lm: LanguageModel, items: Sequence[Encoding], readouts: Sequence[Readout], name: str, limits: Limits,
    settled: Settled | None
) -> Features:  # fmt: skip
    require_unique([item.id for item in items])
    gathered = Gathering(lm, items, readouts)
    missing, texts = gathered.missing, [""] * len(items)

    def write(rows: list[int]) -> None:
        written: list[Completion] = []

        def go_on(read: Callable[[], None] | None = None) -> None:
            written.extend(write_batch(lm, items, rows, limits.max_new_tokens, settled=settled, after_prompts=read))

        batch = [items[k] for k in rows]
        there = [r for r in readouts if any(item.id not in missing[r.name] for item in batch)]
        if there:
            gathered.put(run_batch(lm, batch, there, missing, "left", lm.anatomy.n_blocks, write=go_on), rows)
        else:
            go_on()
        for k, one in zip(rows, written, strict=True):
            texts[k] = one.text

    reasons = in_batches(lm, items, write, limits)
    if silent := [k for k in reasons if any(items[k].id not in missing[r.name] for r in readouts)]:
        alone = extract(lm, [items[k] for k in silent], readouts, batch_size=limits.batch_size)
        gathered.put({r.name: alone[r.name] for r in readouts}, silent)
    missing[name] = {items[k].id: why for k, why in reasons.items()}
    return gathered.features({name: tuple(texts)})
