"""Rows that a long run writes in batches: a killed run goes on after its last whole batch, to the same file."""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from ...models.errors import InnerjudgeError
from ...models.foreign import HALF, parse_sealed, replacing, sealed
from ..data.jsonl import write_jsonl


class PartFile:
    """The rows of a job so far, beside its output as ``OUT.part``, whose first line says which job that is.

    ``out`` is the JSONL file that the job makes, ``job`` the identity of the job, and ``size`` how many rows are added
    at a time: a batch that was cut short is dropped. Rows of ``other`` jobs are an ``InnerjudgeError``, or dropped.
    """

    def __init__(self, out: Path, job: str, size: int, *, other: Literal["refuse", "drop"] = "refuse") -> None:
        self._out, self._path = out, out.with_name(f"{out.name}.part")
        self._header = json.dumps(sealed({"job": job}))
        self.rows: list[dict[str, Any]] = self._read(size, other)

    def add(self, rows: Sequence[dict[str, Any]]) -> None:
        """Append rows."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        if not self._path.is_file():
            self._path.write_text(f"{self._header}\n", encoding="utf-8")
        with self._path.open("a", encoding="utf-8") as file:
            placed = (sealed({"place": k, "row": row}) for k, row in enumerate(rows, start=len(self.rows)))
            file.writelines(json.dumps(one, ensure_ascii=False, allow_nan=False) + "\n" for one in placed)
        self.rows += rows

    def finish(self) -> None:
        """Write the output whole."""
        write_jsonl(self._out, self.rows)
        forget(self._out)

    def _read(self, size: int, other: str) -> list[dict[str, Any]]:
        if not self._path.is_file():
            return []
        first, *lines = self._path.read_text(encoding="utf-8", errors="replace").split("\n")[:-1] or [""]
        try:
            if parse_sealed(first.encode()) and first != self._header:
                if other == "drop":
                    raise ValueError("rows of another job")
                raise InnerjudgeError.of("runs.other-part", self._out, self._path.name)
        except ValueError:
            lines = []  # of another job, or of nobody knows which: all are made again
        rows = list(_whole(lines))
        rows = rows[: len(rows) // size * size]
        with replacing(self._path) as half:
            half.write_text("".join(f"{line}\n" for line in (self._header, *lines[: len(rows)])), encoding="utf-8")
        return rows


def forget(out: Path) -> None:
    """Delete the rows so far, once all that is made of them is written; also those that a killed run left beside it."""
    for end in (".part", f".part{HALF}", ".drafts", f".drafts{HALF}"):
        out.with_name(f"{out.name}{end}").unlink(missing_ok=True)


def _whole(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Rows up to the first that is not as it was written: what follows is made again."""
    with suppress(ValueError, KeyError, TypeError):
        for place, line in enumerate(lines):
            held = parse_sealed(line.encode())
            if held["place"] != place:
                return
            yield held["row"]
