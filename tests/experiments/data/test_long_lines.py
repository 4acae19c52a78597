"""A line of 10 MB costs little memory, whichever way it is read."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from innerjudge.experiments.data.jsonl import parse_item
from innerjudge.experiments.data.mapping import items_from
from innerjudge.models.errors import InnerjudgeError
from innerjudge.models.items import Rating

SIZE = 10_000_000
#: What the text of such a line is made of; escaped where the last character is written as ``\\u1234``.
TEXTS = {
    "plain": ("word ", False),
    "numbers": ("123456789012345678 ", False),
    "Cyrillic": ("слово ", False),
    "pictures": ("😀", False),
    "escaped pictures": ("😀", True),
}
#: Looks at the small file once, then at each long line: how many bytes the process held beyond what it did before.
#: Of the first one features are extracted as well.
LOOKING = """
import ctypes, gc, resource, sys
from pathlib import Path
resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
from innerjudge.experiments.cli.main import main
from innerjudge.experiments.data.datasets import hash_data, load_data
def held(name):
    return int(Path("/proc/self/status").read_text().split(f"{name}:")[1].split()[0]) * 1024
def typed(*words):
    sys.argv = ["innerjudge", *words]
    try:
        main()
    except SystemExit as end:
        assert not end.code, end.code
def look(path):
    hash_data(load_data(path))
    typed("look", path)
    if path in extracted:
        typed("extract", "--data", path, "--out", path + ".out")
small, *long = sys.argv[1:]
extracted = [small, long[0]]
look(small)
for path in long:
    gc.collect(), ctypes.CDLL("libc.so.6").malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    before = held("VmRSS")
    look(path)
    print("HELD", held("VmHWM") - before)
"""


def line(path: Path, text: str, *, escaped: bool = False) -> str:
    row = {"item_id": "r", "prompt": "Say hi.", "response": text, "scores": [3]}
    path.write_text(json.dumps(row, ensure_ascii=escaped) + "\n", encoding="utf-8")
    return str(path)


@pytest.mark.skipif(sys.platform != "linux", reason="memory is counted by Linux")
def test_a_line_of_ten_megabytes(forks: Any, tmp_path: Path) -> None:
    paths = [line(tmp_path / "small.jsonl", "hi")]
    for k, (word, escaped) in enumerate(TEXTS.values()):
        each = len(json.dumps(word, ensure_ascii=escaped).encode()) - 2
        paths.append(line(tmp_path / f"{k}.jsonl", word * (SIZE // each), escaped=escaped))
    with forks.begin(f"import sys\nsys.argv = {['-c', *paths]!r}\n{LOOKING}", tmp_path) as ended:
        told, errors = ended.communicate()
    assert ended.returncode == 0, errors[-2000:]
    held = [int(one.split()[1]) for one in told.splitlines() if one.startswith("HELD")]
    found = dict(zip(TEXTS, held, strict=True))
    assert {name: most for name, most in found.items() if most > 100e6} == {}


@pytest.mark.skipif(sys.platform != "linux", reason="memory is counted by Linux")
def test_one_wide_character_in_ten_megabytes(forks: Any, tmp_path: Path) -> None:
    """Python would hold 40 MB for it, several times over: the line is refused by its bytes, before it is a text."""
    paths = [line(tmp_path / "small.jsonl", "hi")]
    for name, escaped in (("plain", False), ("escaped", True)):
        paths.append(line(tmp_path / f"{name}.jsonl", "word " * 2_000_000 + "😀", escaped=escaped))
    looking = LOOKING.replace("assert not end.code, end.code", "pass").replace("hash_data(load_data(path))", "pass")
    looking = looking.replace("[small, long[0]]", "sys.argv[1:]")
    with forks.begin(f"import sys\nsys.argv = {['-c', *paths]!r}\n{looking}", tmp_path) as ended:
        told, errors = ended.communicate()
    assert ended.returncode == 0, errors[-2000:]
    for name in ("plain", "escaped"):
        said = [one for one in errors.splitlines() if f"{name}.jsonl line 1: given 10000" in one]
        assert len(said) == 2, "by look and by extract"
        assert all("beyond 16 bits" in one for one in said)
    held = [int(one.split()[1]) for one in told.splitlines() if one.startswith("HELD")]
    assert len(held) == 2
    assert max(held) < 60e6


def test_a_wide_character_in_a_long_row_of_a_table(tmp_path: Path) -> None:
    """The same of CSV, before the file becomes a text; many rows that are short each are read."""
    path = tmp_path / "t.csv"
    path.write_text('prompt,response,scores\nq,"' + "word " * 2_000_000 + '😀",3\n', encoding="utf-8")
    with pytest.raises(InnerjudgeError, match=r"t.csv line 2: given 10000007 characters with one beyond 16 bits"):
        items_from(path)
    path.write_text("prompt,response,correct\n" + f"q,{'word ' * 1000}😀,1\n" * 2000, encoding="utf-8")
    assert len(items_from(path)) == 2000


def test_long_lines_without_wide_characters_and_short_ones_with_are_read() -> None:
    for text in ("word " * 2_000_000, "слово" * 1_700_000, "😀" * 3_000_000, "word " * 1_600_000 + "😀"):
        for escaped in (False, True):
            row = {"item_id": "r", "prompt": "Say hi.", "response": text, "scores": [3]}
            item = parse_item(json.dumps(row, ensure_ascii=escaped).encode(), "here")
            assert isinstance(item, Rating)
            assert item.response == text
