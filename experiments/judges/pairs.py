"""Turn what a caller has (a prompt and a response, a question and its options) into items, or say why not."""

from collections.abc import Callable, Sequence
from typing import Any, NotRequired, TypedDict

import numpy as np

from ...models.conversation import Conversation, Text, as_prompt, as_response, plain_text
from ...models.errors import InnerjudgeError
from ...models.items import Choice, Item, Pair, Rating, Trace
from ...probes import Verdict

#: Kind of a judge -> what it reads. Responses of pairs are read one by one, as rated responses.
ITEMS: dict[str, type[Item]] = {"trace": Trace, "rating": Rating, "pair": Rating, "choice": Choice}

#: Characters for each token of the context beyond which a text is not even put into tokens (ordinary text has 4 or so).
MOST_CHARACTERS = 64


def is_single(pairs: object) -> bool:
    """Whether this is one pair or item, and not a list of them."""
    if isinstance(pairs, Trace | Rating | Choice | Pair):
        return True
    if not isinstance(pairs, list | tuple | np.ndarray) or len(pairs) != 2:
        return False
    first, second = pairs
    if isinstance(first, list) and first and all(isinstance(one, dict) and "role" in one for one in first):
        first = Conversation(())
    return isinstance(first, str | Conversation) and not isinstance(second, tuple)  # a pair behind a stray string


def as_list(given: object, what: str) -> list[Any]:
    """A list of ``what``; a string, which is a sequence too, is refused, and so is what cannot be iterated over."""
    if isinstance(given, str | bytes | dict) or not hasattr(given, "__iter__"):
        raise InnerjudgeError(f"given a {type(given).__name__}, expected a list of {what}: write [it] for one")
    return list(given)


def items_of_pairs(
    pairs: Sequence[Any], kind: str, *, context: int | None, criterion: str | None = None
) -> tuple[list[Item], list[int], dict[int, str]]:
    """Items of those entries that can be judged, their places in ``pairs``, and place -> reason for the others.

    Entries are items, or pairs ``(prompt, response)``, each a text or messages; for ``kind="choice"`` ``(question,
    options)``. ``context`` is the most tokens that the model reads. ``InnerjudgeError`` for an item of another kind.
    """
    items: list[Item] = []
    places: list[int] = []
    reasons: dict[int, str] = {}
    for place, pair in enumerate(pairs):
        if isinstance(pair, Trace | Rating | Choice | Pair):
            if not isinstance(pair, ITEMS[kind]):
                raise InnerjudgeError.of("judges.item", type(pair).__name__, kind, ITEMS[kind].__name__)
            item: Item | str = pair
        else:
            item = _made(pair, str(place), ITEMS[kind], criterion)
        reason = item if isinstance(item, str) else _too_long(item, context)
        if reason is not None:
            reasons[place] = reason
        elif not isinstance(item, str):
            items.append(item)
            places.append(place)
    return items, places, reasons


def _made(pair: Any, place: str, made: type[Item], criterion: str | None) -> Item | str:
    if not isinstance(pair, list | tuple | np.ndarray) or len(pair) != 2:
        return f"given a {type(pair).__name__}, expected a pair of two strings"
    try:
        prompt = _text(pair[0], "prompt", as_prompt)
        if made is Choice:
            return Choice(question_id=place, question=prompt, options=_options(pair[1]))
        response = _text(pair[1], "response", as_response)
    except InnerjudgeError as error:
        return str(error)
    if made is Trace:
        return Trace(question_id=place, candidate_id="", prompt=prompt, response=response)
    return Rating(item_id=place, prompt=prompt, response=response, criterion=criterion)


def _text(given: Any, what: str, read: Callable[[object, str], Text]) -> Text:
    """A text or a conversation; an engine's output of a request has its text as ``text``."""
    said = getattr(given, "text", None)
    given = said if isinstance(said, str) else given
    if not isinstance(given, str | list | dict | tuple | Conversation):
        raise InnerjudgeError(f"the {what} is of type {type(given).__name__}, not a string or a list of messages")
    return read(given, f"the {what}")


def _options(given: Any) -> tuple[str, ...]:
    if isinstance(given, str) or not isinstance(given, Sequence | np.ndarray):
        raise InnerjudgeError(f"the options are a {type(given).__name__}, not a list of strings")
    odd = next((k for k, option in enumerate(given) if not isinstance(option, str)), None)
    if odd is not None:
        raise InnerjudgeError(f"option {odd} is of type {type(given[odd]).__name__}, not a string")
    return tuple(given)


def _too_long(item: Item, context: int | None) -> str | None:
    if isinstance(item, Choice):
        length = len(plain_text(item.question)) + sum(map(len, item.options))
    else:
        assert isinstance(item, Trace | Rating)
        length = len(plain_text(item.prompt)) + len(plain_text(item.response))
    if context is None or length <= MOST_CHARACTERS * context:
        return None
    return f"{length} characters, far more than the model's context of {context} tokens holds; not cut"


class Ranked(TypedDict):
    """One candidate: its place in the list given, its score (``None`` with ``unscored``, the reason), and its text."""

    corpus_id: int
    score: float | None
    text: NotRequired[Any]
    unscored: NotRequired[str]


def ranked(
    verdicts: Sequence[Verdict], documents: Sequence[Any], top_k: int | None, return_documents: bool
) -> list[Ranked]:
    """Best first, ties in the order given, unscored ones last; at most ``top_k``.

    Example:
        >>> said = [Verdict("0", score=0.1), Verdict("1", unscored="empty"), Verdict("2", score=0.9)]
        >>> for one in ranked(said, ["a", "b", "c"], None, True):
        ...     print(one)
        {'corpus_id': 2, 'score': 0.9, 'text': 'c'}
        {'corpus_id': 0, 'score': 0.1, 'text': 'a'}
        {'corpus_id': 1, 'score': None, 'text': 'b', 'unscored': 'empty'}
    """
    found: list[Ranked] = []
    for place, verdict in enumerate(verdicts):
        assert not isinstance(verdict.score, list)
        found.append({"corpus_id": place, "score": verdict.score})
        if return_documents:
            found[-1]["text"] = documents[place]
        if verdict.unscored is not None:
            found[-1]["unscored"] = verdict.unscored
    found.sort(key=lambda one: (one["score"] is None, -(one["score"] or 0.0)))
    return found[:top_k]


def of_options(verdict: Verdict, n: int) -> list[Verdict]:
    """Verdicts of the ``n`` options of one question; the abstain lines after them are left out."""
    scores = verdict.score if isinstance(verdict.score, list) else [None] * n
    return [Verdict(str(k), score=scores[k], unscored=verdict.unscored) for k in range(n)]


def check_top_k(top_k: object) -> None:
    """Refuse anything but ``None`` or a number of at least 1."""
    if top_k is not None and (not isinstance(top_k, int) or top_k < 1):
        raise InnerjudgeError(f"given top_k={top_k!r}, expected at least 1: leave it out for all")
