"""Answers whose score is high enough on the way close their reasoning there; others are what they would have been."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from innerjudge.experiments.data.jsonl import read_items
from innerjudge.experiments.judges.judge import Judge
from innerjudge.experiments.judges.sample_and_judge import Candidates, Sampling, acting, sample_and_judge
from innerjudge.experiments.reading.passes import Passes
from innerjudge.experiments.reading.read import read
from innerjudge.experiments.reading.verdict_pass import sample_traces
from innerjudge.experiments.runs.sample_job import load_questions, sample_job
from innerjudge.extraction import Features, States
from innerjudge.models.errors import InnerjudgeError
from innerjudge.models.items import Trace
from innerjudge.models.loading import LanguageModel
from innerjudge.models.positions import encode_trace
from innerjudge.models.reference.solve import problems
from innerjudge.models.reference.words import HELD_OUT_SEED
from innerjudge.probes import CLUE, LogisticProbe, TextJudge, TokenLogProb
from scipy.special import logit

ROLE = "reasoning/segment(6)"
WITH_LOOKS = Passes(needs=frozenset({*CLUE().needs, States(ROLE, "last").name}))
QUESTIONS = [p.prompt for p in problems(4, seed=HELD_OUT_SEED)]
HOW: dict[str, Any] = {"n": 3, "max_new_tokens": 100, "seed": 5}


@pytest.fixture(scope="module")
def learned(reference: LanguageModel) -> tuple[list[Trace], Features, list[bool]]:
    traces = sample_traces(reference, problems(12, seed=HELD_OUT_SEED + 70), n_candidates=4, seed=1)
    return traces, read(reference, traces, WITH_LOOKS), [bool(trace.correct) for trace in traces]


@pytest.fixture
def judge(learned: tuple[list[Trace], Features, list[bool]]) -> CLUE:
    return CLUE(rank_by="margin").fit(learned[1], learned[2])


def looks(reference: LanguageModel, judge: CLUE, found: Candidates) -> list[list[tuple[int, float]]]:
    """For each answer the tokens and the score at every look in its reasoning, by a pass over the finished text."""
    features, name = read(reference, found.traces, WITH_LOOKS), States(ROLE, "last").name
    every = []
    for k, trace in enumerate(found.traces):
        one = encode_trace(reference.tokenizer, trace, sampled_by=reference.fingerprint, roles=[ROLE])
        rows = features.ragged[name][k]
        start = one.positions["prompt_end"][0] + 1
        places = [(end - start, end - begin) for begin, end in one.places(ROLE)]
        here = {need: np.repeat(features[need][[k]], len(rows), axis=0) for need in judge.needs}
        here["hidden/reasoning_end"] = rows
        asked = replace(features.take([0] * 0), ids=tuple(map(str, range(len(rows)))), groups=("q",) * len(rows),
                        arrays=here, ragged={}, missing={})  # fmt: skip
        scores = judge.decision_function(asked).tolist() if len(rows) else []
        # The last segment, where it is cut short, ends with its part, which only the finished text shows.
        every.append([(n, s) for (n, size), s in zip(places, scores, strict=True) if size == 6])
    return every


def test_the_worked_example_of_chunks() -> None:
    """Chunks of .3, .8, .95 (arXiv 2504.05419): at .85 it stops after the third, at .75 after the second."""
    states = logit([0.3, 0.8, 0.95])[:, None, None].repeat(3, axis=1)
    f = Features.from_arrays({"hidden/reasoning_end": states}, provenance="m", groups="qqq")
    judge = LogisticProbe(positions=["reasoning_end"])
    judge.coef_, judge.intercept_, judge.row_, judge.C_ = np.ones(1), 0.0, -1, 1.0
    judge.n_excluded_, judge.provenance_ = 0, f.provenance
    for border, chunk in ((0.85, 3), (0.75, 2)):
        act, _ = acting(judge, Sampling(1, 1.0, 9, None, float(logit(border)), "reasoning/step_end", 0))
        assert act is not None
        first = next(k for k, one in enumerate(act(f), start=1) if one is not None)
        assert first == chunk


def test_an_answer_exits_at_the_first_look_that_is_high_enough(reference: LanguageModel, judge: CLUE) -> None:
    plain = sample_and_judge(reference, QUESTIONS, judge, **HOW)
    seen = looks(reference, judge, plain)
    highest = sorted(max(s for _, s in one) for one in seen if one)
    threshold = float(np.mean(highest[len(highest) // 2 :][:2]))  # between two, so that float error decides nothing
    found = sample_and_judge(reference, QUESTIONS, judge, exit_above=threshold, along=ROLE, **HOW)
    (closing,) = reference.tokenizer("</think>")["input_ids"]
    exited = 0
    for trace, whole, said in zip(found.traces, plain.traces, seen, strict=True):
        ids, every = trace.extra["response_ids"], whole.extra["response_ids"]
        first = next((n for n, s in said if s >= threshold and every[n] != closing), None)
        if first is None:
            assert trace == whole
            continue
        exited += 1
        assert (ids[:first], ids[first]) == (every[:first], closing)
        assert trace.extra["exited"].endswith(f" on the way, {threshold:g} or more")
    assert 0 < exited < len(plain.traces)
    assert found.saved is not None
    assert (found.saved.stopped, found.saved.exited) == (0, exited)
    assert found.saved.tokens > 0
    assert found.replayed == 0
    # The verdicts are those of a pass over the shortened texts.
    again = judge.verdicts(read(reference, found.traces, WITH_LOOKS))
    for one, two in zip(found.verdicts, again, strict=True):
        assert one.score == pytest.approx(two.score, abs=1e-4)
    assert any("exited" in trace.extra for trace, _ in (pair for pairs in found.ranked() for pair in pairs[:2]))


def test_both_thresholds_together(reference: LanguageModel, judge: CLUE) -> None:
    """The first look below the one stops, from the other on exits; one that left is not stopped any more."""
    seen = looks(reference, judge, plain := sample_and_judge(reference, QUESTIONS, judge, **HOW))
    scores = sorted(s for one in seen for _, s in one)
    low, high = (float(np.mean(scores[k : k + 2])) for k in (len(scores) // 6, len(scores) * 3 // 4))
    how = HOW | {"reject_below": low, "exit_above": high, "along": ROLE}
    found = sample_and_judge(reference, QUESTIONS, judge, **how)
    done = {"rejected": 0, "exited": 0}
    for trace, whole, said in zip(found.traces, plain.traces, seen, strict=True):
        kind = next(("rejected" if s < low else "exited" for _, s in said if not low <= s < high), None)
        if kind is not None:
            assert kind in trace.extra
            assert not {"rejected", "exited"} - {kind} & trace.extra.keys()
            done[kind] += 1
        elif "rejected" not in trace.extra:  # else it was stopped where its reasoning ends
            assert trace == whole
    assert min(done.values()) > 0
    assert found.saved is not None
    assert found.saved.exited == done["exited"]


def test_a_promise_of_bad_answers(
    reference: LanguageModel, judge: CLUE, learned: tuple[list[Trace], Features, list[bool]]
) -> None:
    _, features, right = learned  # the same items twice: only the mechanics are tested here
    promise = judge.promise(features, right, risk="passed bad answers", level=0.5, confidence=None, along=ROLE)
    assert promise.refused is None
    found = sample_and_judge(reference, QUESTIONS, judge, exit_above=promise, **HOW)
    same = sample_and_judge(reference, QUESTIONS, judge, exit_above=promise.threshold, along=ROLE, **HOW)
    assert found.traces == same.traces
    assert any("exited" in trace.extra for trace in found.traces)
    # Of a question's bad answers the share that exits (the highest score anywhere reaches the threshold) is kept.
    scores = [max([v.score, *(s for _, s in one)]) for v, one in zip(found.verdicts, looks(reference, judge, found),
              strict=True) if isinstance(v.score, float)]  # fmt: skip
    assert any(s >= promise.threshold for s in scores)
    other = judge.promise(features, right, risk="lost good answers", level=0.4, confidence=None, along=ROLE)
    with pytest.raises(InnerjudgeError, match="it is about what is lost good answers"):
        sample_and_judge(reference, QUESTIONS, judge, exit_above=other, **HOW)
    with pytest.raises(InnerjudgeError, match="the promise of another judge"):
        sample_and_judge(reference, QUESTIONS, judge, exit_above=promise, **HOW)  # the judge promises the other now
    both = sample_and_judge(reference, QUESTIONS, judge, reject_below=other, exit_above=other.threshold + 30, **HOW)
    assert both.saved is not None
    none = judge.promise(features, right, risk="passed bad answers", level=0.001, along=ROLE)
    with pytest.raises(InnerjudgeError, match="expected at least 2995: add questions"):
        sample_and_judge(reference, QUESTIONS, judge, exit_above=none, **HOW)
    at_end = judge.promise(features, right, risk="passed bad answers", level=0.5, confidence=None)
    with pytest.raises(InnerjudgeError, match="expected a role of the reasoning to exit along"):
        sample_and_judge(reference, QUESTIONS, judge, exit_above=at_end, **HOW)
    with pytest.raises(InnerjudgeError, match="a promise of the same along"):
        sample_and_judge(reference, QUESTIONS, judge, exit_above=at_end, along=ROLE, **HOW)


def test_what_cannot_be_is_refused(
    reference: LanguageModel, judge: CLUE, learned: tuple[list[Trace], Features, list[bool]]
) -> None:
    def ask(judge: Any, **how: Any) -> Candidates:
        return sample_and_judge(reference, QUESTIONS, judge, **HOW, **how)

    traces, _, right = learned
    late = LogisticProbe(positions=("prompt_end", "response_end"))
    late.fit(read(reference, traces, judges=[late]), right)
    with pytest.raises(InnerjudgeError, match=r"reads the end of that part, and nothing further"):
        ask(late, exit_above=0.0, along=ROLE)
    with pytest.raises(InnerjudgeError, match="to be asked along"):
        ask(TextJudge.verdict(), exit_above=0.5, along=ROLE)
    for along in ("", "response/segment(6)"):
        with pytest.raises(InnerjudgeError, match="expected a role of the reasoning to exit along"):
            ask(judge, exit_above=0.0, along=along)
    for odd in ({"exit_above": float("nan")}, {"reject_below": float("nan")}):
        with pytest.raises(InnerjudgeError, match="to exit from no less than what is rejected"):
            ask(judge, along=ROLE, **odd)
    with pytest.raises(InnerjudgeError, match="to exit from no less than what is rejected"):
        ask(judge, exit_above=0.0, reject_below=1.0, along=ROLE)
    with pytest.raises(InnerjudgeError, match="without reject_below or exit_above"):
        ask(judge, along=ROLE)
    token = TokenLogProb()
    assert ask(token, exit_above=-1e9, along=ROLE).saved is not None
    early = token.promise(read(reference, traces, judges=[token]), right, risk="passed bad answers", level=0.9)
    with pytest.raises(InnerjudgeError, match="expected a role of the reasoning"):
        ask(token, exit_above=early)


def test_exits_of_a_job_are_in_its_file(reference: LanguageModel, judge: CLUE, tmp_path: Path) -> None:
    questions, out = load_questions("builtin:solve", limit=4), tmp_path / "answers.jsonl"
    whole = Judge(judge, reference, kind="trace", name="clue")
    how = Sampling(n=2, max_new_tokens=80, exit_above=-1e9, along=ROLE)
    said = sample_job(whole, questions, out, sampling=how)
    traces = [one for one in read_items(out) if isinstance(one, Trace)]
    exited = ["exited" in trace.extra for trace in traces]
    assert f"0 of them were stopped, {sum(exited)} left their reasoning early" in said
    assert sum(exited) > 6
    for trace in traces:
        ids = trace.extra["response_ids"]
        again = encode_trace(reference.tokenizer, trace, sampled_by=reference.fingerprint)
        assert list(again.ids[-len(ids) :]) == ids
        assert trace.correct in (True, False)
    assert "complete already" in sample_job(whole, questions, out, sampling=how)
    with pytest.raises(InnerjudgeError, match="holds something else"):
        sample_job(whole, questions, out, sampling=replace(how, exit_above=0.0))
