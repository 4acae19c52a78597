"""Where it goes wrong: the built-in task, found by a probe of steps and by no opponent; figures by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from innerjudge.experiments.compare.compare import compare
from innerjudge.experiments.compare.lens import Lens
from innerjudge.experiments.compare.report.page import html
from innerjudge.experiments.compare.sections.first_error import F1, first_errors
from innerjudge.experiments.compare.settings import Settings
from innerjudge.experiments.data.datasets import load_data
from innerjudge.experiments.data.verdict_files import item_columns, verdict_row
from innerjudge.experiments.data.verdict_table import Table
from innerjudge.models.errors import InnerjudgeError
from innerjudge.models.items import Trace
from innerjudge.models.loading import LanguageModel
from innerjudge.probes import Verdict

pytestmark = pytest.mark.usefixtures("no_pixels")


def test_the_mistakes_are_where_they_are_said_to_be() -> None:
    data = load_data("builtin:steps", limit=80)
    traces = [one for one in data.items if isinstance(one, Trace)]
    assert len(traces) == 80
    assert len({one.question_id for one in traces}) == 20
    places = [one.first_error for one in traces]
    assert 20 < sum(place == -1 for place in places) < 60
    assert {0, 1, 2} <= {*places}
    for one in traces:
        for text, right in zip(one.step_texts, one.step_labels or (), strict=True):
            left, result = text.rstrip(";,\n./").split("=")
            if right is not None:
                assert (eval(left) == int(result)) is right
        assert one.correct is (one.first_error == -1)
    assert load_data("builtin:steps", limit=80).items == data.items
    assert load_data("builtin:steps", limit=80, seed=1).items != data.items
    with pytest.raises(InnerjudgeError, match="builtin:steps"):
        load_data("builtin:step")


def test_a_probe_of_steps_finds_the_first_error_and_no_opponent_does(reference: LanguageModel) -> None:
    settings = Settings(reasoning_tokens=0)
    found = compare(reference, "builtin:steps", judges=["step-probe"], limit=240, settings=settings)
    figures = {f.judge: f for f in found.figures if f.metric == F1 and f.against is None}
    opponents = {"step-random", "step-position", "step-length", "step-words", "step-log-probability"}
    assert figures.keys() == {"step-probe", *opponents}
    values = {judge: figure.value for judge, figure in figures.items()}
    assert (values["step-probe"] or 0) >= 0.8  # the bar of the task
    assert all((values[judge] or 0) < 0.5 for judge in opponents), values
    gap = next(f for f in found.figures if f.metric == F1 and f.judge == "step-probe" and f.against)
    assert gap.verdict == "better"
    assert any("The first error is found best by step-probe" in line for line in found.found.parts[0].summary)
    row = found.verdicts.where(judge="step-probe")[0]
    assert row.step_scores is not None
    assert all(0 <= one <= 1 for one in row.step_scores)
    shown = found.found.parts[0].items[0]
    judge, steps = shown.steps or ("", [])
    assert judge == "step-probe"
    assert "".join(text for text, _, _ in steps) in dict(shown.texts)["response"]
    assert f"{steps[0][1]:.2f}, {'right' if steps[0][2] else 'wrong'}:</i> {steps[0][0]}" in html(found.found)


def traces() -> list[Trace]:
    shared: dict[str, Any] = {"prompt": "?", "response": "a b c", "steps": ("a", "b", "c")}
    firsts = (-1, 2, 0, -1, -1)
    return [
        Trace(question_id="pq"[k % 2], candidate_id=str(k), answer=str(k), correct=f < 0, first_error=f, **shared)
        for k, f in enumerate(firsts)
    ]


def test_figures_by_hand() -> None:
    # Predicted with the border .5: -1, 2, 1, none (unscored), -1: of the errors 1/2 hit, of the others 2/3.
    said = [(0.9, 0.8, 0.7), (0.9, 0.6, 0.2), (0.7, 0.4, 0.1), None, (0.5, 0.6, 0.6)]
    rows = [
        verdict_row(
            one, Verdict(one.id, 0.5, step_scores=s) if s else Verdict(one.id, unscored="no"), data="d", judge="j"
        )
        for one, s in zip(traces(), said, strict=True)
    ]
    lens = Lens("d", "trace", Table(rows), Table([]), {"j": "hidden"}, Settings())
    found = first_errors(lens, traces(), {"j": 0.5})
    assert found is not None
    values = {f.metric: f.value for f in found.figures}
    assert values[F1] == pytest.approx(4 / 7)
    assert (values["exact, with an error"], values["exact, without"]) == (0.5, pytest.approx(2 / 3))
    # Known steps: right .9 .8 .7 | .9 .6 (then wrong .2) | wrong .7 | .5 .6 .6: 8 right ones beside .2 and .7.
    right = np.array([0.9, 0.8, 0.7, 0.9, 0.6, 0.5, 0.6, 0.6])
    won = sum((right > wrong).sum() + (right == wrong).sum() / 2 for wrong in (0.2, 0.7))
    assert values["AUROC of steps"] == pytest.approx(won / 16)
    assert values["AUROC within traces"] == 1.0
    assert first_errors(lens, traces(), {}) is None
    assert first_errors(lens, [replace(t, first_error=None, step_labels=None) for t in traces()], {"j": 0.5}) is None
    assert item_columns(traces()[0])["candidate"] == "0"
