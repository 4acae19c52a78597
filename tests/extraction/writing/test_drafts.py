"""A writing that was killed at any step goes on with its tokens, to what it would have been."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from innerjudge.extraction import Features, HiddenStates, ResponseLogProb
from innerjudge.extraction.writing import watch as watching
from innerjudge.extraction.writing.answers import Generation
from innerjudge.extraction.writing.checks import Exit
from innerjudge.extraction.writing.drafts import Draft, Drafts
from innerjudge.extraction.writing.write_and_read import CARRIED, write_and_read
from innerjudge.models.foreign import dump_sealed
from innerjudge.models.items import Trace
from innerjudge.models.loading import LanguageModel
from innerjudge.models.reference.solve import problems
from innerjudge.models.reference.words import HELD_OUT_SEED

READOUTS: list[Any] = [*(HiddenStates(role) for role in CARRIED), ResponseLogProb()]
QUESTIONS = [
    Trace(question_id=f"q{k}", candidate_id=str(c), prompt=problem.prompt, response="")
    for k, problem in enumerate(problems(3, seed=HELD_OUT_SEED))
    for c in range(2)
]
HOW: dict[str, Any] = {"max_new_tokens": 90, "seed": 5, "temperature": 1.0}


class Dying(Drafts):
    """Kept at every step; the run is killed after so many."""

    def __init__(self, path: Path, after: int) -> None:
        super().__init__(path, "job", seconds=0)
        self.after = after

    def keep(self, ids: Any, texts: Any, *, done: bool = False) -> None:
        super().keep(ids, texts, done=done)
        self.after -= 1
        if self.after == 0:
            raise KeyboardInterrupt


def same(found: Generation, whole: Generation) -> None:
    assert [(t.response, t.extra) for t in found.traces] == [(t.response, t.extra) for t in whole.traces]
    assert (found.features.missing, found.features.ids) == (whole.features.missing, whole.features.ids)
    for name, expected in whole.features.arrays.items():
        np.testing.assert_allclose(found.features[name], expected, atol=2e-4 * max(1.0, np.abs(expected).max()))


def by_score(features: Features) -> list[str | Exit | None]:
    """A rule that reads all that a look shows: states of the prompt, of both markers, and log-probabilities."""
    mean = features["logprob"][:, 0] / np.maximum(features["logprob"][:, 1], 1)
    there = [features.present(f"hidden/{role}") for role in ("prompt_end", "reasoning_start", "reasoning_end")]
    assert all(one.all() for one in there)
    low, odd = mean < -0.3, features["logprob"][:, 1] % 3 == 1
    return ["low" if a else Exit("odd") if b else None for a, b in zip(low, odd, strict=True)]


RULES: dict[str, dict[str, Any]] = {
    "plain": {},
    "reject": {"reject": by_score, "reject_at": ["reasoning_end", "reasoning/segment(9)"]},
}


@pytest.fixture(scope="module", params=RULES)
def task(request: pytest.FixtureRequest, reference: LanguageModel) -> tuple[LanguageModel, dict[str, Any], Generation]:
    how = HOW | RULES[request.param]
    return reference, how, write_and_read(reference, QUESTIONS, READOUTS, batch_size=4, **how)


@settings(max_examples=12, deadline=None)
@given(kills=st.lists(st.integers(1, 70), min_size=1, max_size=3), sizes=st.lists(st.integers(1, 7), min_size=4))
def test_a_killed_writing_goes_on(task: Any, kills: list[int], sizes: list[int]) -> None:
    """Killed up to three times, and gone on with in batches of other sizes."""
    lm, how, whole = task
    with TemporaryDirectory() as folder:
        path = Path(folder) / "answers.drafts"
        for kill, size in zip([*kills, 0], sizes, strict=False):
            drafts = Dying(path, kill)
            try:
                found = write_and_read(lm, QUESTIONS, READOUTS, batch_size=size, drafts=drafts, **how)
                break
            except KeyboardInterrupt:
                assert Drafts(path, "job").begun
    assert found.replayed <= sum(one.closed for one in drafts.begun.values()), "only what had ended is read again"
    same(found, whole)


def test_what_was_written_is_not_written_again(task: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The steps of both runs are those of one, and one that reads what was there; a finished batch makes none."""
    lm, how, whole = task
    path, steps = tmp_path / "answers.drafts", list[int]()
    step: Callable[..., Any] = watching.Watch.__call__
    monkeypatch.setattr(watching.Watch, "__call__", lambda self, *a, **k: steps.append(1) or step(self, *a, **k))
    write_and_read(lm, QUESTIONS, READOUTS, batch_size=6, **how)
    once = len(steps)
    with pytest.raises(KeyboardInterrupt):
        write_and_read(lm, QUESTIONS, READOUTS, batch_size=6, drafts=Dying(path, 20), **how)
    same(write_and_read(lm, QUESTIONS, READOUTS, batch_size=6, drafts=Drafts(path, "job"), **how), whole)
    assert len(steps) == 2 * once
    write_and_read(lm, QUESTIONS, READOUTS, batch_size=6, drafts=Drafts(path, "job", seconds=0), **how)
    done = len(steps)
    same(write_and_read(lm, QUESTIONS, READOUTS, batch_size=6, drafts=Drafts(path, "job"), **how), whole)
    assert len(steps) == done


def test_a_damaged_file_is_of_no_use(tmp_path: Path) -> None:
    path = tmp_path / "answers.drafts"
    draft = Draft([5, 7], False, False, {}, {"prompt_end": (3,)}, [-0.5, -1.0], [3])
    Drafts(path, "job", seconds=0).keep(["q/0"], lambda: [draft])
    raw, whole = path.read_bytes(), Drafts(path, "job").begun
    assert whole["q/0"].log_probs == [-0.5, -1.0]
    refused = 0
    for k in range(len(raw)):
        path.write_bytes(raw[:k] + bytes([raw[k] ^ 1]) + raw[k + 1 :])
        assert Drafts(path, "job").begun in ({}, whole), "refused, or it says the same (a space)"
        refused += Drafts(path, "job").begun == {}
    assert refused > len(raw) / 2
    path.write_bytes(raw[: len(raw) // 2])
    assert Drafts(path, "job").begun == {}
    path.write_bytes(raw)
    assert Drafts(path, "another job").begun == {}


def test_what_is_kept_elsewhere_is_let_go_and_what_json_cannot_hold_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "answers.drafts"
    drafts = Drafts(path, "job", seconds=0)
    fine, odd = (Draft([5], False, False, {}, {}, [value], []) for value in (-1.0, float("nan")))
    drafts.keep(["a", "b", "c"], lambda: [fine, fine, odd])
    assert list(Drafts(path, "job").begun) == ["a", "b"]
    drafts.forget(["a", "nobody"])
    drafts.keep(["d"], lambda: [fine])
    assert list(Drafts(path, "job").begun) == ["b", "d"]


def test_a_file_of_another_version_is_of_no_use(tmp_path: Path) -> None:
    path = tmp_path / "answers.drafts"
    for texts in ({"a": {"ids": [5], "unknown": 1}}, {"a": 7}, [1]):
        path.write_bytes(dump_sealed({"job": "job", "texts": texts}))
        assert Drafts(path, "job").begun == {}
