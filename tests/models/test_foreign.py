"""Bytes of others: within limits, or one clear refusal."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from innerjudge.models.errors import InnerjudgeError, quoted, shown
from innerjudge.models.foreign import DEPTH, parse_json, read_file, require_file


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("NaN", "no JSON number"),
        ("[Infinity]", "no JSON number"),
        ("1e999", "beyond the range of a float"),
        ("-1E+400", "beyond the range of a float"),
        ("9" * 400 + ".5", "beyond the range of a float"),
        ("9" * 400, "64 bits"),
        ("9" * 5000, "64 bits"),
        (str(2**64 + 1), "64 bits"),
        ("[" * (DEPTH + 1) + "]" * (DEPTH + 1), "nested deeper"),
        ('{"a":' * 100_000, "nested deeper"),
        ("[" * 100_000, "nested deeper"),
        ('"\\udc00"', "surrogate"),
        ('{"\\ud800": 1}', "surrogate"),
        (b"\xff", "UTF-8"),
        ("", "Expecting value"),
    ],
)
def test_json_that_is_refused(text: str | bytes, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_json(text)


def test_json_that_is_read() -> None:
    assert parse_json(str(2**64)) == 2**64
    assert parse_json("1e308") == 1e308
    assert parse_json('"\\ud83d\\ude00"') == "\U0001f600"
    assert parse_json("[" * DEPTH + "]" * DEPTH)
    assert parse_json(b'\xef\xbb\xbf{"a": [1, 2.5, null, "' + b"[" * 99 + b'"]}') == {"a": [1, 2.5, None, "[" * 99]}


def test_only_plain_files_are_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    assert read_file(tmp_path / "file", 5) == b"12345"
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "pipe")
    for name, said in (("pipe", "no regular file"), ("link", "no regular file"), (".", "a folder"), ("x", "cannot be")):
        with pytest.raises(InnerjudgeError, match=said):
            read_file(tmp_path / name)
    with pytest.raises(InnerjudgeError, match="no regular file"):
        require_file(Path("/dev/zero"))
    with pytest.raises(InnerjudgeError, match="expected at most 4"):
        read_file(tmp_path / "file", 4)


@pytest.mark.parametrize("hostile", ["\x1b]0;x\x07", "\r", "\x9b31m", "\u202e", "\u2028", "\ud800", "\x00", "\x7f"])
def test_what_is_shown_and_what_is_raised_moves_no_cursor(hostile: str) -> None:
    assert shown(f"a{hostile}b").isprintable()
    assert str(InnerjudgeError(f"given 'a{hostile}b'")).isprintable()
    assert str(InnerjudgeError("x" * 10_000)) == "x" * 4000 + "…"


def test_values_are_cut_before_they_are_written_out() -> None:
    class Counted(str):
        seen = 0

        def __repr__(self) -> str:
            Counted.seen += 1
            return "'c'"

    said = quoted([Counted("c")] * 100_000)
    assert said.startswith("['c', 'c', ")
    assert Counted.seen < 30
    assert quoted("a" * 100) == repr("a" * 60 + "…")
    assert shown(["\x1b[2J"]) == "['\\x1b[2J']"
