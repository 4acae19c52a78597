"""``innerjudge label``: a key a trace, written at once, gone on with, taken back, spread by answer."""

from __future__ import annotations

import io
import json
import os
import pty
import subprocess
import sys
import termios
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from innerjudge import InnerjudgeError, Rating, Trace
from innerjudge.experiments.data.jsonl import checksum_of, is_whole
from innerjudge.experiments.data.verdict_files import read_table
from innerjudge.experiments.runs.label_job import Labelling, label_job

ANSWERS = {"q1": ["2", "3", "2.0"], "q2": ["5", "5", None]}
TRACES = [
    Trace(question_id=q, candidate_id=str(c), prompt=f"{q}?", response=f"so {answer}", answer=answer, correct=None)
    for q, answers in ANSWERS.items()
    for c, answer in enumerate(answers)
]


class Typist:
    """Types these keys, and keeps what was shown; types no more than that."""

    def __init__(self, keys: str) -> None:
        self.keys: Iterator[str] = iter(keys)
        self.shown: list[str] = []

    def __call__(self, text: str) -> str:
        self.shown.append(text)
        return next(self.keys)

    @property
    def asked(self) -> list[str]:
        return [text.split()[1] for text in self.shown]


def labels(path: Path, rater: str = "me") -> dict[str, object]:
    table = read_table(path)
    return {f"{q}/{c}": label for (_, q, c), label in zip(table.items, table.labels(rater), strict=True)}


def test_every_key(tmp_path: Path) -> None:
    typist = Typist("rxwbbrsq")  # x is no key: asked again; back twice: of two labels, none is left
    said = label_job(TRACES, tmp_path / "l.jsonl", typist)
    assert typist.asked == ["q1/0", "q1/1", "q1/1", "q1/2", "q1/1", "q1/0", "q1/1", "q1/2"]
    assert "q1?\n\nso 2\n" in typist.shown[0]
    assert labels(tmp_path / "l.jsonl") == {"q1/0": True, "q1/1": None}
    assert read_table(tmp_path / "l.jsonl")[1].unscored == "skipped"
    assert said.startswith("2 labelled or skipped, 4 left, in ")


def test_it_is_written_at_once_and_gone_on_with(tmp_path: Path) -> None:
    out = tmp_path / "l.jsonl"

    def killed(text: str) -> str:
        if "q1/2" in text:
            assert labels(out) == {"q1/0": True, "q1/1": True}
            raise KeyboardInterrupt
        return "r"

    with pytest.raises(KeyboardInterrupt):
        label_job(TRACES, out, killed)
    typist = Typist("wwww")
    assert "6 labelled or skipped, 0 left" in label_job(TRACES, out, typist)
    assert typist.asked == ["q1/2", "q2/0", "q2/1", "q2/2"]
    assert label_job(TRACES, out, Typist("")).startswith("6 labelled")
    # Another rater begins anew in the same file, and takes back only what is his.
    label_job(TRACES, out, Typist("wbbq"), rater="ben")
    assert labels(out) == dict.fromkeys(("q1/0", "q1/1"), True) | dict.fromkeys(("q1/2", "q2/0", "q2/1", "q2/2"), False)
    label_job(TRACES[:1], out, Typist("w"), rater="ben")
    assert labels(out, "ben")["q1/0"] is False
    typist = Typist("bq")  # what was taken back last time can be taken back again: a file of nothing is no error
    (tmp_path / "none.jsonl").touch()
    label_job(TRACES, tmp_path / "none.jsonl", typist)
    assert not (tmp_path / "none.jsonl").read_bytes()


def test_a_label_is_spread_by_answer(tmp_path: Path) -> None:
    out = tmp_path / "l.jsonl"
    typist = Typist("rwrs")
    label_job(TRACES, out, typist, spread=True)
    assert typist.asked == ["q1/0", "q1/1", "q2/0", "q2/2"]
    assert labels(out) == {"q1/0": True, "q1/2": True, "q1/1": False, "q2/0": True, "q2/1": True, "q2/2": None}
    typist = Typist("bbq")  # back takes back all of an answer
    label_job([*TRACES, Trace(question_id="q3", candidate_id="0", prompt="", response="")], out, typist, spread=True)
    assert typist.asked == ["q3/0", "q2/2", "q2/0"]
    assert labels(out) == {"q1/0": True, "q1/2": True, "q1/1": False}


def test_by_a_rule(tmp_path: Path) -> None:
    typist = Typist("rrrr")
    label_job(TRACES, tmp_path / "l.jsonl", typist, rule="answers", spread=True)
    assert {tuple(typist.asked[:2]), tuple(typist.asked[2:])} == {("q1/0", "q1/1"), ("q2/0", "q2/2")}
    typist = Typist("r" * 6)
    label_job(TRACES, tmp_path / "r.jsonl", typist, rule="random", seed=1)
    assert sorted(typist.asked) == sorted(item.id for item in TRACES) != typist.asked


def test_all_are_asked_for_in_the_end_and_a_label_spreads_to_those_left(tmp_path: Path) -> None:
    traces = [
        Trace(question_id="q", candidate_id=str(k), prompt="?", response=a, answer=a) for k, a in enumerate("223")
    ]
    keys = iter("rq")
    label_job(traces, tmp_path / "l.jsonl", lambda _: next(keys))  # one of two that say the same
    keys = iter("rw")
    assert "0 left" in label_job(traces, tmp_path / "l.jsonl", lambda _: next(keys), spread=True)
    assert {row.candidate: row.label for row in read_table(tmp_path / "l.jsonl")} == {"0": True, "1": True, "2": False}
    keys = iter("rrr")
    assert "0 left" in label_job(traces, tmp_path / "r.jsonl", lambda _: next(keys), rule="answers")
    assert len(list(read_table(tmp_path / "r.jsonl"))) == 3


def test_only_traces_are_right_or_wrong(tmp_path: Path) -> None:
    for items in ([Rating(item_id="r", prompt="", response="")], []):
        with pytest.raises(InnerjudgeError, match="given items that are no traces"):
            label_job(items, tmp_path / "l.jsonl", Typist(""))
    assert not (tmp_path / "l.jsonl").exists()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    rows = [{"question_id": i.question_id, "candidate_id": i.candidate_id, "prompt": i.prompt, "response": i.response,
             "answer": i.answer} for i in TRACES]  # fmt: skip
    (tmp_path / "traces.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return tmp_path / "traces.jsonl"


def test_lines_where_the_input_is_no_terminal(cli, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("r\nWrong\n\n"))  # an empty line is no key; then the input ends
    out = tmp_path / "l.jsonl"
    done = cli("label", data, "--out", out, "--rater", "anna")
    assert (done.code, "2 labelled or skipped, 4 left" in done.out) == (0, True), done.err
    assert labels(out, "anna") == {"q1/0": True, "q1/1": False}
    done = cli("label", data, "--out", data, "--rater", "anna")
    assert (done.code, len(done.err.strip().splitlines())) == (2, 1), "that is no file of verdicts"
    assert "prompt" in data.read_text("utf-8")


@pytest.mark.slow
def test_one_key_on_a_terminal(data: Path, tmp_path: Path) -> None:
    """A pseudo-terminal, as ssh gives one: keys count without a line end, and Ctrl-D ends."""
    ours, theirs = pty.openpty()
    typed = [sys.executable, "-m", "innerjudge.experiments.cli.main", "label", str(data), "--out", str(tmp_path / "l")]
    process = subprocess.Popen(typed, stdin=theirs, stdout=subprocess.PIPE, text=True, env=os.environ)
    assert process.stdout is not None
    for key in (b"r", b"w", b"\x04"):
        while process.stdout.readline().strip() != "[r]ight [w]rong [s]kip [b]ack [q]uit":
            assert process.poll() is None
        while termios.tcgetattr(theirs)[3] & termios.ICANON:  # a key before that would be thrown away
            assert process.poll() is None
            time.sleep(0.01)
        os.write(ours, key)
    rest = process.communicate(timeout=60)[0]
    assert (process.returncode, "2 labelled or skipped, 4 left" in rest) == (0, True)
    assert labels(tmp_path / "l") == {"q1/0": True, "q1/1": False}


def test_labels_are_fitted_on(cli, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("r\nw\nr\nw\n"))
    assert cli("label", data, "--spread", "--out", tmp_path / "l.jsonl").code == 0
    assert cli("extract", "--data", data, "--out", tmp_path / "f").code == 0
    typed = ("fit", "--features", tmp_path / "f", "--judge", "clue", "--labels-from", tmp_path / "l.jsonl")
    done = cli(*typed, "--between", "response", "--out", tmp_path / "judge")
    assert (done.code, "fitted on 6 items" in done.out) == (0, True), done.err


def test_a_label_is_of_the_trace_that_was_shown(tmp_path: Path) -> None:
    """Two type under one name into one file: what the other has labelled meanwhile is not what this key is about."""
    out = tmp_path / "l.jsonl"
    mine = Labelling(TRACES, out)
    assert (mine.item.id if mine.item else "") == "q1/0"
    label_job(TRACES, out, Typist("rrq"))  # q1/0 and q1/1, by the other
    mine.press("w")
    assert labels(out) == {"q1/0": True, "q1/1": True}
    assert (mine.item.id if mine.item else "") == "q1/2"
    mine.press("w")
    assert labels(out) == {"q1/0": True, "q1/1": True, "q1/2": False}


def test_labels_are_sealed_and_whole_after_any_kill(tmp_path: Path) -> None:
    """The checksum holds for the old labels until the new ones are there: no person's work is ever called damaged."""
    out = tmp_path / "l.jsonl"
    label_job(TRACES, out, Typist("rwq"))
    before, seal = out.read_bytes(), checksum_of(out).read_bytes()
    seen = []

    def look(event: str, args: tuple[object, ...]) -> None:
        if event in ("open", "os.rename") and str(args[0]).startswith(str(tmp_path)) and watching:
            watching.clear()  # what it opens itself is of no interest
            seen.append(is_whole(out))
            watching.append(True)

    watching = [True]
    sys.addaudithook(look)
    label_job(TRACES, out, Typist("wq"))
    watching.clear()
    assert len(seen) > 3
    assert all(seen)
    assert len(checksum_of(out).read_bytes()) == len(seal)
    out.write_bytes(before)
    with pytest.raises(InnerjudgeError, match="is not what its checksum"):
        label_job(TRACES, out, Typist("r"))
    with pytest.raises(InnerjudgeError, match="is not what its checksum"):
        read_table(out)


def test_many_who_label_at_once_lose_nothing(tmp_path: Path) -> None:
    out = tmp_path / "l.jsonl"
    traces = [Trace(question_id=f"q{k}", candidate_id="0", prompt="?", response="!") for k in range(12)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda who: label_job(traces, out, lambda _: "r", rater=who), "abcd"))
    assert Counter(row.judge for row in read_table(out)) == dict.fromkeys("abcd", 12)
