"""The clock of time inside the model sees what a forward hook does not."""

from __future__ import annotations

from innerjudge.experiments.study.overhead.clock import Clock
from innerjudge.extraction import HiddenStates, extract
from innerjudge.extraction.generation import complete
from innerjudge.models.loading import load
from innerjudge.models.positions import encode_prompt
from innerjudge.models.prompts import verdict_prompt


def test_passes_that_stop_early_and_generations_are_counted() -> None:
    lm = load("reference")
    item = encode_prompt(lm.tokenizer, "i", "i", verdict_prompt("2+2?", "4"))
    plain = extract(lm, [item], [HiddenStates("score")], last_block=1)
    clock = Clock(lm)
    assert clock.spent == 0.0
    timed = extract(lm, [item], [HiddenStates("score")], last_block=1)
    after_pass = clock.spent
    assert after_pass > 0.0
    assert (timed["hidden/score"] == plain["hidden/score"]).all()
    complete(lm, [item], max_new_tokens=2)
    assert clock.spent > after_pass
