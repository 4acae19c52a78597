"""What a judge costs: the prompts asked for each item, and the tokens that the model reads and writes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from ...extraction.features import Features
from ...extraction.readout_names import range_readout
from ...models.items import Item, Rating, Trace
from ...models.loading import LanguageModel
from ...models.positions import Alike, encode_trace
from ...models.tokens import tokens
from .judge_prompt import JudgePrompt
from .passes import P_TRUE, TEXT_NEEDS, Passes, as_trace, prepared, reads_reasoning
from .ways import Turn, encode_question, questions_of

#: What is read of the response itself, in a pass of its own.
_OWN = {
    Trace: ("hidden/prompt_end", "hidden/response_end", "hidden/reasoning_start", "hidden/reasoning_end", "logprob"),
    Rating: ("hidden/prompt_end", "logprob"),
}


@dataclass(frozen=True, slots=True)
class Cost:
    """Prompts and tokens an item; what several judges share is counted for each of them."""

    prompts: float
    tokens: float

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.prompts + other.prompts, self.tokens + other.tokens)


NOTHING = Cost(0.0, 0.0)


class CostCounter:
    """Counts what judges cost on some items, as if batches and shared beginnings saved nothing.

    What several judges are asked is counted for each of them, and rendered once.
    """

    def __init__(self, lm: LanguageModel, items: Sequence[Item], passes: Passes) -> None:
        self._lm, self._items, self._passes = lm, prepared(lm.tokenizer, items, passes), passes
        self._by_turn: dict[Turn, Cost] = {}

    def of(self, needs: Sequence[str], features: Features, turn: Turn = "cue") -> Cost:
        """What a judge with such needs costs an item.

        ``features`` hold the texts that were written, ``turn`` is the form of the prompts that ask for a verdict.
        """
        own = _OWN.get(type(self._items[0]), ()) if self._items else ()
        wrote = {name for name in needs if reads_reasoning([name])}
        again = any("own_text(" in name for name in wrote)  # what was written is read anew
        of_text = {name for name in needs if name in own or range_readout(name) is not None} - wrote
        wanted = {*needs} - of_text - TEXT_NEEDS - wrote - P_TRUE.keys() - ({"labels"} if again else set())
        found = self._text if of_text else NOTHING
        if not P_TRUE.keys().isdisjoint(needs):  # a prompt of its own
            own_words = replace(self._passes, prompt=JudgePrompt.of("p-true"))
            found += CostCounter(self._lm, self._items, own_words).asked("cue")
        if wanted:
            found += self.asked(turn) + _written(self._lm, features, "direct" if "direct" in wanted else "")
        said = "own_text" if "own_text" in features.texts else "reasoned"
        for _ in range(bool(wrote) + again):
            found += self.asked("open") + _written(self._lm, features, said)
        return found

    def of_way(self, turn: Turn, features: Features, *, text: bool) -> Cost:
        """What it costs an item to be asked in one turn."""
        written = _written(self._lm, features, "direct" if turn == "cue" else "open") if text else NOTHING
        return self.asked(turn) + written

    def asked(self, turn: Turn) -> Cost:
        """What the prompts of one turn cost an item."""
        if turn not in self._by_turn:
            alike, n = Alike(self._lm.tokenizer), max(len(self._items), 1)
            asked = [q for q in questions_of(self._items, turn, self._passes) if q is not None]
            lengths = [len(encode_question(self._lm, q, turn, alike).ids) for q in asked]
            self._by_turn[turn] = Cost(len(asked) / n, sum(lengths) / n)
        return self._by_turn[turn]

    @cached_property
    def _text(self) -> Cost:
        """What a pass over the response itself costs an item."""
        tokenizer, markers, texts = self._lm.tokenizer, self._passes.markers, map(as_trace, self._items)
        alike = Alike(tokenizer)
        lengths = [len(encode_trace(tokenizer, one, markers=markers, alike=alike).ids) for one in texts]
        return Cost(1.0, sum(lengths) / len(self._items))


def _written(lm: LanguageModel, features: Features, name: str) -> Cost:
    texts = [text for text in features.texts.get(name, ()) if text]
    return Cost(0.0, sum(len(tokens(lm.tokenizer, text)[0]) for text in texts) / max(len(features), 1))
