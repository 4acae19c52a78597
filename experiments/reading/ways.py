"""Ways of asking a model what a text judge wants to know, and of reading the reply.

A model may say nothing of use behind one wording and be right behind another, so a text judge is only a fair opponent
when it is asked well. The turns: ``cue``, our words and the cue in the assistant's turn, which is what hidden-state
judges read; ``open``, the same words and the assistant's turn left open; ``plain``, no chat at all
(the plain ones of :mod:`~innerjudge.models.prompts`). What is read: the next token among the labels, with a space
before them or without; its expected value; the text that the model writes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np

from ...extraction.features import Features
from ...extraction.readouts import LabelLogits, Readout
from ...models.chat import render, require_unrendered
from ...models.conversation import plain_text
from ...models.errors import UnreadableError
from ...models.items import Choice, Item, Pair, Trace
from ...models.loading import LanguageModel
from ...models.positions import Alike, Encoding, encode_stem, unreadable
from ...models.prompts import Prompt, plain_prompt
from ...models.tokens import tokens
from ...models.unfit import unfit
from ...probes.judge import Verdict
from ...probes.verdict_text import answered_freely, find_answer, find_verdict
from .passes import Passes, prepared
from .verdict_pass import extracted, written

Turn = Literal["cue", "open", "plain"]
#: New tokens of a freely written answer.
OPEN_TOKENS = 24
_TURNS: dict[Turn, str] = {"cue": "cue in the turn", "open": "no cue", "plain": "plain text, no chat"}


@dataclass(frozen=True, slots=True)
class Way:
    """One way of asking, and of reading what is said.

    ``read="text"`` reads what is written, ``"label"`` takes the likeliest label as the next token, ``"expected"`` the
    expected value of the labels, with a space before them (``spaced``) or without.
    """

    turn: Turn
    read: Literal["text", "label", "expected"]
    spaced: bool = True

    @property
    def name(self) -> str:
        """In words."""
        what = {"text": "text", "label": "next label", "expected": "expected label"}[self.read]
        return f"{_TURNS[self.turn]}, {what}{'' if self.read == 'text' or self.spaced else ' without a space'}"


#: As published: what the judge called ``text`` says where nothing better is chosen.
PUBLISHED = Way("cue", "text")


def ways_of(kind: str) -> tuple[Way, ...]:
    """The ways in which items of a kind are asked; the published one is the first."""
    reads: tuple[Literal["label", "expected"], ...] = ("label",) if kind == "choice" else ("label", "expected")
    turns: tuple[tuple[Turn, bool], ...] = (
        ("cue", True), ("open", False), ("open", True), ("plain", True), ("plain", False),
    )  # fmt: skip
    return (PUBLISHED, Way("open", "text"), *[Way(turn, read, spaced) for turn, spaced in turns for read in reads])


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What one item is asked in one turn; ``quotes``: its ``options`` are long texts, which a model may write out."""

    item: Item
    prompt: Prompt
    options: tuple[str, ...] = ()
    quotes: bool = False


@dataclass(frozen=True, kw_only=True)
class Said:
    """What a model said to some items in one turn; ``None`` stands for an item that cannot be asked.

    ``features`` are those of :func:`ask`, or of the passes with the cue that all judges read.
    """

    questions: Sequence[Question | None]
    features: Features

    @property
    def texts(self) -> tuple[str, ...] | None:
        """What was written; ``None`` where nothing was."""
        return next((self.features.texts[name] for name in ("open", "direct") if name in self.features.texts), None)

    @cached_property
    def forms(self) -> list[str]:
        """How the answer in each text was found, or why there is none."""
        return [form for _, form in self._free] if self.texts is not None else []

    @cached_property
    def _free(self) -> list[tuple[int | None, str]]:
        found: list[tuple[int | None, str]] = []
        for question, text in zip(self.questions, self.texts or (), strict=True):
            if question is None:
                found.append((None, "not asked"))
            elif (prompt := question.prompt).cue:
                index = find_verdict(text, prompt.labels)
                found.append((None, index) if isinstance(index, str) else (index, "opens the text"))
            else:
                one = find_answer(text, prompt.labels, options=question.options, quotes=question.quotes)
                found.append((one.index, one.form))
        return found

    def verdicts(self, way: Way, values: Sequence[float] | None) -> list[Verdict]:
        """What the model says of each item, read in one way; ``values`` are the labels' worth, ``None`` of a choice."""
        name = ("direct" if way.turn == "cue" else "open") if way.read == "text" else _logits(way)
        return [self._verdict(k, way, values, self.features.missing.get(name, {})) for k in range(len(self.questions))]

    def _verdict(self, k: int, way: Way, values: Sequence[float] | None, missing: Mapping[str, str]) -> Verdict:
        item, question = self.features.ids[k], self.questions[k]
        if question is None or item in missing:
            return Verdict(item, unscored=missing.get(item, "it cannot be asked"))
        n, asked = len(question.prompt.labels), question.item
        if way.read == "text":
            index, form = self._free[k]
            return Verdict(item, unscored=form) if index is None else _verdict(asked, index, n, values)
        read = self.features[_logits(way)][k]
        logits = (read if read.ndim == 1 else read[1, -1])[:n].astype(np.float64)
        if way.read == "label" or values is None:
            return _verdict(asked, int(logits.argmax()), n, values)
        weights = np.exp(logits - logits.max())
        score = float(weights @ np.array(values) / weights.sum())
        nearest = min(values, key=lambda value: abs(value - score))
        return replace(_verdict(asked, list(values).index(nearest), n, values), score=score)


def _logits(way: Way) -> str:
    return "logits/score" if way.turn == "cue" else "logits/spaced" if way.spaced else "logits/bare"


def _verdict(item: Item, index: int, n: int, values: Sequence[float] | None) -> Verdict:
    if values is None:
        return Verdict(item.id, score=[float(k == index) for k in range(n)], label=index)
    said: Sequence[bool | float | str] = values
    if isinstance(item, Trace | Pair):
        said = (False, True) if isinstance(item, Trace) else ("a", "b")
    return Verdict(item.id, score=float(values[index]), label=said[index])


def values_of(kind: str, scale: tuple[int, int]) -> tuple[float, ...] | None:
    """Worth of each label of a kind of item; ``None`` for choices."""
    fixed: dict[str, tuple[float, ...] | None] = {"trace": (0, 1), "pair": (1, 0), "choice": None}
    return fixed[kind] if kind in fixed else tuple(range(scale[0], scale[1] + 1))


def ask(
    lm: LanguageModel, items: Sequence[Item], turn: Turn, passes: Passes, *, text: bool, swapped: bool = False,
    more: Sequence[Readout] = (), every_block: bool = False
) -> Features:  # fmt: skip
    """Ask every item in one turn: the logits of its labels as next tokens, and the text where one is wanted.

    ``swapped`` shows response b of a pair first (the labels name what was shown), ``more`` are readouts of the same
    pass for judges of hidden states, ``every_block`` keeps the labels' logits of every block as well. One reading of
    the prompts gives logits and ``text``. Returns ``logits/spaced`` and ``logits/bare``, ``[n, K]``: the model's own
    logits of the labels after a space and without one, missing where a label is not one token then; ``texts["open"]``
    where the model writes; the readouts of ``more``; with ``every_block`` also ``logits/score``, of bare labels where
    these are tokens.
    """
    items = prepared(lm.tokenizer, items, passes)
    questions = questions_of(items, turn, passes, swapped=swapped)
    alike = Alike(lm.tokenizer)
    encoded = [
        unreadable(item.id, item.group, "it cannot be asked") if q is None else encode_question(lm, q, turn, alike)
        for item, q in zip(items, questions, strict=True)
    ]
    what = f"asking ({_TURNS[turn]})"
    if text:

        def clear(k: int, said: str) -> bool:
            question = questions[k]
            return question is not None and answered_freely(said, question.prompt.labels, quotes=question.quotes)

        steps = passes.steps(what, len(items))
        features = written(lm, encoded, [LabelLogits(), *more], passes, "open", OPEN_TOKENS, clear, steps)
    else:
        features = extracted(lm, encoded, [LabelLogits(), *more], passes, what)
    return _by_spelling(features, questions, encoded, every_block=every_block)


def questions_of(items: Sequence[Item], turn: Turn, passes: Passes, *, swapped: bool = False) -> list[Question | None]:
    """:func:`question_of` each item; ``None`` where it cannot be asked."""
    found: list[Question | None] = []
    for item in items:
        try:
            found.append(question_of(item, turn, passes, swapped=swapped))
        except UnreadableError:
            found.append(None)
    return found


def question_of(item: Item, turn: Turn, passes: Passes, *, swapped: bool = False) -> Question:
    """The words in which an item is asked in one turn; ``UnreadableError`` if it cannot be (one option only)."""
    prompt = passes.ask(item, swapped=swapped)  # refuses too many options or too few
    options = item.options if isinstance(item, Choice) else ()
    if isinstance(item, Pair):
        options = tuple(map(plain_text, item.sides(swapped)))
    if turn == "plain":
        prompt = plain_prompt(item, scale=passes.scale, swapped=swapped)
    prompt = prompt if turn == "cue" else replace(prompt, cue="")
    return Question(item=item, prompt=prompt, options=options, quotes=isinstance(item, Pair))


def encode_question(lm: LanguageModel, question: Question, turn: Turn, alike: Alike) -> Encoding:
    """The prompt up to the verdict; ``label_ids`` are those of the labels after a space, then of the bare labels."""
    item, prompt, tokenizer = question.item, question.prompt, lm.tokenizer
    if broken := unfit(tokenizer, plain_text(prompt.turns)):
        return unreadable(item.id, item.group, broken)
    try:
        require_unrendered(tokenizer, prompt.asked, alike.frames)
        chat = None if turn == "plain" else render(tokenizer, prompt.turns, thinking=False, frames=alike.frames)
    except UnreadableError as error:
        return unreadable(item.id, item.group, str(error))
    if chat is None:
        begins = tokenizer("")["input_ids"][:1] == [tokenizer.bos_token_id] and bool(tokenizer.chat_template)
        first = tokenizer.bos_token if begins else ""
        stem = first + prompt.user
        judged = (len(first), len(stem))
        ids, _ = tokens(tokenizer, stem, judged)
        found = Encoding(id=item.id, group=item.group, ids=ids, positions={"score": (len(ids) - 1,)})
    else:
        # Without a cue no space opens the turn: labels are spelled with a space and without.
        stem = chat.text + (chat.glue if prompt.cue else chat.glue.rstrip(" ")) + prompt.cue
        judged = chat.judged
        found = encode_stem(tokenizer, item.id, item.group, prompt, chat, stem)
    spelled = [alike.labels.spelled(stem, prompt.labels, lead, judged) for lead in (" ", "")]
    there = tuple(one or (0,) * len(prompt.labels) for one in spelled)  # a place is kept for those that are none
    splits = {"spaced": "a label after a space", "bare": "a label without a space"}
    missing = {
        k: f"{why} is not one token here" for (k, why), one in zip(splits.items(), spelled, strict=True) if not one
    }
    return replace(found, label_ids=(*there[0], *there[1]), missing={**found.missing, **missing})


def _by_spelling(
    features: Features, questions: Sequence[Question | None], encoded: Sequence[Encoding], *, every_block: bool
) -> Features:
    """The model's own logits of each spelling apart, in place of those of every block unless these are wanted."""
    counts = [0 if q is None else len(q.prompt.labels) for q in questions]
    whole, spellings = "logits/score", ("spaced", "bare")
    logits, most = features[whole], max(counts, default=0)
    arrays = {name: array for name, array in features.arrays.items() if name not in (whole, "labels")}
    arrays["labels"] = np.array(counts, dtype=np.float32)
    missing = {name: reasons for name, reasons in features.missing.items() if name != whole}
    # What is kept -> the spellings that it may be of, the first that is one token.
    wanted = {"logits/spaced": (0,), "logits/bare": (1,)} | ({whole: (1, 0)} if every_block else {})
    for name, places in wanted.items():
        part, reasons = logits if name == whole else logits[:, 1, -1], dict(features.missing.get(whole, {}))
        arrays[name] = np.zeros((*part.shape[:-1], most), dtype=np.float32)
        for k, (item, n) in enumerate(zip(encoded, counts, strict=True)):
            place = next((place for place in places if spellings[place] not in item.missing), None)
            if place is None:
                reasons.setdefault(item.id, item.missing[spellings[places[0]]])
            elif item.id not in reasons:
                arrays[name][k, ..., :n] = part[k, ..., place * n : (place + 1) * n]
        missing |= {name: reasons} if reasons else {}
    seconds = {name: spent for name, spent in features.seconds.items() if name != whole or every_block}
    seconds |= {f"logits/{name}": features.seconds.get(whole, 0.0) for name in ("spaced", "bare")}
    return replace(features, arrays=arrays, missing=missing, seconds=seconds)
