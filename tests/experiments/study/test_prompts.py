"""Several judge prompts in one study: who is asked again, what is kept, and what the report says."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from innerjudge import EScore, InnerjudgeError, Judge, JudgePrompt
from innerjudge.experiments.compare import evaluation as evaluation_module
from innerjudge.experiments.compare.lens import Lens
from innerjudge.experiments.compare.settings import Settings
from innerjudge.experiments.data.datasets import load_data
from innerjudge.experiments.data.verdict_table import Row, Table
from innerjudge.experiments.study.parts.prompts import prompts
from innerjudge.experiments.study.spec import OURS, read_study
from innerjudge.models.loading import LanguageModel

pytestmark = pytest.mark.usefixtures("no_pixels")

MINE = {
    "kind": "rating",
    "user": "{{ prompt }}\n{{ response }}\nGood or bad? {{ ask }}",
    "cue": "Score:",
    "labels": ["1", "2", "3", "4", "5"],
}


def said(prompt: str, judge: str, scores: list[float]) -> list[Row]:
    return [
        Row(
            data="d", question=f"q{k}", candidate=str(k), judge=judge, template=prompt, score=s, label=round(s), truth=t
        )
        for k, (s, t) in enumerate(zip(scores, range(1, 7), strict=True))
    ]


def test_the_spread_by_hand() -> None:
    """Grades 1 to 6. Ranks turned round: Spearman -1; the last two exchanged: 1 - 6 * 2 / (6 * 35) = 33/35."""
    up, down, near = [1.0, 2, 3, 4, 5, 6], [6.0, 5, 4, 3, 2, 1], [1.0, 2, 3, 4, 6, 5]
    asked = {
        "ours": said("ours", "lager", up) + said("ours", "text", near),
        "mine": said("mine", "lager", down) + said("mine", "text", up),
    }
    table = Table(said("default", "lager", up))
    lens = Lens(
        data="d", kind="rating", table=table, calibration=Table([]), families={"lager": "hidden"}, settings=Settings()
    )
    found = prompts(lens, asked)
    assert found is not None
    held = {(f.judge, f.metric, f.against): f.value for f in found.figures}
    assert held["lager, ours", "Spearman", None] == pytest.approx(1)
    assert held["lager, mine", "Spearman", None] == pytest.approx(-1)
    assert held["text, ours", "Spearman", None] == pytest.approx(33 / 35)
    assert held["lager, mine", "Spearman", "lager, ours"] == pytest.approx(-2)
    assert held["text, mine", "Spearman", "text, ours"] == pytest.approx(2 / 35)
    assert "moves most for lager: -1.00 with mine, 1.00 with ours (spread 2.00)" in found.found[0]
    assert found.found[-1] == "Highest: lager with ours; text with mine."
    # Labels of lager: 1 to 6 against 6 to 1 agree on no item; of text on 4 of 6. Spread: the standard deviation of two
    # scores is their difference over sqrt(2): (5 + 3 + 1 + 1 + 3 + 5) / 6 / sqrt(2) = 3 / sqrt(2).
    assert held["lager", "two prompts agree", None] == 0
    assert held["text", "two prompts agree", None] == pytest.approx(4 / 6)
    assert held["lager", "spread of scores", None] == pytest.approx(3 / 2**0.5)
    assert prompts(lens, {"ours": asked["ours"]}) is None


def written(folder: Path, **more: Any) -> Path:
    (folder / "mine.yaml").write_text(json.dumps(MINE), "utf-8")
    given = {
        "data": [{"source": "builtin:rate", "limit": 24}],
        "judges": ["e-score", "text"],
        "reasoning_tokens": 0,
        "prompts": ["mine.yaml", "simpleqa"],
    }
    path = folder / "s.yaml"
    path.write_text(yaml.safe_dump(given | more), "utf-8")
    return path


def test_a_study_asks_in_every_prompt_and_keeps_each(
    cli: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reference: LanguageModel
) -> None:
    path, asked = written(tmp_path), []
    outcomes = evaluation_module.Judging.outcomes

    def counted(run: Any) -> Any:
        asked.append((run.settings.prompt and run.settings.prompt.name, sorted(run.seats)))
        return outcomes(run)

    monkeypatch.setattr(evaluation_module.Judging, "outcomes", counted)
    run = cli("study", path, "--log", "json")
    assert run.code == 0, run.err
    assert all(json.loads(line)["event"] for line in run.err.splitlines())
    assert [name for name, _ in asked] == [None, "mine", "simpleqa"]
    assert asked[1][1] == asked[2][1] == ["e-score", "text"], "no baseline is asked again"
    rows = [json.loads(line) for line in (tmp_path / "s" / "verdicts.jsonl").read_text().splitlines()]
    assert {row["template"] for row in rows} == {"default", "mine", "simpleqa"}
    assert all(row["judge"].endswith(f", {row['template']}") for row in rows if row["template"] != "default")
    assert all(1 <= row["score"] <= 5 for row in rows if row["template"] == "simpleqa" and row["score"] is not None)
    figures = json.loads((tmp_path / "s" / "results.json").read_text())["figures"]
    names = {f["judge"] for f in figures if f["part"] == "prompts"}
    assert {"e-score, ours", "e-score, mine", "e-score, simpleqa", "text, mine", "e-score"} <= names
    assert "Judge prompts" in (tmp_path / "s" / "report.html").read_text()

    # A row is the score that the judge gives from Python with this prompt.
    items = {one.id: one for one in load_data("builtin:rate", limit=24).items}
    judge = Judge(
        EScore(values=(1, 2, 3, 4, 5)), reference, kind="rating", prompt=JudgePrompt.of(tmp_path / "mine.yaml")
    )
    mine = [row for row in rows if row["judge"] == "e-score, mine"]
    scores = judge.scores([items[row["candidate"]] for row in mine])
    assert len(mine) > 5
    assert scores.tolist() == pytest.approx([row["score"] for row in mine], abs=1e-5)

    # Killed before the end, and with a prompt more: only what is not there is asked.
    asked.clear()
    (tmp_path / "s" / "results.json").unlink()
    written(tmp_path, prompts=["mine.yaml", "simpleqa", "lager"])
    assert cli("study", path).code == 0
    assert [name for name, _ in asked] == ["lager"]
    # Another text under the same name is another prompt.
    asked.clear()
    (tmp_path / "mine.yaml").write_text(json.dumps(MINE | {"system": "Be strict."}), "utf-8")
    assert cli("study", path).code == 0
    assert [name for name, _ in asked] == ["mine"]


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"prompts": ["mine.yaml", "mine.yaml"]}, "given the prompts ours, mine, mine, expected each once"),
        ({"prompt": "lager", "prompts": ["lager"]}, "given the prompts lager, lager"),
        ({"prompts": ["ours"]}, "given the prompts ours, ours"),
        ({"prompts": ["judgelm"]}, "given the prompt judgelm of pair items with data of rating items"),
        ({"prompts": ["nowhere.yaml"]}, "a YAML file of a judge prompt, or one of g-eval"),
    ],
)
def test_prompts_that_cannot_be_compared_are_refused_before_the_model(
    more: dict[str, Any], says: str, cli: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("innerjudge.experiments.runs.loading.Model.load", lambda *_: pytest.fail("a model was loaded"))
    run = cli("study", written(tmp_path, **more))
    assert (run.code, run.err.count("\n")) == (2, 1), run.err
    assert says in run.err


def test_labels_of_every_prompt_are_checked_before_any_pass(
    cli: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reference: LanguageModel
) -> None:
    (tmp_path / "odd.yaml").write_text(json.dumps(MINE | {"labels": {"lacklustre": 0, "unsatisfactory": 1}}), "utf-8")
    monkeypatch.setattr("innerjudge.experiments.runs.loading.Model.load", lambda _: reference)
    monkeypatch.setattr(type(reference.model), "forward", lambda *_, **__: pytest.fail("a pass was run"))
    run = cli("study", written(tmp_path, prompts=["odd.yaml"]))
    assert run.code == 2
    assert "'lacklustre' is [" in run.err
    assert "these would do" in run.err


def test_the_own_prompt_is_one_of_them(tmp_path: Path) -> None:
    study = read_study(written(tmp_path, prompt="lager", prompts=["ours", "mine.yaml"]))
    assert list(study.prompted) == ["lager", OURS, "mine"]
    assert study.prompted[OURS].prompt is None
    assert study.prompted["mine"].prompt == JudgePrompt.of(tmp_path / "mine.yaml")
    with pytest.raises(InnerjudgeError, match="expected each once"):
        _ = read_study(written(tmp_path, prompt="ours", prompts=["ours"])).prompted
