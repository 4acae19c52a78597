"""The same items in another form: options in another order, the two responses of a pair on their own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..models.items import Choice, Pair, Rating


def permuted(choices: Sequence[Choice], *, seed: int) -> tuple[list[Choice], list[tuple[int, ...]]]:
    """Each question with its option texts in another order, and the orders.

    Order ``p`` puts option ``p[j]`` at place ``j``. It is never the identity where the options are at least two
    (QK-score paper, permutation accuracy; one permutation an item).

    Example:
        >>> c = Choice(question_id="c", question="?", options=("x", "y"), answer=0)
        >>> (one,), (order,) = permuted([c], seed=0)
        >>> one.options, one.answer, order
        (('y', 'x'), 1, (1, 0))
    """
    rng = np.random.default_rng(seed)
    moved, orders = [], []
    for c in choices:
        order = rng.permutation(len(c.options))
        while len(order) > 1 and (order == np.arange(len(order))).all():
            order = rng.permutation(len(c.options))
        answer = None if c.answer is None else int(np.flatnonzero(order == c.answer)[0])
        options = tuple(c.options[j] for j in order)
        moved.append(Choice(question_id=c.id, question=c.question, options=options, answer=answer, extra=c.extra))
        orders.append(tuple(int(j) for j in order))
    return moved, orders


def responses(pairs: Sequence[Pair]) -> list[Rating]:
    """Both responses of every pair as an item each, ``<pair_id>/a`` and ``<pair_id>/b``, for point-wise judges.

    ``extra["preferred"]`` says whether it is the response that people preferred, where they preferred one.

    Example:
        >>> pair = Pair(pair_id="p", prompt="Say hi.", response_a="hi", response_b="no", preference="a")
        >>> [(one.id, one.extra["preferred"]) for one in responses([pair])]
        [('p/a', True), ('p/b', False)]
    """
    return [
        Rating(
            item_id=f"{p.id}/{side}",
            prompt=p.prompt,
            response=text,
            extra={"question_id": p.id} | ({"preferred": p.preference == side} if p.preference in ("a", "b") else {}),
        )
        for p in pairs
        for side, text in (("a", p.response_a), ("b", p.response_b))
    ]
