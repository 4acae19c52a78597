"""The four kinds of item as records: told apart by their fields, built from them, written back.

====== ==================================================== ======================================
kind   required fields                                      optional fields
====== ==================================================== ======================================
trace  ``question_id, candidate_id, prompt, response``      ``answer, correct, steps, step_labels,``
                                                            ``first_error``
rating ``item_id, prompt, response``                        ``criterion, reference, scores``
choice ``question_id, question, options``                   ``answer`` (0-based index)
pair   ``pair_id, prompt, response_a, response_b``          ``preference`` ("a", "b" or "tie")
====== ==================================================== ======================================

Prompts, questions and responses are strings or lists of messages (:mod:`~innerjudge.models.conversation`).
"""

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from typing import Any

from ...models.conversation import Conversation
from ...models.errors import InnerjudgeError, quoted, shown
from ...models.items import Choice, Item, Pair, Rating, Trace
from .records import Record, describe, known_rows

#: Required fields of each kind.
REQUIRED: dict[str, tuple[str, ...]] = {
    "trace": ("question_id", "candidate_id", "prompt", "response"),
    "rating": ("item_id", "prompt", "response"),
    "choice": ("question_id", "question", "options"),
    "pair": ("pair_id", "prompt", "response_a", "response_b"),
}
KINDS: dict[str, type[Item]] = {"trace": Trace, "rating": Rating, "choice": Choice, "pair": Pair}
#: Fields of each kind, required and optional.
KNOWN = {kind: tuple(f.name for f in fields(made) if f.name != "extra") for kind, made in KINDS.items()}
_PREFERENCES = ("a", "b", "tie")
_MADE = (Conversation, tuple)


def kind_of(item: Item) -> str:
    """Name of an item's kind."""
    return next(kind for kind, made in KINDS.items() if isinstance(item, made))


def item_to_row(item: Item) -> dict[str, Any]:
    """The JSON object of an item, inverse of :func:`record_to_item`; absent optional fields are left out."""
    kind = kind_of(item)
    clash = set(item.extra) & set(KNOWN[kind])
    if clash:
        raise InnerjudgeError(f"{item.id}: given extra fields {sorted(clash)} that a {kind} has itself: rename them")
    row = {name: value for name in KNOWN[kind] if (value := getattr(item, name)) is not None}
    row |= {k: v.to_json() if isinstance(v, Conversation) else list(v) for k, v in row.items() if isinstance(v, _MADE)}
    return row | dict(item.extra)


def kind_of_record(record: Record, kind: str | None = None, first: str = "") -> str:
    """Kind of a record, by its fields; records after the ``first`` of a file must share its ``kind``.

    A record of another kind, of two kinds or of none is an error. One that lacks a field of the nearest kind passes;
    :func:`record_to_item` then names the field.
    """
    missing = {k: [name for name in names if name not in record.values] for k, names in REQUIRED.items()}
    whole = [k for k, names in missing.items() if not names]
    if kind is not None:
        if missing[kind] and whole:
            raise InnerjudgeError.of("data.other-kind", record.where, whole[0], kind, first)
        return kind
    if len(whole) > 1:
        odd = sorted(set(REQUIRED[whole[0]]) ^ set(REQUIRED[whole[1]]))
        raise InnerjudgeError.of("data.two-kinds", record.where, whole[0], whole[1], odd)
    if not whole and (known := known_rows(record.values)):
        raise InnerjudgeError(f"{record.where}: given {known}")
    best = min(REQUIRED, key=lambda k: (len(missing[k]), -len(REQUIRED[k])))
    if len(missing[best]) == len(REQUIRED[best]) or (missing[best] and len(missing[best]) > 2):
        table = "; ".join(f"{k}: {', '.join(names)}" for k, names in REQUIRED.items())
        raise InnerjudgeError.of("data.fields", record.where, shown(sorted(record.values), 500), table)
    return best


def record_to_item(record: Record, kind: str) -> Item:
    """Build the item of a record, checking every field; unknown fields go to ``extra``, those without a value too.

    A field of the user's own must not have a name that means something here (:func:`check_meanings`).
    """
    extra = {k: v for k, v in record.values.items() if k not in KNOWN[kind]}
    check_meanings(record, kind, extra)
    known = {name: read(record, name) for name, read in _FIELDS[kind].items()}
    try:
        return KINDS[kind](**known, extra=extra)
    except InnerjudgeError as error:  # fields that do not fit one another
        raise InnerjudgeError(f"{record.where}: {error}") from None


def flag_of(r: Record, name: str) -> bool | None:
    """True or false, also as 1 and 0; ``None`` without a value."""
    value = r.values.get(name)
    if isinstance(value, int | float) and value in (0, 1):
        return bool(value)
    return r.flag(name) if r.has(name) else None


def _preference(r: Record, name: str) -> str | None:
    value = r.optional_text(name)
    if value is not None and value not in _PREFERENCES:
        raise r.error(name, quoted(value), '"a", "b" or "tie"', "correct the value")
    return value


def _as_is(r: Record, name: str) -> Any:
    return r.values.get(name)


_ID, _OPTIONAL, _ASKED, _SAID = Record.label, Record.optional_text, Record.prompt, Record.response
#: How each field of a kind is read.
_FIELDS: dict[str, dict[str, Callable[[Record, str], Any]]] = {
    "trace": {
        "question_id": _ID, "candidate_id": _ID, "prompt": _ASKED, "response": _SAID, "answer": _OPTIONAL,
        "correct": flag_of, "steps": _as_is, "step_labels": _as_is, "first_error": _as_is,
    },
    "rating": {
        "item_id": _ID, "prompt": _ASKED, "response": _SAID, "criterion": _OPTIONAL, "reference": _OPTIONAL,
        "scores": lambda r, name: r.numbers(name) if r.has(name) else None,
    },
    "choice": {
        "options": lambda r, name: r.texts(name, at_least=2),
        "answer": lambda r, name: r.whole(name, range(len(r.texts("options", at_least=2)))) if r.has(name) else None,
        "question_id": _ID, "question": _ASKED,
    },
    "pair": {
        "preference": _preference, "pair_id": _ID, "prompt": _ASKED, "response_a": _SAID, "response_b": _SAID,
    },
}  # fmt: skip

#: Token ids are below this in every vocabulary.
_IDS = 1 << 31
_RENAME = "correct it, or give a field of your own another name"


def check_meanings(record: Record, kind: str, extra: Mapping[str, Any]) -> None:
    """Refuse an extra field whose name means something here, but whose value does not fit; null counts as absent.

    A field of the user's own that happens to have such a name would otherwise be taken for what it is not.
    """
    for name, (kinds, expected, fits) in MEANINGS.items():
        value = extra.get(name)
        if value is not None and kind in kinds and not fits(value):
            plain = isinstance(value, str | int | float) or (isinstance(value, list) and len(value) < 5)
            raise record.error(name, quoted(value) if plain else describe(value), expected, _RENAME)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0


def _is_scale(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(map(_is_number, value)) and bool(value[0] < value[1])


def _are_flags(value: Any) -> bool:
    return isinstance(value, list) and all(one is None or isinstance(one, bool) for one in value)


def are_ids(value: Any) -> bool:
    """Whether a value is a list of possible token ids."""
    return isinstance(value, list) and all(type(one) is int and 0 <= one < _IDS for one in value)


#: Kinds of one answer to something asked.
_ANSWERS = ("trace", "rating")
#: Fields beside those of a kind that mean something: of which kinds, what is expected, and what fits.
MEANINGS: dict[str, tuple[tuple[str, ...], str, Callable[[Any], bool]]] = {
    "question_id": (("rating",), "the name of a question", lambda name: type(name) in (str, int)),
    "scale": (("rating",), "the lowest score and a higher one, such as [1, 5]", _is_scale),
    "p_correct": (("trace",), "a number from 0 to 1, how surely it is right", lambda p: _is_number(p) and 0 <= p <= 1),
    "sample_weight": (_ANSWERS, "a weight in the fit, a number of 0 or more", lambda w: _is_number(w) and w >= 0),
    "span_labels": (("trace",), "true, false or null for each of its spans, in a list", _are_flags),
    "quality": (_ANSWERS, "a number, higher for better among the answers to its question", _is_number),
    "n_correct": (("trace",), "how many answers to the question are right, a whole number", _is_count),
    "n_sampled": (("trace",), "of how many answers, a whole number of 1 or more", lambda n: _is_count(n) and n > 0),
    "response_ids": (("trace",), "a list of token ids, such as [5, 17]", are_ids),
    "sampled_by": (("trace",), "the fingerprint of a model, a string", lambda value: isinstance(value, str)),
}


def hash_of(parts: Iterable[str | bytes]) -> str:
    """First 16 digits of a SHA-256 over parts, each set apart from the next."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        digest.update(f"{len(data)}:".encode())
        digest.update(data)
    return digest.hexdigest()[:16]


def hash_item(item: Item) -> str:
    """Hash of an item's kind and fields, those that are kept unread among them."""
    return hash_of([kind_of(item), json.dumps(item_to_row(item), sort_keys=True)])


def hash_items(items: Iterable[Item]) -> str:
    """Hash of items in order, to tell whether a name still stands for the same items."""
    return hash_of(hash_item(item) for item in items)
