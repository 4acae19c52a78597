"""DeepConf's online stop: by hand, and against a plain loop over what a pass reads of the whole text."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from innerjudge.experiments.reading.passes import Passes
from innerjudge.experiments.reading.read import read
from innerjudge.experiments.reading.verdict_pass import sample_traces
from innerjudge.extraction.writing.confidence import ConfidenceRecord, LeastConfidence
from innerjudge.models.errors import InnerjudgeError
from innerjudge.models.loading import LanguageModel
from innerjudge.models.reference.solve import problems
from innerjudge.probes import TokenConfidence


def test_the_fourth_token_of_five_is_the_last() -> None:
    # methods.md, section 22: confidences 4, 2, 1, 3, 5, windows of 3: 2.3333, 2, 3. A bar of 2.2 stops after token 4.
    record = ConfidenceRecord(LeastConfidence(bar=2.2, window=3, top=2))
    found = []
    for confidence in (4, 2, 1, 3, 5):  # of the two likeliest of 1,000 tokens; the others share what is left
        p = np.exp(-confidence)
        scores = torch.tensor([[np.log(p)] * 2 + [np.log((1 - 2 * p) / 998)] * 998])
        record(None, scores + 7)  # logits are log-probabilities but for a constant
        found.append(record.low())
    assert found == [set(), set(), set(), {0}, set()]


def test_bars_of_warm_up_texts() -> None:
    # Percentiles of 2, 3, 4, 5, 8: the 10th is 2.4 (90 % reach it), the 90th 6.8.
    assert LeastConfidence.of([2, 3, 4, 5, 8]).bar == 2.4
    assert LeastConfidence.of([2, 3, 4, 5, 8], keep=0.1, window=7) == LeastConfidence(6.8, 7)
    for scores, keep in (([], 0.5), ([1.0], 1.5), ([1.0, np.nan], 0.5), ([1.0, None], 0.5)):
        with pytest.raises(InnerjudgeError, match="expected some and a share"):
            LeastConfidence.of(scores, keep=keep)  # type: ignore[arg-type]
    with pytest.raises(InnerjudgeError, match="window=0"):
        LeastConfidence(bar=1.0, window=0)


@pytest.mark.parametrize("batch_size", [1, 5])
def test_texts_stop_where_a_plain_loop_says(reference: LanguageModel, batch_size: int) -> None:
    window, how = 4, {"n_candidates": 3, "max_new_tokens": 60, "seed": 3}
    asked: Any = problems(4, seed=77)
    whole = sample_traces(reference, asked, **how)
    judge = TokenConfidence(statistic="confidence")
    told = read(reference, whole, Passes(), judges=[judge])
    every = [-one.astype(np.float64).mean(axis=1) for one in told.ragged[judge.needs[0]]]
    lows = [min(np.convolve(one, np.ones(window) / window, "valid")) for one in every]
    least = LeastConfidence.of(lows, keep=0.5, window=window)
    stopped = sample_traces(reference, asked, **how, batch_size=batch_size, least=least)
    assert 0 < sum("rejected" in trace.extra for trace in stopped) < len(stopped)
    for trace, before, own in zip(stopped, whole, every, strict=True):
        ids = before.extra["response_ids"]
        ends = [t + 1 for t in range(window - 1, len(ids)) if own[t + 1 - window : t + 1].mean() < least.bar]
        assert trace.extra["response_ids"] == ids[: ends[0] if ends else None]
        assert ("rejected" in trace.extra) == bool(ends)
        if ends:
            assert (trace.answer, trace.extra["finished"]) == (None, False)
