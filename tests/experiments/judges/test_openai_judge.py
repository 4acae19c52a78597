"""A text judge behind a server that answers badly: nothing lost, nothing doubled, nothing told that is secret."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st
from innerjudge import Choice, InnerjudgeError, Pair, Passes, Rating, Trace
from innerjudge.experiments.data.verdict_files import read_table
from innerjudge.experiments.judges import openai_judge
from innerjudge.experiments.judges.openai_judge import TRIES, OpenAIJudge
from innerjudge.experiments.runs.score_job import ask_job

pytest.importorskip("openai")
KEY = "sk-very-secret"
TRACES = [
    Trace(question_id=f"q{k}", candidate_id="0", prompt=f"{k}?", response=f"{k}", correct=bool(k % 2))
    for k in range(12)
]
#: What a handler does with the k-th time a body comes; its reply is bytes, or a status.
Serve = Callable[[dict[str, Any], int, BaseHTTPRequestHandler], None]


def reply(text: Any, logprobs: dict[str, float] | None = None, tokens: int = 7) -> bytes:
    first = [{"token": token, "logprob": value} for token, value in (logprobs or {}).items()]
    choice = {"message": {"role": "assistant", "content": text}}
    choice |= {"logprobs": {"content": [{"token": text, "top_logprobs": first}]}} if logprobs else {}
    return json.dumps({"choices": [choice], "usage": {"total_tokens": tokens}}).encode()


def send(handler: BaseHTTPRequestHandler, body: bytes, status: int = 200, **headers: str) -> None:
    handler.send_response(status)
    for name, value in {"content-type": "application/json", "content-length": str(len(body)), **headers}.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)


@contextmanager
def server(serve: Serve) -> Iterator[tuple[str, Counter[str]]]:
    """A server, its address as a text judge, and how often each prompt was asked."""
    seen: Counter[str] = Counter()
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            assert self.headers["authorization"] == f"Bearer {KEY}"
            with lock:
                seen[body["messages"][-1]["content"]] += 1
                times = seen[body["messages"][-1]["content"]]
            serve(body, times, self)

        def log_message(self, *_: Any) -> None:
            pass

    held = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=held.serve_forever, daemon=True).start()
    try:
        yield f"openai:http://127.0.0.1:{held.server_port}/v1#big/model", seen
    finally:
        held.shutdown()
        held.server_close()


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """No waiting between two requests, and a key."""
    monkeypatch.setattr(openai_judge, "PAUSE", 0.0)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


def yes_if_odd(body: dict[str, Any], _times: int, handler: BaseHTTPRequestHandler) -> None:
    odd = int(body["messages"][-1]["content"].split("?")[0].split()[-1]) % 2
    send(handler, reply("Verdict: yes" if odd else "Verdict: no"))


def test_what_is_sent_and_what_is_understood() -> None:
    bodies = []

    def serve(body: dict[str, Any], times: int, handler: BaseHTTPRequestHandler) -> None:
        bodies.append(body)
        yes_if_odd(body, times, handler)

    with server(serve) as (typed, seen):
        judge = OpenAIJudge.of(typed)
        said = judge.verdicts("trace", TRACES, Passes(), seed=3)
    assert [one.label for one in said] == [trace.correct for trace in TRACES]
    assert [one.score for one in said] == [float(bool(trace.correct)) for trace in TRACES]
    assert {*seen.values()} == {1}
    assert (judge.sent, judge.tokens) == (12, 84)
    assert bodies[0]["model"] == "big/model"
    assert (bodies[0]["temperature"], bodies[0]["seed"]) == (0.0, 3)
    assert "Is the response correct?" in bodies[0]["messages"][-1]["content"]


def test_log_probabilities_by_hand() -> None:
    """P(yes) = e^-0.2 / (e^-0.2 + e^-1.7) = .81757; what is no label counts for nothing."""

    def serve(_body: dict[str, Any], _times: int, handler: BaseHTTPRequestHandler) -> None:
        send(handler, reply("yes", {" yes": -0.2, "No": -1.7, "perhaps": -3.0}))

    with server(serve) as (typed, _):
        (said,) = OpenAIJudge.of(typed).verdicts("trace", TRACES[:1], Passes())
    assert said.label is True
    assert said.score == pytest.approx(np.exp(-0.2) / (np.exp(-0.2) + np.exp(-1.7)))

    def rated(_body: dict[str, Any], _times: int, handler: BaseHTTPRequestHandler) -> None:
        send(handler, reply("4", {"4": np.log(0.5), "5": np.log(0.25), "x": np.log(0.25)}))

    rating = Rating(item_id="r", prompt="p", response="r", scores=(3,))
    with server(rated) as (typed, _):
        (said,) = OpenAIJudge.of(typed).verdicts("rating", [rating], Passes())
    assert said.label == 4
    assert said.score == pytest.approx((4 * 0.5 + 5 * 0.25) / 0.75)


def test_pairs_in_both_orders_and_choices(tmp_path: Path) -> None:
    pair = Pair(pair_id="p", prompt="p?", response_a="apple", response_b="pear", preference="b")

    def serve(body: dict[str, Any], _times: int, handler: BaseHTTPRequestHandler) -> None:
        shown = body["messages"][-1]["content"]
        send(handler, reply("A" if shown.find("pear") < shown.find("apple") else "B"))  # the pear, wherever it stands

    with server(serve) as (typed, _):
        said = ask_job([pair], typed, tmp_path / "said.jsonl", Passes())
        choice = Choice(question_id="c", question="2+2?", options=("3", "4"), answer=1)
        (of_choice,) = OpenAIJudge.of(typed).verdicts("choice", [choice], Passes())
    assert said.startswith("2 verdicts of big/model are in")
    rows = list(read_table(tmp_path / "said.jsonl"))
    assert [(row.order, row.label) for row in rows] == [("given", "b"), ("swapped", "b")]
    assert [row.score for row in rows] == [0.0, 0.0]  # higher favours a, whatever was shown first
    assert of_choice.label == 1


FAULTS: dict[str, Callable[[BaseHTTPRequestHandler], None]] = {
    "429": lambda handler: send(handler, b"{}", 429, **{"retry-after": "0"}),
    "500": lambda handler: send(handler, b"oops", 500),
    "cut": lambda handler: send(handler, reply("yes")[:20], **{"content-length": "500", "connection": "close"}),
    "json": lambda handler: send(handler, b'{"choices": ['),
    "other": lambda handler: send(handler, b'{"choices": "none"}'),
    "deep": lambda handler: send(handler, b"[" * 5000),
    "large": lambda handler: send(handler, b" " * (2 << 20)),
    "number": lambda handler: send(handler, reply(7)),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_that_passes_costs_nothing_but_requests(fault: str) -> None:
    def serve(body: dict[str, Any], times: int, handler: BaseHTTPRequestHandler) -> None:
        if times < 3:
            handler.close_connection = True
            FAULTS[fault](handler)
        else:
            yes_if_odd(body, times, handler)

    with server(serve) as (typed, seen):
        said = OpenAIJudge.of(typed, at_once=4).verdicts("trace", TRACES, Passes())
    assert [one.label for one in said] == [trace.correct for trace in TRACES]
    assert {*seen.values()} == {3}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_that_stays_is_a_reason_and_bounded(fault: str, tmp_path: Path) -> None:
    def serve(body: dict[str, Any], times: int, handler: BaseHTTPRequestHandler) -> None:
        if " 4?" in f" {body['messages'][-1]['content']}":
            handler.close_connection = True
            FAULTS[fault](handler)
        else:
            yes_if_odd(body, times, handler)

    with server(serve) as (typed, seen):
        judge = OpenAIJudge.of(typed, folder=tmp_path)
        said = judge.verdicts("trace", TRACES, Passes())
        assert [k for k, one in enumerate(said) if one.unscored] == [4]
        assert said[4].unscored is not None
        assert said[4].unscored.startswith(f"the server gave no answer ({TRIES} times asked, last ")
        assert max(seen.values()) == TRIES
        # Typed again: what is there is not asked again, what is not is.
        seen.clear()
        again = OpenAIJudge.of(typed, folder=tmp_path)
        assert again.verdicts("trace", TRACES, Passes())[:4] == said[:4]
    assert len(seen) == 1
    assert (again.sent, again.tokens) == (TRIES, 77)


def test_a_damaged_reply_is_asked_again(tmp_path: Path) -> None:
    with server(yes_if_odd) as (typed, seen):
        first = OpenAIJudge.of(typed, folder=tmp_path).verdicts("trace", TRACES, Passes())
        path = sorted(tmp_path.glob("*.json"))[0]
        path.write_bytes(path.read_bytes().replace(b"Verdict", b"Verdikt"))
        seen.clear()
        assert OpenAIJudge.of(typed, folder=tmp_path).verdicts("trace", TRACES, Passes()) == first
        assert seen.total() == 1


@given(
    at=st.integers(0, 200),
    bits=st.integers(1, 255),
    value=st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["choices", "usage"]), inner),
        max_leaves=4,
    ),
    place=st.sampled_from(["choices", "usage"]),
)
def test_no_reply_does_more_than_not_be_understood(at: int, bits: int, value: Any, place: str) -> None:
    whole = bytearray(reply("yes", {"yes": -0.1}))
    whole[at % len(whole)] ^= bits
    for raw in (bytes(whole), json.dumps(json.loads(reply("yes")) | {place: value}).encode()):
        try:
            found = openai_judge._read(raw)
        except (*openai_judge._DAMAGE, InnerjudgeError):
            continue
        assert isinstance(found["text"], str)
        assert isinstance(found["tokens"], int)
        json.dumps(found, allow_nan=False)


def test_a_server_without_log_probabilities() -> None:
    def serve(body: dict[str, Any], times: int, handler: BaseHTTPRequestHandler) -> None:
        if "logprobs" in body:
            send(handler, b'{"error": {"message": "logprobs are not supported"}}', 400)
        else:
            yes_if_odd(body, times, handler)

    with server(serve) as (typed, _):
        said = OpenAIJudge.of(typed, at_once=1).verdicts("trace", TRACES, Passes())
    assert [one.label for one in said] == [trace.correct for trace in TRACES]


def test_one_text_that_is_refused_leaves_log_probabilities_to_the_others() -> None:
    def serve(body: dict[str, Any], _times: int, handler: BaseHTTPRequestHandler) -> None:
        if " 4?" in f" {body['messages'][-1]['content']}":
            send(handler, b'{"error": {"message": "context length exceeded"}}', 400)
        else:
            send(handler, reply("yes", {"yes": -0.5, "no": -1.5}))

    with server(serve) as (typed, _):
        said = OpenAIJudge.of(typed, at_once=1).verdicts("trace", TRACES, Passes())
    assert len({one.score for one in said if not one.unscored}) == 1


def test_equal_requests_are_sent_once() -> None:
    same = [Trace(question_id="q", candidate_id=str(k), prompt="1?", response="1", correct=None) for k in range(40)]
    with server(yes_if_odd) as (typed, seen):
        judge = OpenAIJudge.of(typed)
        said = judge.verdicts("trace", same, Passes())
    assert [one.label for one in said] == [True] * 40
    assert (seen.total(), judge.tokens) == (1, 7)


def test_a_parameter_of_another_name() -> None:
    bodies = []

    def serve(body: dict[str, Any], times: int, handler: BaseHTTPRequestHandler) -> None:
        bodies.append(body)
        odd = next((name for name in ("max_tokens", "temperature") if name in body), None)
        if odd is not None:
            send(handler, json.dumps({"error": {"message": f"Unsupported parameter: {odd}"}}).encode(), 400)
        else:
            yes_if_odd(body, times, handler)

    with server(serve) as (typed, _):
        said = OpenAIJudge.of(typed, at_once=1).verdicts("trace", TRACES, Passes(reasoning_tokens=300))
    assert [one.label for one in said] == [trace.correct for trace in TRACES]
    assert bodies[-1]["max_completion_tokens"] == 300
    assert len(bodies) == len(TRACES) + 2


@given(said=st.text(max_size=40), field=st.sampled_from(["param", "error", "message"]), what=st.data())
def test_a_refusal_may_say_anything(said: str, field: str, what: st.DataObject) -> None:
    """Any text, or JSON of any form: it names a parameter, or does not."""
    inner = what.draw(
        st.none() | st.integers() | st.lists(st.text(max_size=4)) | st.just({"param": "seed"}) | st.text()
    )
    for text in (said, json.dumps(inner), json.dumps({field: inner}), json.dumps({"error": {field: inner}})[:-1]):
        assert openai_judge._RefusalError(400, 0.0, text).names("seed") in (True, False)


@pytest.mark.parametrize("form", ['{"error": {"message": %s, "param": "seed"}}', '{"message": %s, "param": "seed"}'])
def test_the_parameter_that_an_error_names_is_dropped_and_no_other_of_its_text(form: str) -> None:
    bodies = []

    def serve(body: dict[str, Any], times: int, handler: BaseHTTPRequestHandler) -> None:
        bodies.append(body)
        if "seed" in body:
            send(handler, (form % '"not with this temperature, max_tokens or top_logprobs"').encode(), 400)
        else:
            yes_if_odd(body, times, handler)

    with server(serve) as (typed, _):
        OpenAIJudge.of(typed, at_once=1).verdicts("trace", TRACES[:2], Passes())
    assert len(bodies) == 3
    assert bodies[0].keys() - bodies[-1].keys() == {"seed"}


def test_a_text_names_parameters_by_whole_words() -> None:
    bodies = []

    def serve(body: dict[str, Any], times: int, handler: BaseHTTPRequestHandler) -> None:
        bodies.append(body)
        if "top_logprobs" in body:
            send(handler, b'{"error": {"message": "top_logprobs: remodelled", "param": null}}', 400)
        else:
            yes_if_odd(body, times, handler)

    with server(serve) as (typed, _):
        OpenAIJudge.of(typed, at_once=1).verdicts("trace", TRACES[:2], Passes())
    assert bodies[0].keys() - bodies[-1].keys() == {"top_logprobs"}


def test_an_interrupted_run_waits_for_no_open_request_and_resumes(tmp_path: Path) -> None:
    release = threading.Event()

    def serve(body: dict[str, Any], times: int, handler: BaseHTTPRequestHandler) -> None:
        if body["messages"][-1]["content"] != "0?" and times == 1:
            release.wait(20)
        send(handler, reply("yes"))

    def interrupt(_more: int) -> None:
        raise KeyboardInterrupt

    bodies = [{"model": "m", "messages": [{"role": "user", "content": f"{k}?"}], "max_tokens": 5} for k in range(6)]
    with server(serve) as (typed, seen):
        url, _ = openai_judge.address(typed, "openai:")
        begun = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            openai_judge.ask_all(openai_judge.ChatServer(url), bodies, tmp_path, 2, interrupt)
        assert time.monotonic() - begun < 15
        assert seen.total() <= 3
        release.set()
        replies = openai_judge.ask_all(openai_judge.ChatServer(url), bodies, tmp_path, 2, lambda _: None)
    assert [one["text"] for one in replies] == ["yes"] * 6
    assert seen["0?"] == 1


def test_a_reply_that_is_cut_says_what_to_do() -> None:
    def serve(_body: dict[str, Any], _times: int, handler: BaseHTTPRequestHandler) -> None:
        cut = json.loads(reply("<think>Let me look"))
        cut["choices"][0]["finish_reason"] = "length"
        send(handler, json.dumps(cut).encode())

    with server(serve) as (typed, _):
        (said,) = OpenAIJudge.of(typed).verdicts("trace", TRACES[:1], Passes(reasoning_tokens=50))
    assert said.unscored == "its reply was cut at 50 tokens: raise --reasoning-tokens"


def test_an_endless_refusal_is_not_read_to_its_end() -> None:
    def serve(_body: dict[str, Any], _times: int, handler: BaseHTTPRequestHandler) -> None:
        send(handler, b"x" * (3 << 20), 500)

    with server(serve) as (typed, _):
        (said,) = OpenAIJudge.of(typed).verdicts("trace", TRACES[:1], Passes())
    assert "a reply of over" in str(said.unscored)


def test_what_a_server_echoes_is_kept_without_the_key(tmp_path: Path) -> None:
    def serve(_body: dict[str, Any], _times: int, handler: BaseHTTPRequestHandler) -> None:
        send(handler, reply(f"yes {KEY}"))

    with server(serve) as (typed, _):
        OpenAIJudge.of(typed, folder=tmp_path).verdicts("trace", TRACES[:2], Passes())
    assert not any(KEY in path.read_text(encoding="utf-8") for path in tmp_path.iterdir())
    with pytest.raises(InnerjudgeError, match="a password in its address"):
        OpenAIJudge.of(f"openai:http://me:{KEY}@127.0.0.1:1/v1#m")


def test_rows_of_others_stay(tmp_path: Path) -> None:
    out = tmp_path / "said.jsonl"
    out.write_text('{"question": "q0", "candidate": "0", "judge": "anna", "label": true}\n', encoding="utf-8")
    with server(yes_if_odd) as (typed, _):
        for _again in range(2):
            ask_job(TRACES, typed, out, Passes())
    assert Counter(row.judge for row in read_table(out)) == {"anna": 1, "big/model": 12}


def test_what_others_write_meanwhile_stays_and_so_do_other_items(tmp_path: Path) -> None:
    """Another command writes into the file while the server is asked; and the same judge is asked about more data."""
    out = tmp_path / "said.jsonl"
    late = '{"question": "q0", "candidate": "0", "judge": "anna", "label": true}\n'

    def serve(body: dict[str, Any], times: int, handler: BaseHTTPRequestHandler) -> None:
        if not out.exists():
            out.write_text(late, encoding="utf-8")
        yes_if_odd(body, times, handler)

    with server(serve) as (typed, _):
        ask_job(TRACES[:8], typed, out, Passes())
        ask_job(TRACES[4:], typed, out, Passes())
    table = read_table(out)
    assert Counter(row.judge for row in table) == {"anna": 1, "big/model": 12}
    assert len({row.key for row in table}) == 13
    out.write_text(out.read_text("utf-8").replace("true", "false", 1), "utf-8")
    with server(serve) as (typed, seen), pytest.raises(InnerjudgeError, match="is not what its checksum"):
        ask_job(TRACES, typed, out, Passes())
    assert not seen, "refused before anything is asked"


def test_a_text_that_is_too_long_is_a_reason() -> None:
    def serve(body: dict[str, Any], times: int, handler: BaseHTTPRequestHandler) -> None:
        if " 4?" in f" {body['messages'][-1]['content']}":
            send(handler, b'{"error": {"message": "maximum context length"}}', 400)
        else:
            yes_if_odd(body, times, handler)

    with server(serve) as (typed, seen):
        said = OpenAIJudge.of(typed, at_once=1).verdicts("trace", TRACES, Passes())
    assert "maximum context length" in str(said[4].unscored)
    assert max(seen.values()) <= 2  # once with log-probabilities, once without


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_wrong_key_ends_it_and_is_not_told(status: int, tmp_path: Path) -> None:
    def serve(_body: dict[str, Any], _times: int, handler: BaseHTTPRequestHandler) -> None:
        send(handler, json.dumps({"error": {"message": f"no such key: {KEY}"}}).encode(), status)

    with server(serve) as (typed, seen), pytest.raises(InnerjudgeError) as error:
        OpenAIJudge.of(typed, folder=tmp_path, at_once=2).verdicts("trace", TRACES, Passes())
    assert f"status {status}" in str(error.value)
    assert "OPENAI_API_KEY" in str(error.value)
    assert KEY not in str(error.value)
    assert seen.total() <= 4
    assert not [*tmp_path.iterdir()]


def test_the_key_is_in_no_file(tmp_path: Path) -> None:
    with server(yes_if_odd) as (typed, _):
        ask_job(TRACES, typed, tmp_path / "said.jsonl", Passes())
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) == 12 + len(["said.jsonl", "said.jsonl.sha256", "said.jsonl.lock"])
    assert not any(KEY in path.read_text(encoding="utf-8") for path in files)


def test_nobody_there_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openai_judge, "MOST_SILENT", 3)
    judge = OpenAIJudge.of("openai:http://127.0.0.1:9/v1#m", at_once=1)
    with pytest.raises(InnerjudgeError, match="3 times in a row, expected answers"):
        judge.verdicts("trace", TRACES, Passes())
    assert judge.sent == 3 * TRIES


def test_silence_ends() -> None:
    waiting = threading.Semaphore(0)

    def serve(_body: dict[str, Any], _times: int, _handler: BaseHTTPRequestHandler) -> None:
        waiting.acquire(timeout=3)

    with server(serve) as (typed, _):
        (said,) = OpenAIJudge.of(typed, patience=0.1).verdicts("trace", TRACES[:1], Passes())
        waiting.release(TRIES)
    assert "timed out" in str(said.unscored).lower()


@pytest.mark.parametrize("typed", ["gpt-4o", "openai:gpt", "openai:http://x/v1", "openai:#m", "http://x/v1#m"])
def test_a_judge_that_is_typed_wrongly(typed: str) -> None:
    with pytest.raises(InnerjudgeError, match="expected openai:URL#MODEL"):
        OpenAIJudge.of(typed)
