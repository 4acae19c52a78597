"""`--log json` for every command: whatever stands on standard error is one JSON object a line."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import typer
from innerjudge.experiments.cli import main as cli
from innerjudge.experiments.runs.log import JsonLines

pytestmark = pytest.mark.usefixtures("no_pixels")


def commands() -> list[tuple[str, ...]]:
    top: Any = typer.main.get_command(cli.app)
    found = []
    for name, one in sorted(top.commands.items()):
        found += [(name, part) for part in one.commands] if hasattr(one, "commands") else [(name,)]
    return found


def said(monkeypatch: pytest.MonkeyPatch, *typed: str) -> tuple[int, list[dict[str, Any]], str]:
    """Exit code, the lines on standard error as JSON, and what stood on standard output."""
    errors, output = io.StringIO(), io.StringIO()
    monkeypatch.setattr(sys, "stderr", errors)
    monkeypatch.setattr(sys, "stdout", output)
    monkeypatch.setattr(sys, "argv", ["innerjudge", *typed])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0), [json.loads(line) for line in errors.getvalue().splitlines()], output.getvalue()


def test_there_are_all_commands() -> None:
    assert len(commands()) >= 23
    assert {("compare",), ("serve",), ("store", "info")} <= set(commands())


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_every_command_has_it_and_its_error_is_json(command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    code, lines, help_ = said(monkeypatch, *command, "--help")
    assert (code, lines) == (0, [])
    assert "--log" in help_
    code, lines, _ = said(monkeypatch, *command, "--log", "json", "--no-such-option")
    assert code == 2
    [line] = lines
    assert line["level"] == "error"
    assert "No such option: --no-such-option" in line["event"]


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        (("look", "builtin:rate", "--limit", "4", "--items", "0"), 0),
        (("look", "nowhere.jsonl"), 2),
        (("judges",), 0),
        (("models", "--model", "reference"), 0),
        (("models", "--model", "no-such-folder-here"), 2),
        (("plan", "--data", "builtin:rate"), 0),
        (("store", "info", "nowhere"), 2),
        (("select", "nowhere.jsonl"), 2),
        (("diff", "nowhere", "nowhere-else"), 2),
        (("extract", "--data", "builtin:rate", "--limit", "2", "--out", "{}"), 0),
        (("compare", "--data", "builtin:rat", "--out", "{}"), 2),
        (("fit", "--features", "nowhere", "--judge", "clue", "--out", "{}"), 2),
    ],
)
def test_commands_that_run(typed: tuple[str, ...], code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named = [one.format(tmp_path / "out") for one in typed]
    ended, lines, _ = said(monkeypatch, *named, "--log=json")
    assert ended == code
    assert all({"time", "level", "event"} <= line.keys() for line in lines)
    assert [line["level"] for line in lines].count("error") == (1 if code else 0)


def test_what_others_write_becomes_json() -> None:
    """Progress overwrites its line (the last state counts), warnings and tracebacks have several."""
    kept = io.StringIO()
    lines = JsonLines(kept)
    lines.write("  0%|\r 50%|\r100%|")
    assert kept.getvalue() == ""
    lines.write('\nx.py:1: UserWarning: "odd"\n  warn()\n\ninnerjudge: given 1, expected 2\n{"time": "t"}\n{"a": 1}\n')
    found = [json.loads(line) for line in kept.getvalue().splitlines()]
    assert [(one.get("level"), one.get("event")) for one in found] == [
        ("info", "100%|"),
        ("warning", 'x.py:1: UserWarning: "odd"'),
        ("info", "  warn()"),
        ("error", "given 1, expected 2"),
        (None, None),
        ("info", '{"a": 1}'),
    ]


def test_ctrl_c(tmp_path: Path) -> None:
    command = ("compare", "--data", "builtin:solve", "--log", "json", "--out", str(tmp_path / "out"))
    running = subprocess.Popen(
        [sys.executable, "-m", "innerjudge.experiments.cli.main", *command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        # Where the tests run in the background, a shell has told them to ignore this signal, and they their children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert running.stderr is not None
    first = running.stderr.readline()
    running.send_signal(signal.SIGINT)
    lines = [json.loads(line) for line in (first, *running.stderr)]
    assert running.wait(60) == 130
    assert lines[-1]["level"] == "error"
    assert lines[-1]["event"] == "stopped; type the same command again, and it goes on"


def test_ctrl_c_in_a_destructor(monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGINT)

    def run(*_: object, **__: object) -> int:
        slow = Slow()
        del slow  # Python drops what a destructor raises, and goes on.
        for _ in range(100):
            time.sleep(0.05)
        return 0

    monkeypatch.setattr(cli, "app", run)
    monkeypatch.setattr(sys, "argv", ["innerjudge", "compare"])
    monkeypatch.setattr(sys, "unraisablehook", sys.__unraisablehook__)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(SystemExit) as ended:
            cli.main()
    finally:
        signal.signal(signal.SIGINT, before)
    assert ended.value.code == 130
