"""The probe of the judge's own verdict, and where that verdict stands in what it wrote."""

from dataclasses import replace

import numpy as np
import pytest
from innerjudge import Ragged
from innerjudge.extraction import Features
from innerjudge.models import InnerjudgeError
from innerjudge.probes import VerdictProbe, find_verdict
from innerjudge.probes.description import Task
from innerjudge.probes.verdict_text import verdict_start


def texts(states, *said):
    rows = Ragged.of(np.repeat(np.array(states, dtype=float), 3).reshape(-1, 1, 3, 1))
    made = Features.from_arrays({"hidden/own_text(response_end).none": rows}, provenance="m", groups=range(len(said)))
    return replace(made, texts={"own_text": said})


def test_a_verdict_that_says_no_turns_the_score_round():
    # One weight 1 and no bias: log-odds 0, 2 and -1 that the verdict is right, so .5, .880797 and .268941.
    probe, given = VerdictProbe(), texts([0, 2, -1, 2], "Verdict: yes", "Verdict: no", "Verdict: yes", "Who knows?")
    probe.weights_, probe.mean_, probe.scale_ = np.array([1.0, 0.0]), np.zeros(1), np.ones(1)
    probe.n_excluded_, probe.provenance_ = 0, given.provenance
    assert [verdict.score for verdict in probe.verdicts(given)] == [0.0, -2.0, -1.0, None]
    assert "it has no 'Verdict:'" in probe.verdicts(given)[3].unscored
    np.testing.assert_allclose(probe.trust(given[:3]), [0.5, 0.880797, 0.268941], rtol=1e-5)
    # Brier of these with the labels 1, 1, 0 (methods.md, section 8).
    assert np.mean((probe.trust(given[:3]) - [1, 1, 0]) ** 2) == pytest.approx(0.112180, abs=1e-6)


def test_it_learns_whether_the_verdict_is_right_and_not_the_label():
    # State 1 where the verdict is right: the labels are half true in both halves.
    said = ["Verdict: yes", "Verdict: no"] * 20
    right = np.arange(40) % 4 < 2
    labels = right == (np.arange(40) % 2 == 0)
    probe = VerdictProbe(learning_rate=0.1).fit(texts(np.where(right, 1, -1), *said), labels)
    assert probe.predict(texts([1, 1, -1, -1], *said[:4])).tolist() == [True, False, False, True]
    assert (probe.trust(texts([1, 1, -1, -1], *said[:4])) > 0.5).tolist() == [True, True, False, False]


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("<think>Verdict: no</think> Verdict: yes.", "yes"),
        ("Verdict: **no**", "no"),
        ("x Verdict: no\nVerdict:\nYES", "YES"),
    ],
)
def test_where_the_verdict_begins(text, label):
    start = verdict_start(text, ("no", "yes"), cue="Verdict:")
    assert isinstance(start, int)
    assert text[start:].startswith(label)
    assert start == text.rindex(label)


def test_a_text_without_one_has_its_reason():
    how = ("Maybe.", ("no", "yes"))
    assert verdict_start(*how, cue="Verdict:") == find_verdict(*how, cue="Verdict:")
    assert verdict_start(" 4", list("12345")) == 1


@pytest.mark.parametrize("labels", [("yes",), ("no", "maybe", "yes"), ("no", "No"), ("", "yes")])
def test_labels_are_two(labels):
    with pytest.raises(InnerjudgeError, match="expected two that differ"):
        VerdictProbe(labels=labels)


def test_the_named_probe_reads_what_the_prompt_asks_for():
    asked = {"labels": ("incorrect", "correct"), "cue": "The response is"}
    usual, own = (VerdictProbe.presets(Task("trace", **how))["calibration-probe"] for how in ({}, asked))
    assert (usual.cue, usual.labels) == ("Verdict:", ("no", "yes"))
    given = texts([0, 2], "The response is correct.", "Verdict: no")
    own.weights_, own.mean_, own.scale_ = np.array([1.0, 1.0]), np.zeros(1), np.ones(1)
    own.n_excluded_, own.provenance_ = 0, given.provenance
    assert [verdict.score for verdict in own.verdicts(given)] == [1.0, None]
