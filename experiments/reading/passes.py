"""How the model is run over items, what is read of them, and what is checked before any is read."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ...extraction.provenance import WITHOUT_ABSTAIN
from ...models.arguments import checked_fields
from ...models.chat import render
from ...models.conversation import Conversation, Message
from ...models.errors import InnerjudgeError, UnreadableError
from ...models.items import Choice, Item, Pair, Rating, Trace
from ...models.markers import THINK
from ...models.prompts import Prompt, choice_prompt, pair_prompt, rating_prompt, require_scale, verdict_prompt
from ...models.tokens import FastTokenizer
from ...probes.judge import BaseJudge
from .judge_prompt import JudgePrompt
from .progress import Steps, silent

#: The items' own texts, for which no pass is needed.
TEXT_NEEDS = frozenset({"prompt", "response", "options", "answer", "steps", "spans"})
#: What is read at the place of the verdict.
VERDICT_NEEDS = frozenset({"hidden/score", "logits/score", "qk/before", "qk/after", "attention", "labels"})
#: What is read where the model is asked whether an answer is true, in a pass of its own, and its name elsewhere.
P_TRUE = {"logits/p-true": "logits/score", "qk/p-true": "qk/before"}
#: Everything but generated text, and what only items with steps of their own have.
HIDDEN_NEEDS = frozenset(
    {f"hidden/{p}" for p in ("prompt_end", "response_end", "reasoning_start", "reasoning_end")}
    | {"logprob", *VERDICT_NEEDS, *TEXT_NEEDS} - {"answer", "steps", "spans"}
)
#: What states in files are enough for.
GIVEN_NEEDS = HIDDEN_NEEDS - VERDICT_NEEDS - {"logprob"}
#: Generated text.
WRITTEN = frozenset({"direct", "reasoned"})

#: New tokens for a verdict that follows its cue, and for one after reasoning.
DIRECT_TOKENS = 8


def reads_reasoning(needs: Iterable[str]) -> bool:
    """Whether some of the names are of what the judge itself writes after reasoning."""
    return any(need == "reasoned" or "own_text" in need for need in needs)


@checked_fields
@dataclass(frozen=True, slots=True, kw_only=True)
class Passes:
    """How the model is run.

    Args:
        batch_size: Items a batch, within :attr:`.LanguageModel.memory`; four times as many while text is written.
        needs: Names of readouts and generations that are wanted; passes that give none of them are left out.
            ``None`` wants all.
        reasoning_tokens: Most new tokens of an answer after reasoning; 0 leaves reasoned text judging out.
        scale: Lowest and highest score of ratings.
        abstain: Whether choices are asked with "None of the above" and "I don't know" as their last two options, as in
            the QK-score paper.
        markers: Opening and closing reasoning marker.
        prompt: The judge prompt for items of its kind; ``None`` for our words. One for ratings brings its own scale.
        merge_system: Put a system turn before the user's where the model's chat template has none; otherwise such an
            item is unscored.
        steps: Where progress is shown.
        last_block: The block that passes stop after; ``None`` for whole passes, which alone have log-probabilities.
    """

    batch_size: int = 16
    needs: frozenset[str] | None = None
    reasoning_tokens: int = 128
    scale: tuple[int, int] = (1, 5)
    abstain: bool = True
    markers: tuple[str, str] = THINK
    prompt: JudgePrompt | None = None
    merge_system: bool = False
    steps: Steps = silent
    last_block: int | None = None

    def wants(self, *names: str) -> bool:
        """Whether any of ``names`` is wanted."""
        return self.needs is None or bool(self.needs.intersection(names))

    def __post_init__(self) -> None:
        if self.prompt is not None and self.prompt.kind == "rating":
            object.__setattr__(self, "scale", self.prompt.scale)
        require_scale(self.scale)
        if len(set(self.markers)) != 2 or not all(one.strip() for one in self.markers):
            raise InnerjudgeError(f"given the markers {self.markers!r:.80}, expected two different ones: {THINK}")
        if not self.reasoning_tokens and reads_reasoning(self.needs or ()):
            raise InnerjudgeError.of("reading.no-reasoning")

    @property
    def writing_batch(self) -> int:
        """Items a batch while text is written: each adds one token a step, so more fit than when texts are read."""
        return 4 * self.batch_size

    def told(self, kind: str) -> str:
        """:attr:`Provenance.prompt` of items of a kind that are asked this way."""
        own = "" if self.prompt is None or self.prompt.kind != kind else self.prompt.told
        return "; ".join(filter(None, (own, WITHOUT_ABSTAIN if kind == "choice" and not self.abstain else "")))

    def ask(self, item: Item, *, reasoned: bool = False, swapped: bool = False) -> Prompt:
        """The prompt that asks for the verdict on an item; ``swapped`` shows response b of a pair first.

        ``UnreadableError`` if it cannot be asked.
        """
        if isinstance(item, Trace) and item.unanswered:
            raise UnreadableError(item.unanswered)
        if self.prompt is not None and self.prompt.kind == type(item).__name__.lower():
            return self.prompt.ask(item, reasoned=reasoned, swapped=swapped, abstain=self.abstain)
        match item:
            case Trace():
                return verdict_prompt(item.prompt, item.response, reasoned=reasoned)
            case Rating(criterion=criterion, reference=reference):
                about: Any = {"criterion": criterion, "reference": reference, "scale": self.scale}
                return rating_prompt(item.prompt, item.response, **about, reasoned=reasoned)
            case Choice():
                return choice_prompt(item.question, item.options, abstain=self.abstain, reasoned=reasoned)
            case Pair():
                return pair_prompt(item.prompt, *item.sides(swapped), reasoned=reasoned)


def prepared(tokenizer: FastTokenizer, items: Sequence[Item], passes: Passes) -> Sequence[Item]:
    """The items, with system turns put before the user's if that is wanted and the template has no system turn."""
    if passes.merge_system:
        try:
            render(tokenizer, Conversation((Message("system", "s"), Message("user", "u"))), thinking=False)
        except UnreadableError:
            return [_merged(item) for item in items]
    return items


def as_trace(item: Item) -> Trace:
    """The item's own text: its prompt with its response, of a choice the question alone."""
    if isinstance(item, Trace):
        return item
    prompt = item.question if isinstance(item, Choice) else item.prompt
    response = item.response if isinstance(item, Rating) else ""
    return Trace(question_id=item.id, candidate_id="", prompt=prompt, response=response)


def check_prompt(tokenizer: FastTokenizer, passes: Passes, kind: str, judges: Sequence[BaseJudge] = ()) -> None:
    """Refuse, before any pass, a prompt for other items, or with labels that this tokenizer or judges do not have."""
    own = passes.prompt
    if own is not None:
        if own.kind != kind:
            raise InnerjudgeError.of("reading.other-kind", own.name, own.kind, kind)
        own.check(tokenizer)
    low, high = passes.scale
    n = {"rating": high - low + 1, "trace": 2, "pair": 2}.get(kind)
    for judge in judges:
        if n is not None and judge.n_values not in (None, n):
            raise InnerjudgeError.of("reading.other-values", judge, judge.n_values, kind, n)
        if own is not None and judge.verdict_labels not in (None, own.labels):
            labels = ", ".join(own.labels)
            raise InnerjudgeError.of("reading.other-labels", judge, own.name, labels, own.labels, own.cue)


def _merged(item: Item) -> Item:
    name = "question" if isinstance(item, Choice) else "prompt"
    given = getattr(item, name)
    merged: dict[str, Any] = {name: given.merged()} if isinstance(given, Conversation) else {}
    return replace(item, **merged)
