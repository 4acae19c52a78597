"""Candidates sampled and judged in one go have the scores of a judge that reads them afterwards."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from innerjudge.experiments.data.jsonl import read_items
from innerjudge.experiments.judges import saved
from innerjudge.experiments.judges.judge import Judge
from innerjudge.experiments.judges.sample_and_judge import (
    Sampling,
    acting,
    answer_and_judge,
    candidates_of,
    sample_and_judge,
)
from innerjudge.experiments.judges.saved import JudgeRecord
from innerjudge.experiments.reading.passes import Passes
from innerjudge.experiments.reading.read import read
from innerjudge.experiments.reading.verdict_pass import sample_traces
from innerjudge.experiments.runs import sample_job as jobs
from innerjudge.experiments.runs.sample_job import load_questions, sample_job
from innerjudge.extraction import Features, HiddenStates, States, extract
from innerjudge.extraction.writing.drafts import Drafts
from innerjudge.extraction.writing.watch import Watch
from innerjudge.models.errors import InnerjudgeError
from innerjudge.models.items import Trace
from innerjudge.models.loading import LanguageModel
from innerjudge.models.positions import encode_trace
from innerjudge.models.reference.solve import problems
from innerjudge.models.reference.words import HELD_OUT_SEED
from innerjudge.probes import CLUE, LAGER, BaseJudge, LogisticProbe, QuestionOnly, TextJudge, TokenLogProb

QUESTIONS = [p.prompt for p in problems(3, seed=HELD_OUT_SEED)]
HOW: dict[str, Any] = {"n": 3, "max_new_tokens": 100, "seed": 4}


@pytest.fixture(scope="module")
def fitted(reference: LanguageModel) -> dict[str, BaseJudge]:
    """Judges of traces, fitted on other questions."""
    traces = sample_traces(reference, problems(12, seed=HELD_OUT_SEED + 50), n_candidates=4, seed=1)
    labels = [bool(trace.correct) for trace in traces]
    assert 0 < sum(labels) < len(labels)
    learning: dict[str, Any] = {
        "clue": CLUE(rank_by="margin"),
        "probe": LogisticProbe(positions=("prompt_end", "response_end")),
        "question-only": QuestionOnly(),
    }
    for judge in learning.values():
        judge.fit(read(reference, traces, judges=[judge]), labels)
    return {**learning, "logprob": TokenLogProb(), "text": TextJudge.verdict(), "lager": LAGER(values=(0, 1))}


@pytest.mark.parametrize("name", ["clue", "probe", "question-only", "logprob", "text", "lager"])
def test_scores_are_those_of_a_second_pass(reference: LanguageModel, fitted: dict[str, BaseJudge], name: str) -> None:
    judge = fitted[name]
    found = sample_and_judge(reference, QUESTIONS, judge, **HOW)
    assert [trace.id for trace in found.traces] == [f"q{k}/{c}" for k in range(3) for c in range(3)]
    again = judge.verdicts(read(reference, found.traces, judges=[judge]))
    assert [verdict.id for verdict in found.verdicts] == [trace.id for trace in found.traces]
    for one, two in zip(found.verdicts, again, strict=True):
        assert (one.label, one.unscored) == (two.label, two.unscored)
        if two.score is not None:
            np.testing.assert_allclose(one.score, two.score, rtol=1e-4, atol=1e-4)
    assert found.replayed == (9 if name in ("text", "lager") else 0)
    for ranking in found.ranked():
        scores = [verdict.score for _, verdict in ranking if verdict.score is not None]
        assert scores == sorted(scores, reverse=True)
        assert len({trace.question_id for trace, _ in ranking}) == 1


def test_no_pass_follows_the_sampling(
    reference: LanguageModel, fitted: dict[str, BaseJudge], monkeypatch: pytest.MonkeyPatch
) -> None:
    from innerjudge.extraction.writing import answers

    def never(*_: Any, **__: Any) -> Features:
        raise AssertionError("a pass after the sampling")

    monkeypatch.setattr(answers, "extract", never)
    assert sample_and_judge(reference, QUESTIONS, fitted["clue"], **HOW).replayed == 0


def test_what_is_asked_for_and_cannot_be_is_refused(reference: LanguageModel, fitted: dict[str, BaseJudge]) -> None:
    with pytest.raises(InnerjudgeError, match="without reject_below"):
        sample_and_judge(reference, QUESTIONS, fitted["clue"], along="reasoning/segment(4)")


def test_a_judge_of_passes_that_stopped_early(reference: LanguageModel) -> None:
    traces = sample_traces(reference, problems(8, seed=HELD_OUT_SEED + 50), n_candidates=4, seed=1)
    encoded = [encode_trace(reference.tokenizer, t, sampled_by=reference.fingerprint) for t in traces]
    readouts = [HiddenStates("reasoning_start"), HiddenStates("reasoning_end")]
    early = extract(reference, encoded, readouts, last_block=3)
    judge = CLUE(rank_by="margin").fit(early, [bool(trace.correct) for trace in traces])
    found = sample_and_judge(reference, QUESTIONS, judge, reject_below=-1e9, **HOW)
    whole = [encode_trace(reference.tokenizer, t, sampled_by=reference.fingerprint) for t in found.traces]
    again = judge.verdicts(extract(reference, whole, readouts, last_block=3))
    assert [v.score for v in found.verdicts] == pytest.approx([v.score for v in again], abs=1e-4)


def test_rejection_by_score(reference: LanguageModel, fitted: dict[str, BaseJudge]) -> None:
    judge = fitted["clue"]
    plain = sample_and_judge(reference, QUESTIONS, judge, **HOW)
    scores = [v.score for v in plain.verdicts if isinstance(v.score, float)]
    threshold = float(np.median(scores))
    found = sample_and_judge(reference, QUESTIONS, judge, reject_below=threshold, **HOW)
    for trace, verdict, whole in zip(found.traces, found.verdicts, plain.verdicts, strict=True):
        assert isinstance(whole.score, float)
        assert ("rejected" in trace.extra) == (whole.score < threshold)
        assert verdict.score == pytest.approx(whole.score, abs=1e-4)
        if "rejected" in trace.extra:
            assert trace.response.endswith("</think>")
            assert f"below {threshold:g}" in trace.extra["rejected"]
    for ranking in found.ranked():
        stopped = ["rejected" in trace.extra for trace, _ in ranking]
        assert stopped == sorted(stopped)


def test_rejection_by_a_promise(reference: LanguageModel, fitted: dict[str, BaseJudge]) -> None:
    judge = CLUE(rank_by="margin")
    traces = sample_traces(reference, problems(12, seed=HELD_OUT_SEED + 70), n_candidates=4, seed=1)
    features = read(reference, traces, judges=[judge])
    right = [bool(trace.correct) for trace in traces]
    judge.fit(features, right)  # the same items twice: only the mechanics are tested here
    promise = judge.promise(features, right, risk="lost good answers", level=0.3, confidence=None)
    found = sample_and_judge(reference, QUESTIONS, judge, reject_below=promise, **HOW)
    for trace, verdict in zip(found.traces, found.verdicts, strict=True):
        if verdict.score is not None:
            assert ("rejected" in trace.extra) == (not promise.keeps(verdict.score))
    assert found.saved is not None
    assert found.saved.stopped == sum("rejected" in trace.extra for trace in found.traces)
    with pytest.raises(InnerjudgeError, match="the promise of another judge"):
        sample_and_judge(reference, QUESTIONS, fitted["clue"], reject_below=promise, **HOW)
    other = judge.promise(features, right, risk="passed bad answers", level=0.3, confidence=None)
    with pytest.raises(InnerjudgeError, match="it is about what is passed bad answers"):
        sample_and_judge(reference, QUESTIONS, judge, reject_below=other, **HOW)
    none = judge.promise(features, right, risk="lost good answers", level=0.001)
    with pytest.raises(InnerjudgeError, match="expected at least 2995: add questions"):
        sample_and_judge(reference, QUESTIONS, judge, reject_below=none, **HOW)
    # Its score at the end of the reasoning is not the one of whole answers that the promise was calibrated on.
    token = TokenLogProb()
    early = token.promise(read(reference, traces, judges=[token]), right, risk="lost good answers", level=0.3)
    with pytest.raises(InnerjudgeError, match="reads logprob to reject by"):
        sample_and_judge(reference, QUESTIONS, token, reject_below=early, **HOW)


@pytest.mark.parametrize(("name", "role"), [("clue", "reasoning/segment(6)"), ("probe", "response/segment(9)")])
def test_rejection_along_a_role(reference: LanguageModel, fitted: dict[str, BaseJudge], name: str, role: str) -> None:
    """An answer is stopped at the first look below the threshold, by the states of the whole answer, read later."""
    judge = fitted[name]
    plain = sample_and_judge(reference, QUESTIONS, judge, **HOW)
    states, end = States(role, "last"), "hidden/reasoning_end" if name == "clue" else "hidden/response_end"
    wanted = Passes(needs=frozenset({*judge.needs, states.name}))
    features = read(reference, plain.traces, wanted)
    scores, tokens = [], []
    for k, trace in enumerate(plain.traces):
        encoded = encode_trace(reference.tokenizer, trace, sampled_by=reference.fingerprint, roles=[role])
        rows = features.ragged[states.name][k]
        here = {need: np.repeat(features[need][[k]], len(rows), axis=0) for need in judge.needs} | {end: rows}
        looks = replace(features.take([0] * 0), ids=tuple(map(str, range(len(rows)))), groups=("q",) * len(rows),
                        arrays=here, ragged={}, missing={})  # fmt: skip
        scores.append(judge.decision_function(looks).tolist() if len(rows) else [])
        start = encoded.positions["prompt_end"][0] + 1
        tokens.append([stop - start for _, stop in encoded.places(role)])
        if rows.size and np.diff(encoded.places(role)[-1]) != np.diff(encoded.places(role)[0]):
            del scores[-1][-1:], tokens[-1][-1:]  # its end is that of the part, which only the finished text shows
        if name == "clue" and plain.verdicts[k].score is not None:  # and once more where the reasoning ends
            scores[-1].append(plain.verdicts[k].score)
            tokens[-1].append(encoded.positions["reasoning_end"][0] + 1 - start)
    lowest = sorted({round(min(one), 4) for one in scores if one})  # answers that begin alike have one score
    threshold = float(np.mean(lowest[len(lowest) // 2 :][:2]))  # between two, so that float error decides nothing
    found = sample_and_judge(reference, QUESTIONS, judge, reject_below=threshold, along=role, **HOW)
    stopped = 0
    for trace, whole, said, at in zip(found.traces, plain.traces, scores, tokens, strict=True):
        every = whole.extra["response_ids"]
        first = next((n for n, s in zip(at, said, strict=True) if s < threshold and n < len(every)), None)
        assert trace.extra["response_ids"] == every[:first]
        assert ("rejected" in trace.extra) == (first is not None)
        stopped += first is not None
        if first is not None:
            assert "on the way, below" in trace.extra["rejected"]
    assert 0 < stopped < len(plain.traces)
    assert found.saved is not None
    assert (found.saved.stopped, found.saved.tokens > 0) == (stopped, True)


def test_rejection_by_a_promise_along_a_role(reference: LanguageModel) -> None:
    role, judge = "reasoning/segment(6)", CLUE(rank_by="margin")
    traces = sample_traces(reference, problems(12, seed=HELD_OUT_SEED + 70), n_candidates=4, seed=1)
    features = read(reference, traces, Passes(needs=frozenset({*judge.needs, States(role, "last").name})))
    right = [bool(trace.correct) for trace in traces]
    judge.fit(features, right)  # the same items twice: only the mechanics are tested here
    promise = judge.promise(features, right, risk="lost good answers", level=0.4, confidence=None, along=role)
    found = sample_and_judge(reference, QUESTIONS, judge, reject_below=promise, **HOW)
    same = sample_and_judge(reference, QUESTIONS, judge, reject_below=promise.threshold, along=role, **HOW)
    assert found.traces == same.traces
    assert any("on the way" in trace.extra.get("rejected", "") for trace in found.traces)
    with pytest.raises(InnerjudgeError, match="reads the end of that part"):
        sample_and_judge(reference, QUESTIONS, judge, reject_below=0.0, along="response/segment(6)", **HOW)


def test_what_cannot_be_is_refused(reference: LanguageModel, fitted: dict[str, BaseJudge]) -> None:
    with pytest.raises(InnerjudgeError, match="reads hidden/response_end to reject by"):
        sample_and_judge(reference, QUESTIONS, fitted["probe"], reject_below=0.0, **HOW)
    with pytest.raises(InnerjudgeError, match="reads direct to reject by"):
        acting(fitted["text"], Sampling(reject_below=0.5))
    with pytest.raises(InnerjudgeError, match="expected a list of Trace or str"):
        sample_and_judge(reference, "Start with 7.", fitted["clue"])
    with pytest.raises(InnerjudgeError, match="at least 1 answer"):
        sample_and_judge(reference, QUESTIONS, fitted["clue"], n=0)
    with pytest.raises(InnerjudgeError, match="not fitted"):
        sample_and_judge(reference, QUESTIONS, CLUE(), **HOW)
    alien = CLUE()
    assert fitted["clue"].provenance_ is not None
    alien.provenance_ = replace(fitted["clue"].provenance_, fingerprint="another")
    with pytest.raises(InnerjudgeError, match="fingerprint"):
        sample_and_judge(reference, QUESTIONS, alien, **HOW)


def test_a_question_stands_once() -> None:
    trace = Trace(question_id="q", candidate_id="7", prompt="1+1?", response="2", answer="2", correct=True)
    again = replace(trace, candidate_id="8", response="3")
    made = candidates_of([trace, again], 2)
    assert made == [Trace(question_id="q", candidate_id=str(k), prompt="1+1?", response="") for k in range(2)]


def test_a_job_is_resumed_and_ends_with_the_same_file(
    reference: LanguageModel, fitted: dict[str, BaseJudge], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    questions = load_questions("builtin:solve", limit=5)
    how: dict[str, Any] = {"sampling": Sampling(n=2, max_new_tokens=80)}
    judge = Judge(fitted["clue"], reference, kind="trace", name="clue")
    judge.passes = replace(judge.passes, batch_size=1)  # 4 answers written at a time
    job = (judge, questions)
    assert sample_job(*job, tmp_path / "whole.jsonl", **how).startswith("10 answers to 5 questions")
    out, calls = tmp_path / "killed.jsonl", list[int]()

    def dies(*args: Any, **more: Any) -> Any:
        calls.append(len(args[1]))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return answer_and_judge(*args, **more)

    monkeypatch.setattr(jobs, "answer_and_judge", dies)
    with pytest.raises(KeyboardInterrupt):
        sample_job(*job, out, **how)
    part = out.with_name("killed.jsonl.part")
    with part.open("a", encoding="utf-8") as file:
        file.write('{"cut sh')
    with pytest.raises(InnerjudgeError, match="begun by another job"):
        sample_job(*job, out, sampling=Sampling(n=2, max_new_tokens=80, seed=1))
    calls[:] = [0] * 3
    assert sample_job(*job, out, **how).startswith("10 answers")
    assert calls[3:] == [2], "two units of four answers were there already"
    assert out.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
    assert not part.exists()
    assert "complete already" in sample_job(*job, out, **how)
    with pytest.raises(InnerjudgeError, match="holds something else"):
        sample_job(*job, out, sampling=Sampling(n=2, max_new_tokens=80, seed=1))
    traces = read_items(out)
    assert {isinstance(trace, Trace) and trace.correct in (True, False) for trace in traces} == {True}


def test_a_killed_job_loses_no_answer_that_it_had_begun(
    reference: LanguageModel, fitted: dict[str, BaseJudge], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed within its one batch: the next run goes on from the tokens, and leaves nothing beside its output."""
    questions = load_questions("builtin:solve", limit=3)
    judge = Judge(fitted["clue"], reference, kind="trace", name="clue")
    how: dict[str, Any] = {"sampling": Sampling(n=2, max_new_tokens=80)}
    steps, killed, keep, step = list[int](), list[bool](), Drafts.keep, Watch.__call__

    def dies(self: Drafts, *args: Any, **more: Any) -> None:
        self._last = -1e9  # the time has come
        keep(self, *args, **more)
        if len(steps) > 24 and not killed:
            killed.append(True)
            raise KeyboardInterrupt

    monkeypatch.setattr(Watch, "__call__", lambda *args, **more: steps.append(1) or step(*args, **more))
    sample_job(judge, questions, tmp_path / "whole.jsonl", **how)
    once = len(steps)
    steps.clear()
    monkeypatch.setattr(Drafts, "keep", dies)
    out = tmp_path / "out" / "killed.jsonl"
    with pytest.raises(KeyboardInterrupt):
        sample_job(judge, questions, out, **how)
    assert (out.parent / "killed.jsonl.drafts").is_file()
    sample_job(judge, questions, out, **how)
    found, whole = (
        [json.loads(line) for line in path.read_text("utf-8").splitlines()] for path in (out, tmp_path / "whole.jsonl")
    )
    scores = [[row.pop("score") for row in rows] for rows in (found, whole)]
    assert found == whole
    np.testing.assert_allclose(*np.array(scores, dtype=float), rtol=1e-4)  # a prompt is read in one pass, not by steps
    assert not any(path.suffix in (".drafts", ".part", ".tmp") for path in out.parent.iterdir())
    assert len(steps) == once, "no step is made twice"


def test_questions_from_files(tmp_path: Path) -> None:
    bare = tmp_path / "questions.jsonl"
    rows = [{"question_id": f"q{k}", "prompt": f"{k}+1?", "answer": str(k + 1), "level": k} for k in range(3)]
    bare.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    found = load_questions(str(bare)).traces
    assert [(one.question_id, one.prompt, one.answer, one.extra) for one in found] == [
        (f"q{k}", f"{k}+1?", None, {"level": k}) for k in range(3)
    ]
    assert len(load_questions(str(bare), limit=2).traces) == 2
    traces = tmp_path / "traces.jsonl"
    said = [{**row, "candidate_id": c, "response": c, "correct": True} for row in rows for c in "ab"]
    traces.write_text("".join(json.dumps(row) + "\n" for row in said), encoding="utf-8")
    assert [one.question_id for one in load_questions(str(traces)).traces] == ["q0", "q1", "q2"]
    bare.write_text('{"question_id": "q0", "prompt": "a"}\n{"question_id": "q0", "prompt": "b"}\n')
    with pytest.raises(InnerjudgeError, match="given two prompts for the question 'q0'"):
        load_questions(str(bare))
    bare.write_text('{"prompt": "a"}\n{"prompt": "b"}\n')
    assert [one.question_id for one in load_questions(str(bare)).traces] == ["q1", "q2"]
    bare.write_text('{"prompt": "a", "question_id": "q"}\n{"prompt": "b"}\n')
    with pytest.raises(InnerjudgeError, match="field 'question_id': given nothing"):
        load_questions(str(bare))
    with pytest.raises(InnerjudgeError, match="with rating items, expected questions"):
        load_questions("builtin:rate")
    with pytest.raises(InnerjudgeError, match="check the path"):
        load_questions(str(tmp_path / "none.jsonl"))


def test_the_command(
    reference: LanguageModel, fitted: dict[str, BaseJudge], tmp_path: Path, cli: Callable[..., Any]
) -> None:
    saved.save(fitted["clue"], JudgeRecord("clue-margin", "trace", (1, 5)), tmp_path / "judge")
    out = tmp_path / "traces.jsonl"
    how = ("--judge", tmp_path / "judge", "--data", "builtin:solve", "--limit", 2, "--n", 2, "--max-new-tokens", 80)
    said = cli("sample", *how, "--out", out)
    assert (said.code, said.out.strip()) == (0, f"4 answers to 2 questions are in {out}.")
    rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert all(row["judge"] == "clue-margin" and (row["score"] is None) == bool(row["unscored"]) for row in rows)
    verdicts = tmp_path / "verdicts.jsonl"
    assert cli("score", "--judge", tmp_path / "judge", "--data", out, "--out", verdicts).code == 0
    for row, line in zip(rows, verdicts.read_text(encoding="utf-8").splitlines(), strict=True):
        assert json.loads(line)["score"] == pytest.approx(row["score"], abs=1e-4)
    named = cli("sample", *how, "--model", "reference", "--out", tmp_path / "named.jsonl")
    assert named.code == 0
    assert (tmp_path / "named.jsonl").read_bytes() == out.read_bytes(), "the judge's own model is the same"
    saved.save(fitted["lager"], JudgeRecord("lager", "rating", (1, 5)), tmp_path / "ratings")
    for more, reason in (
        (("--judge", tmp_path / "ratings", "--data", "builtin:solve"), "fit a judge on trace items"),
        (("--judge", tmp_path / "none", "--data", "builtin:solve"), "expected a folder that `innerjudge fit`"),
        (("--judge", tmp_path / "judge", "--data", "nothing"), "check the path"),
        (("--judge", tmp_path / "judge", "--data", "builtin:choose"), "expected questions"),
        (("--judge", tmp_path / "judge", "--data", "builtin:solve", "--revision", "x"), "without --model"),
    ):
        said = cli("sample", *more, "--out", tmp_path / "x.jsonl")
        assert said.code == 2
        assert reason in said.err
        assert not (tmp_path / "x.jsonl").exists()
