"""Fields beside those of a kind that mean something here: what they must hold, checked where the line is read.

A field of the user's own that happens to have such a name would otherwise be taken for what it is not.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

from .records import Record, describe

#: Token ids are below this in every vocabulary.
_IDS = 1 << 31
_RENAME = "correct it, or give a field of your own another name"


def check_meanings(record: Record, kind: str, extra: Mapping[str, Any]) -> None:
    """Refuse a field with a meaning that holds something else; null counts as absent.

    Raises:
        InnerjudgeError: Names the place and the field.

    Example:
        >>> from ...models.errors import InnerjudgeError
        >>> row = {"item_id": "r", "prompt": "?", "response": "!", "scale": [5, 1]}
        >>> try:
        ...     check_meanings(Record(row, "r.jsonl line 2"), "rating", {"scale": [5, 1]})
        ... except InnerjudgeError as error:
        ...     print(error)
        r.jsonl line 2: field 'scale': given [5, 1], expected the lowest score and a higher one, such as [1, 5]: \
correct it, or give a field of your own another name
    """
    for name, (kinds, expected, fits) in _MEANINGS.items():
        value = extra.get(name)
        if value is not None and kind in kinds and not fits(value):
            plain = isinstance(value, str | int | float) or (isinstance(value, list) and len(value) < 5)
            raise record.error(name, f"{value!r:.60}" if plain else describe(value), expected, _RENAME)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_scale(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(map(_is_number, value)) and bool(value[0] < value[1])


def _is_name(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool))


def are_ids(value: Any) -> bool:
    """Whether a value is a list of what a vocabulary may hold.

    Example:
        >>> are_ids([5, 17]), are_ids([-1]), are_ids([1.5]), are_ids(5)
        (True, False, False, False)
    """
    return isinstance(value, list) and all(type(one) is int and 0 <= one < _IDS for one in value)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


_MEANINGS: dict[str, tuple[tuple[str, ...], str, Callable[[Any], bool]]] = {
    "question_id": (("rating",), "the name of a question", _is_name),
    "scale": (("rating",), "the lowest score and a higher one, such as [1, 5]", _is_scale),
    "response_ids": (("trace",), "a list of token ids, such as [5, 17]", are_ids),
    "sampled_by": (("trace",), "the fingerprint of a model, a string", _is_text),
}
