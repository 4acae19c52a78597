"""A study: its file, its figures on made-up judges, its folder, and the comparison of two."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from innerjudge import InnerjudgeError
from innerjudge.experiments.asking.candidate import Candidate
from innerjudge.experiments.lab.table import Row, Table
from innerjudge.experiments.study import auditing
from innerjudge.experiments.study import judged as judged_module
from innerjudge.experiments.study.audits.rewritten import flips
from innerjudge.experiments.study.diff import compare_studies
from innerjudge.experiments.study.figures import DataReport, Section, StudyReport
from innerjudge.experiments.study.folder import claim, read_results, write
from innerjudge.experiments.study.kept import Kept
from innerjudge.experiments.study.lens import Lens
from innerjudge.experiments.study.parts.agreement import agreement
from innerjudge.experiments.study.parts.asked import asked
from innerjudge.experiments.study.parts.bias import bias
from innerjudge.experiments.study.parts.calibration import calibration
from innerjudge.experiments.study.parts.confounds import confounds
from innerjudge.experiments.study.parts.distracted import distracted
from innerjudge.experiments.study.parts.headline import headline
from innerjudge.experiments.study.parts.labels import labels
from innerjudge.experiments.study.parts.panels import panels
from innerjudge.experiments.study.parts.steadiness import steadiness
from innerjudge.experiments.study.spec import parse, read_study
from innerjudge.experiments.views import Passes
from innerjudge.extraction import Features, Provenance

SKILL = {"good": 5.0, "fair": 0.8, "text": 0.8, "noise": 0.0, "length": 0.0}
FAMILIES = {"good": "hidden", "fair": "hidden", "text": "text", "noise": "logits", "length": "baseline"}


def lens(kind: str, *, questions: int = 40, seed: int = 0) -> Lens:
    """Judges of known skill on made-up items; half of the questions to calibrate on."""
    rng = np.random.default_rng(seed)
    rows: list[Row] = []
    for q in range(2 * questions):
        ease = rng.normal()
        for c in range(1 if kind in ("choice", "pair") else 4):
            truth = float(rng.normal() + 0.3 * ease)
            label = {
                "trace": truth > 0,
                "rating": float(np.clip(round(3 + truth), 1, 5)),
                "choice": int(rng.integers(4)),
                "pair": "a" if truth > 0 else "b",
            }[kind]
            for judge, skill in SKILL.items():
                said = skill * truth + float(rng.normal())
                base = {
                    "data": "d<b>",
                    "question": f"q{q}",
                    "candidate": {"choice": "options", "pair": "a|b"}.get(kind, str(c)),
                    "judge": judge,
                    "label": label,
                    "length": 100.0 + 10 * float(rng.normal()),
                    "tags": {
                        "split": "test" if q % 2 else "calibrate",
                        "writer": "ours" if c % 2 else "theirs",
                        "topic": "xyz"[q % 3],
                    },
                }
                if q == 1 and c == 0 and judge == "fair":
                    rows.append(Row(**base, unscored="no verdict in the text"))
                    continue
                if kind == "choice":
                    right = rng.random() < 0.25 + 0.3 * min(skill, 2)
                    base |= {"score": abs(said), "verdict": label if right else (int(label) + 1) % 4}
                    rows += [Row(**base), Row(**base, order="permuted")]
                elif kind == "pair":
                    p = float(1 / (1 + np.exp(-said)))
                    rows += [
                        Row(**base, order=o, score=p, verdict="a" if p > 0.5 else "b") for o in ("given", "swapped")
                    ]
                elif kind == "rating":
                    grade = float(np.clip(3 + said, 1, 5))
                    rows.append(Row(**base, score=grade, verdict=grade))
                else:
                    p = float(1 / (1 + np.exp(-said)))
                    rows.append(Row(**base, score=p, verdict=p > 0.5))
    table = Table(rows)
    return Lens(
        data="d<b>",
        kind=kind,
        table=table.where(split="test"),
        calibration=table.where(split="calibrate"),
        families=FAMILIES,
        against="text",
        scale=(1, 5),
        seed=0,
        n_resamples=120,
        system="writer",
        own=("ours",),
        group_tags=("topic",),
    )


def sections(seen: Lens) -> list[Section]:
    made = [headline(seen), agreement(seen), calibration(seen), confounds(seen), bias(seen), panels(seen)]
    made.append(labels(seen, threshold=0.8))
    return [s for s in made if s is not None]


def report(seen: Lens, found: list[Section]) -> StudyReport:
    part = DataReport(
        name=seen.data,
        kind=seen.kind,
        counts={"items": 9},
        summary=found[0].found,
        sections=tuple(found),
        notes=("a note",),
        unscored=(("fair", "no verdict <i>", 1),),
    )
    return StudyReport(
        name="<script>alert(1)</script>",
        command="innerjudge study s.yaml",
        spec={"name": "s"},
        versions={},
        model={"name": "m"},
        seconds={"figures": 1.0},
        parts=(part,),
    )


@pytest.mark.parametrize("kind", ["trace", "rating", "choice", "pair"])
def test_every_section_of_every_kind(kind: str, tmp_path: Path) -> None:
    seen = lens(kind, questions=40 if kind in ("trace", "rating") else 100)
    found = sections(seen)
    keys = [s.key for s in found]
    assert keys[:3] == ["accuracy", "agreement", "calibration"]
    assert ("confounds" in keys) is (kind in ("trace", "rating"))
    assert ("labels" in keys) is (kind == "trace")
    figures = [f for s in found for f in s.figures]
    assert len({f.key for f in figures}) == len(figures), "two figures under one name"
    for f in figures:
        assert (f.value is None) <= bool(f.reason), f
        if f.low is not None:
            assert f.low - 1e-9 <= f.high
    gaps = {f.judge: f for f in figures if f.part == "accuracy" and f.against}
    assert gaps["good"].verdict == "better"
    assert gaps["noise"].verdict != "better"
    assert any("good" in sentence and "Better than text" in sentence for sentence in found[0].found)
    made = report(seen, found)
    (tmp_path / "out").mkdir()
    write(tmp_path / "out", made, list(seen.table))
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert "d&lt;b&gt;" in page
    assert not re.findall(r'(?:src|href)="(?!data:image/png|#)', page)
    for section in found:
        for plot in section.plots:
            assert plot.behind.rows, "a plot without the table behind it"
            assert (tmp_path / "out" / "plots" / f"{plot.name}.png").stat().st_size > 5000
            assert plot.alt.replace("<", "&lt;").replace(">", "&gt;") in page.replace("&#39;", "'")
    results = read_results(tmp_path / "out")
    assert len(results["figures"]) == len(figures)
    unscored = next(f for f in figures if f.part == "accuracy" and f.judge == "fair" and f.against is None)
    assert unscored.reason is None


def test_a_judge_of_difficulty_is_caught() -> None:
    seen = lens("trace", seed=3)
    rng = np.random.default_rng(0)
    ease = {q: float(np.mean([bool(r.label) for r in seen.table if r.question == q])) for _, q in seen.groups}
    rows = [
        replace(r, judge="difficulty", score=ease[r.question] + 1e-3 * float(rng.normal()), verdict=True)
        for r in seen.table
        if r.judge == "good"
    ]
    wide = replace(seen, table=seen.table + rows, families=FAMILIES | {"difficulty": "hidden"})
    said = confounds(wide).found
    assert any("may read difficulty" in s and "difficulty" in s for s in said)
    assert not any("may read difficulty: good" in s for s in said)


def test_without_the_judge_to_compare_with_nothing_is_claimed() -> None:
    seen = replace(lens("trace"), against="nobody")
    said = headline(seen).found
    assert any("no claim of better is made" in s for s in said)
    assert not [f for f in headline(seen).figures if f.verdict]


def test_ways_of_asking_are_compared_on_the_same_items() -> None:
    seen = lens("trace")
    few = set(seen.table.items[:40])
    rows = [replace(r, judge="pair-wise wins") for r in seen.table if r.judge == "good" and r.item in few]
    found = asked(seen, rows)
    assert found is not None
    table = {row[0]: row for row in found.grids[0].rows}
    assert table["pair-wise wins"][1].value == pytest.approx(table["good"][1].value)
    assert asked(seen, []) is None


def test_a_judge_that_always_takes_the_first_is_unsteady() -> None:
    seen = lens("trace")
    rows = [
        Row(
            question=f"q{q}",
            candidate=f"{x}|{y}",
            judge="pair-wise",
            order=order,
            score=float(first),
            verdict="a" if first else "b",
            label="a" if q % 2 else "b",
            length=float(5 - q),
        )
        for q in range(12)
        for x, y in ("ab", "ac", "bc")
        for order, first in (("given", 1), ("swapped", 0))
    ]
    found = steadiness(seen, wordings=[], samples=[], pairs=rows, sampled=[], perturbed=[])
    assert found is not None
    values = {f.metric: f.value for f in found.figures}
    assert values["IPI"] == 1.0
    assert values["TOV"] == 3.0
    assert values["first shown wins, above one half"] == 0.5
    assert values["position bias"] == 1.0
    assert "2 stand after correction" in found.found[0]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "given no fields"),
        ("data: [", "broken YAML"),
        ("judges: [text]", "given nothing for data"),
        ("data: [{source: x}]\nsplit: {fit: 0.5}", "given {'fit': 0.5} for split, expected: extra inputs"),
        ("data: [{source: x}]\nsplits: {fit: 0.7, calibrate: 0.4}", "leave nothing to report on"),
        ("data: [{source: x}]\naudits: {wordings: [rude]}", "audits.wordings.0"),
        ("data: [{source: x}]\nresamples: many", "given 'many' for resamples"),
    ],
)
def test_bad_study_files_are_named(text: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InnerjudgeError) as said:
        read_study(path)
    assert str(said.value).startswith("s.yaml: ")
    assert says in str(said.value)


def test_paths_are_taken_from_the_folder_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "mmlu").mkdir()
    (tmp_path / "items.jsonl").write_text("", encoding="utf-8")
    (tmp_path / "s.yaml").write_text(
        "data: [{source: items.jsonl}, {source: 'mmlu:mmlu'}, {source: builtin:rate}]\nrows: [items.jsonl]\naudits: all"
    )
    study = read_study(tmp_path / "s.yaml")
    assert [d.source for d in study.data] == [
        str(tmp_path / "items.jsonl"),
        f"mmlu:{tmp_path / 'mmlu'}",
        "builtin:rate",
    ]
    assert study.rows == (str(tmp_path / "items.jsonl"),)
    assert study.audits.distractors
    assert study.audits.references == ("none", "self", "given", "wrong")


def test_steps_are_kept_until_what_they_depend_on_changes(tmp_path: Path) -> None:
    made = []

    def rows() -> list[Row]:
        made.append(1)
        return [Row(question="q", candidate="0", judge="j", score=1.0, tags={"split": "test"})]

    kept = Kept(tmp_path, {"model": "m"})
    first = kept.rows("step", {"seed": 0}, rows)
    assert kept.rows("step", {"seed": 0}, rows) == first
    assert len(made) == 1
    kept.rows("step", {"seed": 1}, rows)
    Kept(tmp_path, {"model": "n"}).rows("step", {"seed": 0}, rows)
    assert len(made) == 3
    assert kept.rows("none", {}, list) == kept.rows("none", {}, list) == []


def test_features_go_on_where_they_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from innerjudge import Trace
    from innerjudge.experiments.study import kept as module

    monkeypatch.setattr(module, "PART", 2)
    items = [Trace(question_id=f"q{k}", candidate_id="0", prompt="", response="") for k in range(5)]
    read: list[int] = []

    def part(some) -> Features:
        if len(read) == 1 and not (tmp_path / "go").exists():
            raise KeyboardInterrupt
        read.append(len(some))
        ids = tuple(i.id for i in some)
        return Features(
            ids=ids,
            groups=ids,
            provenance=Provenance("m", None, "f", "float32", "sdpa", "none"),
            arrays={"x": np.ones((len(some), 1), np.float32)},
        )

    kept = Kept(tmp_path, {})
    with pytest.raises(KeyboardInterrupt):
        kept.features("items", {}, items, part)
    (tmp_path / "go").touch()
    assert kept.features("items", {}, items, part).ids == tuple(i.id for i in items)
    assert read == [2, 2, 1], "a part was read twice"


def test_two_studies_compared() -> None:
    base = {"data": "d", "part": "p", "judge": "j", "metric": "m"}
    one = {
        "spec": {"seeds": {"data": 0}},
        "versions": {"torch": "1"},
        "figures": [
            base | {"value": 0.5, "low": 0.4, "high": 0.6},
            base | {"judge": "k", "value": None},
            base | {"judge": "l", "value": 0.5, "low": 0.1, "high": 0.9},
            base | {"judge": "gone", "value": 1},
        ],
    }
    two = {
        "spec": {"seeds": {"data": 1}},
        "versions": {"torch": "2"},
        "figures": [
            base | {"value": 0.9, "low": 0.85, "high": 0.95},
            base | {"judge": "k", "value": 0.5},
            base | {"judge": "l", "value": 0.6, "low": 0.2, "high": 0.95},
        ],
    }
    found = compare_studies(one, two)
    assert found.spec == (("seeds.data", 0, 1),)
    assert found.versions == (("torch", "1", "2"),)
    j, k, wide = found.moved
    # half widths 0.1 and 0.05: sqrt(0.1^2 + 0.05^2) = 0.1118 about a change of 0.4
    assert (j.low, j.high) == (pytest.approx(0.4 - 0.1118, abs=1e-3), pytest.approx(0.4 + 0.1118, abs=1e-3))
    assert (j.apart, k.change, wide.apart) == (True, None, False)
    assert found.only_first == (("d", "p", "gone", "m", ""),)


def test_folders_of_others_are_refused(tmp_path: Path) -> None:
    study = parse("data: [{source: builtin:rate}]")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").touch()
    with pytest.raises(InnerjudgeError, match="holds other files"):
        claim(tmp_path / "full", study)
    claim(tmp_path / "new", study)
    claim(tmp_path / "new", study)
    for broken in ("{}", '{"figures": [{}]}', "not json"):
        (tmp_path / "new" / "results.json").write_text(broken)
        with pytest.raises(InnerjudgeError, match="holds no results of a study"):
            read_results(tmp_path / "new")
    with pytest.raises(InnerjudgeError, match="expected the folder of a finished study"):
        read_results(tmp_path / "full")


def test_a_study_runs_and_goes_on(cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "small.yaml"
    lines = (
        "data: [{source: builtin:rate, limit: 24}]",
        "judges: [lager, e-score, text]",
        "reasoning_tokens: 0",
        "resamples: 100",
        "audits: {items: 6, wordings: [default, terse], dummies: true}",
    )
    path.write_text("\n".join(lines), encoding="utf-8")
    said = cli("study", path)
    assert said.code == 0, said.err
    out = tmp_path / "small"
    assert {p.name for p in out.iterdir()} == {
        "kept",
        "plots",
        "report.html",
        "results.json",
        "study.json",
        "study.yaml",
        "verdicts.jsonl",
    }
    first = json.loads((out / "results.json").read_text("utf-8"))
    verdicts = (out / "verdicts.jsonl").read_bytes()
    assert not (out / "kept" / "features").exists()

    def refuse(*_args: object, **_more: object) -> None:
        raise AssertionError("a kept step was made again")

    monkeypatch.setattr(judged_module.Judging, "ratings", refuse)
    monkeypatch.setattr("innerjudge.experiments.asking.ask.extract", refuse)
    monkeypatch.setattr("innerjudge.experiments.asking.ask.generate", refuse)
    (out / "results.json").unlink()
    assert cli("study", path).code == 0
    again = json.loads((out / "results.json").read_text("utf-8"))
    assert again["figures"] == first["figures"]
    assert (out / "verdicts.jsonl").read_bytes() == verdicts
    assert {"length", "question-only"} <= {f["judge"] for f in first["figures"]}

    # people's rows on the same items, and rows of nobody's
    lines = [json.loads(line) for line in verdicts.decode().splitlines()]
    mine = [
        {"question": r["question"], "candidate": r["candidate"], "judge": "ann", "score": r["score"]}
        for r in lines
        if r["judge"] == "e-score" and r["template"] == "default"
    ]
    (tmp_path / "ann.jsonl").write_text("\n".join(map(json.dumps, mine)), encoding="utf-8")
    more = tmp_path / "more.yaml"
    more.write_text("\n".join([*lines_of(path), "rows: [ann.jsonl]"]), encoding="utf-8")
    assert cli("study", more, "--out", out).code == 0
    figures = json.loads((out / "results.json").read_text("utf-8"))["figures"]
    main = [f for f in figures if f["metric"] == "Spearman" and f["part"] == "accuracy" and not f["against"]]
    held = {f["judge"]: f["value"] for f in main}
    assert held["ann"] == held["e-score"]
    (tmp_path / "ann.jsonl").write_text(json.dumps(mine[0] | {"question": "elsewhere"}), encoding="utf-8")
    refused = cli("study", more, "--out", out)
    assert refused.code == 2
    assert "ann.jsonl: given 1 rows of which none is of an item" in refused.err
    found = cli("diff", out, out)
    assert found.code == 0
    assert "0 of" in found.out


def lines_of(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("study", "no.yaml"), "given 'no.yaml', expected a study file"),
        (("diff", "no", "nothing"), "expected the folder of a finished study"),
    ],
)
def test_bad_commands_end_with_one_line(args, says: str, cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    said = cli(*args)
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert says in said.err


def test_a_judge_that_likes_length_is_flipped_by_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Point-wise it grades by length; pair-wise it knows better: only the first is talked round."""

    def answers(_lm, questions, *, judge, manner):
        rows = []
        for q in questions:
            said = q.prompt.user
            score = float(len(said)) if judge == "point-wise" else float(said.index("good") < said.index("bad"))
            rows.append(Row(**q.columns, judge=judge, score=score, verdict="a" if score == 1.0 else "b"))
        return rows

    monkeypatch.setattr(auditing, "ask", answers)
    study = parse("data: [{source: builtin:rate}]")
    made = [
        Candidate(prompt="?", response=text, question=f"q{k}", candidate=name, scale=(1, 5))
        for k in range(6)
        for name, text in (("x", "good and thorough"), ("y", "bad"))
    ]
    judged = SimpleNamespace(name="d", kind="rating", study=study, lm=None, depends={}, passes=Passes())
    audit = auditing.Auditing(judged, SimpleNamespace(rows=lambda _name, _depends, make: list(make())))
    audit.__dict__["candidates"] = made
    rows = flips(audit)
    assert {row.template for row in rows} == {"plain", "assertive", "prolix", "sycophantic"}
    found = distracted(lens("rating", questions=8), [], rows, [])
    assert found is not None
    rates = {(f.judge, f.metric): f.value for f in found.figures}
    assert rates["flips, point-wise", "flip rate [prolix]"] == 1.0
    assert rates["flips, pair-wise", "flip rate [prolix]"] == 0.0
