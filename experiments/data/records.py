"""One record of an input file, read field by field; every refusal names the place and the field."""

import math
import re
import tomllib
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...models.conversation import Text, as_prompt, as_response
from ...models.errors import InnerjudgeError, shown


def describe(value: object) -> str:
    """Say in words what a JSON value is."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    names: dict[type, str] = {str: "a string", int: "a number", float: "a number", list: "a list", dict: "an object"}
    return names.get(type(value), f"a {type(value).__name__}")


@dataclass(frozen=True, slots=True)
class Record:
    """The fields of one record and where it stands, such as ``"data.jsonl line 3"``.

    A field that is ``null`` counts as absent where it is optional. ``columns`` says what the input calls a field.
    """

    values: Mapping[str, Any]
    where: str
    columns: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, value: object, where: str) -> "Record":
        """Wrap a parsed JSON value that must be an object."""
        if not isinstance(value, dict):
            raise InnerjudgeError(f"{where}: given {describe(value)}, expected an object with named fields: {{...}}")
        return cls(value, where)

    def error(self, name: str, given: str, expected: str, do: str) -> InnerjudgeError:
        """The error for one field: what was given, what was expected, what to do."""
        column = f" (column {shown(self.columns[name])!r})" if name in self.columns else ""
        return InnerjudgeError(f"{self.where}: field {shown(name)!r}{column}: given {given}, expected {expected}: {do}")

    def has(self, name: str) -> bool:
        """Whether the field is there and not null."""
        return self.values.get(name) is not None

    def _typed(self, name: str, kinds: type | tuple[type, ...], expected: str, do: str) -> Any:
        """The value of a field that must be there and of one of ``kinds``; true and false are no numbers."""
        if name not in self.values:
            raise self.error(name, "nothing", expected, "add the field")
        value = self.values[name]
        if not isinstance(value, kinds) or (isinstance(value, bool) and kinds is not bool):
            raise self.error(name, describe(value), expected, do)
        return value

    def text(self, name: str) -> str:
        """A string, empty allowed."""
        plain = isinstance(self.values.get(name), int | float)
        hint = "put the value in quotes" if plain else "write the value as one string"
        return str(self._typed(name, str, "a string", hint))

    def prompt(self, name: str) -> Text:
        """A string, or messages that end with what the assistant answers."""
        return _text(self, name, as_prompt)

    def response(self, name: str) -> Text:
        """A string, or messages that end with the assistant's."""
        return _text(self, name, as_response)

    def label(self, name: str) -> str:
        """A string that is not empty: an id."""
        if not (value := self.text(name)):
            raise self.error(name, "an empty string", "an id", "give every record a name of its own")
        return value

    def optional_text(self, name: str) -> str | None:
        """A string, or ``None`` where absent."""
        return self.text(name) if self.has(name) else None

    def flag(self, name: str) -> bool:
        """``true`` or ``false``."""
        return bool(self._typed(name, bool, "true or false", "write true or false without quotes"))

    def whole(self, name: str, allowed: Collection[int]) -> int:
        """A whole number out of ``allowed``."""
        span = f"a whole number from {allowed.start} to {allowed.stop - 1}" if isinstance(allowed, range) else ""
        expected = span or f"one of {', '.join(map(str, allowed))}"
        value = self._typed(name, int, expected, "write the number without quotes or decimals")
        if value not in allowed:
            raise self.error(name, str(value), expected, "correct the number")
        return int(value)

    def number(self, name: str, low: float, high: float) -> float:
        """A number from ``low`` to ``high``."""
        expected = f"a number from {low} to {high}"
        value = self._typed(name, (int, float), expected, "write the number without quotes")
        if not low <= value <= high:
            raise self.error(name, str(value), expected, "correct the number or the loader")
        return float(value)

    def numbers(self, name: str) -> tuple[float, ...]:
        """A list of at least one finite number."""
        expected = "a list of at least one number"
        value = self._typed(name, list, expected, "write it as [4, 5]")
        if not value:
            raise self.error(name, "an empty list", expected, "leave the field out where there is no score")
        for one in value:
            if isinstance(one, bool) or not isinstance(one, int | float):
                raise self.error(name, f"a list with {describe(one)}", expected, "write each score as a number")
            if not math.isfinite(one):
                raise self.error(name, f"a list with {one}", "finite numbers", "correct the number")
        return tuple(float(one) for one in value)

    def texts(self, name: str, *, at_least: int = 0) -> tuple[str, ...]:
        """A list of strings."""
        expected = f"a list of at least {at_least} strings" if at_least else "a list of strings"
        value = self._typed(name, list, expected, 'write it as ["one", "two"]')
        odd = next((one for one in value if not isinstance(one, str)), None)
        if odd is not None or None in value:
            raise self.error(name, f"a list with {describe(odd)}", expected, "put every entry in quotes")
        if len(value) < at_least:
            raise self.error(name, f"a list of {len(value)}", expected, "add the missing entries")
        return tuple(value)

    def records(self, name: str) -> "list[Record]":
        """A list of objects inside this record, at least one."""
        expected = "a list of at least one object"
        value = self._typed(name, list, expected, "write it as [{...}]")
        if not value:
            raise self.error(name, "an empty list", expected, "leave the row out")
        return [Record.of(one, f"{self.where}, in {name!r}, entry {k}") for k, one in enumerate(value, start=1)]

    def inner(self, name: str) -> "Record":
        """An object inside this record."""
        value = self._typed(name, dict, "an object with named fields", "write it as {...}")
        return Record(value, f"{self.where}, in {name!r}")


def _text(record: Record, name: str, read: Callable[[object, str], Text]) -> Text:
    if not isinstance(record.values.get(name), list | dict):
        return record.text(name)
    return read(record.values[name], f"{record.where}: field {shown(name)!r}")


_KNOWN = tomllib.loads(Path(__file__).with_name("known.toml").read_text("utf-8"))
#: What people call the fields: for the advice only, since nobody but them knows.
_OFTEN: dict[str, list[str]] = _KNOWN["often"]
#: First bytes of files that are tables, and no plain lines of JSON, and of files that are none -> what they are.
_FILES, _FOREIGN = ({start.encode(): what for start, what in _KNOWN[name].items()} for name in ("files", "foreign"))
FIELDS_OF_KINDS = (
    "trace: prompt, response, and correct where it is known; rating: prompt, response, scores; choice: question, "
    "options; pair: prompt, response_a, response_b, or prompt, chosen, rejected"
)


def known_rows(fields: Iterable[str]) -> str:
    """What rows with these fields are, and what to write instead; empty for unknown rows."""
    found = next((row for row in _KNOWN["rows"] if {*fields} >= {*row["fields"]}), None)
    return "" if found is None else f"{found['what']}, expected an item: write {found['write']}"


def not_known(columns: Iterable[str], has: set[str], where: str) -> InnerjudgeError:
    """The error for rows with these columns, which are the fields ``has``: what they are, or could be taken for."""
    if known := known_rows(columns):
        return InnerjudgeError(f"{where}: given {known}")
    guessed: dict[str, str] = {}
    for name, often in _OFTEN.items():
        one = next((one for one in often if one in has and one not in guessed.values()), None)
        guessed |= {} if one is None or name in has else {name: one}
    if not guessed.keys() & {"prompt", "response", "options"}:
        guessed = {"prompt": "QUESTION", "response": "ANSWER"}
    typed = " ".join(f"--map {k}={v}" for k, v in guessed.items())
    return InnerjudgeError.of("data.columns", where, shown(", ".join(columns)), FIELDS_OF_KINDS, guessed, typed)


def known_file(start: bytes) -> str:
    """What a file with these first bytes is, where it is a table but no plain lines of JSON, and who reads it."""
    what = begun_as(start, _FILES)
    return what and (
        f"{what}, expected JSONL: items are read from it by --data, load_data and items_from; other rows become "
        "lines by pandas, to_json(FILE, orient='records', lines=True)"
    )


def begun_as(start: bytes, known: Mapping[bytes, str] = _FOREIGN) -> str:
    """What a file with these first bytes is, and what to do; of those that are no tables, or of others."""
    return next((what for pattern, what in known.items() if re.match(pattern, start)), "")
