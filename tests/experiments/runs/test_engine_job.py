"""Answers of a server, judged in its engine or read again: nothing lost, nothing asked twice, spend bounded."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from innerjudge import CLUE, InnerjudgeError, Judge, LanguageModel, Trace, read
from innerjudge.experiments.data.datasets import load_data
from innerjudge.experiments.data.verdict_files import read_rows
from innerjudge.experiments.judges import openai_judge, saved
from innerjudge.experiments.judges.sample_and_judge import Sampling
from innerjudge.experiments.runs import engine_job as jobs
from innerjudge.experiments.runs.sample_job import load_questions
from innerjudge.probes.promising import identity

pytest.importorskip("openai")
KEY = "sk-very-secret"
PROMPTS = ("Start with 7. Add 5.", "Start with 2. Times 3.")
SAID = ("<think>7+5=12</think>12", "<think>7+5=13</think>13", "<think>2*3=6</think>6")
Send = Callable[..., None]


class Engine:
    """A server whose answer is that of the seed; ``judges`` are what its engine says, ``fault`` comes before it."""

    def __init__(self) -> None:
        self.seen: Counter[tuple[str, int]] = Counter()
        self.bodies: list[dict[str, Any]] = []
        self.judges: Callable[[int], Any] = lambda _seed: None
        self.fault: Callable[[dict[str, Any], int, Send], bool] = lambda _body, _times, _send: False
        engine, lock = self, threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                assert self.headers["authorization"] == f"Bearer {KEY}"
                asked = body["messages"][-1]["content"], body.get("seed", -1)
                with lock:
                    engine.seen[asked] += 1
                    engine.bodies.append(body)
                    times = engine.seen[asked]
                if not engine.fault(body, times, self.say):
                    self.say(engine.reply(body["seed"]))

            def say(self, raw: bytes, status: int = 200, length: int | None = None) -> None:
                self.send_response(status)
                self.send_header("content-length", str(len(raw) if length is None else length))
                self.end_headers()
                self.wfile.write(raw)
                self.close_connection = status != 200 or length is not None

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def reply(self, seed: int) -> bytes:
        message = {"role": "assistant", "content": SAID[seed % len(SAID)]}
        choice = {"message": message, "finish_reason": "length" if seed == 2 else "stop"}
        usage = {"total_tokens": 20 + seed, "completion_tokens": 10 + seed}
        inside = {"kv_transfer_params": self.judges(seed)}
        return json.dumps({"choices": [choice], "usage": usage, **inside}).encode()


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """No waiting between two requests, and a key."""
    monkeypatch.setattr(openai_judge, "PAUSE", 0.0)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    made = Engine()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture(scope="module")
def folder(reference: LanguageModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    traces = [
        Trace(question_id="q", candidate_id=str(k), prompt=PROMPTS[0], response=one) for k, one in enumerate(SAID[:2])
    ]
    made = tmp_path_factory.mktemp("judges") / "clue"
    judge = CLUE(rank_by="margin")
    Judge(judge.fit(read(reference, traces, judges=[judge]), [True, False]), reference, name="clue").save(made)
    return made


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "questions.jsonl"
    rows = [{"question_id": f"q{k}", "prompt": one, "topic": "sums"} for k, one in enumerate(PROMPTS)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture
def run(engine: Engine, reference: LanguageModel, folder: Path, data: Path) -> Callable[..., str]:
    def run(out: Path, *, n: int = 3, load: Callable[[], Judge] | None = None, **how: Any) -> str:
        judge, made = saved.load(folder)
        read_here = load or (lambda: Judge.load(folder, lm=reference))
        sampling = Sampling(n, 0.7, 64, seed=0)
        questions = load_questions(str(data))
        return jobs.engine_job(
            judge, made, read_here, questions, out, engine=f"{engine.url}#m", sampling=sampling, **how
        )

    return run


def never() -> Judge:
    raise AssertionError("no model is needed")


def inside(folder: Path, **said: Any) -> dict[str, Any]:
    """What the connector says of this judge, beside another one's verdict."""
    own = {"id": identity(saved.load(folder)[0]), **(said or {"score": 7.5, "label": True})}
    return {"judges": {"other": {"id": "0", "score": -1.0}, "mine": own}}


def test_answers_are_judged_in_the_engine_where_it_has_the_judge(
    engine: Engine, run: Callable[..., str], reference: LanguageModel, folder: Path, tmp_path: Path
) -> None:
    engine.judges = lambda seed: (inside(folder), inside(folder, unscored="no end"), {"judges": {"x": {"id": "0"}}})[
        seed
    ]
    out = tmp_path / "answers.jsonl"
    said = run(out)
    assert "6 answers to 2 questions" in said
    assert "4 judged in the engine, 2 read again" in said
    assert "6 requests were sent; all replies have 126 tokens." in said  # 2 * (20 + 21 + 22)
    rows = read_rows(out)
    read_here = Judge.load(folder, lm=reference).verdicts([(one, SAID[2]) for one in PROMPTS])
    own = [pytest.approx(one.score) for one in read_here]
    assert [row["score"] for row in rows] == [7.5, None, own[0], 7.5, None, own[1]]
    assert [row["unscored"] for row in rows] == [None, "no end", None] * 2
    assert [row["label"] for row in rows[:2]] == [True, None]
    assert [(row["question_id"], row["candidate_id"]) for row in rows] == [
        (q, c) for q in ("q0", "q1") for c in ("0", "1", "2")
    ]
    assert [row["response"] for row in rows] == [*SAID] * 2
    assert [(row["tokens"], row["finished"], row["topic"]) for row in rows[:3]] == [
        (10, True, "sums"), (11, True, "sums"), (12, False, "sums"),
    ]  # fmt: skip
    body = engine.bodies[0]
    assert (body["model"], body["temperature"], body["max_tokens"]) == ("m", 0.7, 64)
    assert "logprobs" not in body
    assert {*engine.seen.values()} == {1}
    assert run(out, load=never) == f"{out} is complete already."
    assert engine.seen.total() == 6
    assert len(load_data(str(out)).items) == 6
    with pytest.raises(InnerjudgeError, match="holds something else"):
        run(out, n=2)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(KEY in path.read_text(encoding="utf-8") for path in files)


def test_reasoning_that_stands_apart_is_put_between_the_markers(
    engine: Engine, run: Callable[..., str], tmp_path: Path
) -> None:
    def apart(body: dict[str, Any], _times: int, send: Send) -> bool:
        message = {"role": "assistant", "content": "12", "reasoning_content": "7+5=12"}
        send(json.dumps({"choices": [{"message": message}], "kv_transfer_params": {"judges": None}}).encode())
        return True

    engine.fault = apart
    assert "2 read again" in run(tmp_path / "a.jsonl", n=1)
    assert [row["response"] for row in read_rows(tmp_path / "a.jsonl")] == ["<think>7+5=12</think>12"] * 2


@pytest.mark.parametrize(
    ("text", "cut", "response"),
    [("", True, "<think>7+5"), ("1", True, "<think>7+5</think>1"), ("", False, "<think>7+5</think>")],
)
def test_reasoning_that_was_cut_off_stays_open(text: str, cut: bool, response: str) -> None:
    reply = {"reasoning": "7+5", "text": text, "cut": cut, "written": 3}
    bare = Trace(question_id="q", candidate_id="0", prompt=PROMPTS[0], response="")
    assert jobs._answered(bare, reply, ("<think>", "</think>")).response == response


def test_an_answer_that_was_cut_off_is_read_here_where_the_engine_could_not(folder: Path) -> None:
    trace = Trace(question_id="q", candidate_id="0", prompt=PROMPTS[0], response=SAID[0])
    mine = identity(saved.load(folder)[0])
    for cut, said in ((True, None), (False, "no end")):
        reply = {"cut": cut, **inside(folder, unscored="no end")}
        found = jobs._said(trace, reply, mine, "why")
        assert (found if isinstance(found, str) else found.unscored) == (said or "the engine said: no end")


def test_why_an_engine_judges_nothing_is_said(engine: Engine, run: Callable[..., str], tmp_path: Path) -> None:
    engine.judges = lambda _seed: {"judges": {"clue": {"unscored": "given states of the model 'x'"}}}
    said = run(tmp_path / "a.jsonl", n=1)
    assert "0 judged in the engine, 2 read again (the engine said: given states of the model 'x')" in said


def test_parameters_that_a_server_refuses_are_named(engine: Engine, run: Callable[..., str], tmp_path: Path) -> None:
    def fault(body: dict[str, Any], _times: int, send: Send) -> bool:
        if odd := "temperature" in body:
            send(b'{"error": {"message": "temperature is not supported"}}', 400)
        return odd

    engine.fault = fault
    assert "The server refused temperature and used its own." in run(tmp_path / "a.jsonl", n=1)


FAULTS: dict[str, Callable[[Send], None]] = {
    "429": lambda send: send(b"{}", 429),
    "500": lambda send: send(b"oops", 500),
    "cut": lambda send: send(b'{"choices": [{"mess', 200, 500),
    "json": lambda send: send(b'{"choices": ['),
    "judges": lambda send: send(b'{"choices": [{"message": {"content": "x"}}], "kv_transfer_params": {"judges": [1]}}'),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_server_that_answers_badly_costs_nothing_but_requests(
    fault: str, engine: Engine, run: Callable[..., str], folder: Path, tmp_path: Path
) -> None:
    """Two bad replies to each request, and to one of them nothing else until the command is typed again."""
    good = False

    def bad(body: dict[str, Any], times: int, send: Send) -> bool:
        lost = body["seed"] == 1 and body["messages"][-1]["content"] == PROMPTS[1] and not good
        if times < 3 or lost:
            FAULTS[fault](send)
        return times < 3 or lost

    engine.fault, engine.judges = bad, lambda _seed: inside(folder)
    out = tmp_path / "answers.jsonl"
    said = run(out, load=never)
    assert "1 not answered, for which the same command asks again" in said
    assert sorted(engine.seen.values()) == [3] * 5 + [openai_judge.TRIES]
    rows = read_rows(out)
    assert [bool(row["unscored"]) for row in rows] == [False] * 4 + [True, False]
    assert rows[4]["unanswered"].startswith(f"the server gave no answer ({openai_judge.TRIES} times asked")
    assert rows[4]["unscored"] == f"no response: {rows[4]['unanswered']}"
    assert load_data(str(out)).items[4].unanswered  # type: ignore[union-attr]
    good = True
    engine.seen.clear()
    engine.fault = lambda _body, _times, _send: False
    assert "6 judged in the engine, 0 read again. 1 requests were sent" in run(out, load=never)
    assert dict(engine.seen) == {(PROMPTS[1], 1): 1}
    assert [row["score"] for row in read_rows(out)] == [7.5] * 6


def test_a_run_that_was_stopped_asks_and_reads_only_what_is_lacking(
    engine: Engine, run: Callable[..., str], reference: LanguageModel, folder: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    out, done, told = tmp_path / "answers.jsonl", list[int](), threading.Event()

    def late(_body: dict[str, Any], _times: int, _send: Send) -> bool:
        if engine.seen.total() > 3:  # not before two answers are told
            told.wait(5)
        return False

    engine.fault = late

    def steps(_what: str, _total: int) -> Callable[[int], None]:
        def advance(one: int) -> None:
            done.append(one)
            if len(done) == 2:
                told.set()
                raise KeyboardInterrupt

        return advance

    monkeypatch.setattr(jobs, "AT_ONCE", 1)
    with pytest.raises(KeyboardInterrupt):
        run(out, steps=steps)
    assert 2 <= engine.seen.total() < 6
    assert not out.exists()
    # Stopped again while the second pair of answers is read; the first pair is not read again.
    monkeypatch.setattr(jobs, "PART", 2)
    judge, asked = Judge.load(folder, lm=reference), list[int]()
    verdicts = judge.verdicts

    def dies(items: Any, *more: Any) -> Any:
        asked.append(len(items))
        if len(asked) == 2:
            raise KeyboardInterrupt
        return verdicts(items, *more)

    monkeypatch.setattr(judge, "verdicts", dies)
    with pytest.raises(KeyboardInterrupt):
        run(out, load=lambda: judge)
    assert {*engine.seen.values()} == {1}
    why = "the judge reads hidden states, and no connector in the engine has it"
    assert f"0 judged in the engine, 6 read again ({why}). 0 requests were sent" in run(out, load=lambda: judge)
    assert asked == [2, 2, 2, 2]
    assert engine.seen.total() == 6
    assert [row["response"] for row in read_rows(out)] == [*SAID] * 2
    assert sorted(path.name for path in tmp_path.glob("answers.jsonl*")) == [
        *("answers.jsonl", "answers.jsonl.replies", "answers.jsonl.sha256")
    ]


def test_a_wrong_key_or_address_ends_it(engine: Engine, run: Callable[..., str], tmp_path: Path) -> None:
    def refuses(_body: dict[str, Any], _times: int, send: Send) -> bool:
        send(f"no such key: {KEY}".encode(), 401)
        return True

    engine.fault = refuses
    with pytest.raises(InnerjudgeError, match="status 401") as error:
        run(tmp_path / "a.jsonl")
    assert KEY not in str(error.value)
    assert engine.seen.total() <= jobs.AT_ONCE


def test_the_commands(engine: Engine, folder: Path, data: Path, tmp_path: Path, cli: Any) -> None:
    engine.judges = lambda seed: inside(folder, score=float(seed), label=True)
    given = ("--judge", folder, "--data", data, "--engine")
    said = cli("sample", *given, engine.url, "--n", 2, "--out", tmp_path / "s.jsonl")
    assert said.code == 0, said.err
    assert "4 judged in the engine, 0 read again" in said.out
    assert "on cpu" not in said.err, "no model is loaded"
    assert engine.bodies[0]["model"] == "reference"
    for _again in range(2):
        said = cli("rank", *given, f"{engine.url}#m", "--candidates", 3, "--out", tmp_path / "r.jsonl")
        assert said.code == 0, said.err
        rows = read_rows(tmp_path / "r.jsonl", "ranking")
        assert [[one["id"] for one in row["ranking"]] for row in rows] == [
            [f"{q}/{k}" for k in (2, 1, 0)] for q in ("q0", "q1")
        ]
    assert engine.seen.total() == 4 + 6
    assert "complete already" in said.out
    for typed, why in (
        (("sample", *given, "localhost:1", "--out", tmp_path / "o"), "expected URL#MODEL, such as https://"),
        (
            ("sample", *given, engine.url, "--exit-above", 1, "--out", tmp_path / "o"),
            "given --exit-above with --engine",
        ),
        (("rank", *given, engine.url, "--inspect", "x", "--out", tmp_path / "o"), "given --inspect with --engine"),
        (("rank", *given[:4], "--temperature", 1, "--out", tmp_path / "o"), "given --temperature without --engine"),
        (("rank", *given[:2], "--features", "f", *given[4:], "u", "--out", "o"), "given --engine with --features"),
    ):
        said = cli(*typed)
        assert (said.code, len(said.refusal)) == (2, 1), said.err
        assert why in said.refusal[0]
    assert engine.seen.total() == 4 + 6
    assert "--engine" not in cli("score", "--help").out
