"""A judge in Inspect: as a scorer in a real eval, and as scores for a log that is there already."""

from __future__ import annotations

import json
import math
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest
from innerjudge import InnerjudgeError, Judge
from innerjudge.experiments.adapters.harness_logs import inspect_records
from innerjudge.experiments.adapters.inspect_ai import innerjudge
from innerjudge.experiments.data.kinds import item_to_row
from innerjudge.experiments.data.loaders.inspect_log import completion_of, inspect_log
from inspect_ai import Task, eval, score
from inspect_ai.dataset import Sample
from inspect_ai.log import (
    EvalConfig,
    EvalDataset,
    EvalError,
    EvalLog,
    EvalSample,
    EvalSpec,
    read_eval_log,
    write_eval_log,
)
from inspect_ai.model import (
    ChatMessageAssistant,
    ChatMessageSystem,
    ChatMessageUser,
    ContentReasoning,
    ContentText,
    ModelOutput,
    ModelUsage,
    get_model,
)
from inspect_ai.scorer import match, precomputed_scores

from .conftest import PROMPT, RIGHT, WRONG

TOO_LONG = "12 " * 2000


def run(tmp_path: Path, *, scorer: Any, epochs: int = 1) -> EvalLog:
    """Three samples; the mock model gives the right trace, in parts as real ones do, the wrong one, and a huge one."""
    parts = [ContentReasoning(reasoning="7+5=12;12*3=36"), ContentText(text="36")]
    said = [ModelOutput.from_content("mockllm/model", one) for one in [parts, WRONG, TOO_LONG] * epochs]
    for one in said:
        one.usage = ModelUsage()  # else it is counted by a tokenizer that is fetched from the network
    model = get_model("mockllm/model", custom_outputs=said, memoize=False)
    samples = [
        Sample(id="a", input=PROMPT, target="36"),
        Sample(id="b", input=[ChatMessageUser(content=PROMPT)], target="36"),
        Sample(id=7, input=PROMPT, target="36"),
    ]
    [log] = eval(
        Task(dataset=samples, scorer=scorer, epochs=epochs), model=model, log_dir=str(tmp_path / "logs"),
        display="none", max_connections=1, max_samples=1, log_format="eval",
    )  # fmt: skip
    assert log.status == "success", log.error
    return log


def test_a_scorer_in_an_eval(judge: Judge, folder: Path, tmp_path: Path) -> None:
    log = run(tmp_path, scorer=innerjudge(str(folder)))
    assert log.samples is not None
    found = {sample.id: next(iter((sample.scores or {}).values())) for sample in log.samples}
    right, wrong = judge.scores([(PROMPT, RIGHT), (PROMPT, WRONG)]).tolist()
    assert found["a"].value == pytest.approx(right, abs=1e-6)
    assert found["a"].answer == RIGHT  # reasoning and answer together again
    assert found["b"].value == pytest.approx(wrong, abs=1e-6)
    assert math.isnan(float(found[7].value))
    assert found[7].reason == "scoring_failed"
    assert "longer than the model's context" in (found[7].explanation or "")
    assert log.results is not None
    [scored] = log.results.scores
    assert scored.name == "innerjudge"
    assert scored.metrics["mean"].value == pytest.approx((right + wrong) / 2, abs=1e-6)
    assert scored.unscored_samples == 1


def test_a_log_is_scored_again(cli, judge: Judge, folder: Path, tmp_path: Path) -> None:
    log = run(tmp_path, scorer=match(), epochs=2)
    traces = inspect_log(Path(log.location))
    said = {"a": (RIGHT, True), "b": (WRONG, False), "7": (TOO_LONG, False)}
    assert {(t.question_id, t.candidate_id): (t.response, t.correct) for t in traces} == {
        (name, epoch): what for name, what in said.items() for epoch in "12"
    }
    assert {t.prompt for t in traces} == {PROMPT}

    out, records = tmp_path / "verdicts.jsonl", tmp_path / "scores.jsonl"
    ask = ("score", "--judge", folder, "--data", f"inspect-log:{log.location}", "--out", out, "--inspect", records)
    said = cli(*ask)
    assert said.code == 0, said.err
    assert "4 records (2 unscored ones have none) are in" in said.out
    kept = records.read_bytes()
    assert cli(*ask).code == 0
    assert records.read_bytes() == kept
    again = score(read_eval_log(log.location), precomputed_scores(str(records)), action="overwrite", display="none")
    right, wrong = judge.verdicts([(PROMPT, RIGHT), (PROMPT, WRONG)])
    assert again.samples is not None
    values = {(s.id, s.epoch): (s.scores or {}).get("precomputed_scores") for s in again.samples}
    for epoch in (1, 2):
        assert values["a", epoch].value == pytest.approx(right.score, abs=1e-6)
        assert values["b", epoch].value == pytest.approx(wrong.score, abs=1e-6)
        assert values["a", epoch].metadata == {"judge": "solver", "label": right.label}
    assert all(values.get((7, epoch)) is None for epoch in (1, 2))

    records.write_text('{"id": "other"}\n', "utf-8")
    records.with_name(f"{records.name}.sha256").unlink()  # a file of somebody else has no checksum of ours
    said = cli(*ask)
    assert said.code == 2
    assert "holds something else" in said.err


def test_records_of_other_items() -> None:
    row = {"judge": "lager", "score": 4.0, "label": 4, "unscored": None}
    assert inspect_records([{"question": "r1", **row}, {"question": "r2", **row, "score": None}]) == [
        {"id": "r1", "value": 4.0, "metadata": {"judge": "lager", "label": 4}}
    ]
    alone = {"question": "q", "candidate": "some-model", **row}
    assert "epoch" not in inspect_records([alone])[0]
    for name in ("some-model", "0", "-1", "1.5", "\u0663"):
        with pytest.raises(InnerjudgeError, match="number of an epoch"):
            inspect_records([alone, alone | {"candidate": name}])
    with pytest.raises(InnerjudgeError, match="judge of choices"):
        inspect_records([{"question": "q", **row, "scores": [0.1, 0.9]}])
    assert inspect_records([]) == []


def test_what_cannot_be_read(tmp_path: Path) -> None:
    hidden = [ContentReasoning(reasoning="?", redacted=True), ContentText(text="36")]
    assert completion_of(ModelOutput.from_content("m", hidden)) is None
    assert completion_of(ModelOutput()) is None
    for name, text in (("a.eval", "no zip"), ("b.json", "{"), ("c.json", json.dumps({"version": 2})), ("d.txt", "")):
        (tmp_path / name).write_text(text, "utf-8")
        with pytest.raises(InnerjudgeError, match="expected a log of Inspect"):
            inspect_log(tmp_path / name)


def log_of(path: Path, *samples: EvalSample) -> Path:
    """A log with these samples, written by Inspect."""
    spec = EvalSpec(
        created="2025-01-01T00:00:00+00:00", task="t", dataset=EvalDataset(), model="m", config=EvalConfig()
    )
    write_eval_log(EvalLog(status="success", eval=spec, samples=list(samples)), str(path))
    return path


def sample(number: int, messages: list[Any], said: str | None, *, error: str | None = None) -> EvalSample:
    output = ModelOutput(model="m") if said is None else ModelOutput.from_content("m", said)
    failed = None if error is None else EvalError(message=error, traceback="", traceback_ansi="")
    return EvalSample(
        id=number, epoch=1, input="What the data set says.", target="x", messages=messages, output=output, error=failed
    )


def test_the_prompt_is_what_the_model_was_sent(tmp_path: Path) -> None:
    system, asked, more = ChatMessageSystem(content="S"), ChatMessageUser(content="U"), ChatMessageUser(content="U2")
    first, last = ChatMessageAssistant(content="A"), ChatMessageAssistant(content="A2")
    sent: list[list[Any]] = [
        [system, asked, last],
        [asked, first, more, last],
        [asked, last, more],  # a turn behind the answer was not there when it was given
        [],
    ]
    path = log_of(tmp_path / "log.json", *(sample(k, m, "A2") for k, m in enumerate(sent)))
    system_turn, user, said, then = (
        {"role": role, "content": content}
        for role, content in (("system", "S"), ("user", "U"), ("assistant", "A"), ("user", "U2"))
    )
    found = [item_to_row(trace)["prompt"] for trace in inspect_log(path)]
    assert found == [[system_turn, user], [user, said, then], "U", "What the data set says."]


@pytest.mark.parametrize("kind", ["json", "eval"])
def test_failed_samples_are_unscored_and_say_why(judge: Judge, tmp_path: Path, kind: str) -> None:
    asked = [ChatMessageUser(content=PROMPT)]
    good = sample(1, [*asked, ChatMessageAssistant(content=RIGHT)], RIGHT)
    path = log_of(
        tmp_path / f"log.{kind}", good, sample(2, asked, None, error="timeout \x1b[31m"), sample(3, asked, None)
    )
    traces = inspect_log(path)
    assert [trace.response for trace in traces] == [RIGHT, "", ""]
    reasons = [verdict.unscored for verdict in judge.verdicts(traces)]
    failed = r"no response: the sample failed: timeout \x1b[31m"
    assert reasons == [None, failed, "no response: the model gave no output"]
    with pytest.raises(InnerjudgeError, match=r"2 samples of which none was answered .first: the sample failed: slow"):
        inspect_log(log_of(tmp_path / f"none.{kind}", *(sample(k, asked, None, error="slow") for k in (1, 2))))


def test_archives_that_unpack_to_too_much(tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.eval"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("header.json", b"0" * (1 << 26))
    with pytest.raises(InnerjudgeError, match="unpacks to more than"):
        inspect_log(bomb)
    raw = bomb.read_bytes()
    said = (1 << 26).to_bytes(4, "little")
    assert raw.count(said) == 2
    bomb.write_bytes(raw.replace(said, (10).to_bytes(4, "little")))  # and its directory says that it is small
    with pytest.raises(InnerjudgeError, match=r"damaged zip|own directory"):
        inspect_log(bomb)
    os.mkfifo(tmp_path / "pipe.eval")
    with pytest.raises(InnerjudgeError, match="no regular file"):
        inspect_log(tmp_path / "pipe.eval")
