"""What a judge costs: the prompts that it has asked for each item, and the tokens that the model reads and writes."""

from collections.abc import Sequence
from dataclasses import dataclass

from ...extraction.features import Features
from ...extraction.readouts import range_readout
from ...models.items import Item, Pair, Rating, Trace
from ...models.loading import LanguageModel
from ...models.positions import Alike, encode_trace
from ...models.tokens import tokens
from .passes import TEXT_NEEDS, Passes, prepared
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


def cost_of(
    lm: LanguageModel,
    items: Sequence[Item],
    needs: Sequence[str],
    features: Features,
    passes: Passes,
    turn: Turn = "cue",
) -> Cost:
    """What a judge with such needs costs an item, without what batches and shared beginnings save.

    ``features`` have the texts that were written, ``turn`` is how the prompts that ask for a verdict are put.
    """
    items = prepared(lm.tokenizer, items, passes)
    own = _OWN.get(type(items[0]), ()) if items else ()
    of_text = {name for name in needs if name in own or range_readout(name) is not None}
    wanted = {*needs} - of_text - TEXT_NEEDS - {"reasoned"}
    found = NOTHING
    alike = Alike(lm.tokenizer)
    if of_text:
        texts = [_as_trace(item) for item in items]
        lengths = [len(encode_trace(lm.tokenizer, t, markers=passes.markers, alike=alike).ids) for t in texts]
        found += Cost(1.0, sum(lengths) / len(items))
    if wanted:
        found += _asked(lm, items, turn, passes) + _written(lm, features, "direct" if "direct" in wanted else "")
    if "reasoned" in needs:
        found += _asked(lm, items, "open", passes) + _written(lm, features, "reasoned")
    return found


def cost_of_way(
    lm: LanguageModel, items: Sequence[Item], turn: Turn, features: Features, passes: Passes, *, text: bool
) -> Cost:
    """What it costs an item to be asked in one turn."""
    return _asked(lm, items, turn, passes) + (
        _written(lm, features, "direct" if turn == "cue" else "open") if text else NOTHING
    )


def _asked(lm: LanguageModel, items: Sequence[Item], turn: Turn, passes: Passes) -> Cost:
    alike = Alike(lm.tokenizer)
    asked = [q for q in questions_of(items, turn, passes) if q is not None]
    lengths = [len(encode_question(lm, q, turn, alike).ids) for q in asked]
    return Cost(len(asked) / max(len(items), 1), sum(lengths) / max(len(items), 1))


def _written(lm: LanguageModel, features: Features, name: str) -> Cost:
    texts = [text for text in features.texts.get(name, ()) if text]
    return Cost(0.0, sum(len(tokens(lm.tokenizer, text)[0]) for text in texts) / max(len(features), 1))


def _as_trace(item: Item) -> Trace:
    if isinstance(item, Trace):
        return item
    assert not isinstance(item, Pair)
    response = item.response if isinstance(item, Rating) else ""
    prompt = item.prompt if isinstance(item, Rating) else item.question
    return Trace(question_id=item.id, candidate_id="", prompt=prompt, response=response)
