"""The clock of time inside the model sees what a forward hook does not; the sampler, the measurement, the document."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from innerjudge.experiments.bench.study.clock import Clock
from innerjudge.experiments.bench.study.document import BAR, DOCUMENT, RESULTS, add, markdown
from innerjudge.experiments.bench.study.measure import measure
from innerjudge.experiments.bench.study.sampler import Sampler
from innerjudge.experiments.study.spec import parse, read_study
from innerjudge.extraction import HiddenStates, extract
from innerjudge.extraction.writing.generate import complete
from innerjudge.models.errors import InnerjudgeError
from innerjudge.models.loading import load
from innerjudge.models.positions import encode_prompt
from innerjudge.models.prompts import verdict_prompt
from innerjudge.models.reference.rate import ratings

FOLDER = Path(__file__).resolve().parents[3] / "experiments" / "bench" / "study"


def test_passes_that_stop_early_and_generations_are_counted() -> None:
    lm = load("reference")
    item = encode_prompt(lm.tokenizer, "i", "i", verdict_prompt("2+2?", "4"))
    plain = extract(lm, [item], [HiddenStates("score")], last_block=1)
    clock = Clock(lm)
    assert clock.spent == 0.0
    timed = extract(lm, [item], [HiddenStates("score")], last_block=1)
    after_pass = clock.spent
    assert after_pass > 0.0
    assert not clock.runs
    assert (timed["hidden/score"] == plain["hidden/score"]).all()
    complete(lm, [item], max_new_tokens=2)
    assert clock.spent > after_pass


def test_the_sampler_names_our_innermost_function_and_skips_what_it_is_told_to() -> None:
    def work() -> None:
        until = time.process_time() + 0.2
        while time.process_time() < until:
            ratings(5, seed=0)

    with Sampler(lambda: False) as seen:
        work()
    names = [name for name, _ in seen.shares()]
    assert names
    assert all(name.startswith("models.") for name in names if name != "elsewhere"), names
    assert sum(share for _, share in seen.shares()) == pytest.approx(1.0)
    with Sampler(lambda: True) as none:
        work()
    assert none.shares() == []


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    study = parse("data: [{source: builtin:rate, limit: 24}]\njudges: [lager, text]\nreasoning_tokens: 0")
    return measure(study, tmp_path_factory.mktemp("overhead") / "out", "python -m overhead")


def test_a_measurement_is_whole(measured: dict[str, Any]) -> None:
    seconds = measured["processor_seconds"]
    assert 0 < seconds["model"] < seconds["whole"]
    assert measured["share_outside_the_model"] == pytest.approx(1 - seconds["model"] / seconds["whole"], abs=0.02)
    assert (measured["model"], measured["items"], measured["judges"]) == (
        "reference", {"builtin:rate": 24}, ["lager", "text"],
    )  # fmt: skip
    outside = sum(seconds for _, seconds in measured["outside_by_function"])
    assert outside == pytest.approx(seconds["whole"] - seconds["model"], abs=0.15)  # each rounded to a hundredth


def test_a_folder_that_holds_something_is_refused(tmp_path: Path) -> None:
    """Kept steps would take no time."""
    (tmp_path / "kept").mkdir()
    with pytest.raises(InnerjudgeError, match="not empty, expected a new folder"):
        measure(parse("data: [{source: builtin:rate}]"), tmp_path, "")


def test_the_document_holds_each_model_once(measured: dict[str, Any], tmp_path: Path) -> None:
    small = measured | {"share_outside_the_model": BAR}
    large = measured | {"model": "large", "parameters": 10**9, "share_outside_the_model": BAR / 2}
    for one in (large, measured, small):
        add(one, tmp_path)
    held = json.loads((tmp_path / RESULTS).read_text(encoding="utf-8"))
    assert [one["model"] for one in held] == ["reference", "large"]
    text = (tmp_path / DOCUMENT).read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith(("| reference", "| large"))]
    assert [row.rpartition("% | ")[2] for row in rows] == ["not met |", "met |"]


def test_the_committed_document_is_that_of_the_committed_results() -> None:
    held = json.loads((FOLDER / RESULTS).read_text(encoding="utf-8"))
    assert (FOLDER / DOCUMENT).read_text(encoding="utf-8") == markdown(held)
    study = read_study(FOLDER / "six_judges.yaml")
    for one in held:
        assert (one["judges"], one["items"]) == (list(study.judges), {"builtin:rate": study.data[0].limit})
    assert len(study.judges) == 6
