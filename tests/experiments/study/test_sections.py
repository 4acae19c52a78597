"""What the sections of a report say of made-up judges."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from innerjudge.experiments.compare.figures import Section
from innerjudge.experiments.compare.findings import DataReport, Reason, Report
from innerjudge.experiments.compare.lens import Lens
from innerjudge.experiments.compare.report.folder import read_results, write
from innerjudge.experiments.compare.sections.confounds import confounds
from innerjudge.experiments.compare.sections.headline import headline
from innerjudge.experiments.study.parts.agreement import agreement
from innerjudge.experiments.study.parts.bias import bias
from innerjudge.experiments.study.parts.calibration import calibration, labels
from innerjudge.experiments.study.parts.juries import panels


def sections(seen: Lens) -> list[Section]:
    made = [headline(seen), agreement(seen), calibration(seen), confounds(seen), bias(seen), panels(seen)]
    made.append(labels(seen, threshold=0.8))
    return [s for s in made if s is not None]


def report(seen: Lens, found: list[Section]) -> Report:
    part = DataReport(
        name=seen.data,
        kind=seen.kind,
        counts={"items": 9},
        summary=found[0].found,
        sections=tuple(found),
        notes=("a note",),
        families=dict(seen.families),
        unscored=(Reason("no verdict <i>", 0, 1, ("fair",)),),
    )
    return Report(
        name="<script>alert(1)</script>",
        command="innerjudge study s.yaml",
        spec={"name": "s"},
        versions={},
        model={"name": "m"},
        seconds={"figures": 1.0},
        parts=(part,),
    )


@pytest.mark.parametrize("kind", ["trace", "rating", "choice", "pair"])
def test_every_section_of_every_kind(kind: str, tmp_path: Path, made_up: Callable[..., Lens]) -> None:
    seen = made_up(kind, questions=60 if kind in ("trace", "rating") else 100)
    found = sections(seen)
    keys = [s.key for s in found]
    assert keys[:3] == ["accuracy", "agreement", "calibration"]
    assert ("confounds" in keys) is (kind in ("trace", "rating"))
    assert ("labels" in keys) is (kind != "rating")
    figures = [f for s in found for f in s.figures]
    assert len({f.key for f in figures}) == len(figures), "two figures under one name"
    for f in figures:
        assert (f.value is None) <= bool(f.reason), f
        if f.low is not None:
            assert f.low - 1e-9 <= f.high
    main = found[0].grids[0].columns[1]
    gaps = {f.judge: f for f in figures if f.part == "accuracy" and f.metric == main and f.against}
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


def test_a_judge_of_difficulty_is_caught(made_up: Callable[..., Lens]) -> None:
    seen = made_up("trace", seed=3)
    rng = np.random.default_rng(0)
    ease = {q: float(np.mean([bool(r.truth) for r in seen.table if r.question == q])) for _, q in seen.groups}
    rows = [
        replace(r, judge="difficulty", score=ease[r.question] + 1e-3 * float(rng.normal()), label=True)
        for r in seen.table
        if r.judge == "good"
    ]
    wide = replace(seen, table=seen.table + rows, families=dict(seen.families) | {"difficulty": "hidden"})
    said = confounds(wide).found
    assert any("may read difficulty" in s and "difficulty" in s for s in said)
    assert not any("may read difficulty: good" in s for s in said)


def test_without_the_judge_to_compare_with_nothing_is_claimed(made_up: Callable[..., Lens]) -> None:
    seen = made_up("trace")
    seen = replace(seen, settings=replace(seen.settings, against="nobody"))
    said = headline(seen).found
    assert any("no claim of better is made" in s for s in said)
    assert not [f for f in headline(seen).figures if f.against == "nobody"]
    assert not [s for s in said if "than nobody" in s]


def test_of_judges_that_are_flattered_alike_the_first_is_named(made_up: Callable[..., Lens]) -> None:
    """Always the same one: a report that depends on the order of a set differs from run to run."""
    seen = made_up("trace")
    twins = [f"twin {k}" for k in range(20)]
    rows = [replace(r, judge=name, score=1.0, label=True) for name in twins for r in seen.table if r.judge == "good"]
    wide = replace(seen, table=seen.table + rows, families=dict(seen.families) | dict.fromkeys(twins, "hidden"))
    assert agreement(wide).found[0].startswith("Plain agreement flatters most for twin 0:")
