"""The four kinds of item as records: told apart by their fields, built from them, written back.

====== ==================================================== ======================================
kind   required fields                                      optional fields
====== ==================================================== ======================================
trace  ``question_id, candidate_id, prompt, response``      ``answer, correct``
rating ``item_id, prompt, response``                        ``criterion, reference, scores``
choice ``question_id, question, options``                   ``answer`` (0-based index)
pair   ``pair_id, prompt, response_a, response_b``          ``preference`` ("a", "b" or "tie")
====== ==================================================== ======================================
"""

from dataclasses import fields
from typing import Any

from ...models.errors import InnerjudgeError
from ...models.items import Choice, Item, Pair, Rating, Trace
from .meanings import check_meanings
from .records import Record

#: Required fields of each kind.
REQUIRED: dict[str, tuple[str, ...]] = {
    "trace": ("question_id", "candidate_id", "prompt", "response"),
    "rating": ("item_id", "prompt", "response"),
    "choice": ("question_id", "question", "options"),
    "pair": ("pair_id", "prompt", "response_a", "response_b"),
}
KINDS: dict[str, type[Item]] = {"trace": Trace, "rating": Rating, "choice": Choice, "pair": Pair}
_KNOWN = {kind: tuple(f.name for f in fields(made) if f.name != "extra") for kind, made in KINDS.items()}
_PREFERENCES = ("a", "b", "tie")


def kind_of(item: Item) -> str:
    """Name of an item's kind.

    Example:
        >>> kind_of(Rating(item_id="r1", prompt="Say hi.", response="hi"))
        'rating'
    """
    return next(kind for kind, made in KINDS.items() if isinstance(item, made))


def item_to_row(item: Item) -> dict[str, Any]:
    """The JSON object of an item, inverse of :func:`record_to_item`; absent optional fields are left out.

    Example:
        >>> item_to_row(Choice(question_id="c1", question="?", options=("x", "y"), answer=0, extra={"subject": "s"}))
        {'question_id': 'c1', 'question': '?', 'options': ['x', 'y'], 'answer': 0, 'subject': 's'}
    """
    kind = kind_of(item)
    clash = set(item.extra) & set(_KNOWN[kind])
    if clash:
        raise InnerjudgeError(f"{item.id}: given extra fields {sorted(clash)} that a {kind} has itself: rename them")
    values = {name: getattr(item, name) for name in _KNOWN[kind]}
    row = {k: list(v) if isinstance(v, tuple) else v for k, v in values.items() if v is not None}
    return row | dict(item.extra)


def kind_of_record(record: Record, kind: str | None = None, first: str = "") -> str:
    """Kind of a record by the fields that are there.

    Args:
        record: The record.
        kind: Kind of the file's first record, which the others must share; ``None`` for the first.
        first: Where the first record stands.

    Raises:
        InnerjudgeError: If the record is of another kind, of two kinds or of none. A record that lacks a field of the
            nearest kind passes; :func:`record_to_item` then names the field.

    Example:
        >>> kind_of_record(Record({"item_id": "r1", "prompt": "?", "response": "!"}, "line 1"))
        'rating'
    """
    missing = {k: [name for name in names if name not in record.values] for k, names in REQUIRED.items()}
    whole = [k for k, names in missing.items() if not names]
    if kind is not None:
        if missing[kind] and whole:
            raise InnerjudgeError(
                f"{record.where}: given a {whole[0]}, expected a {kind} as in {first}: keep one kind a file"
            )
        return kind
    if len(whole) > 1:
        odd = sorted(set(REQUIRED[whole[0]]) ^ set(REQUIRED[whole[1]]))
        raise InnerjudgeError(
            f"{record.where}: given the fields of a {whole[0]} and of a {whole[1]}, expected one kind: "
            f"rename one of {odd}"
        )
    best = min(REQUIRED, key=lambda k: (len(missing[k]), -len(REQUIRED[k])))
    if len(missing[best]) == len(REQUIRED[best]) or (missing[best] and len(missing[best]) > 2):
        table = "; ".join(f"{k}: {', '.join(names)}" for k, names in REQUIRED.items())
        raise InnerjudgeError(
            f"{record.where}: given fields {sorted(record.values)}, expected those of one kind ({table})"
        )
    return best


def record_to_item(record: Record, kind: str) -> Item:
    """Build the item of a record, checking every field; unknown fields go to ``extra``, those without a value too.

    Fields of :mod:`.meanings` are checked: a field of one's own must not have such a name.

    Example:
        >>> row = {"pair_id": "p", "prompt": "?", "response_a": "x", "response_b": "y", "hard": True}
        >>> record_to_item(Record(row, "line 1"), "pair").extra
        {'hard': True}
    """
    extra = {k: v for k, v in record.values.items() if k not in _KNOWN[kind]}
    check_meanings(record, kind, extra)
    return _BUILD[kind](record, extra)


def _trace(r: Record, extra: dict[str, Any]) -> Item:
    return Trace(
        question_id=r.label("question_id"),
        candidate_id=r.label("candidate_id"),
        prompt=r.text("prompt"),
        response=r.text("response"),
        answer=r.optional_text("answer"),
        correct=r.flag("correct") if r.has("correct") else None,
        extra=extra,
    )


def _rating(r: Record, extra: dict[str, Any]) -> Item:
    return Rating(
        item_id=r.label("item_id"),
        prompt=r.text("prompt"),
        response=r.text("response"),
        criterion=r.optional_text("criterion"),
        reference=r.optional_text("reference"),
        scores=r.numbers("scores") if r.has("scores") else None,
        extra=extra,
    )


def _choice(r: Record, extra: dict[str, Any]) -> Item:
    options = r.texts("options", at_least=2)
    answer = r.whole("answer", range(len(options))) if r.has("answer") else None
    return Choice(
        question_id=r.label("question_id"), question=r.text("question"), options=options, answer=answer, extra=extra
    )


def _pair(r: Record, extra: dict[str, Any]) -> Item:
    preference = r.optional_text("preference")
    if preference is not None and preference not in _PREFERENCES:
        raise r.error("preference", repr(preference), '"a", "b" or "tie"', "correct the value")
    return Pair(
        pair_id=r.label("pair_id"),
        prompt=r.text("prompt"),
        response_a=r.text("response_a"),
        response_b=r.text("response_b"),
        preference=preference,
        extra=extra,
    )


_BUILD = {"trace": _trace, "rating": _rating, "choice": _choice, "pair": _pair}
