"""Rows with any columns, read as items: which column is which field, and what the rows leave out."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from ...models.arguments import checked
from ...models.errors import InnerjudgeError, shown
from ...models.foreign import parse_json
from ...models.items import Item
from .jsonl import check_unique
from .kinds import KINDS, KNOWN, MEANINGS, REQUIRED, kind_of, kind_of_record, record_to_item
from .records import FIELDS_OF_KINDS, Record, not_known
from .tables import records_of
from .variants import with_sides

#: Columns that stand for a field of a kind where the field itself is not there.
_ALSO = {("choice", "options"): "choices", ("choice", "question"): "prompt", ("rating", "scores"): "score"}
#: What a column may be taken for.
_FIELDS = {"chosen", "rejected", "score", "choices", *MEANINGS, *(one for names in KNOWN.values() for one in names)}
#: Fields that are numbers, which a CSV file has as text.
_COUNTED = ("p_correct", "sample_weight", "n_correct", "n_sampled", "quality", "first_error")
#: Fields that are lists, which a CSV file has as JSON.
_LISTS = ("scores", "options", "scale", "steps", "step_labels")
#: Fields of which the text NaN, which pandas may write into a CSV file, is no value.
_NUMBERS = ("correct", "scores", "preference")
#: Fields of rows whose conversation is none of their own; its columns, and what ShareGPT calls who speaks.
_OWN_TEXTS = {"prompt", "response", "outputs", "question", "options", "choices", "chosen", "rejected", "response_a"}
_TALKS, _SPEAKERS = ("messages", "conversations"), {"human": "user", "gpt": "assistant"}
_FLAGS = {"true": True, "1": True, "1.0": True, "false": False, "0": False, "0.0": False}


@checked
def items_from(
    data: Any, columns: Mapping[str, str] | None = None, kind: str | None = None, *, seed: int = 0
) -> list[Item]:
    """Items of a table: a file of any usual form, a data frame, a data set, or a list of dicts.

    - pair: ``prompt, chosen, rejected``, or ``prompt, response_a, response_b`` with ``preference`` (a, b or tie);
    - choice: ``question, options`` (also ``choices``) with ``answer`` (index from 0, letter, or text);
    - rating: ``prompt, response, scores`` (also ``score``) with ``criterion, reference, question_id``;
    - trace: ``prompt, response`` with ``correct, answer, question_id, candidate_id``, and ``steps, step_labels,
      first_error``, of which lists may be JSON texts.

    Prompts and responses are texts or lists of messages; of a conversation in a column ``messages`` (OpenAI) or
    ``conversations`` (ShareGPT), the assistant's last message is the response to those before it. Missing ids are made
    up: rows with one prompt belong to one question; other rows are numbered. Which of ``chosen`` and ``rejected``
    becomes response a is drawn for each pair from ``seed`` and its texts. Columns that are no field go to ``extra``.

    Args:
        data: A path or a pattern (CSV, TSV, Parquet, JSON, JSONL; also ``.gz`` and ``.zst``; a folder that ``datasets``
            saved); a frame of pandas or polars; a ``datasets.Dataset``; a pyarrow table; a list of dicts; columns.
        columns: Field -> column, where their names differ; ``"doc.question"`` is inside the column ``doc``.
        kind: ``"trace"``, ``"rating"``, ``"choice"`` or ``"pair"``, where the columns do not say.
        seed: Draws the sides of ``chosen`` and ``rejected``.

    Raises:
        InnerjudgeError: Names the file, row, column and value; or the columns, where they fit no kind. Also for
            duplicate ids, or no rows.

    Example:
        >>> rows = [{"question": "1+1?", "output": one, "right": one == "2"} for one in ("2", "3")]
        >>> for item in items_from(rows, columns={"prompt": "question", "response": "output", "correct": "right"}):
        ...     print(item.id, item.correct)
        q1/1 True
        q1/2 False
    """
    if isinstance(data, list | tuple) and data and all(isinstance(one, tuple(KINDS.values())) for one in data):
        given = ", ".join(sorted({type(one).__name__ for one in data}))
        if "," in given or columns or (kind and kind != kind_of(data[0])):
            raise InnerjudgeError.of("data.mixed-items", given)
        check_unique(data, [f"item {number}" for number in range(1, len(data) + 1)])
        return list(data)
    shape: Shape | None = None
    items: list[Item] = []
    places: list[str] = []
    questions: dict[str, str] = {}
    candidates: Counter[str] = Counter()
    for record in rows_of(data, columns):
        shape = shape or shape_of(record, columns, kind)
        values = shape.read(record, seed)
        _number(values, shape, len(items) + 1, questions, candidates)
        items.append(record_to_item(Record(values, record.where, shape.columns), shape.kind))
        places.append(record.where)
    if not items:
        raise InnerjudgeError("given no items, expected at least one")
    check_unique(items, places)
    return items


def rows_of(data: Any, columns: Mapping[str, str] | None = None) -> Iterator[Record]:
    """The rows of a table; a conversation that ``columns`` does not name is split into prompt and response."""
    for record in records_of(data):
        talk = next((name for name in _TALKS if name in record.values), None)
        given = columns or {}
        mapped = {"prompt", "response"} & {*given} or talk in {column.split(".")[0] for column in given.values()}
        yield record if talk is None or mapped or _OWN_TEXTS & record.values.keys() else _parted(record, talk)


def _parted(record: Record, talk: str) -> Record:
    many = [{k: v for k, v in one.values.items() if k != "weight"} for one in record.records(talk)]
    if all("from" in one and "value" in one for one in many):
        many = [{"role": _SPEAKERS.get(str(one["from"]), one["from"]), "content": one["value"]} for one in many]
    last = max((k for k, one in enumerate(many) if one.get("role") == "assistant"), default=0)
    if not last:
        do = f"leave the row out, or name the columns, such as --map prompt={talk} --map response=ANSWER"
        raise record.error(talk, "no answer of the assistant behind a question", "one", do)
    rest = {name: value for name, value in record.values.items() if name != talk}
    return Record({"prompt": many[:last], "response": [many[last]]} | rest, record.where)


def _number(
    values: dict[str, Any], shape: "Shape", row: int, questions: dict[str, str], candidates: Counter[str]
) -> None:
    """Ids that the rows do not have; ratings and pairs of one prompt get a question as well."""
    made, trace = shape.made, shape.kind == "trace"
    if (trace and "question_id" in made) or (made & {"item_id", "pair_id"} and values.get("question_id") is None):
        same = json.dumps(values.get("prompt"), sort_keys=True)
        values["question_id"] = questions.setdefault(same, f"q{len(questions) + 1}")
    if "candidate_id" in made:
        candidates[str(values.get("question_id"))] += 1
        values["candidate_id"] = str(candidates[str(values.get("question_id"))])
    elif not trace:
        values |= dict.fromkeys(made, f"{shape.kind[0]}{row}")


@dataclass(frozen=True, slots=True)
class Shape:
    """How rows are read: their kind, the column of each field, the ids to make up, and where the first row stands."""

    kind: str
    names: Mapping[str, str]
    made: frozenset[str]
    first: str

    @property
    def columns(self) -> dict[str, str]:
        """Columns whose names are not those of their fields."""
        return {k: v for k, v in self.names.items() if k != v}

    def read(self, record: Record, seed: int) -> dict[str, Any]:
        """The fields of a row as items have them, beside the columns that are no field."""
        given = {name: _inside(record.values, column) for name, column in self.names.items()}
        given = {k: v for k, v in given.items() if v is not None or self.names[k] in record.values}
        named = Record(given, record.where, self.columns)
        values = {name: _read(named, name, self.kind) for name in given}
        if "chosen" in self.names:
            values = with_sides(Record(values, record.where, self.columns), seed)
        for name, value in record.values.items():
            if name not in self.names.values():
                values[f"{name} (column)" if name in KNOWN[self.kind] else name] = value
        late = next((name for name in self.made if values.get(name) is not None), None)
        if late is not None:
            raise named.error(late, "an id", f"none as in {self.first}", "give every row its id, or none")
        return values


def shape_of(first: Record, columns: Mapping[str, str] | None = None, kind: str | None = None) -> Shape:
    """How the rows behind this one are read; errors as in :func:`items_from`."""
    wanted = dict(columns or {})
    for name, column in wanted.items():
        if name not in _FIELDS:
            raise InnerjudgeError.of("data.no-field", shown(name), ", ".join(sorted(_FIELDS)), near(name, _FIELDS))
        if column not in first.values and _inside(first.values, column) is None:
            known, meant = shown(", ".join(first.values)), near(column, first.values)
            raise InnerjudgeError.of("data.no-column", first.where, shown(column), name, known, meant)
    has = {name: name for name in first.values if name not in wanted.values()} | wanted
    found = kind or _kind(first, has)
    if found not in KINDS:
        raise InnerjudgeError(f"given kind={kind!r}, expected one of {', '.join(KINDS)}")
    own = {*KNOWN[found], *(name for name, (kinds, *_) in MEANINGS.items() if found in kinds)}
    own |= {"chosen", "rejected"} if found == "pair" and has.keys() >= {"chosen", "rejected"} else set()
    names = {name: name for name in sorted(own) if name not in wanted.values()} | wanted
    for (of, name), column in _ALSO.items():
        if of == found and name not in has and column in has:
            names[name] = names.pop(column, has[column])
    odd = next((name for name in names if name not in own), None)
    if odd is not None:
        raise InnerjudgeError.of("data.odd-field", first.where, odd, found, FIELDS_OF_KINDS)
    ids = [name for name in REQUIRED[found] if name.endswith("_id")]
    there = {name for name, column in names.items() if _inside(first.values, column) is not None}
    return Shape(found, names, frozenset(ids) - there, first.where)


def near(name: str, known: Iterable[str], do: str = "check the name") -> str:
    """The end of a message: what somebody may have meant, or what to do."""
    found = get_close_matches(name, known, 1)
    return f": did you mean {shown(found[0])!r}?" if found else f": {do}"


def _kind(first: Record, names: Mapping[str, str]) -> str:
    """The kind that the fields say, or an error with the columns and what could be meant by them."""
    has = names.keys()
    if any(has >= set(names) for names in REQUIRED.values()):
        return kind_of_record(Record(dict.fromkeys(has), first.where))
    if has >= {"chosen", "rejected"} or has >= {"prompt", "response_a", "response_b"}:
        return "pair"
    if has & {"options", "choices"} and has & {"question", "prompt"}:
        return "choice"
    if has >= {"prompt", "response"}:
        rated = has & {"scores", "score", "item_id", "criterion", "reference"}
        return "rating" if rated and not has & {"correct", "candidate_id"} else "trace"
    raise not_known(first.values, set(has), first.where)


def _inside(values: Any, column: str) -> Any:
    """The value of a column, or of a path such as ``doc.question`` or ``answers.0`` within one."""
    if isinstance(values, Mapping) and column in values:
        return values[column]
    for part in column.split("."):
        if isinstance(values, list):
            values = {str(k): one for k, one in enumerate(values)}
        values = values.get(part) if isinstance(values, Mapping) else None
    return values


def _read(record: Record, name: str, kind: str) -> Any:
    """The value of a field as an item has it: numbers for ids and texts, text for numbers and lists (CSV)."""
    value = record.values.get(name)  # an option's answer may stand in a row without options
    numbers = name in (*_NUMBERS, *_COUNTED) or (name, kind) == ("answer", "choice")
    if value is None or (numbers and str(value).strip().lower() == "nan"):
        return None
    if name == "correct":
        if (flag := _FLAGS.get(str(value).lower())) is None:
            raise record.error(name, repr(shown(value, 60)), "true or false, or 1 or 0", "correct the value")
        return flag
    if name in _LISTS and isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = parse_json(value)
        except ValueError as error:
            raise record.error(name, f"a list that is no JSON ({error})", "a list", 'write ["one", "two"]') from None
    if name == "scores":
        return [_number_of(record, name, one) for one in (value if isinstance(value, list) else [value])]
    if name == "options" and isinstance(value, list):
        return [_text_of(one) for one in value]
    if name == "answer" and kind == "choice":
        return _option(record, value)
    if name == "preference" and isinstance(value, str):
        return value.lower().removeprefix("model_")
    if (name in _COUNTED and isinstance(value, str)) or name == "first_error":
        number = _number_of(record, name, value)
        return int(number) if isinstance(number, float) and number.is_integer() else number
    return _text_of(value) if name.endswith("_id") or name not in MEANINGS else value


def _text_of(value: Any) -> Any:
    """A number as text, a whole one without decimals; all else as it is."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    return str(int(value)) if value == int(value) else str(value)


def _number_of(record: Record, name: str, value: Any) -> Any:
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        raise record.error(name, repr(shown(value, 60)), "a number", "correct it, or leave it empty") from None


def _option(record: Record, value: Any) -> Any:
    """The index of the right option: given as such, as a letter, or as the option's text."""
    options = _read(record, "options", "choice")
    if isinstance(value, float) and value == int(value):
        return int(value)
    if not isinstance(value, str) or not isinstance(options, list):
        return value
    found = [k for k, one in enumerate(options) if value in (one, chr(ord("A") + k))]
    # A number may be an index, and the text of another option: it is not for us to choose.
    whole = value.removesuffix(".0")  # as pandas writes a column of indices in which some are missing
    number = int(whole) if whole.isdecimal() and len(whole) < 9 else None
    found += [number] if number is not None and (number < len(options) or not found) else []
    if len(set(found)) != 1:
        raise record.error(
            "answer", repr(shown(value, 60)), "one option: its index from 0, its letter, or its text", "correct it"
        )
    return found[0]
