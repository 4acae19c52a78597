"""The same items in another form: options in another order, responses of a pair on their own or on drawn sides."""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from ...models.arguments import checked
from ...models.items import Choice, Pair, Rating
from .item_lines import MadeItems
from .kinds import hash_of
from .records import Record


@checked
def permuted(choices: Sequence[Choice], *, seed: int) -> tuple[list[Choice], list[tuple[int, ...]]]:
    """Each question with its option texts in another order, and the orders.

    Order ``p`` puts option ``p[j]`` at place ``j``. It is never the identity if there are at least two options
    (QK-score paper, permutation accuracy; one permutation an item).

    Example:
        >>> c = Choice(question_id="c", question="?", options=("x", "y"), answer=0)
        >>> (one,), (order,) = permuted([c], seed=0)
        >>> one.options, one.answer, order
        (('y', 'x'), 1, (1, 0))
    """
    found = list(permutations(choices, seed=seed))
    return [moved for moved, _ in found], [order for _, order in found]


def permutations(choices: Iterable[Choice], *, seed: int) -> Iterator[tuple[Choice, tuple[int, ...]]]:
    """:func:`permuted`, one question after another: memory holds one."""
    rng = np.random.default_rng(seed)
    for c in choices:
        order = rng.permutation(len(c.options))
        while len(order) > 1 and (order == np.arange(len(order))).all():
            order = rng.permutation(len(c.options))
        answer = None if c.answer is None else int(np.flatnonzero(order == c.answer)[0])
        options = tuple(c.options[j] for j in order)
        moved = Choice(question_id=c.id, question=c.question, options=options, answer=answer, extra=c.extra)
        yield moved, tuple(int(j) for j in order)


class Responses(MadeItems[Rating]):
    """Both responses of every pair as an item each, ``<pair_id>/a`` and ``<pair_id>/b``, for point-wise judges.

    ``extra["preferred"]`` says whether it is the response that people preferred, where they preferred one.
    """

    def __init__(self, pairs: Sequence[Pair]) -> None:
        self.pairs = pairs

    def __len__(self) -> int:
        return 2 * len(self.pairs)

    def made(self, rows: range) -> Iterator[Rating]:
        """The responses at these rows."""
        # Of all of them, pairs are taken one after the other: where they lie in a file, it is read once.
        every = (p for p in self.pairs for _ in "ab") if rows == range(len(self)) else None
        for row, p in zip(rows, every or (self.pairs[row // 2] for row in rows), strict=True):
            side = "ab"[row % 2]
            known = {"preferred": p.preference == side} if p.preference in ("a", "b") else {}
            text, extra = (p.response_a, p.response_b)[row % 2], {"question_id": p.group, **known}
            yield Rating(item_id=f"{p.id}/{side}", prompt=p.prompt, response=text, extra=extra)


def with_sides(record: Record, seed: int = 0) -> dict[str, Any]:
    """A row whose ``chosen`` and ``rejected`` are responses a and b, drawn by seed and texts.

    Where these are lists of messages, those before the last are the prompt.
    """
    values = dict(record.values)
    answers: list[Any] = []
    for name in ("chosen", "rejected"):
        record.response(name)  # says what is missing, or no answer
        said = values.pop(name)
        if isinstance(said, list) and len(said) > 1:
            if answers and values.get("prompt") != said[:-1]:
                raise record.error(
                    name, "messages before the last that are not those of chosen", "one prompt", "drop it"
                )
            values["prompt"], said = said[:-1], said[-1:]
        answers.append(said)
    first = int(hash_of([str(seed), *map(json.dumps, answers)])[-1], 16) % 2
    return values | {"response_a": answers[first], "response_b": answers[1 - first], "preference": "ab"[first]}
