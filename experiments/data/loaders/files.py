"""Files of records: a JSON list, or a JSON object, or one JSON object a line."""

from pathlib import Path
from typing import Any

from ....models.errors import InnerjudgeError
from ....models.foreign import parse_json, read_file
from ..records import Record, describe


def read_text(path: Path) -> str:
    """Text of a UTF-8 file, line ends as they are."""
    try:
        return read_file(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InnerjudgeError(f"{path.name}: given bytes that are not UTF-8 ({error.reason}), expected UTF-8") from None


def read_list(path: Path) -> list[Record]:
    """Records of a file that holds one JSON list of objects; they count from 1."""
    value = _parse(read_text(path), path.name)
    if not isinstance(value, list):
        raise InnerjudgeError(
            f"{path.name}: given {describe(value)}, expected a list of records: check loader and path"
        )
    return [Record.of(one, f"{path.name} record {k}") for k, one in enumerate(value, start=1)]


def read_table(path: Path) -> dict[str, Record]:
    """Named records of a file that holds one JSON object of objects."""
    value = _parse(read_text(path), path.name)
    if not isinstance(value, dict):
        raise InnerjudgeError(
            f"{path.name}: given {describe(value)}, expected an object of records: check loader and path"
        )
    return {name: Record.of(one, f"{path.name} record {name!r}") for name, one in value.items()}


def read_lines(path: Path) -> list[Record]:
    """Records of a file with one JSON object a line; places are line numbers, blank lines are skipped."""
    lines = enumerate(read_text(path).split("\n"), start=1)
    places = [(line, f"{path.name} record {number}") for number, line in lines if line.strip()]
    return [Record.of(_parse(line, where), where) for line, where in places]


def _parse(text: str, where: str) -> Any:
    try:
        return parse_json(text)
    except ValueError as error:
        raise InnerjudgeError(f"{where}: given broken JSON ({error}), expected JSON: check loader and path") from None
