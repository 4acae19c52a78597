"""``python -m innerjudge.experiments.bench.promises``: calibrate on many draws, and count the promises that break."""

import argparse
import math
from pathlib import Path
from typing import Any, get_args

import numpy as np

from ....extraction.provenance import versions
from ....probes.promise import calibrate
from ....probes.risk import RiskName
from ...drawing.style import NOTHING
from .worlds import COUNTED, LOOKS, WORLDS, World, counted, draw, draw_looks, true_risk, true_risk_of_looks

#: What is promised in every trial.
LEVEL, CONFIDENCE, QUESTIONS = 0.2, 0.9, 150
#: Steps into which thresholds are rounded where the true risk is looked up, towards the greater risk.
_STEP = 4e-3


def trial(
    world: World, risk: RiskName, *, draws: int, confidence: float | None, by_question: bool = True
) -> list[float]:
    """The true risk of the threshold that each of many calibrations gives; 0 where nothing is promised."""
    found, known = [], dict[float, float]()
    for seed in range(draws):
        scores, good, question = draw(world, QUESTIONS, seed)
        groups = [str(k) for k in (question if by_question else range(len(scores)))]
        promise = calibrate(scores, good, groups, risk=risk, level=LEVEL, confidence=confidence, seed=seed)
        if promise.refused is not None:
            found.append(0.0)
            continue
        up = risk == "lost good answers"
        at = (math.ceil if up else math.floor)(promise.threshold / _STEP) * _STEP
        if at not in known:
            known[at] = true_risk(world, risk, at)
        found.append(known[at])
    return found


def trial_of_looks(what: str, risk: RiskName, *, draws: int) -> list[float]:
    """The true risk of acting at the first look, by thresholds calibrated on what :func:`.worlds.counted` gives."""
    found = []
    for seed in range(draws):
        looks, good, question = draw_looks(QUESTIONS, seed)
        scores = counted(looks, what, risk)
        each = scores.size // len(good)
        groups = [str(k) for k in np.repeat(question, each)]
        how: dict[str, Any] = {"risk": risk, "level": LEVEL, "confidence": CONFIDENCE, "seed": seed}
        promise = calibrate(scores.ravel(), np.repeat(good, each), groups, **how)
        at = (math.ceil if risk == "lost good answers" else math.floor)(promise.threshold / _STEP) * _STEP
        found.append(true_risk_of_looks(risk, at))
    return found


def main() -> None:
    """Run the trials and write the table."""
    parser = argparse.ArgumentParser(description="Calibrate promises on many draws, and count those that break.")
    parser.add_argument("--draws", type=int, default=2000, help="calibrations of each cell")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("promises.md"), help="the document")
    given = parser.parse_args()
    most = given.draws * (1 - CONFIDENCE) + 2 * math.sqrt(given.draws * CONFIDENCE * (1 - CONFIDENCE))
    lines = [
        "# How often promises break",
        "",
        f"Behind each cell are {given.draws} calibrations on {QUESTIONS} made-up questions. Each promises a risk of at",
        f"most {LEVEL:g}; the true risk of its threshold is counted on very many other questions. With a confidence",
        f"of {CONFIDENCE:g} it may break in {1 - CONFIDENCE:.0%} of the draws, here at most {most:.0f}",
        "of them, two standard errors included.",
        "Without a confidence the mean risk is kept at the level (conformal risk control; ± two standard errors).",
        "The last column shows what happens if answers are counted instead of questions: the promise breaks where the",
        "answers to a question are alike.",
        "",
        "| risk | world | broken | mean risk, no confidence | broken, by answers |",
        "| --- | --- | --: | --: | --: |",
    ]
    for risk in get_args(RiskName):
        for world in WORLDS:
            sure = trial(world, risk, draws=given.draws, confidence=CONFIDENCE)
            cells = [f"{sum(r > LEVEL for r in sure)}", NOTHING, f"{_broken_by_answers(world, risk, given.draws)}"]
            if risk != "wrong among kept":
                mean = np.array(trial(world, risk, draws=given.draws, confidence=None))
                cells[1] = f"{mean.mean():.4f} ± {2 * mean.std() / math.sqrt(len(mean)):.4f}"
            lines.append(f"| {risk} | {world.name} | {' | '.join(cells)} |")
            print(lines[-1], flush=True)  # noqa: T201
    lines += [
        "",
        f"Here answers, three a question, are looked at {LOOKS} times while they are written, and stopped at the first",
        "look below the threshold (or accepted at the first that reaches it). The promise counts an answer by its",
        "lowest (or highest) score on the path; the other columns count single looks. Cells count broken promises.",
        "",
        f"| risk | {' | '.join(COUNTED)} |",
        "| --- | --: | --: | --: |",
    ]
    for risk in get_args(RiskName)[:2]:
        broken = [sum(r > LEVEL for r in trial_of_looks(what, risk, draws=given.draws)) for what in COUNTED]
        lines.append(f"| {risk} | {' | '.join(map(str, broken))} |")
        print(lines[-1], flush=True)  # noqa: T201
    made = ", ".join(f"{name} {version}" for name, version in versions())
    command = f"python -m innerjudge.experiments.bench.promises --draws {given.draws}"
    lines += ["", f"Written by `{command}` (seeds from 0; {made})."]
    given.out.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _broken_by_answers(world: World, risk: RiskName, draws: int) -> int:
    return sum(r > LEVEL for r in trial(world, risk, draws=draws, confidence=CONFIDENCE, by_question=False))


if __name__ == "__main__":
    main()
