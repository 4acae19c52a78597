"""What verdict labels are worth, and which answers they stand for."""

from collections.abc import Sequence

import numpy as np

from ..models.errors import InnerjudgeError

Answer = bool | int | float | str


def checked_values(
    values: Sequence[float], answers: Sequence[Answer] | None
) -> tuple[tuple[float, ...], tuple[Answer, ...] | None]:
    """Values and answers of a scale as tuples; at least two distinct values, as many answers.

    Example:
        >>> checked_values([1, 0], ["a", "b"])
        ((1, 0), ('a', 'b'))
    """
    plain = tuple(v.item() if isinstance(v, np.generic) else v for v in values)
    names = None if answers is None else tuple(answers)
    if len(set(plain)) < 2 or not np.isfinite(plain).all() or (names is not None and len(names) != len(plain)):
        raise InnerjudgeError(
            f"given values={plain} and answers={names}, expected at least two different numbers and one answer each"
        )
    return plain, names


def default_answers(values: tuple[float, ...]) -> tuple[Answer, ...]:
    """Labels that verdicts carry where none were given: the values, and booleans for ``(0, 1)``.

    Example:
        >>> default_answers((0, 1)), default_answers((1, 2))
        ((False, True), (1, 2))
    """
    return (False, True) if values == (0, 1) else values


def kinds_of_values(values: Sequence[float], answers: Sequence[Answer] | None) -> tuple[str, ...]:
    """Kinds of item that a judge on these values reads, the one that it is made for first.

    Answers "a" and "b" compare the two responses of a pair; 0 and 1 say no and yes; other values are grades.

    Example:
        >>> kinds_of_values((0, 1), None)[0], kinds_of_values((1, 2, 3), None)[0], kinds_of_values((1, 0), ("a", "b"))
        ('trace', 'rating', ('pair',))
    """
    if "a" in (() if answers is None else tuple(answers)):
        return ("pair",)
    return ("trace", "rating", "pair") if set(values) == {0, 1} else ("rating", "pair", "trace")
