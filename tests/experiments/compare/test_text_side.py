"""The text judge in a comparison: asked in its best way, with its costs, and no more than three prompts an item."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from innerjudge.experiments.compare.compare import compare
from innerjudge.experiments.compare.text_side import both_responses, permuted_sample
from innerjudge.models.loading import LanguageModel


def test_compare_tries_ways_and_says_what_judges_cost(
    reference: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompts: list[str] = []
    from innerjudge.experiments.reading import verdict_pass, ways

    for module, name in ((verdict_pass, "encode_prompt"), (ways, "encode_question")):
        own = getattr(module, name)

        def counted(*args: Any, _own: Any = own, **more: Any) -> Any:
            prompts.append("")
            return _own(*args, **more)

        monkeypatch.setattr(module, name, counted)
    found = compare(reference, "builtin:choose", judges=["text", "text-reasoned", "qk-score-by-permutation"], limit=96)
    report = found.found.results_json()
    costs = report["cost_per_item"]["builtin:choose"]
    assert costs["text"]["prompts"] == 1
    assert costs["text-reasoned"]["prompts"] >= 1
    assert costs["text"]["tokens"] > 20
    (part,) = found.found.parts
    assert any("text is asked in the best of 7 ways" in note for note in part.notes)
    assert any(note.startswith("Answers in text (no cue)") for note in part.notes)
    assert len(prompts) <= 3 * 96  # 96 as given, 32 permuted, 48 after reasoning, 2 * 24 tried, 48 + 16 in another turn


def test_the_sample_of_permutations_is_drawn_once() -> None:
    sides = np.arange(0, 300, 2), np.arange(1, 300, 2)
    found = permuted_sample(sides, 1).tolist()
    assert found == permuted_sample(sides, 1).tolist() == sorted(set(found))
    assert [sum(k % 2 == side for k in found) for side in (0, 1)] == [50, 50]
    assert permuted_sample((np.arange(12), np.arange(12, 20)), 0).tolist() == list(range(20))


def test_figures_of_permuted_options_rest_on_the_share_that_was_permuted(reference: LanguageModel) -> None:
    """Of 48 questions 24 are reported, and of these 12 are permuted, with the seed that parts the questions."""
    found = compare(reference, "builtin:choose", judges=["letter-logits"], limit=48).found.results_json()
    named = [row for row in found["figures"] if row["metric"] == "accuracy, options also permuted"]
    (one,) = [row for row in named if row["judge"] == "letter-logits"]
    assert one["n"] == 12


def test_rows_of_responses() -> None:
    assert both_responses(np.array([2])).tolist() == [4, 5]
