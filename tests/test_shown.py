"""What a notebook shows of a model, features, judges and results is short."""

from __future__ import annotations

from typing import Any

import innerjudge as ij
import numpy as np
import pytest

pytestmark = pytest.mark.usefixtures("no_pixels")


@pytest.fixture(scope="module")
def things(reference: ij.LanguageModel) -> dict[str, Any]:
    """One of each, on 30 problems of 4 answers."""
    problems = ij.reference.problems(30, seed=ij.reference.HELD_OUT_SEED)
    traces = ij.sample_traces(reference, problems, n_candidates=4, seed=0)
    features = ij.read(reference, traces)
    right = np.array([bool(trace.correct) for trace in traces])
    usable = features.present(*ij.CLUE().needs)
    clue = ij.CLUE().fit(features[usable], right[usable])
    states = features[usable]["hidden/reasoning_end"].swapaxes(0, 1)[:2]
    return {
        "model": reference,
        "features": features,
        "judge": clue,
        "judge with its model": ij.Judge(clue, reference),
        "many probes": ij.fit_many("logistic", states, right[usable], features[usable].groups),
        "candidates": ij.sample_and_judge(reference, ["Start with 7. Add 5.", "<b>"], clue, n=2),
        "sweep": ij.sweep(features[:40], right[:40].tolist(), "trace", n_splits=5),
        "comparison": ij.compare(reference, traces, judges=["clue", "length"]),
    }


def test_it_is_one_short_line(things: dict[str, Any]) -> None:
    for name, thing in things.items():
        assert len(repr(thing)) <= 400, name
        assert "\n" not in repr(thing), name


def test_tables_are_short_and_escaped(things: dict[str, Any]) -> None:
    for name, thing in things.items():
        if name == "many probes":
            continue  # one line says it
        html = thing._repr_html_()
        assert "<table" in html, name
        assert len(html) <= 5_000, name
    bundle = things["judge"]._repr_mimebundle_()  # what a notebook asks for first
    assert bundle == {"text/plain": repr(things["judge"]), "text/html": things["judge"]._repr_html_()}
    assert "&lt;b&gt;" in things["candidates"]._repr_html_()
    assert "<b>" not in things["candidates"]._repr_html_()


def test_they_say_what_they_are(things: dict[str, Any]) -> None:
    assert "<td>fitted</td><td>True</td>" in things["judge"]._repr_html_()
    assert "<td>fitted</td><td>False</td>" in ij.CLUE()._repr_html_()
    assert repr(things["model"].anatomy) == "Anatomy(6 blocks, width 128, 4 heads)"
    assert repr(things["comparison"].verdicts).startswith("Table(")
    assert repr(things["features"]).startswith("Features(120 items, 30 questions, model 'reference': ")
    assert repr(things["candidates"]).startswith("Candidates(4 answers to 2 questions")
    assert repr(things["many probes"]).startswith("ManyProbes(2 probes of vectors of 128 numbers")
    assert "verdicts of clue" in repr(things["comparison"])
    assert "clue" in things["comparison"]._repr_html_()
