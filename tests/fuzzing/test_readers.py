"""Every public reader on odd input: a result or our error, within limits; `run.py` says how to go on for longer."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

sys.path.insert(0, str(Path(__file__).parent))
from harness import RUNS, Fuzzed, Reader, TooMuch, fuzz  # noqa: F401 - the script above takes it from here
from innerjudge.models.errors import InnerjudgeError
from readers import GROUPS
from strategies import edited, edits_of, odd

#: Inputs of each reader, and the seed.
SEED = os.environ.get("INNERJUDGE_FUZZ_SEED", "0")
INPUTS = os.environ.get("INNERJUDGE_FUZZ", str(RUNS))


def run(*args: object) -> list[dict[str, Any]]:
    ended = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("run.py")), *map(str, args)], capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr[-1000:]
    return [json.loads(line) for line in ended.stdout.splitlines()]


def memory() -> str | None:
    """A folder in memory, where files are made anew in a third of the time; ``None`` where there is none with room."""
    shm = "/dev/shm"
    return shm if os.access(shm, os.W_OK) and shutil.disk_usage(shm).free > 1 << 30 else None


#: Groups of readers that a test takes, so that several run side by side.
PARTS = 3


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="limits are those of Linux")
@pytest.mark.parametrize("part", range(PARTS))
def test_odd_input_is_read_or_refused(part: int, tmp_path: Path) -> None:
    with TemporaryDirectory(dir=memory()) as folder:
        found = run(INPUTS, SEED, folder, *(group.__name__ for group in GROUPS[part::PARTS]))
        bad = [f"{one['name']}: {said}" for one in found for said in one["bad"]]
        if bad:
            shutil.copytree(folder, tmp_path / "inputs")
    assert len(found) > 10, [one["name"] for one in found]
    assert not bad, "\n".join(bad)
    for one in found:
        assert one["clean"] + one["refused"] > 0, one["name"]


@pytest.mark.parametrize(
    ("kind", "good"),
    [
        ("json", b'{"a": [1, {"b": "c"}]}'),
        ("lines", b'{"a": 1}\n{"b": 2}\n'),
        ("yaml", b"a: [1, {b: c}]"),
        ("safetensors", b"\x0a\0\0\0\0\0\0\0" + b'{"a": [1]}' + b"1234"),
        ("bytes", b"abc"),
    ],
)
def test_odd_input_is_odd(kind: str, good: bytes) -> None:
    made: set[bytes] = set()

    @settings(max_examples=20)
    @given(odd(good, kind))
    def draw(many: list[bytes]) -> None:
        made.update(many)

    draw()
    assert len(made) > 100


@given(st.binary(min_size=25, max_size=25))
def test_the_same_bytes_are_the_same_edits(raw: bytes) -> None:
    edits = edits_of(raw)
    assert len(edits) == (1, 1, 2, 4)[raw[0] % 4]
    good = b'{"a": [1, {"b": "c"}]}'
    assert edited(good, "json", edits) == edited(good, "json", edits)


def parsed(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        raise InnerjudgeError("no JSON") from None


def ends_in_a_traceback(raw: bytes) -> object:
    """For every list."""
    return {}[()] if isinstance(parsed(raw), list) else None


def says_too_much(raw: bytes) -> object:
    """Of an object that lacks a name."""
    if isinstance(found := parsed(raw), dict) and "a" not in found:
        raise InnerjudgeError(f"given {found}" + "x" * 3000)
    return found


@pytest.mark.parametrize(
    ("reader", "said", "most"), [("ends_in_a_traceback", "KeyError", 2), ("says_too_much", "a message of", 30)]
)
def test_what_is_wrong_is_found_and_shrunk(tmp_path: Path, reader: str, said: str, most: int) -> None:
    """The harness itself: a traceback and a message that was not cut are told, each by a small input."""
    script = (
        "import json, sys; from pathlib import Path; sys.path.insert(0, sys.argv[1]); import test_readers as t;"
        f"print(json.dumps(t.fuzz('x', t.Reader(t.{reader}, b'{{\"a\": 1}}', 'json'), 2000, 0, Path(sys.argv[2]))))"
    )
    folder = str(Path(__file__).parent)
    ended = subprocess.run([sys.executable, "-c", script, folder, str(tmp_path)], capture_output=True, text=True)
    found = json.loads(ended.stdout.splitlines()[-1])
    assert said in " ".join(found["bad"])
    assert min(path.stat().st_size for path in tmp_path.iterdir()) <= most
    assert found["clean"] > 0


def test_an_input_that_fails_is_kept_with_what_it_said(monkeypatch: pytest.MonkeyPatch) -> None:
    fuzzed = Fuzzed(Reader(lambda raw: 1 / 0, b""))
    with pytest.raises(ZeroDivisionError):
        fuzzed.once(b"x")
    assert list(fuzzed.bad.values()) == [(b"x", "division by zero")]
    monkeypatch.setattr("harness.SECONDS", 0.2)
    slow = Fuzzed(Reader(lambda raw: [k for k in range(10**12) if k < 0], b""))
    with pytest.raises(TooMuch):
        slow.once(b"x")
    assert "TooMuch" in next(iter(slow.bad))
