"""95 % intervals hold the truth in 93 to 97 % of simulated studies, clustered by question."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from innerjudge.experiments.bench.intervals import __main__ as command
from innerjudge.experiments.bench.intervals.document import FILE, LEAST, MOST, markdown
from innerjudge.experiments.bench.intervals.trial import Coverage, coverage
from innerjudge.experiments.bench.intervals.worlds import FAILING, RANKING, WORLDS, Sample
from innerjudge.experiments.stats.intervals import cluster_interval

#: Figures near their bound, or in few steps, of which too few questions tell for intervals as narrow as asked for.
EXTREME = ("accuracy, 0.95", "AUROC within questions, 0.96", f"{RANKING}, 0.67")


def room(studies: int) -> float:
    """Three standard errors of a share of 95 % of so many studies."""
    return 3 * float(np.sqrt(0.95 * 0.05 / studies))


@pytest.mark.parametrize("figure", [figure for figure in WORLDS if not figure.startswith(FAILING)])
def test_every_figure_is_covered_at_25_questions(figure: str) -> None:
    found = coverage(figure, questions=25, studies=300, bootstrap=False)
    assert found.studies >= 290
    assert found.covered >= LEAST - room(300)
    if figure not in EXTREME:
        assert found.covered <= MOST + room(300)


@pytest.mark.parametrize(
    "figure", ["accuracy, 0.50", "accuracy, 0.80", "AUROC within questions, 0.76", "Spearman, 0.48"]
)
def test_intervals_cover_the_truth_as_often_as_they_say(figure: str) -> None:
    found = coverage(figure, questions=50, studies=1000, bootstrap=False)
    assert LEAST <= found.covered <= MOST


@pytest.mark.parametrize("figure", ["accuracy, 0.80", "AUROC within questions, 0.96", "difference of accuracies, 0.10"])
def test_eight_questions_are_covered_too(figure: str) -> None:
    found = coverage(figure, questions=8, studies=400, bootstrap=False)
    assert found.covered >= LEAST - room(400)


def test_percentiles_would_not_be() -> None:
    """The figure that percentiles of resamples serve worst: what the tests above are able to see."""
    rng, truth, held = np.random.default_rng(0), WORLDS["AUROC within questions, 0.96"].truth, 0
    for _ in range(200):
        sample = Sample(rng, 25, 4, 0.3)
        (made,) = WORLDS["AUROC within questions, 0.96"].draw(sample)
        counts = rng.multinomial(25, np.full(25, 1 / 25), size=400).astype(float)
        low, high = np.nanquantile(made.over(counts[:, sample.groups]), [0.025, 0.975])
        held += low <= truth <= high
    assert held / 200 < LEAST - room(300)


def test_draws_of_questions_would_cover_alike() -> None:
    """The deviation over bootstrap draws and leaving out in turn are one error but for the noise of the draws."""
    for figure in ("accuracy, 0.80", "AUROC within questions, 0.76", "Cohen's kappa, 0.70", "Pearson, 0.80"):
        found = coverage(figure, questions=25, studies=200)
        assert abs(found.covered - found.drawn) <= 0.025
        assert found.width == pytest.approx(found.drawn_width, rel=0.06)


def test_studies_without_a_bootstrap_are_the_same_ones() -> None:
    both, alone = (coverage("Pearson, 0.80", questions=8, studies=20, bootstrap=said) for said in (True, False))
    assert (alone.studies, alone.covered, alone.width) == (both.studies, both.covered, both.width)
    assert 0 <= both.drawn <= 1
    assert np.isnan([alone.drawn, alone.drawn_width]).all()


def test_a_ranking_of_systems_needs_halves() -> None:
    """It moves in steps: without any one question it is mostly what it was, and the interval is too narrow."""
    alone, both = (coverage(f"{name}, 0.67", questions=50, studies=300, bootstrap=False) for name in (FAILING, RANKING))
    assert alone.covered < LEAST
    assert both.covered >= LEAST - room(300)


def test_intervals_that_forget_the_questions_do_not_cover() -> None:
    rng, held = np.random.default_rng(4), 0
    for _ in range(300):
        sample = Sample(rng, 50, 4, 0.5)
        (made,) = WORLDS["accuracy, 0.50"].draw(sample)
        found = cluster_interval(made, list(range(200)))
        held += found.low <= 0.5 <= found.high
    assert held / 300 < LEAST - room(300)


@pytest.mark.parametrize("figure", WORLDS)
def test_the_truth_of_a_world_is_what_a_large_study_finds(figure: str) -> None:
    sample = Sample(np.random.default_rng(1), 3000, 2, 0.3)
    made = WORLDS[figure].draw(sample)
    found = made[0].value - (made[1].value if len(made) > 1 else 0.0)
    assert found == pytest.approx(WORLDS[figure].truth, abs=0.06)


def test_the_document_names_what_is_not_covered() -> None:
    shared = {
        "candidates": 4,
        "strength": 0.3,
        "without": 2,
        "width": 0.25,
        "studies": 1000,
        "drawn": 0.951,
        "drawn_width": 0.25,
    }
    low = Coverage(figure="f", questions=8, covered=0.9, **shared)
    text = markdown([low, Coverage(figure="f", questions=25, covered=0.951, **shared)])
    assert "| f | 90.0 (0.25, 2 without) | 95.1 (0.25, 2 without) |" in text
    assert "f (8 questions, 4 candidates each, strength 0.3) 90.0%" in text
    assert FILE.name == "intervals.md"


def test_the_command_writes_the_document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "WORLDS", {name: WORLDS[name] for name in ("accuracy, 0.80", "Pearson, 0.00")})
    monkeypatch.setattr(command, "QUESTIONS", (8, 16))
    assert command.main(["--studies", "5", "--out", str(tmp_path / "i.md")]) == 0
    text = (tmp_path / "i.md").read_text(encoding="utf-8")
    assert "5 of each design" in text
    assert text.count("| accuracy, 0.80 |") == 5, "a cheap figure is simulated in every design"
    assert text.count("| Pearson, 0.00 |") == 1


def test_the_document_is_of_this_code() -> None:
    text = FILE.read_text(encoding="utf-8")
    studies = int(re.search(r"(\d+) of each design", text)[1])
    row = next(line for line in text.splitlines() if line.startswith("| accuracy, 0.80 |"))
    found = coverage("accuracy, 0.80", questions=25, studies=studies)
    assert row.split(" | ")[3] == f"{100 * found.covered:.1f} ({found.width:.2f})"
