"""Promises are kept in simulated worlds, with questions as units; the committed page says how often."""

from __future__ import annotations

import math
from typing import Any, get_args

import numpy as np
import pytest
from innerjudge.experiments.bench.promises import __main__ as command
from innerjudge.experiments.bench.promises.worlds import COUNTED, WORLDS, World, draw, draw_looks, true_risk
from innerjudge.probes.risk import RiskName

PAGE = (command.Path(command.__file__).with_name("promises.md")).read_text("utf-8")
LINES = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if line.startswith("| ")]
ROWS = [line for line in LINES if len(line) == 5][2:]


def most(draws: int) -> float:
    """Broken promises of so many draws, with two standard errors."""
    return draws * 0.1 + 2 * math.sqrt(draws * 0.1 * 0.9)


def test_the_page_holds_every_risk_in_every_world() -> None:
    assert [row[:2] for row in ROWS] == [[risk, world.name] for risk in get_args(RiskName) for world in WORLDS]
    assert "2000 calibrations" in PAGE
    for _, world, broken, mean, by_answers in ROWS:
        assert int(broken) <= most(2000)  # 226.8
        if mean[0] == "0":
            value, error = map(float, mean.split(" ± "))
            assert value <= command.LEVEL + error
        if "alike" in world:
            assert int(by_answers) > most(2000)


def test_the_page_holds_promises_along_a_path() -> None:
    rows = [line for line in LINES if len(line) == 4]
    assert rows[0][1:] == list(COUNTED)
    assert [row[0] for row in rows[2:]] == list(get_args(RiskName)[:2])
    for _, path, looks, last in rows[2:]:
        assert int(path) <= most(2000)
        assert min(int(looks), int(last)) > most(2000)


@pytest.mark.parametrize("risk", get_args(RiskName)[:2])
def test_promises_along_a_path_are_kept_and_those_of_single_looks_are_broken(risk: RiskName) -> None:
    broken = {w: sum(r > command.LEVEL for r in command.trial_of_looks(w, risk, draws=60)) for w in COUNTED}
    assert broken["the path"] <= most(60)  # 10.6
    assert min(broken["each look"], broken["the last look"]) > 2 * most(60)


@pytest.mark.parametrize("risk", get_args(RiskName))
def test_promises_are_kept(risk: RiskName) -> None:
    for world in WORLDS[:3]:
        found = command.trial(world, risk, draws=60, confidence=command.CONFIDENCE)
        assert sum(r > command.LEVEL for r in found) <= most(60)  # 10.6
    alike = command.trial(WORLDS[3], risk, draws=10, confidence=command.CONFIDENCE, by_question=False)
    assert sum(r > command.LEVEL for r in alike) > 10 * 0.1


def test_the_true_risk_by_definition() -> None:
    scores, good, question = draw(WORLDS[2], 100_000, seed=10**6)
    assert question[4:6].tolist() == [0, 1]
    shares = []
    for said, right in zip(scores.reshape(-1, 5), good.reshape(-1, 5), strict=True):
        if right.any():
            shares.append(sum(s < 0 for s in said[right]) / sum(right))
    assert sum(shares) / len(shares) == pytest.approx(true_risk(WORLDS[2], "lost good answers", 0.0))
    risks: Any = [true_risk(WORLDS[2], "kept and wrong", t) for t in (-9.0, 0.0, 1.0, 9.0)]
    assert risks == sorted(risks, reverse=True)
    assert (risks[0], risks[-1]) == (pytest.approx((~good).mean(), abs=1e-9), 0.0)


def test_the_noise_of_a_look_is_not_what_the_answers_are_worth() -> None:
    """Both are normal numbers: of one seed they would be the same ones."""
    looks, *_ = draw_looks(200, seed=3)
    worth, *_ = draw(World("", 3, 0.5), 200, seed=3)
    noise = looks - worth[:, None]
    first = np.random.default_rng(3).normal(size=600)
    assert not np.isclose(noise.ravel()[:600], first).any()
    # Of 600 pairs of independent numbers the correlation is within four standard errors, 4 / sqrt(600).
    assert max(abs(np.corrcoef(noise[:, k], worth)[0, 1]) for k in range(looks.shape[1])) < 0.163
