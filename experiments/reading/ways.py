"""Ways of asking a model what a text judge wants to know, and of reading what it says.

A model may say nothing of use behind one wording and be right behind another, so a text judge is only a fair opponent
when it is asked well. The turns: ``cue``, our words and the cue in the assistant's turn, which is what hidden-state
judges read; ``open``, the same words and the assistant's turn left open; ``plain``, no chat at all
(:mod:`~innerjudge.models.plain_prompts`). What is read: the next token among the labels, with a space before them or
without; its expected value; the text that the model writes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt

from ...extraction.features import Features
from ...extraction.readouts import LabelLogits
from ...extraction.writing.read_and_write import read_and_write
from ...models.chat import render
from ...models.errors import UnreadableError
from ...models.items import Choice, Item, Pair, Rating, Trace
from ...models.loading import LanguageModel
from ...models.plain_prompts import plain_choice, plain_pair, plain_rating, plain_verdict
from ...models.positions import Alike, Encoded, not_unicode, unreadable
from ...models.prompts import Prompt, choice_prompt, pair_prompt, rating_prompt, verdict_prompt
from ...models.tokens import tokens
from ...probes.free_text import answered_freely, find_answer
from ...probes.judge import Verdict
from ...probes.verdict_text import find_verdict
from .passes import Passes
from .verdict_pass import extracted

Turn = Literal["cue", "open", "plain"]
Floats = npt.NDArray[np.float64]
#: New tokens of a freely written answer.
OPEN_TOKENS = 24
_TURNS: dict[Turn, str] = {"cue": "cue in the turn", "open": "no cue", "plain": "plain text, no chat"}


@dataclass(frozen=True, slots=True)
class Way:
    """One way of asking, and of reading what is said.

    Args:
        turn: How the question is put.
        read: ``"text"`` reads what is written, ``"label"`` takes the likeliest label as the next token, ``"expected"``
            the expected value of the labels.
        spaced: Whether the labels have a space before them; a text has none.

    Example:
        >>> Way("open", "label", spaced=False).name
        'no cue, next label without a space'
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
    """The ways in which items of a kind are asked; the published one is the first.

    Example:
        >>> [len(ways_of(kind)) for kind in ("choice", "trace")]
        [7, 12]
    """
    reads: tuple[Literal["label", "expected"], ...] = ("label",) if kind == "choice" else ("label", "expected")
    labels = [
        Way(turn, read, spaced)
        for turn, spaced in (("cue", True), ("open", False), ("open", True), ("plain", True), ("plain", False))
        for read in reads
    ]
    return (PUBLISHED, Way("open", "text"), *labels)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What one item is asked in one turn.

    Args:
        item: The item.
        prompt: The words.
        options: Texts that the first labels stand for.
    """

    item: Item
    prompt: Prompt
    options: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Said:
    """What a model said to some items in one turn.

    Args:
        questions: What they were asked; ``None`` where an item cannot be asked.
        spaced: Logits of the labels with a space before them, ``[n, K]``; NaN where they are no single tokens.
        bare: Without a space.
        texts: What was written; ``None`` where nothing was.
        missing: Item id -> why it was not asked.
        prompts: Prompts that were asked.
        tokens: Tokens of the prompts and of the texts.
    """

    questions: Sequence[Question | None]
    ids: tuple[str, ...]
    spaced: Floats
    bare: Floats
    texts: tuple[str, ...] | None
    missing: Mapping[str, str]
    prompts: int
    tokens: int

    @cached_property
    def forms(self) -> list[str]:
        """How the answer in each text was found, or why there is none."""
        return [form for _, form in self._free] if self.texts is not None else []

    @cached_property
    def _free(self) -> list[tuple[int | None, str]]:
        found = []
        for question, text in zip(self.questions, self.texts or (), strict=True):
            if question is None:
                found.append((None, "not asked"))
                continue
            prompt = question.prompt
            if prompt.cue:
                index = find_verdict(text, prompt.labels)
                found.append((None, index) if isinstance(index, str) else (index, "opens the text"))
            else:
                one = find_answer(text, prompt.labels, options=question.options)
                found.append((one.index, one.form))
        return found

    def verdicts(self, way: Way, values: Sequence[float] | None) -> list[Verdict]:
        """What the model says of each item, read in one way.

        Args:
            way: How it is read.
            values: Worth of each label; ``None`` for the options of a choice.
        """
        return [self._verdict(k, way, values) for k in range(len(self.ids))]

    def _verdict(self, k: int, way: Way, values: Sequence[float] | None) -> Verdict:
        item, question = self.ids[k], self.questions[k]
        if question is None or item in self.missing:
            return Verdict(item, unscored=self.missing.get(item, "it cannot be asked"))
        labels = question.prompt.labels
        if way.read == "text":
            index, form = self._free[k]
            return Verdict(item, unscored=form) if index is None else _verdict(item, index, len(labels), values)
        logits = (self.spaced if way.spaced else self.bare)[k, : len(labels)]
        if np.isnan(logits).any():
            spelled = "a space and a label" if way.spaced else "a label"
            return Verdict(item, unscored=f"{spelled} is not one token here")
        if way.read == "label" or values is None:
            return _verdict(item, int(logits.argmax()), len(labels), values)
        weights = np.exp(logits - logits.max())
        score = float(weights @ np.array(values) / weights.sum())
        nearest = min(values, key=lambda value: abs(value - score))
        return replace(_verdict(item, list(values).index(nearest), len(labels), values), score=score)


def _verdict(item: str, index: int, n: int, values: Sequence[float] | None) -> Verdict:
    if values is None:
        return Verdict(item, score=[float(k == index) for k in range(n)], label=index)
    answers: tuple[bool | float | str, ...] = tuple(values)
    if tuple(values) == (0, 1):
        answers = (False, True)
    elif tuple(values) == (1, 0):
        answers = ("a", "b")
    return Verdict(item, score=float(values[index]), label=answers[index])


def values_of(kind: str, scale: tuple[int, int]) -> tuple[float, ...] | None:
    """Worth of each label of a kind of item.

    Example:
        >>> values_of("rating", (1, 3)), values_of("choice", (1, 3))
        ((1, 2, 3), None)
    """
    fixed: dict[str, tuple[float, ...] | None] = {"trace": (0, 1), "pair": (1, 0), "choice": None}
    return fixed[kind] if kind in fixed else tuple(range(scale[0], scale[1] + 1))


def ask(
    lm: LanguageModel, items: Sequence[Item], turn: Turn, passes: Passes, *, text: bool, swapped: bool = False
) -> Said:
    """Ask every item in one turn: the logits of its labels as next tokens, and the text where one is wanted.

    Args:
        lm: The model.
        items: Items of one kind.
        turn: How they are put.
        passes: How the model is run.
        text: Whether the model writes; one reading of the prompts gives both.
        swapped: Show response b of a pair first; the labels name what was shown.

    Example:
        >>> from innerjudge.models.loading import load
        >>> choice = Choice(question_id="c", question="Which is a fruit?", options=("iron", "pear"))
        >>> ask(load("reference"), [choice], "plain", Passes(), text=False).spaced.shape
        (1, 2)
    """
    questions: list[Question | None] = []
    encoded: list[Encoded] = []
    alike = Alike(lm.tokenizer)
    for item in items:
        try:
            question = question_of(item, turn, passes, swapped=swapped)
            questions.append(question)
            encoded.append(_encoded(lm, question, turn, alike))
        except UnreadableError as error:
            questions.append(None)
            encoded.append(unreadable(item.id, item.group, str(error)))
    what = f"asking ({_TURNS[turn]})"
    if text:
        features = read_and_write(
            lm,
            encoded,
            [LabelLogits()],
            name="text",
            max_new_tokens=OPEN_TOKENS,
            batch_size=passes.writing_batch,
            memory=passes.memory,
            settled=lambda k, said: (q := questions[k]) is not None and answered_freely(said, q.prompt.labels),
            on_batch=passes.steps(what, len(items)),
        )
    else:
        features = extracted(lm, encoded, [LabelLogits()], passes, what)
    return _said(lm, questions, encoded, features)


def question_of(item: Item, turn: Turn, passes: Passes, *, swapped: bool = False) -> Question:
    """The words in which an item is asked in one turn.

    Raises:
        UnreadableError: If it cannot be asked, such as a question of one option.
    """
    plain, scale = turn == "plain", passes.scale
    options: tuple[str, ...] = ()
    match item:
        case Choice():
            options = item.options
            ours = choice_prompt(item.question, options, abstain=passes.abstain)  # refuses too many or too few
            prompt = plain_choice(item.question, options) if plain else ours
        case Trace():
            make = plain_verdict if plain else verdict_prompt
            prompt = make(item.prompt, item.response)
        case Rating(criterion=criterion, reference=reference):
            prompt = rating_prompt(item.prompt, item.response, criterion=criterion, reference=reference, scale=scale)
            if plain:
                prompt = plain_rating(item.prompt, item.response, criterion=criterion, scale=scale)
        case Pair():
            a, b = (item.response_b, item.response_a) if swapped else (item.response_a, item.response_b)
            prompt = (plain_pair if plain else pair_prompt)(item.prompt, a, b)
    return Question(item=item, prompt=prompt if turn == "cue" else replace(prompt, cue=""), options=options)


def _encoded(lm: LanguageModel, question: Question, turn: Turn, alike: Alike) -> Encoded:
    """The prompt up to where the verdict stands; ``label_ids`` are of labels after a space, then of bare ones."""
    item, prompt, tokenizer = question.item, question.prompt, lm.tokenizer
    broken = not_unicode(prompt.user)
    if broken:
        return unreadable(item.id, item.group, broken)
    if turn == "plain":
        begins = tokenizer("")["input_ids"][:1] == [tokenizer.bos_token_id] and bool(tokenizer.chat_template)
        stem = (tokenizer.bos_token if begins else "") + prompt.user
    else:
        rendered = render(tokenizer, prompt.user, thinking=False, frames=alike.frames)
        stem = rendered.text + rendered.glue + prompt.cue
    ids, _ = tokens(tokenizer, stem)
    spelled = [alike.labels.spelled(stem, prompt.labels, lead) for lead in (" ", "")]
    there = tuple(one or (0,) * len(prompt.labels) for one in spelled)  # a place is kept for those that are none
    missing = {lead: "no single tokens" for lead, one in zip(("spaced", "bare"), spelled, strict=True) if not one}
    return Encoded(
        id=item.id,
        group=item.group,
        ids=ids,
        positions={"score": (len(ids) - 1,)},
        label_ids=(*there[0], *there[1]),
        missing=missing,
    )


def _said(
    lm: LanguageModel, questions: Sequence[Question | None], encoded: Sequence[Encoded], features: Features
) -> Said:
    counts = [0 if q is None else len(q.prompt.labels) for q in questions]
    logits = features["logits/score"][:, 1, -1].astype(np.float64)
    width = max(counts, default=0)
    found = {name: np.full((len(questions), width), np.nan) for name in ("spaced", "bare")}
    for k, (item, n) in enumerate(zip(encoded, counts, strict=True)):
        for place, name in enumerate(found):
            if n and name not in item.missing:
                found[name][k, :n] = logits[k, place * n : (place + 1) * n]
    texts = features.texts.get("text")
    missing = features.reasons("logits/score")
    asked = [item for item in encoded if item.id not in missing]
    written = sum(len(tokens(lm.tokenizer, one)[0]) for one in texts or () if one)
    return Said(
        questions=questions,
        ids=features.ids,
        spaced=found["spaced"],
        bare=found["bare"],
        texts=texts,
        missing=missing,
        prompts=len(asked),
        tokens=sum(len(item.ids) for item in asked) + written,
    )
