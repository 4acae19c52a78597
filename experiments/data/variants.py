"""The same items in another form: options in another order, responses of a pair on their own or on drawn sides."""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, overload

import numpy as np

from ...models.arguments import checked
from ...models.items import Choice, Pair, Rating
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


class Responses(Sequence[Rating]):
    """Both responses of every pair as an item each, ``<pair_id>/a`` and ``<pair_id>/b``, for point-wise judges.

    ``extra["preferred"]`` says whether it is the response that people preferred, where they preferred one.
    """

    def __init__(self, pairs: Sequence[Pair]) -> None:
        self.pairs = pairs

    def __len__(self) -> int:
        return 2 * len(self.pairs)

    @overload
    def __getitem__(self, index: int) -> Rating: ...

    @overload
    def __getitem__(self, index: slice) -> list[Rating]: ...

    def __getitem__(self, index: int | slice) -> Rating | list[Rating]:
        """One response, or those of a slice; their pairs are made into responses when they are asked for."""
        if isinstance(index, slice):
            return [self[k] for k in range(len(self))[index]]
        if not -len(self) <= index < len(self):
            raise IndexError(f"given response {index} of {len(self)}")
        pair, side = divmod(index % len(self), 2)
        return _sides(self.pairs[pair])[side]

    def __iter__(self) -> Iterator[Rating]:
        for pair in self.pairs:
            yield from _sides(pair)


def _sides(p: Pair) -> tuple[Rating, Rating]:
    a, b = (
        Rating(
            item_id=f"{p.id}/{side}",
            prompt=p.prompt,
            response=text,
            extra={"question_id": p.group}
            | ({"preferred": p.preference == side} if p.preference in ("a", "b") else {}),
        )
        for side, text in (("a", p.response_a), ("b", p.response_b))
    )
    return a, b


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
