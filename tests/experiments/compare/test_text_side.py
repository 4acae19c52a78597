"""The text judge in a comparison: asked in its best way, with its costs, and no more than three prompts an item."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from innerjudge import Features, Pair
from innerjudge.experiments.compare.compare import compare
from innerjudge.experiments.compare.judging import ItemFeatures
from innerjudge.experiments.compare.settings import Settings
from innerjudge.experiments.compare.turns import both_responses, permuted_sample
from innerjudge.experiments.reading.passes import Passes
from innerjudge.models.loading import LanguageModel

pytestmark = pytest.mark.usefixtures("no_pixels")


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
    assert any(note.startswith("How verdicts were found in the text (no cue)") for note in part.notes)
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


def test_rows_of_what_was_read_before_are_those_of_the_items_asked_for(reference: LanguageModel) -> None:
    """On 80 pairs both places are tried on the same 20; text is then asked with ten of them the other way round."""
    pairs = [
        Pair(pair_id=f"p{k}", prompt=f"{k}+1?", response_a=str(k + 1), response_b=str(k + 2), preference="ab"[k % 2])
        for k in range(80)
    ]
    found = compare(reference, pairs, judges=["text", "verdict-logits"])
    (part,) = found.found.parts
    assert any("were tried with the cue in the turn and without one on 20 items" in note for note in part.notes)
    assert any("text is asked in the best of" in note and "on 20 items" in note for note in part.notes), part.notes


def test_features_under_a_name_are_read_once_and_given_by_item() -> None:
    read: list[list[str]] = []

    def keep(_name: str, some: Sequence[Any], how: Any) -> Features:
        return how(some, None)

    def how(some: Sequence[Pair], _passes: Passes) -> Features:
        read.append([one.id for one in some])
        return Features.from_arrays({"x": [[float(one.id)] for one in some]}, provenance="m", ids=read[-1])

    pairs = [Pair(pair_id=str(k), prompt="?", response_a="x", response_b="y") for k in range(4)]
    kept = ItemFeatures(lm=None, items=pairs, passes=Passes(), keep=keep, settings=Settings())  # type: ignore[arg-type]
    for asked in ([0, 1, 2], [2, 0], [0, 1, 2], [3, 1]):
        found = kept.kept("some", [pairs[k] for k in asked], Passes(), how)
        assert found["x"][:, 0].tolist() == asked
    assert read == [["0", "1", "2"], ["3", "1"]]
